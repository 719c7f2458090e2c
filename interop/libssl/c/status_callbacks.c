/*
 * Status inside callbacks: the type that a server's callbacks set, odd lengths of responses, and
 * the staple as soon as it has come, also in the verification callback and after it has failed.
 */
#include "harness.h"

#include <string.h>

/* --- lengths ---------------------------------------------------------------------------------- */

static void say_pointer(SSL *ssl, const char *when)
{
    unsigned char *response = (unsigned char *)-1;
    long length = SSL_get_tlsext_status_ocsp_resp(ssl, &response);

    say("%s: %ld, %s", when, length, response == NULL ? "NULL" : "a pointer");
}

static void lengths(long length, int is_null)
{
    SSL_CTX *context;
    SSL *ssl;

    if (!begin("%s of length %ld", is_null ? "NULL" : "a response", length))
        return;
    context = SSL_CTX_new(TLS_method());
    ssl = SSL_new(context);
    say_pointer(ssl, "before");
    SAY_LONG(SSL_set_tlsext_status_ocsp_resp(ssl, is_null ? NULL : new_response(10, 1), length));
    say_pointer(ssl, "set");
    SSL_clear(ssl);
    say_pointer(ssl, "cleared");
    SAY_LONG(SSL_set_tlsext_status_ocsp_resp(ssl, NULL, 0));
    say_pointer(ssl, "unset");
    SSL_free(ssl);
    SSL_CTX_free(context);
}

/* --- the type in a server's callbacks --------------------------------------------------------- */

enum when { NEVER, BEFORE, IN_HELLO, IN_NAME, IN_CERTIFICATE, IN_STATUS };

static const char *const when_names[] = {"never", "before", "in the ClientHello callback",
                                         "in the name callback", "in the certificate callback",
                                         "in the status callback"};
static enum when sets;
static int type_to_set, answer;

static void visit(SSL *ssl, enum when when, const char *name)
{
    say("%s callback, type %ld", name, (long)SSL_get_tlsext_status_type(ssl));
    if (sets == when) {
        SAY_LONG(SSL_set_tlsext_status_type(ssl, type_to_set));
        say("type %ld", (long)SSL_get_tlsext_status_type(ssl));
    }
}

static int on_hello(SSL *ssl, int *alert, void *argument)
{
    (void)alert, (void)argument;
    visit(ssl, IN_HELLO, "ClientHello");
    return SSL_CLIENT_HELLO_SUCCESS;
}

static int on_name(SSL *ssl, int *alert, void *argument)
{
    (void)alert, (void)argument;
    visit(ssl, IN_NAME, "name");
    return SSL_TLSEXT_ERR_OK;
}

static int on_certificate(SSL *ssl, void *argument)
{
    (void)argument;
    visit(ssl, IN_CERTIFICATE, "certificate");
    return 1;
}

static int on_status(SSL *ssl, void *argument)
{
    (void)argument;
    visit(ssl, IN_STATUS, "status");
    set_response(ssl, 20, 5);
    return answer;
}

static int on_client(SSL *ssl, void *argument)
{
    (void)argument;
    say_response(ssl, "in the callback");
    return 1;
}

static void type_set(int version, enum when when, int type, int result)
{
    SSL_CTX *client, *server;
    struct ends ends;

    if (!begin("%s, type %d set %s, answer %d", version_name(version), type, when_names[when],
               result))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    SSL_CTX_set_tlsext_status_type(client, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_set_tlsext_status_cb(client, on_client);
    SSL_CTX_set_client_hello_cb(server, on_hello, NULL);
    SSL_CTX_set_tlsext_servername_callback(server, on_name);
    SSL_CTX_set_cert_cb(server, on_certificate, NULL);
    SSL_CTX_set_tlsext_status_cb(server, on_status);
    sets = when, type_to_set = type, answer = result;
    ends = make_ends(client, server);
    SAY_LONG(SSL_get_tlsext_status_type(ends.server));
    if (when == BEFORE)
        SSL_set_tlsext_status_type(ends.server, type);
    SAY_LONG(SSL_get_tlsext_status_type(ends.server));
    handshake(&ends);
    SAY_LONG(SSL_get_tlsext_status_type(ends.server));
    SSL_set_tlsext_status_type(ends.server, 5);
    SAY_LONG(SSL_get_tlsext_status_type(ends.server));
    SSL_clear(ends.server);
    SAY_LONG(SSL_get_tlsext_status_type(ends.server));
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

/* --- the staple in the verification callback -------------------------------------------------- */

static int accepts;

static int on_verify(int good, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());

    (void)good;
    if (X509_STORE_CTX_get_error_depth(store) == 0)
        say_response(ssl, "in the verification callback");
    return accepts;
}

static void staple_seen(int version, int result, int asks, const char *who)
{
    SSL_CTX *client, *server;
    struct ends ends;

    if (!begin("%s, the staple of %s, verification %d, asked %d", version_name(version), who,
               result, asks))
        return;
    client = client_context(version);
    server = server_context(version, who);
    SSL_CTX_set_verify(client, SSL_VERIFY_PEER, on_verify);
    if (asks)
        SSL_CTX_set_tlsext_status_type(client, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_set_tlsext_status_cb(client, on_client);
    SSL_CTX_set_tlsext_status_cb(server, on_status);
    sets = NEVER, accepts = result, answer = SSL_TLSEXT_ERR_OK;
    ends = make_ends(client, server);
    set_response(ends.client, 7, 2);
    handshake(&ends);
    say_response(ends.client, "after the handshake");
    SSL_clear(ends.client);
    say_response(ends.client, "cleared");
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void of_version(int version)
{
    enum when when;

    for (when = NEVER; when <= IN_STATUS; when++) {
        type_set(version, when, -1, SSL_TLSEXT_ERR_OK);
        type_set(version, when, 1, SSL_TLSEXT_ERR_OK);
        type_set(version, when, -1, SSL_TLSEXT_ERR_NOACK);
        type_set(version, when, -1, SSL_TLSEXT_ERR_ALERT_FATAL);
    }
    staple_seen(version, 1, 1, "server");
    staple_seen(version, 0, 1, "server");
    staple_seen(version, 1, 1, "stranger");
    staple_seen(version, 0, 1, "stranger");
    staple_seen(version, 1, 0, "server");
    staple_seen(version, 0, 0, "stranger");
}

int main(int argc, char **argv)
{
    static const long values[] = {-2147483647L, -5, -1, 0, 1, 10};
    size_t nth;

    start(argc, argv);
    for (nth = 0; nth < sizeof(values) / sizeof(values[0]); nth++) {
        lengths(values[nth], 0);
        lengths(values[nth], 1);
    }
    of_version(TLS1_2_VERSION);
    of_version(TLS1_3_VERSION);
    return finish();
}
