//! Private keys of libcrypto that sign in handshakes.
//!
//! A key that libcrypto can export signs in rustls's provider. One that it cannot (an engine's, a
//! provider's, a module's), or that the provider does not take (RSA below 2048 bits or of odd sizes,
//! RSASSA-PSS, Ed448), signs through EVP. The same keys of peers are verified with here.

use std::ffi::{CStr, c_int};
use std::sync::Arc;

use rustls::crypto::kx::NamedGroup;
use rustls::crypto::{SignatureScheme, Signer, SigningKey};
use rustls::error::Error;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use rustls_aws_lc_rs::DEFAULT_KEY_PROVIDER;

use super::error;
use super::libcrypto as ffi;
use super::x509::owned;

owned!(
    /// A key.
    Key, ffi::EVP_PKEY, ffi::EVP_PKEY_up_ref, ffi::EVP_PKEY_free
);

/// A kind of key, as certificates are sorted by: one of each kind per context.
///
/// The order is OpenSSL's, in which a program goes through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Rsa,
    RsaPss,
    Ec,
    Ed25519,
    Ed448,
}

impl Key {
    /// A key of an `EVP_PKEY_*` in DER: of its own structure, or PKCS #8. On failure the cause is
    /// in the error queue.
    pub(crate) fn from_der(kind: c_int, der: Option<&[u8]>) -> Option<Self> {
        let der = der?;
        let length = der.len().try_into().ok()?;
        let mut cursor = der.as_ptr();
        // SAFETY: `cursor` points to `length` readable bytes; the result is a new reference.
        unsafe {
            let null = std::ptr::null_mut();
            Self::from_raw(ffi::d2i_PrivateKey(kind, null, &mut cursor, length))
        }
    }

    /// A key for RSA in DER of its own structure (RFC 8017, A.1.2). On failure the cause is in the
    /// error queue.
    pub(crate) fn rsa_from_der(der: Option<&[u8]>) -> Option<Self> {
        let der = der?;
        let length = der.len().try_into().ok()?;
        let mut cursor = der.as_ptr();
        // SAFETY: as above; the RSA key is given back after the key has its own reference to it.
        unsafe {
            let rsa = ffi::d2i_RSAPrivateKey(std::ptr::null_mut(), &mut cursor, length);
            let key = Self::from_rsa(rsa);
            ffi::RSA_free(rsa);
            key
        }
    }

    /// A key around an RSA key, to which it has a reference of its own. None for NULL.
    ///
    /// # Safety
    /// `rsa` is NULL or a valid key.
    pub(crate) unsafe fn from_rsa(rsa: *mut ffi::RSA) -> Option<Self> {
        if rsa.is_null() {
            return None;
        }
        // SAFETY: the caller passes a valid key; the new object is owned here from the start.
        unsafe {
            let key = Self::from_raw(ffi::EVP_PKEY_new())?;
            (ffi::EVP_PKEY_set1_RSA(key.as_ptr(), rsa) == 1).then_some(key)
        }
    }

    /// Reads a public key, a SubjectPublicKeyInfo in DER.
    pub(crate) fn from_spki(der: &[u8]) -> Option<Self> {
        let length = der.len().try_into().ok()?;
        let mut cursor = der.as_ptr();
        // SAFETY: `cursor` points to `length` readable bytes; the result is a new reference.
        unsafe { Self::from_raw(ffi::d2i_PUBKEY(std::ptr::null_mut(), &mut cursor, length)) }
    }

    /// The kind of the key. None for one that certificates in TLS do not have.
    pub(crate) fn kind(&self) -> Option<Kind> {
        const EVP_PKEY_RSA_PSS: c_int = 912;
        // SAFETY: the key is valid.
        Some(match unsafe { ffi::EVP_PKEY_get_base_id(self.as_ptr()) } {
            ffi::EVP_PKEY_RSA => Kind::Rsa,
            EVP_PKEY_RSA_PSS => Kind::RsaPss,
            ffi::EVP_PKEY_EC => Kind::Ec,
            ffi::EVP_PKEY_ED25519 => Kind::Ed25519,
            ffi::EVP_PKEY_ED448 => Kind::Ed448,
            _ => return None,
        })
    }

