#define _GNU_SOURCE
#include "ends.h"

#include <malloc.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MOST_TURNS = 20, MOST_RESPONSE = 65536 };

static const char NAME[] = "bench.example";

struct setting setting;
SSL_SESSION *session;
unsigned long staples_seen;

static unsigned char *response;
static size_t response_length;

/* --- what goes wrong -------------------------------------------------------------------------- */

void fail(const char *format, ...)
{
    va_list arguments;
    unsigned long error;
    const char *data;
    int flags;

    printf("failed ");
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    while ((error = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
        const char *reason = ERR_reason_error_string(error);

        printf(": %s", reason != NULL ? reason : "an error without a name");
        if (flags & ERR_TXT_STRING && *data)
            printf(" (%s)", data);
    }
    printf("\n");
    exit(1);
}

/* A call of libssl on a connection that has not returned what it should. */
static void fail_at(const struct end *end, const char *call, int returned)
{
    fail("%s: %s: returned %d, SSL_get_error %d", end->name, call, returned,
         SSL_get_error(end->ssl, returned));
}

static int must_wait(const struct end *end, int returned)
{
    int error = SSL_get_error(end->ssl, returned);

    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

/* --- measuring -------------------------------------------------------------------------------- */

/* In nanoseconds. Of the process and not the thread: a library's own threads count too. */
static uint64_t cpu_time(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) != 0)
        fail("clock_gettime");
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int64_t heap_in_use(void)
{
    struct mallinfo2 heap = mallinfo2();

    return (int64_t)(heap.uordblks + heap.hblkhd);
}

int64_t resident(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file == NULL || fscanf(file, "%*s %ld", &pages) != 1)
        fail("/proc/self/statm");
    fclose(file);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

void enter(struct end *end)
{
    /* SSL_get_error looks at the queue; every program empties it before a call. */
    ERR_clear_error();
    if (setting.counts_heap)
        end->heap_before = heap_in_use();
    end->entered = cpu_time();
}

void leave(struct end *end)
{
    end->spent += cpu_time() - end->entered;
    if (setting.counts_heap)
        end->heap += heap_in_use() - end->heap_before;
}

/* --- contexts --------------------------------------------------------------------------------- */

static const char *path_of(const char *name)
{
    static char path[4096];

    snprintf(path, sizeof path, "%s/%s", setting.directory, name);
    return path;
}

void read_response(void)
{
    FILE *file = fopen(path_of("staple.der"), "rb");

    if (file == NULL || (response = malloc(MOST_RESPONSE)) == NULL)
        fail("%s", path_of("staple.der"));
    response_length = fread(response, 1, MOST_RESPONSE, file);
    fclose(file);
}

void forget_response(void)
{
    free(response);
}

static int staple(SSL *ssl, void *unused)
{
    unsigned char *copy = OPENSSL_memdup(response, response_length);

    (void)unused;
    if (copy == NULL || SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)response_length) != 1)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    return SSL_TLSEXT_ERR_OK;
}

static int look_at_staple(SSL *ssl, void *unused)
{
    const unsigned char *received = NULL;
    long length = SSL_get_tlsext_status_ocsp_resp(ssl, &received);

    (void)unused;
    if (received == NULL || length != (long)response_length)
        return 0;
    staples_seen++;
    return 1;
}

static int keep_session(SSL *ssl, SSL_SESSION *new_session)
{
    (void)ssl;
    SSL_SESSION_free(session);
    session = new_session;
    return 1;
}

static SSL_CTX *new_context(const SSL_METHOD *method)
{
    SSL_CTX *context = SSL_CTX_new(method);

    if (context == NULL)
        fail("SSL_CTX_new");
    if (SSL_CTX_set_min_proto_version(context, setting.version) != 1
        || SSL_CTX_set_max_proto_version(context, setting.version) != 1)
        fail("the version of a context");
    if (setting.suite != NULL
        && (setting.version == TLS1_3_VERSION
                ? SSL_CTX_set_ciphersuites(context, setting.suite)
                : SSL_CTX_set_cipher_list(context, setting.suite)) != 1)
        fail("the cipher suite %s", setting.suite);
    return context;
}

SSL_CTX *client_context(void)
{
    SSL_CTX *context = new_context(TLS_client_method());

    if (SSL_CTX_load_verify_locations(context, path_of("root.pem"), NULL) != 1)
        fail("SSL_CTX_load_verify_locations");
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (setting.resumes) {
        SSL_CTX_set_session_cache_mode(
            context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
        SSL_CTX_sess_set_new_cb(context, keep_session);
    }
    if (setting.stapled
        && (SSL_CTX_set_tlsext_status_type(context, TLSEXT_STATUSTYPE_ocsp) != 1
            || SSL_CTX_set_tlsext_status_cb(context, look_at_staple) != 1))
        fail("the client's status callback");
    return context;
}

static void show_certificate(SSL_CTX *context)
{
    if (SSL_CTX_use_certificate_chain_file(context, path_of("chain.pem")) != 1)
        fail("SSL_CTX_use_certificate_chain_file");
    if (SSL_CTX_use_PrivateKey_file(context, path_of("key.pem"), SSL_FILETYPE_PEM) != 1)
        fail("SSL_CTX_use_PrivateKey_file");
}

/* The context of a virtual host, as servers have one for each name. */
static SSL_CTX *virtual_host;

static int switch_context(SSL *ssl, int *alert, void *unused)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)alert;
    (void)unused;
    if (name == NULL || strcmp(name, NAME) != 0
        || SSL_set_SSL_CTX(ssl, virtual_host) != virtual_host)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    return SSL_TLSEXT_ERR_OK;
}

