/*
 * What is not switched on, before and after a handshake: the getters of DANE, Certificate
 * Transparency, SRP, PSK, SRTP, asynchronous jobs and padding leave no error behind, and neither do
 * the setters that switch things off or only permit them.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "harness.h"

#include <openssl/srtp.h>

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void getters(SSL *ssl)
{
    unsigned char usage, selector, type;
    const unsigned char *data = NULL;
    size_t length = 7, other = 7;
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;
    int status = 7;

    SAY_LONG(SSL_get0_dane_authority(ssl, &certificate, &key));
    SAY_LONG(SSL_get0_dane_tlsa(ssl, &usage, &selector, &type, &data, &length));
    SAY_LONG(SSL_dane_clear_flags(ssl, 0));
    SAY_LONG(SSL_ct_is_enabled(ssl));
    SAY_PRESENT(SSL_get_psk_identity(ssl));
    SAY_PRESENT(SSL_get_psk_identity_hint(ssl));
    SAY_PRESENT(SSL_get_srp_N(ssl));
    SAY_PRESENT(SSL_get_srp_g(ssl));
    SAY_PRESENT(SSL_get_srp_username(ssl));
    SAY_PRESENT(SSL_get_srp_userinfo(ssl));
    SAY_PRESENT(SSL_get_srtp_profiles(ssl));
    SAY_PRESENT(SSL_get_selected_srtp_profile(ssl));
    length = other = 0;
    SAY_LONG(SSL_get_all_async_fds(ssl, NULL, &length));
    SAY_LONG(SSL_get_changed_async_fds(ssl, NULL, &length, NULL, &other));
    SAY_LONG(SSL_get_async_status(ssl, &status));
    SAY_PRESENT(SSL_get_record_padding_callback_arg(ssl));
    SAY_LONG(SSL_get_early_data_status(ssl) == SSL_EARLY_DATA_ACCEPTED);
    if (SSL_get_session(ssl) != NULL) {
        void *appdata = (void *)"untouched";

        SAY_LONG(SSL_SESSION_get0_ticket_appdata(SSL_get_session(ssl), &appdata, &length));
        SAY_PRESENT(appdata);
        SAY_LONG(length);
    }
    say_errors("getters");
}

static int never(void)
{
    say("never called");
    return 0;
}

/* Functions of many types; none of them is called in this program. */
#define NEVER(type) ((type)(void (*)(void))never)

static void setters(SSL_CTX *context, SSL *ssl)
{
    SSL_CTX_set_psk_client_callback(context, NULL);
    SSL_CTX_set_psk_server_callback(context, NULL);
    SSL_CTX_set_psk_find_session_callback(context, NULL);
    SSL_CTX_set_psk_use_session_callback(context, NULL);
    SSL_set_psk_client_callback(ssl, NULL);
    SSL_set_psk_server_callback(ssl, NULL);
    SSL_set_psk_find_session_callback(ssl, NULL);
    SSL_set_psk_use_session_callback(ssl, NULL);
    SAY_LONG(SSL_CTX_use_psk_identity_hint(context, NULL));
    SAY_LONG(SSL_use_psk_identity_hint(ssl, NULL));
    SSL_CTX_set_record_padding_callback(context, NULL);
    SAY_LONG(SSL_set_record_padding_callback(ssl, NULL));
    SSL_CTX_set_record_padding_callback_arg(context, (void *)"of the context");
    say("%s", (char *)SSL_CTX_get_record_padding_callback_arg(context));
    SSL_set_record_padding_callback_arg(ssl, (void *)"of the connection");
    say("%s", (char *)SSL_get_record_padding_callback_arg(ssl));
    for (size_t size = 0; size < 2; size++) {
        SAY_LONG(SSL_CTX_set_block_padding(context, size));
        SAY_LONG(SSL_set_block_padding(ssl, size));
    }
    SSL_CTX_set_allow_early_data_cb(context, NEVER(SSL_allow_early_data_cb_fn), NULL);
    SSL_set_allow_early_data_cb(ssl, NEVER(SSL_allow_early_data_cb_fn), NULL);
    SAY_LONG(SSL_set_max_early_data(ssl, 4000));
    SAY_LONG(SSL_get_max_early_data(ssl));
    SAY_LONG(SSL_CTX_set_recv_max_early_data(context, 3000));
    SAY_LONG(SSL_CTX_get_recv_max_early_data(context));
    SAY_LONG(SSL_set_recv_max_early_data(ssl, 2000));
    SAY_LONG(SSL_get_recv_max_early_data(ssl));
    SSL_CTX_set_cookie_generate_cb(context,
                                   NEVER(int (*)(SSL *, unsigned char *, unsigned int *)));
    SSL_CTX_set_cookie_verify_cb(context,
                                 NEVER(int (*)(SSL *, const unsigned char *, unsigned int)));
    SSL_CTX_set_stateless_cookie_generate_cb(context,
                                             NEVER(int (*)(SSL *, unsigned char *, size_t *)));
    SSL_CTX_set_stateless_cookie_verify_cb(context,
                                           NEVER(int (*)(SSL *, const unsigned char *, size_t)));
    /* NPN takes both: a client that selects from what a server advertises. */
    if (SSL_is_server(ssl))
        SSL_CTX_set_next_proto_select_cb(context, NEVER(SSL_CTX_npn_select_cb_func), NULL);
    else
        SSL_CTX_set_next_protos_advertised_cb(context, NEVER(SSL_CTX_npn_advertised_cb_func),
                                              NULL);
    SSL_CTX_set_post_handshake_auth(context, 1);
    SSL_set_post_handshake_auth(ssl, 1);
    SAY_LONG(SSL_CTX_has_client_custom_ext(context, 4711));
    SAY_LONG(SSL_CTX_ct_is_enabled(context));
    SAY_LONG(SSL_CTX_dane_clear_flags(context, 0));
    SAY_PRESENT(SSL_CTX_get_record_padding_callback_arg(context));
    SAY_LONG(SSL_SRP_CTX_free(ssl));
    SAY_LONG(SSL_CTX_SRP_CTX_free(context));
    say_errors("setters");
}

static void absences(int version)
{
    SSL_CTX *client, *server;
    struct ends ends;

    if (!begin("%s", version_name(version)))
        return;
    client = client_context(version);
    server = server_context(version, "server");
    ends = make_ends(client, server);
    getters(ends.client);
    getters(ends.server);
    setters(client, ends.client);
    setters(server, ends.server);
    handshake(&ends);
    getters(ends.client);
    getters(ends.server);
    free_ends(&ends);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    for (int at = 0; at < 2; at++)
        absences(versions[at]);
    return finish();
}
