/*
 * What hostile.c's callbacks do to the connection that they are called for.
 */
#ifndef DEEDS_H
#define DEEDS_H

#include "harness.h"

#include <openssl/pem.h>
#include <string.h>

/* What a callback does to its connection. */
typedef void (*deed)(SSL *ssl);

static struct ends ends;
/* What the clients and the servers of a case do, once the case has begun to misbehave. */
static deed on_client, on_server;
/* Inside of a call with a connection, which may then be used. */
static int shaking;
/* How often each end has come to misbehave. */
static int chances[2];
static int freed_client, freed_server;
static int depth;

static void nothing(SSL *ssl)
{
    (void)ssl;
}

static void free_it(SSL *ssl)
{
    int *freed = ssl == ends.server ? &freed_server : &freed_client;

    /* A callback that runs more than once in a handshake frees it once. */
    if (!*freed)
        SSL_free(ssl);
    *freed = 1;
}

static void handshake_again(SSL *ssl)
{
    if (depth++ < 3)
        SSL_do_handshake(ssl);
}

static void read_and_write(SSL *ssl)
{
    char bytes[10] = "";

    SSL_read(ssl, bytes, sizeof bytes);
    SSL_peek(ssl, bytes, sizeof bytes);
    SSL_write(ssl, bytes, sizeof bytes);
    SSL_shutdown(ssl);
}

static void clear_it(SSL *ssl)
{
    SSL_clear(ssl);
}

static void take_the_bios(SSL *ssl)
{
    /* The ends' BIOs are counted twice; this gives one of each back. */
    SSL_set_bio(ssl, NULL, NULL);
}

static void other_context(SSL *ssl)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());

    SSL_set_SSL_CTX(ssl, context);
    SSL_CTX_free(context);
    SSL_set_SSL_CTX(ssl, NULL);
}

static void become_the_other(SSL *ssl)
{
    if (SSL_is_server(ssl))
        SSL_set_connect_state(ssl);
    else
        SSL_set_accept_state(ssl);
}

static int other_callback(SSL *ssl, void *argument)
{
    (void)ssl, (void)argument;
    return 1;
}

static void every_status_function(SSL *ssl)
{
    SSL_CTX *context = SSL_get_SSL_CTX(ssl);
    int (*callback)(SSL *, void *);
    unsigned char *response;
    void *argument;
    STACK_OF(X509_EXTENSION) *exts;
    STACK_OF(OCSP_RESPID) *ids;

    SSL_CTX_get_tlsext_status_cb(context, &callback);
    SSL_CTX_get_tlsext_status_arg(context, &argument);
    SSL_CTX_get_tlsext_status_type(context);
    SSL_get_tlsext_status_type(ssl);
    SSL_get_tlsext_status_ocsp_resp(ssl, &response);
    SSL_get_tlsext_status_ids(ssl, &ids);
    SSL_get_tlsext_status_exts(ssl, &exts);
    SSL_CTX_set_tlsext_status_cb(context, other_callback);
    SSL_CTX_set_tlsext_status_arg(context, context);
    SSL_CTX_set_tlsext_status_type(context, 99);
    SSL_set_tlsext_status_type(ssl, 77);
    for (int time = 0; time < 3; time++)
        set_response(ssl, 100, (unsigned char)time);
    SSL_set_tlsext_status_ocsp_resp(ssl, NULL, 0);
    set_response(ssl, 10, 1);
}

static void no_callbacks(SSL *ssl)
{
    SSL_CTX *context = SSL_get_SSL_CTX(ssl);

    SSL_CTX_set_tlsext_status_cb(context, NULL);
    SSL_CTX_set_cert_cb(context, NULL, NULL);
    SSL_set_cert_cb(ssl, NULL, NULL);
    SSL_CTX_set_client_cert_cb(context, NULL);
    SSL_CTX_set_tlsext_servername_callback(context, NULL);
    SSL_CTX_set_client_hello_cb(context, NULL, NULL);
    SSL_CTX_set_alpn_select_cb(context, NULL, NULL);
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_cert_verify_callback(context, NULL, NULL);
    SSL_CTX_set_info_callback(context, NULL);
    SSL_set_info_callback(ssl, NULL);
    SSL_CTX_set_msg_callback(context, NULL);
    SSL_set_msg_callback(ssl, NULL);
    SSL_CTX_set_keylog_callback(context, NULL);
    SSL_CTX_sess_set_new_cb(context, NULL);
    SSL_CTX_sess_set_get_cb(context, NULL);
    SSL_CTX_sess_set_remove_cb(context, NULL);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, NULL);
}

static void other_certificate(SSL *ssl)
{
    SSL_certs_clear(ssl);
    SSL_use_certificate_file(ssl, path_of("rsa", "chain.pem"), SSL_FILETYPE_PEM);
    SSL_use_PrivateKey_file(ssl, path_of("rsa", "key.pem"), SSL_FILETYPE_PEM);
    SSL_certs_clear(ssl);
    SSL_use_certificate_file(ssl, path_of("other", "chain.pem"), SSL_FILETYPE_PEM);
    SSL_set_session(ssl, NULL);
    SSL_CTX_flush_sessions(SSL_get_SSL_CTX(ssl), 0);
}

static void every_getter(SSL *ssl)
{
    const unsigned char *bytes;
    unsigned length;
    char text[200];
    EVP_PKEY *key = NULL;
    SSL_SESSION *session = SSL_get1_session(ssl);
    X509 *peer = SSL_get1_peer_certificate(ssl);
    SSL *copy = SSL_dup(ssl);

    SSL_get_peer_cert_chain(ssl);
    SSL_get0_verified_chain(ssl);
    SSL_get_current_cipher(ssl);
    SSL_get_pending_cipher(ssl);
    SSL_get_ciphers(ssl);
    SSL_get_client_ciphers(ssl);
    SSL_get_certificate(ssl);
    SSL_get_privatekey(ssl);
    SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    SSL_get_verify_result(ssl);
    SSL_state_string_long(ssl);
    SSL_pending(ssl);
    for (int at = -1; at < 3; at++) {
        SSL_get_sigalgs(ssl, at, NULL, NULL, NULL, NULL, NULL);
        SSL_get_shared_sigalgs(ssl, at, NULL, NULL, NULL, NULL, NULL);
    }
    SSL_get0_certificate_types(ssl, &bytes);
    SSL_get0_peer_CA_list(ssl);
    SSL_get_client_CA_list(ssl);
    SSL_get0_alpn_selected(ssl, &bytes, &length);
    SSL_get_shared_ciphers(ssl, text, sizeof text);
    SSL_get_finished(ssl, text, sizeof text);
    SSL_get_peer_finished(ssl, text, sizeof text);
    if (SSL_get_peer_tmp_key(ssl, &key))
        EVP_PKEY_free(key);
    SSL_export_keying_material(ssl, (unsigned char *)text, 32, "EXPORTER-x", 10, NULL, 0, 0);
    SSL_free(copy);
    X509_free(peer);
    SSL_SESSION_free(session);
}

static const struct {
    const char *name;
    deed does;
} deeds[] = {
    {"free it", free_it},
    {"start the handshake again", handshake_again},
    {"read, write and close", read_and_write},
    {"clear it", clear_it},
    {"take its BIOs", take_the_bios},
    {"give it another context", other_context},
    {"make it the other end", become_the_other},
    {"call every status function", every_status_function},
    {"call every getter", every_getter},
    {"take its context's callbacks away", no_callbacks},
    {"change its certificate and its session", other_certificate},
};

#endif
