/*
 * Settings, and what a connection shows of them: the curve of a temporary key, tickets that a client
 * does not want, server names, labels of exporters, names of CAs that are pushed onto a list, ALPN
 * callbacks without a protocol, and chains from stores.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "harness.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void free_both(SSL_CTX *client, SSL_CTX *server)
{
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    ERR_clear_error();
}

/* --- groups --------------------------------------------------------------------------------- */

static void temporary_curve(int version, int curve, int on_connection, const char *clients)
{
    SSL_CTX *client, *server;
    struct ends ends;
    EC_KEY *key;
    EVP_PKEY *used = NULL;

    if (!begin("%s, temporary key of curve %d, %s, client %s", version_name(version), curve,
               on_connection ? "connection" : "context", clients))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    SSL_CTX_set1_groups_list(client, clients);
    key = EC_KEY_new_by_curve_name(curve);
    if (!on_connection)
        SAY_LONG(SSL_CTX_set_tmp_ecdh(server, key));
    ends = make_ends(client, server);
    if (on_connection)
        SAY_LONG(SSL_set_tmp_ecdh(ends.server, key));
    if (handshake(&ends)) {
        SSL_get_peer_tmp_key(ends.client, &used);
        say("server's key: %d bits", used == NULL ? 0 : EVP_PKEY_get_bits(used));
        EVP_PKEY_free(used);
    }
    EC_KEY_free(key);
    free_ends(&ends);
    free_both(client, server);
}

static void no_temporary_curve(void)
{
    SSL_CTX *server;
    EC_KEY *key;

    if (!begin("a temporary key without a curve"))
        return;
    server = server_context(TLS1_2_VERSION, "server");
    key = EC_KEY_new();
    SAY_LONG(SSL_CTX_set_tmp_ecdh(server, NULL));
    say_errors("NULL");
    SAY_LONG(SSL_CTX_set_tmp_ecdh(server, key));
    say_errors("empty");
    EC_KEY_free(key);
    SSL_CTX_free(server);
}

/* --- tickets -------------------------------------------------------------------------------- */

static void no_ticket(int on_connection)
{
    SSL_CTX *client, *server;
    SSL_SESSION *session = NULL;

    if (!begin("a client of TLS 1.2 without tickets, %s", on_connection ? "connection" : "context"))
        return;
    client = client_context(TLS1_2_VERSION);
    server = server_context(TLS1_2_VERSION, "server");
    SSL_CTX_set_session_cache_mode(server, SSL_SESS_CACHE_OFF);
    if (!on_connection)
        SSL_CTX_set_options(client, SSL_OP_NO_TICKET);
    for (int at = 0; at < 2; at++) {
        struct ends ends = make_ends(client, server);

        if (on_connection)
            SSL_set_options(ends.client, SSL_OP_NO_TICKET);
        if (session != NULL)
            SSL_set_session(ends.client, session);
        handshake(&ends);
        SSL_SESSION_free(session);
        session = SSL_get1_session(ends.client);
        say("reused %d, ticket %d", SSL_session_reused(ends.client), SSL_SESSION_has_ticket(session));
        SSL_shutdown(ends.client);
        free_ends(&ends);
    }
    SSL_SESSION_free(session);
    free_both(client, server);
}

/* --- names ---------------------------------------------------------------------------------- */

static int name_answer;

