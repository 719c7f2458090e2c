/*
 * What a message callback is shown: every handshake message, alert and ChangeCipherSpec, in both
 * directions, and the headers of records.
 *
 * How long the hellos and what depends on them are is each library's choice, as is how it divides a
 * flight into records; so headers are shown only of records that hold one thing each.
 */
#include "harness.h"

#include <string.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static int with_headers;

static const char *content(int type)
{
    switch (type) {
    case SSL3_RT_CHANGE_CIPHER_SPEC:
        return "ChangeCipherSpec";
    case SSL3_RT_ALERT:
        return "alert";
    case SSL3_RT_HANDSHAKE:
        return "handshake";
    case SSL3_RT_HEADER:
        return "header";
    case SSL3_RT_INNER_CONTENT_TYPE:
        return "inner type";
    default:
        return "?";
    }
}

/* Whether a message is as long in every library. */
static int has_same_length(int type, int first)
{
    static const int free_length[] = {
        SSL3_MT_CLIENT_HELLO,       SSL3_MT_SERVER_HELLO,        SSL3_MT_NEWSESSION_TICKET,
        SSL3_MT_ENCRYPTED_EXTENSIONS, SSL3_MT_SERVER_KEY_EXCHANGE, SSL3_MT_CERTIFICATE_VERIFY,
        SSL3_MT_CERTIFICATE_REQUEST,
    };

    for (size_t at = 0; at < sizeof free_length / sizeof *free_length; at++)
        if (type == SSL3_RT_HANDSHAKE && first == free_length[at])
            return 0;
    return 1;
}

static void on_message(int sent, int version, int type, const void *data, size_t length, SSL *ssl,
                       void *argument)
{
    const unsigned char *bytes = data;
    const char *direction = sent ? "sent" : "received";
    const char *name = argument != NULL ? argument : "";

    if (type == SSL3_RT_HEADER || type == SSL3_RT_INNER_CONTENT_TYPE) {
        if (with_headers && type == SSL3_RT_HEADER)
            say("%s:%s %s %s of type %d, %d bytes (%04x)", side(ssl), name, direction, content(type),
                bytes[0], bytes[3] * 256 + bytes[4], (unsigned)version);
        if (with_headers && type == SSL3_RT_INNER_CONTENT_TYPE)
            say("%s:%s %s %s %d, %zu bytes (%04x)", side(ssl), name, direction, content(type),
                bytes[0], length, (unsigned)version);
        return;
    }
    if (has_same_length(type, bytes[0]))
        say("%s:%s %s %s %d, %zu bytes (%04x)", side(ssl), name, direction, content(type), bytes[0],
            length, (unsigned)version);
    else
        say("%s:%s %s %s %d (%04x)", side(ssl), name, direction, content(type), bytes[0],
            (unsigned)version);
    if (type == SSL3_RT_ALERT)
        say("%s: level %d, description %d", side(ssl), bytes[0], bytes[1]);
}

/* Contexts that are watched; alerts are said by the information callback too. */
static void watched(int version, const char *who, SSL_CTX **client, SSL_CTX **server)
{
    *client = client_context(version);
    *server = server_context(version, who);
    SSL_CTX_set_num_tickets(*server, 1);
    SSL_CTX_set_msg_callback(*client, on_message);
    SSL_CTX_set_msg_callback(*server, on_message);
}

