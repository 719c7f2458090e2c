/*
 * Names of CAs: the lists of contexts and connections, files of them, and what goes over the wire.
 */
#include "harness.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void say_names(const char *what, const STACK_OF(X509_NAME) *names)
{
    char line[200];

    if (names == NULL) {
        say("%s: NULL", what);
        return;
    }
    say("%s: %d", what, sk_X509_NAME_num(names));
    for (int at = 0; at < sk_X509_NAME_num(names); at++)
        say("  %s", X509_NAME_oneline(sk_X509_NAME_value(names, at), line, sizeof line));
}

/* All roots have one name: the others here are names of leaves. */
static X509 *certificate_of(const char *who, const char *name)
{
    BIO *file = BIO_new_file(path_of(who, name), "r");
    X509 *certificate = PEM_read_bio_X509(file, NULL, NULL, NULL);

    if (certificate == NULL)
        broken("a certificate");
    BIO_free(file);
    return certificate;
}

static STACK_OF(X509_NAME) *roots(void)
{
    return SSL_load_client_CA_file(path_of("server", "root.pem"));
}

static STACK_OF(X509_NAME) *others(void)
{
    return SSL_load_client_CA_file(path_of("other", "chain.pem"));
}

static void files(void)
{
    STACK_OF(X509_NAME) *names = roots(), *copy;

    say_names("a root", names);
    SAY_LONG(SSL_add_file_cert_subjects_to_stack(names, path_of("server", "root.pem")));
    say_names("again", names);
    SAY_LONG(SSL_add_file_cert_subjects_to_stack(names, path_of("other", "chain.pem")));
    say_names("and another", names);
    SAY_LONG(SSL_add_file_cert_subjects_to_stack(names, path_of("server", "key.pem")));
    SAY_LONG(SSL_add_file_cert_subjects_to_stack(names, "/nowhere"));
    SAY_LONG(ERR_peek_error() != 0);
    ERR_clear_error();
    copy = SSL_dup_CA_list(names);
    sk_X509_NAME_pop_free(names, X509_NAME_free);
    say_names("a copy", copy);
    sk_X509_NAME_pop_free(copy, X509_NAME_free);
    say_names("no file", SSL_load_client_CA_file("/nowhere"));
    say_errors("no file");
    say_names("no certificate", SSL_load_client_CA_file(path_of("server", "key.pem")));
    say_errors("no certificate");
}

static void directory(void)
{
    STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();

    SAY_LONG(SSL_add_dir_cert_subjects_to_stack(names, path_of("server", "")));
    say_names("a directory", names);
    SAY_LONG(SSL_add_dir_cert_subjects_to_stack(names, "/nowhere"));
    SAY_LONG(ERR_peek_error() != 0);
    ERR_clear_error();
    sk_X509_NAME_pop_free(names, X509_NAME_free);
}

static void lists(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    X509 *root = certificate_of("server", "root.pem"),
         *other = certificate_of("other", "chain.pem");
    SSL *ssl;

    say_names("client CAs", SSL_CTX_get_client_CA_list(context));
    say_names("CAs", SSL_CTX_get0_CA_list(context));
    SAY_LONG(SSL_CTX_add_client_CA(context, root));
    SAY_LONG(SSL_CTX_add_client_CA(context, NULL));
    SAY_LONG(SSL_CTX_add1_to_CA_list(context, other));
    say_names("client CAs", SSL_CTX_get_client_CA_list(context));
    say_names("CAs", SSL_CTX_get0_CA_list(context));
    ssl = SSL_new(context);
    say_names("connection: client CAs", SSL_get_client_CA_list(ssl));
    say_names("connection: CAs", SSL_get0_CA_list(ssl));
    say_names("connection: peer", SSL_get0_peer_CA_list(ssl));
    SAY_LONG(SSL_add_client_CA(ssl, other));
    SAY_LONG(SSL_add1_to_CA_list(ssl, root));
    say_names("connection: client CAs", SSL_get_client_CA_list(ssl));
    say_names("connection: CAs", SSL_get0_CA_list(ssl));
    SSL_set_client_CA_list(ssl, NULL);
    SSL_set0_CA_list(ssl, others());
    say_names("connection: client CAs", SSL_get_client_CA_list(ssl));
    say_names("connection: CAs", SSL_get0_CA_list(ssl));
    SSL_CTX_set_client_CA_list(context, others());
    SSL_CTX_set0_CA_list(context, NULL);
    say_names("client CAs", SSL_CTX_get_client_CA_list(context));
    say_names("CAs", SSL_CTX_get0_CA_list(context));
    say_names("connection: client CAs", SSL_get_client_CA_list(ssl));
    X509_free(root);
    X509_free(other);
    SSL_free(ssl);
    SSL_CTX_free(context);
}

