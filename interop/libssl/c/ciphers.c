/*
 * Cipher suites, groups and signature algorithms by name: what there is to know of a suite, what
 * the strings select that programs configure with, and the words for alerts and states. No
 * handshake is made.
 */
#include "harness.h"

#include <string.h>

/* The suites that both libraries have. */
static const unsigned short suites[] = {
    0x1301, 0x1302, 0x1303, 0xc02b, 0xc02c, 0xc02f, 0xc030, 0xcca8, 0xcca9,
};

#define COUNT(list) (sizeof(list) / sizeof *(list))

static SSL *connection(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    SSL *ssl = context == NULL ? NULL : SSL_new(context);

    if (ssl == NULL)
        broken("there is no connection");
    SSL_CTX_free(context);
    return ssl;
}

static const SSL_CIPHER *find(SSL *ssl, unsigned id)
{
    unsigned char bytes[2] = {(unsigned char)(id >> 8), (unsigned char)id};

    return SSL_CIPHER_find(ssl, bytes);
}

static int is_common(const SSL_CIPHER *cipher)
{
    for (size_t at = 0; at < COUNT(suites); at++) {
        if (SSL_CIPHER_get_protocol_id(cipher) == suites[at])
            return 1;
    }
    return 0;
}

/* The suites of a list that both libraries have. */
static void say_list(const char *whose, STACK_OF(SSL_CIPHER) *list)
{
    char line[1000] = "";

    for (int at = 0; list != NULL && at < sk_SSL_CIPHER_num(list); at++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(list, at);

        if (is_common(cipher)) {
            strcat(line, " ");
            strcat(line, SSL_CIPHER_get_name(cipher));
        }
    }
    say("%s:%s", whose, list == NULL ? " NULL" : line);
}

static void say_suite(const SSL_CIPHER *cipher)
{
    char text[128];
    char *made = SSL_CIPHER_description(cipher, NULL, 0);
    int algorithm_bits = -1;
    const EVP_MD *digest = SSL_CIPHER_get_handshake_digest(cipher);

    say("name %s, standard name %s, version %s", SSL_CIPHER_get_name(cipher),
        SSL_CIPHER_standard_name(cipher), SSL_CIPHER_get_version(cipher));
    say("id %08lx, in the protocol %04x", (unsigned long)SSL_CIPHER_get_id(cipher),
        SSL_CIPHER_get_protocol_id(cipher));
    say("bits %d", SSL_CIPHER_get_bits(cipher, &algorithm_bits));
    say("bits of the algorithm %d", algorithm_bits);
    say("key exchange %d, authentication %d, cipher %d, digest %d, AEAD %d",
        SSL_CIPHER_get_kx_nid(cipher), SSL_CIPHER_get_auth_nid(cipher),
        SSL_CIPHER_get_cipher_nid(cipher), SSL_CIPHER_get_digest_nid(cipher),
        SSL_CIPHER_is_aead(cipher));
    say("handshake digest %s", digest == NULL ? "NULL" : EVP_MD_get0_name(digest));
    say("description %s", SSL_CIPHER_description(cipher, text, sizeof text));
    say("in new memory %d", made != NULL && strcmp(made, text) == 0);
    say("in too little room: %s", SSL_CIPHER_description(cipher, text, 127) ? "there" : "NULL");
    OPENSSL_free(made);
}

static void facts(void)
{
    static const unsigned short signals[] = {0x00ff, 0x5600};
    SSL *ssl;

    for (size_t at = 0; at < COUNT(suites) + COUNT(signals); at++) {
        unsigned id = at < COUNT(suites) ? suites[at] : signals[at - COUNT(suites)];

        if (!begin("suite %04x", id))
            continue;
        ssl = connection();
        const SSL_CIPHER *cipher = find(ssl, id);
        if (cipher != NULL)
            say_suite(cipher);
        else
            say("not found");
        say("found again: %d", cipher == find(ssl, id));
        SSL_free(ssl);
    }
    if (begin("suites that are not there")) {
        ssl = connection();
        say("0000: %s", find(ssl, 0x0000) == NULL ? "NULL" : "there");
        say("1a1a: %s", find(ssl, 0x1a1a) == NULL ? "NULL" : "there");
        say("NULL: name %s, standard name %s, version %s, bits %d", SSL_CIPHER_get_name(NULL),
            SSL_CIPHER_standard_name(NULL), SSL_CIPHER_get_version(NULL),
            SSL_CIPHER_get_bits(NULL, NULL));
        say("current %s, pending %s",
            SSL_get_current_cipher(ssl) == NULL ? "NULL" : "there",
            SSL_get_pending_cipher(ssl) == NULL ? "NULL" : "there");
        SSL_free(ssl);
    }
}

