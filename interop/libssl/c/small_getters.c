/*
 * Getters and settings that no other program here asks: each says what it returns, and where a
 * connection shows it, a connection is made.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "harness.h"

#include <openssl/comp.h>
#include <string.h>

static void say_name_of(const char *what, int nid)
{
    say("%s: %s", what, nid == -1 ? "unchanged" : OBJ_nid2sn(nid));
}

static void library(void)
{
    if (!begin("of the library"))
        return;
    SAY_LONG(ERR_load_SSL_strings());
    SAY_LONG(OPENSSL_init_ssl(0, NULL));
    SSL_add_ssl_module();
    SAY_LONG(sk_SSL_COMP_num(SSL_COMP_get_compression_methods()));
    for (int at = 0; at < sk_SSL_COMP_num(SSL_COMP_get_compression_methods()); at++) {
        const SSL_COMP *method = sk_SSL_COMP_value(SSL_COMP_get_compression_methods(), at);

        say("%d %s", SSL_COMP_get_id(method), SSL_COMP_get0_name(method));
    }
    say_errors("library");
}

static int password(char *buffer, int size, int writing, void *data)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)data;
    return 0;
}

static void context(void)
{
    SSL_CTX *context;
    STACK_OF(X509_NAME) *names;
    int here;

    if (!begin("of a context"))
        return;
    context = SSL_CTX_new(TLSv1_2_server_method());
    SAY_PRESENT(SSL_CTX_get_default_passwd_cb(context));
    SAY_PRESENT(SSL_CTX_get_default_passwd_cb_userdata(context));
    SSL_CTX_set_default_passwd_cb(context, password);
    SSL_CTX_set_default_passwd_cb_userdata(context, &here);
    SAY_LONG(SSL_CTX_get_default_passwd_cb(context) == password);
    SAY_LONG(SSL_CTX_get_default_passwd_cb_userdata(context) == &here);
    SAY_PRESENT(SSL_CTX_get_info_callback(context));
    SSL_CTX_set_info_callback(context, say_alerts);
    SAY_LONG(SSL_CTX_get_info_callback(context) == say_alerts);
    SAY_LONG(SSL_CTX_set_split_send_fragment(context, 511));
    SAY_LONG(SSL_CTX_set_split_send_fragment(context, 4096));
    SAY_LONG(SSL_CTX_set_max_pipelines(context, 0));
    SAY_LONG(SSL_CTX_set_max_pipelines(context, 4));
    SAY_LONG(SSL_CTX_set_max_pipelines(context, 33));
    names = SSL_load_client_CA_file_ex(path_of("server", "root.pem"), NULL, NULL);
    say("names %d", sk_X509_NAME_num(names));
    sk_X509_NAME_pop_free(names, X509_NAME_free);
    SAY_PRESENT(SSL_load_client_CA_file_ex("/nowhere", NULL, NULL));
    ERR_clear_error();
    SSL_CTX_free(context);
}

static int on_hello(SSL *ssl, int *alert, void *argument)
{
    const unsigned char *id;

    (void)alert;
    (void)argument;
    say("session id of %zu bytes", SSL_client_hello_get0_session_id(ssl, &id));
    return SSL_CLIENT_HELLO_SUCCESS;
}

static void say_connection(SSL *ssl)
{
    const unsigned char *bytes = (const unsigned char *)"unchanged";
    unsigned int length = 9;
    int nid = -1;

    SAY_LONG(SSL_is_dtls(ssl));
    SAY_LONG(SSL_waiting_for_async(ssl));
    SAY_LONG(SSL_num_renegotiations(ssl));
    SAY_LONG(SSL_clear_num_renegotiations(ssl));
    SAY_LONG(SSL_total_renegotiations(ssl));
    say("reading: %s, %s", SSL_rstate_string(ssl), SSL_rstate_string_long(ssl));
    SSL_get0_next_proto_negotiated(ssl, &bytes, &length);
    say("protocol of %u bytes", length);
    SAY_LONG(SSL_get_signature_type_nid(ssl, &nid));
    say_name_of("type", nid);
    nid = -1;
    SAY_LONG(SSL_get_signature_nid(ssl, &nid));
    say_name_of("hash", nid);
    SAY_LONG(SSL_ctrl(ssl, SSL_CTRL_GET_CLIENT_CERT_REQUEST, 0, NULL));
    ERR_clear_error();
}

static void connection(int version)
{
    SSL_CTX *client, *server;
    struct ends ends;
    unsigned char *suites = NULL;
    long size;

    if (!begin("%s, of a connection", version_name(version)))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    SSL_CTX_set_default_read_buffer_len(server, 4096);
    SSL_CTX_set_client_hello_cb(server, on_hello, NULL);
    SSL_CTX_set1_groups_list(client, "P-384:X25519:P-256");
    if (version == TLS1_2_VERSION)
        SSL_CTX_set_cipher_list(client, "ECDHE-ECDSA-AES128-GCM-SHA256");
    else
        SSL_CTX_set_ciphersuites(client, "TLS_AES_128_GCM_SHA256");
    ends = make_ends(client, server);
    SSL_set_default_read_buffer_len(ends.client, 65536);
    SAY_LONG(SSL_set_split_send_fragment(ends.client, 1024));
    SAY_LONG(SSL_set_max_pipelines(ends.client, 1));
    say_connection(ends.client);
    handshake(&ends);
    say_connection(ends.client);
    say_connection(ends.server);
    SAY_LONG(SSL_get_shared_group(ends.server, -1));
    for (int at = 0; at < 4; at++)
        say_name_of("shared group", SSL_get_shared_group(ends.server, at));
    SAY_LONG(SSL_get_shared_group(ends.client, 0));
    SAY_LONG(SSL_get0_raw_cipherlist(ends.server, NULL));
    size = SSL_get0_raw_cipherlist(ends.server, &suites);
    say("suites of %ld bytes, first %02x%02x", size, suites[0], suites[1]);
    SAY_LONG(SSL_get0_raw_cipherlist(ends.client, &suites));
    SAY_LONG(SSL_set_tlsext_status_ids(ends.client, NULL));
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void connecting(void)
{
    SSL_CTX *context;
    BIO *bio, *below;
    SSL *ssl = NULL;

    if (!begin("a BIO that connects"))
        return;
    context = client_context(TLS1_3_VERSION);
    bio = BIO_new_ssl_connect(context);
    SAY_PRESENT(bio);
    SAY_LONG(BIO_get_ssl(bio, &ssl));
    SAY_PRESENT(ssl);
    below = BIO_find_type(bio, BIO_TYPE_CONNECT);
    SAY_PRESENT(below);
    BIO_set_conn_hostname(bio, "127.0.0.1:1");
    SAY_LONG(BIO_do_connect(bio) > 0);
    ERR_clear_error();
    BIO_free_all(bio);
    SSL_CTX_free(context);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    library();
    context();
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++)
        connection(version);
    connecting();
    return finish();
}
