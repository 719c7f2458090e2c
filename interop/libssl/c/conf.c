/*
 * Settings by name (SSL_CONF_cmd), as configuration files and `ssl_conf_command` give them.
 */
#include "harness.h"

#include <openssl/conf.h>
#include <openssl/dh.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <unistd.h>

static const unsigned flags_of_files = SSL_CONF_FLAG_FILE | SSL_CONF_FLAG_CLIENT
                                       | SSL_CONF_FLAG_SERVER | SSL_CONF_FLAG_CERTIFICATE
                                       | SSL_CONF_FLAG_SHOW_ERRORS;

static void say_context(SSL_CTX *context)
{
    say("versions %ld to %ld, options %08lx, verify %d", (long)SSL_CTX_get_min_proto_version(context),
        (long)SSL_CTX_get_max_proto_version(context), (unsigned long)SSL_CTX_get_options(context),
        SSL_CTX_get_verify_mode(context));
}

static void command(unsigned flags, const char *name, const char *value)
{
    SSL_CONF_CTX *conf = SSL_CONF_CTX_new();
    SSL_CTX *context = SSL_CTX_new(TLS_method());

    SSL_CONF_CTX_set_flags(conf, flags);
    SSL_CONF_CTX_set_ssl_ctx(conf, context);
    say("%s %s: type %d, %d", name, value != NULL ? value : "NULL",
        SSL_CONF_cmd_value_type(conf, name), SSL_CONF_cmd(conf, name, value));
    say_errors("conf");
    SAY_LONG(SSL_CONF_CTX_finish(conf));
    say_context(context);
    SSL_CONF_CTX_free(conf);
    SSL_CTX_free(context);
}

