/*
 * How connections end: close_notify in both directions, without it, in the middle of things, and
 * what every call returns afterwards.
 */
#include "harness.h"

#include <string.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static struct ends unconnected(int version)
{
    SSL_CTX *client = client_context(version);
    SSL_CTX *server = server_context(version, "server");
    struct ends ends = make_ends(client, server);

    SSL_CTX_free(client);
    SSL_CTX_free(server);
    return ends;
}

static struct ends established(int version)
{
    struct ends ends = unconnected(version);

    if (!handshake(&ends))
        broken("a plain handshake");
    return ends;
}

static void say_shutdown(SSL *ssl)
{
    ERR_clear_error();
    say_result(ssl, "shutdown", SSL_shutdown(ssl));
    say("%s: state %d", side(ssl), SSL_get_shutdown(ssl));
}

static void say_read(SSL *ssl)
{
    char bytes[100];

    ERR_clear_error();
    say_result(ssl, "read", SSL_read(ssl, bytes, sizeof bytes));
    say("%s: state %d", side(ssl), SSL_get_shutdown(ssl));
}

static void say_write(SSL *ssl)
{
    ERR_clear_error();
    say_result(ssl, "write", SSL_write(ssl, "some data", 9));
}

static void one_after_the_other(struct ends *ends)
{
    say_shutdown(ends->client);
    say_shutdown(ends->client);
    say_read(ends->server);
    say_read(ends->server);
    say_shutdown(ends->server);
    say_shutdown(ends->client);
    say_shutdown(ends->client);
    say_read(ends->client);
    say_write(ends->client);
    say_write(ends->server);
}

static void both_at_once(struct ends *ends)
{
    say_shutdown(ends->client);
    say_shutdown(ends->server);
    say_shutdown(ends->client);
    say_shutdown(ends->server);
}

static void half_closed(struct ends *ends)
{
    say_shutdown(ends->client);
    say_read(ends->server);
    say_write(ends->server);
    say_read(ends->client);
    say_write(ends->client);
    say_shutdown(ends->server);
    say_read(ends->client);
    say_shutdown(ends->client);
}

static void data_before_close(struct ends *ends)
{
    say_write(ends->client);
    say_shutdown(ends->client);
    say_shutdown(ends->server);
    say_read(ends->server);
    say_read(ends->server);
    say_shutdown(ends->server);
    /* The client must take what the server still wrote before its goodbye. */
    say_read(ends->client);
}

static void data_in_the_way(struct ends *ends)
{
    say_write(ends->server);
    say_shutdown(ends->client);
    say_shutdown(ends->client);
    say_read(ends->client);
}