static void names(void)
{
    static const char *const standard[] = {
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "TLS_AES_128_GCM_SHA256",
        "TLS_FALLBACK_SCSV",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "nothing",
        "",
    };

    if (begin("names of suites")) {
        for (size_t at = 0; at < COUNT(standard); at++)
            say("'%s' is %s", standard[at], OPENSSL_cipher_name(standard[at]));
        say("NULL is %s", OPENSSL_cipher_name(NULL));
        say("default cipher list %s", OSSL_default_cipher_list());
        say("default ciphersuites %s", OSSL_default_ciphersuites());
    }
    if (begin("words for alerts")) {
        for (int value = -1; value < 256; value++)
            say("%d: %s, %s", value, SSL_alert_desc_string(value),
                SSL_alert_desc_string_long(value));
        for (int level = 0; level < 4; level++)
            say("level %d: %s, %s", level, SSL_alert_type_string(level << 8),
                SSL_alert_type_string_long(level << 8));
    }
    if (begin("names of groups")) {
        static const int nids[] = {
            NID_X25519, NID_X448, NID_X9_62_prime256v1, NID_secp384r1, NID_secp521r1,
            NID_ffdhe2048, NID_ffdhe8192, NID_brainpoolP256r1, NID_sect163k1, NID_secp256k1,
            TLSEXT_nid_unknown | 29, TLSEXT_nid_unknown | 24, TLSEXT_nid_unknown | 0x7777,
            0, -1, 29, NID_sha256,
        };
        SSL *ssl = connection();

        for (size_t at = 0; at < COUNT(nids); at++) {
            const char *name = SSL_group_to_name(ssl, nids[at]);
            say("%d: %s", nids[at], name == NULL ? "NULL" : name);
        }
        SSL_free(ssl);
    }
}

/* What a context says after a list was set on it that had two suites. */
static void cipher_list(const char *list)
{
    SSL_CTX *context;

    if (!begin("cipher list '%s'", list))
        return;
    context = SSL_CTX_new(TLS_method());
    SSL_CTX_set_cipher_list(context, "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305");
    say("returned %d", SSL_CTX_set_cipher_list(context, list));
    say_errors("context");
    say("level %d", SSL_CTX_get_security_level(context));
    say_list("suites", SSL_CTX_get_ciphers(context));
    SSL_CTX_free(context);
}

static void cipher_lists(void)
{
    static const char *const lists[] = {
        "DEFAULT", "ALL", "HIGH:!aNULL:!MD5", "HIGH:!aNULL:!kRSA:!PSK:!SRP:!MD5:!RC4",
        "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:!aNULL:!MD5:!DSS",
        "EECDH+ECDSA+AESGCM EECDH+aRSA+AESGCM EECDH EDH+aRSA RC4 !aNULL !eNULL !LOW !3DES",
        "aRSA", "ECDSA", "AES128", "CHACHA20,AES256", "FIPS", "HIGH+FIPS:aRSA", "TLSv1.2",
        "ALL:+AES256", "ALL:-AESGCM:ALL", "ALL:!AES256:AES256", "AES128:ALL:@STRENGTH",
        "DEFAULT:!AESGCM", "DEFAULT@STRENGTH", "AES128:DEFAULT", "aRSA+aECDSA:CHACHA20",
        "@SECLEVEL=1:HIGH", "@SECLEVEL=5:HIGH", "@SECLEVEL=0:nothing", "@SECLEVEL=3:@BAD",
        "@SECLEVEL=6", "@BAD", "", ":", "nothing", "TLS_AES_128_GCM_SHA256", "#", "HIGH:#",
        "HIGH!", "HIGH+", "HIGH:@", "HIGH!AES", "nothing!AES:ALL",
    };

    for (size_t at = 0; at < COUNT(lists); at++)
        cipher_list(lists[at]);
    if (begin("cipher list of a connection")) {
        SSL *ssl = connection();

        say_list("inherited", SSL_get_ciphers(ssl));
        SAY_LONG(SSL_set_cipher_list(ssl, "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384"));
        say_list("of the connection", SSL_get_ciphers(ssl));
        say_list("of the context", SSL_CTX_get_ciphers(SSL_get_SSL_CTX(ssl)));
        say("first %s, fourth %s", SSL_get_cipher_list(ssl, 0), SSL_get_cipher_list(ssl, 3));
        say("beyond %s", SSL_get_cipher_list(ssl, 100) == NULL ? "NULL" : "there");
        say("the stack stays: %d", SSL_get_ciphers(ssl) == SSL_get_ciphers(ssl));
        say("of a client %s", SSL_get_client_ciphers(ssl) == NULL ? "NULL" : "there");
        SSL_free(ssl);
    }
}

