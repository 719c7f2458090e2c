//! Which of some certificates issued the one whose status is asked for.
//!
//! A name is not enough: two CAs can bear one name, and a renewed CA has another key. The signature
//! of the certificate must verify with the issuer's key.

use std::path::Path;

use certstatus::Certificate;
use certstatus_stapler::fetch::{IssuerError, find_issuer};
use rustls_pki_types::SignatureVerificationAlgorithm;

use crate::failure::Failure;
use crate::{input, shell};

/// The signature algorithms by which everything is verified: those of aws-lc-rs.
pub(crate) fn algorithms() -> &'static [&'static dyn SignatureVerificationAlgorithm] {
    rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.all
}

/// Reads the certificate whose status is asked for.
///
/// # Errors
/// When it is no certificate; `from` is where it comes from.
pub(crate) fn certificate<'a>(der: &'a [u8], from: &Path) -> Result<Certificate<'a>, Failure> {
    Certificate::parse(der).map_err(|e| {
        let name = input::name(from);
        Failure::failed("certificate", format!("{name} has no readable certificate: {e}."))
            .advise(format!("See what it is: certstatus show {}", shell::path(from)))
    })
}

/// The first of `candidates` that issued the certificate, by name and by signature.
///
/// # Errors
/// When none did: what is wrong with the nearest of them. `name` says where they come from.
pub(crate) fn among<'a>(
    certificate: &Certificate<'_>,
    candidates: &'a [Vec<u8>],
    name: &str,
) -> Result<Certificate<'a>, Failure> {
    find_issuer(certificate, candidates, algorithms()).map_err(|error| refused(name, &error))
}

/// No certificate from there is the issuer.
pub(crate) fn refused(name: &str, error: &IssuerError) -> Failure {
    Failure::untrusted("issuer", format!("{name} is not the issuer: {error}."))
        .advise("Give the certificate of the CA that signed this very certificate, not its root.")
}
