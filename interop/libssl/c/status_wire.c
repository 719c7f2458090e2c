/*
 * What goes over the wire: no status_request unless asked for (RFC 6066, section 8), what a server
 * makes of a malformed one, and what a client makes of a response nobody asked for.
 *
 * The ClientHello is taken from between the ends, changed there, and passed on. The handshake cannot
 * be finished after that, but everything of interest happens before it would be.
 */
#include "harness.h"

#include <string.h>

#define STATUS_REQUEST 5

/* A ClientHello in one record, and where its list of extensions begins (at its length). */
struct hello {
    unsigned char bytes[4096];
    size_t length;
    size_t extensions;
};

static size_t read16(const unsigned char *at)
{
    return (size_t)at[0] << 8 | at[1];
}

static void write16(unsigned char *at, size_t value)
{
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
}

/* Takes what the client wrote; nothing is left for the server. */
static void take_hello(struct ends *ends, struct hello *hello)
{
    int length = BIO_read(ends->to_server, hello->bytes, sizeof hello->bytes);
    size_t at = 5 + 4 + 2 + 32;

    if (length < 100 || hello->bytes[0] != 22 || hello->bytes[5] != 1)
        broken("the client wrote no ClientHello");
    hello->length = (size_t)length;
    if (5 + read16(hello->bytes + 3) != hello->length)
        broken("the ClientHello is not in one record");
    at += 1 + (size_t)hello->bytes[at];
    at += 2 + read16(hello->bytes + at);
    at += 1 + (size_t)hello->bytes[at];
    hello->extensions = at;
}

/* Where an extension is, or 0. */
static size_t find_extension(const struct hello *hello, size_t type)
{
    size_t at = hello->extensions + 2;

    while (at + 4 <= hello->length) {
        if (read16(hello->bytes + at) == type)
            return at;
        at += 4 + read16(hello->bytes + at + 2);
    }
    return 0;
}

/* Adds to the three lengths around the extensions. */
static void grow(struct hello *hello, long by)
{
    unsigned char *bytes = hello->bytes;
    size_t message = (size_t)bytes[6] << 16 | read16(bytes + 7);

    hello->length = (size_t)((long)hello->length + by);
    write16(bytes + 3, (size_t)((long)read16(bytes + 3) + by));
    message = (size_t)((long)message + by);
    bytes[6] = (unsigned char)(message >> 16);
    write16(bytes + 7, message);
    write16(bytes + hello->extensions, (size_t)((long)read16(bytes + hello->extensions) + by));
}

static void remove_extension(struct hello *hello, size_t type)
{
    size_t at = find_extension(hello, type), size;

    if (at == 0)
        return;
    size = 4 + read16(hello->bytes + at + 2);
    memmove(hello->bytes + at, hello->bytes + at + size, hello->length - at - size);
    grow(hello, -(long)size);
}

/* First of all extensions: pre_shared_key must stay last. */
static void insert_extension(struct hello *hello, size_t type, const unsigned char *body,
                             size_t length)
{
    unsigned char *at = hello->bytes + hello->extensions + 2;

    memmove(at + 4 + length, at, hello->length - hello->extensions - 2);
    write16(at, type);
    write16(at + 2, length);
    memcpy(at + 4, body, length);
    grow(hello, 4 + (long)length);
}

static int on_status(SSL *ssl, void *argument)
{
    STACK_OF(OCSP_RESPID) *ids = NULL;
    STACK_OF(X509_EXTENSION) *exts = NULL;

    (void)argument;
    say("%s: status callback, type %ld", side(ssl), (long)SSL_get_tlsext_status_type(ssl));
    if (!SSL_is_server(ssl))
        return 1;
    SSL_get_tlsext_status_ids(ssl, &ids);
    SSL_get_tlsext_status_exts(ssl, &exts);
    say("%s: %d responder ids, %d extensions", side(ssl), OPENSSL_sk_num((void *)ids),
        sk_X509_EXTENSION_num(exts));
    set_response(ssl, 100, 1);
    return SSL_TLSEXT_ERR_OK;
}

