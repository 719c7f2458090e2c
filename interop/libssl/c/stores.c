/*
 * Where trust comes from, and certificates in every form: stores and parameters of contexts and
 * connections, and what a handshake shows of them.
 */
#include "harness.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

static const char *root(void)
{
    return path_of("server", "root.pem");
}

static X509 *certificate_of(const char *who, const char *name)
{
    BIO *file = BIO_new_file(path_of(who, name), "r");
    X509 *certificate = PEM_read_bio_X509(file, NULL, NULL, NULL);

    if (certificate == NULL)
        broken("a certificate");
    BIO_free(file);
    return certificate;
}

static EVP_PKEY *key_of(const char *who)
{
    BIO *file = BIO_new_file(path_of(who, "key.pem"), "r");
    EVP_PKEY *key = PEM_read_bio_PrivateKey(file, NULL, NULL, NULL);

    if (key == NULL)
        broken("a key");
    BIO_free(file);
    return key;
}

static X509_STORE *store_of(const char *who)
{
    X509_STORE *store = X509_STORE_new();
    X509 *certificate = certificate_of(who, "root.pem");

    X509_STORE_add_cert(store, certificate);
    X509_free(certificate);
    return store;
}

/* A client that trusts no one yet. */
static SSL_CTX *trusting_no_one(int version)
{
    SSL_CTX *context = client_context(version);

    SSL_CTX_set_cert_store(context, X509_STORE_new());
    return context;
}

static void connect_to_server(SSL_CTX *client, int version)
{
    SSL_CTX *server = server_context(version, "server");

    say("connected %d", connect_once(client, server));
    SSL_CTX_free(server);
}

static void loaded(int version, int how)
{
    static const char *const hows[] = {"nothing", "a file", "a directory", "a store", "no such file",
                                       "a store of another context", "defaults"};
    SSL_CTX *client;

    if (!begin("%s, trust from %s", version_name(version), hows[how]))
        return;
    client = trusting_no_one(version);
    switch (how) {
    case 1:
        SAY_LONG(SSL_CTX_load_verify_file(client, root()));
        break;
    case 2:
        SAY_LONG(SSL_CTX_load_verify_dir(client, "/nowhere"));
        break;
    case 3:
        SAY_LONG(SSL_CTX_load_verify_store(client, root()));
        break;
    case 4:
        SAY_LONG(SSL_CTX_load_verify_file(client, "/nowhere"));
        SAY_LONG(SSL_CTX_load_verify_store(client, "/nowhere"));
        break;
    case 5: {
        X509_STORE *store = store_of("server");

        SSL_CTX_set1_cert_store(client, store);
        SAY_LONG(SSL_CTX_get_cert_store(client) == store);
        X509_STORE_free(store);
        break;
    }
    case 6:
        SAY_LONG(SSL_CTX_set_default_verify_file(client));
        SAY_LONG(SSL_CTX_set_default_verify_dir(client));
        SAY_LONG(SSL_CTX_set_default_verify_store(client));
        break;
    default:
        break;
    }
    ERR_clear_error();
    connect_to_server(client, version);
    SSL_CTX_free(client);
}