static void ciphersuites(void)
{
    static const char *const lists[] = {
        "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384",
        "TLS_AES_128_GCM_SHA256:nothing", "nothing:TLS_AES_128_GCM_SHA256", "nothing", "", ":",
        " ", " TLS_AES_128_GCM_SHA256 : TLS_AES_256_GCM_SHA384 ",
        "TLS_AES_128_GCM_SHA256,TLS_AES_256_GCM_SHA384", "tls_aes_128_gcm_sha256",
        "ECDHE-RSA-AES128-GCM-SHA256", "ALL", "TLS_AES_128_GCM_SHA256:TLS_AES_128_GCM_SHA256",
    };

    for (size_t at = 0; at < COUNT(lists); at++) {
        SSL_CTX *context;

        if (!begin("ciphersuites '%s'", lists[at]))
            continue;
        context = SSL_CTX_new(TLS_method());
        say("returned %d", SSL_CTX_set_ciphersuites(context, lists[at]));
        say_errors("context");
        say_list("suites", SSL_CTX_get_ciphers(context));
        SSL_CTX_free(context);
    }
}

/* SSL_get1_supported_ciphers, whose stack is freed here. */
static void say_supported(const char *when, SSL *ssl)
{
    STACK_OF(SSL_CIPHER) *list = SSL_get1_supported_ciphers(ssl);

    say_list(when, list);
    sk_SSL_CIPHER_free(list);
}

static void supported(void)
{
    if (begin("supported suites")) {
        SSL *ssl = connection();

        say_supported("all", ssl);
        for (int level = 0; level <= 5; level++) {
            SSL_set_security_level(ssl, level);
            say("level %d", SSL_get_security_level(ssl));
            say_supported("supported", ssl);
        }
        SSL_set_security_level(ssl, 2);
        SAY_LONG(SSL_set_max_proto_version(ssl, TLS1_2_VERSION));
        say_supported("TLSv1.2", ssl);
        SAY_LONG(SSL_set_max_proto_version(ssl, 0));
        SAY_LONG(SSL_set_min_proto_version(ssl, TLS1_3_VERSION));
        say_supported("TLSv1.3", ssl);
        SAY_LONG(SSL_set_ciphersuites(ssl, ""));
        say_supported("nothing", ssl);
        SSL_free(ssl);
    }
}

static void bytes(void)
{
    static const struct {
        const char *what;
        const char *bytes;
        size_t length;
        int sslv2;
    } lists[] = {
        {"suites and signals", "\x13\x01\x00\xff\xc0\x2f\x56\x00\x1a\x1a", 10, 0},
        {"SSLv2", "\x00\xc0\x2f\x07\x00\xc0\x00\x00\xff", 9, 1},
        {"nothing", "", 0, 0},
        {"an odd number", "\x13\x01\xc0", 3, 0},
        {"not of threes", "\x00\xc0\x2f\x00", 4, 1},
    };

    for (size_t at = 0; at < COUNT(lists); at++) {
        STACK_OF(SSL_CIPHER) *found = NULL, *signals = NULL;
        SSL *ssl;

        if (!begin("list in bytes: %s", lists[at].what))
            continue;
        ssl = connection();
        say("returned %d", SSL_bytes_to_cipher_list(ssl, (const unsigned char *)lists[at].bytes,
                                                    lists[at].length, lists[at].sslv2, &found,
                                                    &signals));
        say_errors("connection");
        say_list("suites", found);
        say("signals: %d", signals == NULL ? -1 : sk_SSL_CIPHER_num(signals));
        sk_SSL_CIPHER_free(found);
        sk_SSL_CIPHER_free(signals);
        SSL_free(ssl);
    }
}

