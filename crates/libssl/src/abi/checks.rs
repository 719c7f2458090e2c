//! What a program asks of the peer's certificates besides their chain, `SSL_CTX_set_purpose(3)`
//! and `SSL_CTX_set_trust(3)`; and the callback for passwords of a connection,
//! `SSL_set_default_passwd_cb(3)`.

use std::ffi::{c_int, c_void};

use crate::abi::arguments::{Handle, Opaque};
use crate::abi::guard::exported;
use crate::abi::objects::{Ctx, Ssl};
use crate::sys::libcrypto as ffi;

exported! {
    fn SSL_CTX_set_purpose(ctx: Handle<Ctx>, purpose: c_int) -> c_int => 0, {
        // SAFETY: the parameters are valid and owned by the context.
        ctx.get().map_or(0, |ctx| unsafe {
            ffi::X509_VERIFY_PARAM_set_purpose(ctx.lock().param.as_ptr(), purpose)
        })
    }

    fn SSL_set_purpose(ssl: Handle<Ssl>, purpose: c_int) -> c_int => 0, {
        // SAFETY: the parameters are valid and owned by the connection.
        ssl.get().map_or(0, |ssl| unsafe {
            ffi::X509_VERIFY_PARAM_set_purpose(ssl.lock().param.as_ptr(), purpose)
        })
    }

    fn SSL_CTX_set_trust(ctx: Handle<Ctx>, trust: c_int) -> c_int => 0, {
        // SAFETY: as in `SSL_CTX_set_purpose`.
        ctx.get().map_or(0, |ctx| unsafe {
            ffi::X509_VERIFY_PARAM_set_trust(ctx.lock().param.as_ptr(), trust)
        })
    }

    fn SSL_set_trust(ssl: Handle<Ssl>, trust: c_int) -> c_int => 0, {
        // SAFETY: as in `SSL_set_purpose`.
        ssl.get().map_or(0, |ssl| unsafe {
            ffi::X509_VERIFY_PARAM_set_trust(ssl.lock().param.as_ptr(), trust)
        })
    }

    fn SSL_set_default_passwd_cb(ssl: Handle<Ssl>, callback: ffi::pem_password_cb) -> () => (), {
        if let Some(ssl) = ssl.get() {
            ssl.lock().callbacks.passwd = callback;
        }
    }

    fn SSL_set_default_passwd_cb_userdata(ssl: Handle<Ssl>, data: *mut c_void) -> () => (), {
        if let Some(ssl) = ssl.get() {
            ssl.lock().callbacks.passwd_arg = Opaque(data);
        }
    }

    fn SSL_get_default_passwd_cb(ssl: Handle<Ssl>) -> ffi::pem_password_cb => None, {
        ssl.get().and_then(|ssl| ssl.lock().callbacks.passwd)
    }

    fn SSL_get_default_passwd_cb_userdata(ssl: Handle<Ssl>) -> *mut c_void
        => std::ptr::null_mut(),
    {
        ssl.get().map_or(std::ptr::null_mut(), |ssl| ssl.lock().callbacks.passwd_arg.0)
    }
}
