/*
 * Settings by name (SSL_CONF_cmd), as configuration files and `ssl_conf_command` give them.
 */
#include "harness.h"

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
    {"RecordPadding", "128"},
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
    return finish();
}