static void groups(void)
{
    static const char *const lists[] = {
        "X25519", "x25519", "P-256", "p-256", "prime256v1", "secp256r1", "SECP256R1", "P-384",
        "X25519:P-256:secp384r1", "P-521:P-256", "ffdhe2048:X25519", "X25519:P-256:prime256v1",
        "X25519:X25519", "", "X25519:", ":X25519", "X25519::P-256", " X25519 : P-256 ", "nothing",
        "X25519:nothing", "X25519 P-256", "?X25519",
    };
    static const struct {
        const char *what;
        int nids[3];
        int count;
    } numbers[] = {
        {"two", {NID_X25519, NID_X9_62_prime256v1}, 2},
        {"twice the same", {NID_secp384r1, NID_secp384r1}, 2},
        {"no NID", {29}, 1},
        {"one of two unknown", {NID_X25519, NID_sha256}, 2},
        {"nothing", {0}, 0},
    };

    for (size_t at = 0; at < COUNT(lists); at++) {
        if (!begin("groups '%s'", lists[at]))
            continue;
        SSL *ssl = connection();
        say("context %d", (int)SSL_CTX_set1_groups_list(SSL_get_SSL_CTX(ssl), lists[at]));
        say_errors("context");
        say("connection %d", (int)SSL_set1_groups_list(ssl, lists[at]));
        say_errors("connection");
        SSL_free(ssl);
    }
    for (size_t at = 0; at < COUNT(numbers); at++) {
        if (!begin("groups by NID: %s", numbers[at].what))
            continue;
        SSL *ssl = connection();
        int *nids = (int *)numbers[at].nids;
        say("context %d",
            (int)SSL_CTX_set1_groups(SSL_get_SSL_CTX(ssl), nids, numbers[at].count));
        say_errors("context");
        say("connection %d", (int)SSL_set1_groups(ssl, nids, numbers[at].count));
        say_errors("connection");
        SSL_free(ssl);
    }
}

static void signatures(void)
{
    static const char *const lists[] = {
        "ECDSA+SHA256", "RSA-PSS+SHA256", "PSS+SHA384", "RSA+SHA512", "rsa_pss_rsae_sha256",
        "rsa_pss_pss_sha256", "ed25519", "ecdsa_secp256r1_sha256", "rsa_pkcs1_sha1", "ECDSA+SHA1",
        "DSA+SHA256", "ECDSA+sha256", "ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA384:ed25519",
        " ECDSA+SHA256 : RSA+SHA384 ", "ECDSA+SHA256:ECDSA+SHA256",
        "ECDSA+SHA256:ecdsa_secp256r1_sha256", "", ":", "ECDSA", "ECDSA+", "+SHA256", "nothing",
        "ECDSA+SHA256:nothing", "ECDSA+SHA256:", "ECDSA+SHA256+X", "RSA-PSS+SHA1", "RSA+MD5",
        "ecdsa+sha256", "ED25519",
    };

    for (size_t at = 0; at < COUNT(lists); at++) {
        if (!begin("signature algorithms '%s'", lists[at]))
            continue;
        SSL *ssl = connection();
        SSL_CTX *context = SSL_get_SSL_CTX(ssl);
        say("context %d, for clients %d", (int)SSL_CTX_set1_sigalgs_list(context, lists[at]),
            (int)SSL_CTX_set1_client_sigalgs_list(context, lists[at]));
        say("connection %d, for clients %d", (int)SSL_set1_sigalgs_list(ssl, lists[at]),
            (int)SSL_set1_client_sigalgs_list(ssl, lists[at]));
        say_errors("connection");
        SSL_free(ssl);
    }
    if (begin("signature algorithms by NID")) {
        static const int pairs[] = {NID_sha256, EVP_PKEY_EC, NID_sha384, EVP_PKEY_RSA};
        static const int unknown[] = {NID_md5, EVP_PKEY_RSA};
        SSL *ssl = connection();

        SAY_LONG(SSL_set1_sigalgs(ssl, pairs, 4));
        SAY_LONG(SSL_set1_sigalgs(ssl, pairs, 3));
        SAY_LONG(SSL_set1_sigalgs(ssl, unknown, 2));
        SAY_LONG(SSL_set1_client_sigalgs(ssl, pairs, 2));
        SAY_LONG(SSL_CTX_set1_sigalgs(SSL_get_SSL_CTX(ssl), pairs, 4));
        say_errors("connection");
        SSL_free(ssl);
    }
}

int main(int argc, char **argv)
{
    start(argc, argv);
    facts();
    names();
    cipher_lists();
    ciphersuites();
    supported();
    bytes();
    groups();
    signatures();
    return finish();
}
