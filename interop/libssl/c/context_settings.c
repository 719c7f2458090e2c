/*
 * What contexts and connections are told and give back: options, modes, versions, verification,
 * cipher and group lists, keys and certificates, timeouts; and what a connection takes from its
 * context.
 */
#include "harness.h"

#include <string.h>

#define SAY_OPTIONS(what) say("%s = %08lx", #what, (unsigned long)(what))

static void options(SSL_CTX *context, SSL *ssl)
{
    SAY_OPTIONS(SSL_CTX_get_options(context));
    SAY_OPTIONS(SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE));
    SAY_OPTIONS(SSL_CTX_clear_options(context, SSL_OP_NO_TICKET));
    SAY_OPTIONS(SSL_CTX_get_options(context));
    SAY_OPTIONS(SSL_get_options(ssl));
    SAY_OPTIONS(SSL_set_options(ssl, SSL_OP_NO_RENEGOTIATION));
    SAY_OPTIONS(SSL_clear_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION));
    SSL *other = SSL_new(context);
    SAY_OPTIONS(SSL_get_options(other));
    SSL_free(other);
}

static void modes(SSL_CTX *context, SSL *ssl)
{
    SAY_OPTIONS(SSL_CTX_get_mode(context));
    SAY_OPTIONS(SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS));
    SAY_OPTIONS(SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY));
    SAY_OPTIONS(SSL_get_mode(ssl));
    SAY_OPTIONS(SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE));
    SAY_OPTIONS(SSL_clear_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE));
    SSL *other = SSL_new(context);
    SAY_OPTIONS(SSL_get_mode(other));
    SSL_free(other);
}

static void versions(SSL_CTX *context, SSL *ssl)
{
    static const int all[] = {0,           TLS1_2_VERSION,  TLS1_3_VERSION, 0x0305,
                              0x7f,        DTLS1_2_VERSION, -1};

    SAY_LONG(SSL_CTX_get_min_proto_version(context));
    SAY_LONG(SSL_CTX_get_max_proto_version(context));
    for (size_t at = 0; at < sizeof all / sizeof *all; at++) {
        int min = SSL_CTX_set_min_proto_version(context, all[at]);
        int max = SSL_CTX_set_max_proto_version(context, all[at]);

        say("set %d returned %d and %d, then %ld to %ld", all[at], min, max,
            (long)SSL_CTX_get_min_proto_version(context),
            (long)SSL_CTX_get_max_proto_version(context));
    }
    SAY_LONG(SSL_set_min_proto_version(ssl, TLS1_3_VERSION));
    SAY_LONG(SSL_set_max_proto_version(ssl, TLS1_2_VERSION));
    SAY_LONG(SSL_get_min_proto_version(ssl));
    SAY_LONG(SSL_get_max_proto_version(ssl));
    SAY_LONG(SSL_version(ssl));
    say("%s", SSL_get_version(ssl));
    SAY_LONG(SSL_client_version(ssl));
}

static int on_verify(int ok, X509_STORE_CTX *store)
{
    (void)store;
    return ok;
}

static void verification(SSL_CTX *context, SSL *ssl)
{
    SAY_LONG(SSL_CTX_get_verify_mode(context));
    SAY_LONG(SSL_CTX_get_verify_depth(context));
    SAY_PRESENT((void *)(size_t)SSL_CTX_get_verify_callback(context));
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, on_verify);
    SSL_CTX_set_verify_depth(context, 7);
    SAY_LONG(SSL_CTX_get_verify_mode(context));
    SAY_LONG(SSL_CTX_get_verify_depth(context));
    SAY_LONG(SSL_CTX_get_verify_callback(context) == on_verify);
    SAY_LONG(SSL_get_verify_mode(ssl));
    SAY_LONG(SSL_get_verify_depth(ssl));
    SSL *other = SSL_new(context);
    SAY_LONG(SSL_get_verify_mode(other));
    SAY_LONG(SSL_get_verify_depth(other));
    SAY_LONG(SSL_get_verify_callback(other) == on_verify);
    SSL_set_verify(other, SSL_VERIFY_NONE, NULL);
    SSL_set_verify_depth(other, 3);
    SAY_LONG(SSL_get_verify_mode(other));
    SAY_LONG(SSL_get_verify_depth(other));
    SAY_LONG(SSL_get_verify_callback(other) == on_verify);
    SAY_LONG(SSL_CTX_get_verify_depth(context));
    SAY_LONG(SSL_get_verify_result(other));
    SSL_set_verify_result(other, X509_V_ERR_CERT_HAS_EXPIRED);
    SAY_LONG(SSL_get_verify_result(other));
    SAY_PRESENT(SSL_CTX_get0_param(context));
    SAY_PRESENT(SSL_get0_param(other));
    SAY_LONG(SSL_CTX_get0_param(context) == SSL_get0_param(other));
    SAY_LONG(X509_VERIFY_PARAM_get_depth(SSL_get0_param(other)));
    SSL_free(other);
}

