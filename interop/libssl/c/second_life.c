/*
 * Second lives: a connection that is cleared, switched to the other side, or used again after a
 * failure shows nothing of the connection before. After each step every getter is asked.
 */
#include "harness.h"

#include <openssl/x509v3.h>
#include <string.h>

static void say_name(const char *what, const X509 *certificate)
{
    char name[200] = "none";

    if (certificate != NULL)
        X509_NAME_oneline(X509_get_subject_name(certificate), name, sizeof(name));
    say("  %s: %s", what, name);
}

static void say_chain(const char *what, const STACK_OF(X509) *chain)
{
    say("  %s: %d", what, sk_X509_num(chain));
    if (sk_X509_num(chain) > 0)
        say_name("it begins with", sk_X509_value(chain, 0));
}

/* All that a connection tells. */
static void say_all(SSL *ssl, const char *when)
{
    const unsigned char *bytes;
    unsigned char data[64];
    unsigned length;
    char list[2000];
    int nid = 0;
    SSL_SESSION *session = SSL_get_session(ssl);
    X509 *peer = SSL_get1_peer_certificate(ssl);
    EVP_PKEY *key = NULL;

    say(" %s:", when);
    say_name("peer", peer);
    X509_free(peer);
    say_chain("chain", SSL_get_peer_cert_chain(ssl));
    if (SSL_is_init_finished(ssl))
        say_chain("verified chain", SSL_get0_verified_chain(ssl));
    say("  verify result %ld", SSL_get_verify_result(ssl));
    say("  session: %s", session != NULL ? "there" : "none");
    if (session != NULL)
        say_name("session's peer", SSL_SESSION_get0_peer(session));
    say("  reused %d, version %s", SSL_session_reused(ssl), SSL_get_version(ssl));
    SSL_get0_alpn_selected(ssl, &bytes, &length);
    say("  alpn: %.*s", (int)length, length ? (const char *)bytes : "");
    say("  names of the peer's CAs: %d", sk_X509_NAME_num(SSL_get0_peer_CA_list(ssl)));
    say("  pending %d, shutdown %d, want %d", SSL_pending(ssl), SSL_get_shutdown(ssl),
        SSL_want(ssl));
    say("  state %s, finished %d, before %d", SSL_state_string_long(ssl), SSL_is_init_finished(ssl),
        SSL_in_before(ssl));
    say("  signature %d", (int)SSL_get_peer_signature_nid(ssl, &nid));
    say("  temporary key %d", (int)SSL_get_peer_tmp_key(ssl, &key));
    EVP_PKEY_free(key);
    if (!SSL_is_init_finished(ssl))
        return;
    say("  cipher %s", SSL_get_cipher_name(ssl));
    say("  client's ciphers: %d", sk_SSL_CIPHER_num(SSL_get_client_ciphers(ssl)) > 0);
    say("  shared ciphers: %s",
        SSL_get_shared_ciphers(ssl, list, sizeof(list)) != NULL ? "some" : "none");
    say("  exports %d", SSL_export_keying_material(ssl, data, 16, "EXPERIMENTAL", 12, NULL, 0, 0));
    /* OpenSSL's server of TLS 1.3 loses the type when a client's certificate arrives. */
    if (!SSL_is_server(ssl) || SSL_version(ssl) == TLS1_2_VERSION)
        say("  status type %ld", (long)SSL_get_tlsext_status_type(ssl));
    say_response(ssl, "status");
    ERR_clear_error();
}

static void goodbye(struct ends *ends)
{
    int times;

    for (times = 0; times < 2; times++) {
        SSL_shutdown(ends->client);
        SSL_shutdown(ends->server);
    }
    ERR_clear_error();
}

/* Gives both ends a new transport. */
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

static int staple(SSL *ssl, void *argument)
{
    (void)argument;
    set_response(ssl, 20, 3);
    return SSL_TLSEXT_ERR_OK;
}

static int look(SSL *ssl, void *argument)
{
    (void)argument;
    say_response(ssl, "in the status callback");
    return 1;
}

static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *length,
                           const unsigned char *in, unsigned size, void *argument)
{
    (void)ssl, (void)size, (void)argument;
    *out = in + 1;
    *length = in[0];
    return SSL_TLSEXT_ERR_OK;
}

enum knows { NOTHING, CERTIFICATE };

