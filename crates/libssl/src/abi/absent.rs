//! What no connection of this library has, and programs ask for after each handshake all the same.
//!
//! The answers are those of an OpenSSL in which it is not switched on, and leave no error behind:
//! one in the queue would make `SSL_get_error(3)` call the next retry a failure. What switches it
//! on is refused.

use std::ffi::{c_int, c_long, c_uchar, c_uint, c_void};
use std::ptr;

use crate::abi::arguments::{Handle, Opaque, Out};
use crate::abi::guard::exported;
use crate::abi::objects::{Ctx, Ssl};

exported! {
    fn SSL_ct_is_enabled(_ssl: Handle<Ssl>) -> c_int => 0, {
        0
    }

    fn SSL_CTX_ct_is_enabled(_ctx: Handle<Ctx>) -> c_int => 0, {
        0
    }

    /// No TLSA record has matched.
    fn SSL_get0_dane_authority(_ssl: Handle<Ssl>, _cert: Opaque, _key: Opaque) -> c_int => -1, {
        -1
    }

    fn SSL_get_selected_srtp_profile(_ssl: Handle<Ssl>) -> *const c_void => ptr::null(), {
        ptr::null()
    }

    fn SSL_get0_next_proto_negotiated(
        _ssl: Handle<Ssl>,
        protocol: Out<*const c_uchar>,
        length: Out<c_uint>,
    ) -> () => (), {
        protocol.set(ptr::null());
        length.set(0);
    }
}

/// A command that asks for what the engine does not show: 0, as where there is none.
pub(crate) fn not_shown(_: &Ssl, _: c_long, _: *mut c_void) -> c_long {
    0
}