static void free_both(SSL_CTX *client, SSL_CTX *server)
{
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static int on_verify(int ok, X509_STORE_CTX *store)
{
    say("verification at depth %d: %s", X509_STORE_CTX_get_error_depth(store),
        ok ? "good" : X509_verify_cert_error_string(X509_STORE_CTX_get_error(store)));
    return ok;
}

static int on_certificate(SSL *ssl, void *argument)
{
    (void)argument;
    say("%s: certificate callback", side(ssl));
    return 1;
}

static int on_name(SSL *ssl, int *alert, void *argument)
{
    (void)alert, (void)argument;
    say("%s: server name callback", side(ssl));
    return SSL_TLSEXT_ERR_OK;
}

/* Messages stand among the callbacks in which the program acts on them. */
static void among_callbacks(int version)
{
    SSL_CTX *client, *server;

    if (!begin("%s, among other callbacks", version_name(version)))
        return;
    watched(version, "server", &client, &server);
    SSL_CTX_set_verify(client, SSL_VERIFY_PEER, on_verify);
    SSL_CTX_set_cert_cb(server, on_certificate, NULL);
    SSL_CTX_set_tlsext_servername_callback(server, on_name);
    connect_once(client, server);
    free_both(client, server);
}

static void client_certificate(int version)
{
    SSL_CTX *client, *server;

    if (!begin("%s, a client's certificate", version_name(version)))
        return;
    watched(version, "server", &client, &server);
    use_certificate(client, "client");
    SSL_CTX_load_verify_locations(server, path_of("client", "root.pem"), NULL);
    SSL_CTX_set_verify(server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, on_verify);
    connect_once(client, server);
    free_both(client, server);
}

static void no_client_certificate(int version)
{
    SSL_CTX *client, *server;

    if (!begin("%s, no client's certificate", version_name(version)))
        return;
    watched(version, "server", &client, &server);
    SSL_CTX_set_verify(server, SSL_VERIFY_PEER, NULL);
    connect_once(client, server);
    free_both(client, server);
}

static void resumed(int version)
{
    SSL_CTX *client, *server;
    SSL_SESSION *session;
    struct ends ends;

    if (!begin("%s, resumed", version_name(version)))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    SSL_CTX_set_num_tickets(server, 1);
    /* By an id: whether a ticket is renewed is each library's choice. */
    if (version == TLS1_2_VERSION)
        SSL_CTX_set_options(server, SSL_OP_NO_TICKET);
    ends = make_ends(client, server);
    handshake(&ends);
    session = SSL_get1_session(ends.client);
    SSL_shutdown(ends.client);
    SSL_shutdown(ends.server);
    free_ends(&ends);
    SSL_CTX_set_msg_callback(client, on_message);
    SSL_CTX_set_msg_callback(server, on_message);
    ends = make_ends(client, server);
    SSL_set_session(ends.client, session);
    handshake(&ends);
    free_ends(&ends);
    SSL_SESSION_free(session);
    free_both(client, server);
}

/* A session that the server does not know any more. */
static void not_resumed(int version)
{
    SSL_CTX *client, *server, *other;
    SSL_SESSION *session;
    struct ends ends;

    if (!begin("%s, a session that is not resumed", version_name(version)))
        return;
    watched(version, "server", &client, &server);
    other = server_context(version, "server");
    ends = make_ends(client, other);
    handshake(&ends);
    session = SSL_get1_session(ends.client);
    free_ends(&ends);
    say("again");
    ends = make_ends(client, server);
    SSL_set_session(ends.client, session);
    handshake(&ends);
    free_ends(&ends);
    SSL_SESSION_free(session);
    SSL_CTX_free(other);
    free_both(client, server);
}

static void retry(void)
{
    SSL_CTX *client, *server;

    if (!begin("TLSv1.3, a HelloRetryRequest"))
        return;
    watched(TLS1_3_VERSION, "server", &client, &server);
    SSL_CTX_set1_groups_list(client, "X25519:P-256");
    SSL_CTX_set1_groups_list(server, "P-256");
    connect_once(client, server);
    free_both(client, server);
}

static void refused(int version)
{
    SSL_CTX *client, *server;

    if (!begin("%s, a certificate that is refused", version_name(version)))
        return;
    watched(version, "stranger", &client, &server);
    SSL_CTX_set_verify(client, SSL_VERIFY_PEER, on_verify);
    connect_once(client, server);
    free_both(client, server);
}

static void no_version(void)
{
    SSL_CTX *client, *server, *unused;

    if (!begin("no version in common"))
        return;
    watched(TLS1_2_VERSION, "server", &client, &unused);
    SSL_CTX_free(unused);
    watched(TLS1_3_VERSION, "server", &unused, &server);
    SSL_CTX_free(unused);
    connect_once(client, server);
    free_both(client, server);
}

static void move(SSL *from, SSL *to, const char *data)
{
    char buffer[100];

    say_result(from, "write", SSL_write(from, data, (int)strlen(data)));
    say_result(to, "read", SSL_read(to, buffer, sizeof buffer));
}

/* The headers of records with data, alerts and key updates, which are as long everywhere. */
static void after_the_handshake(int version)
{
    SSL_CTX *client, *server;
    struct ends ends;
    char byte;

    if (!begin("%s, after the handshake", version_name(version)))
        return;
    watched(version, "server", &client, &server);
    ends = make_ends(client, server);
    handshake(&ends);
    with_headers = 1;
    move(ends.client, ends.server, "hello");
    move(ends.server, ends.client, "and hello to you");
    if (version == TLS1_3_VERSION) {
        SAY_LONG(SSL_key_update(ends.client, SSL_KEY_UPDATE_REQUESTED));
        move(ends.client, ends.server, "under new keys");
        move(ends.server, ends.client, "under new keys too");
        move(ends.client, ends.server, "once more");
    }
    SAY_LONG(SSL_shutdown(ends.client));
    say_result(ends.server, "read", SSL_read(ends.server, &byte, 1));
    SAY_LONG(SSL_shutdown(ends.server));
    SAY_LONG(SSL_shutdown(ends.client));
    with_headers = 0;
    free_ends(&ends);
    free_both(client, server);
}

static void arguments(int version)
{
    SSL_CTX *client, *server;
    struct ends ends;

    if (!begin("%s, callbacks and arguments of connections", version_name(version)))
        return;
    watched(version, "server", &client, &server);
    SAY_LONG(SSL_CTX_set_msg_callback_arg(client, (void *)" context"));
    ends = make_ends(client, server);
    SAY_LONG(SSL_set_msg_callback_arg(ends.server, (void *)" connection"));
    /* What a context gets later is not for connections that are there. */
    SSL_CTX_set_msg_callback(client, NULL);
    SSL_CTX_set_msg_callback_arg(server, (void *)" too late");
    handshake(&ends);
    SSL_set_msg_callback(ends.server, NULL);
    move(ends.client, ends.server, "hello");
    SSL_shutdown(ends.client);
    free_ends(&ends);
    SAY_LONG(SSL_CTX_callback_ctrl(client, SSL_CTRL_SET_MSG_CALLBACK, NULL));
    SAY_LONG(SSL_CTX_ctrl(client, SSL_CTRL_SET_MSG_CALLBACK_ARG, 0, NULL));
    free_both(client, server);
}

/* A callback may use its connection. */
static void on_message_writes(int sent, int version, int type, const void *data, size_t length,
                              SSL *ssl, void *argument)
{
    (void)sent, (void)version, (void)type, (void)data, (void)length, (void)argument;
    SSL_get_state(ssl);
    SSL_get_version(ssl);
    SSL_get_finished(ssl, NULL, 0);
    SSL_pending(ssl);
}

static void busy_callback(int version)
{
    SSL_CTX *client, *server;

    if (!begin("%s, a callback that asks", version_name(version)))
        return;
    watched(version, "server", &client, &server);
    SSL_CTX_set_msg_callback(client, on_message_writes);
    SSL_CTX_set_msg_callback(server, on_message_writes);
    connect_once(client, server);
    free_both(client, server);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    for (int at = 0; at < 2; at++) {
        int version = versions[at];

        among_callbacks(version);
        client_certificate(version);
        no_client_certificate(version);
        resumed(version);
        not_resumed(version);
        refused(version);
        after_the_handshake(version);
        arguments(version);
        busy_callback(version);
    }
    retry();
    no_version();
    return finish();
}
