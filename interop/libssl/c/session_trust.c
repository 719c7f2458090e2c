/*
 * Resumption never makes anything more trusted than the handshake that the session comes from.
 *
 * Each case walks through all combinations of the client's certificate, the verification of the
 * first handshake, the id contexts, the verification of the later ones and the server's name, for
 * one version, one way in which sessions are kept, and new or cleared objects. A resumed connection
 * has the peer and the verify result of the first handshake; any other is said.
 */
#include "harness.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

enum carrier { TICKET, TICKET_BY_CALLBACK, TICKET_RENEWED, INSIDE, OUTSIDE, CARRIERS };
static const char *const carriers[] = {"tickets", "tickets by a callback", "tickets that are renewed",
                                       "the cache inside", "a cache outside"};

static SSL_SESSION *newest;

static int on_client_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(newest);
    newest = session;
    return 1;
}

/* --- a cache outside, which keeps sessions as DER ---------------------------------------------- */

static struct {
    unsigned char *bytes, id[32];
    int length;
    unsigned id_length;
} kept[8];
static unsigned next_kept;

static int on_new(SSL *ssl, SSL_SESSION *session)
{
    unsigned at = next_kept++ % 8;
    const unsigned char *id = SSL_SESSION_get_id(session, &kept[at].id_length);

    (void)ssl;
    memcpy(kept[at].id, id, kept[at].id_length);
    OPENSSL_free(kept[at].bytes);
    kept[at].bytes = NULL;
    kept[at].length = i2d_SSL_SESSION(session, &kept[at].bytes);
    return 0;
}

static SSL_SESSION *on_get(SSL *ssl, const unsigned char *id, int length, int *copy)
{
    (void)ssl;
    *copy = 0;
    for (unsigned at = 0; at < 8; at++) {
        const unsigned char *bytes = kept[at].bytes;

        if (bytes != NULL && kept[at].id_length == (unsigned)length
            && memcmp(kept[at].id, id, (size_t)length) == 0)
            return d2i_SSL_SESSION(NULL, &bytes, kept[at].length);
    }
    return NULL;
}

static void forget_kept(void)
{
    for (unsigned at = 0; at < 8; at++)
        OPENSSL_free(kept[at].bytes);
    memset(kept, 0, sizeof kept);
}

/* --- tickets with keys of the program's own ---------------------------------------------------- */

static int renews;

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *vector, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int seal)
{
    static unsigned char key[32] = "the key of this program's ticket";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key, sizeof key),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"sha256", 0),
        OSSL_PARAM_construct_end(),
    };

    (void)ssl;
    if (seal) {
        memset(name, 3, 16);
        memset(vector, 7, 16);
    }
    if (EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key, vector, seal) != 1
        || EVP_MAC_CTX_set_params(mac, parameters) != 1)
        return -1;
    return !seal && renews ? 2 : 1;
}

/* --- handshakes -------------------------------------------------------------------------------- */

static int pass(int ok, X509_STORE_CTX *context)
{
    (void)ok, (void)context;
    return 1;
}

static int as_it_is(int ok, X509_STORE_CTX *context)
{
    (void)context;
    return ok;
}

enum policy { NOT_ASKED, LET_PASS, DEMANDED_LET_PASS, STRICT, DEMANDED_STRICT, POLICIES };
static const char *const policies[] = {"not asked", "let pass", "demanded, let pass", "strict",
                                       "demanded, strict"};

static void set_policy(SSL *ssl, enum policy policy)
{
    int mode = policy == NOT_ASKED ? SSL_VERIFY_NONE : SSL_VERIFY_PEER;

    if (policy == DEMANDED_LET_PASS || policy == DEMANDED_STRICT)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_set_verify(ssl, mode, policy >= STRICT ? as_it_is : pass);
}

/* What a server knows of its client. */
struct trust {
    long result;
    X509 *peer;
};

static struct trust trust_of(SSL *ssl)
{
    struct trust trust = {SSL_get_verify_result(ssl), SSL_get1_peer_certificate(ssl)};

    return trust;
}

/* Without a peer there is nothing that the result could be of. */
static int is_same(struct trust one, struct trust other)
{
    if (one.peer == NULL || other.peer == NULL)
        return one.peer == other.peer;
    return one.result == other.result && X509_cmp(one.peer, other.peer) == 0;
}

/* A handshake without a word; 1 when both are done. */
static int quietly(struct ends *ends)
{
    int client = 0, server = 0;
    char byte;

    for (int turn = 0; turn < 12 && !(client == 1 && server == 1); turn++) {
        if (client != 1)
            client = SSL_do_handshake(ends->client);
        if (server != 1)
            server = SSL_do_handshake(ends->server);
    }
    if (client == 1 && server == 1) {
        SSL_read(ends->client, &byte, 1);
        SSL_read(ends->server, &byte, 1);
        for (int turn = 0; turn < 2; turn++) {
            SSL_shutdown(ends->client);
            SSL_shutdown(ends->server);
        }
    }
    ERR_clear_error();
    return client == 1 && server == 1;
}

