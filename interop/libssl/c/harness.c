#define _GNU_SOURCE
#include "harness.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *directory;
static const char *only;
/* The file of names with a newline before it and behind it. */
static char *wanted;
static int list_only;
static unsigned case_seconds = 10;
static int in_case;

void broken(const char *what)
{
    fprintf(stderr, "the program itself is broken: %s\n", what);
    ERR_print_errors_fp(stderr);
    exit(3);
}

#ifdef AS_FUNCTIONS
void *look_up(const char *name)
{
    void *function = dlsym(RTLD_DEFAULT, name);

    if (function == NULL)
        broken(name);
    return function;
}
#endif

static char *read_names(const char *path)
{
    static char names[200000];
    FILE *file = fopen(path, "r");
    size_t length;

    if (file == NULL)
        broken(path);
    names[0] = '\n';
    length = fread(names + 1, 1, sizeof names - 3, file);
    names[1 + length] = '\n';
    fclose(file);
    return names;
}

static int is_wanted(const char *name)
{
    char line[210];

    if (only != NULL)
        return strcmp(name, only) == 0;
    snprintf(line, sizeof line, "\n%s\n", name);
    return wanted == NULL || strstr(wanted, line) != NULL;
}

void start(int argc, char **argv)
{
    const char *seconds = getenv("CASE_SECONDS");
    Dl_info library;

    list_only = argc == 3 && strcmp(argv[2], "--list") == 0;
    if (argc != 2 && argc != 4 && !list_only) {
        fprintf(stderr, "usage: %s DIRECTORY [--list | --only CASE | --cases FILE]\n", argv[0]);
        exit(2);
    }
    directory = argv[1];
    if (argc == 4 && strcmp(argv[2], "--only") == 0)
        only = argv[3];
    if (argc == 4 && strcmp(argv[2], "--cases") == 0)
        wanted = read_names(argv[3]);
    if (seconds != NULL)
        case_seconds = (unsigned)strtoul(seconds, NULL, 10);
    /* A line that the peer has closed is an error of the call, not the end of the program. */
    signal(SIGPIPE, SIG_IGN);
    /* What was said before a crash must reach the reader. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (dladdr((void *)(size_t)SSL_CTX_new, &library) == 0)
        broken("SSL_CTX_new is in no library");
    fprintf(stderr, "libssl: %s\n", library.dli_fname);
}

static void end_case(void)
{
    if (in_case && ERR_peek_error() != 0)
        say_errors("left behind");
    ERR_clear_error();
    in_case = 0;
}

int begin(const char *format, ...)
{
    char name[200];
    va_list arguments;

    end_case();
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    if (!is_wanted(name))
        return 0;
    printf("== %s\n", name);
    if (list_only)
        return 0;
    alarm(case_seconds);
    in_case = 1;
    return 1;
}

int finish(void)
{
    end_case();
    printf("== end\n");
    return 0;
}

void say(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

void say_errors(const char *whose)
{
    const char *data;
    int flags;
    unsigned long error;

    while ((error = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
        const char *library = ERR_lib_error_string(error);
        const char *reason = ERR_reason_error_string(error);

        say("%s: error: %s: %s (%d)%s%s", whose, library != NULL ? library : "?",
            reason != NULL ? reason : "?", ERR_GET_REASON(error),
            flags & ERR_TXT_STRING && *data ? ": " : "",
            flags & ERR_TXT_STRING ? data : "");
    }
}

/* --- contexts ------------------------------------------------------------------------------- */

const char *path_of(const char *who, const char *name)
{
    static char path[4096];

    snprintf(path, sizeof path, "%s/%s/%s", directory, who, name);
    return path;
}

void say_alerts(const SSL *ssl, int where, int value)
{
    if (where & SSL_CB_ALERT)
        say("%s: alert %s: %s: %s", side(ssl), where & SSL_CB_READ ? "received" : "sent",
            SSL_alert_type_string_long(value), SSL_alert_desc_string_long(value));
}

static SSL_CTX *context(const SSL_METHOD *method, int version)
{
    SSL_CTX *context = SSL_CTX_new(method);

    if (context == NULL)
        broken("SSL_CTX_new");
    if (SSL_CTX_set_min_proto_version(context, version) != 1
        || SSL_CTX_set_max_proto_version(context, version) != 1)
        broken("the version of a context");
    SSL_CTX_set_info_callback(context, say_alerts);
    return context;
}

SSL_CTX *client_context(int version)
{
    SSL_CTX *client = context(TLS_client_method(), version);

    if (SSL_CTX_load_verify_locations(client, path_of("server", "root.pem"), NULL) != 1)
        broken("SSL_CTX_load_verify_locations");
    SSL_CTX_set_verify(client, SSL_VERIFY_PEER, NULL);
    return client;
}

void use_certificate(SSL_CTX *context, const char *who)
{
    if (SSL_CTX_use_certificate_chain_file(context, path_of(who, "chain.pem")) != 1
        || SSL_CTX_use_PrivateKey_file(context, path_of(who, "key.pem"), SSL_FILETYPE_PEM) != 1)
        broken("a certificate and its key");
}

SSL_CTX *server_context(int version, const char *who)
{
    SSL_CTX *server = context(TLS_server_method(), version);

    use_certificate(server, who);
    if (SSL_CTX_set_session_id_context(server, (const unsigned char *)"test", 4) != 1)
        broken("SSL_CTX_set_session_id_context");
    return server;
}

const char *version_name(int version)
{
    return version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3";
}

/* --- connections ---------------------------------------------------------------------------- */

const char *side(const SSL *ssl)
{
    return SSL_is_server(ssl) ? "server" : "client";
}

static BIO *memory(void)
{
    BIO *bio = BIO_new(BIO_s_mem());

    if (bio == NULL || BIO_up_ref(bio) != 1)
        broken("a memory BIO");
    return bio;
}

struct ends make_ends(SSL_CTX *client, SSL_CTX *server)
{
    struct ends ends = {SSL_new(client), SSL_new(server), memory(), memory()};

    if (ends.client == NULL || ends.server == NULL)
        broken("SSL_new");
    SSL_set_bio(ends.client, ends.to_client, ends.to_server);
    SSL_set_bio(ends.server, ends.to_server, ends.to_client);
    SSL_set_connect_state(ends.client);
    SSL_set_accept_state(ends.server);
    return ends;
}

void free_ends(struct ends *ends)
{
    SSL_free(ends->client);
    SSL_free(ends->server);
    memset(ends, 0, sizeof *ends);
}

const char *error_name(int error)
{
    static const char *const names[] = {
        "NONE",        "SSL",          "WANT_READ",   "WANT_WRITE", "WANT_X509_LOOKUP", "SYSCALL",
        "ZERO_RETURN", "WANT_CONNECT", "WANT_ACCEPT", "WANT_ASYNC", "WANT_ASYNC_JOB",
        "WANT_CLIENT_HELLO_CB",
    };

    return error >= 0 && (size_t)error < sizeof names / sizeof *names ? names[error] : "?";
}

void say_result(const SSL *ssl, const char *call, int returned)
{
    if (returned > 0) {
        say("%s: %s returned %d", side(ssl), call, returned);
        return;
    }
    say("%s: %s returned %d, %s", side(ssl), call, returned,
        error_name(SSL_get_error(ssl, returned)));
    say_errors(side(ssl));
}

enum progress step(SSL *ssl)
{
    int returned, error;

    ERR_clear_error();
    returned = SSL_do_handshake(ssl);
    if (returned == 1)
        return DONE;
    error = SSL_get_error(ssl, returned);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return WAITING;
    say_result(ssl, "handshake", returned);
    return error == SSL_ERROR_WANT_X509_LOOKUP || error == SSL_ERROR_WANT_CLIENT_HELLO_CB
               ? WAITING
               : FAILED;
}

static void say_end(SSL *ssl, enum progress progress)
{
    if (progress == DONE)
        say("%s: done, %s, %s, verify result %ld", side(ssl), SSL_get_version(ssl),
            SSL_session_reused(ssl) ? "resumed" : "full", SSL_get_verify_result(ssl));
    if (progress == WAITING)
        say("%s: still waiting", side(ssl));
}

static void read_nothing(SSL *ssl)
{
    char byte;
    int returned;

    ERR_clear_error();
    returned = SSL_read(ssl, &byte, 1);
    if (returned > 0 || SSL_get_error(ssl, returned) != SSL_ERROR_WANT_READ)
        say_result(ssl, "read after the handshake", returned);
}

int handshake(struct ends *ends)
{
    enum progress client = WAITING, server = WAITING;

    for (int turn = 0; turn < 20 && (client == WAITING || server == WAITING); turn++) {
        if (client == WAITING)
            client = step(ends->client);
        if (server == WAITING)
            server = step(ends->server);
    }
    say_end(ends->client, client);
    say_end(ends->server, server);
    if (client == DONE)
        read_nothing(ends->client);
    if (server == DONE)
        read_nothing(ends->server);
    return client == DONE && server == DONE;
}

int connect_once(SSL_CTX *client, SSL_CTX *server)
{
    struct ends ends = make_ends(client, server);
    int done = handshake(&ends);

    free_ends(&ends);
    return done;
}

/* --- responses ------------------------------------------------------------------------------ */

unsigned char *new_response(size_t size, unsigned char seed)
{
    unsigned char *response = OPENSSL_malloc(size);

    if (response == NULL)
        broken("OPENSSL_malloc");
    for (size_t at = 0; at < size; at++)
        response[at] = (unsigned char)(seed + at);
    return response;
}

long set_response(SSL *ssl, size_t size, unsigned char seed)
{
    return SSL_set_tlsext_status_ocsp_resp(ssl, new_response(size, seed), (int)size);
}

void say_response(SSL *ssl, const char *when)
{
    /* Not NULL, so that a getter that writes nothing is found out. */
    unsigned char *response = (unsigned char *)"untouched";
    unsigned sum = 0;
    long length = SSL_get_tlsext_status_ocsp_resp(ssl, &response);

    if (response == NULL || length <= 0) {
        say("%s: response %s: %ld, %s", side(ssl), when, length,
            response == NULL ? "NULL" : "a pointer");
        return;
    }
    for (long at = 0; at < length; at++)
        sum = sum * 31 + response[at];
    say("%s: response %s: %ld bytes, first %02x, last %02x, sum %08x", side(ssl), when, length,
        response[0], response[length - 1], sum);
}
