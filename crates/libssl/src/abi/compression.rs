//! Compression, `SSL_COMP_add_compression_method(3)`: no connection is compressed. TLS 1.3 has no
//! compression, and in TLS 1.2 it gives away what is encrypted (RFC 7525, 3.3).
//!
//! Programs empty the list of methods at their start, and ask after each handshake, so the answers
//! leave no error behind. The list is kept as it is given; nothing is in it that came from here.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::abi::arguments::{Handle, Opaque};
use crate::abi::guard::exported;
use crate::abi::objects::Ssl;
use crate::sys::libcrypto as ffi;

/// The process's `STACK_OF(SSL_COMP)`: an empty one until a program brings its own.
fn methods() -> &'static Mutex<Opaque> {
    static METHODS: OnceLock<Mutex<Opaque>> = OnceLock::new();
    METHODS.get_or_init(|| {
        // SAFETY: takes nothing; the stack lives as long as the process, or is the program's.
        let empty = unsafe { ffi::OPENSSL_sk_new_null() };
        Mutex::new(Opaque(empty.cast()))
    })
}

exported! {
    fn SSL_get_current_compression(_ssl: Handle<Ssl>) -> *const c_void => ptr::null(), {
        ptr::null()
    }

    fn SSL_get_current_expansion(_ssl: Handle<Ssl>) -> *const c_void => ptr::null(), {
        ptr::null()
    }

    fn SSL_COMP_get_compression_methods() -> *mut c_void => ptr::null_mut(), {
        methods().lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Gives the stack before back to the program.
    fn SSL_COMP_set0_compression_methods(stack: *mut c_void) -> *mut c_void => ptr::null_mut(), {
        let mut methods = methods().lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *methods, Opaque(stack)).0
    }

    fn SSL_COMP_get_name(method: *const ffi::COMP_METHOD) -> *const c_char => ptr::null(), {
        if method.is_null() {
            return ptr::null();
        }
        // SAFETY: the program passes a method of libcrypto's; the name is the method's.
        unsafe { ffi::COMP_get_name(method) }
    }

    /// Only this library makes an `SSL_COMP`, and it makes none.
    fn SSL_COMP_get0_name(_compression: *const c_void) -> *const c_char => ptr::null(), {
        ptr::null()
    }

    /// As `SSL_COMP_get0_name`.
    fn SSL_COMP_get_id(_compression: *const c_void) -> c_int => 0, {
        0
    }
}
