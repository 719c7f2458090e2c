/*
 * The names that a client accepts in the server's certificate: SSL_set1_host, SSL_add1_host,
 * SSL_set_hostflags, and what SSL_get0_peername says of the outcome.
 */
#include "harness.h"

#include <openssl/x509v3.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

struct names {
    const char *title;
    const char *first;
    const char *second;
    const char *third;
    unsigned flags;
};

static const struct names all[] = {
    {"none", NULL, NULL, NULL, 0},
    {"the server's", "server.test", NULL, NULL, 0},
    {"another", "other.test", NULL, NULL, 0},
    {"another and the server's", "other.test", "server.test", NULL, 0},
    {"three that are others", "other.test", "client.test", "127.0.0.1", 0},
    {"the parent of the server's", ".test", NULL, NULL, 0},
    {"another and the parent", "other.test", ".test", NULL, X509_CHECK_FLAG_SINGLE_LABEL_SUBDOMAINS},
    {"in capitals, with a dot", "SERVER.TEST", NULL, NULL, X509_CHECK_FLAG_NO_WILDCARDS},
    {"an empty one and another", "", "other.test", NULL, 0},
    {"an address", "127.0.0.1", NULL, NULL, 0},
    {"never by the subject", "server.test", NULL, NULL, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT},
};

static void say_peername(SSL *ssl)
{
    const char *name = SSL_get0_peername(ssl);

    say("%s: peer name %s", side(ssl), name != NULL ? name : "NULL");
}

static void connection(int version, const struct names *names)
{
    SSL_CTX *client, *server;
    struct ends ends;

    if (!begin("%s, %s", version_name(version), names->title))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    ends = make_ends(client, server);
    say_peername(ends.client);
    SSL_set_hostflags(ends.client, names->flags);
    if (names->first != NULL)
        SAY_LONG(SSL_set1_host(ends.client, names->first));
    if (names->second != NULL)
        SAY_LONG(SSL_add1_host(ends.client, names->second));
    if (names->third != NULL)
        SAY_LONG(SSL_add1_host(ends.client, names->third));
    SAY_LONG(X509_VERIFY_PARAM_get_hostflags(SSL_get0_param(ends.client)));
    handshake(&ends);
    SAY_LONG(SSL_get_verify_result(ends.client));
    say_peername(ends.client);
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static void setters(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);

    SAY_LONG(SSL_add1_host(ssl, NULL));
    SAY_LONG(SSL_add1_host(ssl, ""));
    SAY_LONG(SSL_add1_host(ssl, "one.test"));
    SAY_LONG(SSL_add1_host(ssl, "two.test"));
    SAY_LONG(SSL_add1_host(ssl, "192.0.2.1"));
    SAY_LONG(SSL_add1_host(ssl, "192.0.2.2"));
    SAY_LONG(SSL_add1_host(ssl, "2001:db8::1"));
    SAY_LONG(SSL_set1_host(ssl, "three.test"));
    SAY_LONG(SSL_set1_host(ssl, NULL));
    SAY_LONG(SSL_set1_host(ssl, "192.0.2.3"));
    say_errors("setters");
    SSL_free(ssl);
    SSL_CTX_free(context);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    if (begin("setters"))
        setters();
    for (int at = 0; at < 2; at++)
        for (size_t names = 0; names < sizeof all / sizeof *all; names++)
            connection(versions[at], &all[names]);
    return finish();
}
