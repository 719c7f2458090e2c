/*
 * Callbacks that do what nobody should: free their connection, start the handshake again from
 * inside, call everything there is, change the context while another thread uses it.
 *
 * OpenSSL leaves most of this undefined, so there is nothing to compare: this program runs on our
 * library alone. What comes out of a handshake is not said; that every case ends is the point, and
 * that neither valgrind nor AddressSanitizer finds anything.
 */
#include "harness.h"

#include <pthread.h>
#include <stdatomic.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

/* What a callback does to its connection. */
typedef void (*deed)(SSL *ssl);

static struct ends ends;
static deed on_client, on_server;
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

static void every_getter(SSL *ssl)
{
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
};

static int on_status(SSL *ssl, void *argument)
{
    (void)argument;
    if (!SSL_is_server(ssl)) {
        on_client(ssl);
        return 1;
    }
    on_server(ssl);
    return SSL_TLSEXT_ERR_OK;
}

static int on_certificate(SSL *ssl, void *argument)
{
    (void)argument;
    (SSL_is_server(ssl) ? on_server : on_client)(ssl);
    return 1;
}

static int on_name(SSL *ssl, int *alert, void *argument)
{
    (void)alert, (void)argument;
    on_server(ssl);
    return SSL_TLSEXT_ERR_OK;
}

static int on_hello(SSL *ssl, int *alert, void *argument)
{
    (void)alert, (void)argument;
    on_server(ssl);
    return SSL_CLIENT_HELLO_SUCCESS;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                   const unsigned char *in, unsigned in_length, void *argument)
{
    (void)out, (void)out_length, (void)in, (void)in_length, (void)argument;
    on_server(ssl);
    return SSL_TLSEXT_ERR_NOACK;
}

static int on_verify(int ok, X509_STORE_CTX *store)
{
    on_client(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    return ok;
}

enum place { STATUS, CERTIFICATE, NAME, HELLO, ALPN, VERIFY, PLACES };

static const char *const places[] = {"status",       "certificate", "servername",
                                     "client_hello", "alpn",        "verify"};

static void shake(void)
{
    for (int turn = 0; turn < 6; turn++) {
        ERR_clear_error();
        if (!freed_client)
            SSL_do_handshake(ends.client);
        ERR_clear_error();
        if (!freed_server)
            SSL_do_handshake(ends.server);
    }
    ERR_clear_error();
    if (!freed_client)
        SSL_free(ends.client);
    if (!freed_server)
        SSL_free(ends.server);
    freed_client = freed_server = depth = 0;
}

static void set_callback(enum place place, SSL_CTX *client, SSL_CTX *server)
{
    switch (place) {
    case STATUS:
        SSL_CTX_set_tlsext_status_cb(client, on_status);
        SSL_CTX_set_tlsext_status_cb(server, on_status);
        break;
    case CERTIFICATE:
        SSL_CTX_set_cert_cb(client, on_certificate, NULL);
        SSL_CTX_set_cert_cb(server, on_certificate, NULL);
        break;
    case NAME:
        SSL_CTX_set_tlsext_servername_callback(server, on_name);
        break;
    case HELLO:
        SSL_CTX_set_client_hello_cb(server, on_hello, NULL);
        break;
    case ALPN:
        SSL_CTX_set_alpn_select_cb(server, on_alpn, NULL);
        break;
    default:
        SSL_CTX_set_verify(client, SSL_VERIFY_PEER, on_verify);
    }
}

static void run(int version, enum place place, deed client_does, deed server_does)
{
    SSL_CTX *client = client_context(version);
    SSL_CTX *server = server_context(version, "server");

    SSL_CTX_set_info_callback(client, NULL);
    SSL_CTX_set_info_callback(server, NULL);
    SSL_CTX_set_tlsext_status_type(client, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_set_alpn_protos(client, (const unsigned char *)"\2h2", 3);
    set_callback(place, client, server);
    on_client = client_does;
    on_server = server_does;
    ends = make_ends(client, server);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    shake();
}

/* --- from another thread ---------------------------------------------------------------------- */

static atomic_int stop;

static void *change_the_context(void *argument)
{
    SSL_CTX *context = argument;

    while (!atomic_load(&stop)) {
        SSL_CTX_set_tlsext_status_cb(context, other_callback);
        SSL_CTX_set_tlsext_status_arg(context, context);
        SSL_CTX_set_tlsext_status_type(context, TLSEXT_STATUSTYPE_ocsp);
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
        SSL_CTX_set_verify_depth(context, 9);
    }
    return NULL;
}

static void from_another_thread(int version)
{
    SSL_CTX *client = client_context(version);
    SSL_CTX *server = server_context(version, "server");
    pthread_t thread;

    SSL_CTX_set_info_callback(client, NULL);
    SSL_CTX_set_info_callback(server, NULL);
    atomic_store(&stop, 0);
    if (pthread_create(&thread, NULL, change_the_context, client) != 0)
        broken("pthread_create");
    for (int time = 0; time < 20; time++) {
        ends = make_ends(client, server);
        shake();
    }
    atomic_store(&stop, 1);
    pthread_join(thread, NULL);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    for (int at = 0; at < 2; at++) {
        int version = versions[at];

        for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) {
            for (int place = 0; place < PLACES; place++) {
                if (begin("%s, server, %s: %s", version_name(version), places[place],
                          deeds[i].name))
                    run(version, place, nothing, deeds[i].does);
                if (begin("%s, client, %s: %s", version_name(version), places[place],
                          deeds[i].name))
                    run(version, place, deeds[i].does, nothing);
            }
        }
        if (begin("%s, the context changes in another thread", version_name(version)))
            from_another_thread(version);
    }
    return finish();
}
