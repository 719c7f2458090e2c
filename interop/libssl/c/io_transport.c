/*
 * What carries the bytes: file descriptors, BIOs in front of a connection (BIO_f_ssl), BIOs of the
 * program's own that give little at a time; and what is asked of them.
 */
#include "harness.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void exchange(struct ends *ends)
{
    char bytes[100];
    int returned;

    say_result(ends->client, "write", SSL_write(ends->client, "question", 8));
    returned = SSL_read(ends->server, bytes, sizeof bytes);
    say_result(ends->server, "read", returned);
    if (returned > 0)
        say("%.*s", returned, bytes);
    say_result(ends->server, "write", SSL_write(ends->server, "answer", 6));
    returned = SSL_read(ends->client, bytes, sizeof bytes);
    say_result(ends->client, "read", returned);
    if (returned > 0)
        say("%.*s", returned, bytes);
}

static struct ends without_bios(int version)
{
    SSL_CTX *client = client_context(version);
    SSL_CTX *server = server_context(version, "server");
    struct ends ends = {SSL_new(client), SSL_new(server), NULL, NULL};

    SSL_set_connect_state(ends.client);
    SSL_set_accept_state(ends.server);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    return ends;
}

static void pair_of_sockets(int sockets[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0)
        broken("socketpair");
    for (int at = 0; at < 2; at++)
        if (fcntl(sockets[at], F_SETFL, O_NONBLOCK) != 0)
            broken("O_NONBLOCK");
}

static void descriptors(int version)
{
    struct ends ends;
    int sockets[2];

    if (!begin("%s, file descriptors", version_name(version)))
        return;
    pair_of_sockets(sockets);
    ends = without_bios(version);
    SAY_LONG(SSL_set_fd(ends.client, sockets[0]));
    SAY_LONG(SSL_set_rfd(ends.server, sockets[1]));
    SAY_LONG(SSL_set_wfd(ends.server, sockets[1]));
    SAY_LONG(SSL_get_fd(ends.client) == sockets[0]);
    SAY_LONG(SSL_get_rfd(ends.server) == sockets[1]);
    SAY_LONG(SSL_get_wfd(ends.server) == sockets[1]);
    SAY_LONG(SSL_get_rbio(ends.server) == SSL_get_wbio(ends.server));
    handshake(&ends);
    exchange(&ends);
    say("the other end of the line is closed");
    close(sockets[1]);
    say_result(ends.client, "read", SSL_read(ends.client, &(char){0}, 1));
    /* The descriptor is the program's to close, not the connection's. */
    free_ends(&ends);
    say("still open: %s", fcntl(sockets[0], F_GETFD) != -1 ? "yes" : "no");
    close(sockets[0]);
}

/* --- a BIO of the program's own, which passes on little at a time ------------------------------ */

static int calls_of_flush;

struct line {
    BIO *bytes;
    int turn;
};

static int small_write(BIO *bio, const char *bytes, int length)
{
    struct line *line = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    return BIO_write(line->bytes, bytes, length > 7 ? 7 : length);
}

/* Every other read says that nothing is there yet. */
static int small_read(BIO *bio, char *bytes, int length)
{
    struct line *line = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (line->turn++ % 2 == 0 || BIO_ctrl_pending(line->bytes) == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    return BIO_read(line->bytes, bytes, length > 5 ? 5 : length);
}

static long small_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    if (command == BIO_CTRL_FLUSH)
        calls_of_flush++;
    return command == BIO_CTRL_FLUSH;
}

static void until_done(SSL *one, SSL *other, const char *name)
{
    int first = 0, second = 0;

    for (int turn = 0; turn < 100000 && (first != 1 || second != 1); turn++) {
        ERR_clear_error();
        if (first != 1)
            first = SSL_do_handshake(one);
        if (second != 1)
            second = SSL_do_handshake(other);
    }
    say("%s: %d and %d", name, first, second);
}

static void small_pieces(int version)
{
    BIO_METHOD *method;
    struct line lines[2] = {{NULL, 0}, {NULL, 0}};
    BIO *small[2];
    struct ends ends;
    char bytes[100];
    int returned = -1;

    if (!begin("%s, a BIO that gives little at a time", version_name(version)))
        return;
    method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "small");
    BIO_meth_set_write(method, small_write);
    BIO_meth_set_read(method, small_read);
    BIO_meth_set_ctrl(method, small_ctrl);
    ends = without_bios(version);
    for (int at = 0; at < 2; at++) {
        lines[at].bytes = BIO_new(BIO_s_mem());
        small[at] = BIO_new(method);
        BIO_set_data(small[at], &lines[at]);
        BIO_set_init(small[at], 1);
        BIO_up_ref(small[at]);
    }
    SSL_set_bio(ends.client, small[0], small[1]);
    SSL_set_bio(ends.server, small[1], small[0]);
    until_done(ends.client, ends.server, "handshake");
    say("flushed: %s", calls_of_flush > 0 ? "yes" : "no");
    say_result(ends.client, "write", SSL_write(ends.client, "question", 8));
    for (int turn = 0; turn < 1000 && returned <= 0; turn++)
        returned = SSL_read(ends.server, bytes, sizeof bytes);
    say("read %d: %.*s", returned, returned > 0 ? returned : 0, bytes);
    free_ends(&ends);
    BIO_free(lines[0].bytes);
    BIO_free(lines[1].bytes);
    BIO_meth_free(method);
}

