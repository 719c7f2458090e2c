/*
 * The certificate of a client: who is asked for it, when, in which order, and what can be asked about
 * the server's request meanwhile and afterwards.
 */
#include "harness.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

/* What a callback does: gives a certificate of someone or none, and answers so after some waits. */
struct plan {
    const char *who;
    int answer;
    int waits;
    /* Only the certificate, or only the key. */
    int without_key, without_certificate;
};

static struct plan certificate_plan, client_plan;
static int curious;

static X509 *certificate_of(const char *who)
{
    BIO *file = BIO_new_file(path_of(who, "chain.pem"), "r");
    X509 *certificate = PEM_read_bio_X509(file, NULL, NULL, NULL);

    BIO_free(file);
    if (certificate == NULL)
        broken("a certificate");
    return certificate;
}

static EVP_PKEY *key_of(const char *who)
{
    BIO *file = BIO_new_file(path_of(who, "key.pem"), "r");
    EVP_PKEY *key = PEM_read_bio_PrivateKey(file, NULL, NULL, NULL);

    BIO_free(file);
    if (key == NULL)
        broken("a key");
    return key;
}

static void say_name(const SSL *ssl, const char *what, X509 *certificate)
{
    char name[100] = "NULL";

    if (certificate != NULL)
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name,
                                  sizeof name);
    say("%s: %s: %s", side(ssl), what, name);
}

static void say_names(const char *what, const STACK_OF(X509_NAME) *names)
{
    char line[200];

    say("%s: %d", what, names != NULL ? sk_X509_NAME_num(names) : -1);
    for (int at = 0; names != NULL && at < sk_X509_NAME_num(names); at++)
        say("  %s", X509_NAME_oneline(sk_X509_NAME_value(names, at), line, sizeof line));
}

static void say_schemes(SSL *ssl)
{
    int count = SSL_get_sigalgs(ssl, -1, NULL, NULL, NULL, NULL, NULL), kind, hash, pair;
    unsigned char low, high;

    say("schemes: %d", count);
    for (int at = 0; at < count; at++) {
        SSL_get_sigalgs(ssl, at, &kind, &hash, &pair, &low, &high);
        say("  %02x%02x: key %d, hash %d, pair %d", high, low, kind, hash, pair);
    }
    for (int at = 0; SSL_get_shared_sigalgs(ssl, at, &kind, &hash, &pair, &low, &high) > at; at++)
        say("  shared %02x%02x: key %d, hash %d, pair %d", high, low, kind, hash, pair);
}

static void say_types(SSL *ssl)
{
    const unsigned char *types = (const unsigned char *)"?";
    long count = SSL_get0_certificate_types(ssl, &types);

    say("types: %s", count > 0 ? "some" : "none");
    say("types of signatures: %s%s", count > 0 && memchr(types, 1, (size_t)count) ? "RSA " : "",
        count > 0 && memchr(types, 64, (size_t)count) ? "ECDSA" : "");
}

/* What a program asks about the request. */
static void say_request(SSL *ssl)
{
    X509 *peer = SSL_get1_peer_certificate(ssl);

    say_name(ssl, "SSL_get1_peer_certificate", peer);
    X509_free(peer);
    say("chain of %d, verified chain of %d", sk_X509_num(SSL_get_peer_cert_chain(ssl)),
        sk_X509_num(SSL_get0_verified_chain(ssl)));
    SAY_LONG(SSL_get_verify_result(ssl));
    say("version %s", SSL_get_version(ssl));
    SAY_LONG(SSL_is_init_finished(ssl));
    SAY_LONG(SSL_session_reused(ssl));
    say_names("SSL_get0_peer_CA_list", SSL_get0_peer_CA_list(ssl));
    say_names("SSL_get_client_CA_list", SSL_get_client_CA_list(ssl));
    say_schemes(ssl);
    say_types(ssl);
    say_name(ssl, "SSL_get_certificate", SSL_get_certificate(ssl));
}

static int on_certificate(SSL *ssl, void *argument)
{
    struct plan *plan = argument;

    say("%s: certificate callback, want %d", side(ssl), SSL_want(ssl));
    if (curious)
        say_request(ssl);
    if (plan->waits-- > 0)
        return -1;
    if (plan->who != NULL) {
        X509 *certificate = certificate_of(plan->who);
        EVP_PKEY *key = key_of(plan->who);

        say("used: %d, %d", SSL_use_certificate(ssl, certificate), SSL_use_PrivateKey(ssl, key));
        X509_free(certificate);
        EVP_PKEY_free(key);
    }
    return plan->answer;
}