static const struct {
    const char *name;
    const char *value;
} commands[] = {
    {"MinProtocol", "TLSv1.3"},
    {"MinProtocol", "TLSv1.9"},
    {"MaxProtocol", "TLSv1.2"},
    {"Protocol", "-ALL,TLSv1.2"},
    {"Options", "PrioritizeChaCha,-SessionTicket"},
    {"Options", "ServerPreference"},
    {"Options", "Nonsense"},
    {"CipherString", "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {"CipherString", "nonsense"},
    {"Ciphersuites", "TLS_AES_128_GCM_SHA256"},
    {"Ciphersuites", "nonsense"},
    {"Groups", "P-256:X25519"},
    {"Curves", "P-384"},
    {"Groups", "nonsense"},
    {"SignatureAlgorithms", "ECDSA+SHA256"},
    {"ClientSignatureAlgorithms", "RSA+SHA256"},
    {"VerifyMode", "Peer"},
    {"VerifyMode", "Require"},
    {"VerifyMode", "Nonsense"},
    {"NumTickets", "1"},
    {"RecordPadding", "0"},
    {"RecordPadding", "1"},
    {"RecordPadding", "128"},
    {"DHParameters", "/nowhere"},
    {"Certificate", "/nowhere"},
    {"PrivateKey", "/nowhere"},
    {"VerifyCAFile", "/nowhere"},
    {"Nonsense", "value"},
    {"MinProtocol", NULL},
    {"min_protocol", "TLSv1.3"},
};

static const struct {
    const char *name;
    const char *value;
} arguments[] = {
    {"-min_protocol", "TLSv1.3"}, {"-no_ticket", NULL},
    {"-cipher", "HIGH"},          {"-groups", "P-256"},
    {"-serverpref", NULL},        {"-no_tls1_3", NULL},
    {"-nonsense", "value"},       {"MinProtocol", "TLSv1.3"},
};

/* Parameters for Diffie-Hellman in a file. */
static void parameters(const char *group)
{
    char path[] = "/tmp/parametersXXXXXX";
    BIO *file = BIO_new_fd(mkstemp(path), BIO_CLOSE);
    EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
    EVP_PKEY *key = NULL;
    SSL_CONF_CTX *conf = SSL_CONF_CTX_new();
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    SSL *ssl = SSL_new(context);

    if (EVP_PKEY_paramgen_init(maker) != 1 || EVP_PKEY_CTX_set_group_name(maker, group) != 1
        || EVP_PKEY_paramgen(maker, &key) != 1 || PEM_write_bio_Parameters(file, key) != 1)
        broken("parameters");
    BIO_free(file);
    SSL_CONF_CTX_set_flags(conf, flags_of_files);
    SSL_CONF_CTX_set_ssl_ctx(conf, context);
    SAY_LONG(SSL_CONF_cmd(conf, "DHParameters", path));
    SSL_CONF_CTX_set_ssl(conf, ssl);
    SAY_LONG(SSL_CONF_cmd(conf, "DHParameters", path));
    SSL_CONF_CTX_set_ssl_ctx(conf, NULL);
    SAY_LONG(SSL_CONF_cmd(conf, "DHParameters", path));
    say_errors("parameters");
    SSL_CONF_CTX_free(conf);
    SSL_free(ssl);
    SSL_CTX_free(context);
    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(maker);
    unlink(path);
}

static void files(void)
{
    SSL_CONF_CTX *conf = SSL_CONF_CTX_new();
    SSL_CTX *context = SSL_CTX_new(TLS_method());

    SSL_CONF_CTX_set_flags(conf, flags_of_files);
    SSL_CONF_CTX_set_ssl_ctx(conf, context);
    SAY_LONG(SSL_CONF_cmd(conf, "Certificate", path_of("server", "chain.pem")));
    SAY_LONG(SSL_CONF_cmd(conf, "PrivateKey", path_of("server", "key.pem")));
    SAY_LONG(SSL_CONF_cmd(conf, "VerifyCAFile", path_of("server", "root.pem")));
    SAY_LONG(SSL_CONF_CTX_finish(conf));
    SAY_LONG(SSL_CTX_check_private_key(context));
    SSL_CONF_CTX_free(conf);
    SSL_CTX_free(context);
}

/* Arguments are taken off the front, as far as they are commands. */
static void command_line(void)
{
    char *list[] = {"-no_ticket", "-min_protocol", "TLSv1.3", "-cipher", "nonsense", "-unknown", NULL};
    char **arguments = list;
    int left = 6, used;
    SSL_CONF_CTX *conf = SSL_CONF_CTX_new();
    SSL_CTX *context = SSL_CTX_new(TLS_method());

    SSL_CONF_CTX_set_flags(conf, SSL_CONF_FLAG_CLIENT | SSL_CONF_FLAG_SHOW_ERRORS);
    SSL_CONF_CTX_set_ssl_ctx(conf, context);
    while ((used = SSL_CONF_cmd_argv(conf, &left, &arguments)) > 0)
        say("%d used, %d left, then %s", used, left, *arguments);
    say("%d, %d left at %s", used, left, *arguments);
    say_errors("arguments");
    arguments = list;
    SAY_LONG(SSL_CONF_cmd_argv(conf, NULL, &arguments));
    arguments = list + 6;
    SAY_LONG(SSL_CONF_cmd_argv(conf, NULL, &arguments));
    SAY_LONG(SSL_CONF_CTX_clear_flags(conf, SSL_CONF_FLAG_CMDLINE));
    say_context(context);
    SSL_CONF_CTX_free(conf);
    SSL_CTX_free(context);
}

static void prefix(void)
{
    SSL_CONF_CTX *conf = SSL_CONF_CTX_new();
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    SSL *ssl = SSL_new(context);

    SSL_CONF_CTX_set_flags(conf, flags_of_files);
    SAY_LONG(SSL_CONF_CTX_set1_prefix(conf, "SSL"));
    SSL_CONF_CTX_set_ssl(conf, ssl);
    SAY_LONG(SSL_CONF_cmd(conf, "sslMinProtocol", "TLSv1.3"));
    SAY_LONG(SSL_CONF_cmd(conf, "MinProtocol", "TLSv1.2"));
    SAY_LONG(SSL_CONF_cmd(conf, "SSL", "TLSv1.2"));
    SAY_LONG(SSL_CONF_cmd(conf, NULL, "TLSv1.2"));
    say_errors("conf");
    SAY_LONG(SSL_get_min_proto_version(ssl));
    SAY_LONG(SSL_CTX_get_min_proto_version(context));
    SSL_CONF_CTX_set_ssl(conf, NULL);
    SAY_LONG(SSL_CONF_cmd(conf, "SSLCipherString", "HIGH"));
    SAY_LONG(SSL_CONF_cmd(conf, "SSLMinProtocol", "TLSv1.2"));
    say_errors("no object");
    SSL_CONF_CTX_free(conf);
    SSL_free(ssl);
    SSL_CTX_free(context);
}

/* A key that is not named is in the certificate's file; the names of CAs are set at the end. */
static void at_the_end(void)
{
    SSL_CONF_CTX *conf = SSL_CONF_CTX_new();
    SSL_CTX *context = SSL_CTX_new(TLS_method());

    SSL_CONF_CTX_set_flags(conf, flags_of_files | SSL_CONF_FLAG_REQUIRE_PRIVATE);
    SSL_CONF_CTX_set_ssl_ctx(conf, context);
    SAY_LONG(SSL_CONF_cmd(conf, "ClientCAFile", path_of("server", "root.pem")));
    SAY_LONG(sk_X509_NAME_num(SSL_CTX_get0_CA_list(context)));
    SAY_LONG(SSL_CONF_CTX_finish(conf));
    SAY_LONG(sk_X509_NAME_num(SSL_CTX_get0_CA_list(context)));
    SAY_LONG(SSL_CONF_cmd(conf, "Certificate", path_of("server", "chain.pem")));
    SAY_LONG(SSL_CONF_CTX_finish(conf));
    SAY_LONG(ERR_peek_error() != 0);
    ERR_clear_error();
    SSL_CONF_CTX_free(conf);
    SSL_CTX_free(context);
}

/* The peer is verified with the store that VerifyCAFile fills, and not with the context's. */
static void verify_file(const char *who)
{
    SSL_CONF_CTX *conf = SSL_CONF_CTX_new();
    SSL_CTX *client = client_context(TLS1_3_VERSION), *server = server_context(TLS1_3_VERSION, "server");

    SSL_CONF_CTX_set_flags(conf, flags_of_files);
    SSL_CONF_CTX_set_ssl_ctx(conf, client);
    SAY_LONG(SSL_CONF_cmd(conf, "VerifyCAFile", path_of(who, "root.pem")));
    connect_once(client, server);
    SSL_CONF_CTX_free(conf);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

/* What libcrypto's configuration has under a name; the system's default is for every context. */
static void configuration(void)
{
    static const char text[] = "openssl_conf = start\n[start]\nssl_conf = names\n"
                               "[names]\nmine = mine\nbad = bad\nsystem_default = all\n"
                               "[mine]\nMinProtocol = TLSv1.3\nOptions = -SessionTicket\n"
                               "[bad]\nNonsense = 1\nMaxProtocol = TLSv1.2\n"
                               "[all]\nMinProtocol = TLSv1.2\n";
    BIO *file = BIO_new_mem_buf(text, -1);
    CONF *config = NCONF_new(NULL);
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    SSL *ssl;

    say_context(context);
    SSL_CTX_free(context);
    if (NCONF_load_bio(config, file, NULL) != 1 || CONF_modules_load(config, NULL, 0) <= 0)
        broken("a configuration");
    context = SSL_CTX_new(TLS_method());
    say_context(context);
    SAY_LONG(SSL_CTX_config(context, "mine"));
    say_context(context);
    SAY_LONG(SSL_CTX_config(context, "bad"));
    say_context(context);
    SAY_LONG(SSL_CTX_config(context, "nobody"));
    say_errors("context");
    ssl = SSL_new(context);
    SAY_LONG(SSL_config(ssl, "mine"));
    SAY_LONG(SSL_get_min_proto_version(ssl));
    SSL_free(ssl);
    SSL_CTX_free(context);
    CONF_modules_unload(1);
    NCONF_free(config);
    BIO_free(file);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    for (size_t at = 0; at < sizeof commands / sizeof *commands; at++)
        if (begin("%s %s", commands[at].name, commands[at].value ? commands[at].value : "NULL"))
            command(flags_of_files, commands[at].name, commands[at].value);
    for (size_t at = 0; at < sizeof arguments / sizeof *arguments; at++)
        if (begin("argument %s", arguments[at].name))
            command(SSL_CONF_FLAG_CMDLINE | SSL_CONF_FLAG_CLIENT | SSL_CONF_FLAG_SERVER,
                    arguments[at].name, arguments[at].value);
    if (begin("files"))
        files();
    if (begin("parameters for Diffie-Hellman"))
        parameters("ffdhe2048");
    if (begin("command line"))
        command_line();
    if (begin("prefix"))
        prefix();
    if (begin("at the end"))
        at_the_end();
    if (begin("VerifyCAFile, the root"))
        verify_file("server");
    if (begin("VerifyCAFile, a stranger"))
        verify_file("stranger");
    if (begin("configuration"))
        configuration();
    return finish();
}
