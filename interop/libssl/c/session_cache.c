/*
 * The cache of a context: its size, the order in which sessions leave, times that change, flushes,
 * modes with a cache inside and outside, and values that a program hangs onto sessions.
 */
#include "harness.h"

#include <string.h>

static unsigned first_byte(SSL_SESSION *session)
{
    unsigned length;
    const unsigned char *id = SSL_SESSION_get_id(session, &length);

    return length > 0 ? id[0] : 0;
}

static void on_remove(SSL_CTX *context, SSL_SESSION *session)
{
    (void)context;
    say("removed: %u, resumable %d", first_byte(session), SSL_SESSION_is_resumable(session));
}

static SSL_SESSION *session_of(int number, int version, long time, long timeout)
{
    SSL_SESSION *session = SSL_SESSION_new();
    unsigned char id[32] = {(unsigned char)number};

    SSL_SESSION_set1_id(session, id, sizeof id);
    SSL_SESSION_set_protocol_version(session, version);
    SSL_SESSION_set_time(session, time);
    SSL_SESSION_set_timeout(session, timeout);
    return session;
}

static SSL_CTX *context_with(long size)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    SSL_CTX_sess_set_cache_size(context, size);
    SSL_CTX_sess_set_remove_cb(context, on_remove);
    return context;
}

static void add(SSL_CTX *context, SSL_SESSION *session)
{
    int number = (int)first_byte(session), added = SSL_CTX_add_session(context, session);

    say("add %d: %d, %ld in the cache, full %ld times", number, added,
        (long)SSL_CTX_sess_number(context), (long)SSL_CTX_sess_cache_full(context));
}

static void sizes(long size)
{
    static const long timeouts[] = {100, 300, 50, 50, 200, 10, 1000, 100, 100, 100};
    SSL_CTX *context;

    if (!begin("a cache of %ld", size))
        return;
    context = context_with(size);
    for (int at = 0; at < 10; at++) {
        SSL_SESSION *session = session_of(at + 1, TLS1_2_VERSION, 1000, timeouts[at]);

        add(context, session);
        if (at == 4) {
            SSL_SESSION *same = session_of(2, TLS1_2_VERSION, 1000, 5);
            SSL_SESSION *other = session_of(2, TLS1_3_VERSION, 1000, 5);

            add(context, same);
            add(context, same);
            add(context, other);
            SSL_SESSION_free(same);
            SSL_SESSION_free(other);
        }
        SSL_SESSION_free(session);
    }
    SAY_LONG(SSL_CTX_sess_set_cache_size(context, 2));
    SAY_LONG(SSL_CTX_sess_number(context));
    for (int at = 0; at < 3; at++) {
        SSL_SESSION *session = session_of(at + 20, TLS1_2_VERSION, 1000, 100);

        add(context, session);
        SSL_SESSION_free(session);
    }
    SSL_CTX_free(context);
}

static void flushes(void)
{
    SSL_CTX *context;
    SSL_SESSION *sessions[6];
    static const long times[] = {1000, 1000, 2000, 50, 0, 1L << 62};
    static const long timeouts[] = {100, 0, 10, 60, 7, 1L << 62};

    if (!begin("flushes"))
        return;
    context = context_with(0);
    for (int at = 0; at < 6; at++) {
        sessions[at] = session_of(at + 1, TLS1_2_VERSION, times[at], timeouts[at]);
        add(context, sessions[at]);
    }
    SSL_CTX_flush_sessions(context, 7);
    SAY_LONG(SSL_CTX_sess_number(context));
    SSL_CTX_flush_sessions(context, 1000);
    SAY_LONG(SSL_CTX_sess_number(context));
    /* The cache follows times that change. */
    SAY_LONG(SSL_SESSION_set_timeout(sessions[0], 1L << 40));
    SAY_LONG(SSL_SESSION_set_time(sessions[2], 1));
    SAY_LONG(SSL_SESSION_get_timeout(sessions[0]));
    SSL_CTX_flush_sessions(context, 1500);
    SAY_LONG(SSL_CTX_sess_number(context));
    SSL_CTX_flush_sessions(context, 0x7FFFFFFFFFFFFFF0);
    SAY_LONG(SSL_CTX_sess_number(context));
    SAY_LONG(SSL_CTX_remove_session(context, sessions[5]));
    SAY_LONG(SSL_CTX_remove_session(context, sessions[5]));
    SAY_LONG(SSL_CTX_remove_session(context, sessions[1]));
    for (int at = 0; at < 6; at++) {
        add(context, sessions[at]);
        SSL_SESSION_free(sessions[at]);
    }
    SSL_CTX_flush_sessions(context, 0);
    SAY_LONG(SSL_CTX_sess_number(context));
    SSL_CTX_free(context);
}

