/*
 * Copies of connections, SSL_dup: what a copy takes over, and when it is no copy.
 */
#include "harness.h"

#include <openssl/x509v3.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static int on_verify(int ok, X509_STORE_CTX *store)
{
    (void)store;
    return ok;
}

static int password(char *buffer, int size, int writing, void *data)
{
    (void)buffer, (void)size, (void)writing, (void)data;
    return 0;
}

static void say_settings(SSL *ssl)
{
    unsigned char id[] = "id";
    STACK_OF(SSL_CIPHER) *ciphers = SSL_get_ciphers(ssl);

    say("%s, options %08lx, mode %08lx", side(ssl), (unsigned long)SSL_get_options(ssl),
        (unsigned long)SSL_get_mode(ssl));
    say("versions %ld to %ld", (long)SSL_get_min_proto_version(ssl),
        (long)SSL_get_max_proto_version(ssl));
    say("max_cert_list %ld, read ahead %d, quiet %d, shutdown %d", (long)SSL_get_max_cert_list(ssl),
        SSL_get_read_ahead(ssl), SSL_get_quiet_shutdown(ssl), SSL_get_shutdown(ssl));
    say("verify %d, depth %d, callback %s", SSL_get_verify_mode(ssl), SSL_get_verify_depth(ssl),
        SSL_get_verify_callback(ssl) == on_verify ? "ours" : "not ours");
    say("info callback %s", SSL_get_info_callback(ssl) == say_alerts ? "ours" : "not ours");
    say("password callback %s, data %s",
        SSL_get_default_passwd_cb(ssl) == password ? "ours" : "not ours",
        SSL_get_default_passwd_cb_userdata(ssl) != NULL ? "there" : "NULL");
    say("the first cipher %s", SSL_CIPHER_get_name(sk_SSL_CIPHER_value(ciphers, 0)));
    say("%d names", sk_X509_NAME_num(SSL_get_client_CA_list(ssl)));
    SAY_PRESENT(SSL_get_certificate(ssl));
    SAY_PRESENT(SSL_get_privatekey(ssl));
    SAY_PRESENT(SSL_get_rbio(ssl));
    SAY_PRESENT(SSL_get_session(ssl));
    SAY_PRESENT(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
    SAY_LONG(SSL_get_num_tickets(ssl));
    SAY_LONG(SSL_get_security_level(ssl));
    SAY_LONG(SSL_get_verify_result(ssl));
    SAY_LONG(SSL_get_tlsext_status_type(ssl));
    SAY_LONG(X509_VERIFY_PARAM_get_hostflags(SSL_get0_param(ssl)));
    SAY_LONG(SSL_set_session_id_context(ssl, id, 2));
}

static void settings(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    SSL *ssl = SSL_new(context), *copy;

    copy = SSL_dup(ssl);
    SAY_PRESENT(copy);
    say_settings(copy);
    SSL_free(copy);
    SSL_set_connect_state(ssl);
    SSL_set_options(ssl, SSL_OP_NO_TICKET);
    SSL_clear_options(ssl, SSL_OP_NO_COMPRESSION);
    SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE);
    SSL_set_min_proto_version(ssl, TLS1_2_VERSION);
    SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
    SSL_set_max_cert_list(ssl, 4000);
    SSL_set_read_ahead(ssl, 1);
    SSL_set_quiet_shutdown(ssl, 1);
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN);
    SSL_set_verify(ssl, SSL_VERIFY_PEER, on_verify);
    SSL_set_verify_depth(ssl, 4);
    SSL_set_info_callback(ssl, say_alerts);
    SSL_set_default_passwd_cb(ssl, password);
    SSL_set_default_passwd_cb_userdata(ssl, context);
    SSL_set_cipher_list(ssl, "ECDHE-ECDSA-AES128-GCM-SHA256");
    SSL_set_ciphersuites(ssl, "TLS_AES_128_GCM_SHA256");
    SSL_set_client_CA_list(ssl, SSL_load_client_CA_file(path_of("server", "root.pem")));
    SSL_use_certificate_file(ssl, path_of("server", "chain.pem"), SSL_FILETYPE_PEM);
    SSL_use_PrivateKey_file(ssl, path_of("server", "key.pem"), SSL_FILETYPE_PEM);
    SSL_set_tlsext_host_name(ssl, "server.test");
    SSL_set_num_tickets(ssl, 7);
    SSL_set_security_level(ssl, 1);
    SSL_set_verify_result(ssl, X509_V_ERR_CERT_REJECTED);
    SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_WILDCARDS);
    copy = SSL_dup(ssl);
    SAY_LONG(copy == ssl);
    SAY_LONG(SSL_get_SSL_CTX(copy) == context);
    SAY_LONG(SSL_get_ssl_method(copy) == SSL_get_ssl_method(ssl));
    SAY_LONG(SSL_get_certificate(copy) == SSL_get_certificate(ssl));
    say_settings(copy);
    SSL_free(ssl);
    SSL_free(copy);
    SSL_CTX_free(context);
}

