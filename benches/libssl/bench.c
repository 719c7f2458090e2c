/*
 * What a libssl costs: one case, measured in rounds, in one process that holds both ends.
 *
 *     bench DIRECTORY full    VERSION plain|stapled    full handshakes in memory
 *     bench DIRECTORY full    VERSION named            the same; the server switches by the name
 *     bench DIRECTORY full    VERSION first            the same; each client has its own context
 *     bench DIRECTORY resume  VERSION                  resumptions by ticket in memory
 *     bench DIRECTORY bulk    VERSION SUITE            server to client, writes of 16 KiB, in memory
 *     bench DIRECTORY memory  VERSION                  connections that are open and idle
 *
 * DIRECTORY has chain.pem, key.pem, root.pem and staple.der for the name bench.example; VERSION is
 * 1.2 or 1.3. Compiled once against the system's headers; LD_LIBRARY_PATH says on which library it
 * runs, and the first line of its output says on which it does:
 *
 *     library FILE
 *     ready VERSION SUITE GROUP                        after one operation that warms up
 *
 * Then it reads numbers, one a line. To each it answers with a line, and it ends with its input.
 * The number is for how many milliseconds of CPU time to measure, or, for `memory`, how many
 * connections to open; the answer is
 *
 *     round operations=N client_ns=N server_ns=N client_sent=N server_sent=N
 *     round operations=N client_heap=N server_heap=N resident=N
 *
 * `_ns` is the CPU time of the whole process while a side's functions of libssl ran, making and
 * freeing its objects included; an operation is a handshake or a write of 16 KiB. `_sent` is what
 * the side has sent in the last operation. `_heap` is by how much more of the heap was in use after
 * a side's calls than before them, `resident` by how much the whole process has grown. What goes
 * wrong ends the program with the line `failed WHAT: WHY`.
 */
#define _GNU_SOURCE
#include "ends.h"

#include <dlfcn.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    RECORD = 16 * 1024,
    /* So many writes are read back at once: less than the caches hold, more than reading the clock
     * weighs. */
    BATCH = 8,
    PING = 100,
    WARMING = 10,
    /* What takes so many seconds longer than it should hangs. */
    PATIENCE = 20,
};

struct round {
    struct end client, server;
    uint64_t operations, client_sent, server_sent;
};

static void note_sent(struct round *round)
{
    round->client_sent = BIO_number_written(round->server.input);
    round->server_sent = BIO_number_written(round->client.input);
}

static void one_handshake(struct round *round)
{
    unsigned long staples_before = staples_seen;
    int offered = setting.resumes && session != NULL;

    if (setting.first)
        renew_client_context(&round->client);
    open_connection(&round->client, &round->server);
    note_sent(round);
    if (SSL_session_reused(round->client.ssl) != offered
        || SSL_session_reused(round->server.ssl) != offered)
        fail("handshake: %s", offered ? "the server does not resume" : "resumed and not full");
    if (staples_seen != staples_before + (unsigned long)(setting.stapled ? 1 : 0))
        fail("handshake: no staple has come");
    close_connection(&round->client, &round->server);
    round->operations++;
}

static void some_writes(struct round *round)
{
    static char sent[RECORD], received[RECORD];

    memset(sent, (int)(round->operations / BATCH % 256), sizeof sent);
    enter(&round->server);
    for (int at = 0; at < BATCH; at++)
        write_all(&round->server, sent, RECORD);
    leave(&round->server);
    enter(&round->client);
    for (int at = 0; at < BATCH; at++)
        read_all(&round->client, received, RECORD);
    leave(&round->client);
    if (memcmp(sent, received, sizeof sent) != 0)
        fail("bulk: what was read is not what was written");
    round->operations += BATCH;
}

static void say_ready(const struct round *round)
{
    const SSL *ssl = round->client.ssl;
    const char *group = OBJ_nid2sn((int)SSL_get_negotiated_group((SSL *)ssl));

    printf("ready %s %s %s\n", SSL_get_version(ssl), SSL_get_cipher_name(ssl),
           group != NULL ? group : "?");
}

/* The milliseconds or connections of the next round; 0 at the end of the input. Ends a round that
 * does less than so many a second. */
static unsigned long next_round(unsigned long per_second)
{
    char line[32];
    unsigned long asked;

    /* It is no hanging to wait for the own turn. */
    alarm(0);
    if (fgets(line, sizeof line, stdin) == NULL) {
        alarm(PATIENCE);
        return 0;
    }
    asked = strtoul(line, NULL, 10);
    alarm((unsigned)(PATIENCE + asked / per_second));
    return asked;
}

static void run_rounds(struct round *round, void (*operate)(struct round *))
{
    unsigned long milliseconds;

    while ((milliseconds = next_round(100)) > 0) {
        round->client.spent = round->server.spent = round->operations = 0;
        while (round->client.spent + round->server.spent < milliseconds * 1000000)
            operate(round);
        printf("round operations=%ju client_ns=%ju server_ns=%ju client_sent=%ju server_sent=%ju\n",
               (uintmax_t)round->operations, (uintmax_t)round->client.spent,
               (uintmax_t)round->server.spent, (uintmax_t)round->client_sent,
               (uintmax_t)round->server_sent);
    }
}

static void run_handshakes(struct round *round)
{
    open_connection(&round->client, &round->server);
    say_ready(round);
    close_connection(&round->client, &round->server);
    if (setting.resumes && session == NULL)
        fail("handshake: the client got no session to resume");
    run_rounds(round, one_handshake);
}