/* What one of several clients asks for, looked up in the bytes it wrote. */
static void asks(int version, int type, int by_context)
{
    SSL_CTX *client, *server;
    struct ends ends;
    struct hello hello;
    size_t at;

    if (!begin("%s, ClientHello of type %d by %s", version_name(version), type,
               by_context ? "context" : "connection"))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    if (by_context)
        SSL_CTX_set_tlsext_status_type(client, type);
    ends = make_ends(client, server);
    if (!by_context)
        SSL_set_tlsext_status_type(ends.client, type);
    step(ends.client);
    take_hello(&ends, &hello);
    at = find_extension(&hello, STATUS_REQUEST);
    if (at == 0) {
        say("no status_request");
    } else {
        char text[200] = "";
        size_t length = read16(hello.bytes + at + 2);

        for (size_t i = 0; i < length && i < 64; i++)
            BIO_snprintf(text + 2 * i, 3, "%02x", hello.bytes[at + 4 + i]);
        say("status_request: %s", text);
    }
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

/* A server and a ClientHello whose status_request is replaced by these bytes. */
static void tampered(int version, const char *name, const char *body, size_t length)
{
    SSL_CTX *client, *server;
    struct ends ends;
    struct hello hello;

    if (!begin("%s, status_request %s", version_name(version), name))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    SSL_CTX_set_tlsext_status_cb(server, on_status);
    ends = make_ends(client, server);
    step(ends.client);
    take_hello(&ends, &hello);
    remove_extension(&hello, STATUS_REQUEST);
    insert_extension(&hello, STATUS_REQUEST, (const unsigned char *)body, length);
    BIO_write(ends.to_server, hello.bytes, (int)hello.length);
    say("server: %s", step(ends.server) == WAITING ? "goes on" : "has failed");
    say("type %ld", (long)SSL_get_tlsext_status_type(ends.server));
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

/* A client that did not ask is sent what it would have been sent had it asked. TLS 1.2 only: there
 * it is in the clear. */
static void unasked(int with_callback)
{
    static const unsigned char ocsp[] = {1, 0, 0, 0, 0};
    SSL_CTX *client, *server;
    struct ends ends;
    struct hello hello;

    if (!begin("TLSv1.2, a response nobody asked for, callback %s", with_callback ? "there" : "none"))
        return;
    client = client_context(TLS1_2_VERSION);
    server = server_context(TLS1_2_VERSION, "server");
    if (with_callback)
        SSL_CTX_set_tlsext_status_cb(client, on_status);
    SSL_CTX_set_tlsext_status_cb(server, on_status);
    ends = make_ends(client, server);
    step(ends.client);
    take_hello(&ends, &hello);
    insert_extension(&hello, STATUS_REQUEST, ocsp, sizeof ocsp);
    BIO_write(ends.to_server, hello.bytes, (int)hello.length);
    step(ends.server);
    say("client: %s", step(ends.client) == FAILED ? "has failed" : "goes on");
    step(ends.server);
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

#define TAMPERED(version, name, bytes) tampered(version, name, bytes, sizeof bytes - 1)

int main(int argc, char **argv)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    static const int types[] = {-1, 0, 1, 2, 257};

    start(argc, argv);
    for (int at = 0; at < 2; at++) {
        int version = versions[at];

        for (size_t type = 0; type < sizeof types / sizeof *types; type++) {
            asks(version, types[type], 0);
            asks(version, types[type], 1);
        }
        TAMPERED(version, "as it should be", "\1\0\0\0\0");
        TAMPERED(version, "of type 2", "\2\0\0\0\0");
        TAMPERED(version, "of type 2 and rubbish", "\2rubbish");
        TAMPERED(version, "empty", "");
        TAMPERED(version, "type only", "\1");
        TAMPERED(version, "without extensions", "\1\0\0");
        TAMPERED(version, "with half a length", "\1\0");
        TAMPERED(version, "with a trailing byte", "\1\0\0\0\0\0");
        TAMPERED(version, "with ids longer than it", "\1\0\7\0\0");
        TAMPERED(version, "with an empty id", "\1\0\2\0\0\0\0");
        TAMPERED(version, "with an id that is no DER", "\1\0\5\0\3abc\0\0");
        TAMPERED(version, "with an id by key",
                 "\1\0\32\0\30\xa2\26\4\24"
                 "01234567890123456789\0\0");
        TAMPERED(version, "with two ids by key",
                 "\1\0\64\0\30\xa2\26\4\24"
                 "01234567890123456789\0\30\xa2\26\4\24"
                 "98765432109876543210\0\0");
        TAMPERED(version, "with an id and a byte behind it",
                 "\1\0\33\0\31\xa2\26\4\24"
                 "01234567890123456789x\0\0");
        TAMPERED(version, "with extensions that are no DER", "\1\0\0\0\3abc");
        TAMPERED(version, "with a nonce",
                 "\1\0\0\0\31\x30\27\x30\25\6\11\x2b\6\1\5\5\7\x30\1\2\4\x8\4\6nonce!");
    }
    unasked(0);
    unasked(1);
    return finish();
}
