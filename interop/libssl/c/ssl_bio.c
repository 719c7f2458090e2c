/*
 * Connections as BIOs: BIO_f_ssl and the chains with it.
 */
#include "harness.h"

static void say_waiting(const char *who, BIO *bio)
{
    say("%s: retry %d, read %d, write %d, special %d, reason %d", who, BIO_should_retry(bio) != 0,
        BIO_should_read(bio) != 0, BIO_should_write(bio) != 0, BIO_should_io_special(bio) != 0,
        BIO_get_retry_reason(bio));
}

static void say_chain(BIO *bio)
{
    for (; bio != NULL; bio = BIO_next(bio))
        say("  %s, type %x, close %ld", BIO_method_name(bio), (unsigned)BIO_method_type(bio),
            (long)BIO_get_close(bio));
}

/* Without a connection every command fails. */
static void empty(void)
{
    BIO *bio = BIO_new(BIO_f_ssl());
    SSL *ssl = NULL;
    char byte;

    say_chain(bio);
    SAY_LONG(BIO_get_ssl(bio, &ssl));
    SAY_PRESENT(ssl);
    SAY_LONG(BIO_pending(bio));
    SAY_LONG(BIO_flush(bio));
    SAY_LONG(BIO_do_handshake(bio));
    SAY_LONG(BIO_read(bio, &byte, 1));
    ERR_clear_error();
    BIO_ssl_shutdown(bio);
    SAY_LONG(BIO_ssl_copy_session_id(bio, bio));
    SAY_LONG(BIO_free(bio));
}

static void chains(void)
{
    SSL_CTX *context = client_context(TLS1_3_VERSION);
    BIO *bio = BIO_new_buffer_ssl_connect(context);
    SSL *ssl = NULL;

    say_chain(bio);
    SAY_LONG(BIO_get_ssl(bio, &ssl));
    say("client: %d, read BIO of the connection is next: %d", !SSL_is_server(ssl),
        SSL_get_rbio(ssl) == BIO_next(BIO_find_type(bio, BIO_TYPE_SSL)));
    BIO_free_all(bio);
    bio = BIO_new_ssl(context, 0);
    say_chain(bio);
    SAY_LONG(BIO_get_ssl(bio, &ssl));
    SAY_LONG(SSL_is_server(ssl));
    SAY_LONG(BIO_set_ssl_mode(bio, 1));
    SAY_LONG(SSL_is_server(ssl));
    SAY_LONG(BIO_get_num_renegotiates(bio));
    BIO_free_all(bio);
    SSL_CTX_free(context);
    SAY_PRESENT(BIO_new_ssl(NULL, 1));
    ERR_clear_error();
}

/* Both ends as BIOs over a pair; each is driven once in turn. */
struct pair {
    SSL_CTX *contexts[2];
    BIO *client;
    BIO *server;
};

static struct pair make_pair(int version)
{
    struct pair pair = {{client_context(version), server_context(version, "server")}, NULL, NULL};
    BIO *to_server, *to_client;

    if (BIO_new_bio_pair(&to_server, 0, &to_client, 0) != 1)
        broken("a pair of BIOs");
    pair.client = BIO_push(BIO_new_ssl(pair.contexts[0], 1), to_server);
    pair.server = BIO_push(BIO_new_ssl(pair.contexts[1], 0), to_client);
    return pair;
}

static void free_pair(struct pair *pair)
{
    BIO_free_all(pair->client);
    BIO_free_all(pair->server);
    SSL_CTX_free(pair->contexts[0]);
    SSL_CTX_free(pair->contexts[1]);
    /* What the pair says of an end that is gone is of no interest. */
    ERR_clear_error();
}

