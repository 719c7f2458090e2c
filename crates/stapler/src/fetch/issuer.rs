//! Which of some certificates issued the one whose status is asked for.
//!
//! A name is not enough: two CAs can bear one name, and a renewed CA has another key. The signature
//! of the certificate must verify with the issuer's key.

use std::time::Duration;

use certstatus::{Certificate, Issuer};
use rustls_pki_types::SignatureVerificationAlgorithm;

use super::{HttpError, Transport};

/// Addresses of a certificate that are tried, of its responders and of its issuer each. CAs write one
/// or two; a certificate may have hundreds, and each may be one that never answers.
pub const MOST_ADDRESSES: usize = 4;

/// The time in which an issuer has to be found at all addresses together: well within the time of a
/// lease, and twice what one address may take.
pub const ISSUER_DEADLINE: Duration = Duration::from_secs(20);

/// Why there is no issuer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssuerError {
    /// There is no certificate to choose from.
    #[error("there is no certificate in it")]
    Empty,
    /// No certificate there can be read; this is the first one's error.
    #[error("a certificate in it cannot be read: {0}")]
    Unreadable(#[source] certstatus::Error),
    /// None of them issued it; this is what is wrong with the nearest of them.
    #[error(transparent)]
    NotIssuer(certstatus::Error),
    /// The certificate does not say where its issuer is.
    #[error("the certificate does not say where its issuer is")]
    NoAddress,
    /// A certificate was fetched, and it is not the issuer.
    #[error("{url} is not the issuer: {reason}")]
    Fetched {
        /// Where it came from.
        url: String,
        /// What is wrong with it.
        #[source]
        reason: Box<IssuerError>,
    },
    /// The addresses have not answered in [`ISSUER_DEADLINE`] together.
    #[error("the issuer cannot be fetched: {tried} addresses took more than {} s together", ISSUER_DEADLINE.as_secs())]
    TooSlow {
        /// How many addresses there are to try.
        tried: usize,
    },
    /// None could be fetched; an error per address, in order.
    #[error("the issuer cannot be fetched: {}", joined(.0))]
    Unreachable(Vec<HttpError>),
}

fn joined(errors: &[HttpError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The first of `candidates` that issued the certificate, by name and by signature.
///
/// # Errors
/// When none did: what is wrong with the nearest of them.
pub fn find_issuer<'a, T: AsRef<[u8]>>(
    certificate: &Certificate<'_>,
    candidates: &'a [T],
    algorithms: &[&dyn SignatureVerificationAlgorithm],
) -> Result<Certificate<'a>, IssuerError> {
    let mut nearest = IssuerError::Empty;
    for der in candidates {
        let error = match Certificate::parse(der.as_ref()) {
            Ok(candidate) => {
                let issuer = Issuer::from_certificate(&candidate);
                match certificate.verify_issued_by(&issuer, algorithms) {
                    Ok(()) => return Ok(candidate),
                    Err(error) => IssuerError::NotIssuer(error),
                }
            }
            Err(error) => IssuerError::Unreadable(error),
        };
        // Of several, one of the right name says more than one of another.
        if matches!(nearest, IssuerError::Empty)
            || matches!(error, IssuerError::NotIssuer(certstatus::Error::Signer(_)))
        {
            nearest = error;
        }
    }
    Err(nearest)
}

/// The issuer from where the certificate says it is (RFC 5280, 4.2.2.1, `caIssuers`): its DER, and
/// the address.
///
/// It is the issuer as the certificate's own signature tells it, no more; see [`Issuer`]. The first
/// [`MOST_ADDRESSES`] are tried, within [`ISSUER_DEADLINE`] together.
///
/// # Errors
/// When there is none, and why.
pub async fn fetch_issuer(
    transport: &dyn Transport,
    certificate: &Certificate<'_>,
    algorithms: &[&dyn SignatureVerificationAlgorithm],
) -> Result<(Vec<u8>, String), IssuerError> {
    let mut urls = certificate.ca_issuers_urls().map_err(IssuerError::Unreadable)?;
    if urls.is_empty() {
        return Err(IssuerError::NoAddress);
    }
    urls.truncate(MOST_ADDRESSES);
    let search = search(transport, certificate, algorithms, &urls);
    match tokio::time::timeout(ISSUER_DEADLINE, search).await {
        Ok(found) => found,
        Err(_) => Err(IssuerError::TooSlow { tried: urls.len() }),
    }
}

async fn search(
    transport: &dyn Transport,
    certificate: &Certificate<'_>,
    algorithms: &[&dyn SignatureVerificationAlgorithm],
    urls: &[&str],
) -> Result<(Vec<u8>, String), IssuerError> {
    let (mut refused, mut unreachable) = (None, Vec::new());
    for url in urls {
        match transport.certificates(url).await {
            Ok(candidates) => match find_issuer(certificate, &candidates, algorithms) {
                Ok(issuer) => return Ok((issuer.der().to_vec(), (*url).to_owned())),
                Err(reason) => {
                    refused = Some(IssuerError::Fetched {
                        url: (*url).to_owned(),
                        reason: Box::new(reason),
                    });
                }
            },
            Err(error) => unreachable.push(error),
        }
    }
    // A wrong certificate says more than one that did not come.
    Err(refused.unwrap_or(IssuerError::Unreachable(unreachable)))
}