/* A store for verification beside that of the context: of the context, and of one connection. */
static void verify_store(int version, int on_connection, int copied)
{
    SSL_CTX *client, *server;
    struct ends ends;
    X509_STORE *store, *got = NULL;

    if (!begin("%s, a store to verify with, %s, %s", version_name(version),
               on_connection ? "connection" : "context", copied ? "shared" : "given away"))
        return;
    client = trusting_no_one(version);
    server = server_context(version, "server");
    store = store_of("server");
    if (!on_connection) {
        if (copied)
            SAY_LONG(SSL_CTX_set1_verify_cert_store(client, store));
        else
            SAY_LONG(SSL_CTX_set0_verify_cert_store(client, store));
        SAY_LONG(SSL_CTX_get0_verify_cert_store(client, &got));
    }
    ends = make_ends(client, server);
    if (on_connection) {
        if (copied)
            SAY_LONG(SSL_set1_verify_cert_store(ends.client, store));
        else
            SAY_LONG(SSL_set0_verify_cert_store(ends.client, store));
        SAY_LONG(SSL_get0_verify_cert_store(ends.client, &got));
    }
    SAY_LONG(got == store);
    if (copied)
        X509_STORE_free(store);
    handshake(&ends);
    free_ends(&ends);
    /* Another connection has the context's. */
    connect_to_server(client, version);
    SSL_CTX_set1_verify_cert_store(client, NULL);
    connect_to_server(client, version);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void parameters(int version, const char *host, int on_connection)
{
    SSL_CTX *client, *server;
    struct ends ends;
    X509_VERIFY_PARAM *wanted;

    if (!begin("%s, parameters for %s, %s", version_name(version), host,
               on_connection ? "connection" : "context"))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    wanted = X509_VERIFY_PARAM_new();
    X509_VERIFY_PARAM_set1_host(wanted, host, 0);
    if (!on_connection)
        SAY_LONG(SSL_CTX_set1_param(client, wanted));
    ends = make_ends(client, server);
    if (on_connection)
        SAY_LONG(SSL_set1_param(ends.client, wanted));
    X509_VERIFY_PARAM_free(wanted);
    handshake(&ends);
    say("verify result %ld", SSL_get_verify_result(ends.client));
    free_ends(&ends);
    connect_to_server(client, version);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void say_name(const char *what, X509 *certificate)
{
    char name[100] = "none";

    if (certificate != NULL)
        X509_NAME_oneline(X509_get_subject_name(certificate), name, sizeof name);
    say("%s: %s", what, name);
}

static void forms(int version)
{
    SSL_CTX *client, *server;
    struct ends ends;
    X509 *certificate;
    EVP_PKEY *key;
    unsigned char *der = NULL;
    int length;

    if (!begin("%s, a certificate in DER and in a file", version_name(version)))
        return;
    client = client_context(version);
    server = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_info_callback(server, say_alerts);
    certificate = certificate_of("server", "chain.pem");
    key = key_of("server");
    length = i2d_X509(certificate, &der);
    SAY_LONG(SSL_CTX_use_certificate_ASN1(server, length, der));
    SAY_LONG(SSL_CTX_use_certificate_ASN1(server, length - 1, der));
    ERR_clear_error();
    SAY_LONG(SSL_CTX_use_PrivateKey(server, key));
    say_name("context", SSL_CTX_get0_certificate(server));
    connect_once(client, server);
    ends = make_ends(client, server);
    SAY_LONG(SSL_use_certificate_chain_file(ends.server, path_of("other", "chain.pem")));
    SAY_LONG(SSL_use_PrivateKey_file(ends.server, path_of("other", "key.pem"), SSL_FILETYPE_PEM));
    say_name("connection, file", SSL_get_certificate(ends.server));
    SSL_certs_clear(ends.server);
    say_name("connection, cleared", SSL_get_certificate(ends.server));
    SAY_LONG(SSL_use_certificate_ASN1(ends.server, der, length));
    SAY_LONG(SSL_use_PrivateKey(ends.server, key));
    say_name("connection, DER", SSL_get_certificate(ends.server));
    SAY_LONG(SSL_use_certificate_chain_file(ends.server, "/nowhere"));
    ERR_clear_error();
    handshake(&ends);
    say_name("client sees", SSL_get0_peer_certificate(ends.client));
    free_ends(&ends);
    OPENSSL_free(der);
    X509_free(certificate);
    EVP_PKEY_free(key);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void current(int on_connection)
{
    SSL_CTX *context;
    SSL *ssl;
    X509 *rsa, *stranger;

    if (!begin("the current certificate of a %s", on_connection ? "connection" : "context"))
        return;
    context = server_context(TLS1_2_VERSION, "server");
    use_certificate(context, "rsa");
    ssl = SSL_new(context);
    rsa = certificate_of("rsa", "chain.pem");
    stranger = certificate_of("stranger", "chain.pem");
    if (on_connection) {
        SAY_LONG(SSL_set_current_cert(ssl, SSL_CERT_SET_FIRST));
        say_name("first", SSL_get_certificate(ssl));
        SAY_LONG(SSL_set_current_cert(ssl, SSL_CERT_SET_NEXT));
        say_name("next", SSL_get_certificate(ssl));
        SAY_LONG(SSL_set_current_cert(ssl, SSL_CERT_SET_NEXT));
        SAY_LONG(SSL_select_current_cert(ssl, rsa));
        say_name("selected", SSL_get_certificate(ssl));
        SAY_LONG(SSL_select_current_cert(ssl, stranger));
    } else {
        SAY_LONG(SSL_CTX_set_current_cert(context, SSL_CERT_SET_FIRST));
        say_name("first", SSL_CTX_get0_certificate(context));
        SAY_LONG(SSL_CTX_set_current_cert(context, SSL_CERT_SET_NEXT));
        say_name("next", SSL_CTX_get0_certificate(context));
        SAY_LONG(SSL_CTX_set_current_cert(context, SSL_CERT_SET_NEXT));
        SAY_LONG(SSL_CTX_select_current_cert(context, rsa));
        say_name("selected", SSL_CTX_get0_certificate(context));
        SAY_LONG(SSL_CTX_select_current_cert(context, stranger));
    }
    ERR_clear_error();
    X509_free(rsa);
    X509_free(stranger);
    SSL_free(ssl);
    SSL_CTX_free(context);
}

static void extra_chain(void)
{
    SSL_CTX *client, *server;
    STACK_OF(X509) *chain = NULL;

    if (!begin("the extra chain"))
        return;
    client = client_context(TLS1_3_VERSION);
    server = server_context(TLS1_3_VERSION, "server");
    SAY_LONG(SSL_CTX_get_extra_chain_certs_only(server, &chain));
    say("only %d", chain == NULL ? -1 : sk_X509_num(chain));
    SAY_LONG(SSL_CTX_get_extra_chain_certs(server, &chain));
    say("of the certificate %d", chain == NULL ? -1 : sk_X509_num(chain));
    SAY_LONG(SSL_CTX_clear_chain_certs(server));
    SAY_LONG(SSL_CTX_add_extra_chain_cert(server, certificate_of("server", "root.pem")));
    SAY_LONG(SSL_CTX_get_extra_chain_certs_only(server, &chain));
    say("only %d", chain == NULL ? -1 : sk_X509_num(chain));
    connect_once(client, server);
    SAY_LONG(SSL_CTX_clear_extra_chain_certs(server));
    SAY_LONG(SSL_CTX_get_extra_chain_certs_only(server, &chain));
    say("only %d", chain == NULL ? -1 : sk_X509_num(chain));
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        for (int how = 0; how < 7; how++)
            loaded(version, how);
        for (int on_connection = 0; on_connection < 2; on_connection++) {
            for (int copied = 0; copied < 2; copied++)
                verify_store(version, on_connection, copied);
            parameters(version, "server.test", on_connection);
            parameters(version, "wrong.test", on_connection);
        }
        forms(version);
    }
    current(0);
    current(1);
    extra_chain();
    return finish();
}
