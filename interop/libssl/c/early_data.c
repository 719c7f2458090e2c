/*
 * Early data that nobody sends: servers ready for it complete their handshakes, and go on as others.
 */
#include "harness.h"

#include <openssl/err.h>
#include <string.h>

/* Steps of both sides, until the server says that there is no more early data. */
static int read_none(struct ends *ends)
{
    char bytes[16];
    size_t count = 99;

    for (int round = 0; round < 20; round++) {
        int said = SSL_read_early_data(ends->server, bytes, sizeof bytes, &count);

        if (said != SSL_READ_EARLY_DATA_ERROR) {
            say("server: %d, %zu bytes", said, count);
            return said;
        }
        if (SSL_get_error(ends->server, 0) != SSL_ERROR_WANT_READ)
            break;
        SSL_do_handshake(ends->client);
    }
    say("server: it fails");
    return SSL_READ_EARLY_DATA_ERROR;
}

static void server_reads(int version)
{
    SSL_CTX *client, *server;
    struct ends ends;
    size_t count;
    char bytes[16] = "";

    if (!begin("%s, a server that is ready for early data", version_name(version)))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    SAY_LONG(SSL_CTX_set_max_early_data(server, 16384));
    ends = make_ends(client, server);
    if (read_none(&ends) == SSL_READ_EARLY_DATA_FINISH) {
        handshake(&ends);
        SAY_LONG(SSL_get_early_data_status(ends.server));
        SAY_LONG(SSL_write(ends.server, "hello", 5));
        SAY_LONG(SSL_read(ends.client, bytes, sizeof bytes));
        say("%s", bytes);
    }
    SAY_LONG(SSL_read_early_data(ends.server, bytes, sizeof bytes, &count));
    ERR_clear_error();
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void client_reads(void)
{
    SSL_CTX *client, *server;
    struct ends ends;
    size_t count;
    char bytes[16];

    if (!begin("a client that asks for early data"))
        return;
    client = client_context(TLS1_3_VERSION);
    server = server_context(TLS1_3_VERSION, "server");
    ends = make_ends(client, server);
    SAY_LONG(SSL_read_early_data(ends.client, bytes, sizeof bytes, &count));
    say_errors("client");
    say("%d", handshake(&ends));
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    server_reads(TLS1_2_VERSION);
    server_reads(TLS1_3_VERSION);
    client_reads();
    return finish();
}