    /// The group of a key for ECDSA, if it is one of TLS's.
    pub(crate) fn group(&self) -> Option<NamedGroup> {
        let mut name = [0_u8; 64];
        let mut length = 0;
        // SAFETY: the key is valid; the buffer has the size that is said.
        unsafe {
            let start = name.as_mut_ptr().cast();
            if ffi::EVP_PKEY_get_group_name(self.as_ptr(), start, name.len(), &mut length) != 1 {
                return None;
            }
        }
        match CStr::from_bytes_until_nul(&name).ok()?.to_bytes() {
            b"prime256v1" | b"P-256" => Some(NamedGroup::secp256r1),
            b"secp384r1" | b"P-384" => Some(NamedGroup::secp384r1),
            b"secp521r1" | b"P-521" => Some(NamedGroup::secp521r1),
            _ => None,
        }
    }

    /// What signs with this key.
    pub(crate) fn signing_key(&self) -> Option<Arc<dyn SigningKey>> {
        let exported = self.to_pkcs8().and_then(|der| {
            let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der));
            DEFAULT_KEY_PROVIDER.load_private_key(der).ok()
        });
        match exported {
            Some(key) => Some(Arc::from(key)),
            None => EvpKey::new(self.clone()).map(|key| Arc::new(key) as Arc<dyn SigningKey>),
        }
    }

    /// Whether the key is large enough for the padding of a scheme, and not restricted to others.
    fn takes(&self, scheme: SignatureScheme) -> bool {
        let Some(method) = Method::of(scheme) else { return false };
        let restricted = self.kind() == Some(Kind::RsaPss);
        if !method.pss {
            return true;
        }
        // SAFETY: the key is valid, and the digest is one of libcrypto's.
        let (size, hash) =
            unsafe { (ffi::EVP_PKEY_size(self.as_ptr()), ffi::EVP_MD_size(method.digest)) };
        // Digest, salt of the same size, and two bytes (RFC 8017, 9.1.1).
        size >= 2 * hash + 2 && (!restricted || error::unchanged(|| method.fits(self)))
    }

    fn to_pkcs8(&self) -> Option<Vec<u8>> {
        // A key that cannot be exported is no error of the program: the queue stays as it was.
        // SAFETY: the key is valid; the info is freed once; the buffer has the computed length.
        unsafe {
            ffi::ERR_set_mark();
            let info = ffi::EVP_PKEY2PKCS8(self.as_ptr());
            ffi::ERR_pop_to_mark();
            if info.is_null() {
                return None;
            }
            let length = ffi::i2d_PKCS8_PRIV_KEY_INFO(info, std::ptr::null_mut());
            let der = usize::try_from(length).ok().filter(|length| *length > 0).map(|length| {
                let mut der = vec![0; length];
                let mut cursor = der.as_mut_ptr();
                ffi::i2d_PKCS8_PRIV_KEY_INFO(info, &mut cursor);
                der
            });
            ffi::PKCS8_PRIV_KEY_INFO_free(info);
            der
        }
    }
}

/// The NID of the curve of a key, 0 for a curve without one. None when the key has no curve.
///
/// # Safety
/// `key` is a valid `EC_KEY`.
pub(crate) unsafe fn curve_nid(key: *const ffi::EC_KEY) -> Option<c_int> {
    // SAFETY: the caller promises the key; the group belongs to it.
    unsafe {
        let group = ffi::EC_KEY_get0_group(key);
        (!group.is_null()).then(|| ffi::EC_GROUP_get_curve_name(group))
    }
}

/// A key that signs through EVP.
#[derive(Debug)]
struct EvpKey {
    key: Key,
    schemes: Vec<SignatureScheme>,
}

