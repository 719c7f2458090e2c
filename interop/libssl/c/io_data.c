/*
 * Application data without blocking: what reads and writes return, what waits, retries with the same
 * and with other buffers, records and their sizes, peeking, key updates.
 */
#include "harness.h"

#include <string.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static char data[100000];
static char got[100000];

static struct ends established(int version)
{
    SSL_CTX *client = client_context(version);
    SSL_CTX *server = server_context(version, "server");
    struct ends ends = make_ends(client, server);

    SSL_CTX_free(client);
    SSL_CTX_free(server);
    if (!handshake(&ends))
        broken("a plain handshake");
    return ends;
}

/* Both ends over a pair of bounded buffers, so that writes have to wait. */
static struct ends bounded(int version, size_t size)
{
    SSL_CTX *client = client_context(version);
    SSL_CTX *server = server_context(version, "server");
    struct ends ends = {SSL_new(client), SSL_new(server), NULL, NULL};

    if (BIO_new_bio_pair(&ends.to_server, size, &ends.to_client, size) != 1)
        broken("BIO_new_bio_pair");
    SSL_set_bio(ends.client, ends.to_server, ends.to_server);
    SSL_set_bio(ends.server, ends.to_client, ends.to_client);
    SSL_set_connect_state(ends.client);
    SSL_set_accept_state(ends.server);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    return ends;
}

static void say_write(SSL *ssl, size_t length)
{
    ERR_clear_error();
    say("%s: write of %zu", side(ssl), length);
    say_result(ssl, "write", SSL_write(ssl, data, (int)length));
}

static int say_read(SSL *ssl, size_t length)
{
    int returned;

    ERR_clear_error();
    memset(got, 0, sizeof got);
    returned = SSL_read(ssl, got, (int)length);
    say("%s: read of up to %zu", side(ssl), length);
    say_result(ssl, "read", returned);
    return returned;
}

static void say_waiting(SSL *ssl)
{
    say("%s: pending %d, has pending %d, want %d", side(ssl), SSL_pending(ssl),
        SSL_has_pending(ssl), SSL_want(ssl));
}

static void records(struct ends *ends)
{
    static const size_t lengths[] = {1, 100, 16383, 16384, 16385, 40000};
    size_t total;

    for (size_t at = 0; at < sizeof lengths / sizeof *lengths; at++) {
        say_write(ends->client, lengths[at]);
        for (total = 0; total < lengths[at];) {
            int returned = say_read(ends->server, sizeof got);

            if (returned <= 0)
                break;
            say("%s", memcmp(got, data + total, (size_t)returned) == 0 ? "equal" : "not equal");
            total += (size_t)returned;
        }
    }
    say_read(ends->server, 10);
    say_waiting(ends->server);
}

static void pieces(struct ends *ends)
{
    say_write(ends->server, 100);
    say_write(ends->server, 50);
    say_waiting(ends->client);
    say_read(ends->client, 10);
    say_waiting(ends->client);
    say_read(ends->client, 80);
    say_waiting(ends->client);
    say_read(ends->client, 80);
    say_waiting(ends->client);
    say_read(ends->client, 80);
    say_waiting(ends->client);
    say_read(ends->client, 80);
    say_waiting(ends->client);
}

static void peeking(struct ends *ends)
{
    size_t count = 99;

    ERR_clear_error();
    say_result(ends->server, "peek at nothing", SSL_peek(ends->server, got, 10));
    say_write(ends->client, 30);
    say_result(ends->server, "peek", SSL_peek(ends->server, got, 10));
    say_waiting(ends->server);
    say_result(ends->server, "peek", SSL_peek(ends->server, got, 100));
    say_read(ends->server, 20);
    say_result(ends->server, "peek", SSL_peek(ends->server, got, 100));
    SAY_LONG(SSL_peek_ex(ends->server, got, 4, &count));
    SAY_LONG(count);
    say_read(ends->server, 100);
    SAY_LONG(SSL_peek_ex(ends->server, got, 4, &count));
}

