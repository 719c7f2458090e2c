/*
 * Sessions: what they say of themselves, as DER and back, caches inside and outside, and tickets
 * whose keys two contexts share.
 */
#include "harness.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static SSL_SESSION *newest;
static int removed;

static int on_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(newest);
    newest = session;
    return 1;
}

static SSL_CTX *keeping_client(int version)
{
    SSL_CTX *client = client_context(version);

    SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(client, on_session);
    return client;
}

static SSL_SESSION *take_newest(void)
{
    SSL_SESSION *session = newest;

    newest = NULL;
    return session;
}

/* A handshake that offers a session, and the newest session after it. */
static SSL_SESSION *once(SSL_CTX *client, SSL_CTX *server, SSL_SESSION *offered)
{
    struct ends ends = make_ends(client, server);

    SSL_set_tlsext_host_name(ends.client, "server.test");
    if (offered != NULL)
        SAY_LONG(SSL_set_session(ends.client, offered));
    handshake(&ends);
    SSL_shutdown(ends.client);
    SSL_shutdown(ends.server);
    free_ends(&ends);
    return take_newest();
}

static void say_session(SSL_SESSION *session)
{
    const unsigned char *bytes;
    size_t size;
    unsigned length;

    SAY_LONG(SSL_SESSION_get_protocol_version(session));
    SAY_LONG(SSL_SESSION_is_resumable(session));
    SAY_LONG(SSL_SESSION_get_timeout(session));
    SAY_LONG(SSL_SESSION_get_time(session) > 1000000000);
    SAY_LONG(SSL_SESSION_has_ticket(session));
    SAY_LONG(SSL_SESSION_get_ticket_lifetime_hint(session));
    SSL_SESSION_get0_ticket(session, &bytes, &size);
    say("ticket: %s", bytes != NULL && size > 0 ? "there" : "none");
    SSL_SESSION_get_id(session, &length);
    SAY_LONG(length);
    bytes = SSL_SESSION_get0_id_context(session, &length);
    say("id context of %u", length);
    SAY_LONG(SSL_SESSION_get_master_key(session, NULL, 0));
    SAY_PRESENT(SSL_SESSION_get0_peer(session));
    SAY_PRESENT(SSL_SESSION_get0_cipher(session));
    SAY_PRESENT(SSL_SESSION_get0_hostname(session));
    SAY_LONG(SSL_SESSION_get_max_early_data(session));
    SAY_LONG(SSL_SESSION_get_max_fragment_length(session));
    SSL_SESSION_get0_alpn_selected(session, &bytes, &size);
    SAY_LONG(size);
}

