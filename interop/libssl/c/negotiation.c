/*
 * What the ends agree on: ciphers, groups, signature algorithms, which of several certificates; and
 * what the programs that watch get to see: the ClientHello, the key log, messages.
 */
#include "harness.h"

#include <string.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void say_certificate(const SSL *ssl)
{
    X509 *peer = SSL_get0_peer_certificate(ssl);
    char name[100] = "none";

    if (peer != NULL)
        X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName, name, sizeof name);
    say("%s: peer %s", side(ssl), name);
}

static void say_key(const SSL *ssl, const char *whose, long there, EVP_PKEY *key)
{
    if (!there) {
        say("%s: no key of %s", side(ssl), whose);
        return;
    }
    say("%s: %s key of %s, %d bits", side(ssl), EVP_PKEY_get0_type_name(key), whose,
        EVP_PKEY_get_bits(key));
    EVP_PKEY_free(key);
}

static void say_temporary_keys(SSL *ssl)
{
    EVP_PKEY *key;
    long there = SSL_get_tmp_key(ssl, &key);

    say_key(ssl, "its own", there, key);
    there = SSL_get_peer_tmp_key(ssl, &key);
    say_key(ssl, "the peer", there, key);
}

static void say_agreed(SSL *ssl)
{
    int nid = 0;

    say("%s: %s, %s, cipher %s", side(ssl), SSL_get_version(ssl),
        SSL_CIPHER_get_version(SSL_get_current_cipher(ssl)), SSL_get_cipher_name(ssl));
    say("%s: group %s", side(ssl), OBJ_nid2sn((int)SSL_get_negotiated_group(ssl)));
    if (SSL_get_peer_signature_nid(ssl, &nid))
        say("%s: peer signed with digest %s", side(ssl), OBJ_nid2sn(nid));
    if (SSL_get_peer_signature_type_nid(ssl, &nid))
        say("%s: peer signed with %s", side(ssl), OBJ_nid2sn(nid));
    say_temporary_keys(ssl);
}

