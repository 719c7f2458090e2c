/*
 * Private keys in every form that a program may have them: an RSA object, DER of the key's own
 * structure or of PKCS #8, files; and a key that does not fit its certificate.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "harness.h"

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A context with the certificate of `who` and no key, and a connection made from it. */
struct holder {
    SSL_CTX *context;
    SSL *ssl;
};

static struct holder holder_of(const char *who)
{
    struct holder holder = {SSL_CTX_new(TLS_method()), NULL};

    if (SSL_CTX_use_certificate_file(holder.context, path_of(who, "chain.pem"), SSL_FILETYPE_PEM)
        != 1)
        broken("a certificate");
    holder.ssl = SSL_new(holder.context);
    return holder;
}

static void free_holder(struct holder *holder)
{
    SSL_free(holder->ssl);
    SSL_CTX_free(holder->context);
}

static void say_set(struct holder *holder, const char *call, int of_context, int of_connection)
{
    say("%s: %d and %d", call, of_context, of_connection);
    say_errors(call);
    say("keys: %d and %d", SSL_CTX_check_private_key(holder->context),
        SSL_check_private_key(holder->ssl));
    ERR_clear_error();
}

static EVP_PKEY *read_key(const char *who)
{
    BIO *file = BIO_new_file(path_of(who, "key.pem"), "r");
    EVP_PKEY *key = PEM_read_bio_PrivateKey(file, NULL, NULL, NULL);

    BIO_free(file);
    if (key == NULL)
        broken("a key");
    return key;
}

static void rsa_objects(void)
{
    EVP_PKEY *key = read_key("rsa");
    RSA *rsa = EVP_PKEY_get1_RSA(key);
    struct holder holder = holder_of("rsa"), other = holder_of("server");

    say_set(&holder, "NULL", SSL_CTX_use_RSAPrivateKey(holder.context, NULL),
            SSL_use_RSAPrivateKey(holder.ssl, NULL));
    say_set(&holder, "an RSA key", SSL_CTX_use_RSAPrivateKey(holder.context, rsa),
            SSL_use_RSAPrivateKey(holder.ssl, rsa));
    say_set(&other, "beside a certificate for ECDSA", SSL_CTX_use_RSAPrivateKey(other.context, rsa),
            SSL_use_RSAPrivateKey(other.ssl, rsa));
    RSA_free(rsa);
    EVP_PKEY_free(key);
    free_holder(&holder);
    free_holder(&other);
}

static void der(struct holder *holder, const char *name, int kind, const unsigned char *bytes,
                int length)
{
    char call[100];

    snprintf(call, sizeof call, "%s as a key", name);
    say_set(holder, call, SSL_CTX_use_PrivateKey_ASN1(kind, holder->context, bytes, length),
            SSL_use_PrivateKey_ASN1(kind, holder->ssl, bytes, length));
    snprintf(call, sizeof call, "%s as an RSA key", name);
    say_set(holder, call, SSL_CTX_use_RSAPrivateKey_ASN1(holder->context, bytes, length),
            SSL_use_RSAPrivateKey_ASN1(holder->ssl, bytes, length));
}

static void bytes_of(const char *who, int kind)
{
    EVP_PKEY *key = read_key(who);
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    unsigned char *own = NULL, *pkcs8 = NULL;
    int length = i2d_PrivateKey(key, &own);
    int pkcs8_length = i2d_PKCS8_PRIV_KEY_INFO(info, &pkcs8);
    struct holder holder;

    holder = holder_of(who);
    der(&holder, "its own structure", kind, own, length);
    free_holder(&holder);
    holder = holder_of(who);
    der(&holder, "PKCS #8", kind, pkcs8, pkcs8_length);
    free_holder(&holder);
    holder = holder_of(who);
    der(&holder, "bytes that end early", kind, own, length - 1);
    der(&holder, "nothing", kind, own, 0);
    free_holder(&holder);
    OPENSSL_free(own);
    OPENSSL_free(pkcs8);
    PKCS8_PRIV_KEY_INFO_free(info);
    EVP_PKEY_free(key);
}