static void accessors(int version)
{
    SSL_CTX *client, *server;
    SSL_SESSION *session;

    if (!begin("%s, accessors", version_name(version)))
        return;
    client = keeping_client(version);
    server = server_context(version, "server");
    session = once(client, server, NULL);
    say_session(session);
    SAY_LONG(SSL_SESSION_set_timeout(session, 33));
    SAY_LONG(SSL_SESSION_get_timeout(session));
    SAY_LONG(SSL_SESSION_set_time(session, 1700000000));
    SAY_LONG(SSL_SESSION_get_time(session));
    SSL_SESSION_free(session);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

/* What a server says of its own session, which its client has in a ticket or by an id. */
static void servers_own(int version, long options)
{
    SSL_CTX *client, *server;
    struct ends ends;

    if (!begin("%s, a server's own session%s", version_name(version),
               options & SSL_OP_NO_TICKET ? ", without tickets" : ""))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    SSL_CTX_set_options(server, options);
    ends = make_ends(client, server);
    handshake(&ends);
    say_session(SSL_get_session(ends.server));
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void empty(void)
{
    SSL_SESSION *session;

    if (!begin("a session of nothing"))
        return;
    session = SSL_SESSION_new();
    SAY_LONG(SSL_SESSION_get_protocol_version(session));
    SAY_LONG(SSL_SESSION_is_resumable(session));
    SAY_LONG(SSL_SESSION_get_timeout(session));
    SAY_LONG(SSL_SESSION_has_ticket(session));
    SAY_PRESENT(SSL_SESSION_get0_peer(session));
    SAY_PRESENT(SSL_SESSION_get0_cipher(session));
    SAY_LONG(i2d_SSL_SESSION(session, NULL));
    SAY_LONG(i2d_SSL_SESSION(NULL, NULL));
    SSL_SESSION_free(session);
}

static void der(int version)
{
    SSL_CTX *client, *server;
    SSL_SESSION *session, *again;
    unsigned char *bytes = NULL;
    const unsigned char *at;
    int length;

    if (!begin("%s, as DER and back", version_name(version)))
        return;
    client = keeping_client(version);
    server = server_context(version, "server");
    session = once(client, server, NULL);
    length = i2d_SSL_SESSION(session, &bytes);
    say("DER: %s", length > 100 && bytes != NULL && bytes[0] == 0x30 ? "a sequence" : "none");
    at = bytes;
    again = d2i_SSL_SESSION(NULL, &at, length);
    SAY_PRESENT(again);
    say("consumed: %s", at == bytes + length ? "all" : "not all");
    if (again != NULL) {
        say_session(again);
        SSL_SESSION_free(once(client, server, again));
    }
    SSL_SESSION_free(again);
    at = bytes;
    SAY_PRESENT(d2i_SSL_SESSION(NULL, &at, length / 2));
    ERR_clear_error();
    OPENSSL_free(bytes);
    SSL_SESSION_free(session);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

/* Two servers with the same ticket keys, as workers of one program have. */
static void shared_keys(int version, int shared)
{
    SSL_CTX *client, *one, *two;
    SSL_SESSION *session;
    unsigned char keys[200];

    if (!begin("%s, ticket keys %s", version_name(version), shared ? "shared" : "not shared"))
        return;
    client = keeping_client(version);
    one = server_context(version, "server");
    two = server_context(version, "server");
    SAY_LONG(SSL_CTX_get_tlsext_ticket_keys(one, NULL, 0));
    SAY_LONG(SSL_CTX_get_tlsext_ticket_keys(one, keys, 10));
    SAY_LONG(SSL_CTX_get_tlsext_ticket_keys(one, keys, 80));
    SAY_LONG(SSL_CTX_set_tlsext_ticket_keys(two, keys, 10));
    ERR_clear_error();
    if (shared)
        SAY_LONG(SSL_CTX_set_tlsext_ticket_keys(two, keys, 80));
    session = once(client, one, NULL);
    SSL_SESSION_free(once(client, two, session));
    SSL_SESSION_free(session);
    SSL_CTX_free(client);
    SSL_CTX_free(one);
    SSL_CTX_free(two);
}

/* --- tickets of processes that were forked after the context was made --------------------------- */

/* A worker: takes one client, sends it a byte, and waits until it is gone. Says nothing, since what
 * it says has no place in the transcript; its exit code is 0 when all went well. */
static int work(SSL_CTX *server, int socket, int resumes)
{
    SSL *ssl = SSL_new(server);
    char byte = 'x';
    int well;

    SSL_set_fd(ssl, socket);
    well = SSL_accept(ssl) == 1 && SSL_session_reused(ssl) == resumes && SSL_write(ssl, &byte, 1) == 1
           && SSL_read(ssl, &byte, 1) == 0 && SSL_shutdown(ssl) == 1;
    SSL_free(ssl);
    return well ? 0 : 1;
}

/* The session of a client that was served by a worker of its own. */
static SSL_SESSION *served(SSL_CTX *client, SSL_CTX *server, SSL_SESSION *offered)
{
    int sockets[2], status = -1;
    char byte = 0;
    pid_t worker;
    SSL *ssl;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0)
        broken("socketpair");
    worker = fork();
    if (worker < 0)
        broken("fork");
    if (worker == 0) {
        int failed;

        close(sockets[0]);
        failed = work(server, sockets[1], offered != NULL);
        SSL_SESSION_free(offered);
        SSL_CTX_free(client);
        SSL_CTX_free(server);
        _exit(failed);
    }
    close(sockets[1]);
    ssl = SSL_new(client);
    SSL_set_fd(ssl, sockets[0]);
    SSL_set_tlsext_host_name(ssl, "server.test");
    if (offered != NULL)
        SAY_LONG(SSL_set_session(ssl, offered));
    say_result(ssl, "connect", SSL_connect(ssl));
    say_result(ssl, "read", SSL_read(ssl, &byte, 1));
    SAY_LONG(SSL_session_reused(ssl));
    SAY_LONG(SSL_shutdown(ssl));
    SAY_LONG(SSL_shutdown(ssl));
    SSL_free(ssl);
    close(sockets[0]);
    if (waitpid(worker, &status, 0) != worker)
        broken("waitpid");
    say("the worker ended with %d", status);
    return take_newest();
}

/* The context is made once, and each worker is forked from it before it has made or seen a ticket:
 * all of them have the same keys. */
static void forked(int version)
{
    SSL_CTX *client, *server;
    SSL_SESSION *first, *second;

    if (!begin("%s, tickets of forked workers", version_name(version)))
        return;
    client = keeping_client(version);
    server = server_context(version, "server");
    SSL_CTX_set_info_callback(server, NULL);
    SSL_CTX_set_session_cache_mode(server, SSL_SESS_CACHE_OFF);
    first = served(client, server, NULL);
    second = served(client, server, first);
    /* A ticket of TLS 1.3 is used once. */
    SSL_SESSION_free(served(client, server, second != NULL ? second : first));
    SSL_SESSION_free(second);
    SSL_SESSION_free(first);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

/* --- tickets with keys of the program's own ---------------------------------------------------- */

static unsigned char own_key[32] = "the key of this program's ticket";
static const unsigned char *key_name = (const unsigned char *)"name of the key.";
static int rejected;

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *vector, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int seal)
{
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, own_key, sizeof own_key),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"sha256", 0),
        OSSL_PARAM_construct_end(),
    };

    (void)ssl;
    if (seal) {
        memcpy(name, key_name, 16);
        memset(vector, 7, 16);
    } else if (memcmp(name, key_name, 16) != 0) {
        rejected++;
        return 0;
    }
    if (EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, own_key, vector, seal) != 1 ||
        EVP_MAC_CTX_set_params(mac, parameters) != 1)
        return -1;
    return 1;
}

