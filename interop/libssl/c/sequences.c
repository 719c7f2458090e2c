/*
 * Sequences of calls on the same two connections, drawn from fixed seeds: handshakes with and
 * without certificates, sessions that are offered again, SSL_clear in between or not, up to a
 * handshake that fails. After each handshake the peer and its trust are as OpenSSL says.
 */
#include "harness.h"

#include <string.h>

enum { SEQUENCES = 24, STEPS = 8, SESSIONS = 4 };

static unsigned state;

static unsigned draw(unsigned below)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 16) % below;
}

static SSL_SESSION *sessions[SESSIONS];
static unsigned newest;

static int on_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    newest = (newest + 1) % SESSIONS;
    SSL_SESSION_free(sessions[newest]);
    sessions[newest] = session;
    return 1;
}

static int on_server(SSL *ssl, void *argument)
{
    (void)argument;
    set_response(ssl, 30, 4);
    return SSL_TLSEXT_ERR_OK;
}

static void say_trust(SSL *ssl)
{
    char name[200] = "none", of_session[200] = "none";
    SSL_SESSION *session = SSL_get_session(ssl);
    X509 *peer = SSL_get0_peer_certificate(ssl);

    if (peer != NULL)
        X509_NAME_oneline(X509_get_subject_name(peer), name, sizeof(name));
    peer = session != NULL ? SSL_SESSION_get0_peer(session) : NULL;
    if (peer != NULL)
        X509_NAME_oneline(X509_get_subject_name(peer), of_session, sizeof(of_session));
    say("  %s: peer %s, verify result %ld, version %s, shutdown %d", side(ssl), name,
        SSL_get_verify_result(ssl), SSL_get_version(ssl), SSL_get_shutdown(ssl));
    if (SSL_is_init_finished(ssl))
        say("  session %d, its peer %s", session != NULL, of_session);
}

static void join(struct ends *ends)
{
    ends->to_server = BIO_new(BIO_s_mem());
    ends->to_client = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(ends->to_server, -1);
    BIO_set_mem_eof_return(ends->to_client, -1);
    BIO_up_ref(ends->to_server);
    BIO_up_ref(ends->to_client);
    SSL_set_bio(ends->client, ends->to_client, ends->to_server);
    SSL_set_bio(ends->server, ends->to_server, ends->to_client);
}

/* Two contexts for each role, of which one is stricter and has another certificate. */
struct contexts {
    SSL_CTX *clients[2], *servers[2];
};

static struct contexts make_contexts(int version, long options)
{
    struct contexts contexts;
    int nth;

    for (nth = 0; nth < 2; nth++) {
        SSL_CTX *client = client_context(version);
        SSL_CTX *server = server_context(version, nth ? "other" : "server");

        SSL_CTX_set_info_callback(client, NULL);
        SSL_CTX_set_info_callback(server, NULL);
        SSL_CTX_set_session_cache_mode(client,
            SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
        SSL_CTX_sess_set_new_cb(client, on_session);
        SSL_CTX_set_tlsext_status_type(client, nth ? -1 : TLSEXT_STATUSTYPE_ocsp);
        use_certificate(client, nth ? "stranger" : "client");
        SSL_CTX_set_verify(client, nth ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_options(server, options);
        SSL_CTX_set_session_id_context(server, (const unsigned char *)(nth ? "b" : "a"), 1);
        SSL_CTX_load_verify_locations(server, path_of("client", "root.pem"), NULL);
        SSL_CTX_set_tlsext_status_cb(server, on_server);
        contexts.clients[nth] = client;
        contexts.servers[nth] = server;
    }
    return contexts;
}

static int accept_all(int good, X509_STORE_CTX *store)
{
    (void)good, (void)store;
    return 1;
}

/* Whether the handshake is done; OpenSSL keeps bits of one that is not. */
static int one_step(struct ends *ends, const struct contexts *contexts)
{
    unsigned offered = draw(SESSIONS + 2), verify = draw(4);
    unsigned renewed = draw(4), clears = draw(5), certificate = draw(4);

    if (renewed == 0) {
        SSL_free(ends->client);
        ends->client = SSL_new(contexts->clients[draw(2)]);
    } else if (clears > 0) {
        say(" SSL_clear of the client: %d", SSL_clear(ends->client));
    }
    if (renewed == 1) {
        SSL_free(ends->server);
        ends->server = SSL_new(contexts->servers[draw(2)]);
    } else if (clears > 0) {
        say(" SSL_clear of the server: %d", SSL_clear(ends->server));
    }
    SSL_set_connect_state(ends->client);
    SSL_set_accept_state(ends->server);
    if (offered < SESSIONS) {
        say(" offers %s: %d", sessions[offered] ? "a session" : "none",
            SSL_set_session(ends->client, sessions[offered]));
        /* Sessions of TLS 1.3 are for one use. */
        SSL_SESSION_free(sessions[offered]);
        sessions[offered] = NULL;
    }
    if (certificate == 0)
        SSL_certs_clear(ends->client);
    SSL_set_verify(ends->server, verify > 1 ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
        verify == 3 ? accept_all : NULL);
    say(" verify %u, certificate %u", verify, certificate);
    say_trust(ends->client);
    say_trust(ends->server);
    join(ends);
    if (!handshake(ends))
        return 0;
    say_trust(ends->client);
    say_trust(ends->server);
    SSL_shutdown(ends->client);
    SSL_shutdown(ends->server);
    SSL_shutdown(ends->client);
    ERR_clear_error();
    return 1;
}

static void sequence(int version, unsigned seed, long options)
{
    struct contexts contexts;
    struct ends ends;
    int nth;

    if (!begin("%s, sequence %u", version_name(version), seed))
        return;
    state = seed * 7919 + 17;
    draw(2);
    contexts = make_contexts(version, options);
    ends = make_ends(contexts.clients[0], contexts.servers[0]);
    for (nth = 0; nth < STEPS; nth++) {
        say("step %d", nth);
        if (!one_step(&ends, &contexts))
            break;
    }
    free_ends(&ends);
    for (nth = 0; nth < SESSIONS; nth++) {
        SSL_SESSION_free(sessions[nth]);
        sessions[nth] = NULL;
    }
    newest = 0;
    for (nth = 0; nth < 2; nth++) {
        SSL_CTX_free(contexts.clients[nth]);
        SSL_CTX_free(contexts.servers[nth]);
    }
}

int main(int argc, char **argv)
{
    unsigned seed;

    start(argc, argv);
    for (seed = 0; seed < SEQUENCES; seed++) {
        sequence(TLS1_2_VERSION, seed, seed % 3 ? 0 : SSL_OP_NO_TICKET);
        sequence(TLS1_3_VERSION, seed, seed % 3 ? 0 : SSL_OP_NO_TICKET);
    }
    return finish();
}
