/*
 * The steps of handshakes as an information callback hears of them, with the state at each.
 */
#include "harness.h"

#include <string.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void on_step(const SSL *ssl, int where, int value)
{
    const char *what = where & SSL_CB_LOOP              ? "step"
                       : where & SSL_CB_HANDSHAKE_START ? "start"
                       : where & SSL_CB_HANDSHAKE_DONE  ? "done"
                       : where & SSL_CB_ALERT           ? "alert"
                                                        : "exit";

    say("%s: %s %04x %d, state %d %s: %s", side(ssl), what, (unsigned)where, value,
        SSL_get_state(ssl), SSL_state_string(ssl), SSL_state_string_long(ssl));
}

static void watched(int version, const char *who, SSL_CTX **client, SSL_CTX **server)
{
    *client = client_context(version);
    *server = server_context(version, who);
    SSL_CTX_set_info_callback(*client, on_step);
    SSL_CTX_set_info_callback(*server, on_step);
}

static void free_both(SSL_CTX *client, SSL_CTX *server)
{
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void full(int version, int tickets)
{
    SSL_CTX *client, *server;

    if (!begin("%s, full, %d tickets", version_name(version), tickets))
        return;
    watched(version, "server", &client, &server);
    SSL_CTX_set_num_tickets(server, (size_t)tickets);
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
    SSL_CTX_set_verify(server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
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
    if (version == TLS1_2_VERSION)
        SSL_CTX_set_options(server, SSL_OP_NO_TICKET);
    ends = make_ends(client, server);
    handshake(&ends);
    session = SSL_get1_session(ends.client);
    SSL_shutdown(ends.client);
    SSL_shutdown(ends.server);
    free_ends(&ends);
    SSL_CTX_set_info_callback(client, on_step);
    SSL_CTX_set_info_callback(server, on_step);
    ends = make_ends(client, server);
    SSL_set_session(ends.client, session);
    handshake(&ends);
    free_ends(&ends);
    SSL_SESSION_free(session);
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
    connect_once(client, server);
    free_both(client, server);
}

static int staple(SSL *ssl, void *argument)
{
    (void)argument;
    set_response(ssl, 100, 7);
    return SSL_TLSEXT_ERR_OK;
}

static int judge(SSL *ssl, void *argument)
{
    (void)argument;
    say("%s: status callback", side(ssl));
    return 1;
}

static void stapled(int version)
{
    SSL_CTX *client, *server;

    if (!begin("%s, stapled", version_name(version)))
        return;
    watched(version, "server", &client, &server);
    SSL_CTX_set_tlsext_status_type(client, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_set_tlsext_status_cb(client, judge);
    SSL_CTX_set_tlsext_status_cb(server, staple);
    connect_once(client, server);
    free_both(client, server);
}

static void move(SSL *from, SSL *to)
{
    char byte = 'x';

    say_result(from, "write", SSL_write(from, &byte, 1));
    say_result(to, "read", SSL_read(to, &byte, 1));
}

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
    move(ends.client, ends.server);
    if (version == TLS1_3_VERSION) {
        SAY_LONG(SSL_key_update(ends.server, SSL_KEY_UPDATE_REQUESTED));
        move(ends.server, ends.client);
        move(ends.client, ends.server);
    }
    SSL_shutdown(ends.client);
    say_result(ends.server, "read", SSL_read(ends.server, &byte, 1));
    free_ends(&ends);
    free_both(client, server);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    for (int at = 0; at < 2; at++) {
        int version = versions[at];

        for (int tickets = 0; tickets < 3; tickets++)
            full(version, tickets);
        client_certificate(version);
        resumed(version);
        refused(version);
        stapled(version);
        after_the_handshake(version);
    }
    retry();
    return finish();
}
