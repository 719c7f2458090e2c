/*
 * Who lives how long: reference counts of contexts, connections, sessions and BIOs, and ex_data with
 * the callbacks that free it.
 */
#include "harness.h"

static void on_new(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long number,
                   void *pointer)
{
    (void)parent, (void)data, (void)index;
    say("new: %s, number %ld, %s", (const char *)pointer, number,
        value == NULL ? "NULL" : (const char *)value);
}

static void on_free(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long number,
                    void *pointer)
{
    (void)parent, (void)data, (void)index;
    say("free: %s, number %ld, %s", (const char *)pointer, number,
        value == NULL ? "NULL" : (const char *)value);
}

/* How many sessions a library makes for itself is its own affair: those without a value are quiet. */
static void on_session_free(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long number,
                            void *pointer)
{
    if (value != NULL)
        on_free(parent, value, data, index, number, pointer);
}

static int on_dup(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **value, int index,
                  long number, void *pointer)
{
    (void)to, (void)from, (void)index;
    say("dup: %s, number %ld, %s", (const char *)pointer, number,
        *value == NULL ? "NULL" : *(const char **)value);
    return 1;
}

struct indices {
    int context[2];
    int connection[2];
    int session;
};

static struct indices register_all(void)
{
    struct indices indices;

    indices.context[0] =
        SSL_CTX_get_ex_new_index(1, (void *)"first of contexts", on_new, on_dup, on_free);
    indices.context[1] =
        SSL_CTX_get_ex_new_index(2, (void *)"second of contexts", on_new, on_dup, on_free);
    indices.connection[0] =
        SSL_get_ex_new_index(3, (void *)"first of connections", on_new, on_dup, on_free);
    indices.connection[1] =
        SSL_get_ex_new_index(4, (void *)"second of connections", on_new, on_dup, on_free);
    indices.session =
        SSL_SESSION_get_ex_new_index(5, (void *)"of sessions", NULL, NULL, on_session_free);
    return indices;
}

static const char *or_null(const char *text)
{
    return text != NULL ? text : "NULL";
}

static void ex_data(const struct indices *indices)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    SSL *ssl, *other;
    SSL_SESSION *session;

    say("%s", or_null(SSL_CTX_get_ex_data(context, indices->context[0])));
    SAY_LONG(SSL_CTX_set_ex_data(context, indices->context[0], (void *)"one"));
    SAY_LONG(SSL_CTX_set_ex_data(context, indices->context[1], (void *)"two"));
    SAY_LONG(SSL_CTX_set_ex_data(context, indices->context[1], (void *)"three"));
    say("%s", or_null(SSL_CTX_get_ex_data(context, indices->context[1])));
    ssl = SSL_new(context);
    SAY_LONG(SSL_set_ex_data(ssl, indices->connection[0], (void *)"four"));
    say("%s", or_null(SSL_get_ex_data(ssl, indices->connection[0])));
    say("%s", or_null(SSL_get_ex_data(ssl, indices->connection[1])));
    say("%s", or_null(SSL_get_ex_data(ssl, 1000)));
    other = SSL_dup(ssl);
    say("%s", other != NULL ? or_null(SSL_get_ex_data(other, indices->connection[0])) : "no copy");
    session = SSL_SESSION_new();
    SAY_LONG(SSL_SESSION_set_ex_data(session, indices->session, (void *)"five"));
    say("%s", or_null(SSL_SESSION_get_ex_data(session, indices->session)));
    say("the context goes first");
    SSL_CTX_free(context);
    say("the copy");
    SSL_free(other);
    say("the connection");
    SSL_free(ssl);
    say("the session");
    SSL_SESSION_free(session);
}

static void counts(const struct indices *indices)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    SSL *ssl = SSL_new(context);

    SSL_CTX_set_ex_data(context, indices->context[0], (void *)"the context");
    SSL_set_ex_data(ssl, indices->connection[0], (void *)"the connection");
    SAY_LONG(SSL_CTX_up_ref(context));
    SAY_LONG(SSL_up_ref(ssl));
    say("once each");
    SSL_CTX_free(context);
    SSL_free(ssl);
    say("still there: %s", or_null(SSL_get_ex_data(ssl, indices->connection[0])));
    say("the context again");
    SSL_CTX_free(context);
    say("still there: %d", SSL_get_SSL_CTX(ssl) == context);
    say("the connection again, and with it the context");
    SSL_free(ssl);
}

