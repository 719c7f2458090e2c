/*
 * Callbacks that do what nobody should: free their connection, start the handshake again from
 * inside, call everything there is, change the context while another thread uses it.
 *
 * OpenSSL leaves most of this undefined, so there is nothing to compare: this program runs on our
 * library alone. What comes out of a handshake is not said; that every case ends is the point, and
 * that neither valgrind nor AddressSanitizer finds anything.
 */
#include "deeds.h"
#include "harness.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void misbehave(const SSL *connection)
{
    SSL *ssl = (SSL *)connection;

    /* What a deed calls may call its callback again, and so on. */
    static int within;

    if (!shaking || within == 3)
        return;
    within++;
    chances[SSL_is_server(ssl)]++;
    (SSL_is_server(ssl) ? on_server : on_client)(ssl);
    within--;
}

static int on_status(SSL *ssl, void *argument)
{
    int server = SSL_is_server(ssl);

    (void)argument;
    misbehave(ssl);
    return server ? SSL_TLSEXT_ERR_OK : 1;
}

static int on_certificate(SSL *ssl, void *argument)
{
    (void)argument;
    misbehave(ssl);
    return 1;
}

static int on_client_certificate(SSL *ssl, X509 **certificate, EVP_PKEY **key)
{
    BIO *file = BIO_new_file(path_of("client", "chain.pem"), "r");

    *certificate = PEM_read_bio_X509(file, NULL, NULL, NULL);
    BIO_free(file);
    file = BIO_new_file(path_of("client", "key.pem"), "r");
    *key = PEM_read_bio_PrivateKey(file, NULL, NULL, NULL);
    BIO_free(file);
    misbehave(ssl);
    return 1;
}

static int on_name(SSL *ssl, int *alert, void *argument)
{
    (void)alert, (void)argument;
    misbehave(ssl);
    return SSL_TLSEXT_ERR_OK;
}

static int on_hello(SSL *ssl, int *alert, void *argument)
{
    (void)alert, (void)argument;
    misbehave(ssl);
    return SSL_CLIENT_HELLO_SUCCESS;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                   const unsigned char *in, unsigned in_length, void *argument)
{
    (void)out, (void)out_length, (void)in, (void)in_length, (void)argument;
    misbehave(ssl);
    return SSL_TLSEXT_ERR_NOACK;
}

static int on_verify(int ok, X509_STORE_CTX *store)
{
    misbehave(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    return ok;
}

static int on_whole_verify(X509_STORE_CTX *store, void *argument)
{
    (void)argument;
    misbehave(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    return X509_verify_cert(store);
}

static void on_info(const SSL *ssl, int where, int value)
{
    (void)where, (void)value;
    misbehave(ssl);
}

static void on_message(int sent, int version, int type, const void *bytes, size_t length, SSL *ssl,
                       void *argument)
{
    (void)sent, (void)version, (void)type, (void)bytes, (void)length, (void)argument;
    misbehave(ssl);
}

static void on_secret(const SSL *ssl, const char *line)
{
    (void)line;
    misbehave(ssl);
}

/* The server's session of the handshake before. */
static SSL_SESSION *kept;

static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
    if (SSL_is_server(ssl) && kept == NULL && SSL_SESSION_up_ref(session))
        kept = session;
    misbehave(ssl);
    return 0;
}

static SSL_SESSION *on_get_session(SSL *ssl, const unsigned char *id, int length, int *copy)
{
    (void)id, (void)length;
    misbehave(ssl);
    *copy = 1;
    return kept;
}

static SSL_CTX *client_of_case;

static void on_removed_session(SSL_CTX *context, SSL_SESSION *session)
{
    (void)session;
    if (context == client_of_case ? !freed_client : !freed_server)
        misbehave(context == client_of_case ? ends.client : ends.server);
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int seals)
{
    static unsigned char key[32] = "a key of thirty-two bytes, or so";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key, sizeof key),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_end(),
    };

    if (seals) {
        memset(name, 1, 16);
        memset(iv, 2, 16);
    }
    EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key, iv, seals);
    EVP_MAC_CTX_set_params(mac, parameters);
    misbehave(ssl);
    return 1;
}

enum place {
    STATUS,
    CERTIFICATE,
    CLIENT_CERTIFICATE,
    NAME,
    HELLO,
    ALPN,
    VERIFY,
    WHOLE_VERIFY,
    INFO,
    MESSAGE,
    SECRET,
    NEW_SESSION,
    GET_SESSION,
    REMOVED_SESSION,
    TICKET,
    PLACES
};

enum { CLIENT = 1, SERVER = 2, BOTH = 3 };