static void renew(struct ends *ends, SSL_CTX *client, SSL_CTX *server, int clears)
{
    struct ends fresh;

    if (!clears) {
        free_ends(ends);
        *ends = make_ends(client, server);
        return;
    }
    fresh = make_ends(client, server);
    SSL_clear(ends->client);
    SSL_clear(ends->server);
    SSL_set_bio(ends->client, SSL_get_rbio(fresh.client), SSL_get_wbio(fresh.client));
    BIO_up_ref(SSL_get_rbio(fresh.client));
    BIO_up_ref(SSL_get_wbio(fresh.client));
    SSL_set_bio(ends->server, SSL_get_rbio(fresh.server), SSL_get_wbio(fresh.server));
    BIO_up_ref(SSL_get_rbio(fresh.server));
    BIO_up_ref(SSL_get_wbio(fresh.server));
    free_ends(&fresh);
    SSL_set_connect_state(ends->client);
    SSL_set_accept_state(ends->server);
}

/* --- the server's side -------------------------------------------------------------------------- */

struct combination {
    const char *certificate;
    enum policy first, later;
    /* The id contexts of the first and of the later handshakes, and the names. */
    const char *contexts[2], *names[2];
};

static SSL_CTX *server_with(int version, enum carrier carrier)
{
    SSL_CTX *server = server_context(version, "server");

    SSL_CTX_set_info_callback(server, NULL);
    SSL_CTX_load_verify_locations(server, path_of("client", "root.pem"), NULL);
    renews = carrier == TICKET_RENEWED;
    if (carrier == TICKET_BY_CALLBACK || carrier == TICKET_RENEWED)
        SSL_CTX_set_tlsext_ticket_key_evp_cb(server, on_ticket);
    if (carrier == INSIDE || carrier == OUTSIDE)
        SSL_CTX_set_options(server, SSL_OP_NO_TICKET);
    if (carrier == OUTSIDE) {
        SSL_CTX_set_session_cache_mode(server, SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(server, on_new);
        SSL_CTX_sess_set_get_cb(server, on_get);
    }
    return server;
}

static SSL_CTX *client_with(int version, const char *certificate)
{
    SSL_CTX *client = client_context(version);

    SSL_CTX_set_info_callback(client, NULL);
    SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(client, on_client_session);
    if (certificate != NULL)
        use_certificate(client, certificate);
    return client;
}

static void combine(SSL_CTX *client, SSL_CTX *server, int clears, struct combination how)
{
    struct ends ends = make_ends(client, server);
    int same_name = how.names[0] == how.names[1];
    struct trust origin = {0, NULL};
    char line[300] = "";

    snprintf(line, sizeof line, "%s, %s then %s, contexts %s and %s:",
             how.certificate != NULL ? how.certificate : "nobody", policies[how.first],
             policies[how.later], how.contexts[0], how.contexts[1]);
    for (int turn = 0; turn < 3; turn++) {
        const char *context = how.contexts[turn != 0], *name = how.names[turn != 0];
        SSL_SESSION *offered = newest;
        int done;

        newest = NULL;
        if (turn != 0)
            renew(&ends, client, server, clears);
        SSL_set_session_id_context(ends.server, (const unsigned char *)context,
                                   (unsigned)strlen(context));
        set_policy(ends.server, turn == 0 ? how.first : how.later);
        SSL_set_tlsext_host_name(ends.client, name);
        if (turn != 0)
            SSL_set_session(ends.client, offered);
        done = quietly(&ends);
        if (done) {
            struct trust now = trust_of(ends.server);

            if (turn != 0 && SSL_session_reused(ends.server) && !is_same(origin, now))
                say("TRUSTED OTHERWISE: %s result %ld, then %ld", line, origin.result, now.result);
            X509_free(origin.peer);
            origin = now;
        }
        snprintf(line + strlen(line), sizeof line - strlen(line), " %s",
                 !done                              ? "fails"
                 : SSL_session_reused(ends.server) ? "resumes"
                                                    : "full");
        if (newest == NULL)
            newest = offered;
        else
            SSL_SESSION_free(offered);
        if (!done)
            break;
        snprintf(line + strlen(line), sizeof line - strlen(line), " (%ld)",
                 SSL_get_verify_result(ends.server));
    }
    /* RFC 6066, 3 forbids to resume under another name, which OpenSSL does. */
    if (same_name)
        say("%s", line);
    X509_free(origin.peer);
    SSL_SESSION_free(newest);
    newest = NULL;
    free_ends(&ends);
    forget_kept();
    SSL_CTX_flush_sessions(server, 0);
}

static void servers(int version, enum carrier carrier, const char *certificate, int clears)
{
    static const char *const contexts[][2] = {{"one", "one"}, {"one", "two"}, {"", ""}};

    SSL_CTX *client, *server;

    if (!begin("%s, %s by %s, %s objects", version_name(version),
               certificate != NULL ? certificate : "nobody", carriers[carrier],
               clears ? "cleared" : "new"))
        return;
    client = client_with(version, certificate);
    server = server_with(version, carrier);
    for (int first = NOT_ASKED; first <= LET_PASS; first++)
        for (int later = NOT_ASKED; later < POLICIES; later++)
            for (int at = 0; at < 3; at++) {
                struct combination how = {certificate, first, later,
                                          {contexts[at][0], contexts[at][1]},
                                          {"server.test", "server.test"}};

                combine(client, server, clears, how);
            }
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void names(int version, enum carrier carrier)
{
    static const char *const names[][2] = {{"server.test", "other.test"}, {NULL, "server.test"},
                                           {"server.test", NULL}};
    SSL_CTX *client, *server;

    if (!begin("%s, names by %s", version_name(version), carriers[carrier]))
        return;
    client = client_with(version, "stranger");
    server = server_with(version, carrier);
    for (int at = 0; at < 3; at++)
        for (int later = NOT_ASKED; later < POLICIES; later++) {
            struct combination how = {"stranger", LET_PASS, later, {"one", "one"},
                                      {names[at][0], names[at][1]}};

            combine(client, server, 0, how);
        }
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static int on_name(SSL *ssl, int *alert, void *argument)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)alert, (void)argument;
    if (name != NULL && strcmp(name, "strict.test") == 0)
        SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, as_it_is);
    return SSL_TLSEXT_ERR_OK;
}

