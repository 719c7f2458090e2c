/*
 * Responses on their way: every size, set before the handshake, in the certificate callback or more
 * than once; callbacks and arguments that are replaced; certificates that do not verify.
 */
#include "harness.h"

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

/* What the server's callbacks do; one case at a time uses it. */
static struct {
    size_t size;
    int times;
    int in_certificate_callback;
    int answer;
} plan;

static int staple(SSL *ssl, void *argument)
{
    say("%s: status callback, argument %s", side(ssl),
        argument == NULL ? "NULL" : (const char *)argument);
    say_response(ssl, "in the callback");
    for (int time = 0; time < plan.times; time++)
        set_response(ssl, plan.size + (size_t)time, (unsigned char)time);
    return plan.answer;
}

static int on_certificate(SSL *ssl, void *argument)
{
    (void)argument;
    say("%s: certificate callback, type %ld", side(ssl), (long)SSL_get_tlsext_status_type(ssl));
    if (plan.in_certificate_callback)
        set_response(ssl, plan.size, 77);
    return 1;
}

static int judge(SSL *ssl, void *argument)
{
    say("%s: status callback, argument %s", side(ssl),
        argument == NULL ? "NULL" : (const char *)argument);
    say_response(ssl, "in the callback");
    return 1;
}

static int judge_too(SSL *ssl, void *argument)
{
    say("the other callback");
    return judge(ssl, argument);
}

static SSL_CTX *asking_client(int version)
{
    SSL_CTX *client = client_context(version);

    SSL_CTX_set_tlsext_status_type(client, TLSEXT_STATUSTYPE_ocsp);
    SSL_CTX_set_tlsext_status_cb(client, judge);
    return client;
}

static SSL_CTX *stapling_server(int version)
{
    SSL_CTX *server = server_context(version, "server");

    SSL_CTX_set_tlsext_status_cb(server, staple);
    return server;
}

