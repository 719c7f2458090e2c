//! The client's verifier, with somebody beside it who notes what it was given and what it decided.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use certstatus::{Decision, Refusal};
use certstatus_rustls::{BuildError, StatusVerifier};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// A [`StatusVerifier`] with the default policy, and what it saw.
#[derive(Debug)]
pub(super) struct Witness {
    verifier: Arc<StatusVerifier>,
    notes: Arc<Mutex<Notes>>,
}

/// What a client saw in a handshake.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes {
    /// Bytes of the response that it received; 0 for none.
    pub(super) stapled: usize,
    /// What its policy decided, as a sentence; `None` when it did not come to that.
    pub(super) decision: Option<String>,
}

impl Witness {
    pub(super) fn new(
        roots: &Arc<RootCertStore>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, BuildError> {
        let notes = Arc::<Mutex<Notes>>::default();
        let kept = Arc::clone(&notes);
        let verifier = StatusVerifier::builder(Arc::clone(roots), Arc::clone(provider))
            .on_decision(move |_, _, decision: &Decision| {
                lock(&kept).decision = Some(reason(decision));
            })
            .build()?;
        Ok(Self { verifier, notes })
    }

    /// What it saw.
    pub(super) fn take(&self) -> Notes {
        std::mem::take(&mut lock(&self.notes))
    }
}

/// Why it was decided so. That an invalid staple is not to be trusted goes without saying here.
fn reason(decision: &Decision) -> String {
    match decision {
        Decision::Refuse(Refusal::Invalid(why)) => why.clone(),
        other => other.to_string(),
    }
}

fn lock(notes: &Mutex<Notes>) -> MutexGuard<'_, Notes> {
    notes.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        lock(&self.notes).stapled = ocsp_response.len();
        self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
