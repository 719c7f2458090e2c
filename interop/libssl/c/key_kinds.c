/*
 * Kinds and sizes of keys that OpenSSL has in TLS: which sign, on either side and in either version,
 * and that one which cannot leaves the other certificate of a context alone.
 */
#include "harness.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static const struct kind {
    const char *name;
    int type;
    /* Bits of RSA, or the curve. */
    int size;
    /* The security level that takes it. */
    int level;
} kinds[] = {
    {"RSA of 1024 bits", EVP_PKEY_RSA, 1024, 0},
    {"RSA of 1536 bits", EVP_PKEY_RSA, 1536, 1},
    {"RSA of 2047 bits", EVP_PKEY_RSA, 2047, 2},
    {"RSA of 2049 bits", EVP_PKEY_RSA, 2049, 2},
    {"RSASSA-PSS", EVP_PKEY_RSA_PSS, 2048, 2},
    {"Ed25519", EVP_PKEY_ED25519, 0, 2},
    {"Ed448", EVP_PKEY_ED448, 0, 2},
    {"P-384", EVP_PKEY_EC, NID_secp384r1, 2},
    {"P-521", EVP_PKEY_EC, NID_secp521r1, 2},
    {"brainpoolP256r1", EVP_PKEY_EC, NID_brainpoolP256r1, 2},
    {"secp256k1", EVP_PKEY_EC, NID_secp256k1, 2},
};

#define KINDS (sizeof kinds / sizeof *kinds)

/* Made once for all cases: a key for RSA takes long. */
static EVP_PKEY *key_of(const struct kind *kind)
{
    static EVP_PKEY *made[KINDS];
    EVP_PKEY *key = made[kind - kinds];
    EVP_PKEY_CTX *making;

    if (key != NULL) {
        EVP_PKEY_up_ref(key);
        return key;
    }
    making = EVP_PKEY_CTX_new_id(kind->type, NULL);
    if (EVP_PKEY_keygen_init(making) != 1)
        broken("a kind of key");
    if (kind->type == EVP_PKEY_RSA || kind->type == EVP_PKEY_RSA_PSS)
        EVP_PKEY_CTX_set_rsa_keygen_bits(making, kind->size);
    if (kind->type == EVP_PKEY_EC)
        EVP_PKEY_CTX_set_ec_paramgen_curve_nid(making, kind->size);
    if (EVP_PKEY_keygen(making, &key) != 1)
        broken("a key");
    EVP_PKEY_CTX_free(making);
    EVP_PKEY_up_ref(key);
    made[kind - kinds] = key;
    return key;
}

/* A certificate that the key signs itself. */
static X509 *certificate_of(EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(certificate);
    int hashes = EVP_PKEY_get_base_id(key) != EVP_PKEY_ED25519
                 && EVP_PKEY_get_base_id(key) != EVP_PKEY_ED448;

    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"kind.test", -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    if (X509_sign(certificate, key, hashes ? EVP_sha256() : NULL) == 0)
        broken("a certificate");
    return certificate;
}

static void use(SSL_CTX *context, const struct kind *kind)
{
    EVP_PKEY *key = key_of(kind);
    X509 *certificate = certificate_of(key);

    SAY_LONG(SSL_CTX_use_certificate(context, certificate));
    SAY_LONG(SSL_CTX_use_PrivateKey(context, key));
    SAY_LONG(SSL_CTX_check_private_key(context));
    say_errors("key");
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void say_peer(SSL *ssl)
{
    X509 *peer = SSL_get0_peer_certificate(ssl);
    int nid = 0;

    say("%s sees %s", side(ssl),
        peer == NULL ? "none" : EVP_PKEY_get0_type_name(X509_get0_pubkey(peer)));
    say("signed with %ld %s", (long)SSL_get_peer_signature_type_nid(ssl, &nid), OBJ_nid2sn(nid));
}

static int any(int verified, X509_STORE_CTX *context)
{
    (void)verified;
    (void)context;
    return 1;
}

static SSL_CTX *levelled(SSL_CTX *context, int level)
{
    SSL_CTX_set_security_level(context, level);
    return context;
}

static void of_server(int version, const struct kind *kind, const char *beside)
{
    SSL_CTX *client, *server;
    struct ends ends;

    if (!begin("%s, server, %s beside %s", version_name(version), kind->name,
               beside == NULL ? "nothing" : beside))
        return;
    client = levelled(client_context(version), kind->level);
    SSL_CTX_set_verify(client, SSL_VERIFY_PEER, any);
    server = beside == NULL ? SSL_CTX_new(TLS_server_method()) : server_context(version, beside);
    levelled(server, kind->level);
    use(server, kind);
    ends = make_ends(client, server);
    for (int at = 0; at < 20; at++) {
        SSL_do_handshake(ends.client);
        SSL_do_handshake(ends.server);
    }
    say("done %d %d", SSL_is_init_finished(ends.client), SSL_is_init_finished(ends.server));
    if (SSL_is_init_finished(ends.client))
        say_peer(ends.client);
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    ERR_clear_error();
}

static void of_client(int version, const struct kind *kind)
{
    SSL_CTX *client, *server;
    struct ends ends;

    if (!begin("%s, client, %s", version_name(version), kind->name))
        return;
    client = levelled(client_context(version), kind->level);
    server = levelled(server_context(version, "server"), kind->level);
    SSL_CTX_set_verify(server, SSL_VERIFY_PEER, any);
    use(client, kind);
    ends = make_ends(client, server);
    for (int at = 0; at < 20; at++) {
        SSL_do_handshake(ends.client);
        SSL_do_handshake(ends.server);
    }
    say("done %d %d", SSL_is_init_finished(ends.client), SSL_is_init_finished(ends.server));
    if (SSL_is_init_finished(ends.server))
        say_peer(ends.server);
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    ERR_clear_error();
}

int main(int argc, char **argv)
{
    start(argc, argv);
    for (size_t at = 0; at < sizeof versions / sizeof *versions; at++)
        for (size_t kind = 0; kind < KINDS; kind++) {
            of_server(versions[at], &kinds[kind], NULL);
            if (kinds[kind].type == EVP_PKEY_RSA_PSS || kinds[kind].type == EVP_PKEY_EC)
                of_server(versions[at], &kinds[kind], "rsa");
            if (kinds[kind].type != EVP_PKEY_EC)
                of_server(versions[at], &kinds[kind], "server");
            of_client(versions[at], &kinds[kind]);
        }
    return finish();
}
