/*
 * The ten functions of the man page as plain setters and getters: defaults, what they return, what a
 * connection takes from its context and when, and who owns a response.
 */
#include "harness.h"

static int first(SSL *ssl, void *argument)
{
    say("%s: callback first, argument %s", side(ssl), (const char *)argument);
    return 1;
}

static int second(SSL *ssl, void *argument)
{
    say("%s: callback second, argument %s", side(ssl), (const char *)argument);
    return 1;
}

static const char *name_of(int (*callback)(SSL *, void *))
{
    return callback == NULL ? "NULL" : callback == first ? "first" : "second";
}

static void say_callback(SSL_CTX *context)
{
    int (*callback)(SSL *, void *) = second;
    void *argument = (void *)"untouched";

    SAY_LONG(SSL_CTX_get_tlsext_status_cb(context, &callback));
    say("callback: %s", name_of(callback));
    SAY_LONG(SSL_CTX_get_tlsext_status_arg(context, &argument));
    say("argument: %s", argument == NULL ? "NULL" : (const char *)argument);
}

static void context_callback(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());

    say_callback(context);
    SAY_LONG(SSL_CTX_set_tlsext_status_cb(context, first));
    SAY_LONG(SSL_CTX_set_tlsext_status_arg(context, (void *)"one"));
    say_callback(context);
    SAY_LONG(SSL_CTX_set_tlsext_status_cb(context, second));
    SAY_LONG(SSL_CTX_set_tlsext_status_arg(context, (void *)"two"));
    say_callback(context);
    SAY_LONG(SSL_CTX_set_tlsext_status_cb(context, NULL));
    SAY_LONG(SSL_CTX_set_tlsext_status_arg(context, NULL));
    say_callback(context);
    SSL_CTX_free(context);
}

static void context_type(void)
{
    static const int types[] = {TLSEXT_STATUSTYPE_ocsp, 2, 0, -1, -2, 255, 256, 0x7fffffff};
    SSL_CTX *context = SSL_CTX_new(TLS_method());

    SAY_LONG(SSL_CTX_get_tlsext_status_type(context));
    for (size_t at = 0; at < sizeof types / sizeof *types; at++) {
        long set = SSL_CTX_set_tlsext_status_type(context, types[at]);

        say("set %d returned %ld, then %ld", types[at], set,
            (long)SSL_CTX_get_tlsext_status_type(context));
    }
    SSL_CTX_free(context);
}

static void connection_type(void)
{
    static const int types[] = {TLSEXT_STATUSTYPE_ocsp, 2, 0, -1, -2, 255, 256, 0x7fffffff};
    SSL_CTX *context = SSL_CTX_new(TLS_method());

    for (int server = 0; server < 2; server++) {
        SSL *ssl = SSL_new(context);

        if (server)
            SSL_set_accept_state(ssl);
        else
            SSL_set_connect_state(ssl);
        SAY_LONG(SSL_get_tlsext_status_type(ssl));
        for (size_t at = 0; at < sizeof types / sizeof *types; at++) {
            long set = SSL_set_tlsext_status_type(ssl, types[at]);

            say("%s: set %d returned %ld, then %ld", side(ssl), types[at], set,
                (long)SSL_get_tlsext_status_type(ssl));
        }
        SSL_free(ssl);
    }
    SSL_CTX_free(context);
}

static void inheritance(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    SSL *before = SSL_new(context), *between, *copy;

    SSL_CTX_set_tlsext_status_type(context, TLSEXT_STATUSTYPE_ocsp);
    between = SSL_new(context);
    SSL_CTX_set_tlsext_status_type(context, 7);
    say("before %ld, between %ld", (long)SSL_get_tlsext_status_type(before),
        (long)SSL_get_tlsext_status_type(between));
    SSL_set_tlsext_status_type(before, 3);
    SAY_LONG(SSL_CTX_get_tlsext_status_type(context));
    copy = SSL_dup(between);
    say("a copy by SSL_dup: %ld",
        copy != NULL ? (long)SSL_get_tlsext_status_type(copy) : -99);
    SSL_set_SSL_CTX(between, context);
    say("after SSL_set_SSL_CTX: %ld", (long)SSL_get_tlsext_status_type(between));
    SSL_free(copy);
    SSL_free(before);
    SSL_free(between);
    SSL_CTX_free(context);
}

