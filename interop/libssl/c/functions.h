/*
 * The functions of the man page as functions. For C they are macros over SSL_ctrl and its like; a
 * language that has no use for macros looks up symbols of the same names, which our library exports
 * too. Included by harness.h in programs that are compiled with AS_FUNCTIONS, which therefore run on
 * our library only. The types are those of the man page.
 */
#ifndef FUNCTIONS_H
#define FUNCTIONS_H

#include <openssl/ssl.h>

#undef SSL_CTX_set_tlsext_status_cb
#undef SSL_CTX_get_tlsext_status_cb
#undef SSL_CTX_set_tlsext_status_arg
#undef SSL_CTX_get_tlsext_status_arg
#undef SSL_CTX_set_tlsext_status_type
#undef SSL_CTX_get_tlsext_status_type
#undef SSL_set_tlsext_status_type
#undef SSL_get_tlsext_status_type
#undef SSL_get_tlsext_status_ocsp_resp
#undef SSL_set_tlsext_status_ocsp_resp

/* The function of that name; a program that does not find it ends. */
void *look_up(const char *name);

#define LOOKED_UP(name, ...) ((long (*)(__VA_ARGS__))(size_t)look_up(#name))

#define SSL_CTX_set_tlsext_status_cb                                                               \
    LOOKED_UP(SSL_CTX_set_tlsext_status_cb, SSL_CTX *, int (*)(SSL *, void *))
#define SSL_CTX_get_tlsext_status_cb                                                               \
    LOOKED_UP(SSL_CTX_get_tlsext_status_cb, SSL_CTX *, int (**)(SSL *, void *))
#define SSL_CTX_set_tlsext_status_arg LOOKED_UP(SSL_CTX_set_tlsext_status_arg, SSL_CTX *, void *)
#define SSL_CTX_get_tlsext_status_arg LOOKED_UP(SSL_CTX_get_tlsext_status_arg, SSL_CTX *, void **)
#define SSL_CTX_set_tlsext_status_type LOOKED_UP(SSL_CTX_set_tlsext_status_type, SSL_CTX *, int)
#define SSL_CTX_get_tlsext_status_type LOOKED_UP(SSL_CTX_get_tlsext_status_type, SSL_CTX *)
#define SSL_set_tlsext_status_type LOOKED_UP(SSL_set_tlsext_status_type, SSL *, int)
#define SSL_get_tlsext_status_type LOOKED_UP(SSL_get_tlsext_status_type, SSL *)
#define SSL_get_tlsext_status_ocsp_resp                                                            \
    LOOKED_UP(SSL_get_tlsext_status_ocsp_resp, SSL *, unsigned char **)
#define SSL_set_tlsext_status_ocsp_resp                                                            \
    LOOKED_UP(SSL_set_tlsext_status_ocsp_resp, SSL *, unsigned char *, int)

#endif
