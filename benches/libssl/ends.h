/*
 * What the cases of bench.c stand on: the two ends of a connection, over memory BIOs or a socket
 * pair, and what their calls of libssl have cost.
 *
 * Whatever goes wrong here ends the program with the line `failed WHAT: WHY`.
 */
#ifndef ENDS_H
#define ENDS_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

/* What the arguments of the program ask for. */
struct setting {
    const char *directory;
    int version;
    /* The client asks for a staple and the server has one. */
    int stapled;
    /* The server's context has a callback that switches to another one by the client's name. */
    int named;
    /* Each connection of the client is the first of its context. */
    int first;
    /* The client keeps its last session and offers it to the next connection. */
    int resumes;
    /* The only cipher suite, or NULL for what a context has by itself. */
    const char *suite;
    /* The heap is measured too; that takes a while, which counts as no one's time. */
    int counts_heap;
};

extern struct setting setting;

/* The session that the client offers next, or NULL. */
extern SSL_SESSION *session;

/* How many responses have reached the client's status callback, each as long as the one sent. */
extern unsigned long staples_seen;

/* One end of a connection, and what its calls have cost. */
struct end {
    const char *name;
    SSL_CTX *context;
    SSL *ssl;
    /* What this end reads from and the other one writes to; NULL over a socket. */
    BIO *input;
    /* The end of a socket pair, or -1 where memory BIOs do. */
    int socket;
    int done;
    /* Nanoseconds of CPU time, and bytes by which the heap has grown. */
    uint64_t spent, entered;
    int64_t heap, heap_before;
};

void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* What runs between enter and leave is at the cost of that end. */
void enter(struct end *end);
void leave(struct end *end);

/* How much of the process is in memory, in bytes. */
int64_t resident(void);

/* Reads the response; the contexts of both ends need it. */
void read_response(void);
void forget_response(void);

SSL_CTX *client_context(void);
SSL_CTX *server_context(void);

/* Frees the context that the server switches to, if there is one. */
void forget_virtual_host(void);

/* Gives a client a new context in the place of its own; at its cost. */
void renew_client_context(struct end *client);

/* Both ends' connection from SSL_new to the tickets that the client reads behind the handshake. */
void open_connection(struct end *client, struct end *server);

/* close_notify from both, and SSL_free. */
void close_connection(struct end *client, struct end *server);

void write_all(struct end *end, const char *data, int length);
void read_all(struct end *end, char *data, int length);

#endif
