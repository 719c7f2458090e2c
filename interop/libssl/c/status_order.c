/*
 * The status callbacks among the others: in which order they run, what they see, whose callback and
 * argument count after the server name chose another context, with HelloRetryRequest and with client
 * certificates.
 */
#include "harness.h"

#include <string.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static int on_hello(SSL *ssl, int *alert, void *argument)
{
    (void)alert, (void)argument;
    say("%s: client_hello", side(ssl));
    return SSL_CLIENT_HELLO_SUCCESS;
}

static int on_name(SSL *ssl, int *alert, void *argument)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)alert;
    say("%s: servername %s", side(ssl), name != NULL ? name : "NULL");
    if (argument != NULL && name != NULL && strcmp(name, "other.test") == 0)
        SSL_set_SSL_CTX(ssl, argument);
    return SSL_TLSEXT_ERR_OK;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                   const unsigned char *in, unsigned in_length, void *argument)
{
    (void)argument;
    say("%s: alpn, %u bytes offered", side(ssl), in_length);
    *out = in + 1;
    *out_length = in[0];
    return SSL_TLSEXT_ERR_OK;
}

static int on_certificate(SSL *ssl, void *argument)
{
    (void)argument;
    say("%s: certificate", side(ssl));
    return 1;
}

static int on_verify(int ok, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());

    say("%s: verify, depth %d, %s", side(ssl), X509_STORE_CTX_get_error_depth(store),
        ok ? "ok" : "not ok");
    return ok;
}

static void say_name(const SSL *ssl, const char *what, X509 *certificate)
{
    char name[100] = "NULL";

    if (certificate != NULL)
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name,
                                  sizeof name);
    say("%s: %s: %s", side(ssl), what, name);
}

static int on_server_status(SSL *ssl, void *argument)
{
    say("%s: status, argument %s", side(ssl), (const char *)argument);
    say_name(ssl, "SSL_get_certificate", SSL_get_certificate(ssl));
    SAY_PRESENT(SSL_get_privatekey(ssl));
    set_response(ssl, 100, 1);
    return SSL_TLSEXT_ERR_OK;
}

static int on_client_status(SSL *ssl, void *argument)
{
    say("%s: status, argument %s", side(ssl), (const char *)argument);
    return 1;
}

static void say_handshake(const SSL *ssl, int where, int value)
{
    if (where & SSL_CB_HANDSHAKE_START)
        say("%s: handshake starts", side(ssl));
    if (where & SSL_CB_HANDSHAKE_DONE)
        say("%s: handshake done", side(ssl));
    say_alerts(ssl, where, value);
}

