//! From a certificate and its issuer to a verified response: [`fetch_status`].
//!
//! The responders are asked in turn until one gives a response that verifies. Each answer is
//! verified here, so that nothing leaves this module that is not to be trusted.

use std::time::{Duration, Instant};

use certstatus::message::{CertId, HashAlgorithm, NONCE_RECOMMENDED_LENGTH, OcspRequest};
use certstatus::time::unix;
use certstatus::{Certificate, Freshness, Issuer, Nonce, VerifiedResponse, Verifier};
use rustls_pki_types::UnixTime;
use serde::Serialize;

use super::http::{Answer, Http, HttpError, Method};
use crate::issuer::algorithms;

/// Whether a nonce is sent (RFC 9654), and whether it must come back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum NonceMode {
    /// None is sent.
    #[default]
    #[value(skip)]
    Off,
    /// One is sent; it must come back.
    Required,
    /// One is sent; it or none must come back.
    IfPresent,
}

/// What is asked, and of whom.
#[derive(Clone, Debug)]
pub(crate) struct Query<'a> {
    /// The certificate whose status is asked for.
    pub(crate) certificate: &'a Certificate<'a>,
    /// Its issuer, from a verified path or vouched for by the user.
    pub(crate) issuer: &'a Issuer<'a>,
    /// The responders, in the order in which they are asked.
    pub(crate) urls: &'a [String],
    /// Whether to use POST at once.
    pub(crate) post: bool,
    /// Whether to send a nonce. One is sent by POST: a response to it cannot come from a cache.
    pub(crate) nonce: NonceMode,
    /// How old a response may be.
    pub(crate) freshness: Freshness,
    /// The time when this is asked. Responses are judged as of when they come: the time that asking
    /// takes is added.
    pub(crate) now: UnixTime,
}

/// A verified response, and how it was come by.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// The response.
    pub(crate) verified: VerifiedResponse,
    /// The responder that gave it.
    pub(crate) url: String,
    /// How it was asked.
    pub(crate) method: Method,
    /// The time by which it was judged.
    pub(crate) judged_at: UnixTime,
    /// Whether the nonce that was sent came back; `None` when none was sent.
    pub(crate) nonce_returned: Option<bool>,
    /// The responders before it, and why they did not serve.
    pub(crate) failed: Vec<Attempt>,
}

/// A responder that gave no response to be trusted.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// The responder.
    pub(crate) url: String,
    /// Why it did not serve.
    pub(crate) error: AttemptError,
}

/// Why a responder did not serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttemptError {
    /// Nothing came that could be a response.
    #[error(transparent)]
    Http(HttpError),
    /// A response came, and it is not to be trusted.
    #[error("{error}")]
    Untrusted {
        /// Why.
        error: certstatus::Error,
        /// What came.
        response: Vec<u8>,
        /// The time by which it was judged.
        judged_at: UnixTime,
    },
}

/// An attempt in the JSON.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AttemptFacts {
    url: String,
    /// `http`, or the stage of the verification.
    stage: &'static str,
    message: String,
}

impl Attempt {
    /// The attempt for a report.
    pub(crate) fn facts(&self) -> AttemptFacts {
        AttemptFacts {
            url: self.url.clone(),
            stage: self.error.stage(),
            message: self.error.to_string(),
        }
    }
}

impl AttemptFacts {
    /// The attempt as a sentence, without a full stop.
    pub(crate) fn shown(&self) -> String {
        if self.message.starts_with(&self.url) || self.stage == "http" {
            self.message.clone()
        } else {
            format!("{}: {}", self.url, self.message)
        }
    }
}

impl AttemptError {
    /// Whether a response came, and is not to be trusted.
    pub(crate) fn is_untrusted(&self) -> bool {
        matches!(self, Self::Untrusted { .. })
    }

    /// `http`, or the stage of the verification.
    pub(crate) fn stage(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Untrusted { error, .. } => error.stage().name(),
        }
    }
}

/// Asks the responders in turn, and gives the first response that verifies.
///
/// # Errors
/// When none does: every attempt, in order.
pub(crate) async fn fetch_status(http: &Http, query: &Query<'_>) -> Result<Fetched, Vec<Attempt>> {
    let nonce = (query.nonce != NonceMode::Off).then(random_nonce).flatten();
    let cert_id = CertId::new(query.certificate, query.issuer, HashAlgorithm::Sha1);
    let request = OcspRequest::new(cert_id);
    let request = match &nonce {
        Some(nonce) => request.with_nonce(nonce),
        None => request,
    };
    let expected = match (&nonce, query.nonce) {
        (Some(nonce), NonceMode::IfPresent) => Nonce::IfPresent(nonce),
        (Some(nonce), _) => Nonce::Required(nonce),
        (None, _) => Nonce::NotSent,
    };
    let verifier = Verifier::new(algorithms()).freshness(query.freshness).nonce(expected);
    let (der, post) = (request.to_der(), query.post || nonce.is_some());
    let (begun, mut failed) = (Instant::now(), Vec::new());
    for url in query.urls {
        let answer = http.ask(url, &der, post).await;
        let judged_at = later(query.now, begun.elapsed());
        match judge(query, &verifier, answer, judged_at) {
            Ok((verified, method)) => {
                let nonce_returned = nonce.is_some().then(|| has_nonce(verified.der()));
                let url = url.clone();
                return Ok(Fetched { verified, url, method, judged_at, nonce_returned, failed });
            }
            Err(error) => failed.push(Attempt { url: url.clone(), error }),
        }
    }
    Err(failed)
}

/// `now` after that long, rounded up: a responder that signs in this very second does not sign in
/// the future.
fn later(now: UnixTime, elapsed: Duration) -> UnixTime {
    let seconds = elapsed.as_secs() + u64::from(elapsed.subsec_nanos() > 0);
    unix(now.as_secs().saturating_add(seconds))
}

fn judge(
    query: &Query<'_>,
    verifier: &Verifier<'_>,
    answer: Result<Answer, HttpError>,
    judged_at: UnixTime,
) -> Result<(VerifiedResponse, Method), AttemptError> {
    let (error, response) = match answer {
        Ok(Answer { body, method }) => {
            match verifier.verify(&body, query.certificate, query.issuer, judged_at) {
                Ok(verified) => return Ok((verified, method)),
                Err(error) => (error, body),
            }
        }
        // An endless body is an answer as well: the verifier would refuse it as too long.
        Err(HttpError::TooLong { length, limit, .. }) => {
            (certstatus::Error::TooLarge { length, limit }, Vec::new())
        }
        Err(error) => return Err(AttemptError::Http(error)),
    };
    Err(AttemptError::Untrusted { error, response, judged_at })
}

/// The nonce was compared when the response was verified; this only tells whether there was one.
fn has_nonce(response: &[u8]) -> bool {
    use certstatus::message::OcspResponse;
    match OcspResponse::parse(response, &certstatus::Limits::default()) {
        Ok(OcspResponse::Successful(basic)) => basic.data().nonce().is_some(),
        _ => false,
    }
}

/// A nonce of the recommended length; `None` only when the system has no randomness, and then
/// nothing else would work either.
fn random_nonce() -> Option<[u8; NONCE_RECOMMENDED_LENGTH]> {
    let mut nonce = [0; NONCE_RECOMMENDED_LENGTH];
    let random = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    random.fill(&mut nonce).ok().map(|()| nonce)
}
