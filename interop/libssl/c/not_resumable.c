/*
 * Sessions that a server does not want to be resumed: when its callback is asked, what it is told,
 * and what becomes of the session on both ends.
 */
#include "harness.h"

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static int answer;

static int on_session(SSL *ssl, int forward_secure)
{
    say("%s: not resumable? forward secure %d, answer %d", side(ssl), forward_secure, answer);
    return answer;
}

static int on_certificate(SSL *ssl, void *argument)
{
    (void)argument;
    say("%s: certificate", side(ssl));
    return 1;
}

static int on_status(SSL *ssl, void *argument)
{
    (void)argument;
    say("%s: status", side(ssl));
    return SSL_TLSEXT_ERR_NOACK;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                   const unsigned char *in, unsigned in_length, void *argument)
{
    (void)out, (void)out_length, (void)in, (void)in_length, (void)argument;
    say("%s: alpn", side(ssl));
    return SSL_TLSEXT_ERR_NOACK;
}

static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
    say("%s: new session, resumable %d", side(ssl), SSL_SESSION_is_resumable(session));
    return 0;
}

static void say_session(const SSL *ssl)
{
    const SSL_SESSION *session = SSL_get_session(ssl);
    unsigned length = 0;

    say("%s: session %s, resumable %d", side(ssl), session != NULL ? "there" : "NULL",
        session != NULL && SSL_SESSION_is_resumable(session));
    if (session != NULL)
        SSL_SESSION_get_id(session, &length);
    say("%s: id %s, ticket %d", side(ssl), length > 0 ? "there" : "none",
        session != NULL && SSL_SESSION_has_ticket(session));
}

enum { CONTEXT, CONNECTION, COMMAND, COMMAND_ON_CONNECTION, REPLACED };

static void set(int how, SSL_CTX *server, SSL *ssl)
{
    switch (how) {
    case CONTEXT:
        if (ssl == NULL)
            SSL_CTX_set_not_resumable_session_callback(server, on_session);
        break;
    case CONNECTION:
        if (ssl != NULL)
            SSL_set_not_resumable_session_callback(ssl, on_session);
        break;
    case COMMAND:
        if (ssl == NULL)
            SAY_LONG(SSL_CTX_callback_ctrl(server, SSL_CTRL_SET_NOT_RESUMABLE_SESS_CB,
                                           (void (*)(void))on_session));
        break;
    case COMMAND_ON_CONNECTION:
        if (ssl != NULL)
            SAY_LONG(SSL_callback_ctrl(ssl, SSL_CTRL_SET_NOT_RESUMABLE_SESS_CB,
                                       (void (*)(void))on_session));
        break;
    default:
        SSL_CTX_set_not_resumable_session_callback(server, ssl == NULL ? on_session : NULL);
    }
}

/* A handshake, and one that offers its session. */
static void twice(int version, int how, int tickets, int says)
{
    SSL_CTX *client = client_context(version), *server = server_context(version, "server");
    SSL_SESSION *session = NULL;

    SSL_CTX_set_alpn_protos(client, (const unsigned char *)"\2h2", 3);
    SSL_CTX_set_alpn_select_cb(server, on_alpn, NULL);
    SSL_CTX_set_cert_cb(server, on_certificate, NULL);
    SSL_CTX_set_tlsext_status_type(client, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_set_tlsext_status_cb(server, on_status);
    SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(client, on_new_session);
    SSL_CTX_sess_set_new_cb(server, on_new_session);
    if (!tickets)
        SSL_CTX_set_options(server, SSL_OP_NO_TICKET);
    answer = says;
    set(how, server, NULL);
    for (int time = 0; time < 2; time++) {
        struct ends ends = make_ends(client, server);

        set(how, server, ends.server);
        if (session != NULL)
            SSL_set_session(ends.client, session);
        SSL_SESSION_free(session);
        handshake(&ends);
        say_session(ends.client);
        say_session(ends.server);
        session = SSL_get1_session(ends.client);
        SSL_shutdown(ends.client);
        SSL_shutdown(ends.server);
        free_ends(&ends);
        SAY_LONG(SSL_CTX_sess_number(server));
    }
    SSL_SESSION_free(session);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

int main(int argc, char **argv)
{
    static const char *const hows[] = {"on the context", "on the connection", "by command",
                                       "by command on the connection", "taken away afterwards"};

    start(argc, argv);
    for (int at = 0; at < 2; at++)
        for (int how = CONTEXT; how <= REPLACED; how++)
            for (int rest = 0; rest < 4; rest++)
                if (begin("%s, %s, tickets %d, answer %d", version_name(versions[at]), hows[how],
                          rest & 1, rest >> 1))
                    twice(versions[at], how, rest & 1, rest >> 1);
    return finish();
}
