//! `SSL_get_current_compression(3)`: no connection is compressed. TLS 1.3 has no compression, and in
//! TLS 1.2 it gives away what is encrypted (RFC 7525, 3.3).
//!
//! Programs ask after each handshake, so the answer leaves no error behind.

use std::ffi::c_void;
use std::ptr;

use crate::abi::arguments::Handle;
use crate::abi::guard::exported;
use crate::abi::objects::Ssl;

exported! {
    fn SSL_get_current_compression(_ssl: Handle<Ssl>) -> *const c_void => ptr::null(), {
        ptr::null()
    }

    fn SSL_get_current_expansion(_ssl: Handle<Ssl>) -> *const c_void => ptr::null(), {
        ptr::null()
    }
}