static const struct {
    const char *name;
    int sides;
    /* Called in a handshake that offers a session. */
    int resumes;
} places[] = {
    {"status", BOTH, 0},
    {"certificate", BOTH, 0},
    {"client certificate", CLIENT, 0},
    {"servername", SERVER, 0},
    {"client_hello", SERVER, 0},
    {"alpn", SERVER, 0},
    {"verify", BOTH, 0},
    {"certificate verification", BOTH, 0},
    {"info", BOTH, 0},
    {"message", BOTH, 0},
    {"secret", BOTH, 0},
    {"new session", BOTH, 0},
    {"get session", SERVER, 1},
    {"removed session", BOTH, 1},
    {"ticket", SERVER, 1},
};

/* Handshakes as far as they go, and reads what comes after. */
static void try(SSL *ssl)
{
    const int *freed = ssl == ends.client ? &freed_client : &freed_server;
    char byte;

    ERR_clear_error();
    shaking = 1;
    if (SSL_do_handshake(ssl) == 1 && !*freed)
        SSL_read(ssl, &byte, 1);
    shaking = 0;
}

static void shake(void)
{
    for (int turn = 0; turn < 6; turn++) {
        if (!freed_client)
            try(ends.client);
        if (!freed_server)
            try(ends.server);
    }
    ERR_clear_error();
    if (!freed_client)
        SSL_free(ends.client);
    if (!freed_server)
        SSL_free(ends.server);
    freed_client = freed_server = depth = 0;
}

static void set_callback(enum place place, SSL_CTX *client, SSL_CTX *server)
{
    SSL_CTX *contexts[] = {client, server};

    for (int at = 0; at < 2; at++) {
        SSL_CTX *context = contexts[at];

        switch (place) {
        case STATUS:
            SSL_CTX_set_tlsext_status_cb(context, on_status);
            break;
        case CERTIFICATE:
            SSL_CTX_set_cert_cb(context, on_certificate, NULL);
            break;
        case CLIENT_CERTIFICATE:
            SSL_CTX_set_client_cert_cb(context, on_client_certificate);
            break;
        case NAME:
            SSL_CTX_set_tlsext_servername_callback(context, on_name);
            break;
        case HELLO:
            SSL_CTX_set_client_hello_cb(context, on_hello, NULL);
            break;
        case ALPN:
            SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
            break;
        case VERIFY:
            SSL_CTX_set_verify(context, SSL_VERIFY_PEER, on_verify);
            break;
        case WHOLE_VERIFY:
            SSL_CTX_set_cert_verify_callback(context, on_whole_verify, NULL);
            break;
        case INFO:
            SSL_CTX_set_info_callback(context, on_info);
            break;
        case MESSAGE:
            SSL_CTX_set_msg_callback(context, on_message);
            break;
        case SECRET:
            SSL_CTX_set_keylog_callback(context, on_secret);
            break;
        case NEW_SESSION:
        case GET_SESSION:
        case REMOVED_SESSION:
            SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_BOTH);
            SSL_CTX_sess_set_new_cb(context, on_new_session);
            SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
            if (place == REMOVED_SESSION)
                SSL_CTX_sess_set_remove_cb(context, on_removed_session);
            if (place == GET_SESSION) {
                SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_BOTH
                                                            | SSL_SESS_CACHE_NO_INTERNAL);
                SSL_CTX_sess_set_get_cb(context, on_get_session);
            }
            break;
        default:
            SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
        }
    }
}

/* A handshake without misbehaviour; the client's session. */
static SSL_SESSION *first_session(SSL_CTX *client, SSL_CTX *server)
{
    SSL_SESSION *session;

    on_client = on_server = nothing;
    ends = make_ends(client, server);
    for (int turn = 0; turn < 6; turn++) {
        try(ends.client);
        try(ends.server);
    }
    session = SSL_get1_session(ends.client);
    /* OpenSSL 3.0 follows what only DTLS has. */
    if (DTLS_get_data_mtu(ends.client) != 0)
        broken("a size of datagrams");
    if (!SSL_is_init_finished(ends.client))
        broken("the first handshake");
    SSL_shutdown(ends.client);
    SSL_shutdown(ends.server);
    SSL_free(ends.client);
    SSL_free(ends.server);
    return session;
}