/* A name demands a certificate. A session that was made under another name, or under none, by a
 * client without a certificate is offered under it. */
static void demanding_name(int version, enum carrier carrier, const char *before)
{
    SSL_CTX *client, *server;
    struct ends ends;
    int done;

    if (!begin("%s, a demanding name after %s, by %s", version_name(version),
               before != NULL ? before : "none", carriers[carrier]))
        return;
    client = client_with(version, NULL);
    SSL_CTX_set_verify(client, SSL_VERIFY_NONE, NULL);
    server = server_with(version, carrier);
    SSL_CTX_set_tlsext_servername_callback(server, on_name);
    ends = make_ends(client, server);
    SSL_set_tlsext_host_name(ends.client, before);
    SAY_LONG(quietly(&ends));
    renew(&ends, client, server, 0);
    SSL_set_tlsext_host_name(ends.client, "strict.test");
    SAY_LONG(SSL_set_session(ends.client, newest));
    done = quietly(&ends);
    say("the demand is %s", done ? "passed by" : "met");
    SSL_SESSION_free(newest);
    newest = NULL;
    free_ends(&ends);
    forget_kept();
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

/* --- the client's side -------------------------------------------------------------------------- */

/* A server that the client does not trust, and lets pass. */
static void clients(int version, int clears, int as_der)
{
    SSL_CTX *client, *server;
    struct ends ends;

    if (!begin("%s, servers, %s objects%s", version_name(version), clears ? "cleared" : "new",
               as_der ? ", as DER" : ""))
        return;
    client = client_with(version, NULL);
    SSL_CTX_set_verify(client, SSL_VERIFY_NONE, NULL);
    server = server_context(version, "stranger");
    SSL_CTX_set_info_callback(server, NULL);
    ends = make_ends(client, server);
    for (int turn = 0; turn < 3; turn++) {
        SSL_SESSION *offered = newest;
        int done;

        newest = NULL;
        if (turn != 0)
            renew(&ends, client, server, clears);
        if (turn == 1)
            SSL_set_verify(ends.client, SSL_VERIFY_PEER, NULL);
        if (as_der && offered != NULL) {
            unsigned char *bytes = NULL;
            int length = i2d_SSL_SESSION(offered, &bytes);
            const unsigned char *at = bytes;

            SSL_SESSION_free(offered);
            offered = d2i_SSL_SESSION(NULL, &at, length);
            OPENSSL_free(bytes);
        }
        if (turn != 0)
            SAY_LONG(SSL_set_session(ends.client, offered));
        done = quietly(&ends);
        say("connection %d: %s, %s, verify result %ld", turn, done ? "done" : "failed",
            SSL_session_reused(ends.client) ? "resumed" : "full", SSL_get_verify_result(ends.client));
        if (newest == NULL)
            newest = offered;
        else
            SSL_SESSION_free(offered);
    }
    SSL_SESSION_free(newest);
    newest = NULL;
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

int main(int argc, char **argv)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    static const char *const certificates[] = {NULL, "client", "stranger"};

    start(argc, argv);
    for (int at = 0; at < 2; at++) {
        for (int carrier = TICKET; carrier < CARRIERS; carrier++) {
            /* OpenSSL's client of TLS 1.2 drops the session whose ticket is renewed. */
            if (versions[at] == TLS1_2_VERSION && carrier == TICKET_RENEWED)
                continue;
            for (int who = 0; who < 3; who++)
                servers(versions[at], carrier, certificates[who], 0);
            /* What clearing leaves behind shows with a client that is not trusted. */
            servers(versions[at], carrier, "stranger", 1);
            names(versions[at], carrier);
            demanding_name(versions[at], carrier, NULL);
            demanding_name(versions[at], carrier, "lax.test");
        }
        for (int clears = 0; clears < 2; clears++)
            for (int as_der = 0; as_der < 2; as_der++)
                clients(versions[at], clears, as_der);
    }
    return finish();
}