static int shake(struct pair *pair, int aloud)
{
    for (int turn = 0; turn < 10; turn++) {
        long client = BIO_do_handshake(pair->client), server;

        if (aloud && turn == 0) {
            SAY_LONG(client);
            say_waiting("client", pair->client);
        }
        server = BIO_do_handshake(pair->server);
        if (aloud && turn == 0) {
            SAY_LONG(server);
            say_waiting("server", pair->server);
        }
        if (client == 1 && server == 1)
            return 1;
        if (!BIO_should_retry(pair->client) && client != 1)
            return 0;
    }
    return 0;
}

static void talk(int version)
{
    struct pair pair = make_pair(version);
    char buffer[100];
    int count;

    say_chain(pair.client);
    SAY_LONG(shake(&pair, 1));
    SAY_LONG(BIO_write(pair.client, "question", 8));
    SAY_LONG(BIO_puts(pair.client, ", twice"));
    SAY_LONG(BIO_flush(pair.client));
    SAY_LONG(BIO_read(pair.server, buffer, 3));
    SAY_LONG(BIO_pending(pair.server));
    count = BIO_read(pair.server, buffer, sizeof buffer);
    say("%d: %.*s", count, count, buffer);
    count = BIO_read(pair.server, buffer, sizeof buffer);
    say("%d: %.*s", count, count, buffer);
    SAY_LONG(BIO_read(pair.server, buffer, sizeof buffer));
    say_waiting("server", pair.server);
    SAY_LONG(BIO_write(pair.server, "answer", 6));
    SAY_LONG(BIO_read(pair.client, buffer, sizeof buffer));
    SAY_LONG(BIO_gets(pair.client, buffer, sizeof buffer));
    ERR_clear_error();
    BIO_ssl_shutdown(pair.client);
    SAY_LONG(BIO_read(pair.server, buffer, sizeof buffer));
    say_waiting("server", pair.server);
    SAY_LONG(BIO_eof(pair.server));
    free_pair(&pair);
}

/* A connection that the program made, and keeps. */
static void borrowed(int version)
{
    SSL_CTX *client = client_context(version), *server = server_context(version, "server");
    struct ends ends = make_ends(client, server);
    BIO *bio = BIO_new(BIO_f_ssl());
    SSL *ssl = NULL;

    SAY_LONG(BIO_set_ssl(bio, ends.client, BIO_NOCLOSE));
    SAY_LONG(BIO_get_close(bio));
    SAY_LONG(BIO_get_ssl(bio, &ssl));
    SAY_LONG(ssl == ends.client);
    say_chain(bio);
    SAY_LONG(BIO_do_handshake(bio));
    SAY_LONG(BIO_wpending(bio) > 0);
    handshake(&ends);
    SAY_LONG(BIO_do_handshake(bio));
    BIO_free_all(bio);
    SAY_LONG(SSL_is_init_finished(ends.client));
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

/* Both ends are cleared, and connect once more over the same BIOs, without their session. */
static void again(int version)
{
    SSL_CTX *client = client_context(version), *server = server_context(version, "server");
    struct ends ends = make_ends(client, server);

    handshake(&ends);
    for (int at = 0; at < 2; at++) {
        SSL *ssl = at == 0 ? ends.client : ends.server;

        SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN);
        SAY_LONG(SSL_clear(ssl));
        SAY_LONG(SSL_set_session(ssl, NULL));
        SAY_LONG(SSL_get_shutdown(ssl));
        SAY_LONG(SSL_is_init_finished(ssl));
        SAY_LONG(SSL_in_before(ssl));
    }
    handshake(&ends);
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    if (begin("empty"))
        empty();
    if (begin("chains"))
        chains();
    if (begin("TLSv1.2, talk"))
        talk(TLS1_2_VERSION);
    if (begin("TLSv1.3, talk"))
        talk(TLS1_3_VERSION);
    if (begin("TLSv1.2, cleared"))
        again(TLS1_2_VERSION);
    if (begin("TLSv1.3, cleared"))
        again(TLS1_3_VERSION);
    if (begin("TLSv1.3, borrowed"))
        borrowed(TLS1_3_VERSION);
    return finish();
}
