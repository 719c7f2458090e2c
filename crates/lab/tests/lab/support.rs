//! What the tests share: the core's verifier over aws-lc-rs, and a small HTTP client.

use certstatus::message::CertStatus;
use certstatus::{Certificate, Error, Issuer, Nonce, VerifiedResponse, Verifier};
use certstatus_lab::{Lab, Leaf};
use rustls_pki_types::SignatureVerificationAlgorithm;

pub(crate) fn algorithms() -> &'static [&'static dyn SignatureVerificationAlgorithm] {
    rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.all
}

/// Verifies a response about a leaf, at the lab's time.
pub(crate) fn verify(
    lab: &Lab,
    leaf: &Leaf,
    response: &[u8],
    nonce: Nonce<'_>,
) -> Result<VerifiedResponse, Error> {
    let certificate = Certificate::parse(leaf.certificate())?;
    let issuer = Certificate::parse(lab.intermediate())?;
    Verifier::new(algorithms()).nonce(nonce).verify(
        response,
        &certificate,
        &Issuer::from_certificate(&issuer),
        lab.now(),
    )
}

/// The status that a response to a request without nonce gives.
pub(crate) fn status(lab: &Lab, leaf: &Leaf, response: &[u8]) -> CertStatus {
    verify(lab, leaf, response, Nonce::NotSent).unwrap().status()
}