static void own_keys(int version, int same)
{
    SSL_CTX *client, *one, *two;
    SSL_SESSION *session;

    if (!begin("%s, tickets by a callback, %s key", version_name(version),
               same ? "the same" : "another"))
        return;
    client = keeping_client(version);
    one = server_context(version, "server");
    two = server_context(version, "server");
    SAY_LONG(SSL_CTX_set_tlsext_ticket_key_evp_cb(one, on_ticket));
    SAY_LONG(SSL_CTX_set_tlsext_ticket_key_evp_cb(two, on_ticket));
    rejected = 0;
    session = once(client, one, NULL);
    if (!same)
        key_name = (const unsigned char *)"name of another.";
    SSL_SESSION_free(once(client, two, session));
    say("tickets rejected: %d", rejected);
    key_name = (const unsigned char *)"name of the key.";
    SSL_SESSION_free(session);
    SSL_CTX_free(client);
    SSL_CTX_free(one);
    SSL_CTX_free(two);
}

static void say_statistics(SSL_CTX *context)
{
    say("connect %ld good %ld, accept %ld good %ld, hits %ld, misses %ld, kept %ld",
        (long)SSL_CTX_sess_connect(context), (long)SSL_CTX_sess_connect_good(context),
        (long)SSL_CTX_sess_accept(context), (long)SSL_CTX_sess_accept_good(context),
        (long)SSL_CTX_sess_hits(context), (long)SSL_CTX_sess_misses(context),
        (long)SSL_CTX_sess_number(context));
}