static void times(void)
{
    SSL_CTX *context;
    SSL_SESSION *session;
    static const long timeouts[] = {1L << 40, -5, 0, 77};

    if (!begin("time-outs"))
        return;
    context = SSL_CTX_new(TLS_server_method());
    SAY_LONG(SSL_CTX_get_timeout(context));
    for (int at = 0; at < 4; at++) {
        SAY_LONG(SSL_CTX_set_timeout(context, timeouts[at]));
        SAY_LONG(SSL_CTX_get_timeout(context));
    }
    session = SSL_SESSION_new();
    SAY_LONG(SSL_SESSION_set_timeout(session, -1));
    SAY_LONG(SSL_SESSION_set_timeout(session, 1L << 40));
    SAY_LONG(SSL_SESSION_get_timeout(session));
    SSL_SESSION_free(session);
    SSL_CTX_free(context);
}

/* --- sessions of handshakes --------------------------------------------------------------------- */

static SSL_SESSION *newest;

static int on_new_of_client(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(newest);
    newest = session;
    return 1;
}

static SSL_CTX *keeping_client(int version)
{
    SSL_CTX *client = client_context(version);

    SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(client, on_new_of_client);
    return client;
}

static SSL_SESSION *taken(void)
{
    SSL_SESSION *session = newest;

    newest = NULL;
    return session;
}

static struct ends connected(SSL_CTX *client, SSL_CTX *server, SSL_SESSION *offered)
{
    struct ends ends = make_ends(client, server);

    if (offered != NULL)
        SSL_set_session(ends.client, offered);
    handshake(&ends);
    SSL_shutdown(ends.client);
    SSL_shutdown(ends.server);
    return ends;
}