static void context_switch(const struct indices *indices)
{
    SSL_CTX *one = SSL_CTX_new(TLS_method()), *two = SSL_CTX_new(TLS_method());
    SSL *ssl = SSL_new(one);

    SSL_CTX_set_ex_data(one, indices->context[0], (void *)"one");
    SSL_CTX_set_ex_data(two, indices->context[0], (void *)"two");
    SAY_LONG(SSL_set_SSL_CTX(ssl, two) == two);
    SAY_LONG(SSL_get_SSL_CTX(ssl) == two);
    say("free two");
    SSL_CTX_free(two);
    SAY_LONG(SSL_set_SSL_CTX(ssl, NULL) == one);
    SAY_LONG(SSL_get_SSL_CTX(ssl) == one);
    say("free one");
    SSL_CTX_free(one);
    say("free the connection");
    SSL_free(ssl);
}

static int bio_freed(BIO *bio)
{
    say("BIO freed: %s", (const char *)BIO_get_data(bio));
    return 1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO *named_bio(BIO_METHOD *method, const char *name)
{
    BIO *bio = BIO_new(method);

    BIO_set_data(bio, (void *)name);
    BIO_set_init(bio, 1);
    return bio;
}

static void bios(const struct indices *indices)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    SSL *ssl = SSL_new(context);
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "named");
    BIO *one, *both;

    (void)indices;
    BIO_meth_set_destroy(method, bio_freed);
    BIO_meth_set_ctrl(method, bio_ctrl);
    one = named_bio(method, "one");
    SSL_set_bio(ssl, one, named_bio(method, "two"));
    say("the writing one is replaced");
    SSL_set_bio(ssl, one, named_bio(method, "three"));
    say("both are replaced by one");
    both = named_bio(method, "both");
    SSL_set_bio(ssl, both, both);
    SAY_LONG(SSL_get_rbio(ssl) == both);
    SAY_LONG(SSL_get_wbio(ssl) == both);
    say("the reading one is replaced");
    SSL_set0_rbio(ssl, named_bio(method, "reading"));
    say("the writing one is replaced");
    SSL_set0_wbio(ssl, named_bio(method, "writing"));
    say("both are taken away");
    SSL_set_bio(ssl, NULL, NULL);
    SAY_PRESENT(SSL_get_rbio(ssl));
    SSL_set_bio(ssl, named_bio(method, "last reading"), named_bio(method, "last writing"));
    say("free");
    SSL_free(ssl);
    SSL_CTX_free(context);
    BIO_meth_free(method);
}

/* A session that is kept outlives its connection and its context. */
static void sessions(const struct indices *indices)
{
    SSL_CTX *client = client_context(TLS1_2_VERSION);
    SSL_CTX *server = server_context(TLS1_2_VERSION, "server");
    struct ends ends = make_ends(client, server);
    SSL_SESSION *session;

    handshake(&ends);
    session = SSL_get1_session(ends.client);
    SSL_SESSION_set_ex_data(session, indices->session, (void *)"kept");
    SAY_LONG(SSL_get_session(ends.client) == session);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    free_ends(&ends);
    say("still there: %s", or_null(SSL_SESSION_get_ex_data(session, indices->session)));
    SAY_LONG(SSL_SESSION_up_ref(session));
    SSL_SESSION_free(session);
    say("once more");
    SSL_SESSION_free(session);
}

/* Certificates that are taken out with a count of their own outlive the connection. */
static void peers(const struct indices *indices)
{
    SSL_CTX *client = client_context(TLS1_3_VERSION);
    SSL_CTX *server = server_context(TLS1_3_VERSION, "server");
    struct ends ends = make_ends(client, server);
    X509 *peer;

    (void)indices;
    handshake(&ends);
    peer = SSL_get1_peer_certificate(ends.client);
    SAY_LONG(peer == SSL_get0_peer_certificate(ends.client));
    SAY_LONG(peer == sk_X509_value(SSL_get_peer_cert_chain(ends.client), 0));
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    free_ends(&ends);
    say("version %ld", X509_get_version(peer));
    X509_free(peer);
}

/* What is asked of implementations of cryptography when a context is made. */
static void properties(const struct indices *indices)
{
    static const char *const queries[] = {"", "provider!=fips", "?fips=yes", "-fips", "fips=no"};

    (void)indices;
    for (size_t at = 0; at < sizeof queries / sizeof *queries; at++) {
        SSL_CTX *context = SSL_CTX_new_ex(NULL, queries[at], TLS_method());

        say("\"%s\": %s", queries[at], context != NULL ? "there" : "NULL");
        SSL_CTX_free(context);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(const struct indices *);
    } cases[] = {
        {"ex_data", ex_data},   {"reference counts", counts}, {"another context", context_switch},
        {"BIOs", bios},         {"sessions", sessions},       {"peers", peers},
        {"properties", properties},
    };
    struct indices indices;

    start(argc, argv);
    indices = register_all();
    for (size_t at = 0; at < sizeof cases / sizeof *cases; at++)
        if (begin("%s", cases[at].name))
            cases[at].run(&indices);
    return finish();
}
