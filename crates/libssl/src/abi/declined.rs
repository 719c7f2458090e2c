//! What a program may switch off, and not on: external PSK (RFC 8446, 4.2.11) and the padding of
//! records (RFC 8446, 5.4). `SSL_CTX_set_psk_client_callback(3)`,
//! `SSL_CTX_set_record_padding_callback(3)`.
//!
//! Who switches it on relies on it: on a key instead of a certificate, on lengths that do not show.
//! So that is refused aloud, also by functions that return nothing; switching it off is what is.

use std::ffi::{CStr, c_char, c_int, c_void};

use crate::abi::arguments::{Handle, Opaque, int};
use crate::abi::guard::exported;
use crate::abi::objects::{Ctx, Ssl};
use crate::sys::error;

const PSK: &str = "external PSK is not in the TLS engine";
const PADDING: &str = "record padding is not in the TLS engine";

/// Whether it is off, as it must be; otherwise the queue says why.
fn stays_off(function: &'static CStr, off: bool, why: &str) -> bool {
    if !off {
        error::raise(function, error::UNSUPPORTED, Some(why));
    }
    off
}

/// Setters of callbacks, which are off with NULL.
macro_rules! callbacks {
    ($($name:ident($object:ty), $text:literal, $why:ident;)*) => {
        exported! {$(
            fn $name(_object: Handle<$object>, callback: *const c_void) -> () => (), {
                stays_off($text, callback.is_null(), $why);
            }
        )*}
    };
}

callbacks! {
    SSL_CTX_set_psk_client_callback(Ctx), c"SSL_CTX_set_psk_client_callback", PSK;
    SSL_set_psk_client_callback(Ssl), c"SSL_set_psk_client_callback", PSK;
    SSL_CTX_set_psk_server_callback(Ctx), c"SSL_CTX_set_psk_server_callback", PSK;
    SSL_set_psk_server_callback(Ssl), c"SSL_set_psk_server_callback", PSK;
    SSL_CTX_set_psk_find_session_callback(Ctx), c"SSL_CTX_set_psk_find_session_callback", PSK;
    SSL_set_psk_find_session_callback(Ssl), c"SSL_set_psk_find_session_callback", PSK;
    SSL_CTX_set_psk_use_session_callback(Ctx), c"SSL_CTX_set_psk_use_session_callback", PSK;
    SSL_set_psk_use_session_callback(Ssl), c"SSL_set_psk_use_session_callback", PSK;
    SSL_CTX_set_record_padding_callback(Ctx), c"SSL_CTX_set_record_padding_callback", PADDING;
}

/// Whether a block is padded to, by its size.
pub(crate) fn block_padding(function: &'static CStr, size: usize) -> c_int {
    int(stays_off(function, size <= 1, PADDING))
}

exported! {
    fn SSL_CTX_use_psk_identity_hint(_ctx: Handle<Ctx>, hint: *const c_char) -> c_int => 0, {
        int(stays_off(c"SSL_CTX_use_psk_identity_hint", hint.is_null(), PSK))
    }

    fn SSL_use_psk_identity_hint(_ssl: Handle<Ssl>, hint: *const c_char) -> c_int => 0, {
        int(stays_off(c"SSL_use_psk_identity_hint", hint.is_null(), PSK))
    }

    fn SSL_set_record_padding_callback(_ssl: Handle<Ssl>, callback: *const c_void) -> c_int => 0, {
        int(stays_off(c"SSL_set_record_padding_callback", callback.is_null(), PADDING))
    }

    fn SSL_CTX_set_block_padding(_ctx: Handle<Ctx>, size: usize) -> c_int => 0, {
        block_padding(c"SSL_CTX_set_block_padding", size)
    }

    fn SSL_set_block_padding(_ssl: Handle<Ssl>, size: usize) -> c_int => 0, {
        block_padding(c"SSL_set_block_padding", size)
    }

    fn SSL_CTX_set_record_padding_callback_arg(ctx: Handle<Ctx>, value: *mut c_void) -> () => (), {
        if let Some(ctx) = ctx.get() {
            ctx.lock().callbacks.padding_arg = Opaque(value);
        }
    }

    fn SSL_set_record_padding_callback_arg(ssl: Handle<Ssl>, value: *mut c_void) -> () => (), {
        if let Some(ssl) = ssl.get() {
            ssl.lock().callbacks.padding_arg = Opaque(value);
        }
    }

    fn SSL_CTX_get_record_padding_callback_arg(ctx: Handle<Ctx>) -> *mut c_void
        => std::ptr::null_mut(),
    {
        ctx.get().map_or(std::ptr::null_mut(), |ctx| ctx.lock().callbacks.padding_arg.0)
    }

    fn SSL_get_record_padding_callback_arg(ssl: Handle<Ssl>) -> *mut c_void
        => std::ptr::null_mut(),
    {
        ssl.get().map_or(std::ptr::null_mut(), |ssl| ssl.lock().callbacks.padding_arg.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reason that a call leaves in an empty queue.
    fn left(call: impl FnOnce()) -> Option<c_int> {
        error::clear();
        call();
        let reason = error::last_reason();
        error::clear();
        reason
    }

    #[test]
    fn switching_on_is_heard_and_switching_off_is_not() {
        let callback = std::ptr::dangling();
        // SAFETY: the functions compare the pointer with NULL and do not follow it.
        unsafe {
            let set = |callback| left(|| SSL_CTX_set_psk_client_callback(Handle::NULL, callback));
            assert_eq!(set(callback), Some(error::UNSUPPORTED));
            assert_eq!(set(std::ptr::null()), None);
            let set =
                |callback| left(|| SSL_CTX_set_record_padding_callback(Handle::NULL, callback));
            assert_eq!(set(callback), Some(error::UNSUPPORTED));
            assert_eq!(set(std::ptr::null()), None);
            let pad = |size| {
                left(|| {
                    SSL_CTX_set_block_padding(Handle::NULL, size);
                })
            };
            assert_eq!(
                [0, 1, 2, 128].map(pad),
                [None, None, Some(error::UNSUPPORTED), Some(error::UNSUPPORTED)]
            );
        }
    }
}
