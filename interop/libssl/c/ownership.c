/*
 * Who owns what: references that SSL_set_bio takes for every pair of old and new BIOs, and values
 * that callbacks of ex_data set on an object while it is made or freed. Lengths that no buffer has.
 */
#include "harness.h"
#include <stdint.h>
#include <string.h>

#define BIOS 4

static int freed[BIOS];

static int on_bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static int on_bio_destroy(BIO *bio)
{
    long number = (long)BIO_get_data(bio);

    if (number > 0)
        freed[number - 1]++;
    return 1;
}

static long on_bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)command, (void)number, (void)pointer;
    return 1;
}

static int any_freed(void)
{
    for (int i = 0; i < BIOS; i++)
        if (freed[i] != 0)
            return 1;
    return 0;
}

static void up_ref(BIO *bio)
{
    if (bio != NULL)
        BIO_up_ref(bio);
}

/* Sets one pair of BIOs after another; each BIO has one reference of the program's all the time. */
static const char *set_pairs(SSL_CTX *context, BIO_METHOD *method, const int pair[4])
{
    BIO *bios[BIOS + 1] = {NULL};
    BIO *old_read, *old_write, *new_read, *new_write;
    SSL *ssl = SSL_new(context);
    const char *outcome = "right";

    memset(freed, 0, sizeof freed);
    for (long i = 0; i < BIOS; i++) {
        bios[i] = BIO_new(method);
        BIO_set_data(bios[i], (void *)(i + 1));
    }
    old_read = bios[pair[0]], old_write = bios[pair[1]];
    new_read = bios[pair[2]], new_write = bios[pair[3]];
    up_ref(old_read);
    if (old_write != old_read)
        up_ref(old_write);
    SSL_set_bio(ssl, old_read, old_write);
    if (new_read != old_read && (new_write != old_write || new_read != new_write))
        up_ref(new_read);
    if (new_write != new_read &&
        (new_write != old_write || (new_write == old_write && old_read == old_write)))
        up_ref(new_write);
    SSL_set_bio(ssl, new_read, new_write);
    if (any_freed())
        return "freed by SSL_set_bio";
    if (SSL_get_rbio(ssl) != new_read || SSL_get_wbio(ssl) != new_write)
        outcome = "other BIOs are set";
    SSL_free(ssl);
    if (any_freed())
        return "freed by SSL_free";
    for (int i = 0; i < BIOS; i++) {
        BIO_free(bios[i]);
        if (freed[i] != 1)
            outcome = "leaked";
    }
    return outcome;
}

static void bios(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | 90, "counted");
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    int right = 0;

    if (!begin("references of SSL_set_bio"))
        goto end;
    BIO_meth_set_create(method, on_bio_create);
    BIO_meth_set_destroy(method, on_bio_destroy);
    BIO_meth_set_ctrl(method, on_bio_control);
    for (int number = 0; number < 625; number++) {
        int pair[4] = {number % 5, number / 5 % 5, number / 25 % 5, number / 125};
        const char *outcome = set_pairs(context, method, pair);

        if (strcmp(outcome, "right") == 0)
            right++;
        else
            say("old %d %d, new %d %d: %s", pair[0], pair[1], pair[2], pair[3], outcome);
    }
    SAY_LONG(right);
end:
    SSL_CTX_free(context);
    BIO_meth_free(method);
}

enum class { CONTEXT, CONNECTION, SESSION };

static int set_by_object(enum class class, void *object, int index, void *value)
{
    switch (class) {
    case CONTEXT:
        return SSL_CTX_set_ex_data(object, index, value);
    case CONNECTION:
        return SSL_set_ex_data(object, index, value);
    default:
        return SSL_SESSION_set_ex_data(object, index, value);
    }
}

static const char *get_by_object(enum class class, void *object, int index)
{
    const char *value = class == CONTEXT      ? SSL_CTX_get_ex_data(object, index)
                        : class == CONNECTION ? SSL_get_ex_data(object, index)
                                              : SSL_SESSION_get_ex_data(object, index);
    return value == NULL ? "NULL" : value;
}

static int by_data, active;

static void on_new(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long number,
                   void *pointer)
{
    (void)value, (void)pointer;
    if (!active)
        return;
    if (by_data)
        CRYPTO_set_ex_data(data, index, "by data");
    else
        set_by_object((enum class)number, parent, index, "by object");
}

static void on_free(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long number,
                    void *pointer)
{
    (void)data, (void)pointer;
    if (active && value != NULL)
        say("free %ld: %s, by object %s", number, (const char *)value,
            get_by_object((enum class)number, parent, index));
}

static void new_and_free(void)
{
    int of[3] = {
        SSL_CTX_get_ex_new_index(CONTEXT, NULL, on_new, NULL, on_free),
        SSL_get_ex_new_index(CONNECTION, NULL, on_new, NULL, on_free),
        SSL_SESSION_get_ex_new_index(SESSION, NULL, on_new, NULL, on_free),
    };

    for (by_data = 0; by_data < 2; by_data++) {
        if (!begin("ex_data set while the object is made, %s", by_data ? "by data" : "by object"))
            continue;
        active = 1;
        SSL_CTX *context = SSL_CTX_new(TLS_method());
        SSL *ssl = SSL_new(context);
        SSL_SESSION *session = SSL_SESSION_new();
        SSL_SESSION *copy = SSL_SESSION_dup(session);

        say("context: %s", get_by_object(CONTEXT, context, of[CONTEXT]));
        say("connection: %s", get_by_object(CONNECTION, ssl, of[CONNECTION]));
        say("session: %s", get_by_object(SESSION, session, of[SESSION]));
        say("copy: %s", get_by_object(SESSION, copy, of[SESSION]));
        SSL_SESSION_free(copy);
        SSL_SESSION_free(session);
        SSL_free(ssl);
        SSL_CTX_free(context);
        active = 0;
    }
}

