//! The stacks of a `status_request` (RFC 6066, 8): `STACK_OF(OCSP_RESPID)` and
//! `STACK_OF(X509_EXTENSION)`.

use std::ffi::{c_long, c_void};

use super::libcrypto as ffi;

/// Responder ids and request extensions, as a connection holds them; NULL for none.
///
/// The program reaches both through pointers, and may put its own in their place: what is here
/// when the connection ends is freed with it.
#[derive(Debug)]
pub(crate) struct Stacks {
    ids: *mut c_void,
    exts: *mut c_void,
}

// SAFETY: the stacks are reached by the program through the connection; it answers for using them
// from one thread at a time, as everywhere in libssl.
unsafe impl Send for Stacks {}

/// A responder id or extensions that are not DER; libcrypto has queued what is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotDer;

impl Default for Stacks {
    fn default() -> Self {
        Self { ids: std::ptr::null_mut(), exts: std::ptr::null_mut() }
    }
}

impl Stacks {
    /// Decodes what a client has sent: each id, and all extensions together; empty for none.
    pub(crate) fn from_der(ids: &[Vec<u8>], exts: &[u8]) -> Result<Self, NotDer> {
        let mut stacks = Self::default();
        // SAFETY: the stack is new and owned by `stacks` at once; so is each id that is pushed.
        unsafe {
            if !ids.is_empty() {
                stacks.ids = ffi::OPENSSL_sk_new_null().cast();
            }
            for id in ids {
                let id = decode(id, ffi::d2i_OCSP_RESPID, ffi::OCSP_RESPID_free)?;
                if ffi::OPENSSL_sk_push(stacks.ids.cast(), id) <= 0 {
                    ffi::OCSP_RESPID_free(id);
                    return Err(NotDer);
                }
            }
            if !exts.is_empty() {
                stacks.exts = decode(exts, ffi::d2i_X509_EXTENSIONS, free_exts)?;
            }
        }
        Ok(stacks)
    }

    /// The `STACK_OF(OCSP_RESPID)`.
    pub(crate) fn ids(&self) -> *mut c_void {
        self.ids
    }

    /// The `STACK_OF(X509_EXTENSION)`.
    pub(crate) fn exts(&self) -> *mut c_void {
        self.exts
    }

    /// Takes over a stack of the program's. As in OpenSSL, the one before becomes the program's.
    ///
    /// # Safety
    /// `ids` is NULL or a `STACK_OF(OCSP_RESPID)` that the caller gives away.
    pub(crate) unsafe fn set_ids(&mut self, ids: *mut c_void) {
        self.ids = ids;
    }

    /// Takes over a stack of the program's. As in OpenSSL, the one before becomes the program's.
    ///
    /// # Safety
    /// `exts` is NULL or a `STACK_OF(X509_EXTENSION)` that the caller gives away.
    pub(crate) unsafe fn set_exts(&mut self, exts: *mut c_void) {
        self.exts = exts;
    }
}

impl Drop for Stacks {
    fn drop(&mut self) {
        // SAFETY: the stacks are owned here, or NULL, and freed once.
        unsafe {
            ffi::OPENSSL_sk_pop_free(self.ids.cast(), Some(ffi::OCSP_RESPID_free));
            free_exts(self.exts);
        }
    }
}

unsafe extern "C" fn free_exts(exts: *mut c_void) {
    unsafe extern "C" fn free(extension: *mut c_void) {
        // SAFETY: called once for each extension of the stack.
        unsafe { ffi::X509_EXTENSION_free(extension.cast()) };
    }
    // SAFETY: the caller gives the stack away; NULL is allowed.
    unsafe { ffi::OPENSSL_sk_pop_free(exts.cast(), Some(free)) };
}

type Decode =
    unsafe extern "C" fn(*mut *mut c_void, *mut *const std::ffi::c_uchar, c_long) -> *mut c_void;

/// Decodes an object that takes up all of `der`.
fn decode(
    der: &[u8],
    d2i: Decode,
    free: unsafe extern "C" fn(*mut c_void),
) -> Result<*mut c_void, NotDer> {
    let mut position = der.as_ptr();
    let length = c_long::try_from(der.len()).map_err(|_| NotDer)?;
    // SAFETY: `position` points to `length` readable bytes; the object is new.
    unsafe {
        let object = d2i(std::ptr::null_mut(), &raw mut position, length);
        if object.is_null() {
            return Err(NotDer);
        }
        if position != der.as_ptr_range().end {
            free(object);
            return Err(NotDer);
        }
        Ok(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ResponderID by key: [2] EXPLICIT OCTET STRING of one byte.
    const BY_KEY: [u8; 5] = [0xA2, 3, 4, 1, 7];

    #[test]
    fn ids_are_decoded_whole() {
        let stacks = Stacks::from_der(&[BY_KEY.to_vec(), BY_KEY.to_vec()], &[]).unwrap();
        // SAFETY: the stack is valid.
        assert_eq!(unsafe { ffi::OPENSSL_sk_num(stacks.ids().cast()) }, 2);
        assert!(stacks.exts().is_null());
        let mut longer = BY_KEY.to_vec();
        longer.push(0);
        assert!(Stacks::from_der(&[longer], &[]).is_err());
        assert!(Stacks::from_der(&[vec![0xFF; 4]], &[]).is_err());
        assert!(Stacks::from_der(&[], &[0xFF; 4]).is_err());
        super::super::error::clear();
    }
}