static void numbers(SSL_CTX *context, SSL *ssl)
{
    static const unsigned char id[] = "012345678901234567890123456789012";

    SAY_LONG(SSL_CTX_get_timeout(context));
    SAY_LONG(SSL_CTX_set_timeout(context, 77));
    SAY_LONG(SSL_CTX_get_timeout(context));
    SAY_LONG(SSL_get_default_timeout(ssl));
    SAY_LONG(SSL_CTX_get_session_cache_mode(context));
    SAY_LONG(SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF));
    SAY_LONG(SSL_CTX_get_session_cache_mode(context));
    SAY_LONG(SSL_CTX_sess_get_cache_size(context));
    SAY_LONG(SSL_CTX_sess_set_cache_size(context, 5));
    SAY_LONG(SSL_CTX_sess_get_cache_size(context));
    SAY_LONG(SSL_CTX_get_read_ahead(context));
    SAY_LONG(SSL_CTX_set_read_ahead(context, 1));
    SAY_LONG(SSL_CTX_get_read_ahead(context));
    SAY_LONG(SSL_get_read_ahead(ssl));
    SAY_LONG(SSL_CTX_get_quiet_shutdown(context));
    SSL_CTX_set_quiet_shutdown(context, 1);
    SAY_LONG(SSL_CTX_get_quiet_shutdown(context));
    SAY_LONG(SSL_get_quiet_shutdown(ssl));
    SAY_LONG(SSL_CTX_get_security_level(context));
    SSL_CTX_set_security_level(context, 3);
    SAY_LONG(SSL_CTX_get_security_level(context));
    SAY_LONG(SSL_get_security_level(ssl));
    SAY_LONG(SSL_CTX_get_num_tickets(context));
    SAY_LONG(SSL_CTX_set_num_tickets(context, 1));
    SAY_LONG(SSL_CTX_get_num_tickets(context));
    SAY_LONG(SSL_get_num_tickets(ssl));
    SAY_LONG(SSL_CTX_get_max_early_data(context));
    SAY_LONG(SSL_CTX_set_max_early_data(context, 100));
    SAY_LONG(SSL_CTX_get_max_early_data(context));
    SAY_LONG(SSL_CTX_get_recv_max_early_data(context));
    SAY_LONG(SSL_CTX_get_max_cert_list(context));
    SAY_LONG(SSL_CTX_set_max_cert_list(context, 5000));
    SAY_LONG(SSL_CTX_get_max_cert_list(context));
    SAY_LONG(SSL_get_max_cert_list(ssl));
    SAY_LONG(SSL_CTX_set_max_send_fragment(context, 511));
    SAY_LONG(SSL_CTX_set_max_send_fragment(context, 1024));
    SAY_LONG(SSL_CTX_set_session_id_context(context, id, 33));
    SAY_LONG(SSL_CTX_set_session_id_context(context, id, 32));
}