static void agree(SSL_CTX *client, SSL_CTX *server)
{
    struct ends ends = make_ends(client, server);

    if (handshake(&ends)) {
        say_agreed(ends.client);
        say_agreed(ends.server);
        say_certificate(ends.client);
    }
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void ciphers(void)
{
    static const char *const all[] = {
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES256-GCM-SHA384",   "ECDHE-RSA-CHACHA20-POLY1305",
    };
    static const char *const suites[] = {
        "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
    };

    for (size_t at = 0; at < sizeof all / sizeof *all; at++) {
        if (!begin("cipher %s", all[at]))
            continue;
        SSL_CTX *client = client_context(TLS1_2_VERSION);
        SAY_LONG(SSL_CTX_set_cipher_list(client, all[at]));
        agree(client,
              server_context(TLS1_2_VERSION, strstr(all[at], "RSA-") == all[at] + 6 ? "rsa" : "server"));
    }
    for (size_t at = 0; at < sizeof suites / sizeof *suites; at++) {
        if (!begin("suite %s", suites[at]))
            continue;
        SSL_CTX *client = client_context(TLS1_3_VERSION);
        SAY_LONG(SSL_CTX_set_ciphersuites(client, suites[at]));
        agree(client, server_context(TLS1_3_VERSION, "server"));
    }
}

/* The client's order counts, or the server's when it says so. */
static void preference(int version, int servers)
{
    SSL_CTX *client, *server;

    if (!begin("%s, the order of the %s", version_name(version), servers ? "server" : "client"))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    SSL_CTX_set_cipher_list(client, "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256");
    SSL_CTX_set_cipher_list(server, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384");
    SSL_CTX_set_ciphersuites(client, "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256");
    SSL_CTX_set_ciphersuites(server, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384");
    if (servers)
        SSL_CTX_set_options(server, SSL_OP_CIPHER_SERVER_PREFERENCE);
    agree(client, server);
}

static void groups(int version)
{
    static const char *const all[] = {"X25519", "P-256", "P-384"};

    for (size_t at = 0; at < sizeof all / sizeof *all; at++) {
        if (!begin("%s, group %s", version_name(version), all[at]))
            continue;
        SSL_CTX *client = client_context(version);
        SAY_LONG(SSL_CTX_set1_groups_list(client, all[at]));
        agree(client, server_context(version, "server"));
    }
}

/* A server with an ECDSA and an RSA certificate gives each client what it can verify. */
static void certificates(int version, const char *algorithms)
{
    SSL_CTX *client, *server;

    if (!begin("%s, two certificates, client signs with %s", version_name(version), algorithms))
        return;
    client = client_context(version);
    server = server_context(version, "rsa");
    use_certificate(server, "server");
    SAY_LONG(SSL_CTX_set1_sigalgs_list(client, algorithms));
    agree(client, server);
}

static int on_hello(SSL *ssl, int *alert, void *argument)
{
    const unsigned char *bytes;
    size_t length;
    int *types;

    (void)alert, (void)argument;
    SAY_LONG(SSL_client_hello_isv2(ssl));
    SAY_LONG(SSL_client_hello_get0_legacy_version(ssl));
    SAY_LONG(SSL_client_hello_get0_random(ssl, &bytes));
    SAY_LONG(SSL_client_hello_get0_ciphers(ssl, &bytes) > 0);
    length = SSL_client_hello_get0_compression_methods(ssl, &bytes);
    say("%zu compression methods, first %d", length, bytes[0]);
    SAY_LONG(SSL_client_hello_get1_extensions_present(ssl, &types, &length));
    say("extensions: %s", length > 0 ? "there" : "none");
    OPENSSL_free(types);
    SAY_LONG(SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &bytes, &length));
    say("server_name of %zu: %.*s", length, (int)length - 5, bytes + 5);
    SAY_LONG(SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_status_request, &bytes, &length));
    SAY_LONG(SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation,
                                       &bytes, &length));
    say("alpn of %zu: %.*s", length, (int)length - 3, bytes + 3);
    return SSL_CLIENT_HELLO_SUCCESS;
}

