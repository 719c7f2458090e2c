/*
 * Resumption: no certificate, no status. By ticket and by id, in both versions. Where the man page
 * and OpenSSL differ (TLS 1.3, the client's callback), the runner's table says which line is ours.
 */
#include "harness.h"

enum kept { TICKET, ID, STATEFUL_TICKET };

static const char *const kept_names[] = {"ticket", "id", "stateful ticket"};

static SSL_SESSION *newest;

static int on_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(newest);
    newest = session;
    return 1;
}

static int on_server(SSL *ssl, void *argument)
{
    (void)argument;
    say("%s: status callback", side(ssl));
    set_response(ssl, 100, 1);
    return SSL_TLSEXT_ERR_OK;
}

static int on_client(SSL *ssl, void *argument)
{
    (void)argument;
    say("%s: status callback, %s", side(ssl), SSL_session_reused(ssl) ? "resumed" : "full");
    say_response(ssl, "in the callback");
    return 1;
}

static int on_certificate(SSL *ssl, void *argument)
{
    (void)argument;
    say("%s: certificate callback", side(ssl));
    return 1;
}

static int on_name(SSL *ssl, int *alert, void *argument)
{
    (void)alert, (void)argument;
    say("%s: servername", side(ssl));
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *keeping_client(int version)
{
    SSL_CTX *client = client_context(version);

    SSL_CTX_set_tlsext_status_type(client, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_set_tlsext_status_cb(client, on_client);
    SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(client, on_session);
    return client;
}

static SSL_CTX *resuming_server(int version, enum kept kept)
{
    SSL_CTX *server = server_context(version, "server");

    SSL_CTX_set_tlsext_status_cb(server, on_server);
    SSL_CTX_set_tlsext_servername_callback(server, on_name);
    SSL_CTX_set_cert_cb(server, on_certificate, NULL);
    if (kept != TICKET)
        SSL_CTX_set_options(server, SSL_OP_NO_TICKET);
    return server;
}

static void once(SSL_CTX *client, SSL_CTX *server, SSL_SESSION *session, int type)
{
    struct ends ends = make_ends(client, server);

    if (session != NULL && SSL_set_session(ends.client, session) != 1)
        broken("SSL_set_session");
    SSL_set_tlsext_status_type(ends.client, type);
    handshake(&ends);
    say_response(ends.client, "after");
    say_response(ends.server, "after");
    say("types: client %ld, server %ld", (long)SSL_get_tlsext_status_type(ends.client),
        (long)SSL_get_tlsext_status_type(ends.server));
    say("verify result %ld, peer %s", SSL_get_verify_result(ends.client),
        SSL_get0_peer_certificate(ends.client) != NULL ? "there" : "NULL");
    /* Without a goodbye a session is not to be resumed. */
    SSL_shutdown(ends.client);
    SSL_shutdown(ends.server);
    free_ends(&ends);
}

static void resume(int version, enum kept kept, int first, int second)
{
    SSL_CTX *client, *server;
    SSL_SESSION *session;

    if (!begin("%s, by %s, type %d and then %d", version_name(version), kept_names[kept], first,
               second))
        return;
    client = keeping_client(version);
    server = resuming_server(version, kept);
    once(client, server, NULL, first);
    session = newest;
    newest = NULL;
    SAY_PRESENT(session);
    if (session != NULL) {
        SAY_LONG(SSL_SESSION_is_resumable(session));
        once(client, server, session, second);
    }
    SSL_SESSION_free(session);
    SSL_SESSION_free(newest);
    newest = NULL;
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

/* The server has forgotten the session: a full handshake, with all callbacks. */
static void forgotten(int version, enum kept kept)
{
    SSL_CTX *client, *server;
    SSL_SESSION *session;

    if (!begin("%s, by %s, the server has forgotten", version_name(version), kept_names[kept]))
        return;
    client = keeping_client(version);
    server = resuming_server(version, kept);
    once(client, server, NULL, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_free(server);
    server = resuming_server(version, kept);
    session = newest;
    newest = NULL;
    if (session != NULL)
        once(client, server, session, TLSEXT_STATUSTYPE_ocsp);
    SSL_SESSION_free(session);
    SSL_SESSION_free(newest);
    newest = NULL;
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

int main(int argc, char **argv)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    static const int asked = TLSEXT_STATUSTYPE_ocsp;

    start(argc, argv);
    for (int at = 0; at < 2; at++) {
        int version = versions[at];
        enum kept stateful = version == TLS1_2_VERSION ? ID : STATEFUL_TICKET;

        for (int kept = 0; kept < 2; kept++) {
            enum kept how = kept ? stateful : TICKET;

            resume(version, how, asked, asked);
            resume(version, how, -1, asked);
            resume(version, how, asked, -1);
            resume(version, how, 2, 2);
            forgotten(version, how);
        }
    }
    return finish();
}