static void extended(struct ends *ends)
{
    size_t count = 99;

    SAY_LONG(SSL_write_ex(ends->client, data, 30, &count));
    SAY_LONG(count);
    SAY_LONG(SSL_read_ex(ends->server, got, 20, &count));
    SAY_LONG(count);
    SAY_LONG(SSL_read_ex(ends->server, got, 20, &count));
    SAY_LONG(count);
    count = 99;
    SAY_LONG(SSL_read_ex(ends->server, got, 20, &count));
    SAY_LONG(count);
    say("%s", error_name(SSL_get_error(ends->server, 0)));
}

static void odd_lengths(struct ends *ends)
{
    size_t count = 99;

    ERR_clear_error();
    say_result(ends->client, "write of -1", SSL_write(ends->client, data, -1));
    say_result(ends->client, "read of -1", SSL_read(ends->client, got, -1));
    say_result(ends->client, "peek of -1", SSL_peek(ends->client, got, -1));
    say_result(ends->client, "write of 0", SSL_write(ends->client, data, 0));
    SAY_LONG(SSL_write_ex(ends->client, data, 0, &count));
    SAY_LONG(count);
    say_write(ends->client, 5);
    say_result(ends->server, "read of 0", SSL_read(ends->server, got, 0));
    say_read(ends->server, 5);
}

static void drain(SSL *ssl, size_t *total)
{
    int returned;

    while ((returned = SSL_read(ssl, got, sizeof got)) > 0)
        *total += (size_t)returned;
}

/* Writes of more than the pipe takes, until all is through. */
static void write_all(struct ends *ends, size_t length, int moving)
{
    static char other[sizeof data];
    size_t read = 0;
    int returned = -1, waited = 0;

    memcpy(other, data, sizeof data);
    for (int turn = 0; turn < 10000 && returned <= 0; turn++) {
        ERR_clear_error();
        returned = SSL_write(ends->client, moving && turn % 2 ? other : data, (int)length);
        if (returned <= 0) {
            if (SSL_get_error(ends->client, returned) != SSL_ERROR_WANT_WRITE) {
                say_result(ends->client, "write", returned);
                return;
            }
            waited = 1;
            drain(ends->server, &read);
        }
    }
    drain(ends->server, &read);
    say("client: write returned %d%s; %zu bytes read", returned, waited ? " after waiting" : "",
        read);
}

