//! Kinds of keys, their generation, and signing with them.
//!
//! rcgen signs certificates with a key, and this module signs responses with the same one, so that
//! every signature algorithm that a provider verifies can be had, RSA-PSS too.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, RsaEncoding, RsaKeyPair};
use certstatus::message::AlgorithmIdentifier;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, alg_id};

use crate::{LabError, UnknownName};

/// The kind of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// ECDSA on NIST P-256, signing with SHA-256.
    #[default]
    EcdsaP256,
    /// ECDSA on NIST P-384, signing with SHA-384.
    EcdsaP384,
    /// ECDSA on NIST P-521, signing with SHA-512.
    EcdsaP521,
    /// RSA of 2048 bits, signing as [`RsaScheme`] says. It takes tens of milliseconds to make.
    Rsa2048,
    /// RSA of 3072 bits. It takes hundreds of milliseconds to make.
    Rsa3072,
    /// Ed25519 (RFC 8410).
    Ed25519,
}

impl KeyKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::EcdsaP256,
        Self::EcdsaP384,
        Self::EcdsaP521,
        Self::Rsa2048,
        Self::Rsa3072,
        Self::Ed25519,
    ];

    /// The name of the kind: `ecdsa-p256`, `rsa-2048`, `ed25519`.
    pub fn name(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "ecdsa-p256",
            Self::EcdsaP384 => "ecdsa-p384",
            Self::EcdsaP521 => "ecdsa-p521",
            Self::Rsa2048 => "rsa-2048",
            Self::Rsa3072 => "rsa-3072",
            Self::Ed25519 => "ed25519",
        }
    }

    /// Whether this is RSA.
    pub fn is_rsa(self) -> bool {
        matches!(self, Self::Rsa2048 | Self::Rsa3072)
    }

    fn generate(self) -> Result<rcgen::KeyPair, rcgen::Error> {
        use rcgen::{KeyPair, RsaKeySize};
        match self {
            Self::EcdsaP256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            Self::EcdsaP384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
            Self::EcdsaP521 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512),
            Self::Rsa2048 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048),
            Self::Rsa3072 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_3072),
            Self::Ed25519 => KeyPair::generate_for(&rcgen::PKCS_ED25519),
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for KeyKind {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            UnknownName::new("kind of key", name, Self::ALL.into_iter().map(Self::name))
        })
    }
}

/// How an RSA key signs responses. Certificates are always signed with PKCS#1 and SHA-256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say padding and hash")]
pub enum RsaScheme {
    #[default]
    Pkcs1Sha256,
    Pkcs1Sha384,
    Pkcs1Sha512,
    PssSha256,
    PssSha384,
    PssSha512,
}

impl RsaScheme {
    /// Every scheme.
    pub const ALL: [Self; 6] = [
        Self::Pkcs1Sha256,
        Self::Pkcs1Sha384,
        Self::Pkcs1Sha512,
        Self::PssSha256,
        Self::PssSha384,
        Self::PssSha512,
    ];

    /// The name of the scheme: `pkcs1-sha256`, `pss-sha512`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pkcs1Sha256 => "pkcs1-sha256",
            Self::Pkcs1Sha384 => "pkcs1-sha384",
            Self::Pkcs1Sha512 => "pkcs1-sha512",
            Self::PssSha256 => "pss-sha256",
            Self::PssSha384 => "pss-sha384",
            Self::PssSha512 => "pss-sha512",
        }
    }

    fn encoding(self) -> &'static dyn RsaEncoding {
        match self {
            Self::Pkcs1Sha256 => &signature::RSA_PKCS1_SHA256,
            Self::Pkcs1Sha384 => &signature::RSA_PKCS1_SHA384,
            Self::Pkcs1Sha512 => &signature::RSA_PKCS1_SHA512,
            Self::PssSha256 => &signature::RSA_PSS_SHA256,
            Self::PssSha384 => &signature::RSA_PSS_SHA384,
            Self::PssSha512 => &signature::RSA_PSS_SHA512,
        }
    }

    fn identifier(self) -> &'static [u8] {
        match self {
            Self::Pkcs1Sha256 => &alg_id::RSA_PKCS1_SHA256,
            Self::Pkcs1Sha384 => &alg_id::RSA_PKCS1_SHA384,
            Self::Pkcs1Sha512 => &alg_id::RSA_PKCS1_SHA512,
            Self::PssSha256 => &alg_id::RSA_PSS_SHA256,
            Self::PssSha384 => &alg_id::RSA_PSS_SHA384,
            Self::PssSha512 => &alg_id::RSA_PSS_SHA512,
        }
    }
}

impl fmt::Display for RsaScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A private key that signs certificates and responses.
pub(crate) struct Key {
    pub(crate) kind: KeyKind,
    pair: rcgen::KeyPair,
    signer: Signer,
}