impl EvpKey {
    fn new(key: Key) -> Option<Self> {
        use SignatureScheme as S;
        let schemes: &[S] = match (key.kind()?, key.group()) {
            (Kind::Rsa, _) => &[
                S::RSA_PSS_SHA256,
                S::RSA_PSS_SHA384,
                S::RSA_PSS_SHA512,
                S::RSA_PKCS1_SHA256,
                S::RSA_PKCS1_SHA384,
                S::RSA_PKCS1_SHA512,
            ],
            (Kind::RsaPss, _) => &[RSA_PSS_PSS_SHA256, RSA_PSS_PSS_SHA384, RSA_PSS_PSS_SHA512],
            (Kind::Ec, Some(NamedGroup::secp256r1)) => &[S::ECDSA_NISTP256_SHA256],
            (Kind::Ec, Some(NamedGroup::secp384r1)) => &[S::ECDSA_NISTP384_SHA384],
            (Kind::Ec, Some(NamedGroup::secp521r1)) => &[S::ECDSA_NISTP521_SHA512],
            (Kind::Ed25519, _) => &[S::ED25519],
            (Kind::Ed448, _) => &[S::ED448],
            // Other curves are in no scheme of TLS 1.3, and not among the groups of TLS 1.2.
            _ => return None,
        };
        let schemes: Vec<S> = schemes.iter().copied().filter(|scheme| key.takes(*scheme)).collect();
        (!schemes.is_empty()).then_some(Self { key, schemes })
    }
}

impl SigningKey for EvpKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let scheme = *self.schemes.iter().find(|scheme| offered.contains(scheme))?;
        Some(Box::new(EvpSigner { key: self.key.clone(), scheme }))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        None
    }
}

#[derive(Debug)]
struct EvpSigner {
    key: Key,
    scheme: SignatureScheme,
}

impl Signer for EvpSigner {
    fn sign(self: Box<Self>, message: &[u8]) -> Result<Vec<u8>, Error> {
        sign(&self.key, self.scheme, message)
            .ok_or_else(|| Error::General("the private key did not sign".into()))
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}

/// rsa_pss_pss_sha256: RSASSA-PSS with a key for nothing else (RFC 8446, 4.2.3).
pub(crate) const RSA_PSS_PSS_SHA256: SignatureScheme = SignatureScheme(0x0809);
/// rsa_pss_pss_sha384.
pub(crate) const RSA_PSS_PSS_SHA384: SignatureScheme = SignatureScheme(0x080A);
/// rsa_pss_pss_sha512.
pub(crate) const RSA_PSS_PSS_SHA512: SignatureScheme = SignatureScheme(0x080B);

/// How libcrypto signs in a scheme.
struct Method {
    /// NULL for schemes that hash by themselves.
    digest: *const ffi::EVP_MD,
    pss: bool,
}

impl Method {
    fn of(scheme: SignatureScheme) -> Option<Self> {
        use SignatureScheme as S;
        // SAFETY: the digests are static.
        let digest = unsafe {
            match scheme {
                S::RSA_PSS_SHA256
                | RSA_PSS_PSS_SHA256
                | S::RSA_PKCS1_SHA256
                | S::ECDSA_NISTP256_SHA256 => ffi::EVP_sha256(),
                S::RSA_PSS_SHA384
                | RSA_PSS_PSS_SHA384
                | S::RSA_PKCS1_SHA384
                | S::ECDSA_NISTP384_SHA384 => ffi::EVP_sha384(),
                S::RSA_PSS_SHA512
                | RSA_PSS_PSS_SHA512
                | S::RSA_PKCS1_SHA512
                | S::ECDSA_NISTP521_SHA512 => ffi::EVP_sha512(),
                S::ED25519 | S::ED448 => std::ptr::null(),
                _ => return None,
            }
        };
        let pss = matches!(
            scheme,
            S::RSA_PSS_SHA256
                | S::RSA_PSS_SHA384
                | S::RSA_PSS_SHA512
                | RSA_PSS_PSS_SHA256
                | RSA_PSS_PSS_SHA384
                | RSA_PSS_PSS_SHA512
        );
        Some(Self { digest, pss })
    }

