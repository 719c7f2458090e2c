/*
 * What the hellos have said: extensions as they come, and what the functions tell of them.
 *
 * Which extensions a hello has beside the necessary ones, and in which order, is each library's
 * choice; so single ones are looked for.
 */
#include "harness.h"

#include <string.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void say_facts(SSL *ssl, const char *when)
{
    say("%s, %s: client's version %04x, secure renegotiation %ld, extended master secret %ld, "
        "flags %lx",
        side(ssl), when, (unsigned)SSL_client_version(ssl),
        SSL_get_secure_renegotiation_support(ssl), SSL_get_extms_support(ssl),
        SSL_ctrl(ssl, SSL_CTRL_GET_FLAGS, 0, NULL));
}

static void facts(int version)
{
    SSL_CTX *client, *server;
    SSL_SESSION *session;
    struct ends ends;

    if (!begin("%s, what the hellos agree on", version_name(version)))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    ends = make_ends(client, server);
    say_facts(ends.client, "before");
    say_facts(ends.server, "before");
    step(ends.client);
    say_facts(ends.client, "under way");
    handshake(&ends);
    say_facts(ends.client, "after");
    say_facts(ends.server, "after");
    session = SSL_get1_session(ends.client);
    SSL_shutdown(ends.client);
    SSL_shutdown(ends.server);
    free_ends(&ends);
    ends = make_ends(client, server);
    SSL_set_session(ends.client, session);
    handshake(&ends);
    say_facts(ends.client, "resumed");
    say_facts(ends.server, "resumed");
    free_ends(&ends);
    SSL_SESSION_free(session);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void supported(void)
{
    if (!begin("extensions that the library deals with"))
        return;
    for (unsigned type = 0; type < 65536; type++)
        if (SSL_extension_supported(type))
            say("%u", type);
}

struct wanted {
    const char *name;
    int type;
    int seen;
    int of_server;
    int message;
    int length;
    int first;
};

/* The message that was received last. */
static int message;

static void on_extension(SSL *ssl, int of_server, int type, const unsigned char *data, int length,
                         void *argument)
{
    struct wanted *wanted = argument;

    for (; wanted->name != NULL; wanted++) {
        if (wanted->type != type)
            continue;
        wanted->seen++;
        wanted->of_server = of_server;
        wanted->message = message;
        wanted->length = length;
        wanted->first = length > 0 ? data[0] : -1;
    }
    /* A callback may use its connection. */
    SSL_get_state(ssl);
}

static void say_wanted(const char *who, const struct wanted *wanted)
{
    for (; wanted->name != NULL; wanted++)
        say("%s heard of %s: %d times, of a server: %d, after message %d, %d bytes, first %d", who,
            wanted->name, wanted->seen, wanted->of_server, wanted->message, wanted->length,
            wanted->first);
}

static int staple(SSL *ssl, void *argument)
{
    (void)argument;
    set_response(ssl, 100, 7);
    return SSL_TLSEXT_ERR_OK;
}

static int judge(SSL *ssl, void *argument)
{
    (void)ssl, (void)argument;
    return 1;
}

static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *length,
                           const unsigned char *offered, unsigned size, void *argument)
{
    (void)ssl, (void)size, (void)argument;
    *out = offered + 1;
    *length = offered[0];
    return SSL_TLSEXT_ERR_OK;
}

static void on_message(int sent, int version, int type, const void *data, size_t length, SSL *ssl,
                       void *argument)
{
    (void)version, (void)length, (void)ssl, (void)argument;
    if (type == SSL3_RT_HANDSHAKE && !sent)
        message = *(const unsigned char *)data;
}

/* Extensions are told of after the message that they are in. Hellos have them in any order. */
static void as_they_come(int version)
{
    struct wanted in_client_hello[] = {
        {"server_name", TLSEXT_TYPE_server_name, 0, 0, 0, 0, 0},
        {"alpn", TLSEXT_TYPE_application_layer_protocol_negotiation, 0, 0, 0, 0, 0},
        {"status_request", TLSEXT_TYPE_status_request, 0, 0, 0, 0, 0},
        {"extended_master_secret", TLSEXT_TYPE_extended_master_secret, 0, 0, 0, 0, 0},
        {NULL, 0, 0, 0, 0, 0, 0},
    };
    struct wanted of_server_12[] = {
        {"alpn", TLSEXT_TYPE_application_layer_protocol_negotiation, 0, 0, 0, 0, 0},
        {NULL, 0, 0, 0, 0, 0, 0},
    };
    struct wanted of_server_13[] = {
        {"alpn", TLSEXT_TYPE_application_layer_protocol_negotiation, 0, 0, 0, 0, 0},
        {"status_request", TLSEXT_TYPE_status_request, 0, 0, 0, 0, 0},
        {NULL, 0, 0, 0, 0, 0, 0},
    };
    SSL_CTX *client, *server;
    struct ends ends;

    if (!begin("%s, extensions as they come", version_name(version)))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    SSL_CTX_set_num_tickets(server, 0);
    SSL_CTX_set_alpn_protos(client, (const unsigned char *)"\2h2", 3);
    SSL_CTX_set_alpn_select_cb(server, select_protocol, NULL);
    SSL_CTX_set_tlsext_status_type(client, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_set_tlsext_status_cb(client, judge);
    SSL_CTX_set_tlsext_status_cb(server, staple);
    ends = make_ends(client, server);
    SSL_set_msg_callback(ends.client, on_message);
    SSL_set_msg_callback(ends.server, on_message);
    SSL_set_tlsext_host_name(ends.client, "server.test");
    SAY_LONG(SSL_set_tlsext_debug_callback(ends.client, on_extension));
    SAY_LONG(SSL_set_tlsext_debug_callback(ends.server, on_extension));
    SAY_LONG(SSL_set_tlsext_debug_arg(ends.server, in_client_hello));
    if (version == TLS1_2_VERSION)
        SAY_LONG(SSL_set_tlsext_debug_arg(ends.client, of_server_12));
    else
        SAY_LONG(SSL_set_tlsext_debug_arg(ends.client, of_server_13));
    handshake(&ends);
    say_wanted("server", in_client_hello);
    say_wanted("client", version == TLS1_2_VERSION ? of_server_12 : of_server_13);
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    supported();
    for (int at = 0; at < 2; at++) {
        facts(versions[at]);
        as_they_come(versions[at]);
    }
    return finish();
}
