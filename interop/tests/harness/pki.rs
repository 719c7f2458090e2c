//! The lab's certificates and responses, made once for a kind of key and shared by all tests.
//!
//! With ECDSA a delegate signs the responses, with RSA the issuer itself does, so that every peer
//! meets both kinds of signer (RFC 6960, 4.2.2.2) without a third dimension in the matrix.

use std::sync::{Arc, OnceLock};

use certstatus::{Certificate, Issuer, VerifiedResponse, Verifier};
use certstatus_lab::{Fault, KeyKind, Lab, Leaf, LeafRequest};
use rustls::SupportedProtocolVersion;
use rustls::crypto::CryptoProvider;
use rustls_pki_types::{CertificateDer, UnixTime};

/// The name of every server. Nothing looks it up: peers are told where it is.
pub(crate) const NAME: &str = "server.example";

/// What a server staples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// A response that says *good*.
    Good,
    /// A response that says *revoked*.
    Revoked,
    /// A response that said *good*, and whose `nextUpdate` was a day ago.
    Expired,
    /// Nothing.
    Missing,
}

impl Case {
    pub(crate) const ALL: [Self; 4] = [Self::Good, Self::Revoked, Self::Expired, Self::Missing];

    /// The exit code of `certstatus check`.
    pub(crate) fn exit_code(self) -> i32 {
        match self {
            Self::Good => 0,
            Self::Revoked => 3,
            Self::Expired => 5,
            Self::Missing => 6,
        }
    }

    /// The alert with which a client refuses that requires a staple: `certificate_revoked` or
    /// `bad_certificate_status_response` (RFC 8446, 6).
    pub(crate) fn alert(self) -> Option<u8> {
        match self {
            Self::Good => None,
            Self::Revoked => Some(44),
            Self::Expired | Self::Missing => Some(113),
        }
    }
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Tls12,
    Tls13,
}

impl Version {
    pub(crate) const ALL: [Self; 2] = [Self::Tls12, Self::Tls13];

    /// `1.2` or `1.3`.
    pub(crate) fn number(self) -> &'static str {
        match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        }
    }

    pub(crate) fn of_rustls(self) -> &'static SupportedProtocolVersion {
        match self {
            Self::Tls12 => &rustls::version::TLS12,
            Self::Tls13 => &rustls::version::TLS13,
        }
    }
}

/// Every version with every case.
pub(crate) fn matrix() -> impl Iterator<Item = (Version, Case)> {
    Version::ALL.into_iter().flat_map(|version| Case::ALL.map(|case| (version, case)))
}

/// A test for RSA and one for ECDSA from each function that takes the kind of key.
macro_rules! with_rsa_and_ecdsa {
    ($($test:ident),+ $(,)?) => {
        mod rsa {
            $(#[test]
            fn $test() {
                super::$test(certstatus_lab::KeyKind::Rsa2048);
            })+
        }
        mod ecdsa {
            $(#[test]
            fn $test() {
                super::$test(certstatus_lab::KeyKind::EcdsaP256);
            })+
        }
    };
}
pub(crate) use with_rsa_and_ecdsa;

/// The crypto provider of our side.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider())))
}

/// A lab with the leaves that the cases need. No test changes a status in it: what must change
/// belongs to a leaf of the test's own.
#[derive(Debug)]
pub(crate) struct Pki {
    lab: Lab,
    good: Leaf,
    revoked: Leaf,
    must_staple: Leaf,
    says_good: Vec<u8>,
    says_revoked: Vec<u8>,
    has_expired: Vec<u8>,
}

impl Pki {
    /// The one of that kind of key.
    pub(crate) fn shared(kind: KeyKind) -> &'static Self {
        static RSA: OnceLock<Pki> = OnceLock::new();
        static ECDSA: OnceLock<Pki> = OnceLock::new();
        let shared = if kind.is_rsa() { &RSA } else { &ECDSA };
        shared.get_or_init(|| Self::new(kind))
    }

    fn new(kind: KeyKind) -> Self {
        let lab = Lab::builder().key(kind).delegate(!kind.is_rsa()).start().expect("a lab");
        let issue = |request| lab.issue(request).expect("a certificate");
        let good = issue(LeafRequest::new(NAME));
        let revoked = issue(LeafRequest::new(NAME));
        let must_staple = issue(LeafRequest::new(NAME).must_staple());
        lab.revoke(&revoked, None);
        let has_expired = lab.respond_with(&good, Fault::Expired).expect("a response");
        Self {
            says_good: lab.respond(&good),
            says_revoked: lab.respond(&revoked),
            has_expired: has_expired.expect("this fault has bytes"),
            lab,
            good,
            revoked,
            must_staple,
        }
    }

    /// One that knows nothing of the one of that kind of key.
    pub(crate) fn stranger_to(kind: KeyKind) -> &'static Self {
        Self::shared(if kind.is_rsa() { KeyKind::EcdsaP256 } else { KeyKind::Rsa2048 })
    }

    pub(crate) fn lab(&self) -> &Lab {
        &self.lab
    }

    /// A certificate whose server must staple (RFC 7633). Its status is good.
    pub(crate) fn must_staple(&self) -> &Leaf {
        &self.must_staple
    }

    /// The certificate of a case.
    pub(crate) fn leaf(&self, case: Case) -> &Leaf {
        match case {
            Case::Revoked => &self.revoked,
            Case::Good | Case::Expired | Case::Missing => &self.good,
        }
    }

    /// What is stapled in a case: the same bytes each time.
    pub(crate) fn staple(&self, case: Case) -> Option<&[u8]> {
        match case {
            Case::Good => Some(&self.says_good),
            Case::Revoked => Some(&self.says_revoked),
            Case::Expired => Some(&self.has_expired),
            Case::Missing => None,
        }
    }

    /// Verifies a response about a leaf of this lab that must hold now.
    #[track_caller]
    pub(crate) fn verify(&self, leaf: &Leaf, response: &[u8]) -> VerifiedResponse {
        let provider = provider();
        verify(
            &Verifier::new(provider.signature_verification_algorithms.all),
            leaf.certificate(),
            leaf.issuer(),
            response,
        )
        .expect("the response is to be trusted")
    }
}

/// Verifies a response about a certificate now.
pub(crate) fn verify(
    verifier: &Verifier<'_>,
    certificate: &CertificateDer<'_>,
    issuer: &CertificateDer<'_>,
    response: &[u8],
) -> Result<VerifiedResponse, certstatus::Error> {
    let certificate = Certificate::parse(certificate)?;
    let issuer = Issuer::from_certificate(&Certificate::parse(issuer)?);
    verifier.verify(response, &certificate, &issuer, UnixTime::now())
}