static void run(SSL_CTX *client, SSL_CTX *server)
{
    struct ends ends = make_ends(client, server);

    handshake(&ends);
    say_names("client: client CAs", SSL_get_client_CA_list(ends.client));
    say_names("client: peer", SSL_get0_peer_CA_list(ends.client));
    say_names("server: client CAs", SSL_get_client_CA_list(ends.server));
    say_names("server: peer", SSL_get0_peer_CA_list(ends.server));
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

static SSL_CTX *asking(int version)
{
    SSL_CTX *server = server_context(version, "server");

    SSL_CTX_load_verify_locations(server, path_of("server", "root.pem"), NULL);
    SSL_CTX_set_verify(server, SSL_VERIFY_PEER, NULL);
    return server;
}

static int other_context(SSL *ssl, int *alert, void *other)
{
    (void)alert;
    SSL_set_SSL_CTX(ssl, other);
    return SSL_TLSEXT_ERR_OK;
}

static void on_the_wire(int version)
{
    SSL_CTX *client, *server, *other;

    if (begin("%s, no names", version_name(version)))
        run(client_context(version), asking(version));
    if (begin("%s, client CAs", version_name(version))) {
        client = client_context(version);
        use_certificate(client, "client");
        server = asking(version);
        SSL_CTX_set_client_CA_list(server, roots());
        SSL_CTX_set0_CA_list(server, others());
        run(client, server);
    }
    if (begin("%s, CAs of both", version_name(version))) {
        client = client_context(version);
        SSL_CTX_set0_CA_list(client, roots());
        server = asking(version);
        SSL_CTX_set0_CA_list(server, others());
        run(client, server);
    }
    if (begin("%s, of the context by name", version_name(version))) {
        other = asking(version);
        SSL_CTX_set_client_CA_list(other, others());
        server = asking(version);
        SSL_CTX_set_client_CA_list(server, roots());
        SSL_CTX_set_tlsext_servername_callback(server, other_context);
        SSL_CTX_set_tlsext_servername_arg(server, other);
        run(client_context(version), server);
        SSL_CTX_free(other);
    }
    if (begin("%s, not asked", version_name(version))) {
        server = server_context(version, "server");
        SSL_CTX_set_client_CA_list(server, roots());
        run(client_context(version), server);
    }
}

static int password(char *buffer, int size, int writing, void *argument)
{
    (void)buffer, (void)size, (void)writing, (void)argument;
    return 0;
}

/* What a connection inherits, and what it has of its own. */
static void inherited(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    SSL *ssl;
    int argument;

    SSL_CTX_set_default_passwd_cb(context, password);
    SSL_CTX_set_default_passwd_cb_userdata(context, &argument);
    SAY_LONG(SSL_CTX_set_purpose(context, X509_PURPOSE_SSL_CLIENT));
    SAY_LONG(SSL_CTX_set_purpose(context, 1000));
    SAY_LONG(SSL_CTX_set_trust(context, X509_TRUST_SSL_CLIENT));
    SAY_LONG(SSL_CTX_set_trust(context, 1000));
    ERR_clear_error();
    ssl = SSL_new(context);
    SAY_LONG(SSL_get_default_passwd_cb(ssl) == password);
    SAY_LONG(SSL_get_default_passwd_cb_userdata(ssl) == &argument);
    SSL_set_default_passwd_cb(ssl, NULL);
    SSL_set_default_passwd_cb_userdata(ssl, NULL);
    SAY_LONG(SSL_get_default_passwd_cb(ssl) == NULL);
    SAY_LONG(SSL_get_default_passwd_cb_userdata(ssl) == NULL);
    SAY_LONG(SSL_set_purpose(ssl, X509_PURPOSE_SSL_SERVER));
    SAY_LONG(SSL_set_purpose(ssl, 1000));
    SAY_LONG(SSL_set_trust(ssl, X509_TRUST_SSL_SERVER));
    SAY_LONG(SSL_set_trust(ssl, 1000));
    ERR_clear_error();
    SSL_free(ssl);
    SSL_CTX_free(context);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    if (begin("files"))
        files();
    if (begin("directory"))
        directory();
    if (begin("lists"))
        lists();
    if (begin("inherited"))
        inherited();
    for (size_t at = 0; at < sizeof versions / sizeof *versions; at++)
        on_the_wire(versions[at]);
    return finish();
}