static void run(int version, enum place place, deed client_does, deed server_does)
{
    SSL_CTX *client = client_context(version);
    SSL_CTX *server = server_context(version, "server");
    SSL_SESSION *session = NULL;

    SSL_CTX_set_info_callback(client, NULL);
    SSL_CTX_set_info_callback(server, NULL);
    SSL_CTX_set_tlsext_status_type(client, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_set_alpn_protos(client, (const unsigned char *)"\2h2", 3);
    SSL_CTX_load_verify_locations(server, path_of("server", "root.pem"), NULL);
    SSL_CTX_set_verify(server, SSL_VERIFY_PEER, NULL);
    if (place != CLIENT_CERTIFICATE)
        use_certificate(client, "client");
    set_callback(place, client, server);
    client_of_case = client;
    if (places[place].resumes) {
        session = first_session(client, server);
        /* A server forgets a session of long ago when it is offered. */
        if (place == REMOVED_SESSION && kept != NULL)
            SSL_SESSION_set_time(kept, 1);
    }
    on_client = client_does;
    on_server = server_does;
    ends = make_ends(client, server);
    if (session != NULL)
        SSL_set_session(ends.client, session);
    memset(chances, 0, sizeof chances);
    shake();
    if (chances[server_does != nothing] == 0)
        broken("the callback was not called");
    SSL_SESSION_free(session);
    SSL_SESSION_free(kept);
    kept = NULL;
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

/* --- from another thread ---------------------------------------------------------------------- */

static atomic_int stop;

/* Functions like those above, for a thread that puts the ones in place of the others. */
static int other_client_certificate(SSL *ssl, X509 **certificate, EVP_PKEY **key)
{
    (void)ssl, (void)certificate, (void)key;
    return 0;
}

static int other_name(SSL *ssl, int *alert, void *argument)
{
    (void)ssl, (void)alert, (void)argument;
    return SSL_TLSEXT_ERR_NOACK;
}

static int other_verify(int ok, X509_STORE_CTX *store)
{
    (void)store;
    return ok;
}

static void other_info(const SSL *ssl, int where, int value)
{
    (void)ssl, (void)where, (void)value;
}

static void other_secret(const SSL *ssl, const char *line)
{
    (void)ssl, (void)line;
}

static void *change_the_contexts(void *argument)
{
    SSL_CTX **contexts = argument;

    for (int turn = 0; !atomic_load(&stop); turn++) {
        for (int at = 0; at < 2; at++) {
            SSL_CTX *context = contexts[at];

            SSL_CTX_set_tlsext_status_cb(context, (turn & 1 ? other_callback : on_status));
            SSL_CTX_set_tlsext_status_arg(context, context);
            SSL_CTX_set_tlsext_status_type(context, TLSEXT_STATUSTYPE_ocsp);
            SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
            SSL_CTX_set_verify_depth(context, 9);
            SSL_CTX_set_cert_cb(context, turn & 1 ? other_callback : on_certificate, context);
            SSL_CTX_set_client_cert_cb(context, turn & 1 ? other_client_certificate
                                                         : on_client_certificate);
            SSL_CTX_set_tlsext_servername_callback(context, (turn & 1 ? other_name : on_name));
            SSL_CTX_set_client_hello_cb(context, turn & 1 ? NULL : on_hello, context);
            SSL_CTX_set_alpn_select_cb(context, turn & 1 ? NULL : on_alpn, context);
            SSL_CTX_set_verify(context, SSL_VERIFY_PEER, turn & 1 ? other_verify : on_verify);
            SSL_CTX_set_cert_verify_callback(context, turn & 1 ? NULL : on_whole_verify, context);
            SSL_CTX_set_info_callback(context, turn & 1 ? other_info : on_info);
            SSL_CTX_set_msg_callback(context, turn & 1 ? NULL : on_message);
            SSL_CTX_set_keylog_callback(context, turn & 1 ? other_secret : on_secret);
            SSL_CTX_sess_set_get_cb(context, turn & 1 ? NULL : on_get_session);
            SSL_CTX_sess_set_remove_cb(context, turn & 1 ? NULL : on_removed_session);
            SSL_CTX_set_tlsext_ticket_key_evp_cb(context, turn & 1 ? NULL : on_ticket);
        }
        /* The other thread wants the processor too. */
        sched_yield();
    }
    return NULL;
}

static void from_another_thread(int version)
{
    SSL_CTX *client = client_context(version);
    SSL_CTX *server = server_context(version, "server");
    SSL_CTX *contexts[] = {client, server};
    pthread_t thread;

    SSL_CTX_set_info_callback(client, NULL);
    SSL_CTX_set_info_callback(server, NULL);
    SSL_CTX_load_verify_locations(server, path_of("server", "root.pem"), NULL);
    on_client = on_server = nothing;
    atomic_store(&stop, 0);
    if (pthread_create(&thread, NULL, change_the_contexts, contexts) != 0)
        broken("pthread_create");
    for (int time = 0; time < 20; time++) {
        ends = make_ends(client, server);
        shake();
    }
    atomic_store(&stop, 1);
    pthread_join(thread, NULL);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    for (int at = 0; at < 2; at++) {
        int version = versions[at];

        for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) {
            for (int place = 0; place < PLACES; place++) {
                if (places[place].sides & SERVER
                    && begin("%s, server, %s: %s", version_name(version), places[place].name,
                             deeds[i].name))
                    run(version, place, nothing, deeds[i].does);
                if (places[place].sides & CLIENT
                    && begin("%s, client, %s: %s", version_name(version), places[place].name,
                             deeds[i].name))
                    run(version, place, deeds[i].does, nothing);
            }
        }
        if (begin("%s, the context changes in another thread", version_name(version)))
            from_another_thread(version);
    }
    return finish();
}
