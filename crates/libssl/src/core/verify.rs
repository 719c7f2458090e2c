//! The handshake's signatures. The certificates themselves are libcrypto's to verify: the engine
//! stops there with a request, and is told the outcome.

use std::hash::Hasher;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{
    HandshakeSignatureValid, ServerIdentity, ServerVerifier, SignatureVerificationInput,
};
use rustls::crypto::{SignatureScheme, VerifiedIdentity};
use rustls::error::{CertificateError, Error, PeerMisbehaved};
use rustls::pki_types::SignatureVerificationAlgorithm;
use rustls::server::danger::{ClientIdentity, ClientVerifier};
use rustls::{DistinguishedName, SignerPublicKey};
use rustls_aws_lc_rs::SUPPORTED_SIG_ALGS;

use super::configs;
use super::flight::CertificateRequest;
use super::signatures;
use crate::sys::pkey::{self, VerifyError};

/// The schemes of a handshake's signatures; 0, which is none, until there is one.
#[derive(Debug, Default)]
pub(crate) struct Signatures {
    peer: AtomicU16,
    own: AtomicU16,
    /// A server's request for a certificate.
    request: OnceLock<CertificateRequest>,
}

impl Signatures {
    /// What the peer has signed with.
    pub(crate) fn peer(&self) -> Option<SignatureScheme> {
        Self::scheme(&self.peer)
    }

    /// What this side signs with.
    pub(crate) fn own(&self) -> Option<SignatureScheme> {
        Self::scheme(&self.own)
    }

    /// Keeps what this side signs with.
    pub(crate) fn signs(&self, scheme: SignatureScheme) {
        self.own.store(scheme.into(), Ordering::Relaxed);
    }

    /// The server's request for a certificate, when there was one.
    pub(crate) fn request(&self) -> Option<&CertificateRequest> {
        self.request.get()
    }

    /// Keeps the server's request, the first time.
    pub(crate) fn is_asked(&self, request: impl FnOnce() -> CertificateRequest) {
        self.request.get_or_init(request);
    }

    fn scheme(number: &AtomicU16) -> Option<SignatureScheme> {
        match number.load(Ordering::Relaxed) {
            0 => None,
            number => Some(SignatureScheme(number)),
        }
    }
}

/// Checks signatures, for a client.
#[derive(Debug)]
pub(crate) struct OfServer {
    /// Whether to ask for an OCSP response.
    pub(crate) request_ocsp: bool,
    /// The names of CAs to send.
    pub(crate) names: Arc<[DistinguishedName]>,
    /// The schemes to accept, in order of preference.
    pub(crate) schemes: Vec<SignatureScheme>,
}

impl ServerVerifier for OfServer {
    fn verify_identity<'a>(
        &self,
        _: &ServerIdentity<'a, '_>,
    ) -> Result<VerifiedIdentity<'a>, Error> {
        Err(Error::Unreachable("certificates are verified outside of the engine"))
    }

    fn verify_tls12_signature(
        &self,
        input: &SignatureVerificationInput<'_>,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_signature(input, &self.schemes)
    }

    fn verify_tls13_signature(
        &self,
        input: &SignatureVerificationInput<'_>,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(input, &self.schemes)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }

    fn root_hint_subjects(&self) -> Option<Arc<[DistinguishedName]>> {
        (!self.names.is_empty()).then(|| Arc::clone(&self.names))
    }

    fn request_ocsp_response(&self) -> bool {
        self.request_ocsp
    }

    fn hash_config(&self, _: &mut dyn Hasher) {}
}

/// Checks signatures, and says whether to ask for a certificate, for a server.
#[derive(Debug)]
pub(crate) struct OfClient {
    pub(crate) ask: bool,
    pub(crate) mandatory: bool,
    pub(crate) names: Arc<[DistinguishedName]>,
    /// The schemes to accept, in order of preference.
    pub(crate) schemes: Vec<SignatureScheme>,
}

impl ClientVerifier for OfClient {
    fn verify_identity<'a>(
        &self,
        _: &ClientIdentity<'a, '_>,
    ) -> Result<VerifiedIdentity<'a>, Error> {
        Err(Error::Unreachable("certificates are verified outside of the engine"))
    }

    fn verify_tls12_signature(
        &self,
        input: &SignatureVerificationInput<'_>,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_signature(input, &self.schemes)
    }

    fn verify_tls13_signature(
        &self,
        input: &SignatureVerificationInput<'_>,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(input, &self.schemes)
    }

    fn root_hint_subjects(&self) -> Arc<[DistinguishedName]> {
        Arc::clone(&self.names)
    }

    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn offer_client_auth(&self) -> bool {
        self.ask
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

/// TLS 1.3 has no RSA PKCS#1 signatures (RFC 8446, 4.2.3).
fn verify_tls13_signature(
    input: &SignatureVerificationInput<'_>,
    accepted: &[SignatureScheme],
) -> Result<HandshakeSignatureValid, Error> {
    match input.signature.scheme {
        SignatureScheme::RSA_PKCS1_SHA1
        | SignatureScheme::RSA_PKCS1_SHA256
        | SignatureScheme::RSA_PKCS1_SHA384
        | SignatureScheme::RSA_PKCS1_SHA512 => {
            Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into())
        }
        _ => verify_signature(input, accepted),
    }
}

