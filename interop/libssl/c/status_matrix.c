/*
 * The man page of SSL_CTX_set_tlsext_status_cb as a matrix: the version, what the client asks for,
 * what its callback answers, and what the server's callback does.
 */
#include "harness.h"

enum asked { ASKED_NO, ASKED_BY_CONTEXT, ASKED_BY_CONNECTION, ASKED_OTHER, ASKED_COUNT };
enum client { CLIENT_NONE, CLIENT_ACCEPTS, CLIENT_REJECTS, CLIENT_ERROR, CLIENT_COUNT };
enum server {
    SERVER_NONE,
    SERVER_OK_WITH,
    SERVER_OK_WITHOUT,
    SERVER_NOACK,
    SERVER_WARNING,
    SERVER_FATAL,
    SERVER_99,
    SERVER_COUNT
};

static const char *const asked_names[] = {"no", "by context", "by connection", "other type"};
static const char *const client_names[] = {"none", "1", "0", "-1"};
static const char *const server_names[] = {
    "none", "ok with response", "ok without response", "noack", "alert_warning", "alert_fatal", "99",
};

struct answer {
    enum client client;
    enum server server;
    int client_calls;
    int server_calls;
};

static int on_client(SSL *ssl, void *argument)
{
    static const int returns[] = {0, 1, 0, -1};
    struct answer *answer = argument;

    answer->client_calls++;
    say("%s: status callback, type %ld", side(ssl), (long)SSL_get_tlsext_status_type(ssl));
    say_response(ssl, "in the callback");
    return returns[answer->client];
}

static int on_server(SSL *ssl, void *argument)
{
    struct answer *answer = argument;

    answer->server_calls++;
    say("%s: status callback, type %ld", side(ssl), (long)SSL_get_tlsext_status_type(ssl));
    say_response(ssl, "in the callback");
    switch (answer->server) {
    case SERVER_OK_WITH:
        set_response(ssl, 300, 7);
        say_response(ssl, "once set");
        return SSL_TLSEXT_ERR_OK;
    case SERVER_OK_WITHOUT:
        return SSL_TLSEXT_ERR_OK;
    case SERVER_NOACK:
        set_response(ssl, 300, 7);
        return SSL_TLSEXT_ERR_NOACK;
    case SERVER_WARNING:
        return SSL_TLSEXT_ERR_ALERT_WARNING;
    case SERVER_FATAL:
        set_response(ssl, 300, 7);
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    default:
        return 99;
    }
}

static void say_types(const struct ends *ends, const char *when)
{
    say("types %s: client %ld, server %ld", when, (long)SSL_get_tlsext_status_type(ends->client),
        (long)SSL_get_tlsext_status_type(ends->server));
}

static void run(int version, enum asked asked, enum client client, enum server server)
{
    struct answer answer = {client, server, 0, 0};
    SSL_CTX *client_ctx = client_context(version);
    SSL_CTX *server_ctx = server_context(version, "server");
    struct ends ends;

    if (asked == ASKED_BY_CONTEXT)
        SSL_CTX_set_tlsext_status_type(client_ctx, TLSEXT_STATUSTYPE_ocsp);
    if (client != CLIENT_NONE)
        SSL_CTX_set_tlsext_status_cb(client_ctx, on_client);
    SSL_CTX_set_tlsext_status_arg(client_ctx, &answer);
    if (server != SERVER_NONE)
        SSL_CTX_set_tlsext_status_cb(server_ctx, on_server);
    SSL_CTX_set_tlsext_status_arg(server_ctx, &answer);
    ends = make_ends(client_ctx, server_ctx);
    if (asked == ASKED_BY_CONNECTION)
        SSL_set_tlsext_status_type(ends.client, TLSEXT_STATUSTYPE_ocsp);
    if (asked == ASKED_OTHER)
        SSL_set_tlsext_status_type(ends.client, 2);
    say_types(&ends, "before");
    handshake(&ends);
    say_types(&ends, "after");
    say_response(ends.client, "after");
    say_response(ends.server, "after");
    say("callbacks: client %d, server %d", answer.client_calls, answer.server_calls);
    free_ends(&ends);
    SSL_CTX_free(client_ctx);
    SSL_CTX_free(server_ctx);
}

int main(int argc, char **argv)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    start(argc, argv);
    for (int version = 0; version < 2; version++)
        for (int asked = 0; asked < ASKED_COUNT; asked++)
            for (int client = 0; client < CLIENT_COUNT; client++)
                for (int server = 0; server < SERVER_COUNT; server++)
                    if (begin("%s, asked %s, client %s, server %s",
                              version_name(versions[version]), asked_names[asked],
                              client_names[client], server_names[server]))
                        run(versions[version], asked, client, server);
    return finish();
}
