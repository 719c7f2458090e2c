//! Starting the library: `OPENSSL_init_ssl(3)`, `ERR_load_SSL_strings`.

use std::ffi::{c_int, c_void};

use crate::abi::guard::exported;
use crate::sys::error;
use crate::sys::libcrypto as ffi;

/// `OPENSSL_INIT_LOAD_CRYPTO_STRINGS`, which libssl's start implies.
const LOAD_CRYPTO_STRINGS: u64 = 0x02;
/// `OPENSSL_INIT_ADD_ALL_CIPHERS` and `OPENSSL_INIT_ADD_ALL_DIGESTS`.
const ADD_ALL: u64 = 0x04 | 0x08;

/// `OPENSSL_INIT_LOAD_CONFIG`, and the option to leave it out.
const LOAD_CONFIG: u64 = 0x40;
const NO_LOAD_CONFIG: u64 = 0x80;

exported! {
    fn OPENSSL_init_ssl(opts: u64, settings: *const c_void) -> c_int => 0, {
        let config = if opts & NO_LOAD_CONFIG == 0 { LOAD_CONFIG } else { 0 };
        // SAFETY: the caller passes settings made by OPENSSL_INIT_new, or NULL; libcrypto reads
        // them and no more.
        let started = unsafe {
            ffi::OPENSSL_init_crypto(opts | config | ADD_ALL | LOAD_CRYPTO_STRINGS, settings)
        };
        if started == 1 {
            error::load_strings();
        }
        started
    }

    fn ERR_load_SSL_strings() -> c_int => 0, {
        error::load_strings();
        1
    }
}
