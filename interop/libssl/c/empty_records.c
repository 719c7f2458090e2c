/*
 * Records of application data that hold none: reading goes on, and more than 32 in a row end the
 * connection. Neither library sends such records, so they are sealed here, with the client's keys.
 */
#include "harness.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <string.h>

enum { KEY = 16, TAG = 16, IV = 12 };

/* The client's direction of a connection. */
struct sealer {
    int version;
    unsigned char key[KEY], iv[IV];
    unsigned char count;
};

static unsigned char client_secret[32];

static void keep_secret(const SSL *ssl, const char *line)
{
    static const char label[] = "CLIENT_TRAFFIC_SECRET_0 ";
    unsigned at, byte;

    (void)ssl;
    if (strncmp(line, label, strlen(label)) != 0)
        return;
    line = strrchr(line, ' ') + 1;
    for (at = 0; at < sizeof(client_secret); at++) {
        if (sscanf(line + 2 * at, "%2x", &byte) != 1)
            broken("the key log");
        client_secret[at] = (unsigned char)byte;
    }
}

static void derive(const char *name, OSSL_PARAM *parameters, unsigned char *out, size_t size)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, name, NULL);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);

    if (EVP_KDF_derive(context, out, size, parameters) <= 0)
        broken(name);
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
}

/* HKDF-Expand-Label without a context (RFC 8446, 7.1). */
static void expand(const char *label, unsigned char *out, size_t size)
{
    unsigned char info[64];
    size_t length = 6 + strlen(label);
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    OSSL_PARAM parameters[5];

    info[0] = 0;
    info[1] = (unsigned char)size;
    info[2] = (unsigned char)length;
    memcpy(info + 3, "tls13 ", 6);
    memcpy(info + 9, label, strlen(label));
    info[3 + length] = 0;
    parameters[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, "SHA256", 0);
    parameters[1] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
    parameters[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, client_secret, 32);
    parameters[3] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, length + 4);
    parameters[4] = OSSL_PARAM_construct_end();
    derive("HKDF", parameters, out, size);
}

/* The key block of TLS 1.2 (RFC 5246, 6.3): both keys, then both salts. */
static void expand_tls12(SSL *ssl, struct sealer *sealer)
{
    unsigned char master[48], seed[13 + 64], block[2 * KEY + 8];
    OSSL_PARAM parameters[4];

    if (SSL_SESSION_get_master_key(SSL_get_session(ssl), master, sizeof(master)) != sizeof(master))
        broken("the master secret");
    memcpy(seed, "key expansion", 13);
    SSL_get_server_random(ssl, seed + 13, 32);
    SSL_get_client_random(ssl, seed + 45, 32);
    parameters[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, "SHA256", 0);
    parameters[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, master, 48);
    parameters[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed, sizeof(seed));
    parameters[3] = OSSL_PARAM_construct_end();
    derive("TLS1-PRF", parameters, block, sizeof(block));
    memcpy(sealer->key, block, KEY);
    memcpy(sealer->iv, block + 2 * KEY, 4);
    memset(sealer->iv + 4, 0, 8);
}

static struct sealer make_sealer(SSL *client)
{
    struct sealer sealer = {SSL_version(client), {0}, {0}, 0};

    if (sealer.version == TLS1_3_VERSION) {
        expand("key", sealer.key, KEY);
        expand("iv", sealer.iv, IV);
    } else {
        expand_tls12(client, &sealer);
        /* Its Finished was the first record. */
        sealer.count = 1;
    }
    return sealer;
}

/* A record of application data, to the server. */
static void seal(struct sealer *sealer, const char *data, BIO *out)
{
    int is_tls13 = sealer->version == TLS1_3_VERSION;
    unsigned char record[256] = {23, 3, 3}, nonce[IV], plain[128], extra[13] = {0};
    size_t size = strlen(data), start = is_tls13 ? 5 : 13, body;
    int moved, extra_size;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();

    memcpy(plain, data, size);
    if (is_tls13)
        plain[size++] = 23;
    body = start - 5 + size + TAG;
    record[4] = (unsigned char)body;
    memcpy(nonce, sealer->iv, IV);
    nonce[IV - 1] ^= sealer->count;
    if (is_tls13) {
        memcpy(extra, record, 5);
        extra_size = 5;
    } else {
        memcpy(record + 5, nonce + 4, 8);
        extra[7] = sealer->count;
        memcpy(extra + 8, record, 3);
        extra[12] = (unsigned char)size;
        extra_size = 13;
    }
    if (EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), NULL, sealer->key, nonce) != 1 ||
        EVP_EncryptUpdate(context, NULL, &moved, extra, extra_size) != 1 ||
        EVP_EncryptUpdate(context, record + start, &moved, plain, (int)size) != 1 ||
        EVP_EncryptFinal_ex(context, record + start + size, &moved) != 1 ||
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG, record + start + size) != 1)
        broken("a record");
    EVP_CIPHER_CTX_free(context);
    sealer->count++;
    BIO_write(out, record, (int)(5 + body));
}