static void files(void)
{
    char path[] = "/tmp/keyXXXXXX";
    int descriptor = mkstemp(path);
    BIO *file = BIO_new_fd(descriptor, BIO_CLOSE);
    EVP_PKEY *key = read_key("rsa");
    RSA *rsa = EVP_PKEY_get1_RSA(key);
    struct holder holder = holder_of("rsa");

    i2d_RSAPrivateKey_bio(file, rsa);
    BIO_free(file);
    say_set(&holder, "no such file",
            SSL_CTX_use_RSAPrivateKey_file(holder.context, "/nowhere", SSL_FILETYPE_PEM),
            SSL_use_RSAPrivateKey_file(holder.ssl, "/nowhere", SSL_FILETYPE_PEM));
    say_set(&holder, "no such form",
            SSL_CTX_use_RSAPrivateKey_file(holder.context, path_of("rsa", "key.pem"), 7),
            SSL_use_RSAPrivateKey_file(holder.ssl, path_of("rsa", "key.pem"), 7));
    say_set(&holder, "a key of another kind",
            SSL_CTX_use_RSAPrivateKey_file(holder.context, path_of("server", "key.pem"),
                                           SSL_FILETYPE_PEM),
            SSL_use_RSAPrivateKey_file(holder.ssl, path_of("server", "key.pem"), SSL_FILETYPE_PEM));
    say_set(&holder, "DER read as PEM",
            SSL_CTX_use_RSAPrivateKey_file(holder.context, path, SSL_FILETYPE_PEM),
            SSL_use_RSAPrivateKey_file(holder.ssl, path, SSL_FILETYPE_PEM));
    say_set(&holder, "PEM read as DER",
            SSL_CTX_use_RSAPrivateKey_file(holder.context, path_of("rsa", "key.pem"),
                                           SSL_FILETYPE_ASN1),
            SSL_use_RSAPrivateKey_file(holder.ssl, path_of("rsa", "key.pem"), SSL_FILETYPE_ASN1));
    say_set(&holder, "PEM",
            SSL_CTX_use_RSAPrivateKey_file(holder.context, path_of("rsa", "key.pem"),
                                           SSL_FILETYPE_PEM),
            SSL_use_RSAPrivateKey_file(holder.ssl, path_of("rsa", "key.pem"), SSL_FILETYPE_PEM));
    free_holder(&holder);
    holder = holder_of("rsa");
    say_set(&holder, "DER", SSL_CTX_use_RSAPrivateKey_file(holder.context, path, SSL_FILETYPE_ASN1),
            SSL_use_RSAPrivateKey_file(holder.ssl, path, SSL_FILETYPE_ASN1));
    unlink(path);
    RSA_free(rsa);
    EVP_PKEY_free(key);
    free_holder(&holder);
}

/* A key that is set this way signs. */
static void used(int version)
{
    EVP_PKEY *key;
    RSA *rsa;
    SSL_CTX *client, *server;

    if (!begin("%s, a handshake with an RSA key", version_name(version)))
        return;
    key = read_key("rsa");
    rsa = EVP_PKEY_get1_RSA(key);
    client = client_context(version);
    server = server_context(version, "server");
    if (SSL_CTX_use_certificate_chain_file(server, path_of("rsa", "chain.pem")) != 1)
        broken("a certificate");
    SAY_LONG(SSL_CTX_use_RSAPrivateKey(server, rsa));
    RSA_free(rsa);
    EVP_PKEY_free(key);
    SSL_CTX_set1_sigalgs_list(client, "rsa_pss_rsae_sha256");
    connect_once(client, server);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void misfits(void)
{
    EVP_PKEY *key = read_key("other"), *own = read_key("server");
    struct holder holder = holder_of("server");

    say_set(&holder, "another's key", SSL_CTX_use_PrivateKey(holder.context, key),
            SSL_use_PrivateKey(holder.ssl, key));
    say_set(&holder, "its own key", SSL_CTX_use_PrivateKey(holder.context, own),
            SSL_use_PrivateKey(holder.ssl, own));
    say("another's certificate: %d and %d",
        SSL_CTX_use_certificate_file(holder.context, path_of("other", "chain.pem"),
                                     SSL_FILETYPE_PEM),
        SSL_use_certificate_file(holder.ssl, path_of("other", "chain.pem"), SSL_FILETYPE_PEM));
    say_errors("another's certificate");
    SAY_PRESENT(SSL_CTX_get0_privatekey(holder.context));
    say_set(&holder, "the certificate with another's key",
            SSL_CTX_use_cert_and_key(holder.context, SSL_CTX_get0_certificate(holder.context), own,
                                     NULL, 1),
            SSL_use_cert_and_key(holder.ssl, SSL_get_certificate(holder.ssl), own, NULL, 1));
    EVP_PKEY_free(key);
    EVP_PKEY_free(own);
    free_holder(&holder);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    if (begin("RSA objects"))
        rsa_objects();
    if (begin("bytes of an RSA key"))
        bytes_of("rsa", EVP_PKEY_RSA);
    if (begin("bytes of an EC key"))
        bytes_of("server", EVP_PKEY_EC);
    if (begin("bytes of a key of another kind"))
        bytes_of("server", EVP_PKEY_RSA);
    if (begin("files"))
        files();
    if (begin("keys that do not fit"))
        misfits();
    used(TLS1_2_VERSION);
    used(TLS1_3_VERSION);
    return finish();
}
