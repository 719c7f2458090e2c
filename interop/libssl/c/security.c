/*
 * What is secure enough: the levels of the default callback, and callbacks of the program's own
 * that decide about versions, suites, groups, signatures and certificates.
 */
#include "harness.h"

#include <openssl/objects.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

typedef int (*decider)(const SSL *, const SSL_CTX *, int, int, int, void *, void *);

/* --- the default -------------------------------------------------------------------------------- */

/* Its answers at the levels 0 to 5. */
static void say_levels(const char *what, int op, int bits, int nid, void *other)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    SSL *ssl = SSL_new(context);
    decider decide = SSL_CTX_get_security_callback(context);
    char of_context[8] = "", of_connection[8] = "";

    for (int level = 0; level <= 5; level++) {
        SSL_CTX_set_security_level(context, level);
        SSL_set_security_level(ssl, level);
        /* About versions connections are asked only. */
        if (op != SSL_SECOP_VERSION)
            of_context[level] = decide(NULL, context, op, bits, nid, other, NULL) ? '1' : '0';
        of_connection[level] = decide(ssl, NULL, op, bits, nid, other, NULL) ? '1' : '0';
    }
    say("%s, %d bits: %s and %s", what, bits, of_context, of_connection);
    SSL_free(ssl);
    SSL_CTX_free(context);
}

static void defaults(void)
{
    static const int bits[] = {-1, 0, 64, 79, 80, 111, 112, 127, 128, 191, 192, 255, 256};
    static const int all_versions[] = {SSL3_VERSION, TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION,
                                       TLS1_3_VERSION};
    static const char *const names[] = {"ECDHE-RSA-AES128-GCM-SHA256",
                                        "ECDHE-ECDSA-AES256-GCM-SHA384",
                                        "ECDHE-RSA-CHACHA20-POLY1305"};
    unsigned char two[2] = {4, 3};
    SSL_CTX *context = SSL_CTX_new(TLS_method());

    for (size_t at = 0; at < sizeof bits / sizeof *bits; at++) {
        say_levels("a group", SSL_SECOP_CURVE_SUPPORTED, bits[at], NID_X9_62_prime256v1, two);
        say_levels("a signature", SSL_SECOP_SIGALG_CHECK, bits[at], NID_sha256, two);
        say_levels("Diffie-Hellman", SSL_SECOP_TMP_DH, bits[at], 0, NULL);
        say_levels("a key", SSL_SECOP_EE_KEY, bits[at], 0, NULL);
        say_levels("another's digest", SSL_SECOP_CA_MD | SSL_SECOP_PEER, bits[at], NID_sha1, NULL);
        say_levels("compression", SSL_SECOP_COMPRESSION, bits[at], 0, NULL);
        say_levels("a ticket", SSL_SECOP_TICKET, bits[at], 0, NULL);
        say_levels("something unknown", 4711, bits[at], 0, NULL);
    }
    for (size_t at = 0; at < sizeof all_versions / sizeof *all_versions; at++)
        say_levels("a version", SSL_SECOP_VERSION, 0, all_versions[at], NULL);
    for (size_t at = 0; at < sizeof names / sizeof *names; at++) {
        STACK_OF(SSL_CIPHER) *ciphers;

        if (SSL_CTX_set_cipher_list(context, names[at]) != 1)
            broken("a suite");
        ciphers = SSL_CTX_get_ciphers(context);
        for (int n = 0; n < sk_SSL_CIPHER_num(ciphers); n++) {
            SSL_CIPHER *cipher = (SSL_CIPHER *)sk_SSL_CIPHER_value(ciphers, n);

            say_levels(SSL_CIPHER_get_name(cipher), SSL_SECOP_CIPHER_SUPPORTED,
                       SSL_CIPHER_get_bits(cipher, NULL), 0, cipher);
            say_levels(SSL_CIPHER_get_name(cipher), SSL_SECOP_CIPHER_CHECK, 100, 0, cipher);
        }
    }
    SSL_CTX_free(context);
}

/* --- setters and getters ------------------------------------------------------------------------- */

static int allow(const SSL *ssl, const SSL_CTX *context, int op, int bits, int nid, void *other,
                 void *data)
{
    (void)ssl, (void)context, (void)op, (void)bits, (void)nid, (void)other, (void)data;
    return 1;
}