static void run(SSL_CTX *client, SSL_CTX *server)
{
    connect_once(client, server);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void sizes(int version)
{
    static const size_t all[] = {1,     2,     255,   256,   1000,  4096,  16000, 16384,
                                 16385, 32768, 61440, 64000, 65000, 65500};

    for (size_t at = 0; at < sizeof all / sizeof *all; at++) {
        if (!begin("%s, size %zu", version_name(version), all[at]))
            continue;
        plan.size = all[at];
        plan.times = 1;
        plan.answer = SSL_TLSEXT_ERR_OK;
        run(asking_client(version), stapling_server(version));
    }
}

static void preset(int version, const char *name, int answer, int times)
{
    SSL_CTX *client, *server;
    struct ends ends;

    if (!begin("%s, set before the handshake, %s", version_name(version), name))
        return;
    plan.size = 50;
    plan.times = times;
    plan.answer = answer;
    client = asking_client(version);
    server = answer == -1 ? server_context(version, "server") : stapling_server(version);
    ends = make_ends(client, server);
    SAY_LONG(set_response(ends.server, 400, 1));
    handshake(&ends);
    say_response(ends.server, "after");
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void in_certificate_callback(int version, const char *name, int answer)
{
    SSL_CTX *server;

    if (!begin("%s, set in the certificate callback, %s", version_name(version), name))
        return;
    plan.size = 60;
    plan.times = 0;
    plan.in_certificate_callback = 1;
    plan.answer = answer;
    server = answer == -1 ? server_context(version, "server") : stapling_server(version);
    SSL_CTX_set_cert_cb(server, on_certificate, NULL);
    run(asking_client(version), server);
    plan.in_certificate_callback = 0;
}

/* A response that a client sets on itself is replaced by what comes, or by nothing. */
static void set_by_the_client(int version, int times)
{
    SSL_CTX *client, *server;
    struct ends ends;

    if (!begin("%s, the client has one of its own, the server sends %d", version_name(version),
               times))
        return;
    plan.size = 60;
    plan.times = times;
    plan.answer = SSL_TLSEXT_ERR_OK;
    client = asking_client(version);
    server = stapling_server(version);
    ends = make_ends(client, server);
    set_response(ends.client, 33, 3);
    handshake(&ends);
    say_response(ends.client, "after");
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

/* The callback and the argument are those of the context when they are called. */
static void replaced(int version)
{
    SSL_CTX *client, *server;
    struct ends ends;

    if (!begin("%s, callback and argument replaced", version_name(version)))
        return;
    plan.size = 60;
    plan.times = 1;
    plan.answer = SSL_TLSEXT_ERR_OK;
    client = asking_client(version);
    server = stapling_server(version);
    SSL_CTX_set_tlsext_status_arg(client, (void *)"c1");
    SSL_CTX_set_tlsext_status_arg(server, (void *)"s1");
    connect_once(client, server);
    SSL_CTX_set_tlsext_status_arg(client, (void *)"c2");
    SSL_CTX_set_tlsext_status_cb(client, judge_too);
    connect_once(client, server);
    say("between SSL_new and the handshake");
    ends = make_ends(client, server);
    SSL_CTX_set_tlsext_status_arg(client, (void *)"c3");
    SSL_CTX_set_tlsext_status_cb(client, judge);
    SSL_CTX_set_tlsext_status_arg(server, (void *)"s3");
    handshake(&ends);
    free_ends(&ends);
    say("taken away");
    SSL_CTX_set_tlsext_status_cb(client, NULL);
    SSL_CTX_set_tlsext_status_cb(server, NULL);
    run(client, server);
}

/* The type is the context's at SSL_new, and may change until the handshake. */
static void type_changes(int version)
{
    SSL_CTX *client, *server;
    struct ends ends;

    if (!begin("%s, the type changes between SSL_new and the handshake", version_name(version)))
        return;
    plan.size = 60;
    plan.times = 1;
    plan.answer = SSL_TLSEXT_ERR_OK;
    client = asking_client(version);
    server = stapling_server(version);
    ends = make_ends(client, server);
    SSL_CTX_set_tlsext_status_type(client, -1);
    handshake(&ends);
    free_ends(&ends);
    ends = make_ends(client, server);
    SSL_CTX_set_tlsext_status_type(client, TLSEXT_STATUSTYPE_ocsp);
    handshake(&ends);
    free_ends(&ends);
    ends = make_ends(client, server);
    SSL_set_tlsext_status_type(ends.client, -1);
    handshake(&ends);
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

/* The status callback comes after the certificate was verified, and not when that failed. */
static void unverified(int version, int mode)
{
    SSL_CTX *client;

    if (!begin("%s, a stranger's certificate, verify mode %d", version_name(version), mode))
        return;
    plan.size = 60;
    plan.times = 1;
    plan.answer = SSL_TLSEXT_ERR_OK;
    client = asking_client(version);
    SSL_CTX_set_verify(client, mode, NULL);
    SSL_CTX *server = server_context(version, "stranger");
    SSL_CTX_set_tlsext_status_cb(server, staple);
    run(client, server);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    for (int at = 0; at < 2; at++) {
        int version = versions[at];

        sizes(version);
        preset(version, "callback OK", SSL_TLSEXT_ERR_OK, 0);
        preset(version, "callback OK with another", SSL_TLSEXT_ERR_OK, 1);
        preset(version, "callback OK with three others", SSL_TLSEXT_ERR_OK, 3);
        preset(version, "callback NOACK", SSL_TLSEXT_ERR_NOACK, 0);
        preset(version, "no callback", -1, 0);
        in_certificate_callback(version, "callback OK", SSL_TLSEXT_ERR_OK);
        in_certificate_callback(version, "callback NOACK", SSL_TLSEXT_ERR_NOACK);
        in_certificate_callback(version, "no callback", -1);
        set_by_the_client(version, 0);
        set_by_the_client(version, 1);
        replaced(version);
        type_changes(version);
        unverified(version, SSL_VERIFY_NONE);
        unverified(version, SSL_VERIFY_PEER);
    }
    return finish();
}