static void quiet(struct ends *ends)
{
    SAY_LONG(SSL_get_quiet_shutdown(ends->client));
    SSL_set_quiet_shutdown(ends->client, 1);
    SAY_LONG(SSL_get_quiet_shutdown(ends->client));
    say_shutdown(ends->client);
    say_read(ends->server);
    SSL_set_shutdown(ends->server, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    say_shutdown(ends->server);
    say_read(ends->server);
}

static void eof(struct ends *ends)
{
    BIO_set_mem_eof_return(ends->to_client, 0);
    say_read(ends->client);
    say_read(ends->client);
    say_write(ends->client);
    say_shutdown(ends->client);
}

static void eof_ignored(struct ends *ends)
{
    SSL_set_options(ends->client, SSL_OP_IGNORE_UNEXPECTED_EOF);
    BIO_set_mem_eof_return(ends->to_client, 0);
    say_read(ends->client);
    say_shutdown(ends->client);
}

static void eof_in_a_record(struct ends *ends)
{
    char *wire;
    long length;
    char copy[1000];

    say_write(ends->server);
    length = BIO_get_mem_data(ends->to_client, &wire);
    memcpy(copy, wire, (size_t)length);
    BIO_reset(ends->to_client);
    BIO_write(ends->to_client, copy, 10);
    say_read(ends->client);
    BIO_set_mem_eof_return(ends->to_client, 0);
    say_read(ends->client);
}

static void corrupted(struct ends *ends)
{
    char *wire;
    long length;

    say_write(ends->server);
    length = BIO_get_mem_data(ends->to_client, &wire);
    wire[length - 1] ^= 1;
    say_read(ends->client);
    say_read(ends->client);
    say_write(ends->client);
    say_shutdown(ends->client);
    say_read(ends->server);
    say_read(ends->server);
}

static void freed_in_between(struct ends *ends)
{
    say_write(ends->client);
    say_write(ends->server);
    say_read(ends->client);
}

static void early(int version)
{
    struct ends ends;

    if (begin("%s, shutdown before the handshake", version_name(version))) {
        ends = unconnected(version);
        say_shutdown(ends.client);
        say_shutdown(ends.server);
        free_ends(&ends);
    }
    if (begin("%s, shutdown during the handshake", version_name(version))) {
        ends = unconnected(version);
        step(ends.client);
        say_shutdown(ends.client);
        step(ends.server);
        say_shutdown(ends.server);
        free_ends(&ends);
    }
    if (begin("%s, the end of data before a handshake", version_name(version))) {
        ends = unconnected(version);
        BIO_set_mem_eof_return(ends.to_client, 0);
        BIO_set_mem_eof_return(ends.to_server, 0);
        step(ends.server);
        step(ends.client);
        step(ends.client);
        free_ends(&ends);
    }
    if (begin("%s, the end of data during a handshake", version_name(version))) {
        ends = unconnected(version);
        step(ends.client);
        step(ends.server);
        BIO_set_mem_eof_return(ends.to_server, 0);
        step(ends.server);
        free_ends(&ends);
    }
}

/* With SSL_OP_IGNORE_UNEXPECTED_EOF the end of data is no error in a handshake either: nginx logs
 * nothing of clients that go away. */
static void early_ignored(int version, int steps)
{
    struct ends ends;

    if (!begin("%s, the end of data after %d steps of a handshake, ignored", version_name(version), steps))
        return;
    ends = unconnected(version);
    SSL_set_options(ends.client, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_set_options(ends.server, SSL_OP_IGNORE_UNEXPECTED_EOF);
    for (int at = 0; at < steps; at++)
        step(at % 2 ? ends.server : ends.client);
    BIO_set_mem_eof_return(ends.to_client, 0);
    BIO_set_mem_eof_return(ends.to_server, 0);
    for (int at = 0; at < 2; at++) {
        step(ends.server);
        step(ends.client);
    }
    say("shut down: %d and %d", SSL_get_shutdown(ends.client), SSL_get_shutdown(ends.server));
    say_shutdown(ends.client);
    say_shutdown(ends.server);
    free_ends(&ends);
}

/* Half a ClientHello, and then the end. */
static void early_half(int version, int ignored)
{
    struct ends ends;
    char *wire;
    long length;
    char copy[100];

    if (!begin("%s, the end of data in a ClientHello%s", version_name(version), ignored ? ", ignored" : ""))
        return;
    ends = unconnected(version);
    if (ignored)
        SSL_set_options(ends.server, SSL_OP_IGNORE_UNEXPECTED_EOF);
    step(ends.client);
    length = BIO_get_mem_data(ends.to_server, &wire);
    memcpy(copy, wire, length < 100 ? (size_t)length : 100);
    BIO_reset(ends.to_server);
    BIO_write(ends.to_server, copy, length < 100 ? (int)length : 100);
    step(ends.server);
    BIO_set_mem_eof_return(ends.to_server, 0);
    step(ends.server);
    step(ends.server);
    say("shut down: %d", SSL_get_shutdown(ends.server));
    free_ends(&ends);
}

/* SSL_clear makes a connection ready for another handshake. */
static void cleared(int version)
{
    struct ends ends;

    if (!begin("%s, cleared and used again", version_name(version)))
        return;
    ends = established(version);
    one_after_the_other(&ends);
    BIO_reset(ends.to_client);
    BIO_reset(ends.to_server);
    SAY_LONG(SSL_clear(ends.client));
    SAY_LONG(SSL_clear(ends.server));
    say("%s: state %d", side(ends.client), SSL_get_shutdown(ends.client));
    /* SSL_clear keeps the session for another try; that is not what is looked at here. */
    SSL_set_session(ends.client, NULL);
    handshake(&ends);
    say_write(ends.client);
    say_read(ends.server);
    free_ends(&ends);
}

typedef void (*with_ends)(struct ends *);

static void once(int version, const char *name, with_ends run)
{
    struct ends ends;

    if (!begin("%s, %s", version_name(version), name))
        return;
    ends = established(version);
    run(&ends);
    free_ends(&ends);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    for (int at = 0; at < 2; at++) {
        int version = versions[at];

        once(version, "one closes after the other", one_after_the_other);
        once(version, "both close at once", both_at_once);
        once(version, "half closed", half_closed);
        once(version, "data before the close", data_before_close);
        once(version, "data in the way of a close", data_in_the_way);
        once(version, "quiet shutdown", quiet);
        once(version, "the end of data without a close", eof);
        once(version, "the end of data without a close, ignored", eof_ignored);
        once(version, "the end of data in a record", eof_in_a_record);
        once(version, "a corrupted record", corrupted);
        once(version, "freed with data unread", freed_in_between);
        early(version);
        for (int steps = 0; steps < 4; steps++)
            early_ignored(version, steps);
        early_half(version, 0);
        early_half(version, 1);
        cleared(version);
    }
    return finish();
}
