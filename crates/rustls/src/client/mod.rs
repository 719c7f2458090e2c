//! The client's side: a [`ServerCertVerifier`] that checks what the server staples (RFC 6066, 8).
//!
//! `path_builder` verifies the chain and the name with webpki, `cache` verifies the staple with the
//! core, `judge` decides and finds the alert. Signatures in the handshake are rustls's.

mod builder;
mod cache;
mod judge;
mod path;
mod path_builder;

use std::fmt;
use std::sync::Arc;

use certstatus::{Certificate, Issuer};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};

use judge::Judge;
use path_builder::{PathBuilder, Presented};

pub use builder::StatusVerifierBuilder;
pub use cache::CachedVerifier;
pub use judge::CallbackFailed;
pub use path::VerifiedPath;

/// Verifies servers as rustls's own verifier does, and then checks the OCSP response that they
/// staple.
///
/// The issuer by which a response is judged is the one in the verified path, never one that was only
/// presented. Signatures are verified by the crypto provider's algorithms.
///
/// # How a handshake fails
///
/// | what was found | [`rustls::Error`] | the alert that is sent |
/// |---|---|---|
/// | the path or the name does not verify | what rustls's own verifier gives | what it sends |
/// | revoked | `InvalidCertificate(Revoked)` | `certificate_revoked` |
/// | invalid, missing or *unknown*, and the policy refuses that | `InvalidCertificate(InvalidOcspResponse)` | `bad_certificate_status_response` |
/// | the callback rejects | `InvalidCertificate(InvalidOcspResponse)` | `bad_certificate_status_response` |
/// | the callback cannot decide | `Other(`[`CallbackFailed`]`)` | `handshake_failure` |
/// | webpki reads a certificate and certstatus does not | `InvalidCertificate(BadEncoding)` | `bad_certificate` |
///
/// rustls's errors have no room for a sentence; [`StatusVerifierBuilder::on_decision`] gets it, and
/// it is in the event that goes to `tracing`.
///
/// # What it does not see
///
/// A resumed session exchanges no certificates, so nothing is checked: a certificate revoked since
/// is found when a session can no longer be resumed. [`rustls::client::Resumption::disabled`] makes
/// every handshake a full one. rustls 0.23 asks every server for a staple; this cannot be turned off.
///
/// Of the staples for intermediates that TLS 1.3 allows, rustls shows none to a verifier.
/// [`StatusVerifierBuilder::with_crls`] tells of a revoked intermediate.
pub struct StatusVerifier {
    paths: PathBuilder,
    verifier: CachedVerifier<'static>,
    judge: Judge,
}

impl StatusVerifier {
    /// Starts to build a verifier that trusts `roots` and uses the algorithms of `provider`.
    pub fn builder(
        roots: Arc<RootCertStore>,
        provider: Arc<CryptoProvider>,
    ) -> StatusVerifierBuilder {
        StatusVerifierBuilder::new(roots, provider)
    }
}

impl ServerCertVerifier for StatusVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let presented = Presented { end_entity, intermediates, server_name, now };
        let parsed = self.paths.parse(&presented)?;
        let chain = self.paths.build(&parsed, &presented)?;
        let first = chain.intermediate_certificates().next().map(|issuer| issuer.der());
        let issuer = match &first {
            Some(issuer) => Certificate::parse(issuer).map(|c| Issuer::from_certificate(&c)),
            None => Issuer::from_trust_anchor(chain.anchor()),
        };
        let path = VerifiedPath {
            end_entity: Certificate::parse(end_entity).map_err(unreadable)?,
            issuer: issuer.map_err(unreadable)?,
            chain: &chain,
            server_name,
            now,
            verifier: &self.verifier,
        };
        // rustls gives an empty slice when nothing was stapled; an empty response cannot be.
        let response = Some(ocsp_response).filter(|response| !response.is_empty());
        self.judge.judge(&path, response)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.paths.rustls().verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.paths.rustls().verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.paths.rustls().supported_verify_schemes()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        self.paths.rustls().root_hint_subjects()
    }
}

/// webpki reads what the core does not: without the fields of a certificate nothing can be said of
/// its status, and it may be the must-staple mark that cannot be read.
fn unreadable(error: certstatus::Error) -> Error {
    tracing::warn!(%error, "a certificate of the verified path cannot be read for its status");
    CertificateError::BadEncoding.into()
}

impl fmt::Debug for StatusVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusVerifier")
            .field("roots", &self.paths.roots())
            .field("verifier", &self.verifier)
            .finish_non_exhaustive()
    }
}
