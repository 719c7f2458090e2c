/*
 * Contexts that live long and are used by many: two threads that share them, callbacks that another
 * thread replaces between handshakes, and memory that is given back after each of many connections.
 */
#define _GNU_SOURCE
#include "harness.h"

#include <malloc.h>
#include <pthread.h>
#include <string.h>

enum { CONNECTIONS = 8, BATCH = 8, BATCHES = 4, TURNS = 20, MESSAGE = 3000 };

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

struct shared {
    SSL_CTX *client;
    SSL_CTX *server;
};

static struct shared share(int version)
{
    struct shared shared = {client_context(version), server_context(version, "server")};

    SSL_CTX_set_info_callback(shared.client, NULL);
    SSL_CTX_set_info_callback(shared.server, NULL);
    return shared;
}

static void free_shared(struct shared *shared)
{
    SSL_CTX_free(shared->client);
    SSL_CTX_free(shared->server);
}

/* A handshake and a message each way, without a word; 1 when all of it went well. */
static int talk(struct ends *ends)
{
    static const char sent[MESSAGE] = "a message";
    char received[MESSAGE];
    int done = 0;

    for (int turn = 0; turn < TURNS && !done; turn++) {
        int of_client = SSL_do_handshake(ends->client);
        int of_server = SSL_do_handshake(ends->server);

        done = of_client == 1 && of_server == 1;
    }
    return done && SSL_write(ends->client, sent, MESSAGE) == MESSAGE
           && SSL_read(ends->server, received, MESSAGE) == MESSAGE
           && SSL_write(ends->server, received, MESSAGE) == MESSAGE
           && SSL_read(ends->client, received, MESSAGE) == MESSAGE
           && memcmp(sent, received, MESSAGE) == 0 && SSL_shutdown(ends->client) == 0
           && SSL_shutdown(ends->server) == 0 && SSL_shutdown(ends->server) == 1;
}

/* --- two threads ------------------------------------------------------------------------------ */

struct worker {
    pthread_t thread;
    struct shared *shared;
    int good;
};

static void *work(void *argument)
{
    struct worker *worker = argument;

    for (int at = 0; at < CONNECTIONS; at++) {
        struct ends ends = make_ends(worker->shared->client, worker->shared->server);

        worker->good += talk(&ends);
        free_ends(&ends);
    }
    return NULL;
}

static int staple(SSL *ssl, void *argument)
{
    (void)argument;
    return set_response(ssl, 500, 3) == 1 ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int take_staple(SSL *ssl, void *argument)
{
    const unsigned char *response = NULL;

    (void)argument;
    return SSL_get_tlsext_status_ocsp_resp(ssl, &response) == 500;
}

static void two_threads(int version)
{
    struct shared shared = share(version);
    struct worker workers[2] = {{.shared = &shared}, {.shared = &shared}};

    SSL_CTX_set_tlsext_status_type(shared.client, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_set_tlsext_status_cb(shared.client, take_staple);
    SSL_CTX_set_tlsext_status_cb(shared.server, staple);
    for (int at = 0; at < 2; at++)
        if (pthread_create(&workers[at].thread, NULL, work, &workers[at]) != 0)
            broken("pthread_create");
    for (int at = 0; at < 2; at++)
        pthread_join(workers[at].thread, NULL);
    for (int at = 0; at < 2; at++)
        say("a thread: %d of %d connections", workers[at].good, CONNECTIONS);
    free_shared(&shared);
}

/* --- callbacks that another thread replaces --------------------------------------------------- */

static int first_callback(SSL *ssl, void *argument)
{
    say("%s: first callback, argument %s", side(ssl), (const char *)argument);
    return SSL_is_server(ssl) ? SSL_TLSEXT_ERR_NOACK : 1;
}

static int second_callback(SSL *ssl, void *argument)
{
    say("%s: second callback, argument %s", side(ssl), (const char *)argument);
    return SSL_is_server(ssl) ? SSL_TLSEXT_ERR_NOACK : 1;
}

static void *replace(void *argument)
{
    struct shared *shared = argument;

    SSL_CTX_set_tlsext_status_cb(shared->client, second_callback);
    SSL_CTX_set_tlsext_status_arg(shared->client, (void *)"of another thread");
    SSL_CTX_set_tlsext_status_cb(shared->server, second_callback);
    SSL_CTX_set_tlsext_status_arg(shared->server, (void *)"of another thread");
    return NULL;
}

static void replaced_callbacks(int version)
{
    struct shared shared = share(version);
    struct ends before, after;
    pthread_t thread;

    SSL_CTX_set_tlsext_status_type(shared.client, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_set_tlsext_status_cb(shared.client, first_callback);
    SSL_CTX_set_tlsext_status_arg(shared.client, (void *)"of the start");
    SSL_CTX_set_tlsext_status_cb(shared.server, first_callback);
    SSL_CTX_set_tlsext_status_arg(shared.server, (void *)"of the start");
    connect_once(shared.client, shared.server);
    before = make_ends(shared.client, shared.server);
    if (pthread_create(&thread, NULL, replace, &shared) != 0)
        broken("pthread_create");
    pthread_join(thread, NULL);
    after = make_ends(shared.client, shared.server);
    say("connections made before the callbacks were replaced");
    handshake(&before);
    say("connections made after it");
    handshake(&after);
    free_ends(&before);
    free_ends(&after);
    free_shared(&shared);
}

/* --- memory ----------------------------------------------------------------------------------- */

static long in_use(void)
{
    struct mallinfo2 heap = mallinfo2();

    return (long)(heap.uordblks + heap.hblkhd);
}

/* Many connections, each with the session of the one before, if it `resumes`. */
static void some_connections(struct shared *shared, int resumes)
{
    SSL_SESSION *session = NULL;
    int good = 0;

    for (int at = 0; at < BATCH; at++) {
        struct ends ends = make_ends(shared->client, shared->server);

        if (session != NULL)
            SSL_set_session(ends.client, session);
        good += talk(&ends);
        SSL_SESSION_free(session);
        session = resumes ? SSL_get1_session(ends.client) : NULL;
        free_ends(&ends);
    }
    SSL_SESSION_free(session);
    if (good != BATCH)
        say("%d of %d connections", good, BATCH);
}

/* What leaks grows in every batch; what an allocator keeps for later does so in the first ones. */
static void growth(int version, int resumes)
{
    struct shared shared = share(version);
    long least = 0;

    SSL_CTX_set_session_cache_mode(shared.server, SSL_SESS_CACHE_OFF);
    some_connections(&shared, resumes);
    for (int at = 0; at < BATCHES; at++) {
        long before = in_use();

        some_connections(&shared, resumes);
        if (at == 0 || in_use() - before < least)
            least = in_use() - before;
    }
    if (least > 0)
        say("memory grows by %ld bytes in %d connections", least, BATCH);
    else
        say("memory does not grow");
    free_shared(&shared);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    for (int at = 0; at < 2; at++) {
        int version = versions[at];

        if (begin("%s, two threads share the contexts", version_name(version)))
            two_threads(version);
        if (begin("%s, another thread replaces the callbacks", version_name(version)))
            replaced_callbacks(version);
        if (begin("%s, many connections", version_name(version)))
            growth(version, 0);
        if (begin("%s, many resumptions", version_name(version)))
            growth(version, 1);
    }
    return finish();
}
