//! Servers with two certificates, one for RSA and one for ECDSA: which of them a server shows depends on
//! the signature algorithms of the ClientHello.
//!
//! Both are checked by default, because a server that has two often staples the response of one with both.

use std::fmt;

use certstatus::Certificate;
use rustls::SignatureScheme;
use rustls_pki_types::CertificateDer;

/// The kind of key of a certificate that a server is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum KeyType {
    /// RSA
    Rsa,
    /// ECDSA, or another kind of elliptic curve
    Ecdsa,
}

impl KeyType {
    /// The kind of key of a certificate; `None` when the certificate cannot be read.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let read = Certificate::parse(certificate).ok()?;
        let algorithm = read.public_key().algorithm();
        let rsa = rustls_pki_types::alg_id::RSA_ENCRYPTION;
        Some(match algorithm.contents() == rsa.as_ref() {
            true => Self::Rsa,
            false => Self::Ecdsa,
        })
    }

    /// The other kind.
    pub(super) fn other(self) -> Self {
        match self {
            Self::Rsa => Self::Ecdsa,
            Self::Ecdsa => Self::Rsa,
        }
    }

    /// Whether a key of this kind signs handshakes by that scheme.
    pub(super) fn signs(self, scheme: SignatureScheme) -> bool {
        let by_rsa = matches!(
            scheme,
            SignatureScheme::RSA_PKCS1_SHA1
                | SignatureScheme::RSA_PKCS1_SHA256
                | SignatureScheme::RSA_PKCS1_SHA384
                | SignatureScheme::RSA_PKCS1_SHA512
                | SignatureScheme::RSA_PSS_SHA256
                | SignatureScheme::RSA_PSS_SHA384
                | SignatureScheme::RSA_PSS_SHA512
        );
        by_rsa == (self == Self::Rsa)
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rsa => "RSA",
            Self::Ecdsa => "ECDSA",
        })
    }
}