void forget_virtual_host(void)
{
    SSL_CTX_free(virtual_host);
    virtual_host = NULL;
}

void renew_client_context(struct end *client)
{
    enter(client);
    SSL_CTX_free(client->context);
    client->context = client_context();
    leave(client);
}

SSL_CTX *server_context(void)
{
    SSL_CTX *context = new_context(TLS_server_method());

    show_certificate(context);
    if (setting.named) {
        virtual_host = new_context(TLS_server_method());
        show_certificate(virtual_host);
        if (SSL_CTX_set_tlsext_servername_callback(context, switch_context) != 1)
            fail("the server's name callback");
    }
    if (setting.stapled && SSL_CTX_set_tlsext_status_cb(context, staple) != 1)
        fail("the server's status callback");
    return context;
}

/* --- connections ------------------------------------------------------------------------------ */

static void create(struct end *end)
{
    enter(end);
    end->done = 0;
    end->input = NULL;
    end->ssl = SSL_new(end->context);
    if (end->ssl == NULL)
        fail("%s: SSL_new", end->name);
    if (end->socket < 0) {
        end->input = BIO_new(BIO_s_mem());
        /* One reference for the end that reads from it, one for the end that writes to it. */
        if (end->input == NULL || BIO_up_ref(end->input) != 1)
            fail("a memory BIO");
    }
    leave(end);
}

static void join(struct end *end, const struct end *peer)
{
    enter(end);
    if (end->socket < 0)
        SSL_set_bio(end->ssl, end->input, peer->input);
    else if (SSL_set_fd(end->ssl, end->socket) != 1)
        fail("%s: SSL_set_fd", end->name);
    leave(end);
}

static void prepare_client(struct end *client)
{
    enter(client);
    SSL_set_connect_state(client->ssl);
    if (SSL_set_tlsext_host_name(client->ssl, NAME) != 1 || SSL_set1_host(client->ssl, NAME) != 1)
        fail("the name of the server");
    if (setting.resumes && session != NULL && SSL_set_session(client->ssl, session) != 1)
        fail("SSL_set_session");
    leave(client);
}

static void prepare_server(struct end *server)
{
    enter(server);
    SSL_set_accept_state(server->ssl);
    leave(server);
}

static void advance(struct end *end)
{
    int returned;

    if (end->done)
        return;
    enter(end);
    returned = SSL_do_handshake(end->ssl);
    if (returned != 1 && !must_wait(end, returned))
        fail_at(end, "SSL_do_handshake", returned);
    leave(end);
    end->done = returned == 1;
}

/* Has the client read the tickets that a server of TLS 1.3 sends behind the handshake. */
static void read_tickets(struct end *client)
{
    char byte;
    int returned;

    enter(client);
    returned = SSL_read(client->ssl, &byte, 1);
    if (returned > 0 || !must_wait(client, returned))
        fail_at(client, "SSL_read after the handshake", returned);
    leave(client);
}

void open_connection(struct end *client, struct end *server)
{
    create(client);
    create(server);
    join(client, server);
    join(server, client);
    prepare_client(client);
    prepare_server(server);
    for (int turn = 0; !(client->done && server->done); turn++) {
        if (turn == MOST_TURNS)
            fail("handshake: client and server wait for each other");
        advance(client);
        advance(server);
    }
    read_tickets(client);
}

static void close_end(struct end *end)
{
    int returned;

    enter(end);
    returned = SSL_shutdown(end->ssl);
    if (returned < 0)
        fail_at(end, "SSL_shutdown", returned);
    SSL_free(end->ssl);
    leave(end);
    end->ssl = NULL;
}

void close_connection(struct end *client, struct end *server)
{
    close_end(client);
    close_end(server);
}

void write_all(struct end *end, const char *data, int length)
{
    int returned = SSL_write(end->ssl, data, length);

    if (returned != length)
        fail_at(end, "SSL_write", returned);
}

void read_all(struct end *end, char *data, int length)
{
    for (int had = 0; had < length;) {
        int returned = SSL_read(end->ssl, data + had, length - had);

        if (returned <= 0)
            fail_at(end, "SSL_read", returned);
        had += returned;
    }
}
