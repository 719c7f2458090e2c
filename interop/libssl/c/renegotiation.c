/*
 * A renegotiation that a program asks for and does not get: where it is switched off, in TLS 1.3, and
 * where the library has none. The connection can go on as it was.
 */
#include "harness.h"

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void states(SSL *ssl)
{
    say("%s: finished %d, in a handshake %d, pending %d", side(ssl), SSL_is_init_finished(ssl),
        SSL_in_init(ssl), SSL_renegotiate_pending(ssl));
}

static void one_byte(SSL *from, SSL *to)
{
    char byte = 'x';

    say_result(from, "write", SSL_write(from, &byte, 1));
    say_result(to, "read", SSL_read(to, &byte, 1));
}

static void both_ways(const struct ends *ends)
{
    one_byte(ends->client, ends->server);
    one_byte(ends->server, ends->client);
}

/* What Apache does: it asks, runs the handshake, looks at the state, and writes whatever it is. */
static void ask(SSL *ssl, int (*function)(SSL *), const char *name)
{
    say_result(ssl, name, function(ssl));
    ERR_clear_error();
    states(ssl);
    say_result(ssl, "handshake", SSL_do_handshake(ssl));
    states(ssl);
    say_result(ssl, "handshake", SSL_do_handshake(ssl));
    states(ssl);
}

static void refused(int version, int asker, unsigned long options)
{
    SSL_CTX *client, *server;
    struct ends ends;
    SSL *ssl;

    if (!begin("%s, the %s asks, %s", version_name(version), asker ? "server" : "client",
               options ? "off" : "not off"))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    SSL_CTX_set_options(client, options);
    SSL_CTX_set_options(server, options);
    ends = make_ends(client, server);
    if (handshake(&ends)) {
        ssl = asker ? ends.server : ends.client;
        ask(ssl, SSL_renegotiate, "renegotiate");
        both_ways(&ends);
        ask(ssl, SSL_renegotiate_abbreviated, "renegotiate, abbreviated");
        both_ways(&ends);
    }
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

/* Who does not look goes on with data, and has no handshake to run. */
static void ignored(void)
{
    SSL_CTX *client, *server;
    struct ends ends;

    if (!begin("TLSv1.2, asked and forgotten, off"))
        return;
    client = client_context(TLS1_2_VERSION);
    server = server_context(TLS1_2_VERSION, "server");
    SSL_CTX_set_options(server, SSL_OP_NO_RENEGOTIATION);
    ends = make_ends(client, server);
    handshake(&ends);
    say_result(ends.server, "renegotiate", SSL_renegotiate(ends.server));
    both_ways(&ends);
    say_result(ends.server, "handshake", SSL_do_handshake(ends.server));
    states(ends.server);
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

/* Here OpenSSL has one to give. */
static void none_to_give(void)
{
    SSL_CTX *client, *server;
    struct ends ends;

    if (!begin("TLSv1.2, the server asks and writes"))
        return;
    client = client_context(TLS1_2_VERSION);
    server = server_context(TLS1_2_VERSION, "server");
    ends = make_ends(client, server);
    handshake(&ends);
    say("asked: %d", SSL_renegotiate(ends.server));
    ERR_clear_error();
    say("handshake: %d", SSL_do_handshake(ends.server));
    say_errors("server");
    say("finished: %d", SSL_is_init_finished(ends.server));
    say("handshake: %d", SSL_do_handshake(ends.server));
    say_errors("server");
    one_byte(ends.server, ends.client);
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

int main(int argc, char **argv)
{
    size_t i;
    int asker;

    start(argc, argv);
    for (asker = 0; asker < 2; asker++)
        for (i = 0; i < 2; i++)
            refused(versions[i], asker, SSL_OP_NO_RENEGOTIATION);
    refused(TLS1_3_VERSION, 0, 0);
    refused(TLS1_3_VERSION, 1, 0);
    ignored();
    none_to_give();
    return finish();
}
