/*
 * Handshakes that fail, and how each end is told: alerts, SSL_get_error, the error queue; and ALPN,
 * whose failures belong here too.
 */
#include "harness.h"

#include <string.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void run(SSL_CTX *client, SSL_CTX *server)
{
    connect_once(client, server);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void other_versions(void)
{
    if (begin("client TLSv1.2, server TLSv1.3"))
        run(client_context(TLS1_2_VERSION), server_context(TLS1_3_VERSION, "server"));
    if (begin("client TLSv1.3, server TLSv1.2"))
        run(client_context(TLS1_3_VERSION), server_context(TLS1_2_VERSION, "server"));
    if (begin("both versions on both sides")) {
        SSL_CTX *client = client_context(TLS1_3_VERSION);
        SSL_CTX *server = server_context(TLS1_3_VERSION, "server");

        SSL_CTX_set_min_proto_version(client, TLS1_2_VERSION);
        SSL_CTX_set_min_proto_version(server, TLS1_2_VERSION);
        run(client, server);
    }
}

static void ciphers(void)
{
    SSL_CTX *client, *server;

    if (begin("TLSv1.2, no shared cipher")) {
        client = client_context(TLS1_2_VERSION);
        server = server_context(TLS1_2_VERSION, "server");
        SAY_LONG(SSL_CTX_set_cipher_list(client, "ECDHE-ECDSA-AES128-GCM-SHA256"));
        SAY_LONG(SSL_CTX_set_cipher_list(server, "ECDHE-ECDSA-AES256-GCM-SHA384"));
        run(client, server);
    }
    if (begin("TLSv1.2, no cipher for the certificate")) {
        client = client_context(TLS1_2_VERSION);
        server = server_context(TLS1_2_VERSION, "server");
        SAY_LONG(SSL_CTX_set_cipher_list(client, "ECDHE-RSA-AES128-GCM-SHA256"));
        run(client, server);
    }
    if (begin("TLSv1.3, no shared cipher")) {
        client = client_context(TLS1_3_VERSION);
        server = server_context(TLS1_3_VERSION, "server");
        SAY_LONG(SSL_CTX_set_ciphersuites(client, "TLS_AES_128_GCM_SHA256"));
        SAY_LONG(SSL_CTX_set_ciphersuites(server, "TLS_AES_256_GCM_SHA384"));
        run(client, server);
    }
}

static void groups(int version)
{
    SSL_CTX *client, *server;

    if (!begin("%s, no shared group", version_name(version)))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    SAY_LONG(SSL_CTX_set1_groups_list(client, "P-384"));
    SAY_LONG(SSL_CTX_set1_groups_list(server, "X25519"));
    run(client, server);
}

static void no_certificate(int version)
{
    SSL_CTX *server;

    if (!begin("%s, a server without a certificate", version_name(version)))
        return;
    server = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_info_callback(server, say_alerts);
    run(client_context(version), server);
}

static void certificates(int version)
{
    struct ends ends;
    SSL_CTX *client, *server;

    if (begin("%s, a stranger's certificate", version_name(version)))
        run(client_context(version), server_context(version, "stranger"));
    if (begin("%s, an expired certificate", version_name(version)))
        run(client_context(version), server_context(version, "expired"));
    for (int right = 0; right < 2; right++) {
        if (!begin("%s, the %s host", version_name(version), right ? "right" : "wrong"))
            continue;
        client = client_context(version);
        server = server_context(version, "server");
        ends = make_ends(client, server);
        SAY_LONG(SSL_set1_host(ends.client, right ? "server.test" : "another.test"));
        handshake(&ends);
        say("peer name %s", SSL_get0_peername(ends.client) ? SSL_get0_peername(ends.client) : "NULL");
        SAY_LONG(SSL_get_verify_result(ends.client));
        free_ends(&ends);
        SSL_CTX_free(client);
        SSL_CTX_free(server);
    }
}

static int refuse(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

static int accept_all(int ok, X509_STORE_CTX *store)
{
    (void)store;
    say("verify callback: %d, error %d", ok, X509_STORE_CTX_get_error(store));
    return 1;
}

static int own_verification(X509_STORE_CTX *store, void *argument)
{
    say("own verification, chain of %d", sk_X509_num(X509_STORE_CTX_get0_untrusted(store)));
    X509_STORE_CTX_set_error(store, argument ? X509_V_OK : X509_V_ERR_CERT_REVOKED);
    return argument != NULL;
}

static void verification(int version)
{
    SSL_CTX *client;

    if (begin("%s, a verify callback refuses", version_name(version))) {
        client = client_context(version);
        SSL_CTX_set_verify(client, SSL_VERIFY_PEER, refuse);
        run(client, server_context(version, "server"));
    }
    if (begin("%s, a verify callback accepts a stranger", version_name(version))) {
        client = client_context(version);
        SSL_CTX_set_verify(client, SSL_VERIFY_PEER, accept_all);
        run(client, server_context(version, "stranger"));
    }
    for (int good = 0; good < 2; good++) {
        if (!begin("%s, own verification says %s", version_name(version), good ? "yes" : "no"))
            continue;
        client = client_context(version);
        SSL_CTX_set_cert_verify_callback(client, own_verification, good ? client : NULL);
        run(client, server_context(version, "stranger"));
    }
    if (begin("%s, a chain deeper than allowed", version_name(version))) {
        client = client_context(version);
        SSL_CTX_set_verify_depth(client, 0);
        run(client, server_context(version, "server"));
    }
}

static int on_certificate(SSL *ssl, void *argument)
{
    int *answers = argument;

    say("%s: certificate callback answers %d", side(ssl), *answers);
    return *answers < 0 ? (*answers)++ : *answers;
}

static int on_hello(SSL *ssl, int *alert, void *argument)
{
    int *answers = argument;

    say("%s: client_hello callback answers %d", side(ssl), *answers);
    *alert = SSL_AD_ACCESS_DENIED;
    return *answers < 0 ? SSL_CLIENT_HELLO_RETRY + 0 * (*answers = 1) : *answers;
}

static int on_name(SSL *ssl, int *alert, void *argument)
{
    say("%s: servername callback answers %d", side(ssl), *(int *)argument);
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return *(int *)argument;
}

static void callbacks(int version)
{
    SSL_CTX *server;

    for (int answer = -2; answer < 2; answer++) {
        int answers = answer;

        if (!begin("%s, a certificate callback answers %d", version_name(version), answer))
            continue;
        server = server_context(version, "server");
        SSL_CTX_set_cert_cb(server, on_certificate, &answers);
        run(client_context(version), server);
    }
    for (int answer = -1; answer < 2; answer++) {
        int answers = answer;

        if (!begin("%s, a client_hello callback answers %d", version_name(version), answer))
            continue;
        server = server_context(version, "server");
        SSL_CTX_set_client_hello_cb(server, on_hello, &answers);
        run(client_context(version), server);
    }
    for (int answer = SSL_TLSEXT_ERR_OK; answer <= SSL_TLSEXT_ERR_NOACK; answer++) {
        struct ends ends;
        SSL_CTX *client;

        if (!begin("%s, a servername callback answers %d", version_name(version), answer))
            continue;
        client = client_context(version);
        server = server_context(version, "server");
        SSL_CTX_set_tlsext_servername_callback(server, on_name);
        SSL_CTX_set_tlsext_servername_arg(server, &answer);
        ends = make_ends(client, server);
        SSL_set_tlsext_host_name(ends.client, "server.test");
        handshake(&ends);
        free_ends(&ends);
        SSL_CTX_free(client);
        SSL_CTX_free(server);
    }
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                   const unsigned char *in, unsigned in_length, void *argument)
{
    static const unsigned char supported[] = "\2h2\10http/1.1";
    unsigned char *chosen;
    int outcome = SSL_select_next_proto(&chosen, out_length, supported, 12, in, in_length);

    say("%s: alpn callback, %u bytes offered", side(ssl), in_length);
    *out = chosen;
    return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : *(int *)argument;
}

static void alpn(int version, const char *offered, int answer)
{
    SSL_CTX *client, *server;
    struct ends ends;
    const unsigned char *protocol = (const unsigned char *)"untouched";
    unsigned length = 99;

    if (!begin("%s, alpn of %zu bytes, otherwise %d", version_name(version), strlen(offered), answer))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    SSL_CTX_set_alpn_select_cb(server, on_alpn, &answer);
    SAY_LONG(SSL_CTX_set_alpn_protos(client, (const unsigned char *)offered,
                                     (unsigned)strlen(offered)));
    ends = make_ends(client, server);
    handshake(&ends);
    SSL_get0_alpn_selected(ends.client, &protocol, &length);
    say("alpn: %.*s (%u)", (int)length, protocol != NULL ? (const char *)protocol : "NULL", length);
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

/* Something that is no TLS arrives. */
static void rubbish(const char *name, const char *bytes, size_t length)
{
    SSL_CTX *client, *server;
    struct ends ends;

    if (!begin("rubbish: %s", name))
        return;
    client = client_context(TLS1_3_VERSION);
    server = server_context(TLS1_3_VERSION, "server");
    SSL_CTX_set_min_proto_version(client, TLS1_2_VERSION);
    SSL_CTX_set_min_proto_version(server, TLS1_2_VERSION);
    ends = make_ends(client, server);
    BIO_write(ends.to_server, bytes, (int)length);
    step(ends.server);
    step(ends.server);
    BIO_reset(ends.to_client);
    BIO_write(ends.to_client, bytes, (int)length);
    step(ends.client);
    step(ends.client);
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

#define RUBBISH(name, bytes) rubbish(name, bytes, sizeof bytes - 1)

/* An entry of somebody else is in the queue as SSL_read takes the tickets of TLS 1.3. */
static void foreign_entry(int version, int data)
{
    SSL_CTX *client, *server;
    struct ends ends;
    char byte;
    int turn, value;

    if (!begin("%s, a foreign entry in the queue, %s", version_name(version),
               data ? "data comes" : "no data comes"))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    ends = make_ends(client, server);
    for (turn = 0; turn < 4; turn++) {
        step(ends.client);
        step(ends.server);
    }
    if (data)
        SSL_write(ends.server, "x", 1);
    ERR_clear_error();
    ERR_raise(ERR_LIB_USER, 100);
    value = SSL_read(ends.client, &byte, 1);
    say("read %d, %s", value, error_name(SSL_get_error(ends.client, value)));
    say("left in the queue: %d", ERR_peek_error() != 0);
    ERR_clear_error();
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    other_versions();
    ciphers();
    for (int at = 0; at < 2; at++) {
        int version = versions[at];

        groups(version);
        no_certificate(version);
        certificates(version);
        verification(version);
        callbacks(version);
        alpn(version, "\2h2", SSL_TLSEXT_ERR_NOACK);
        alpn(version, "\10http/1.1\2h2", SSL_TLSEXT_ERR_NOACK);
        alpn(version, "\4none", SSL_TLSEXT_ERR_NOACK);
        alpn(version, "\4none", SSL_TLSEXT_ERR_ALERT_FATAL);
        alpn(version, "\12broken", SSL_TLSEXT_ERR_NOACK);
    }
    RUBBISH("an HTTP request", "GET / HTTP/1.1\r\n\r\n");
    RUBBISH("a proxy's request", "CONNECT example:443 HTTP/1.1\r\n\r\n");
    RUBBISH("an HTTP response", "HTTP/1.1 200 OK\r\n\r\n");
    RUBBISH("zeros", "\0\0\0\0\0\0\0\0\0\0\0\0");
    RUBBISH("an alert", "\25\3\3\0\2\2\50");
    RUBBISH("a warning", "\25\3\3\0\2\1\0");
    RUBBISH("a record of the wrong version", "\26\2\0\0\4\1\0\0\0");
    RUBBISH("a record of no length", "\26\3\3\0\0\26\3\3\0\0");
    RUBBISH("a record too long", "\26\3\3\377\377abcdefgh");
    RUBBISH("an unknown message", "\26\3\3\0\4\143\0\0\0");
    RUBBISH("data", "\27\3\3\0\4abcd");
    for (int data = 0; data < 2; data++) {
        foreign_entry(TLS1_2_VERSION, data);
        foreign_entry(TLS1_3_VERSION, data);
    }
    return finish();
}