/* The time-out of the context counts when the session is made, also after SSL_new. */
static void late_timeout(int version, long options, long timeout)
{
    SSL_CTX *client, *server;
    struct ends ends;

    if (!begin("%s, a time-out of %ld that is set after SSL_new%s", version_name(version), timeout,
               options & SSL_OP_NO_TICKET ? ", no tickets" : ""))
        return;
    client = keeping_client(version);
    server = server_context(version, "server");
    SSL_CTX_set_options(server, options);
    ends = make_ends(client, server);
    SSL_CTX_set_timeout(server, timeout);
    SSL_CTX_set_timeout(client, timeout);
    handshake(&ends);
    SAY_LONG(SSL_SESSION_get_timeout(SSL_get_session(ends.server)));
    SAY_LONG(SSL_SESSION_get_timeout(SSL_get_session(ends.client)));
    /* Longer than a week and negative times have no meaning in a ticket. */
    if (timeout >= 0 && timeout <= 604800)
        SAY_LONG(SSL_SESSION_get_ticket_lifetime_hint(SSL_get_session(ends.client)));
    free_ends(&ends);
    SSL_SESSION_free(taken());
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

/* A session whose time is over makes a full handshake, and leaves the cache. */
static void expired(int version, long options)
{
    SSL_CTX *client, *server;
    struct ends ends;
    SSL_SESSION *session;

    if (!begin("%s, a session that has expired%s", version_name(version),
               options & SSL_OP_NO_TICKET ? ", no tickets" : ""))
        return;
    client = keeping_client(version);
    server = server_context(version, "server");
    SSL_CTX_set_options(server, options);
    SSL_CTX_set_num_tickets(server, 1);
    SSL_CTX_sess_set_remove_cb(server, NULL);
    ends = connected(client, server, NULL);
    SSL_SESSION_set_time(SSL_get_session(ends.server), 1000);
    free_ends(&ends);
    session = taken();
    ends = connected(client, server, session);
    free_ends(&ends);
    SAY_LONG(SSL_CTX_sess_timeouts(server));
    SAY_LONG(SSL_CTX_sess_hits(server));
    SSL_SESSION_free(session);
    SSL_SESSION_free(taken());
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

/* --- caches inside and outside ------------------------------------------------------------------- */

static SSL_SESSION *kept[8];
static unsigned next_kept;

static int on_new(SSL *ssl, SSL_SESSION *session)
{
    unsigned at = next_kept++ % 8;

    (void)ssl;
    say("new session");
    SSL_SESSION_free(kept[at]);
    kept[at] = session;
    return 1;
}

static SSL_SESSION *on_get(SSL *ssl, const unsigned char *id, int length, int *copy)
{
    (void)ssl;
    *copy = 1;
    for (int at = 0; at < 8; at++) {
        unsigned own;
        const unsigned char *bytes = kept[at] != NULL ? SSL_SESSION_get_id(kept[at], &own) : NULL;

        if (bytes != NULL && own == (unsigned)length && memcmp(bytes, id, own) == 0) {
            say("asked for a session, that one");
            return kept[at];
        }
    }
    say("asked for a session, another");
    return NULL;
}

static void on_leave(SSL_CTX *context, SSL_SESSION *session)
{
    (void)context;
    say("leaves, resumable %d", SSL_SESSION_is_resumable(session));
}

static void modes(int version, long options, long mode, int outside)
{
    SSL_CTX *client, *server;
    struct ends ends;
    SSL_SESSION *session;

    if (!begin("%s, mode %lx%s%s", version_name(version), (unsigned long)mode,
               options & SSL_OP_NO_TICKET ? ", no tickets" : "", outside ? ", outside too" : ""))
        return;
    client = keeping_client(version);
    server = server_context(version, "server");
    SSL_CTX_set_options(server, options);
    SSL_CTX_set_num_tickets(server, 1);
    ends = make_ends(client, server);
    /* As a program may do it that has made a connection by then. */
    SSL_CTX_set_session_cache_mode(server, mode);
    if (outside) {
        SSL_CTX_sess_set_new_cb(server, on_new);
        SSL_CTX_sess_set_get_cb(server, on_get);
        SSL_CTX_sess_set_remove_cb(server, on_leave);
    }
    handshake(&ends);
    SSL_shutdown(ends.client);
    SSL_shutdown(ends.server);
    free_ends(&ends);
    SAY_LONG(SSL_CTX_sess_number(server));
    session = taken();
    for (int turn = 0; turn < 2 && session != NULL; turn++) {
        if (turn == 1) {
            /* What is outside is found when it has left the cache inside. */
            SSL_CTX_flush_sessions(server, 0);
        }
        ends = connected(client, server, session);
        free_ends(&ends);
        SSL_SESSION_free(session);
        session = taken();
        say("%ld in the cache, hits %ld, by callback %ld, misses %ld", (long)SSL_CTX_sess_number(server),
            (long)SSL_CTX_sess_hits(server), (long)SSL_CTX_sess_cb_hits(server),
            (long)SSL_CTX_sess_misses(server));
    }
    SSL_SESSION_free(session);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    for (int at = 0; at < 8; at++)
        SSL_SESSION_free(kept[at]);
    memset(kept, 0, sizeof kept);
}

/* --- values that a program hangs onto sessions --------------------------------------------------- */

static int on_dup(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **data, int index, long argl,
                  void *argp)
{
    (void)to, (void)from, (void)index, (void)argl, (void)argp;
    say("copied: %s", *data != NULL ? (const char *)*data : "nothing");
    return 1;
}

static int plain_index, copied_index;

static void say_values(SSL_SESSION *session)
{
    const char *plain = SSL_SESSION_get_ex_data(session, plain_index);
    const char *copied = SSL_SESSION_get_ex_data(session, copied_index);

    say("values: %s, %s", plain != NULL ? plain : "none", copied != NULL ? copied : "none");
}

static void values(int version, long options, unsigned tickets)
{
    SSL_CTX *client, *server;
    SSL_SESSION *session = NULL;

    if (!begin("%s, values of sessions, %u tickets%s", version_name(version), tickets,
               options & SSL_OP_NO_TICKET ? " as ids" : ""))
        return;
    client = keeping_client(version);
    server = server_context(version, "server");
    SSL_CTX_set_options(server, options);
    SSL_CTX_set_num_tickets(server, tickets);
    for (int turn = 0; turn < 3; turn++) {
        struct ends ends = make_ends(client, server);
        SSL_SESSION *own;

        if (session != NULL)
            SSL_set_session(ends.client, session);
        handshake(&ends);
        own = SSL_get_session(ends.server);
        say_values(own);
        if (turn == 0) {
            SSL_SESSION_set_ex_data(own, plain_index, (void *)"plain");
            SSL_SESSION_set_ex_data(own, copied_index, (void *)"copied");
        }
        SSL_shutdown(ends.client);
        SSL_shutdown(ends.server);
        free_ends(&ends);
        SSL_SESSION_free(session);
        session = taken();
    }
    SSL_SESSION_free(session);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void copies(void)
{
    SSL_SESSION *session, *copy;

    if (!begin("a copy of a session has its values"))
        return;
    session = session_of(1, TLS1_2_VERSION, 1000, 100);
    SSL_SESSION_set_ex_data(session, plain_index, (void *)"plain");
    SSL_SESSION_set_ex_data(session, copied_index, (void *)"copied");
    copy = SSL_SESSION_dup(session);
    say_values(copy);
    SSL_SESSION_free(session);
    say_values(copy);
    SAY_LONG(SSL_SESSION_get_timeout(copy));
    SSL_SESSION_free(copy);
}

int main(int argc, char **argv)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    static const long options[] = {0, SSL_OP_NO_TICKET};
    static const long cache_modes[] = {
        SSL_SESS_CACHE_OFF,
        SSL_SESS_CACHE_CLIENT,
        SSL_SESS_CACHE_SERVER,
        SSL_SESS_CACHE_BOTH | SSL_SESS_CACHE_NO_AUTO_CLEAR,
        SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL_STORE,
        SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL_LOOKUP,
        SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL,
        SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_UPDATE_TIME,
    };
    static const long late[] = {0, 33, -5, 1L << 20, 1L << 40};

    start(argc, argv);
    plain_index = SSL_SESSION_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    copied_index = SSL_SESSION_get_ex_new_index(0, NULL, NULL, on_dup, NULL);
    for (long size = 0; size < 6; size++)
        sizes(size);
    flushes();
    times();
    copies();
    for (int at = 0; at < 2; at++)
        for (int with = 0; with < 2; with++) {
            for (int timeout = 0; timeout < 5; timeout++)
                late_timeout(versions[at], options[with], late[timeout]);
            expired(versions[at], options[with]);
            for (int mode = 0; mode < 8; mode++)
                for (int outside = 0; outside < 2; outside++)
                    modes(versions[at], options[with], cache_modes[mode], outside);
            for (unsigned tickets = 1; tickets < 3; tickets++)
                values(versions[at], options[with], tickets);
        }
    return finish();
}
