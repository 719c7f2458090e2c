//! Chains built from stores of trusted certificates.

use std::ffi::{CStr, c_int};

use super::libcrypto as ffi;
use super::stack::{Chain, certificates};
use super::x509::{Certificate, Store};

/// A chain that libcrypto has built, the certificate itself first.
#[derive(Debug)]
pub(crate) struct Built {
    /// The chain, as far as there were issuers.
    pub(crate) chain: Vec<Certificate>,
    /// An `X509_V_ERR_*` when the chain does not verify.
    pub(crate) error: Option<c_int>,
}

/// Builds the chain of a certificate with the issuers in `store`, and those in `untrusted` if any.
/// libcrypto's reasons for a chain that does not verify stay in the error queue. None when memory is
/// out.
///
/// Calls the program's callbacks of the store: no lock may be held.
pub(crate) fn build(store: &Store, own: &Certificate, untrusted: Option<&Chain>) -> Option<Built> {
    let untrusted = untrusted.map_or(std::ptr::null_mut(), Chain::as_ptr);
    // SAFETY: the objects live for the whole verification; the context is freed once, and the chain
    // is the caller's.
    unsafe {
        let context = ffi::X509_STORE_CTX_new();
        if context.is_null() {
            return None;
        }
        let ready = ffi::X509_STORE_CTX_init(context, store.as_ptr(), own.as_ptr(), untrusted) == 1;
        let built = ready.then(|| {
            let verified = ffi::X509_verify_cert(context) > 0;
            let chain = Chain::from_raw(ffi::X509_STORE_CTX_get1_chain(context));
            Built {
                chain: chain.map(|chain| certificates(chain.as_ptr())).unwrap_or_default(),
                error: (!verified).then(|| ffi::X509_STORE_CTX_get_error(context)),
            }
        });
        ffi::X509_STORE_CTX_free(context);
        built
    }
}

/// libcrypto's words for an `X509_V_ERR_*`.
pub(crate) fn words(error: c_int) -> String {
    // SAFETY: the result is a static string.
    let words = unsafe { CStr::from_ptr(ffi::X509_verify_cert_error_string(error.into())) };
    words.to_string_lossy().into_owned()
}

impl Certificate {
    /// Whether it is signed by itself.
    pub(crate) fn is_self_signed(&self) -> bool {
        // SAFETY: the certificate is valid.
        unsafe { ffi::X509_get_extension_flags(self.as_ptr()) & ffi::EXFLAG_SS != 0 }
    }
}