static void lengths(void)
{
    const size_t absurd[] = {(size_t)1 << 46, SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / 2 + 1, 1 << 20};
    unsigned char out[16], byte;

    for (size_t i = 0; i < sizeof absurd / sizeof *absurd; i++) {
        if (!begin("exported keying material of %zu bytes", absurd[i]))
            continue;
        SSL_CTX *client = client_context(TLS1_3_VERSION);
        SSL_CTX *server = server_context(TLS1_3_VERSION, "server");
        struct ends ends = make_ends(client, server);

        handshake(&ends);
        SAY_LONG(SSL_export_keying_material(ends.client, out, absurd[i], "l", 1, NULL, 0, 0));
        ERR_clear_error();
        say_result(ends.client, "SSL_read", SSL_read(ends.client, &byte, 1));
        SAY_LONG(SSL_export_keying_material(ends.client, out, sizeof out, "l", 1, NULL, 0, 0));
        free_ends(&ends);
        SSL_CTX_free(client);
        SSL_CTX_free(server);
    }
}

/* --- objects used while they end -------------------------------------------------------------- */

static const char *deed;
static int ending;

static void use_connection(SSL *ssl)
{
    unsigned char byte = 'x';

    if (strcmp(deed, "shutdown") == 0)
        SAY_LONG(SSL_shutdown(ssl));
    else if (strcmp(deed, "write") == 0)
        SAY_LONG(SSL_write(ssl, &byte, 1));
    else if (strcmp(deed, "read") == 0)
        SAY_LONG(SSL_read(ssl, &byte, 1));
    else if (strcmp(deed, "handshake") == 0)
        SAY_LONG(SSL_do_handshake(ssl));
    else if (strcmp(deed, "session") == 0)
        SSL_SESSION_free(SSL_get1_session(ssl));
    else if (strcmp(deed, "getters") == 0)
        say("%s, %s", SSL_get_version(ssl), SSL_get_cipher_name(ssl));
}

static void use_context(SSL_CTX *context)
{
    SSL_SESSION *session = SSL_SESSION_new();

    if (strcmp(deed, "flush") == 0)
        SSL_CTX_flush_sessions(context, 0);
    else if (strcmp(deed, "remove") == 0)
        SAY_LONG(SSL_CTX_remove_session(context, session));
    SSL_SESSION_free(session);
}

static void use_session(SSL_SESSION *session)
{
    if (strcmp(deed, "time") == 0)
        SAY_LONG(SSL_SESSION_set_time(session, 5));
    else if (strcmp(deed, "time-out") == 0)
        SAY_LONG(SSL_SESSION_set_timeout(session, 7));
}

static void on_end(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long number,
                   void *pointer)
{
    (void)data, (void)index, (void)pointer;
    if (value == NULL)
        return;
    say("free function %ld, call %d", number, ++ending);
    if (ending > 3)
        broken("the object is freed again and again");
    if (number == CONTEXT)
        use_context(parent);
    else if (number == CONNECTION)
        use_connection(parent);
    else
        use_session(parent);
    ERR_clear_error();
}

static void ends_of(SSL_CTX *client, SSL_CTX *server, const int of[3])
{
    struct ends ends = make_ends(client, server);
    SSL_SESSION *session = SSL_SESSION_new();
    unsigned char byte;

    handshake(&ends);
    SSL_set_ex_data(ends.client, of[CONNECTION], "set");
    SSL_CTX_set_ex_data(client, of[CONTEXT], "set");
    SSL_SESSION_set_ex_data(session, of[SESSION], "set");
    SSL_SESSION_free(session);
    SSL_free(ends.client);
    say_result(ends.server, "SSL_read", SSL_read(ends.server, &byte, 1));
    SSL_free(ends.server);
}

static void last_calls(void)
{
    static const char *const deeds[] = {"shutdown", "write",   "read",  "handshake", "session",
                                        "getters",  "flush", "remove", "time",      "time-out"};
    const int of[3] = {
        SSL_CTX_get_ex_new_index(CONTEXT, NULL, NULL, NULL, on_end),
        SSL_get_ex_new_index(CONNECTION, NULL, NULL, NULL, on_end),
        SSL_SESSION_get_ex_new_index(SESSION, NULL, NULL, NULL, on_end),
    };

    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++)
        for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) {
            if (!begin("%s, %s in a free function", version_name(version), deeds[i]))
                continue;
            SSL_CTX *client = client_context(version), *server = server_context(version, "server");

            deed = deeds[i];
            ending = 0;
            ends_of(client, server, of);
            SSL_CTX_free(client);
            SSL_CTX_free(server);
        }
}

int main(int argc, char **argv)
{
    start(argc, argv);
    bios();
    new_and_free();
    lengths();
    last_calls();
    return finish();
}
