//! Stacks of libcrypto's objects: `STACK_OF(X509)` and the like.

use std::ffi::c_void;
use std::ptr::NonNull;

use super::libcrypto as ffi;
use super::x509::Certificate;

/// A `STACK_OF(X509)` that owns its certificates.
#[derive(Debug)]
pub(crate) struct Chain(NonNull<ffi::stack_st_X509>);

// SAFETY: the stack is not changed after it was made here, and its certificates are counted.
unsafe impl Send for Chain {}
// SAFETY: as above.
unsafe impl Sync for Chain {}

impl Chain {
    /// A stack of these certificates, each with a reference of its own.
    pub(crate) fn new<'a>(certificates: impl IntoIterator<Item = &'a Certificate>) -> Option<Self> {
        // SAFETY: the stack is new; each pushed pointer carries a reference that the stack owns.
        unsafe {
            let stack = Self(NonNull::new(ffi::OPENSSL_sk_new_null().cast())?);
            for certificate in certificates {
                let raw = certificate.to_raw();
                if ffi::OPENSSL_sk_push(stack.0.as_ptr().cast(), raw.cast()) <= 0 {
                    ffi::X509_free(raw);
                    return None;
                }
            }
            Some(stack)
        }
    }

    /// Takes over a stack with its certificates. None for NULL.
    ///
    /// # Safety
    /// `raw` is NULL or a stack that the caller owns with a reference to each certificate.
    pub(crate) unsafe fn from_raw(raw: *mut ffi::stack_st_X509) -> Option<Self> {
        NonNull::new(raw).map(Self)
    }

    /// The stack, still owned here.
    pub(crate) fn as_ptr(&self) -> *mut ffi::stack_st_X509 {
        self.0.as_ptr()
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        unsafe extern "C" fn free(certificate: *mut c_void) {
            // SAFETY: called once for each certificate of the stack, with the stack's reference.
            unsafe { ffi::X509_free(certificate.cast()) };
        }
        // SAFETY: the stack is owned here and freed once.
        unsafe { ffi::OPENSSL_sk_pop_free(self.0.as_ptr().cast(), Some(free)) };
    }
}

/// The certificates of a borrowed `STACK_OF(X509)`, each with a reference of its own.
///
/// # Safety
/// `stack` is NULL or a valid stack of certificates that no one changes meanwhile.
pub(crate) unsafe fn certificates(stack: *const ffi::stack_st_X509) -> Vec<Certificate> {
    if stack.is_null() {
        return Vec::new();
    }
    // SAFETY: the caller passes a valid stack; indices are in range.
    unsafe {
        (0..ffi::OPENSSL_sk_num(stack.cast()))
            .filter_map(|i| Certificate::from_ref(ffi::OPENSSL_sk_value(stack.cast(), i).cast()))
            .collect()
    }
}