/* --- what is asked of a BIO: of each record the header, then the body, and nothing beyond ------- */

static long watch(BIO *bio, int operation, const char *bytes, size_t length, int number,
                  long argument, int returned, size_t *processed)
{
    (void)bio, (void)bytes, (void)number, (void)argument;
    if (operation == (BIO_CB_READ | BIO_CB_RETURN))
        say("asked for %zu, gives %zu", length, returned > 0 ? *processed : 0);
    return returned;
}

static void read_some(SSL *ssl, int most)
{
    char bytes[100];

    say_result(ssl, "read", SSL_read(ssl, bytes, most));
    SAY_LONG(SSL_pending(ssl));
    SAY_LONG(SSL_has_pending(ssl));
}

static void reads(int version)
{
    SSL_CTX *client, *server;
    struct ends ends;
    char bytes[1000];
    int length;

    if (!begin("%s, the reads of a BIO", version_name(version)))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    ends = make_ends(client, server);
    handshake(&ends);
    BIO_set_callback_ex(ends.to_server, watch);
    say("two records");
    SAY_LONG(SSL_write(ends.client, "question", 8));
    SAY_LONG(SSL_write(ends.client, "another", 7));
    read_some(ends.server, 3);
    read_some(ends.server, 100);
    SAY_LONG(BIO_pending(ends.to_server) > 0);
    read_some(ends.server, 100);
    read_some(ends.server, 100);
    say("a record in parts");
    SAY_LONG(SSL_write(ends.client, "a third", 7));
    BIO_set_callback_ex(ends.to_server, NULL);
    length = BIO_read(ends.to_server, bytes, sizeof bytes);
    BIO_set_callback_ex(ends.to_server, watch);
    for (int at = 0; at < length;) {
        int part = at == 0 ? 3 : at == 3 ? 2 : length - at > 9 ? 9 : length - at;

        BIO_write(ends.to_server, bytes + at, part);
        at += part;
        read_some(ends.server, 100);
    }
    BIO_set_callback_ex(ends.to_server, NULL);
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

/* --- a connection behind a BIO ----------------------------------------------------------------- */

static void behind_a_bio(int version)
{
    SSL_CTX *client, *server;
    BIO *front, *pair, *back;
    SSL *ssl = NULL, *peer;
    char bytes[100];
    int returned;

    if (!begin("%s, behind a BIO", version_name(version)))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    peer = SSL_new(server);
    front = BIO_new_ssl(client, 1);
    if (front == NULL)
        broken("BIO_new_ssl");
    BIO_get_ssl(front, &ssl);
    SAY_LONG(SSL_is_server(ssl));
    if (BIO_new_bio_pair(&pair, 0, &back, 0) != 1)
        broken("BIO_new_bio_pair");
    BIO_push(front, pair);
    SSL_set_bio(peer, back, back);
    SSL_set_accept_state(peer);
    for (int turn = 0; turn < 10; turn++) {
        ERR_clear_error();
        BIO_do_handshake(front);
        SSL_do_handshake(peer);
    }
    SAY_LONG(SSL_is_init_finished(ssl));
    SAY_LONG(BIO_write(front, "question", 8));
    returned = SSL_read(peer, bytes, sizeof bytes);
    say("%.*s", returned > 0 ? returned : 0, bytes);
    SAY_LONG(BIO_read(front, bytes, 10));
    SAY_LONG(BIO_should_retry(front));
    SAY_LONG(BIO_should_read(front));
    SAY_LONG(SSL_write(peer, "answer", 6));
    SAY_LONG(BIO_puts(front, "more"));
    SAY_LONG(BIO_read(front, bytes, 4));
    SAY_LONG(BIO_pending(front));
    SAY_LONG(BIO_method_type(front) == BIO_TYPE_SSL);
    BIO_ssl_shutdown(front);
    SAY_LONG(SSL_get_shutdown(ssl));
    BIO_free_all(front);
    SSL_free(peer);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    for (int at = 0; at < 2; at++) {
        descriptors(versions[at]);
        small_pieces(versions[at]);
        behind_a_bio(versions[at]);
        reads(versions[at]);
    }
    return finish();
}