static void hello(int version)
{
    SSL_CTX *client, *server;
    struct ends ends;

    if (!begin("%s, the ClientHello", version_name(version)))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    SSL_CTX_set_client_hello_cb(server, on_hello, NULL);
    SSL_CTX_set_alpn_protos(client, (const unsigned char *)"\2h2", 3);
    ends = make_ends(client, server);
    SSL_set_tlsext_host_name(ends.client, "server.test");
    handshake(&ends);
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void on_key(const SSL *ssl, const char *line)
{
    const char *space = strchr(line, ' ');

    say("%s: %.*s, %zu characters", side(ssl), (int)(space - line), line, strlen(line));
}

static void key_log(int version, int servers)
{
    SSL_CTX *client, *server, *logged;

    if (!begin("%s, key log of the %s", version_name(version), servers ? "server" : "client"))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    logged = servers ? server : client;
    SSL_CTX_set_keylog_callback(logged, on_key);
    SAY_LONG(SSL_CTX_get_keylog_callback(logged) == on_key);
    agree(client, server);
}

static int secrets;

static void count_key(const SSL *ssl, const char *line)
{
    (void)ssl;
    (void)line;
    secrets++;
}

static int to_other_context(SSL *ssl, int *alert, void *other)
{
    (void)alert;
    SSL_set_SSL_CTX(ssl, other);
    return SSL_TLSEXT_ERR_OK;
}

/* Only the context that the client's name leads to wants to see the secrets. */
static void key_log_after_switch(int version)
{
    SSL_CTX *client, *first, *second;

    if (!begin("%s, key log after a switch of context", version_name(version)))
        return;
    secrets = 0;
    client = client_context(version);
    first = server_context(version, "server");
    second = server_context(version, "server");
    SSL_CTX_set_tlsext_servername_callback(first, to_other_context);
    SSL_CTX_set_tlsext_servername_arg(first, second);
    SSL_CTX_set_keylog_callback(second, count_key);
    connect_once(client, first);
    SAY_LONG(secrets);
    SSL_CTX_free(client);
    SSL_CTX_free(first);
    SSL_CTX_free(second);
}

/* The two keys of an exchange are each other's. */
static void temporary_keys(int version)
{
    SSL_CTX *client, *server;
    struct ends ends;
    EVP_PKEY *one = NULL, *other = NULL;

    if (!begin("%s, temporary keys of both ends", version_name(version)))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    ends = make_ends(client, server);
    say_temporary_keys(ends.server);
    SAY_LONG(SSL_get_peer_tmp_key(ends.client, &one));
    handshake(&ends);
    say_temporary_keys(ends.client);
    say_temporary_keys(ends.server);
    if (SSL_get_peer_tmp_key(ends.client, &one) && SSL_get_tmp_key(ends.server, &other))
        SAY_LONG(EVP_PKEY_eq(one, other));
    EVP_PKEY_free(one);
    EVP_PKEY_free(other);
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void on_message(int sent, int version, int type, const void *bytes, size_t length, SSL *ssl,
                       void *argument)
{
    const char *name = argument;

    (void)version;
    if (type == SSL3_RT_HANDSHAKE && length > 0)
        say("%s: message of %s %s: type %d", side(ssl), name, sent ? "sent" : "received",
            *(const unsigned char *)bytes);
}

static void messages(int version)
{
    SSL_CTX *client, *server;

    if (!begin("%s, handshake messages", version_name(version)))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    SSL_CTX_set_num_tickets(server, 1);
    SSL_CTX_set_msg_callback(client, on_message);
    SSL_CTX_set_msg_callback_arg(client, (void *)"the client's context");
    SSL_CTX_set_msg_callback(server, on_message);
    SSL_CTX_set_msg_callback_arg(server, (void *)"the server's context");
    agree(client, server);
}

static void finished_messages(int version)
{
    unsigned char one[64] = {0}, other[64] = {0};
    struct ends ends;
    SSL_CTX *client, *server;

    if (!begin("%s, finished messages", version_name(version)))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    ends = make_ends(client, server);
    handshake(&ends);
    SAY_LONG(SSL_get_finished(ends.client, one, sizeof one));
    SAY_LONG(SSL_get_peer_finished(ends.server, other, sizeof other));
    say("client's: %s", memcmp(one, other, sizeof one) == 0 ? "equal" : "not equal");
    SAY_LONG(SSL_get_peer_finished(ends.client, one, sizeof one));
    SAY_LONG(SSL_get_finished(ends.server, other, 5));
    say("server's: %s", memcmp(one, other, 5) == 0 ? "equal" : "not equal");
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void shared_ciphers(void)
{
    char names[500];
    SSL_CTX *client, *server;
    struct ends ends;

    if (!begin("ciphers that both ends know"))
        return;
    client = client_context(TLS1_2_VERSION);
    server = server_context(TLS1_2_VERSION, "server");
    SSL_CTX_set_cipher_list(client, "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256");
    ends = make_ends(client, server);
    handshake(&ends);
    say("%s", SSL_get_shared_ciphers(ends.server, names, sizeof names));
    say("client's: %d", sk_SSL_CIPHER_num(SSL_get_client_ciphers(ends.server)));
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    ciphers();
    shared_ciphers();
    for (int at = 0; at < 2; at++) {
        int version = versions[at];

        preference(version, 0);
        preference(version, 1);
        groups(version);
        certificates(version, "ECDSA+SHA256:RSA-PSS+SHA256");
        certificates(version, "RSA-PSS+SHA256:ECDSA+SHA256");
        certificates(version, "RSA-PSS+SHA256");
        certificates(version, "ECDSA+SHA256");
        hello(version);
        key_log(version, 0);
        key_log(version, 1);
        key_log_after_switch(version);
        temporary_keys(version);
        messages(version);
        finished_messages(version);
    }
    return finish();
}