/* Both ends after a handshake, and the sealer of the client's direction. */
static struct ends connected(int version, struct sealer *sealer)
{
    SSL_CTX *client = client_context(version), *server = server_context(version, "server");
    struct ends ends;

    SSL_CTX_set_keylog_callback(client, keep_secret);
    SSL_CTX_set_cipher_list(client, "ECDHE-ECDSA-AES128-GCM-SHA256");
    SSL_CTX_set_ciphersuites(client, "TLS_AES_128_GCM_SHA256");
    ends = make_ends(client, server);
    handshake(&ends);
    *sealer = make_sealer(ends.client);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    return ends;
}

enum call { READ, READ_EX, PEEK };

static void receive(SSL *ssl, enum call call)
{
    char data[100] = "";
    size_t moved = 0;
    int value = call == READ ? SSL_read(ssl, data, 99)
        : call == PEEK       ? SSL_peek(ssl, data, 99)
                             : SSL_read_ex(ssl, data, 99, &moved);

    say_result(ssl, call == READ ? "SSL_read" : call == PEEK ? "SSL_peek" : "SSL_read_ex", value);
    say("'%s', pending %d", data, SSL_pending(ssl));
}

static void in_a_row(int version, int count, enum call call, int read_ahead)
{
    struct sealer sealer;
    struct ends ends;
    int nth;

    if (!begin("%s, %d in a row, then data, call %d%s", version_name(version), count, call,
               read_ahead ? ", read ahead" : ""))
        return;
    ends = connected(version, &sealer);
    SSL_set_read_ahead(ends.server, read_ahead);
    for (nth = 0; nth < count; nth++)
        seal(&sealer, "", ends.to_server);
    seal(&sealer, "hello", ends.to_server);
    receive(ends.server, call);
    receive(ends.server, READ);
    receive(ends.server, READ);
    SAY_LONG(SSL_get_shutdown(ends.server));
    free_ends(&ends);
}

/* Data in between starts the count again; a call without data does not. */
static void with_data_between(int version, int first, int second, int between)
{
    struct sealer sealer;
    struct ends ends;
    int nth;

    if (!begin("%s, %d, %s, %d", version_name(version), first, between ? "data" : "a call", second))
        return;
    ends = connected(version, &sealer);
    for (nth = 0; nth < first; nth++)
        seal(&sealer, "", ends.to_server);
    if (between)
        seal(&sealer, "one", ends.to_server);
    receive(ends.server, READ);
    for (nth = 0; nth < second; nth++)
        seal(&sealer, "", ends.to_server);
    seal(&sealer, "two", ends.to_server);
    receive(ends.server, READ);
    receive(ends.server, READ);
    free_ends(&ends);
}

/* They are no data when a close_notify is awaited. */
static void in_shutdown(int version)
{
    struct sealer sealer;
    struct ends ends;

    if (!begin("%s, while a close_notify is awaited", version_name(version)))
        return;
    ends = connected(version, &sealer);
    say_result(ends.server, "SSL_shutdown", SSL_shutdown(ends.server));
    seal(&sealer, "", ends.to_server);
    seal(&sealer, "", ends.to_server);
    say_result(ends.server, "SSL_shutdown", SSL_shutdown(ends.server));
    free_ends(&ends);
}

static void of_version(int version)
{
    static const int counts[] = {0, 1, 5, 32, 33, 60};
    size_t nth;
    enum call call;

    for (nth = 0; nth < sizeof(counts) / sizeof(counts[0]); nth++)
        for (call = READ; call <= PEEK; call++) {
            in_a_row(version, counts[nth], call, 0);
            in_a_row(version, counts[nth], call, 1);
        }
    with_data_between(version, 20, 20, 1);
    with_data_between(version, 32, 32, 1);
    with_data_between(version, 20, 12, 0);
    with_data_between(version, 20, 13, 0);
    in_shutdown(version);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    of_version(TLS1_2_VERSION);
    of_version(TLS1_3_VERSION);
    return finish();
}