static int on_client_certificate(SSL *ssl, X509 **certificate, EVP_PKEY **key)
{
    struct plan *plan = &client_plan;

    say("%s: client certificate callback, want %d", side(ssl), SSL_want(ssl));
    if (curious)
        say_request(ssl);
    if (plan->waits-- > 0)
        return -1;
    if (plan->who != NULL) {
        if (!plan->without_certificate)
            *certificate = certificate_of(plan->who);
        if (!plan->without_key)
            *key = key_of(plan->who);
    }
    return plan->answer;
}

static int on_verify(int ok, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());

    if (X509_STORE_CTX_get_error_depth(store) == 0)
        say("%s: verified, %d", side(ssl), ok);
    return ok;
}

static int on_status(SSL *ssl, void *argument)
{
    (void)argument;
    say("%s: status", side(ssl));
    return 1;
}

static SSL_CTX *client_of(int version)
{
    SSL_CTX *client = client_context(version);

    SSL_CTX_set_verify(client, SSL_VERIFY_PEER, on_verify);
    SSL_CTX_set_tlsext_status_type(client, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_set_tlsext_status_cb(client, on_status);
    return client;
}

static SSL_CTX *server_of(int version, int mode)
{
    SSL_CTX *server = server_context(version, "server");

    SSL_CTX_load_verify_locations(server, path_of("server", "root.pem"), NULL);
    /* A callback gives no chain: the intermediate is the server's own. */
    SSL_CTX_load_verify_locations(server, path_of("server", "chain.pem"), NULL);
    SSL_CTX_set_client_CA_list(server, SSL_load_client_CA_file(path_of("server", "root.pem")));
    SSL_CTX_set_verify(server, mode, on_verify);
    return server;
}

/* Connects, and frees the contexts. */
static void run(SSL_CTX *client, SSL_CTX *server)
{
    struct ends ends = make_ends(client, server);
    X509 *peer;

    handshake(&ends);
    peer = SSL_get1_peer_certificate(ends.server);
    say_name(ends.server, "the client is", peer);
    say_name(ends.client, "SSL_get_certificate", SSL_get_certificate(ends.client));
    X509_free(peer);
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

enum { CERTIFICATE = 1, CLIENT = 2, BOTH = 3 };

static void plans(struct plan certificate, struct plan client)
{
    certificate_plan = certificate;
    client_plan = client;
    curious = 0;
}

static void with(int version, int which, const char *own, int mode)
{
    SSL_CTX *client = client_of(version);

    if (which & CERTIFICATE)
        SSL_CTX_set_cert_cb(client, on_certificate, &certificate_plan);
    if (which & CLIENT)
        SSL_CTX_set_client_cert_cb(client, on_client_certificate);
    if (own != NULL)
        use_certificate(client, own);
    run(client, server_of(version, mode));
}

static const struct {
    const char *what;
    int which;
    const char *own;
    struct plan certificate, client;
} table[] = {
    {"the certificate callback sets one", CERTIFICATE, NULL, {"client", 1, 0, 0, 0}, {0}},
    {"the certificate callback sets none", CERTIFICATE, NULL, {NULL, 1, 0, 0, 0}, {0}},
    {"the certificate callback leaves the context's", CERTIFICATE, "other", {NULL, 1, 0, 0, 0}, {0}},
    {"the certificate callback sets another", CERTIFICATE, "rsa", {"client", 1, 0, 0, 0}, {0}},
    {"the certificate callback fails", CERTIFICATE, "client", {NULL, 0, 0, 0, 0}, {0}},
    {"the certificate callback waits twice", CERTIFICATE, NULL, {"client", 1, 2, 0, 0}, {0}},
    {"the certificate callback answers 2", CERTIFICATE, NULL, {"client", 2, 0, 0, 0}, {0}},
    {"the client callback gives one", CLIENT, NULL, {0}, {"client", 1, 0, 0, 0}},
    {"the client callback gives none", CLIENT, NULL, {0}, {NULL, 0, 0, 0, 0}},
    {"the client callback gives one and says no", CLIENT, NULL, {0}, {"client", 0, 0, 0, 0}},
    {"the client callback answers 2", CLIENT, NULL, {0}, {"client", 2, 0, 0, 0}},
    {"the client callback says yes and gives none", CLIENT, NULL, {0}, {NULL, 1, 0, 0, 0}},
    {"the client callback gives no key", CLIENT, NULL, {0}, {"client", 1, 0, 1, 0}},
    {"the client callback gives no certificate", CLIENT, NULL, {0}, {"client", 1, 0, 0, 1}},
    {"the client callback waits twice", CLIENT, NULL, {0}, {"client", 1, 2, 0, 0}},
    {"the client callback gives one of no path", CLIENT, NULL, {0}, {"stranger", 1, 0, 0, 0}},
    {"the client callback of who has one", CLIENT, "other", {0}, {"client", 1, 0, 0, 0}},
    {"both, the first sets one", BOTH, NULL, {"client", 1, 0, 0, 0}, {"other", 1, 0, 0, 0}},
    {"both, the first sets none", BOTH, NULL, {NULL, 1, 0, 0, 0}, {"other", 1, 0, 0, 0}},
    {"both wait", BOTH, NULL, {NULL, 1, 1, 0, 0}, {"other", 1, 1, 0, 0}},
    {"both, the first fails", BOTH, NULL, {NULL, 0, 0, 0, 0}, {"other", 1, 0, 0, 0}},
};

static void answers(int version)
{
    static const int modes[] = {SSL_VERIFY_PEER,
                                SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT};

    for (size_t at = 0; at < sizeof table / sizeof *table; at++) {
        for (int mode = 0; mode < 2; mode++) {
            if (!begin("%s, %s, mode %d", version_name(version), table[at].what, modes[mode]))
                continue;
            plans(table[at].certificate, table[at].client);
            with(version, table[at].which, table[at].own, modes[mode]);
        }
    }
}

static void getters(void)
{
    SSL_CTX *client;

    if (!begin("the getter of the client callback"))
        return;
    client = client_context(TLS1_3_VERSION);
    SAY_PRESENT(SSL_CTX_get_client_cert_cb(client));
    SSL_CTX_set_client_cert_cb(client, on_client_certificate);
    say("set: %d", SSL_CTX_get_client_cert_cb(client) == on_client_certificate);
    SSL_CTX_set_client_cert_cb(client, NULL);
    SAY_PRESENT(SSL_CTX_get_client_cert_cb(client));
    say_errors("getters");
    SSL_CTX_free(client);
}

static void not_asked(int version)
{
    if (!begin("%s, a server that does not ask", version_name(version)))
        return;
    plans((struct plan){"client", 1, 0, 0, 0}, (struct plan){"client", 1, 0, 0, 0});
    with(version, BOTH, NULL, SSL_VERIFY_NONE);
}

/* A server that takes RSA signatures only, for which an ECDSA certificate is no use. */
static void unfit(int version, const char *who)
{
    SSL_CTX *client, *server;

    if (!begin("%s, %s for a server that takes RSA", version_name(version), who))
        return;
    plans((struct plan){who, 1, 0, 0, 0}, (struct plan){"rsa", 1, 0, 0, 0});
    client = client_of(version);
    SSL_CTX_set_cert_cb(client, on_certificate, &certificate_plan);
    SSL_CTX_set_client_cert_cb(client, on_client_certificate);
    server = server_of(version, SSL_VERIFY_PEER);
    SSL_CTX_set1_client_sigalgs_list(server, "RSA-PSS+SHA256:RSA-PSS+SHA384:RSA+SHA256");
    run(client, server);
}

static void looks(int version, int which, const char *list)
{
    SSL_CTX *client, *server;
    struct ends ends;

    if (!begin("%s, what callback %d sees, %s", version_name(version), which,
               list != NULL ? list : "no names"))
        return;
    plans((struct plan){which == CERTIFICATE ? "client" : NULL, 1, 0, 0, 0},
          (struct plan){"client", 1, 0, 0, 0});
    curious = 1;
    client = client_of(version);
    SSL_CTX_set1_client_sigalgs_list(client, "RSA-PSS+SHA256:ECDSA+SHA384:ECDSA+SHA256");
    if (which == CERTIFICATE)
        SSL_CTX_set_cert_cb(client, on_certificate, &certificate_plan);
    else if (which == CLIENT)
        SSL_CTX_set_client_cert_cb(client, on_client_certificate);
    server = server_of(version, SSL_VERIFY_PEER);
    SSL_CTX_set1_client_sigalgs_list(server, "ECDSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA256");
    if (list == NULL)
        SSL_CTX_set_client_CA_list(server, NULL);
    else
        SSL_CTX_set_client_CA_list(server, SSL_load_client_CA_file(path_of(list, "chain.pem")));
    ends = make_ends(client, server);
    handshake(&ends);
    say_request(ends.client);
    say_errors("after");
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void resumed(int version)
{
    SSL_CTX *client, *server;
    SSL_SESSION *session;
    struct ends ends;

    if (!begin("%s, no callback on a resumption", version_name(version)))
        return;
    plans((struct plan){"client", 1, 0, 0, 0}, (struct plan){"client", 1, 0, 0, 0});
    client = client_of(version);
    SSL_CTX_set_tlsext_status_type(client, -1);
    SSL_CTX_set_cert_cb(client, on_certificate, &certificate_plan);
    SSL_CTX_set_client_cert_cb(client, on_client_certificate);
    server = server_of(version, SSL_VERIFY_PEER);
    ends = make_ends(client, server);
    handshake(&ends);
    session = SSL_get1_session(ends.client);
    SSL_shutdown(ends.client);
    SSL_shutdown(ends.server);
    free_ends(&ends);
    ends = make_ends(client, server);
    SSL_set_session(ends.client, session);
    handshake(&ends);
    say_types(ends.client);
    free_ends(&ends);
    SSL_SESSION_free(session);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void on_message(int sent, int version, int type, const void *bytes, size_t length, SSL *ssl,
                       void *argument)
{
    (void)version, (void)length, (void)argument;
    if (type == SSL3_RT_HANDSHAKE)
        say("%s: %s message %d", side(ssl), sent ? "sent" : "received", *(unsigned char *)bytes);
}

/* Among the messages: who is asked has seen all that is known by then. */
static void among_messages(int version, int which)
{
    SSL_CTX *client;

    if (!begin("%s, callback %d among the messages", version_name(version), which))
        return;
    plans((struct plan){"client", 1, 1, 0, 0}, (struct plan){"client", 1, 1, 0, 0});
    client = client_of(version);
    SSL_CTX_set_msg_callback(client, on_message);
    if (which == CERTIFICATE)
        SSL_CTX_set_cert_cb(client, on_certificate, &certificate_plan);
    else
        SSL_CTX_set_client_cert_cb(client, on_client_certificate);
    run(client, server_of(version, SSL_VERIFY_PEER));
}

/* A callback set on the connection, or after it has begun. */
static void late(int version)
{
    SSL_CTX *client, *server;
    struct ends ends;

    if (!begin("%s, callbacks set when the handshake has begun", version_name(version)))
        return;
    plans((struct plan){NULL, 1, 0, 0, 0}, (struct plan){"client", 1, 0, 0, 0});
    client = client_of(version);
    server = server_of(version, SSL_VERIFY_PEER);
    ends = make_ends(client, server);
    step(ends.client);
    SSL_set_cert_cb(ends.client, on_certificate, &certificate_plan);
    SSL_CTX_set_client_cert_cb(client, on_client_certificate);
    handshake(&ends);
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void set_types(void)
{
    static const unsigned char some[] = {1, 64};
    SSL_CTX *context;
    SSL *client, *server;

    if (!begin("setting the types of certificates"))
        return;
    context = SSL_CTX_new(TLS_method());
    client = SSL_new(context);
    server = SSL_new(context);
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    SAY_LONG(SSL_CTX_set1_client_certificate_types(context, some, 2));
    SAY_LONG(SSL_CTX_set1_client_certificate_types(context, NULL, 0));
    SAY_LONG(SSL_CTX_set1_client_certificate_types(context, some, 0));
    SAY_LONG(SSL_CTX_set1_client_certificate_types(context, some, 256));
    SAY_LONG(SSL_set1_client_certificate_types(client, some, 2));
    SAY_LONG(SSL_set1_client_certificate_types(server, some, 2));
    SAY_LONG(SSL_set1_client_certificate_types(server, some, 256));
    SAY_LONG(SSL_get0_certificate_types(server, NULL));
    SAY_LONG(SSL_get0_certificate_types(client, NULL));
    say_errors("types");
    SSL_free(client);
    SSL_free(server);
    SSL_CTX_free(context);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    getters();
    set_types();
    for (int at = 0; at < 2; at++) {
        int version = versions[at];

        answers(version);
        not_asked(version);
        unfit(version, "client");
        unfit(version, "rsa");
        for (int which = 0; which < BOTH; which++) {
            looks(version, which, NULL);
            looks(version, which, "other");
        }
        among_messages(version, CERTIFICATE);
        among_messages(version, CLIENT);
        resumed(version);
        late(version);
    }
    return finish();
}
