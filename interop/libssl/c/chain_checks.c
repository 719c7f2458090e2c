/*
 * SSL_check_chain: whether a certificate, its key and its chain can be used in the handshake at
 * hand. Asked before, in the certificate callback of a server, and afterwards.
 */
#include "harness.h"

#include <openssl/pem.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

struct identity {
    X509 *own;
    EVP_PKEY *key;
    STACK_OF(X509) *chain;
};

static struct identity read_identity(const char *who)
{
    struct identity identity = {NULL, NULL, sk_X509_new_null()};
    BIO *file = BIO_new_file(path_of(who, "chain.pem"), "r");
    X509 *next;

    identity.own = PEM_read_bio_X509(file, NULL, NULL, NULL);
    while ((next = PEM_read_bio_X509(file, NULL, NULL, NULL)) != NULL)
        sk_X509_push(identity.chain, next);
    ERR_clear_error();
    BIO_free(file);
    file = BIO_new_file(path_of(who, "key.pem"), "r");
    identity.key = PEM_read_bio_PrivateKey(file, NULL, NULL, NULL);
    BIO_free(file);
    if (identity.own == NULL || identity.key == NULL)
        broken("a certificate, a key and a chain");
    return identity;
}

static void free_identity(struct identity *identity)
{
    X509_free(identity->own);
    EVP_PKEY_free(identity->key);
    sk_X509_pop_free(identity->chain, X509_free);
}

static void say_check(SSL *ssl, const char *who, const char *when)
{
    static const struct {
        int flag;
        const char *name;
    } names[] = {
        {CERT_PKEY_VALID, "valid"},
        {CERT_PKEY_SIGN, "sign"},
        {CERT_PKEY_EE_SIGNATURE, "own signature"},
        {CERT_PKEY_CA_SIGNATURE, "CA signatures"},
        {CERT_PKEY_EE_PARAM, "own parameters"},
        {CERT_PKEY_CA_PARAM, "CA parameters"},
        {CERT_PKEY_EXPLICIT_SIGN, "explicit sign"},
        {CERT_PKEY_ISSUER_NAME, "issuer"},
        {CERT_PKEY_CERT_TYPE, "type"},
    };
    struct identity identity = read_identity(who);
    int flags = SSL_check_chain(ssl, identity.own, identity.key, identity.chain);

    say("%s, %s: %s %x", side(ssl), when, who, (unsigned)flags);
    for (size_t at = 0; at < sizeof names / sizeof *names; at++)
        if (flags & names[at].flag)
            say("  %s", names[at].name);
    free_identity(&identity);
}

static void say_checks(SSL *ssl, const char *when)
{
    say_check(ssl, "server", when);
    say_check(ssl, "rsa", when);
}

static void nothing(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    SSL *ssl = SSL_new(context);
    struct identity identity = read_identity("server");

    SAY_LONG(SSL_check_chain(ssl, NULL, NULL, NULL));
    SAY_LONG(SSL_check_chain(ssl, identity.own, NULL, NULL));
    SAY_LONG(SSL_check_chain(ssl, NULL, identity.key, identity.chain));
    free_identity(&identity);
    SSL_free(ssl);
    SSL_CTX_free(context);
}

static int on_certificate(SSL *ssl, void *argument)
{
    (void)argument;
    say_checks(ssl, "in the callback");
    return 1;
}

static void asked(int version, const char *title, const char *schemes, const char *groups)
{
    SSL_CTX *client, *server;
    struct ends ends;

    if (!begin("%s, %s", version_name(version), title))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    use_certificate(server, "rsa");
    SSL_CTX_set_cert_cb(server, on_certificate, NULL);
    if (schemes != NULL && SSL_CTX_set1_sigalgs_list(client, schemes) != 1)
        broken("schemes");
    if (groups != NULL && SSL_CTX_set1_groups_list(client, groups) != 1)
        broken("groups");
    ends = make_ends(client, server);
    handshake(&ends);
    say_checks(ends.server, "afterwards");
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void by_the_server(int version, const char *title, const char *schemes)
{
    SSL_CTX *client, *server;

    if (!begin("%s, the server's own schemes, %s", version_name(version), title))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    use_certificate(server, "rsa");
    SSL_CTX_set_cert_cb(server, on_certificate, NULL);
    if (SSL_CTX_set1_sigalgs_list(server, schemes) != 1)
        broken("schemes");
    connect_once(client, server);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

/* A client that is asked for a certificate, by a server that names CAs. */
static void by_a_client(int version, const char *title, const char *schemes, const char *root)
{
    SSL_CTX *client, *server;

    if (!begin("%s, a client, %s", version_name(version), title))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    use_certificate(client, "client");
    SSL_CTX_set_cert_cb(client, on_certificate, NULL);
    SSL_CTX_set_verify(server, SSL_VERIFY_PEER, NULL);
    if (schemes != NULL && SSL_CTX_set1_client_sigalgs_list(server, schemes) != 1)
        broken("schemes");
    if (root != NULL)
        SSL_CTX_set_client_CA_list(server, SSL_load_client_CA_file(path_of(root, "root.pem")));
    if (SSL_CTX_load_verify_locations(server, path_of("server", "root.pem"), NULL) != 1)
        broken("a root");
    connect_once(client, server);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    if (begin("without a certificate or a key"))
        nothing();
    for (int at = 0; at < 2; at++) {
        asked(versions[at], "all schemes", NULL, NULL);
        asked(versions[at], "schemes for ECDSA", "ECDSA+SHA256:ECDSA+SHA384", NULL);
        asked(versions[at], "schemes for RSA",
              "rsa_pss_rsae_sha256:RSA+SHA256:rsa_pss_rsae_sha384", NULL);
        asked(versions[at], "schemes of another hash", "ECDSA+SHA384:rsa_pss_rsae_sha512", NULL);
        asked(versions[at], "another group", NULL, "X25519");
        by_the_server(versions[at], "RSA", "rsa_pss_rsae_sha256:RSA+SHA256");
        by_the_server(versions[at], "ECDSA", "ECDSA+SHA256");
        by_a_client(versions[at], "any CA", NULL, NULL);
        by_a_client(versions[at], "its CA", NULL, "server");
        by_a_client(versions[at], "another CA", NULL, "stranger");
        by_a_client(versions[at], "another hash for ECDSA",
                    "rsa_pss_rsae_sha256:RSA+SHA256:ECDSA+SHA384", "server");
    }
    return finish();
}
