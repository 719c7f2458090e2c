//! Certificates, stores of trusted ones, and parameters of verification.

use std::ptr::NonNull;

use super::libcrypto as ffi;
use super::names;
use super::pkey::Key;

/// Defines an owner of one reference to a counted object of libcrypto.
macro_rules! owned {
    ($(#[$meta:meta])* $name:ident, $raw:ty, $up_ref:path, $free:path) => {
        $(#[$meta])*
        #[derive(Debug)]
        pub(crate) struct $name(std::ptr::NonNull<$raw>);

        // SAFETY: libcrypto counts references to this object atomically, and locks what it changes
        // in it after it was made.
        unsafe impl Send for $name {}
        // SAFETY: as above.
        unsafe impl Sync for $name {}

        impl $name {
            /// Takes over the caller's reference. None for NULL.
            ///
            /// # Safety
            /// `raw` is NULL or a valid object of which the caller gives one reference away.
            pub(crate) unsafe fn from_raw(raw: *mut $raw) -> Option<Self> {
                std::ptr::NonNull::new(raw).map(Self)
            }

            /// Takes a reference of its own. None for NULL.
            ///
            /// # Safety
            /// `raw` is NULL or a valid object.
            #[allow(dead_code, reason = "not every kind of object is shared both ways")]
            pub(crate) unsafe fn from_ref(raw: *mut $raw) -> Option<Self> {
                let raw = std::ptr::NonNull::new(raw)?;
                // SAFETY: the caller passes a valid object.
                unsafe { $up_ref(raw.as_ptr()) };
                Some(Self(raw))
            }

            /// The object, still owned here.
            pub(crate) fn as_ptr(&self) -> *mut $raw {
                self.0.as_ptr()
            }

            /// One more reference, for the caller to own.
            #[allow(dead_code, reason = "not every kind of object is shared both ways")]
            pub(crate) fn to_raw(&self) -> *mut $raw {
                // SAFETY: the object is valid for as long as this owner is.
                unsafe { $up_ref(self.0.as_ptr()) };
                self.0.as_ptr()
            }
        }

        impl Clone for $name {
            fn clone(&self) -> Self {
                // SAFETY: the object is valid for as long as this owner is.
                unsafe { $up_ref(self.0.as_ptr()) };
                Self(self.0)
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: this owner's reference is given back once.
                unsafe { $free(self.0.as_ptr()) };
            }
        }
    };
}
pub(crate) use owned;

owned!(
    /// A certificate.
    Certificate, ffi::X509, ffi::X509_up_ref, ffi::X509_free
);
owned!(
    /// A store of trusted certificates and of CRLs.
    Store, ffi::X509_STORE, ffi::X509_STORE_up_ref, ffi::X509_STORE_free
);

impl Certificate {
    /// Reads a certificate in DER.
    pub(crate) fn from_der(der: &[u8]) -> Option<Self> {
        let length = der.len().try_into().ok()?;
        let mut cursor = der.as_ptr();
        // SAFETY: `cursor` points to `length` readable bytes; the result is a new reference.
        unsafe { Self::from_raw(ffi::d2i_X509(std::ptr::null_mut(), &mut cursor, length)) }
    }

    /// The certificate in DER.
    pub(crate) fn to_der(&self) -> Vec<u8> {
        // SAFETY: with NULL the length is computed; then the buffer has that length.
        unsafe {
            let length = ffi::i2d_X509(self.as_ptr(), std::ptr::null_mut());
            let Ok(size) = usize::try_from(length) else { return Vec::new() };
            let mut der = vec![0; size];
            let mut cursor = der.as_mut_ptr();
            ffi::i2d_X509(self.as_ptr(), &mut cursor);
            der
        }
    }

    /// Whether it is no more than these bytes: trust that was added would be encoded behind them.
    pub(crate) fn is_still(&self, der: &[u8]) -> bool {
        // SAFETY: with NULL the length is computed; then the buffer has that length.
        unsafe {
            let length = ffi::i2d_X509_AUX(self.as_ptr(), std::ptr::null_mut());
            if usize::try_from(length) != Ok(der.len()) {
                return false;
            }
            let mut now = vec![0; der.len()];
            let mut cursor = now.as_mut_ptr();
            ffi::i2d_X509_AUX(self.as_ptr(), &mut cursor) == length && now == der
        }
    }
}

#[cfg(test)]
impl Certificate {
    /// What a program may do with a certificate that it was shown.
    pub(crate) fn trust(&self) {
        // SAFETY: the certificate is valid, and only this thread has it; the object identifier is a
        // static one.
        unsafe {
            let purpose = ffi::OBJ_nid2obj(ffi::NID_server_auth);
            assert_eq!(ffi::X509_add1_trust_object(self.as_ptr(), purpose), 1);
        }
    }
}

impl Certificate {
    /// The key in it.
    pub(crate) fn public_key(&self) -> Option<Key> {
        // SAFETY: the certificate is valid; its key is borrowed, and gets a reference more here.
        unsafe { Key::from_ref(ffi::X509_get0_pubkey(self.as_ptr())) }
    }

    /// The name of its issuer in DER.
    pub(crate) fn issuer(&self) -> Option<Vec<u8>> {
        // SAFETY: the certificate is valid, and the name is its own.
        unsafe { names::der(ffi::X509_get_issuer_name(self.as_ptr())) }
    }
}

impl Store {
    /// An empty store.
    pub(crate) fn new() -> Option<Self> {
        // SAFETY: the result is a new reference, or NULL.
        unsafe { Self::from_raw(ffi::X509_STORE_new()) }
    }
}

/// Parameters of verification, owned by one object and shared with the program by pointer.
#[derive(Debug)]
pub(crate) struct VerifyParam(NonNull<ffi::X509_VERIFY_PARAM>);

// SAFETY: the pointer is handed to the program, which uses it from one thread at a time, as it
// must the object that it belongs to.
unsafe impl Send for VerifyParam {}
// SAFETY: as above.
unsafe impl Sync for VerifyParam {}

impl VerifyParam {
    /// Empty parameters.
    pub(crate) fn new() -> Option<Self> {
        // SAFETY: the result is a new object, or NULL.
        NonNull::new(unsafe { ffi::X509_VERIFY_PARAM_new() }).map(Self)
    }

    /// The parameters, still owned here.
    pub(crate) fn as_ptr(&self) -> *mut ffi::X509_VERIFY_PARAM {
        self.0.as_ptr()
    }
}

impl Drop for VerifyParam {
    fn drop(&mut self) {
        // SAFETY: the object is owned here and freed once.
        unsafe { ffi::X509_VERIFY_PARAM_free(self.0.as_ptr()) };
    }
}