static void lists(SSL_CTX *context, SSL *ssl)
{
    static const char *const ciphers[] = {
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305", "HIGH:!aNULL", "DEFAULT",
        "nonsense", "ECDHE-RSA-AES256-GCM-SHA384:nonsense", "", "@SECLEVEL=1:ECDHE+AESGCM",
        "HIGH:!nonsense", "HIGH,MEDIUM",
    };
    static const char *const suites[] = {
        "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384",
        "nonsense", "",
    };
    static const char *const groups[] = {"P-256:X25519", "prime256v1", "secp384r1", "nonsense", "",
                                         "P-256:P-256"};
    static const char *const algorithms[] = {"ECDSA+SHA256", "RSA-PSS+SHA256:RSA+SHA256",
                                             "ecdsa_secp384r1_sha384", "nonsense", "RSA+nonsense"};

    for (size_t at = 0; at < sizeof ciphers / sizeof *ciphers; at++) {
        say("ciphers \"%s\": %d, then some: %d", ciphers[at],
            SSL_CTX_set_cipher_list(context, ciphers[at]),
            sk_SSL_CIPHER_num(SSL_CTX_get_ciphers(context)) > 0);
        say_errors("ciphers");
    }
    for (size_t at = 0; at < sizeof suites / sizeof *suites; at++) {
        say("suites \"%s\": %d", suites[at], SSL_set_ciphersuites(ssl, suites[at]));
        say_errors("suites");
    }
    for (size_t at = 0; at < sizeof groups / sizeof *groups; at++) {
        say("groups \"%s\": %ld", groups[at], (long)SSL_CTX_set1_groups_list(context, groups[at]));
        say_errors("groups");
    }
    for (size_t at = 0; at < sizeof algorithms / sizeof *algorithms; at++) {
        say("signature algorithms \"%s\": %ld", algorithms[at],
            (long)SSL_CTX_set1_sigalgs_list(context, algorithms[at]));
        say_errors("signature algorithms");
    }
    SAY_LONG(SSL_CTX_set_cipher_list(
        context, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384"));
    SAY_LONG(SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256"));
    STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(context);
    for (int at = 0; at < sk_SSL_CIPHER_num(all); at++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(all, at);
        char description[200];
        int all_bits, bits = SSL_CIPHER_get_bits(cipher, &all_bits);

        say("%s %s %s %08lx %d bits of %d", SSL_CIPHER_get_name(cipher),
            SSL_CIPHER_standard_name(cipher), SSL_CIPHER_get_version(cipher),
            (unsigned long)SSL_CIPHER_get_id(cipher), bits, all_bits);
        SSL_CIPHER_description(cipher, description, sizeof description);
        description[strcspn(description, "\n")] = 0;
        say("%s", description);
        say("%d %d %d %d aead %d", SSL_CIPHER_get_cipher_nid(cipher),
            SSL_CIPHER_get_digest_nid(cipher), SSL_CIPHER_get_kx_nid(cipher),
            SSL_CIPHER_get_auth_nid(cipher), SSL_CIPHER_is_aead(cipher));
    }
    say("in order: %s", SSL_get_cipher_list(ssl, 0) != NULL ? "there" : "NULL");
    say("beyond: %s", SSL_get_cipher_list(ssl, 1000) != NULL ? "there" : "NULL");
}

static void certificates(SSL_CTX *context, SSL *ssl)
{
    STACK_OF(X509) *chain = NULL;

    SAY_PRESENT(SSL_CTX_get0_certificate(context));
    SAY_PRESENT(SSL_CTX_get0_privatekey(context));
    SAY_LONG(SSL_CTX_check_private_key(context));
    say_errors("context");
    SAY_LONG(SSL_CTX_use_certificate_file(context, "/nowhere", SSL_FILETYPE_PEM));
    ERR_clear_error();
    SAY_LONG(SSL_CTX_use_PrivateKey_file(context, path_of("server", "chain.pem"), SSL_FILETYPE_PEM));
    ERR_clear_error();
    use_certificate(context, "server");
    SAY_PRESENT(SSL_CTX_get0_certificate(context));
    SAY_PRESENT(SSL_CTX_get0_privatekey(context));
    SAY_LONG(SSL_CTX_check_private_key(context));
    SAY_LONG(SSL_CTX_use_PrivateKey_file(context, path_of("other", "key.pem"), SSL_FILETYPE_PEM));
    say_errors("another's key");
    SAY_LONG(SSL_CTX_get0_chain_certs(context, &chain));
    say("chain of %d", sk_X509_num(chain));
    SAY_PRESENT(SSL_get_certificate(ssl));
    SSL *other = SSL_new(context);
    SAY_LONG(SSL_get_certificate(other) == SSL_CTX_get0_certificate(context));
    SAY_LONG(SSL_use_certificate_file(other, path_of("other", "chain.pem"), SSL_FILETYPE_PEM));
    SAY_LONG(SSL_check_private_key(other));
    say_errors("the certificate of another");
    SAY_LONG(SSL_use_PrivateKey_file(other, path_of("other", "key.pem"), SSL_FILETYPE_PEM));
    SAY_LONG(SSL_check_private_key(other));
    SAY_LONG(SSL_get_certificate(other) == SSL_CTX_get0_certificate(context));
    SSL_free(other);
    SAY_LONG(SSL_CTX_load_verify_locations(context, "/nowhere", NULL));
    ERR_clear_error();
    SAY_LONG(SSL_CTX_load_verify_locations(context, NULL, NULL));
    ERR_clear_error();
    SAY_LONG(SSL_CTX_set_default_verify_paths(context));
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(path_of("server", "root.pem"));
    say("names: %d", sk_X509_NAME_num(names));
    SSL_CTX_set_client_CA_list(context, names);
    say("names: %d", sk_X509_NAME_num(SSL_CTX_get_client_CA_list(context)));
    say("names: %d", sk_X509_NAME_num(SSL_get_client_CA_list(ssl)));
}

static void states(SSL_CTX *context, SSL *ssl)
{
    (void)context;
    SAY_LONG(SSL_is_server(ssl));
    SSL_set_accept_state(ssl);
    SAY_LONG(SSL_is_server(ssl));
    SSL_set_connect_state(ssl);
    SAY_LONG(SSL_is_server(ssl));
    SAY_LONG(SSL_in_init(ssl));
    SAY_LONG(SSL_in_before(ssl));
    SAY_LONG(SSL_is_init_finished(ssl));
    SAY_LONG(SSL_get_state(ssl));
    say("%s, %s", SSL_state_string_long(ssl), SSL_state_string(ssl));
    SAY_LONG(SSL_get_shutdown(ssl));
    SAY_LONG(SSL_pending(ssl));
    SAY_LONG(SSL_want(ssl));
    SAY_LONG(SSL_get_fd(ssl));
    SAY_PRESENT(SSL_get_rbio(ssl));
    SAY_PRESENT(SSL_get_session(ssl));
    SAY_PRESENT(SSL_get_current_cipher(ssl));
    SAY_PRESENT(SSL_get_peer_cert_chain(ssl));
    SAY_PRESENT(SSL_get0_verified_chain(ssl));
    SAY_PRESENT(SSL_get0_peer_certificate(ssl));
    SAY_PRESENT(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
    SAY_LONG(SSL_set_tlsext_host_name(ssl, "a.test"));
    say("%s", SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
    SAY_LONG(SSL_get_servername_type(ssl));
    SAY_LONG(SSL_session_reused(ssl));
    SAY_LONG(SSL_get_secure_renegotiation_support(ssl));
    SAY_LONG(SSL_renegotiate_pending(ssl));
    SAY_LONG(SSL_total_renegotiations(ssl));
    say("%s %s", SSL_get_cipher_name(ssl), SSL_get_version(ssl));
    say("%s | %s", SSL_alert_type_string(0x228), SSL_alert_desc_string(0x228));
    say("%s | %s", SSL_alert_type_string_long(0x1ff), SSL_alert_desc_string_long(0x1ff));
    say("%s", SSL_rstate_string_long(ssl));
}

static void nulls(SSL_CTX *context, SSL *ssl)
{
    (void)context, (void)ssl;
    SSL_free(NULL);
    SSL_CTX_free(NULL);
    SSL_SESSION_free(NULL);
    SAY_PRESENT(SSL_new(NULL));
    say_errors("SSL_new");
    SAY_PRESENT(SSL_CTX_new(NULL));
    say_errors("SSL_CTX_new");
    SAY_LONG(SSL_CTX_use_certificate(context, NULL));
    say_errors("SSL_CTX_use_certificate");
    SAY_LONG(SSL_CTX_use_PrivateKey(context, NULL));
    say_errors("SSL_CTX_use_PrivateKey");
    SAY_LONG(SSL_set_session(ssl, NULL));
    SAY_LONG(SSL_set_tlsext_host_name(ssl, NULL));
    SAY_LONG(SSL_set1_host(ssl, NULL));
    SAY_LONG(SSL_CTX_set_alpn_protos(context, NULL, 0));
    SAY_PRESENT(SSL_CIPHER_get_name(NULL));
    SAY_PRESENT(SSL_CIPHER_get_version(NULL));
}

static void methods(SSL_CTX *context, SSL *ssl)
{
    SAY_LONG(SSL_CTX_get_ssl_method(context) == TLS_method());
    SAY_LONG(SSL_get_ssl_method(ssl) == TLS_method());
    SAY_LONG(TLS_client_method() == TLS_server_method());
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    SSL *of_client = SSL_new(client);
    SAY_LONG(SSL_is_server(of_client));
    say_result(of_client, "accept", SSL_accept(of_client));
    SSL_free(of_client);
    SSL_CTX_free(client);
    SSL_CTX *server = SSL_CTX_new(TLS_server_method());
    SSL *of_server = SSL_new(server);
    SAY_LONG(SSL_is_server(of_server));
    SSL_free(of_server);
    SSL_CTX_free(server);
}

typedef void (*with_both)(SSL_CTX *context, SSL *ssl);

static void once(const char *name, with_both run)
{
    if (begin("%s", name)) {
        SSL_CTX *context = SSL_CTX_new(TLS_method());
        SSL *ssl = SSL_new(context);

        run(context, ssl);
        SSL_free(ssl);
        SSL_CTX_free(context);
    }
}

int main(int argc, char **argv)
{
    start(argc, argv);
    once("options", options);
    once("modes", modes);
    once("versions", versions);
    once("verification", verification);
    once("numbers", numbers);
    once("lists", lists);
    once("certificates", certificates);
    once("states", states);
    once("NULL", nulls);
    once("methods", methods);
    return finish();
}