/// Verifies with the first algorithm of the scheme that fits the certificate's key.
///
/// The public key is taken from the certificate as it stands: version 1 certificates and ones with
/// odd extensions are for `X509_verify_cert` to judge.
fn verify_signature(
    input: &SignatureVerificationInput<'_>,
    accepted: &[SignatureScheme],
) -> Result<HandshakeSignatureValid, Error> {
    let SignerPublicKey::X509(certificate) = input.signer else {
        return Err(CertificateError::BadEncoding.into());
    };
    let scheme = input.signature.scheme;
    if !accepted.contains(&scheme) {
        return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
    }
    let public =
        public_key(certificate).ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
    let signatures = configs::parts().signatures;
    signatures.peer.store(scheme.into(), Ordering::Relaxed);
    let verified = match engine_algorithm(scheme, &public) {
        Some(algorithm) => algorithm
            .verify_signature(public.key, input.message, input.signature.signature())
            .map_err(|_| CertificateError::BadSignature),
        // The engine does not take keys of other kinds and sizes.
        None => pkey::verify(public.info, scheme, input.message, input.signature.signature())
            .map_err(|error| match error {
                VerifyError::Key => CertificateError::BadEncoding,
                VerifyError::Signature => CertificateError::BadSignature,
            }),
    };
    verified.map(|()| HandshakeSignatureValid::assertion()).map_err(Error::from)
}

/// The engine's algorithm for a scheme and a key, if it has one.
fn engine_algorithm(
    scheme: SignatureScheme,
    public: &PublicKey<'_>,
) -> Option<&'static dyn SignatureVerificationAlgorithm> {
    /// RSA moduli in bytes: 2,048 to 8,192 bits, and whole bytes.
    const RSA: std::ops::RangeInclusive<usize> = 256..=1024;
    let (_, algorithms) = SUPPORTED_SIG_ALGS.mapping().iter().find(|(id, _)| *id == scheme)?;
    let of_rsa = signatures::is_of_rsa(scheme);
    if of_rsa
        && !modulus(public.key).is_some_and(|n| RSA.contains(&n.len()) && n.first() >= Some(&0x80))
    {
        return None;
    }
    let fits = |candidate: &&&dyn SignatureVerificationAlgorithm| {
        candidate.public_key_alg_id().as_ref() == public.algorithm
    };
    algorithms.iter().find(fits).copied()
}

/// The modulus of an RSAPublicKey (RFC 8017, A.1.1), without leading zeros.
fn modulus(key: &[u8]) -> Option<&[u8]> {
    let (_, sequence, _) = element(key)?;
    let (_, modulus, _) = element(sequence)?;
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    modulus.get(zeros..)
}

/// The public key of a certificate (RFC 5280, 4.1).
#[derive(Clone, Copy, Debug)]
pub(crate) struct PublicKey<'a> {
    /// The SubjectPublicKeyInfo in DER.
    pub(crate) info: &'a [u8],
    /// The contents of its AlgorithmIdentifier.
    pub(crate) algorithm: &'a [u8],
    /// The key itself.
    pub(crate) key: &'a [u8],
}

/// Finds the public key of a certificate.
pub(crate) fn public_key(certificate: &[u8]) -> Option<PublicKey<'_>> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xA0;
    const BIT_STRING: u8 = 0x03;
    let (_, outer, _) = element(certificate)?;
    let (_, mut tbs, _) = element(outer)?;
    if tbs.first() == Some(&VERSION) {
        tbs = element(tbs)?.2;
    }
    // serialNumber, signature, issuer, validity, subject
    for _ in 0..5 {
        tbs = element(tbs)?.2;
    }
    let (SEQUENCE, contents, after) = element(tbs)? else { return None };
    let info = tbs.get(..tbs.len() - after.len())?;
    let (SEQUENCE, algorithm, rest) = element(contents)? else { return None };
    let (BIT_STRING, [0, key @ ..], []) = element(rest)? else { return None };
    Some(PublicKey { info, algorithm, key })
}

/// Splits one DER element off: its tag, its contents, what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [tag, first, rest @ ..] = der else { return None };
    let (length, rest) = match first {
        short @ 0..=0x7F => (usize::from(*short), rest),
        long => {
            let (bytes, rest) = rest.split_at_checked(usize::from(long & 0x7F))?;
            if bytes.is_empty() || bytes.len() > 4 {
                return None;
            }
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    Some((*tag, contents, rest))
}