/// The same key for the signatures that rcgen does not make.
enum Signer {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Key {
    pub(crate) fn generate(kind: KeyKind) -> Result<Self, LabError> {
        let failed = |reason: String| LabError::Key { kind, reason };
        let pair = kind.generate().map_err(|e| failed(e.to_string()))?;
        let signer =
            Signer::load(kind, pair.serialized_der()).map_err(|e| failed(e.to_string()))?;
        Ok(Self { kind, pair, signer })
    }

    /// The key as rcgen takes it.
    pub(crate) fn pair(&self) -> &rcgen::KeyPair {
        &self.pair
    }

    /// The key as PKCS#8, version 1 (RFC 5208): OpenSSL 3.0 does not read version 2, in which rcgen
    /// has Ed25519 keys.
    pub(crate) fn to_pkcs8(&self) -> Result<PrivateKeyDer<'static>, LabError> {
        let der = match &self.signer {
            Signer::Ed25519(key) => {
                let written = key.to_pkcs8v1().map_err(|unspecified| LabError::Key {
                    kind: self.kind,
                    reason: unspecified.to_string(),
                })?;
                written.as_ref().to_vec()
            }
            Signer::Ecdsa(_) | Signer::Rsa(_) => self.pair.serialized_der().to_vec(),
        };
        Ok(PrivatePkcs8KeyDer::from(der).into())
    }

    /// Signs the data of a response.
    pub(crate) fn sign(
        &self,
        message: &[u8],
        scheme: RsaScheme,
    ) -> Result<(AlgorithmIdentifier<'static>, Vec<u8>), LabError> {
        let signature = self
            .signer
            .sign(message, scheme)
            .map_err(|aws_lc_rs::error::Unspecified| LabError::Sign { kind: self.kind })?;
        let identifier: &'static [u8] = match self.kind {
            KeyKind::EcdsaP256 => &alg_id::ECDSA_SHA256,
            KeyKind::EcdsaP384 => &alg_id::ECDSA_SHA384,
            KeyKind::EcdsaP521 => &alg_id::ECDSA_SHA512,
            KeyKind::Rsa2048 | KeyKind::Rsa3072 => scheme.identifier(),
            KeyKind::Ed25519 => &alg_id::ED25519,
        };
        Ok((AlgorithmIdentifier::from_contents(identifier)?, signature))
    }
}

impl Signer {
    fn load(kind: KeyKind, pkcs8: &[u8]) -> Result<Self, aws_lc_rs::error::KeyRejected> {
        let ecdsa = |algorithm| EcdsaKeyPair::from_pkcs8(algorithm, pkcs8).map(Self::Ecdsa);
        match kind {
            KeyKind::EcdsaP256 => ecdsa(&signature::ECDSA_P256_SHA256_ASN1_SIGNING),
            KeyKind::EcdsaP384 => ecdsa(&signature::ECDSA_P384_SHA384_ASN1_SIGNING),
            KeyKind::EcdsaP521 => ecdsa(&signature::ECDSA_P521_SHA512_ASN1_SIGNING),
            KeyKind::Rsa2048 | KeyKind::Rsa3072 => RsaKeyPair::from_pkcs8(pkcs8).map(Self::Rsa),
            KeyKind::Ed25519 => Ed25519KeyPair::from_pkcs8(pkcs8).map(Self::Ed25519),
        }
    }

    fn sign(
        &self,
        message: &[u8],
        scheme: RsaScheme,
    ) -> Result<Vec<u8>, aws_lc_rs::error::Unspecified> {
        let random = SystemRandom::new();
        match self {
            Self::Ecdsa(key) => Ok(key.sign(&random, message)?.as_ref().to_vec()),
            Self::Ed25519(key) => Ok(key.try_sign(message)?.as_ref().to_vec()),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(scheme.encoding(), &random, message, &mut signature)?;
                Ok(signature)
            }
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("kind", &self.kind).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_named_and_found_by_name() {
        for kind in KeyKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        let error = "dsa".parse::<KeyKind>().unwrap_err();
        assert!(error.to_string().contains("ecdsa-p256, ecdsa-p384"), "{error}");
    }

    #[test]
    fn keys_are_written_in_version_1_of_pkcs8() {
        for kind in KeyKind::ALL {
            let key = Key::generate(kind).unwrap().to_pkcs8().unwrap();
            let version: u8 = asn1::parse_single::<asn1::Sequence<'_>>(key.secret_der())
                .and_then(|sequence| {
                    sequence.parse(|p| {
                        let version = p.read_element()?;
                        p.read_element::<asn1::Sequence<'_>>()?;
                        p.read_element::<&[u8]>()?;
                        Ok(version)
                    })
                })
                .unwrap_or_else(|error| panic!("{kind}: {error}"));
            assert_eq!(version, 0, "{kind}");
        }
    }
}
