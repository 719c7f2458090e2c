//! Key exchange by libcrypto on P-521, which the engine does not have. OpenSSL offers the group by
//! default, and in TLS 1.2 a certificate's curve has to be among the groups (RFC 8422, 5.1).

use std::ffi::c_uchar;

use rustls::crypto::kx::{
    ActiveKeyExchange, NamedGroup, SharedSecret, StartedKeyExchange, SupportedKxGroup,
};
use rustls::error::{Error, PeerMisbehaved};
use zeroize::Zeroizing;

use super::error;
use super::libcrypto as ffi;
use super::pkey::Key;

/// secp521r1 (RFC 8446, 4.2.7).
#[derive(Debug)]
pub(crate) struct P521;

impl SupportedKxGroup for P521 {
    fn start(&self) -> Result<StartedKeyExchange, Error> {
        let exchange = error::unchanged(Exchange::new).ok_or(Error::FailedToGetRandomBytes)?;
        Ok(StartedKeyExchange::Single(Box::new(exchange)))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}

/// An ephemeral key.
struct Exchange {
    key: Key,
    public: Vec<u8>,
}

/// A context of an operation on a key, freed at the end.
struct Operation(*mut ffi::EVP_PKEY_CTX);

impl Operation {
    /// None for NULL.
    fn new(raw: *mut ffi::EVP_PKEY_CTX) -> Option<Self> {
        (!raw.is_null()).then_some(Self(raw))
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        // SAFETY: the context is owned here and freed once.
        unsafe { ffi::EVP_PKEY_CTX_free(self.0) };
    }
}

impl Exchange {
    fn new() -> Option<Self> {
        // SAFETY: the context is checked and freed; the new key is owned here.
        let key = unsafe {
            let null = std::ptr::null_mut();
            let making = Operation::new(ffi::EVP_PKEY_CTX_new_id(ffi::EVP_PKEY_EC, null))?;
            let mut key = std::ptr::null_mut();
            if ffi::EVP_PKEY_keygen_init(making.0) != 1
                || ffi::EVP_PKEY_CTX_set_ec_paramgen_curve_nid(making.0, ffi::NID_secp521r1) != 1
                || ffi::EVP_PKEY_keygen(making.0, &mut key) != 1
            {
                return None;
            }
            Key::from_raw(key)?
        };
        let mut encoded: *mut c_uchar = std::ptr::null_mut();
        // SAFETY: the key is valid; the bytes are libcrypto's, copied and freed once.
        let public = unsafe {
            let length = ffi::EVP_PKEY_get1_encoded_public_key(key.as_ptr(), &mut encoded);
            if length == 0 || encoded.is_null() {
                return None;
            }
            let public = std::slice::from_raw_parts(encoded, length).to_vec();
            ffi::OPENSSL_free(encoded.cast());
            public
        };
        Some(Self { key, public })
    }

    /// The shared secret. None when the peer's key is not a point of the curve.
    fn derive(&self, peer: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        /// An uncompressed point (RFC 8446, 4.2.8.2).
        const UNCOMPRESSED: u8 = 4;
        if peer.len() != self.public.len() || peer.first() != Some(&UNCOMPRESSED) {
            return None;
        }
        // SAFETY: all objects are valid and freed once; the secret has the length that
        // EVP_PKEY_derive asks for.
        unsafe {
            let public = Key::from_raw(ffi::EVP_PKEY_new())?;
            if ffi::EVP_PKEY_copy_parameters(public.as_ptr(), self.key.as_ptr()) != 1
                || ffi::EVP_PKEY_set1_encoded_public_key(public.as_ptr(), peer.as_ptr(), peer.len())
                    != 1
            {
                return None;
            }
            let null = std::ptr::null_mut();
            let deriving = Operation::new(ffi::EVP_PKEY_CTX_new(self.key.as_ptr(), null))?;
            let mut length = 0;
            if ffi::EVP_PKEY_derive_init(deriving.0) != 1
                || ffi::EVP_PKEY_derive_set_peer(deriving.0, public.as_ptr()) != 1
                || ffi::EVP_PKEY_derive(deriving.0, null.cast(), &mut length) != 1
            {
                return None;
            }
            let mut secret = Zeroizing::new(vec![0; length]);
            let derived = ffi::EVP_PKEY_derive(deriving.0, secret.as_mut_ptr(), &mut length);
            (derived == 1 && length == secret.len()).then_some(secret)
        }
    }
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer_pub_key: &[u8]) -> Result<SharedSecret, Error> {
        let secret = error::unchanged(|| self.derive(peer_pub_key));
        let secret = secret.ok_or(PeerMisbehaved::InvalidKeyShare)?;
        Ok(SharedSecret::from(secret.as_slice()))
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_have_the_same_secret() {
        let (one, other) = (Exchange::new().unwrap(), Exchange::new().unwrap());
        let secret = one.derive(&other.public).unwrap();
        assert_eq!(secret.len(), 66);
        assert_eq!(*secret, *other.derive(&one.public).unwrap());
        assert_ne!(one.public, other.public);
    }

    #[test]
    fn a_key_that_is_no_point_is_refused() {
        let one = Exchange::new().unwrap();
        let mut off_curve = Exchange::new().unwrap().public;
        off_curve[70] ^= 1;
        let mut compressed = off_curve.clone();
        compressed[0] = 2;
        for peer in [&[][..], &[4], &off_curve, &compressed, &[0; 133], &[4; 133]] {
            assert!(one.derive(peer).is_none(), "{peer:x?}");
            let error = Box::new(Exchange::new().unwrap()).complete(peer).map(|_| ());
            assert_eq!(error, Err(PeerMisbehaved::InvalidKeyShare.into()));
        }
    }
}