static SSL_CTX *talkative_client(int version)
{
    SSL_CTX *client = client_context(version);

    SSL_CTX_set_tlsext_status_type(client, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_set_tlsext_status_cb(client, on_client_status);
    SSL_CTX_set_tlsext_status_arg(client, (void *)"client's");
    SSL_CTX_set_verify(client, SSL_VERIFY_PEER, on_verify);
    SSL_CTX_set_cert_cb(client, on_certificate, NULL);
    SSL_CTX_set_info_callback(client, say_handshake);
    if (SSL_CTX_set_alpn_protos(client, (const unsigned char *)"\2h2\10http/1.1", 12) != 0)
        broken("SSL_CTX_set_alpn_protos");
    return client;
}

static SSL_CTX *talkative_server(int version, const char *who, const char *argument)
{
    SSL_CTX *server = server_context(version, who);

    SSL_CTX_set_client_hello_cb(server, on_hello, NULL);
    SSL_CTX_set_tlsext_servername_callback(server, on_name);
    SSL_CTX_set_alpn_select_cb(server, on_alpn, NULL);
    SSL_CTX_set_cert_cb(server, on_certificate, NULL);
    SSL_CTX_set_tlsext_status_cb(server, on_server_status);
    SSL_CTX_set_tlsext_status_arg(server, (void *)argument);
    SSL_CTX_set_info_callback(server, say_handshake);
    return server;
}

static void say_alpn(const SSL *ssl)
{
    const unsigned char *protocol;
    unsigned length;

    SSL_get0_alpn_selected(ssl, &protocol, &length);
    say("%s: alpn %.*s", side(ssl), (int)length, protocol != NULL ? (const char *)protocol : "");
}

/* Connects with a server name, and frees all but `kept`. */
static void run(SSL_CTX *client, SSL_CTX *server, const char *name)
{
    struct ends ends = make_ends(client, server);

    if (name != NULL)
        SSL_set_tlsext_host_name(ends.client, name);
    handshake(&ends);
    say_alpn(ends.client);
    say_alpn(ends.server);
    say_name(ends.client, "peer", SSL_get0_peer_certificate(ends.client));
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void order(int version, const char *name)
{
    if (begin("%s, order of callbacks, name %s", version_name(version), name ? name : "none"))
        run(talkative_client(version), talkative_server(version, "server", "server's"), name);
}

/* Which of two contexts' callbacks and arguments are used when the name chooses the other. */
static void name_switch(int version, int own, int others)
{
    SSL_CTX *server, *other;

    if (!begin("%s, the name chooses another context; callback of own %s, of other %s",
               version_name(version), own ? "there" : "none", others ? "there" : "none"))
        return;
    server = talkative_server(version, "server", "server's");
    other = talkative_server(version, "other", "other's");
    if (!own)
        SSL_CTX_set_tlsext_status_cb(server, NULL);
    if (!others)
        SSL_CTX_set_tlsext_status_cb(other, NULL);
    SSL_CTX_set_tlsext_servername_arg(server, other);
    run(talkative_client(version), server, "other.test");
    SSL_CTX_free(other);
}

/* The type that a server's connection has is the client's wish, whatever its context says. */
static void type_of_server(int version)
{
    SSL_CTX *client, *server, *other;

    if (!begin("%s, types on the contexts of a server mean nothing", version_name(version)))
        return;
    client = talkative_client(version);
    server = talkative_server(version, "server", "server's");
    other = talkative_server(version, "other", "other's");
    SSL_CTX_set_tlsext_status_type(client, -1);
    SSL_CTX_set_tlsext_status_type(server, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_set_tlsext_status_type(other, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_set_tlsext_servername_arg(server, other);
    run(client, server, "other.test");
    SSL_CTX_free(other);
}

static void retry(void)
{
    SSL_CTX *server;

    if (!begin("TLSv1.3, HelloRetryRequest"))
        return;
    server = talkative_server(TLS1_3_VERSION, "server", "server's");
    if (SSL_CTX_set1_groups_list(server, "P-384") != 1)
        broken("SSL_CTX_set1_groups_list");
    run(talkative_client(TLS1_3_VERSION), server, "server.test");
}

static void client_certificates(int version, const char *who, int mode)
{
    SSL_CTX *client, *server;

    if (!begin("%s, client certificate %s, mode %d", version_name(version), who ? who : "none",
               mode))
        return;
    client = talkative_client(version);
    server = talkative_server(version, "server", "server's");
    if (who != NULL)
        use_certificate(client, who);
    SSL_CTX_load_verify_locations(server, path_of("server", "root.pem"), NULL);
    SSL_CTX_set_verify(server, mode, on_verify);
    run(client, server, "server.test");
}

/* --- what the client's callback sees ---------------------------------------------------------- */

static int look_around(SSL *ssl, void *argument)
{
    X509 *peer = SSL_get1_peer_certificate(ssl);

    say_name(ssl, "SSL_get1_peer_certificate", peer);
    X509_free(peer);
    say("chain of %d, verified chain of %d", sk_X509_num(SSL_get_peer_cert_chain(ssl)),
        sk_X509_num(SSL_get0_verified_chain(ssl)));
    SAY_LONG(SSL_get_verify_result(ssl));
    say("its context: %s", SSL_get_SSL_CTX(ssl) == argument ? "yes" : "no");
    say("ex_data: %s", (const char *)SSL_get_ex_data(ssl, 0));
    say("app_data: %s", (const char *)SSL_get_app_data(ssl));
    SAY_LONG(SSL_is_init_finished(ssl));
    SAY_LONG(SSL_in_init(ssl));
    SAY_LONG(SSL_session_reused(ssl));
    say("version: %s", SSL_get_version(ssl));
    SAY_PRESENT(SSL_get_session(ssl));
    say("servername: %s", SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
    /* It may also keep a response of its own making. */
    SAY_LONG(set_response(ssl, 44, 4));
    return 1;
}

static void look(int version)
{
    SSL_CTX *client, *server;
    struct ends ends;

    if (!begin("%s, what the client's callback sees", version_name(version)))
        return;
    client = client_context(version);
    server = talkative_server(version, "server", "server's");
    SSL_CTX_set_tlsext_status_type(client, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_set_tlsext_status_cb(client, look_around);
    SSL_CTX_set_tlsext_status_arg(client, client);
    ends = make_ends(client, server);
    SSL_set_tlsext_host_name(ends.client, "server.test");
    SSL_set_app_data(ends.client, (void *)"mine");
    handshake(&ends);
    say_response(ends.client, "after");
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    for (int at = 0; at < 2; at++) {
        int version = versions[at];

        order(version, "server.test");
        order(version, NULL);
        for (int both = 0; both < 4; both++)
            name_switch(version, both & 1, both & 2);
        type_of_server(version);
        client_certificates(version, NULL, SSL_VERIFY_PEER);
        client_certificates(version, NULL, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
        client_certificates(version, "client", SSL_VERIFY_PEER);
        client_certificates(version, "stranger", SSL_VERIFY_PEER);
        look(version);
    }
    retry();
    return finish();
}
