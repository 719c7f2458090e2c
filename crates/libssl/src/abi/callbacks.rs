//! The program's functions, by their C types, as contexts and connections hold them.
//!
//! To add one: its type here, a field in [`Callbacks`], the setter in its family's file.

use std::ffi::{c_char, c_int, c_uchar, c_uint, c_void};

use crate::abi::arguments::{Handle, Opaque};
use crate::abi::objects::{Ctx, Ssl};
use crate::sys::libcrypto as ffi;

/// `int (*)(SSL *, void *)`: `SSL_CTX_set_tlsext_status_cb(3)`.
pub(crate) type StatusCb = unsafe extern "C" fn(Handle<Ssl>, *mut c_void) -> c_int;
/// `int (*)(SSL *, int *, void *)`: `SSL_CTX_set_tlsext_servername_callback(3)`.
pub(crate) type ServernameCb = unsafe extern "C" fn(Handle<Ssl>, *mut c_int, *mut c_void) -> c_int;
/// `int (*)(SSL *, void *)`: `SSL_CTX_set_cert_cb(3)`.
pub(crate) type CertCb = unsafe extern "C" fn(Handle<Ssl>, *mut c_void) -> c_int;
/// `int (*)(SSL *, X509 **, EVP_PKEY **)`: `SSL_CTX_set_client_cert_cb(3)`.
pub(crate) type ClientCertCb =
    unsafe extern "C" fn(Handle<Ssl>, *mut *mut ffi::X509, *mut *mut ffi::EVP_PKEY) -> c_int;
/// `int (*)(SSL *, int)`: `SSL_CTX_set_not_resumable_session_callback`.
pub(crate) type NotResumableCb = unsafe extern "C" fn(Handle<Ssl>, c_int) -> c_int;
/// `int (*)(SSL *, int *, void *)`: `SSL_CTX_set_client_hello_cb(3)`.
pub(crate) type ClientHelloCb = unsafe extern "C" fn(Handle<Ssl>, *mut c_int, *mut c_void) -> c_int;
/// `SSL_CTX_alpn_select_cb_func`: `SSL_CTX_set_alpn_select_cb(3)`.
pub(crate) type AlpnSelectCb = unsafe extern "C" fn(
    Handle<Ssl>,
    *mut *const c_uchar,
    *mut c_uchar,
    *const c_uchar,
    c_uint,
    *mut c_void,
) -> c_int;
/// `SSL_verify_cb`: `SSL_CTX_set_verify(3)`.
pub(crate) type VerifyCb = ffi::X509_STORE_CTX_verify_cb;
/// `int (*)(X509_STORE_CTX *, void *)`: `SSL_CTX_set_cert_verify_callback(3)`.
pub(crate) type CertVerifyCb = unsafe extern "C" fn(*mut ffi::X509_STORE_CTX, *mut c_void) -> c_int;
/// `void (*)(const SSL *, int, int)`: `SSL_CTX_set_info_callback(3)`.
pub(crate) type InfoCb = unsafe extern "C" fn(Handle<Ssl>, c_int, c_int);
/// `void (*)(int, int, int, const void *, size_t, SSL *, void *)`: `SSL_CTX_set_msg_callback(3)`.
pub(crate) type MsgCb =
    unsafe extern "C" fn(c_int, c_int, c_int, *const c_void, usize, Handle<Ssl>, *mut c_void);
/// `void (*)(SSL *, int, int, const unsigned char *, int, void *)`:
/// `SSL_set_tlsext_debug_callback`.
pub(crate) type ExtensionCb =
    unsafe extern "C" fn(Handle<Ssl>, c_int, c_int, *const c_uchar, c_int, *mut c_void);
/// `SSL_CTX_keylog_cb_func`: `SSL_CTX_set_keylog_callback(3)`.
pub(crate) type KeylogCb = unsafe extern "C" fn(Handle<Ssl>, *const c_char);
/// `int (*)(const SSL *, const SSL_CTX *, int, int, int, void *, void *)`:
/// `SSL_CTX_set_security_callback(3)`.
pub(crate) type SecurityCb = unsafe extern "C" fn(
    Handle<Ssl>,
    Handle<Ctx>,
    c_int,
    c_int,
    c_int,
    *mut c_void,
    *mut c_void,
) -> c_int;

/// The callbacks of a context; a connection has a copy of those that it takes over at `SSL_new`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Callbacks {
    /// Read from the context that is current when the callback is due.
    pub(crate) status: Option<StatusCb>,
    pub(crate) status_arg: Opaque,
    pub(crate) servername: Option<ServernameCb>,
    pub(crate) servername_arg: Opaque,
    pub(crate) client_hello: Option<ClientHelloCb>,
    pub(crate) client_hello_arg: Opaque,
    pub(crate) alpn_select: Option<AlpnSelectCb>,
    pub(crate) alpn_select_arg: Opaque,
    pub(crate) cert_verify: Option<CertVerifyCb>,
    pub(crate) cert_verify_arg: Opaque,
    pub(crate) keylog: Option<KeylogCb>,
    pub(crate) client_cert: Option<ClientCertCb>,
    /// Taken over by connections.
    pub(crate) cert: Option<CertCb>,
    pub(crate) cert_arg: Opaque,
    pub(crate) not_resumable: Option<NotResumableCb>,
    pub(crate) verify: VerifyCb,
    /// None for the default one.
    pub(crate) security: Option<SecurityCb>,
    pub(crate) security_data: Opaque,
    /// Of a callback that cannot be set: `SSL_CTX_set_record_padding_callback(3)`.
    pub(crate) padding_arg: Opaque,
    pub(crate) info: Option<InfoCb>,
    pub(crate) msg: Option<MsgCb>,
    pub(crate) msg_arg: Opaque,
    /// Of connections only.
    pub(crate) extension: Option<ExtensionCb>,
    pub(crate) extension_arg: Opaque,
    pub(crate) passwd: ffi::pem_password_cb,
    pub(crate) passwd_arg: Opaque,
}
