/*
 * Parameters for finite field Diffie-Hellman: which are taken, and that a server with them speaks
 * with everyone else as before.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "harness.h"

#include <openssl/core_names.h>
#include <openssl/dh.h>
#include <openssl/err.h>
#include <openssl/evp.h>

/* Parameters of that group. */
static EVP_PKEY *parameters(const char *group)
{
    EVP_PKEY_CTX *making = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
    OSSL_PARAM options[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)group, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY *made = NULL;

    if (EVP_PKEY_paramgen_init(making) != 1 || EVP_PKEY_CTX_set_params(making, options) != 1
        || EVP_PKEY_generate(making, &made) != 1)
        broken("parameters");
    EVP_PKEY_CTX_free(making);
    return made;
}

static const char *const groups[] = {"modp_1536", "ffdhe2048", "ffdhe3072"};

static void of_level(int level)
{
    SSL_CTX *context;
    SSL *ssl;

    if (!begin("parameters at level %d", level))
        return;
    context = server_context(TLS1_2_VERSION, "server");
    SSL_CTX_set_security_level(context, level);
    ssl = SSL_new(context);
    for (size_t at = 0; at < sizeof groups / sizeof *groups; at++) {
        EVP_PKEY *key = parameters(groups[at]);
        DH *dh = EVP_PKEY_get1_DH(key);

        say("%s", groups[at]);
        SAY_LONG(SSL_CTX_set_tmp_dh(context, dh));
        say_errors("context, DH");
        SAY_LONG(SSL_set_tmp_dh(ssl, dh));
        ERR_clear_error();
        DH_free(dh);
        EVP_PKEY_up_ref(key);
        if (SSL_CTX_set0_tmp_dh_pkey(context, key) != 1) {
            EVP_PKEY_free(key);
            say_errors("context, key");
        }
        if (SSL_set0_tmp_dh_pkey(ssl, key) != 1) {
            EVP_PKEY_free(key);
            say_errors("connection, key");
        }
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
}

static void of_nothing(void)
{
    SSL_CTX *context;

    if (!begin("no parameters"))
        return;
    context = server_context(TLS1_2_VERSION, "server");
    SAY_LONG(SSL_CTX_set_tmp_dh(context, NULL));
    ERR_clear_error();
    SAY_LONG(SSL_CTX_set0_tmp_dh_pkey(context, NULL));
    say_errors("NULL");
    SAY_LONG(SSL_CTX_set_dh_auto(context, 1));
    SSL_CTX_free(context);
}

static DH *unasked(SSL *ssl, int export, int bits)
{
    (void)ssl;
    say("asked for %d bits, export %d", bits, export);
    return NULL;
}

static void beside_curves(int version)
{
    SSL_CTX *client, *server;

    if (!begin("%s, parameters beside curves", version_name(version)))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    SAY_LONG(SSL_CTX_set0_tmp_dh_pkey(server, parameters("ffdhe2048")));
    SSL_CTX_set_tmp_dh_callback(server, unasked);
    say("%d", connect_once(client, server));
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    for (int level = 0; level <= 3; level++)
        of_level(level);
    of_nothing();
    beside_curves(TLS1_2_VERSION);
    beside_curves(TLS1_3_VERSION);
    return finish();
}
