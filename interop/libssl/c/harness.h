/*
 * What the conformance programs share: cases, the transcript, and two ends of a connection in one
 * process.
 *
 * A program prints a transcript in which nothing depends on time, chance or addresses, so that the
 * transcripts of two libraries can be compared line by line. It is a list of cases; each begins
 * with the line `== NAME`.
 *
 *     PROGRAM DIRECTORY                 all cases
 *     PROGRAM DIRECTORY --list          the names of all cases
 *     PROGRAM DIRECTORY --only NAME     one case
 *     PROGRAM DIRECTORY --cases FILE    the cases whose names are the lines of that file
 *
 * DIRECTORY has the certificates: `server/`, `other/`, `client/`, `rsa/`, `expired/` and
 * `stranger/`, each with `chain.pem`, `key.pem` and `root.pem`; `stranger/` is of another root. `CASE_SECONDS` in the
 * environment says after how long a case that hangs ends the process.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stddef.h>

#ifdef AS_FUNCTIONS
#include "functions.h"
#endif

/* --- cases and transcript ------------------------------------------------------------------- */

/* Reads the arguments; says on standard error which file the functions of libssl come from. */
void start(int argc, char **argv);

/* Begins a case, and ends the one before; 0 when the arguments leave it out. */
int begin(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ends the last case; the exit code of the program. */
int finish(void);

/* Writes a line. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes what the error queue holds, oldest first, and empties it. */
void say_errors(const char *whose);

/* Writes a value that is only of interest as there or not there. */
#define SAY_PRESENT(what) say("%s: %s", #what, (what) != NULL ? "there" : "NULL")
#define SAY_LONG(what) say("%s = %ld", #what, (long)(what))

/* Ends the program: the test itself is broken. */
void broken(const char *what) __attribute__((noreturn));

/* --- contexts ------------------------------------------------------------------------------- */

/* The path of a file in the directory; valid until the next call. */
const char *path_of(const char *who, const char *name);

/* A client that speaks one version, trusts the root of `server` and verifies; alerts are said. */
SSL_CTX *client_context(int version);

/* A server that speaks one version and has the certificate of `who`; alerts are said. */
SSL_CTX *server_context(int version, const char *who);

/* Gives a context a certificate chain and its key. */
void use_certificate(SSL_CTX *context, const char *who);

/* Says alerts; the info callback of the contexts above. */
void say_alerts(const SSL *ssl, int where, int value);

/* `TLSv1.2` or `TLSv1.3`. */
const char *version_name(int version);

/* --- connections ---------------------------------------------------------------------------- */

/* Both ends of a connection over two memory BIOs, which the ends own. */
struct ends {
    SSL *client;
    SSL *server;
    BIO *to_server;
    BIO *to_client;
};

struct ends make_ends(SSL_CTX *client, SSL_CTX *server);
void free_ends(struct ends *ends);

enum progress { WAITING, DONE, FAILED };

/* One call of SSL_do_handshake; a failure is said. */
enum progress step(SSL *ssl);

/* Drives both ends until they are done, have failed or wait for each other; says how each ended;
 * then has each read once, so that tickets and late alerts arrive. 1 when both are done. */
int handshake(struct ends *ends);

/* make_ends, handshake, free_ends. */
int connect_once(SSL_CTX *client, SSL_CTX *server);

/* `client` or `server`. */
const char *side(const SSL *ssl);

/* Says what a call returned and, when it failed, SSL_get_error and the error queue. */
void say_result(const SSL *ssl, const char *call, int returned);

/* The name of what SSL_get_error returns. */
const char *error_name(int error);

/* --- responses ------------------------------------------------------------------------------ */

/* An OPENSSL_malloc'ed response of that size, with bytes that tell it from others. */
unsigned char *new_response(size_t size, unsigned char seed);

/* Sets new_response on a connection; what SSL_set_tlsext_status_ocsp_resp returns. */
long set_response(SSL *ssl, size_t size, unsigned char seed);

/* Says what SSL_get_tlsext_status_ocsp_resp gives. */
void say_response(SSL *ssl, const char *when);

#endif