static void accessors(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method()), *second = SSL_CTX_new(TLS_method());
    SSL *before = SSL_new(context), *after, *copy;

    SAY_LONG(SSL_CTX_get_security_callback(context) != NULL);
    SAY_LONG(SSL_get_security_callback(before) == SSL_CTX_get_security_callback(context));
    SAY_PRESENT(SSL_CTX_get0_security_ex_data(context));
    SAY_PRESENT(SSL_get0_security_ex_data(before));
    SSL_CTX_set_security_callback(context, allow);
    SSL_CTX_set0_security_ex_data(context, (void *)"of the context");
    SAY_LONG(SSL_CTX_get_security_callback(context) == allow);
    say("%s", (char *)SSL_CTX_get0_security_ex_data(context));
    SAY_LONG(SSL_get_security_callback(before) == allow);
    after = SSL_new(context);
    SAY_LONG(SSL_get_security_callback(after) == allow);
    say("%s", (char *)SSL_get0_security_ex_data(after));
    SSL_set_security_callback(after, SSL_get_security_callback(before));
    SSL_set0_security_ex_data(after, (void *)"of the connection");
    SAY_LONG(SSL_get_security_callback(after) == allow);
    say("%s", (char *)SSL_get0_security_ex_data(after));
    say("%s", (char *)SSL_CTX_get0_security_ex_data(context));
    copy = SSL_dup(after);
    say("%s", (char *)SSL_get0_security_ex_data(copy));
    SSL_CTX_set_security_level(second, 4);
    SSL_CTX_set0_security_ex_data(second, (void *)"of another context");
    SSL_set_SSL_CTX(after, second);
    SAY_LONG(SSL_get_security_callback(after) == SSL_CTX_get_security_callback(second));
    say("%s", (char *)SSL_get0_security_ex_data(after));
    SAY_LONG(SSL_get_security_level(after));
    SSL_free(copy);
    SSL_free(before);
    SSL_free(after);
    SSL_CTX_free(context);
    SSL_CTX_free(second);
}

/* --- handshakes --------------------------------------------------------------------------------- */

/* What a callback of this program refuses, and what it was asked about. */
struct plan {
    const char *title;
    int version;
    const char *suite;
    int group;
    int digest;
    int everything;
};

static const struct plan *plan;
static int asked_version, asked_suite, asked_group, asked_scheme;

static int decide(const SSL *ssl, const SSL_CTX *context, int op, int bits, int nid, void *other,
                  void *data)
{
    if ((ssl == NULL) == (context == NULL) || strcmp(data, "data") != 0)
        say("wrong arguments");
    switch (op) {
    case SSL_SECOP_VERSION:
        asked_version = 1;
        return !plan->everything && nid != plan->version;
    case SSL_SECOP_CIPHER_SUPPORTED:
    case SSL_SECOP_CIPHER_SHARED:
    case SSL_SECOP_CIPHER_CHECK:
        asked_suite = bits >= 128;
        return plan->suite == NULL || strcmp(SSL_CIPHER_get_name(other), plan->suite) != 0;
    case SSL_SECOP_CURVE_SUPPORTED:
    case SSL_SECOP_CURVE_SHARED:
    case SSL_SECOP_CURVE_CHECK:
        asked_group = bits >= 80 && other != NULL;
        return nid != plan->group;
    case SSL_SECOP_SIGALG_SUPPORTED:
    case SSL_SECOP_SIGALG_SHARED:
    case SSL_SECOP_SIGALG_CHECK:
    case SSL_SECOP_SIGALG_MASK:
        asked_scheme = other != NULL;
        return nid != plan->digest;
    }
    return 1;
}

static const struct plan plans[] = {
    {"nothing", 0, NULL, 0, -1, 0},
    {"TLS 1.3", TLS1_3_VERSION, NULL, 0, -1, 0},
    {"the first suite", 0, "TLS_AES_256_GCM_SHA384", 0, -1, 0},
    {"the first group", 0, NULL, NID_X25519, -1, 0},
    {"the server's digest", 0, NULL, 0, NID_sha256, 0},
    {"every version", 0, NULL, 0, -1, 1},
};

