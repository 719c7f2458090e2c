//! Parameters for finite field Diffie-Hellman: `SSL_CTX_set_tmp_dh_callback(3)`.
//!
//! They are taken as OpenSSL takes them, weak ones refused, and nothing is done with them: the
//! engine has no cipher suite with DHE, so no handshake of OpenSSL's that would use them happens
//! here. Servers set them beside ECDHE for clients of long ago, and do not start when they cannot.

use std::ffi::{CStr, c_int, c_long, c_void};

use crate::abi::arguments::{Handle, Opaque};
use crate::abi::context::HasSettings;
use crate::abi::guard::exported;
use crate::abi::objects::{Ctx, Ssl};
use crate::core::ciphers::security_bits;
use crate::sys::error;
use crate::sys::libcrypto as ffi;
use crate::sys::pkey::Key;
use crate::sys::reasons;

/// The strength that OpenSSL asks of parameters at every level.
const LEAST_BITS: c_int = 80;

/// Whether parameters are strong enough; a reference is taken over when they are.
fn take(object: &impl HasSettings, function: &'static CStr, key: *mut ffi::EVP_PKEY) -> c_int {
    // SAFETY: the program passes NULL, which has no bits, or a valid key.
    let bits = unsafe { ffi::EVP_PKEY_get_security_bits(key) };
    if bits < security_bits(object.settings().security_level).max(LEAST_BITS) {
        error::raise(function, reasons::DH_KEY_TOO_SMALL, None);
        return 0;
    }
    // SAFETY: the program gives its reference to valid parameters away.
    drop(unsafe { Key::from_raw(key) });
    1
}

/// `SSL_CTRL_SET_TMP_DH`: the program keeps its `DH`.
pub(crate) fn set(object: &impl HasSettings, _: c_long, dh: *mut c_void) -> c_long {
    let function = c"SSL_CTX_ctrl";
    if dh.is_null() {
        error::raise(function, error::PASSED_NULL_PARAMETER, None);
        return 0;
    }
    // SAFETY: with this command the program passes a `DH`; the new key is owned here, and has a
    // reference to it.
    let key = unsafe {
        Key::from_raw(ffi::EVP_PKEY_new())
            .filter(|key| ffi::EVP_PKEY_set1_DH(key.as_ptr(), dh) == 1)
    };
    let Some(key) = key else { return 0 };
    let given = key.to_raw();
    let taken = take(object, function, given);
    if taken == 0 {
        // SAFETY: the reference was not taken over.
        drop(unsafe { Key::from_raw(given) });
    }
    taken.into()
}

/// `SSL_CTRL_SET_DH_AUTO`.
pub(crate) fn set_auto(_: &impl HasSettings, _: c_long, _: *mut c_void) -> c_long {
    1
}

exported! {
    fn SSL_CTX_set0_tmp_dh_pkey(ctx: Handle<Ctx>, key: *mut ffi::EVP_PKEY) -> c_int => 0, {
        ctx.get().map_or(0, |ctx| take(ctx, c"SSL_CTX_set0_tmp_dh_pkey", key))
    }

    fn SSL_set0_tmp_dh_pkey(ssl: Handle<Ssl>, key: *mut ffi::EVP_PKEY) -> c_int => 0, {
        ssl.get().map_or(0, |ssl| take(ssl, c"SSL_set0_tmp_dh_pkey", key))
    }

    /// The callback is for suites with DHE, and so never called.
    fn SSL_CTX_set_tmp_dh_callback(_ctx: Handle<Ctx>, _callback: Opaque) -> () => (), {}

    fn SSL_set_tmp_dh_callback(_ssl: Handle<Ssl>, _callback: Opaque) -> () => (), {}
}
