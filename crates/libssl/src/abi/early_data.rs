//! `SSL_CTX_set_max_early_data(3)`: early data of TLS 1.3 (RFC 8446, 2.3) is not offered and not
//! taken, so its greatest size is 0 and nothing else can be set.
//!
//! Programs ask for the size before each handshake, so the answer leaves no error behind.

use std::ffi::{CStr, c_int};

use crate::abi::arguments::Handle;
use crate::abi::guard::exported;
use crate::abi::objects::{Ctx, Ssl};
use crate::sys::error;

/// What a setter answers: success when there is to be none, as there is.
fn set(function: &'static CStr, size: u32) -> c_int {
    if size == 0 {
        return 1;
    }
    error::raise(function, error::UNSUPPORTED, Some("early data is not supported"));
    0
}

exported! {
    fn SSL_CTX_get_max_early_data(_ctx: Handle<Ctx>) -> u32 => 0, {
        0
    }

    fn SSL_CTX_set_max_early_data(_ctx: Handle<Ctx>, size: u32) -> c_int => 0, {
        set(c"SSL_CTX_set_max_early_data", size)
    }

    fn SSL_get_max_early_data(_ssl: Handle<Ssl>) -> u32 => 0, {
        0
    }

    fn SSL_set_max_early_data(_ssl: Handle<Ssl>, size: u32) -> c_int => 0, {
        set(c"SSL_set_max_early_data", size)
    }

    /// `SSL_EARLY_DATA_NOT_SENT`.
    fn SSL_get_early_data_status(_ssl: Handle<Ssl>) -> c_int => 0, {
        0
    }
}