static void refuses(int of_server, const struct plan *of)
{
    SSL_CTX *contexts[2];
    struct ends ends;

    if (!begin("a %s refuses %s", of_server ? "server" : "client", of->title))
        return;
    plan = of;
    asked_version = asked_suite = asked_group = asked_scheme = 0;
    contexts[0] = client_context(TLS1_3_VERSION);
    contexts[1] = server_context(TLS1_3_VERSION, "server");
    for (int at = 0; at < 2; at++) {
        SSL_CTX_set_min_proto_version(contexts[at], TLS1_2_VERSION);
        if (at == of_server) {
            SSL_CTX_set_security_level(contexts[at], 0);
            SSL_CTX_set_security_callback(contexts[at], decide);
            SSL_CTX_set0_security_ex_data(contexts[at], (void *)"data");
        }
        SSL_CTX_set1_groups_list(contexts[at], "X25519:P-256");
    }
    ends = make_ends(contexts[0], contexts[1]);
    if (handshake(&ends)) {
        say("%s, %s, group %d", SSL_get_version(ends.client), SSL_get_cipher_name(ends.client),
            (int)SSL_get_negotiated_group(ends.client));
        say("asked: version %d, suite %d, group %d, signature %d", asked_version, asked_suite,
            asked_group, asked_scheme);
    }
    free_ends(&ends);
    SSL_CTX_free(contexts[0]);
    SSL_CTX_free(contexts[1]);
}

/* --- certificates ------------------------------------------------------------------------------- */

static int refused_op;

static int judge(const SSL *ssl, const SSL_CTX *context, int op, int bits, int nid, void *other,
                 void *data)
{
    (void)ssl, (void)context, (void)data;
    if (op == SSL_SECOP_EE_KEY || op == SSL_SECOP_CA_KEY || op == SSL_SECOP_CA_MD)
        say("asked: %s, %d bits, %s, %s", op == SSL_SECOP_CA_MD ? "digest" : "key", bits,
            nid == 0 ? "none" : OBJ_nid2sn(nid), other != NULL ? "a certificate" : "NULL");
    return op != refused_op;
}

static void say_certificates(SSL_CTX *context, const char *who)
{
    SSL *ssl = SSL_new(context);

    say("%s: %d", who,
        SSL_CTX_use_certificate_file(context, path_of(who, "chain.pem"), SSL_FILETYPE_PEM));
    say_errors(who);
    say("%s with its chain: %d", who,
        SSL_CTX_use_certificate_chain_file(context, path_of(who, "chain.pem")));
    say_errors(who);
    say("%s of a connection: %d", who,
        SSL_use_certificate_file(ssl, path_of(who, "chain.pem"), SSL_FILETYPE_PEM));
    say_errors(who);
    say("then %s and %s", SSL_CTX_get0_certificate(context) != NULL ? "there" : "NULL",
        SSL_get_certificate(ssl) != NULL ? "there" : "NULL");
    SSL_free(ssl);
}

static void certificates_at_levels(void)
{
    for (int level = 0; level <= 5; level++) {
        SSL_CTX *context = SSL_CTX_new(TLS_method());

        say("level %d", level);
        SSL_CTX_set_security_level(context, level);
        say_certificates(context, "rsa");
        say_certificates(context, "server");
        SSL_CTX_free(context);
    }
}

static void certificates_by_callback(void)
{
    static const int ops[] = {-1, SSL_SECOP_EE_KEY, SSL_SECOP_CA_KEY, SSL_SECOP_CA_MD};

    for (size_t at = 0; at < sizeof ops / sizeof *ops; at++) {
        SSL_CTX *context = SSL_CTX_new(TLS_method());
        BIO *file = BIO_new_file(path_of("server", "chain.pem"), "r");
        X509 *own = PEM_read_bio_X509(file, NULL, NULL, NULL);
        X509 *issuer = PEM_read_bio_X509(file, NULL, NULL, NULL);

        refused_op = ops[at];
        SSL_CTX_set_security_callback(context, judge);
        say_certificates(context, "server");
        if (issuer == NULL)
            broken("a chain");
        SAY_LONG(SSL_CTX_add1_chain_cert(context, issuer));
        say_errors("chain");
        X509_free(own);
        X509_free(issuer);
        BIO_free(file);
        SSL_CTX_free(context);
    }
}

int main(int argc, char **argv)
{
    start(argc, argv);
    if (begin("the default callback"))
        defaults();
    if (begin("setters and getters"))
        accessors();
    for (int server = 0; server < 2; server++)
        for (size_t at = 0; at < sizeof plans / sizeof *plans; at++)
            refuses(server, &plans[at]);
    if (begin("certificates at levels"))
        certificates_at_levels();
    if (begin("certificates by callback"))
        certificates_by_callback();
    return finish();
}
