/*
 * What was said in the hellos and is asked for by name: the formats of points, the extended master
 * secret.
 */
#include "harness.h"

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void say_facts(SSL *ssl, const char *when)
{
    const char *formats = NULL;
    long count = SSL_get0_ec_point_formats(ssl, &formats);

    say("%s, %s: extended master secret %ld", side(ssl), when, (long)SSL_get_extms_support(ssl));
    /* How many formats there are is each library's own; the first is the only one of RFC 8422. */
    if (SSL_is_server(ssl))
        say("%s, %s: point formats %s", side(ssl), when,
            count <= 0 ? "none" : formats[0] == TLSEXT_ECPOINTFORMAT_uncompressed ? "uncompressed"
                                                                                 : "others");
}

static int on_certificate(SSL *ssl, void *argument)
{
    (void)argument;
    say_facts(ssl, "in the callback");
    return 1;
}

static void facts(int version, int resume)
{
    SSL_CTX *client, *server;
    SSL_SESSION *session = NULL;
    struct ends ends;

    if (!begin("%s, %s", version_name(version), resume ? "resumed" : "full"))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    SSL_CTX_set_cert_cb(server, on_certificate, NULL);
    for (int round = 0; round <= resume; round++) {
        ends = make_ends(client, server);
        say_facts(ends.client, "before");
        say_facts(ends.server, "before");
        if (session != NULL)
            SAY_LONG(SSL_set_session(ends.client, session));
        handshake(&ends);
        say_facts(ends.client, "after");
        say_facts(ends.server, "after");
        SSL_SESSION_free(session);
        session = SSL_get1_session(ends.client);
        SSL_shutdown(ends.client);
        SSL_shutdown(ends.server);
        free_ends(&ends);
    }
    SSL_SESSION_free(session);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    for (int at = 0; at < 2; at++)
        for (int resume = 0; resume < 2; resume++)
            facts(versions[at], resume);
    return finish();
}
