/*
 * Methods that are changed, of contexts and of connections; methods of one side only; and what is
 * left of older days: compression, buffers that are made and freed, a debug switch.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "harness.h"

#include <openssl/comp.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void say_connection(SSL *ssl)
{
    say("%s: version %x, %s, versions %ld to %ld", side(ssl), (unsigned)SSL_version(ssl),
        SSL_get_version(ssl), (long)SSL_get_min_proto_version(ssl),
        (long)SSL_get_max_proto_version(ssl));
}

static void of_connections(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    SSL *ssl = SSL_new(context);

    say_connection(ssl);
    SAY_LONG(SSL_set_ssl_method(ssl, TLS_method()));
    say_connection(ssl);
    SAY_LONG(SSL_set_ssl_method(ssl, TLS_client_method()));
    SAY_LONG(SSL_get_ssl_method(ssl) == TLS_client_method());
    say_connection(ssl);
    SSL_set_connect_state(ssl);
    SAY_LONG(SSL_set_ssl_method(ssl, TLS_server_method()));
    say_connection(ssl);
    SAY_LONG(SSL_set_ssl_method(ssl, TLSv1_2_method()));
    SAY_LONG(SSL_get_ssl_method(ssl) == TLSv1_2_method());
    say_connection(ssl);
    SAY_LONG(SSL_set_ssl_method(ssl, TLS_method()));
    say_connection(ssl);
    SSL_free(ssl);
    SSL_CTX_free(context);
}

static void of_contexts(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    SSL *ssl;

    SAY_LONG(SSL_CTX_set_cipher_list(context, "ECDHE-ECDSA-AES128-GCM-SHA256"));
    SAY_LONG(SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256"));
    SAY_LONG(SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION));
    SAY_LONG(sk_SSL_CIPHER_num(SSL_CTX_get_ciphers(context)));
    SAY_LONG(SSL_CTX_set_ssl_version(context, TLSv1_2_client_method()));
    SAY_LONG(SSL_CTX_get_ssl_method(context) == TLSv1_2_client_method());
    SAY_LONG(sk_SSL_CIPHER_num(SSL_CTX_get_ciphers(context)) > 2);
    SAY_LONG(SSL_CTX_get_min_proto_version(context));
    ssl = SSL_new(context);
    SAY_LONG(SSL_is_server(ssl));
    say_connection(ssl);
    SSL_free(ssl);
    SSL_CTX_free(context);
}

static SSL *over_memory(SSL_CTX *context)
{
    SSL *ssl = SSL_new(context);

    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    return ssl;
}

/* A method of one side does not take the other's part. */
static void of_one_side(const char *name, const SSL_METHOD *method)
{
    SSL_CTX *context;
    SSL *ssl;

    if (!begin("%s", name))
        return;
    context = SSL_CTX_new(method);
    ssl = over_memory(context);
    SAY_LONG(SSL_is_server(ssl));
    say_result(ssl, "handshake", SSL_do_handshake(ssl));
    say_result(ssl, "accept", SSL_accept(ssl));
    SSL_free(ssl);
    ssl = over_memory(context);
    say_result(ssl, "connect", SSL_connect(ssl));
    SSL_free(ssl);
    ssl = over_memory(context);
    SSL_set_accept_state(ssl);
    say_result(ssl, "handshake", SSL_do_handshake(ssl));
    SSL_free(ssl);
    ssl = over_memory(context);
    SSL_set_connect_state(ssl);
    say_result(ssl, "handshake", SSL_do_handshake(ssl));
    SSL_free(ssl);
    SSL_CTX_free(context);
}

/* What is set before the handshake is what the handshake goes by. */
static void used(int version)
{
    SSL_CTX *client, *server;
    struct ends ends;

    if (!begin("%s, a handshake with methods that were set", version_name(version)))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    ends = make_ends(client, server);
    SAY_LONG(SSL_set_ssl_method(ends.client, TLS_method()));
    SAY_LONG(SSL_set_ssl_method(ends.server, TLS_method()));
    handshake(&ends);
    say_connection(ends.client);
    free_ends(&ends);
    SAY_LONG(SSL_CTX_set_ssl_version(client, TLS_client_method()));
    SAY_LONG(SSL_CTX_set_ssl_version(server, TLS_server_method()));
    connect_once(client, server);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void buffers(int version)
{
    SSL_CTX *client, *server;
    struct ends ends;
    char bytes[10];

    if (!begin("%s, buffers", version_name(version)))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    ends = make_ends(client, server);
    SAY_LONG(SSL_alloc_buffers(ends.client));
    SAY_LONG(SSL_free_buffers(ends.client));
    SAY_LONG(SSL_alloc_buffers(ends.client));
    handshake(&ends);
    SAY_LONG(SSL_free_buffers(ends.client));
    SAY_LONG(SSL_free_buffers(ends.server));
    SAY_LONG(SSL_write(ends.client, "question", 8));
    SAY_LONG(SSL_read(ends.server, bytes, 3));
    /* Not while something is in them. */
    SAY_LONG(SSL_free_buffers(ends.server));
    SAY_LONG(SSL_read(ends.server, bytes, sizeof bytes));
    SAY_LONG(SSL_free_buffers(ends.server));
    SAY_LONG(SSL_alloc_buffers(ends.server));
    SAY_LONG(SSL_alloc_buffers(ends.server));
    SAY_LONG(SSL_write(ends.server, "answer", 6));
    SAY_LONG(SSL_read(ends.client, bytes, sizeof bytes));
    SSL_set_debug(ends.client, 1);
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void compression(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    SSL *ssl = SSL_new(context);
    STACK_OF(SSL_COMP) *own, *first = SSL_COMP_get_compression_methods();

    SAY_PRESENT(first);
    SAY_LONG(sk_SSL_COMP_num(first));
    SAY_LONG(SSL_COMP_get_compression_methods() == first);
    own = sk_SSL_COMP_new_null();
    SAY_LONG(SSL_COMP_set0_compression_methods(own) == first);
    SAY_LONG(SSL_COMP_get_compression_methods() == own);
    SAY_LONG(SSL_COMP_set0_compression_methods(first) == own);
    sk_SSL_COMP_free(own);
    SAY_PRESENT(SSL_COMP_get_name(NULL));
    SAY_PRESENT(SSL_get_current_compression(ssl));
    SAY_PRESENT(SSL_get_current_expansion(ssl));
    SSL_free(ssl);
    SSL_CTX_free(context);
}

static void nothing(void)
{
}

static void commands(void)
{
    static const int numbers[] = {SSL_CTRL_SET_TLSEXT_SERVERNAME_CB,
                                  SSL_CTRL_SET_TLSEXT_TICKET_KEY_CB,
                                  SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB, 9999};
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    SSL *ssl = SSL_new(context);

    for (size_t at = 0; at < sizeof numbers / sizeof *numbers; at++)
        say("command %d of a connection: %ld", numbers[at],
            SSL_callback_ctrl(ssl, numbers[at], nothing));
    SAY_LONG(SSL_CTX_callback_ctrl(context, 9999, nothing));
    SSL_free(ssl);
    SSL_CTX_free(context);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    if (begin("methods of connections"))
        of_connections();
    if (begin("methods of contexts"))
        of_contexts();
    of_one_side("a method of clients", TLS_client_method());
    of_one_side("a method of servers", TLS_server_method());
    for (int at = 0; at < 2; at++) {
        used(versions[at]);
        buffers(versions[at]);
    }
    if (begin("compression"))
        compression();
    if (begin("commands that take functions"))
        commands();
    return finish();
}