/* A copy makes a connection of its own. */
static void used(int version)
{
    SSL_CTX *client, *server;
    struct ends ends, copies;

    if (!begin("%s, a handshake of copies", version_name(version)))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    ends = make_ends(client, server);
    copies = make_ends(client, server);
    SSL_free(copies.client);
    SSL_free(copies.server);
    copies.client = SSL_dup(ends.client);
    copies.server = SSL_dup(ends.server);
    SAY_PRESENT(SSL_get_rbio(copies.client));
    copies.to_server = BIO_new(BIO_s_mem());
    copies.to_client = BIO_new(BIO_s_mem());
    BIO_up_ref(copies.to_server);
    BIO_up_ref(copies.to_client);
    SSL_set_bio(copies.client, copies.to_client, copies.to_server);
    SSL_set_bio(copies.server, copies.to_server, copies.to_client);
    handshake(&copies);
    handshake(&ends);
    say("during a connection a copy is the same: %d", SSL_dup(ends.client) == ends.client);
    SSL_free(ends.client);
    SAY_LONG(SSL_write(ends.client, "still there", 11));
    free_ends(&ends);
    free_ends(&copies);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

/* A session that is set goes with the copy. */
static void with_a_session(int version)
{
    SSL_CTX *client, *server;
    SSL_SESSION *session;
    SSL *ssl, *copy;
    struct ends ends;

    if (!begin("%s, with a session", version_name(version)))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    ends = make_ends(client, server);
    handshake(&ends);
    session = SSL_get1_session(ends.client);
    SSL_shutdown(ends.client);
    SSL_shutdown(ends.server);
    free_ends(&ends);
    ssl = SSL_new(client);
    SAY_LONG(SSL_set_session(ssl, session));
    copy = SSL_dup(ssl);
    SAY_LONG(SSL_get_session(copy) == session);
    ends = make_ends(client, server);
    SSL_set_bio(copy, SSL_get_rbio(ends.client), SSL_get_wbio(ends.client));
    BIO_up_ref(SSL_get_rbio(copy));
    BIO_up_ref(SSL_get_wbio(copy));
    SSL_set_connect_state(copy);
    SSL_free(ends.client);
    ends.client = copy;
    handshake(&ends);
    free_ends(&ends);
    SSL_free(ssl);
    SSL_SESSION_free(session);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

/* A chain of BIOs with a connection in it. */
static void bios(void)
{
    SSL_CTX *context = client_context(TLS1_3_VERSION);
    BIO *chain = BIO_new_buffer_ssl_connect(context), *copy;
    SSL *ssl = NULL, *other = NULL;

    copy = BIO_dup_chain(chain);
    SAY_PRESENT(copy);
    for (BIO *bio = copy; bio != NULL; bio = BIO_next(bio))
        say("%s", BIO_method_name(bio));
    SAY_LONG(BIO_get_ssl(chain, &ssl));
    SAY_LONG(BIO_get_ssl(copy, &other));
    SAY_LONG(ssl == other);
    SAY_LONG(SSL_is_server(other));
    SAY_PRESENT(SSL_get_rbio(other));
    BIO_free_all(copy);
    BIO_free_all(chain);
    SSL_CTX_free(context);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    if (begin("settings"))
        settings();
    for (int at = 0; at < 2; at++) {
        used(versions[at]);
        with_a_session(versions[at]);
    }
    if (begin("chains of BIOs"))
        bios();
    return finish();
}