static int on_name(SSL *ssl, int *alert, void *argument)
{
    (void)alert;
    (void)argument;
    say("callback: %s", SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
    return name_answer;
}

static void server_name(int version, int answer, const char *what, const char *name)
{
    SSL_CTX *client, *server;
    struct ends ends;
    const char *kept;

    if (!begin("%s, server name %s, answer %d", version_name(version), what, answer))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    name_answer = answer;
    SSL_CTX_set_tlsext_servername_callback(server, on_name);
    ends = make_ends(client, server);
    SAY_LONG(SSL_set_tlsext_host_name(ends.client, name));
    say_errors("name");
    handshake(&ends);
    kept = SSL_get_servername(ends.server, TLSEXT_NAMETYPE_host_name);
    say("server's name %s, type %d", kept == NULL ? "NULL" : kept, SSL_get_servername_type(ends.server));
    free_ends(&ends);
    free_both(client, server);
}

/* --- exporters ------------------------------------------------------------------------------ */

static void labels(int version)
{
    static const size_t sizes[] = {1, 248, 249, 250, 255, 256, 500};
    static const char *const names[] = {"client finished", "server finished", "master secret",
                                        "extended master secret", "key expansion", "key expansions",
                                        "key expansio", "EXPORTER-mine"};
    SSL_CTX *client, *server;
    struct ends ends;
    unsigned char out[16];
    char label[500];

    if (!begin("%s, labels of exporters", version_name(version)))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    ends = make_ends(client, server);
    handshake(&ends);
    memset(label, 'a', sizeof label);
    for (size_t at = 0; at < sizeof sizes / sizeof *sizes; at++) {
        say("%zu bytes: %d", sizes[at],
            SSL_export_keying_material(ends.client, out, sizeof out, label, sizes[at], NULL, 0, 0));
        ERR_clear_error();
    }
    for (size_t at = 0; at < sizeof names / sizeof *names; at++) {
        say("%s: %d", names[at],
            SSL_export_keying_material(ends.server, out, sizeof out, names[at], strlen(names[at]),
                                       NULL, 0, 0));
        say_errors("label");
    }
    free_ends(&ends);
    free_both(client, server);
}

/* --- names of CAs --------------------------------------------------------------------------- */

static void pushed(int version, int on_connection)
{
    SSL_CTX *client, *server;

    if (!begin("%s, names pushed onto the list of a %s", version_name(version),
               on_connection ? "connection" : "context"))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    SSL_CTX_set_verify(server, SSL_VERIFY_PEER, NULL);
    /* Before, after the first connection, and after the second. */
    for (int at = 0; at < 3; at++) {
        struct ends ends = make_ends(client, server);
        STACK_OF(X509_NAME) *list = SSL_CTX_get_client_CA_list(server);

        if (on_connection) {
            SSL_set_client_CA_list(ends.server, sk_X509_NAME_new_null());
            list = SSL_get_client_CA_list(ends.server);
        }
        if (at > 0)
            SAY_LONG(SSL_add_file_cert_subjects_to_stack(
                list, path_of(at == 1 ? "server" : "other", at == 1 ? "root.pem" : "chain.pem")));
        handshake(&ends);
        say("names %d", sk_X509_NAME_num(SSL_get_client_CA_list(ends.client)));
        free_ends(&ends);
    }
    free_both(client, server);
}

/* --- ALPN ----------------------------------------------------------------------------------- */

static int alpn_kind;

static int select_nothing(SSL *ssl, const unsigned char **out, unsigned char *length,
                          const unsigned char *in, unsigned int size, void *argument)
{
    (void)ssl;
    (void)size;
    (void)argument;
    *out = alpn_kind == 0 ? in : NULL;
    *length = 0;
    return alpn_kind == 2 ? SSL_TLSEXT_ERR_NOACK : SSL_TLSEXT_ERR_OK;
}

static void without_protocol(int version, int kind)
{
    static const unsigned char protocols[] = "\x02h2";
    SSL_CTX *client, *server;
    struct ends ends;

    if (!begin("%s, ALPN callback without a protocol, %d", version_name(version), kind))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    alpn_kind = kind;
    SSL_CTX_set_alpn_select_cb(server, select_nothing, NULL);
    SSL_CTX_set_alpn_protos(client, protocols, 3);
    ends = make_ends(client, server);
    for (int at = 0; at < 20; at++) {
        SSL_do_handshake(ends.client);
        SSL_do_handshake(ends.server);
    }
    say("finished %d %d", SSL_is_init_finished(ends.client), SSL_is_init_finished(ends.server));
    free_ends(&ends);
    free_both(client, server);
}

static int first_protocol(SSL *ssl, const unsigned char **out, unsigned char *length,
                          const unsigned char *in, unsigned int size, void *argument)
{
    (void)ssl;
    (void)argument;
    say("offered %u bytes", size);
    *out = in + 1;
    *length = in[0];
    return SSL_TLSEXT_ERR_OK;
}

static void removed_protocols(int version)
{
    static const unsigned char protocols[] = "\x02h2";
    SSL_CTX *client, *server;

    if (!begin("%s, the list of protocols is removed", version_name(version)))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    SSL_CTX_set_alpn_select_cb(server, first_protocol, NULL);
    SAY_LONG(SSL_CTX_set_alpn_protos(client, protocols, 3));
    for (int at = 0; at < 4; at++) {
        struct ends ends = make_ends(client, server);
        const unsigned char *chosen;
        unsigned int length;

        if (at == 1)
            SAY_LONG(SSL_set_alpn_protos(ends.client, NULL, 3));
        if (at == 2)
            SAY_LONG(SSL_set_alpn_protos(ends.client, protocols, 0));
        if (at == 3)
            SAY_LONG(SSL_set_alpn_protos(ends.client, NULL, 0));
        handshake(&ends);
        SSL_get0_alpn_selected(ends.client, &chosen, &length);
        say("selected %u bytes", length);
        free_ends(&ends);
    }
    SAY_LONG(SSL_CTX_set_alpn_protos(client, NULL, 3));
    connect_once(client, server);
    free_both(client, server);
}

/* --- chains --------------------------------------------------------------------------------- */

/* The certificates of a file, the first one first. */
static STACK_OF(X509) *certificates_of(const char *who, const char *name)
{
    STACK_OF(X509) *all = sk_X509_new_null();
    BIO *file = BIO_new_file(path_of(who, name), "r");
    X509 *next;

    while ((next = PEM_read_bio_X509(file, NULL, NULL, NULL)) != NULL)
        sk_X509_push(all, next);
    ERR_clear_error();
    BIO_free(file);
    return all;
}

/* The issuers in the file of `server`. */
static X509_STORE *issuers(void)
{
    STACK_OF(X509) *chain = certificates_of("server", "chain.pem");
    STACK_OF(X509) *root = certificates_of("server", "root.pem");
    X509_STORE *store = X509_STORE_new();

    for (int at = 1; at < sk_X509_num(chain); at++)
        X509_STORE_add_cert(store, sk_X509_value(chain, at));
    X509_STORE_add_cert(store, sk_X509_value(root, 0));
    sk_X509_pop_free(chain, X509_free);
    sk_X509_pop_free(root, X509_free);
    return store;
}

/* A server with its certificate and key, and no chain. */
static SSL_CTX *alone(int version)
{
    SSL_CTX *context = server_context(version, "server");

    if (SSL_CTX_clear_chain_certs(context) != 1)
        broken("a chain");
    return context;
}

static void say_chain(SSL_CTX *client, SSL_CTX *server)
{
    struct ends ends = make_ends(client, server);
    STACK_OF(X509) *chain;

    handshake(&ends);
    chain = SSL_get_peer_cert_chain(ends.client);
    say("sent %d", chain == NULL ? -1 : sk_X509_num(chain));
    free_ends(&ends);
}

static void chain_from_store(int version, int kind)
{
    static const char *const kinds[] = {"trusted store", "no auto chain", "chain store", "empty chain",
                                        "extra chain"};
    SSL_CTX *client, *server;
    X509_STORE *store, *got = NULL;

    if (!begin("%s, no chain, %s", version_name(version), kinds[kind]))
        return;
    client = client_context(version);
    SSL_CTX_set_verify(client, SSL_VERIFY_NONE, NULL);
    server = alone(version);
    store = issuers();
    if (kind == 2) {
        SAY_LONG(SSL_CTX_set1_chain_cert_store(server, store));
        SAY_LONG(SSL_CTX_get0_chain_cert_store(server, &got));
        SAY_LONG(got == store);
        X509_STORE_free(store);
    } else {
        SSL_CTX_set_cert_store(server, store);
    }
    if (kind == 1)
        SSL_CTX_set_mode(server, SSL_MODE_NO_AUTO_CHAIN);
    if (kind == 3) {
        STACK_OF(X509) *empty = sk_X509_new_null();

        SAY_LONG(SSL_CTX_set1_chain(server, empty));
        sk_X509_free(empty);
    }
    if (kind == 4) {
        STACK_OF(X509) *root = certificates_of("server", "root.pem");

        SAY_LONG(SSL_CTX_add_extra_chain_cert(server, sk_X509_shift(root)));
        sk_X509_pop_free(root, X509_free);
    }
    say_chain(client, server);
    say_chain(client, server);
    free_both(client, server);
}

static void client_chain(int version)
{
    SSL_CTX *client, *server;
    struct ends ends;
    STACK_OF(X509) *chain;

    if (!begin("%s, a client's chain from the trusted store", version_name(version)))
        return;
    client = client_context(version);
    use_certificate(client, "client");
    SAY_LONG(SSL_CTX_clear_chain_certs(client));
    SSL_CTX_set_cert_store(client, issuers());
    server = server_context(version, "server");
    SSL_CTX_load_verify_locations(server, path_of("server", "root.pem"), NULL);
    SSL_CTX_set_verify(server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    ends = make_ends(client, server);
    handshake(&ends);
    chain = SSL_get_peer_cert_chain(ends.server);
    say("sent %d besides", chain == NULL ? -1 : sk_X509_num(chain));
    free_ends(&ends);
    free_both(client, server);
}

static void build(const char *what, int with_store, int flags, int on_connection)
{
    SSL_CTX *client, *server;
    SSL *ssl;
    STACK_OF(X509) *chain = NULL;

    if (!begin("a chain is built: %s, %s", what, on_connection ? "connection" : "context"))
        return;
    client = client_context(TLS1_3_VERSION);
    SSL_CTX_set_verify(client, SSL_VERIFY_NONE, NULL);
    server = with_store ? alone(TLS1_3_VERSION) : server_context(TLS1_3_VERSION, "server");
    if (with_store)
        SSL_CTX_set_cert_store(server, issuers());
    ssl = SSL_new(server);
    if (on_connection) {
        SAY_LONG(SSL_build_cert_chain(ssl, flags));
        say_errors("build");
        SSL_get0_chain_certs(ssl, &chain);
    } else {
        SAY_LONG(SSL_CTX_build_cert_chain(server, flags));
        say_errors("build");
        SSL_CTX_get0_chain_certs(server, &chain);
    }
    say("chain %d", chain == NULL ? -1 : sk_X509_num(chain));
    SSL_free(ssl);
    say_chain(client, server);
    free_both(client, server);
}

static void build_nothing(void)
{
    SSL_CTX *context;

    if (!begin("a chain of no certificate is built"))
        return;
    context = SSL_CTX_new(TLS_server_method());
    SAY_LONG(SSL_CTX_build_cert_chain(context, 0));
    say_errors("build");
    SSL_CTX_free(context);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    no_temporary_curve();
    for (int on_connection = 0; on_connection < 2; on_connection++)
        no_ticket(on_connection);
    for (size_t at = 0; at < sizeof versions / sizeof *versions; at++) {
        int version = versions[at];

        temporary_curve(version, NID_secp384r1, 0, "X25519:P-256:P-384");
        temporary_curve(version, NID_X9_62_prime256v1, 1, "X25519:P-256:P-384");
        temporary_curve(version, NID_secp384r1, 1, "X25519:P-256");
        for (int answer = SSL_TLSEXT_ERR_OK; answer <= SSL_TLSEXT_ERR_NOACK; answer += 3)
            server_name(version, answer, "one.test", "one.test");
        labels(version);
        pushed(version, 0);
        pushed(version, 1);
        for (int kind = 0; kind < 3; kind++)
            without_protocol(version, kind);
        removed_protocols(version);
        for (int kind = 0; kind < 5; kind++)
            chain_from_store(version, kind);
        client_chain(version);
    }
    for (int on_connection = 0; on_connection < 2; on_connection++) {
        build("from the store", 1, 0, on_connection);
        build("without the root", 1, SSL_BUILD_CHAIN_FLAG_NO_ROOT, on_connection);
        build("no issuer", 0, 0, on_connection);
        build("no issuer, ignored", 0, SSL_BUILD_CHAIN_FLAG_IGNORE_ERROR, on_connection);
        build("no issuer, ignored and cleared", 0,
              SSL_BUILD_CHAIN_FLAG_IGNORE_ERROR | SSL_BUILD_CHAIN_FLAG_CLEAR_ERROR, on_connection);
        build("untrusted", 0, SSL_BUILD_CHAIN_FLAG_UNTRUSTED | SSL_BUILD_CHAIN_FLAG_IGNORE_ERROR,
              on_connection);
        build("check", 0, SSL_BUILD_CHAIN_FLAG_CHECK, on_connection);
    }
    build_nothing();
    return finish();
}
