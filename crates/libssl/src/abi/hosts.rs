//! The names that a peer's certificate must be for: `SSL_set1_host(3)`. libcrypto compares them
//! while it verifies.

use std::ffi::{CStr, c_char, c_int, c_uint};

use crate::abi::arguments::{Handle, Text};
use crate::abi::guard::exported;
use crate::abi::objects::Ssl;
use crate::sys::libcrypto as ffi;

/// Whether this is an address as text, which libcrypto keeps apart from names.
fn is_address(name: &CStr) -> bool {
    // SAFETY: the name is a string of C; the address is new, and freed here.
    unsafe {
        let address = ffi::a2i_IPADDRESS(name.as_ptr());
        ffi::ASN1_STRING_free(address);
        !address.is_null()
    }
}

exported! {
    /// Replaces the names, or the address.
    fn SSL_set1_host(ssl: Handle<Ssl>, name: Text) -> c_int => 0, {
        let Some(ssl) = ssl.get() else { return 0 };
        let (state, text) = (ssl.lock(), name.as_ptr());
        // SAFETY: the parameters are valid and the connection's, which is locked; with length 0
        // the name is NULL or a string of C.
        unsafe {
            let param = state.param.as_ptr();
            if name.get().is_some() && ffi::X509_VERIFY_PARAM_set1_ip_asc(param, text) == 1 {
                return 1;
            }
            ffi::X509_VERIFY_PARAM_set1_host(param, text, 0)
        }
    }

    /// One more name; an address only when there is none yet.
    fn SSL_add1_host(ssl: Handle<Ssl>, name: Text) -> c_int => 0, {
        let Some(ssl) = ssl.get() else { return 0 };
        let (state, text) = (ssl.lock(), name.as_ptr());
        // SAFETY: as above; the text of an address is new, and freed here.
        unsafe {
            let param = state.param.as_ptr();
            if !name.get().is_some_and(is_address) {
                return ffi::X509_VERIFY_PARAM_add1_host(param, text, 0);
            }
            let address = ffi::X509_VERIFY_PARAM_get1_ip_asc(param);
            if address.is_null() {
                return ffi::X509_VERIFY_PARAM_set1_ip_asc(param, text);
            }
            ffi::CRYPTO_free(address.cast(), c"certstatus-libssl".as_ptr(), 0);
            0
        }
    }

    fn SSL_set_hostflags(ssl: Handle<Ssl>, flags: c_uint) -> () => (), {
        if let Some(ssl) = ssl.get() {
            // SAFETY: the parameters are valid.
            unsafe { ffi::X509_VERIFY_PARAM_set_hostflags(ssl.lock().param.as_ptr(), flags) };
        }
    }

    fn SSL_get0_peername(ssl: Handle<Ssl>) -> *const c_char => std::ptr::null(), {
        // SAFETY: the parameters are valid; the string stays theirs.
        ssl.get().map_or(std::ptr::null(), |ssl| unsafe {
            ffi::X509_VERIFY_PARAM_get0_peername(ssl.lock().param.as_ptr())
        })
    }
}
