/*
 * Sessions that a program makes and fills, prints and writes, and puts into a cache by hand.
 */
#include "harness.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

static SSL_SESSION *filled(int version)
{
    static const unsigned char id[32] = "an id of thirty-two bytes, here";
    static const unsigned char key[48] = "a master key of forty-eight bytes, for printing";
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    SSL *ssl = SSL_new(context);
    SSL_SESSION *session = SSL_SESSION_new();
    const SSL_CIPHER *cipher = SSL_CIPHER_find(
        ssl, (const unsigned char *)(version == TLS1_3_VERSION ? "\x13\x01" : "\xc0\x2f"));

    SAY_LONG(SSL_SESSION_set_protocol_version(session, version));
    SAY_LONG(SSL_SESSION_set_cipher(session, cipher));
    SAY_LONG(SSL_SESSION_set1_id(session, id, sizeof id));
    SAY_LONG(SSL_SESSION_set1_id(session, id, 33));
    SAY_LONG(SSL_SESSION_set1_id_context(session, id, 4));
    SAY_LONG(SSL_SESSION_set1_id_context(session, id, 33));
    SAY_LONG(SSL_SESSION_set1_master_key(session, key, sizeof key));
    SAY_LONG(SSL_SESSION_set1_alpn_selected(session, (const unsigned char *)"h2", 2));
    SSL_SESSION_set_time(session, 1000);
    SSL_SESSION_set_timeout(session, 300);
    ERR_clear_error();
    SSL_free(ssl);
    SSL_CTX_free(context);
    return session;
}

static void say_text(const char *what, BIO *text)
{
    char line[200];

    say("%s:", what);
    while (BIO_gets(text, line, sizeof line) > 0) {
        line[strcspn(line, "\n")] = 0;
        say("| %s", line);
    }
}

static void say_filled(SSL_SESSION *session)
{
    unsigned char key[64];
    const unsigned char *bytes;
    unsigned int length;
    size_t size;

    say("version %x, cipher %s, compression %u", (unsigned)SSL_SESSION_get_protocol_version(session),
        SSL_CIPHER_get_name(SSL_SESSION_get0_cipher(session)),
        SSL_SESSION_get_compress_id(session));
    bytes = SSL_SESSION_get_id(session, &length);
    say("id of %u: %.10s", length, (const char *)bytes);
    bytes = SSL_SESSION_get0_id_context(session, &length);
    say("context of %u: %.4s", length, (const char *)bytes);
    size = SSL_SESSION_get_master_key(session, key, sizeof key);
    say("key of %zu: %.12s", size, (const char *)key);
    SSL_SESSION_get0_alpn_selected(session, &bytes, &size);
    say("protocol of %zu: %.*s", size, (int)size, (const char *)bytes);
}

static void printed(int version)
{
    SSL_SESSION *session;
    BIO *text;
    FILE *file;

    if (!begin("%s, a session that was made", version_name(version)))
        return;
    session = filled(version);
    say_filled(session);
    text = BIO_new(BIO_s_mem());
    SAY_LONG(SSL_SESSION_print(text, session));
    say_text("printed", text);
    SAY_LONG(SSL_SESSION_print_keylog(text, session));
    say_text("for a key log", text);
    file = tmpfile();
    SAY_LONG(SSL_SESSION_print_fp(file, session));
    say("to a file: %ld bytes", ftell(file));
    fclose(file);
    BIO_free(text);
    SSL_SESSION_free(session);
}

static void written(int version)
{
    SSL_SESSION *session, *read;
    BIO *text;
    FILE *file;
    char line[100];

    if (!begin("%s, a session in PEM", version_name(version)))
        return;
    session = filled(version);
    text = BIO_new(BIO_s_mem());
    SAY_LONG(PEM_write_bio_SSL_SESSION(text, session));
    read = PEM_read_bio_SSL_SESSION(text, NULL, NULL, NULL);
    SAY_PRESENT(read);
    if (read != NULL)
        say_filled(read);
    SSL_SESSION_free(read);
    file = tmpfile();
    SAY_LONG(PEM_write_SSL_SESSION(file, session));
    rewind(file);
    say("%s", fgets(line, sizeof line, file) == NULL ? "nothing" : line);
    fclose(file);
    BIO_free(text);
    SSL_SESSION_free(session);
}

static void cached(void)
{
    SSL_CTX *context;
    SSL_SESSION *session;

    if (!begin("a session that is put into the cache"))
        return;
    context = server_context(TLS1_2_VERSION, "server");
    session = filled(TLS1_2_VERSION);
    SSL_SESSION_set_time(session, 4000000000);
    SAY_LONG(SSL_CTX_add_session(context, session));
    SAY_LONG(SSL_CTX_sess_number(context));
    SAY_LONG(SSL_CTX_add_session(context, session));
    SAY_LONG(SSL_CTX_sess_number(context));
    SAY_LONG(SSL_CTX_remove_session(context, session));
    SAY_LONG(SSL_CTX_sess_number(context));
    SAY_LONG(SSL_CTX_remove_session(context, session));
    SAY_LONG(SSL_CTX_remove_session(context, NULL));
    SAY_LONG(SSL_CTX_sess_cb_hits(context));
    SAY_LONG(SSL_CTX_sess_timeouts(context));
    SAY_LONG(SSL_CTX_sess_cache_full(context));
    SAY_LONG(SSL_CTX_sess_connect_renegotiate(context));
    SAY_LONG(SSL_CTX_sess_accept_renegotiate(context));
    SSL_SESSION_free(session);
    SSL_CTX_free(context);
}

static void copied(void)
{
    SSL_CTX *client, *server;
    struct ends ends, others;
    const unsigned char *id;
    unsigned int length;

    if (!begin("a session that is copied to another connection"))
        return;
    client = client_context(TLS1_2_VERSION);
    server = server_context(TLS1_2_VERSION, "server");
    SSL_CTX_set_options(server, SSL_OP_NO_TICKET);
    ends = make_ends(client, server);
    handshake(&ends);
    id = SSL_SESSION_get_id(SSL_get_session(ends.server), &length);
    SAY_LONG(SSL_has_matching_session_id(ends.server, id, length));
    SAY_LONG(SSL_has_matching_session_id(ends.server, id, length - 1));
    SSL_shutdown(ends.client);
    SSL_shutdown(ends.server);
    others = make_ends(client, server);
    SAY_LONG(SSL_copy_session_id(others.client, ends.client));
    free_ends(&ends);
    handshake(&others);
    say("reused %d", SSL_session_reused(others.client));
    free_ends(&others);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
}

int main(int argc, char **argv)
{
    start(argc, argv);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        printed(version);
        written(version);
    }
    cached();
    copied();
    return finish();
}