/* A client that asks for status, has a protocol, and may have a certificate. */
static SSL_CTX *full_client(int version, enum knows knows)
{
    SSL_CTX *client = client_context(version);

    SSL_CTX_set_info_callback(client, NULL);
    SSL_CTX_set_alpn_protos(client, (const unsigned char *)"\2h2", 3);
    SSL_CTX_set_tlsext_status_type(client, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_set_tlsext_status_cb(client, look);
    if (knows == CERTIFICATE)
        use_certificate(client, "client");
    return client;
}

/* A client with none of these. */
static SSL_CTX *bare_client(int version)
{
    SSL_CTX *client = client_context(version);

    SSL_CTX_set_info_callback(client, NULL);
    return client;
}

/* A server that asks for certificates, staples, and names CAs. */
static SSL_CTX *full_server(int version, const char *who)
{
    SSL_CTX *server = server_context(version, who);

    SSL_CTX_set_info_callback(server, NULL);
    SSL_CTX_set_session_id_context(server, (const unsigned char *)"lives", 5);
    SSL_CTX_load_verify_locations(server, path_of("client", "root.pem"), NULL);
    SSL_CTX_set_client_CA_list(server, SSL_load_client_CA_file(path_of("client", "root.pem")));
    SSL_CTX_set_verify(server, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_tlsext_status_cb(server, staple);
    SSL_CTX_set_alpn_select_cb(server, select_protocol, NULL);
    return server;
}

enum between { CLEARED, CLEARED_ABRUPTLY, SIDE_SET_AGAIN };

static const char *const between_names[] = {"cleared", "cleared without a goodbye",
                                            "its side set again"};

/* Without SSL_clear, OpenSSL keeps bits of the connection before until they are replaced. */
static void say_between(SSL *ssl, enum between between)
{
    if (between != SIDE_SET_AGAIN)
        say_all(ssl, "between");
    else
        say("between: version %s, state %s", SSL_get_version(ssl), SSL_state_string_long(ssl));
}

static void end_first(struct ends *ends, SSL *again, enum between between)
{
    if (between != CLEARED_ABRUPTLY)
        goodbye(ends);
    if (between != SIDE_SET_AGAIN)
        say("SSL_clear: %d", SSL_clear(again));
    else if (SSL_is_server(again))
        SSL_set_accept_state(again);
    else
        SSL_set_connect_state(again);
}

static void server_again(int version, enum between between, long options)
{
    SSL_CTX *server, *knows, *bare;
    struct ends ends;

    if (!begin("%s, a server that is %s%s", version_name(version), between_names[between],
               options & SSL_OP_NO_TICKET ? ", no tickets" : ""))
        return;
    server = full_server(version, "server");
    SSL_CTX_set_options(server, options);
    knows = full_client(version, CERTIFICATE);
    bare = bare_client(version);
    ends = make_ends(knows, server);
    handshake(&ends);
    say_all(ends.server, "first");
    SAY_LONG(SSL_CTX_sess_number(server));
    end_first(&ends, ends.server, between);
    SAY_LONG(SSL_CTX_sess_number(server));
    say_between(ends.server, between);
    SSL_free(ends.client);
    ends.client = SSL_new(bare);
    SSL_set_connect_state(ends.client);
    join(&ends);
    if (handshake(&ends))
        say_all(ends.server, "second");
    else
        say_between(ends.server, between);
    free_ends(&ends);
    SSL_CTX_free(server);
    SSL_CTX_free(knows);
    SSL_CTX_free(bare);
}

static void client_again(int version, enum between between, const char *other)
{
    SSL_CTX *first, *second, *client;
    struct ends ends;

    if (!begin("%s, a client that is %s, then %s", version_name(version), between_names[between],
               other))
        return;
    first = full_server(version, "server");
    second = server_context(version, other);
    SSL_CTX_set_info_callback(second, NULL);
    client = full_client(version, CERTIFICATE);
    ends = make_ends(client, first);
    handshake(&ends);
    say_all(ends.client, "first");
    end_first(&ends, ends.client, between);
    say_between(ends.client, between);
    SSL_free(ends.server);
    ends.server = SSL_new(second);
    SSL_set_accept_state(ends.server);
    join(&ends);
    if (handshake(&ends))
        say_all(ends.client, "second");
    else
        say_between(ends.client, between);
    free_ends(&ends);
    SSL_CTX_free(first);
    SSL_CTX_free(second);
    SSL_CTX_free(client);
}

/* One connection is a client first and a server then, or the other way round. */
static void other_side(int version, int server_first, enum between between)
{
    SSL_CTX *both;
    SSL *again, *other;
    struct ends ends;

    if (!begin("%s, a %s that is %s and changes sides", version_name(version),
               server_first ? "server" : "client", between_names[between]))
        return;
    both = SSL_CTX_new(TLS_method());
    SSL_CTX_set_min_proto_version(both, version);
    SSL_CTX_set_max_proto_version(both, version);
    use_certificate(both, "server");
    ends = make_ends(both, both);
    handshake(&ends);
    again = server_first ? ends.server : ends.client;
    end_first(&ends, again, between);
    other = SSL_new(both);
    if (server_first) {
        SSL_free(ends.client);
        ends.client = again;
        ends.server = other;
    } else {
        SSL_free(ends.server);
        ends.server = again;
        ends.client = other;
    }
    SSL_set_connect_state(ends.client);
    SSL_set_accept_state(ends.server);
    say_between(again, between);
    join(&ends);
    if (handshake(&ends))
        say_all(again, "second");
    else
        say_between(again, between);
    free_ends(&ends);
    SSL_CTX_free(both);
}

/* A handshake that fails, then one that does not, on the same connection. */
static void after_failure(int version, int on_server)
{
    SSL_CTX *stranger, *server, *client, *good;
    struct ends ends;

    if (!begin("%s, a %s after a failure", version_name(version), on_server ? "server" : "client"))
        return;
    stranger = server_context(version, "stranger");
    server = full_server(version, "server");
    client = full_client(version, NOTHING);
    good = full_client(version, CERTIFICATE);
    if (on_server) {
        SSL_CTX_set_verify(server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        ends = make_ends(client, server);
    } else {
        ends = make_ends(client, stranger);
    }
    handshake(&ends);
    ERR_clear_error();
    if (on_server) {
        say_name("peer", SSL_get0_peer_certificate(ends.server));
        SSL_clear(ends.server);
        SSL_free(ends.client);
        ends.client = SSL_new(good);
        SSL_set_connect_state(ends.client);
    } else {
        say_name("peer", SSL_get0_peer_certificate(ends.client));
        SSL_clear(ends.client);
        SSL_free(ends.server);
        ends.server = SSL_new(server);
        SSL_set_accept_state(ends.server);
    }
    join(&ends);
    handshake(&ends);
    say_all(on_server ? ends.server : ends.client, "second");
    free_ends(&ends);
    SSL_CTX_free(stranger);
    SSL_CTX_free(server);
    SSL_CTX_free(client);
    SSL_CTX_free(good);
}

/* --- SSL_set_retry_verify and what a verification returns ------------------------------------- */

static int returns, retries, calls;

static int verify(X509_STORE_CTX *store, void *argument)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());

    (void)argument;
    calls++;
    X509_verify_cert(store);
    if (retries > 0) {
        retries--;
        say("SSL_set_retry_verify: %d", (int)SSL_set_retry_verify(ssl));
    }
    return returns;
}

static void judged(int version, int on_server, int mode, int times, int result)
{
    SSL_CTX *server, *client;
    struct ends ends;
    int turn, is_done[2] = {0, 0};

    if (!begin("%s, a %s in mode %d whose verification returns %d, %d retries",
               version_name(version), on_server ? "server" : "client", mode, result, times))
        return;
    server = server_context(version, on_server ? "server" : "stranger");
    client = client_context(version);
    SSL_CTX_set_info_callback(server, NULL);
    SSL_CTX_set_info_callback(client, NULL);
    if (on_server) {
        use_certificate(client, "stranger");
        SSL_CTX_set_verify(server, mode, NULL);
    } else {
        SSL_CTX_set_verify(client, mode, NULL);
    }
    SSL_CTX_set_cert_verify_callback(on_server ? server : client, verify, NULL);
    returns = result, retries = times, calls = 0;
    ends = make_ends(client, server);
    for (turn = 0; turn < 8; turn++) {
        SSL *ssl = turn % 2 ? ends.server : ends.client;
        int value = SSL_do_handshake(ssl);
        int failure = SSL_get_error(ssl, value);

        is_done[turn % 2] = value == 1;
        say("%s: %d, %s", side(ssl), value, error_name(failure));
        if (failure == SSL_ERROR_WANT_RETRY_VERIFY)
            SAY_LONG(SSL_want(ssl));
        say_errors(side(ssl));
        if (failure == SSL_ERROR_SSL)
            break;
    }
    say("client done %d, server done %d, verified %d times", is_done[0], is_done[1], calls);
    SAY_LONG(SSL_get_verify_result(on_server ? ends.server : ends.client));
    SAY_PRESENT(SSL_get0_peer_certificate(on_server ? ends.server : ends.client));
    free_ends(&ends);
    SSL_CTX_free(server);
    SSL_CTX_free(client);
}

static void of_version(int version)
{
    static const int modes[] = {SSL_VERIFY_NONE, SSL_VERIFY_PEER, SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                                SSL_VERIFY_CLIENT_ONCE};
    int between, on_server, times, result;
    size_t mode;

    for (between = CLEARED; between <= SIDE_SET_AGAIN; between++) {
        server_again(version, between, 0);
        server_again(version, between, SSL_OP_NO_TICKET);
        client_again(version, between, "server");
        client_again(version, between, "other");
        other_side(version, 0, between);
        other_side(version, 1, between);
    }
    after_failure(version, 0);
    after_failure(version, 1);
    for (on_server = 0; on_server < 2; on_server++)
        for (mode = 0; mode < sizeof(modes) / sizeof(modes[0]); mode++)
            for (times = 0; times < 12; times += times ? 10 : 1)
                for (result = -1; result <= 2; result++)
                    judged(version, on_server, modes[mode], times, result);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    of_version(TLS1_2_VERSION);
    of_version(TLS1_3_VERSION);
    return finish();
}