static void response(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    SSL *ssl = SSL_new(context);
    unsigned char *bytes = new_response(10, 1), *got = NULL;

    SSL_set_connect_state(ssl);
    say_response(ssl, "by default");
    SAY_LONG(SSL_set_tlsext_status_ocsp_resp(ssl, bytes, 10));
    SAY_LONG(SSL_get_tlsext_status_ocsp_resp(ssl, &got));
    say("the same pointer: %s", got == bytes ? "yes" : "no");
    SAY_LONG(set_response(ssl, 20, 2));
    say_response(ssl, "replaced");
    SAY_LONG(SSL_set_tlsext_status_ocsp_resp(ssl, NULL, 0));
    say_response(ssl, "set to NULL");
    SAY_LONG(set_response(ssl, 5, 3));
    say_response(ssl, "set again");
    SAY_LONG(SSL_set_tlsext_status_ocsp_resp(ssl, NULL, -1));
    say_response(ssl, "set to NULL with length -1");
    /* What is set when the connection is freed is freed with it. */
    SAY_LONG(set_response(ssl, 30, 4));
    SSL_free(ssl);
    SSL_CTX_free(context);
}

static void response_and_clear(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    SSL *ssl = SSL_new(context);

    SSL_set_connect_state(ssl);
    SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp);
    set_response(ssl, 30, 4);
    SAY_LONG(SSL_clear(ssl));
    SAY_LONG(SSL_get_tlsext_status_type(ssl));
    say_response(ssl, "after SSL_clear");
    SSL_free(ssl);
    SSL_CTX_free(context);
}

static void ids_and_exts(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    SSL *ssl = SSL_new(context);
    STACK_OF(OCSP_RESPID) *ids = (STACK_OF(OCSP_RESPID) *)ssl;
    STACK_OF(X509_EXTENSION) *exts = (STACK_OF(X509_EXTENSION) *)ssl;
    STACK_OF(X509_EXTENSION) *own = sk_X509_EXTENSION_new_null();

    SSL_set_connect_state(ssl);
    SAY_LONG(SSL_get_tlsext_status_ids(ssl, &ids));
    SAY_LONG(SSL_get_tlsext_status_exts(ssl, &exts));
    SAY_PRESENT(ids);
    SAY_PRESENT(exts);
    SAY_LONG(SSL_set_tlsext_status_exts(ssl, own));
    SAY_LONG(SSL_get_tlsext_status_exts(ssl, &exts));
    say("the same stack: %s", exts == own ? "yes" : "no");
    SAY_LONG(SSL_set_tlsext_status_exts(ssl, NULL));
    SAY_LONG(SSL_get_tlsext_status_exts(ssl, &exts));
    SAY_PRESENT(exts);
    sk_X509_EXTENSION_free(own);
    SSL_free(ssl);
    SSL_CTX_free(context);
}

/* The numbers behind the macros, as other languages call them. */
static void by_number(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    SSL *ssl = SSL_new(context);
    unsigned char *got = NULL;

    SAY_LONG(SSL_CTX_callback_ctrl(context, 63, (void (*)(void))first));
    SAY_LONG(SSL_CTX_ctrl(context, 64, 0, (void *)"one"));
    say_callback(context);
    SAY_LONG(SSL_CTX_ctrl(context, 126, 5, NULL));
    SAY_LONG(SSL_CTX_ctrl(context, 127, 0, NULL));
    SAY_LONG(SSL_ctrl(ssl, 65, 1, NULL));
    SAY_LONG(SSL_ctrl(ssl, 127, 0, NULL));
    SAY_LONG(SSL_ctrl(ssl, 71, 4, new_response(4, 9)));
    SAY_LONG(SSL_ctrl(ssl, 70, 0, &got));
    say("first byte %d", got != NULL ? got[0] : -1);
    /* Commands of the other object, and one that is not there. */
    SAY_LONG(SSL_ctrl(ssl, 63, 0, NULL));
    SAY_LONG(SSL_ctrl(ssl, 64, 0, NULL));
    SAY_LONG(SSL_CTX_ctrl(context, 70, 0, NULL));
    SAY_LONG(SSL_CTX_ctrl(context, 71, 0, NULL));
    SAY_LONG(SSL_CTX_ctrl(context, 9999, 0, NULL));
    SAY_LONG(SSL_ctrl(ssl, 9999, 0, NULL));
    SSL_free(ssl);
    SSL_CTX_free(context);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    if (begin("callback and argument of a context"))
        context_callback();
    if (begin("type of a context"))
        context_type();
    if (begin("type of a connection"))
        connection_type();
    if (begin("inheritance"))
        inheritance();
    if (begin("a response is owned"))
        response();
    if (begin("a response and SSL_clear"))
        response_and_clear();
    if (begin("responder ids and extensions"))
        ids_and_exts();
    if (begin("by number"))
        by_number();
    return finish();
}