static void run_bulk(struct round *round)
{
    open_connection(&round->client, &round->server);
    note_sent(round);
    some_writes(round);
    say_ready(round);
    run_rounds(round, some_writes);
    close_connection(&round->client, &round->server);
}

/* A connection over a socket pair, as a program has it: what a memory BIO keeps would count too. */
static void open_idle(struct round *connection)
{
    int sockets[2];
    char ping[PING] = "";

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets) != 0)
        fail("socketpair");
    connection->client.socket = sockets[0];
    connection->server.socket = sockets[1];
    open_connection(&connection->client, &connection->server);
    for (int from_server = 0; from_server < 2; from_server++) {
        struct end *writer = from_server ? &connection->server : &connection->client;
        struct end *reader = from_server ? &connection->client : &connection->server;

        enter(writer);
        write_all(writer, ping, PING);
        leave(writer);
        enter(reader);
        read_all(reader, ping, PING);
        leave(reader);
    }
}

static void close_idle(struct round *connection)
{
    close_connection(&connection->client, &connection->server);
    close(connection->client.socket);
    close(connection->server.socket);
}

static void measure_memory(const struct round *fresh, unsigned long count)
{
    struct round *connections = calloc(count, sizeof *connections);
    int64_t before, client = 0, server = 0;

    if (connections == NULL)
        fail("calloc");
    for (unsigned long at = 0; at < count; at++)
        connections[at] = *fresh;
    before = resident();
    for (unsigned long at = 0; at < count; at++) {
        open_idle(&connections[at]);
        client += connections[at].client.heap;
        server += connections[at].server.heap;
    }
    printf("round operations=%lu client_heap=%jd server_heap=%jd resident=%jd\n", count,
           (intmax_t)client, (intmax_t)server, (intmax_t)(resident() - before));
    /* Among what has been freed, finding out what is in use takes long. */
    setting.counts_heap = 0;
    for (unsigned long at = 0; at < count; at++)
        close_idle(&connections[at]);
    setting.counts_heap = 1;
    free(connections);
}

static void run_memory(const struct round *fresh)
{
    struct rlimit files;
    unsigned long count;

    setting.counts_heap = 1;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        fail("getrlimit");
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0)
        fail("setrlimit");
    for (int at = 0; at < WARMING; at++) {
        struct round warming = *fresh;

        open_idle(&warming);
        if (at == 0)
            say_ready(&warming);
        close_idle(&warming);
    }
    while ((count = next_round(20)) > 0)
        measure_memory(fresh, count);
}

/* --- the program ------------------------------------------------------------------------------ */

/* Keeps the process on the last processor that it may use. Those that are compared measure in turn;
 * on one processor they find the same neighbours. */
static void stay_on_one_processor(void)
{
    cpu_set_t allowed, one;

    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        fail("sched_getaffinity");
    CPU_ZERO(&one);
    for (int cpu = CPU_SETSIZE - 1; cpu >= 0 && CPU_COUNT(&one) == 0; cpu--)
        if (CPU_ISSET(cpu, &allowed))
            CPU_SET(cpu, &one);
    if (sched_setaffinity(0, sizeof one, &one) != 0)
        fail("sched_setaffinity");
}

static int is(const char *word, const char *other)
{
    return word != NULL && strcmp(word, other) == 0;
}

/* What the arguments ask for; 0 when they do not make sense. */
static int read_arguments(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[2] : NULL;
    const char *version = argc > 3 ? argv[3] : NULL;
    const char *how = argc > 4 ? argv[4] : NULL;

    setting.directory = argc > 1 ? argv[1] : NULL;
    setting.version = is(version, "1.2") ? TLS1_2_VERSION : TLS1_3_VERSION;
    setting.resumes = is(what, "resume");
    setting.stapled = is(what, "full") && is(how, "stapled");
    setting.named = is(what, "full") && is(how, "named");
    setting.first = is(what, "full") && is(how, "first");
    setting.suite = is(what, "bulk") ? how : NULL;
    if (!is(version, "1.2") && !is(version, "1.3"))
        return 0;
    if (is(what, "full"))
        return is(how, "plain") || is(how, "stapled") || setting.named || setting.first;
    if (is(what, "bulk"))
        return how != NULL;
    return argc == 4 && (is(what, "resume") || is(what, "memory"));
}

int main(int argc, char **argv)
{
    Dl_info library;
    struct round round = {
        .client = {.name = "client", .socket = -1},
        .server = {.name = "server", .socket = -1},
    };

    if (!read_arguments(argc, argv)) {
        fprintf(stderr, "usage: bench DIRECTORY full|resume|bulk|memory 1.2|1.3 [HOW]\n");
        return 2;
    }
    alarm(PATIENCE);
    stay_on_one_processor();
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (dladdr((void *)(size_t)SSL_CTX_new, &library) == 0)
        fail("SSL_CTX_new is in no library");
    printf("library %s\n", library.dli_fname);
    read_response();
    round.client.context = client_context();
    round.server.context = server_context();
    if (is(argv[2], "memory"))
        run_memory(&round);
    else if (is(argv[2], "bulk"))
        run_bulk(&round);
    else
        run_handshakes(&round);
    SSL_SESSION_free(session);
    SSL_CTX_free(round.client.context);
    SSL_CTX_free(round.server.context);
    forget_virtual_host();
    forget_response();
    return 0;
}