    /// Whether libcrypto starts a verification with the key, which its parameters may forbid.
    fn fits(&self, key: &Key) -> bool {
        let Some(context) = Digesting::new() else { return false };
        let (mut of_key, null) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: the key and the context are valid.
        unsafe {
            ffi::EVP_DigestVerifyInit(context.0, &mut of_key, self.digest, null, key.as_ptr()) == 1
                && self.pad(of_key)
        }
    }

    /// Sets the padding of RSA: a salt as long as the digest (RFC 8446, 4.2.3).
    ///
    /// # Safety
    /// `context` is that of a signature or verification under way.
    unsafe fn pad(&self, context: *mut ffi::EVP_PKEY_CTX) -> bool {
        const RSA_PSS_SALTLEN_DIGEST: c_int = -1;
        // SAFETY: the caller promises it.
        !self.pss
            || unsafe {
                ffi::EVP_PKEY_CTX_set_rsa_padding(context, ffi::RSA_PKCS1_PSS_PADDING) == 1
                    && ffi::EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1
            }
    }
}

/// A context of a signature, freed at the end.
struct Digesting(*mut ffi::EVP_MD_CTX);

impl Digesting {
    fn new() -> Option<Self> {
        // SAFETY: no argument; the result is owned here.
        let context = unsafe { ffi::EVP_MD_CTX_new() };
        (!context.is_null()).then_some(Self(context))
    }
}

impl Drop for Digesting {
    fn drop(&mut self) {
        // SAFETY: the context is owned here and freed once.
        unsafe { ffi::EVP_MD_CTX_free(self.0) };
    }
}

fn sign(key: &Key, scheme: SignatureScheme, message: &[u8]) -> Option<Vec<u8>> {
    let method = Method::of(scheme)?;
    let context = Digesting::new()?;
    let (mut key_context, mut length) = (std::ptr::null_mut(), 0);
    let null = std::ptr::null_mut();
    let (input, size) = (message.as_ptr(), message.len());
    // SAFETY: the key is valid; the signature's buffer has the length that EVP_DigestSign asks for.
    unsafe {
        let started =
            ffi::EVP_DigestSignInit(context.0, &mut key_context, method.digest, null, key.as_ptr());
        if started != 1
            || !method.pad(key_context)
            || ffi::EVP_DigestSign(context.0, null.cast(), &mut length, input, size) != 1
        {
            return None;
        }
        let mut signature = vec![0; length];
        let out = signature.as_mut_ptr();
        let signed = ffi::EVP_DigestSign(context.0, out, &mut length, input, size) == 1;
        signature.truncate(length);
        signed.then_some(signature)
    }
}

/// Whether libcrypto verifies signatures of a scheme.
pub(crate) fn verifies(scheme: SignatureScheme) -> bool {
    Method::of(scheme).is_some()
}

/// Verifies a signature of a scheme by a key, a SubjectPublicKeyInfo in DER. Leaves no error behind.
pub(crate) fn verify(
    spki: &[u8],
    scheme: SignatureScheme,
    message: &[u8],
    signature: &[u8],
) -> Result<(), VerifyError> {
    error::unchanged(|| {
        let key = Key::from_spki(spki).ok_or(VerifyError::Key)?;
        let key = EvpKey::new(key).filter(|key| key.schemes.contains(&scheme));
        let key = key.ok_or(VerifyError::Key)?.key;
        let method = Method::of(scheme).ok_or(VerifyError::Key)?;
        let context = Digesting::new().ok_or(VerifyError::Signature)?;
        let (mut key_context, null) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: the key is valid, and both slices are readable.
        let valid = unsafe {
            ffi::EVP_DigestVerifyInit(
                context.0,
                &mut key_context,
                method.digest,
                null,
                key.as_ptr(),
            ) == 1
                && method.pad(key_context)
                && ffi::EVP_DigestVerify(
                    context.0,
                    signature.as_ptr(),
                    signature.len(),
                    message.as_ptr(),
                    message.len(),
                ) == 1
        };
        if valid { Ok(()) } else { Err(VerifyError::Signature) }
    })
}

/// Why a signature is not verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VerifyError {
    /// The key is malformed, or does not sign in this scheme.
    Key,
    /// The signature is not that of the message.
    Signature,
}