static void waiting(int version)
{
    struct ends ends;

    if (begin("%s, writes that wait", version_name(version))) {
        ends = bounded(version, 600);
        handshake(&ends);
        write_all(&ends, 50000, 0);
        write_all(&ends, 100, 0);
        free_ends(&ends);
    }
    if (begin("%s, retry from another buffer", version_name(version))) {
        ends = bounded(version, 600);
        handshake(&ends);
        write_all(&ends, 50000, 1);
        free_ends(&ends);
    }
    if (begin("%s, retry from another buffer, allowed", version_name(version))) {
        ends = bounded(version, 600);
        SSL_set_mode(ends.client, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        handshake(&ends);
        write_all(&ends, 50000, 1);
        free_ends(&ends);
    }
    if (begin("%s, retry with less", version_name(version))) {
        ends = bounded(version, 600);
        handshake(&ends);
        say_write(ends.client, 5000);
        say("want %d", SSL_want(ends.client));
        say_write(ends.client, 4000);
        free_ends(&ends);
    }
    if (begin("%s, partial writes", version_name(version))) {
        ends = established(version);
        SSL_set_mode(ends.client, SSL_MODE_ENABLE_PARTIAL_WRITE);
        say_write(ends.client, 50000);
        say_write(ends.client, 100);
        free_ends(&ends);
    }
}

/* What a record of n bytes looks like on the wire is up to the cipher; how many there are is not. */
static void fragments(int version)
{
    struct ends ends;
    const unsigned char *wire;
    long length, at, count = 0;

    if (!begin("%s, fragments of 512", version_name(version)))
        return;
    ends = established(version);
    SAY_LONG(SSL_set_max_send_fragment(ends.client, 511));
    SAY_LONG(SSL_set_max_send_fragment(ends.client, 16385));
    SAY_LONG(SSL_set_max_send_fragment(ends.client, 512));
    say_write(ends.client, 2000);
    length = BIO_get_mem_data(ends.to_server, (char **)&wire);
    for (at = 0; at + 5 <= length; at += 5 + (wire[at + 3] << 8 | wire[at + 4]))
        count++;
    say("%ld records", count);
    free_ends(&ends);
}

static void before_the_handshake(int version)
{
    struct ends ends;
    SSL_CTX *context;
    SSL *ssl;

    if (begin("%s, reads and writes begin the handshake", version_name(version))) {
        context = client_context(version);
        SSL_CTX *server = server_context(version, "server");
        ends = make_ends(context, server);
        say_write(ends.client, 10);
        say_read(ends.server, 10);
        SAY_LONG(SSL_in_init(ends.client));
        handshake(&ends);
        say_write(ends.client, 10);
        say_read(ends.server, 10);
        free_ends(&ends);
        SSL_CTX_free(context);
        SSL_CTX_free(server);
    }
    if (begin("%s, neither end chosen", version_name(version))) {
        context = SSL_CTX_new(TLS_method());
        ssl = SSL_new(context);
        say_write(ssl, 10);
        say_read(ssl, 10);
        say_result(ssl, "handshake", SSL_do_handshake(ssl));
        say_result(ssl, "shutdown", SSL_shutdown(ssl));
        SSL_free(ssl);
        SSL_CTX_free(context);
    }
}

static void key_update(int version)
{
    static const int types[] = {SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED, 7};
    struct ends ends;

    if (!begin("%s, key update", version_name(version)))
        return;
    ends = established(version);
    for (size_t at = 0; at < sizeof types / sizeof *types; at++) {
        ERR_clear_error();
        say("update %d", types[at]);
        say_result(ends.client, "key update", SSL_key_update(ends.client, types[at]));
        SAY_LONG(SSL_get_key_update_type(ends.client));
        say_write(ends.client, 10);
        SAY_LONG(SSL_get_key_update_type(ends.client));
        say_read(ends.server, 10);
        say_write(ends.server, 20);
        say_read(ends.client, 20);
    }
    free_ends(&ends);
}

static void secrets(int version)
{
    unsigned char one[64] = {0}, other[64] = {1};
    struct ends ends;

    if (!begin("%s, secrets that both ends share", version_name(version)))
        return;
    ends = established(version);
    SAY_LONG(SSL_export_keying_material(ends.client, one, 40, "label", 5, NULL, 0, 0));
    SAY_LONG(SSL_export_keying_material(ends.server, other, 40, "label", 5, NULL, 0, 0));
    say("exported: %s", memcmp(one, other, 40) == 0 ? "equal" : "not equal");
    SAY_LONG(SSL_export_keying_material(ends.client, other, 40, "label", 5, one, 3, 1));
    say("with a context: %s", memcmp(one, other, 40) == 0 ? "equal" : "not equal");
    SAY_LONG(SSL_get_client_random(ends.client, NULL, 0));
    SAY_LONG(SSL_get_client_random(ends.client, one, 32));
    SAY_LONG(SSL_get_client_random(ends.server, other, 64));
    say("client random: %s", memcmp(one, other, 32) == 0 ? "equal" : "not equal");
    SAY_LONG(SSL_get_server_random(ends.client, one, 32));
    SAY_LONG(SSL_get_server_random(ends.server, other, 32));
    say("server random: %s", memcmp(one, other, 32) == 0 ? "equal" : "not equal");
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
    for (size_t at = 0; at < sizeof data; at++)
        data[at] = (char)(at * 7 + at / 251);
    for (int at = 0; at < 2; at++) {
        int version = versions[at];

        once(version, "records", records);
        once(version, "pieces", pieces);
        once(version, "peeking", peeking);
        once(version, "the functions with _ex", extended);
        once(version, "odd lengths", odd_lengths);
        waiting(version);
        fragments(version);
        before_the_handshake(version);
        key_update(version);
        secrets(version);
    }
    return finish();
}
