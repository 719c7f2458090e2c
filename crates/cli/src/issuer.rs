//! Which of some certificates issued the one whose status is asked for.
//!
//! A name is not enough: two CAs can bear one name, and a renewed CA has another key. The signature
//! of the certificate must verify with the issuer's key.

use std::path::{Path, PathBuf};

use certstatus::{Certificate, Error, MatchError};
use certstatus_stapler::fetch::{IssuerError, find_issuer};
use rustls_pki_types::SignatureVerificationAlgorithm;

use crate::failure::Failure;
use crate::report::advice::for_signer;
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

/// No certificate from there is known to be the issuer.
pub(crate) fn refused(name: &str, error: &IssuerError) -> Failure {
    match error {
        IssuerError::NotIssuer(Error::Signer(signer)) if for_signer(signer).is_some() => {
            let message =
                format!("It cannot be verified whether {name} is the issuer: {error}.");
            Failure::untrusted("issuer", message).advise(for_signer(signer).unwrap_or_default())
        }
        IssuerError::NotIssuer(Error::Match(MatchError::NotIssuedBy { difference, .. }))
            if !difference.is_empty() =>
        {
            Failure::untrusted("issuer", format!("{name} is not the issuer: {error}.")).advise(
                "Have the certificate issued again: the CA has to write its name in it as in its own \
                 certificate, byte for byte (RFC 5280, 4.1.2.6).",
            )
        }
        IssuerError::Empty | IssuerError::Unreadable(_) => {
            Failure::failed("issuer", format!("{name} has no issuer in it: {error}."))
                .advise("Give the certificate of the CA that signed this very certificate.")
        }
        _ => Failure::untrusted("issuer", format!("{name} is not the issuer: {error}.")).advise(
            "Give the certificate of the CA that signed this very certificate: of an intermediate CA, \
             where there is one, and not the root. It is often missing from what a server sends.",
        ),
    }
}

/// The certificates of responders that are trusted by configuration.
///
/// # Errors
/// When a file has no certificate, or one that cannot be read.
pub(crate) fn responders(files: &[PathBuf]) -> Result<Vec<Vec<u8>>, Failure> {
    let mut all = Vec::new();
    for file in files {
        for der in input::certificates(file)? {
            certificate(&der, file)?;
            all.push(der);
        }
    }
    Ok(all)
}

/// The same, read.
pub(crate) fn read(responders: &[Vec<u8>]) -> Vec<Certificate<'_>> {
    responders.iter().filter_map(|der| Certificate::parse(der).ok()).collect()
}