static void inside(int version, long mode)
{
    SSL_CTX *client, *server;
    SSL_SESSION *session;

    if (!begin("%s, cache inside, mode %ld", version_name(version), mode))
        return;
    client = keeping_client(version);
    server = server_context(version, "server");
    SSL_CTX_set_options(server, SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(server, mode);
    session = once(client, server, NULL);
    say_statistics(server);
    if (session != NULL)
        SSL_SESSION_free(once(client, server, session));
    say_statistics(server);
    SSL_CTX_flush_sessions(server, 0);
    say_statistics(server);
    SSL_SESSION_free(session);
    say_statistics(client);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

/* --- a cache outside, which keeps one session as DER ------------------------------------------ */

static struct {
    unsigned char *bytes;
    int length;
    unsigned char id[32];
    unsigned id_length;
} outside;

static int on_new(SSL *ssl, SSL_SESSION *session)
{
    const unsigned char *id = SSL_SESSION_get_id(session, &outside.id_length);

    say("%s: new session, id of %u", side(ssl), outside.id_length);
    memcpy(outside.id, id, outside.id_length);
    OPENSSL_free(outside.bytes);
    outside.bytes = NULL;
    outside.length = i2d_SSL_SESSION(session, &outside.bytes);
    return 0;
}

static SSL_SESSION *on_get(SSL *ssl, const unsigned char *id, int length, int *copy)
{
    const unsigned char *at = outside.bytes;
    int same = (unsigned)length == outside.id_length && memcmp(id, outside.id, (size_t)length) == 0;

    say("%s: asked for a session, %s", side(ssl), same ? "that one" : "another");
    *copy = 0;
    return same ? d2i_SSL_SESSION(NULL, &at, outside.length) : NULL;
}

static void on_remove(SSL_CTX *context, SSL_SESSION *session)
{
    (void)context, (void)session;
    removed++;
}

static void outer_cache(int version)
{
    SSL_CTX *client, *one, *two;
    SSL_SESSION *session;

    if (!begin("%s, a cache outside that two contexts share", version_name(version)))
        return;
    client = keeping_client(version);
    one = server_context(version, "server");
    two = server_context(version, "server");
    for (int at = 0; at < 2; at++) {
        SSL_CTX *server = at == 0 ? one : two;

        SSL_CTX_set_options(server, SSL_OP_NO_TICKET);
        SSL_CTX_set_session_cache_mode(server, SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(server, on_new);
        SSL_CTX_sess_set_get_cb(server, on_get);
        SSL_CTX_sess_set_remove_cb(server, on_remove);
    }
    SAY_LONG(SSL_CTX_sess_get_new_cb(one) == on_new);
    SAY_LONG(SSL_CTX_sess_get_get_cb(one) == on_get);
    SAY_LONG(SSL_CTX_sess_get_remove_cb(one) == on_remove);
    session = once(client, one, NULL);
    if (session != NULL)
        SSL_SESSION_free(once(client, two, session));
    SSL_SESSION_free(session);
    OPENSSL_free(outside.bytes);
    memset(&outside, 0, sizeof outside);
    SSL_CTX_free(client);
    SSL_CTX_free(one);
    SSL_CTX_free(two);
}

/* A session of another id context is not for this server. */
static void other_id_context(int version)
{
    SSL_CTX *client, *server;
    SSL_SESSION *session;

    if (!begin("%s, another id context", version_name(version)))
        return;
    client = keeping_client(version);
    server = server_context(version, "server");
    session = once(client, server, NULL);
    SSL_CTX_set_session_id_context(server, (const unsigned char *)"else", 4);
    if (session != NULL)
        SSL_SESSION_free(once(client, server, session));
    SSL_SESSION_free(session);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

/* The session of a connection without asking for it by callback. */
static void from_the_connection(int version)
{
    SSL_CTX *client, *server;
    SSL_SESSION *session;
    struct ends ends;

    if (!begin("%s, the session of a connection", version_name(version)))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    ends = make_ends(client, server);
    handshake(&ends);
    session = SSL_get1_session(ends.client);
    SAY_PRESENT(session);
    SSL_shutdown(ends.client);
    free_ends(&ends);
    SAY_LONG(SSL_SESSION_is_resumable(session));
    SSL_SESSION_free(once(client, server, session));
    SSL_SESSION_free(session);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

int main(int argc, char **argv)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    start(argc, argv);
    empty();
    for (int at = 0; at < 2; at++) {
        int version = versions[at];

        accessors(version);
        servers_own(version, 0);
        servers_own(version, SSL_OP_NO_TICKET);
        der(version);
        shared_keys(version, 0);
        shared_keys(version, 1);
        forked(version);
        own_keys(version, 1);
        own_keys(version, 0);
        inside(version, SSL_SESS_CACHE_SERVER);
        inside(version, SSL_SESS_CACHE_OFF);
        inside(version, SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL);
        outer_cache(version);
        other_id_context(version);
        from_the_connection(version);
    }
    return finish();
}
