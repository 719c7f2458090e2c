//! From a serial number and its issuer to a verified response: [`ask`] one responder, or
//! [`fetch_status`] from several in turn.
//!
//! Each answer is verified here, so that nothing leaves this module that is not to be trusted.

use std::time::Duration;

use certstatus::message::{
    CertId, HashAlgorithm, NONCE_RECOMMENDED_LENGTH, OcspRequest, OcspResponse,
};
use certstatus::rfc5019::get_url;
use certstatus::time::unix;
use certstatus::{
    Certificate, Freshness, Issuer, Limits, Nonce, Stage, TimeError, VerifiedResponse, Verifier,
};
use rustls::crypto::CryptoProvider;
use rustls_pki_types::UnixTime;
use tokio::time::Instant;

use super::{Answer, Caching, Content, HttpError, Method, Question, Transport};

/// Whether a nonce is sent (RFC 9654), and whether it must come back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NonceMode {
    /// None is sent.
    #[default]
    Off,
    /// One is sent; it must come back.
    Required,
    /// One is sent; it or none must come back.
    IfPresent,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// The serial number of the certificate whose status is asked for, as
    /// [`certstatus::Certificate::serial_number`] has it.
    pub serial_number: &'a [u8],
    /// Its issuer, from a verified path or vouched for by the user.
    pub issuer: &'a Issuer<'a>,
    /// Whose signature algorithms verify the answer, and whose randomness makes the nonce.
    pub provider: &'a CryptoProvider,
    /// Whether to use POST at once.
    pub post: bool,
    /// Whether to send a nonce. One is sent by POST: a response to it cannot come from a cache.
    pub nonce: NonceMode,
    /// The hash by which the request names the issuer. Responders sign their responses in advance for
    /// SHA-1; few know another.
    pub hash: HashAlgorithm,
    /// The certificates of responders that are trusted beside the issuer and its delegates; see
    /// [`Verifier::trust_responders`].
    pub trusted_responders: &'a [Certificate<'a>],
    /// How old a response may be.
    pub freshness: Freshness,
    /// The entity tag of the response that is there already; see [`Question::etag`].
    pub etag: Option<&'a str>,
    /// The time when this is asked. Responses are judged as of when they come: the time that asking
    /// takes is added.
    pub now: UnixTime,
}

/// A verified response, and how it was come by.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The response.
    pub verified: VerifiedResponse,
    /// How it was asked for.
    pub method: Method,
    /// The time by which it was judged.
    pub judged_at: UnixTime,
    /// Whether the nonce that was sent came back; `None` when none was sent.
    pub nonce_returned: Option<bool>,
    /// What HTTP says about keeping it.
    pub caching: Caching,
}

/// What a responder gave.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A response that is to be trusted.
    Fetched(Box<Fetched>),
    /// Its word that the response of [`Query::etag`] is still the one.
    NotModified(Caching),
}

/// A responder that gave no response to be trusted.
#[derive(Debug)]
pub struct Attempt {
    /// The responder.
    pub url: String,
    /// Why it did not serve.
    pub error: AttemptError,
}

/// Why a responder did not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttemptError {
    /// Nothing came that could be a response.
    #[error(transparent)]
    Http(HttpError),
    /// A response came, and it is not to be trusted.
    #[error("{error}")]
    Untrusted {
        /// Why.
        error: certstatus::Error,
        /// What came; empty when it was too long to be read.
        response: Vec<u8>,
        /// The time by which it was judged.
        judged_at: UnixTime,
    },
    /// A nonce is asked for, and the crypto provider has no randomness for one.
    #[error("a nonce is asked for, and the crypto provider has no randomness to make one from")]
    NoRandomness,
}

impl AttemptError {
    /// Whether a response came, and is not to be trusted.
    pub fn is_untrusted(&self) -> bool {
        matches!(self, Self::Untrusted { .. })
    }

    /// Whether a response came that would have been trusted earlier.
    fn is_expired(&self) -> bool {
        let Self::Untrusted { error: certstatus::Error::Time(error), .. } = self else {
            return false;
        };
        matches!(error, TimeError::Expired { .. } | TimeError::TooOld { .. })
    }

    /// Whether the same question by POST may be answered where this is what came of a GET.
    fn is_worth_a_post(&self) -> bool {
        match self {
            Self::Http(error) => error.is_worth_a_post(),
            Self::Untrusted { error: certstatus::Error::TooLarge { .. }, .. } => false,
            Self::Untrusted { error, .. } => {
                matches!(error.stage(), Stage::Parse | Stage::ResponseStatus | Stage::Match)
            }
            Self::NoRandomness => false,
        }
    }

    /// `http`, or the stage of the verification.
    pub fn stage(&self) -> &'static str {
        match self {
            Self::Http(_) | Self::NoRandomness => "http",
            Self::Untrusted { error, .. } => error.stage().name(),
        }
    }

    /// The error as a sentence that names the responder once, without a full stop.
    pub fn describe(&self, url: &str) -> String {
        let message = self.to_string();
        if matches!(self, Self::Http(_)) { message } else { format!("{url}: {message}") }
    }
}

/// Asks the responders in turn, and gives the first response that verifies, with the responder that
/// gave it and those before it that did not serve.
///
/// # Errors
/// When none does: every attempt, in order.
pub async fn fetch_status<'u>(
    transport: &dyn Transport,
    query: &Query<'_>,
    responders: &'u [String],
) -> Result<(Fetched, &'u str, Vec<Attempt>), Vec<Attempt>> {
    let (begun, mut failed) = (Instant::now(), Vec::new());
    for url in responders {
        let query = Query { etag: None, now: later(query.now, begun.elapsed()), ..*query };
        let error = match ask(transport, &query, url).await {
            Ok(Reply::Fetched(fetched)) => return Ok((*fetched, url, failed)),
            Ok(Reply::NotModified(_)) => AttemptError::Http(unasked(url)),
            Err(error) => error,
        };
        failed.push(Attempt { url: url.clone(), error });
    }
    Err(failed)
}

/// Asks one responder once. Asks once more past the caches on the way when a GET brings a response that
/// has expired (RFC 5019, 6.2), and once more by POST when a GET brings an OCSP error, a web page,
/// nothing, or an error of HTTP: many responders understand only one of the two.
///
/// # Errors
/// When it gives no response that verifies.
pub async fn ask(
    transport: &dyn Transport,
    query: &Query<'_>,
    responder: &str,
) -> Result<Reply, AttemptError> {
    let nonce = match query.nonce {
        NonceMode::Off => None,
        _ => Some(random_nonce(query.provider)?),
    };
    let cert_id = CertId::for_serial(query.serial_number, query.issuer, query.hash);
    let mut request = OcspRequest::new(cert_id);
    if let Some(nonce) = &nonce {
        request = request.with_nonce(nonce);
    }
    let mut question = Question {
        responder,
        request: &request.to_der(),
        post: query.post || nonce.is_some(),
        etag: query.etag.filter(|_| nonce.is_none()),
        past_caches: false,
    };
    let (begun, mut rejected) = (Instant::now(), None);
    loop {
        let answer = transport.ask(question).await;
        let judged_at = later(query.now, begun.elapsed());
        let by_get = !question.post
            && match &answer {
                Ok(answer) => answer.method == Method::Get,
                Err(_) => get_url(responder, question.request).is_some(),
            };
        match judge(query, nonce.as_ref(), &question, answer, judged_at) {
            Err(error) if by_get && !question.past_caches && error.is_expired() => {
                question = Question { etag: None, past_caches: true, ..question };
            }
            Err(error) if by_get && error.is_worth_a_post() => {
                rejected = Some(error);
                question = Question { post: true, etag: None, past_caches: false, ..question };
            }
            Err(error) => return Err(more_telling(rejected, error)),
            reply => return reply,
        }
    }
}

/// Of the errors of a GET and of the POST after it the one that says more: the responder's own word,
/// or else what came last.
fn more_telling(get: Option<AttemptError>, post: AttemptError) -> AttemptError {
    match get {
        Some(get) if get.is_untrusted() && !post.is_untrusted() => get,
        _ => post,
    }
}

/// What an answer is worth.
fn judge(
    query: &Query<'_>,
    nonce: Option<&[u8; NONCE_RECOMMENDED_LENGTH]>,
    question: &Question<'_>,
    answer: Result<Answer, HttpError>,
    judged_at: UnixTime,
) -> Result<Reply, AttemptError> {
    match answer {
        Ok(Answer { content: Content::Response(body), method, caching }) => {
            let verified = verify(query, nonce, body, judged_at)?;
            let nonce_returned = nonce.is_some().then(|| has_nonce(verified.der()));
            let fetched = Fetched { verified, method, judged_at, nonce_returned, caching };
            Ok(Reply::Fetched(Box::new(fetched)))
        }
        Ok(Answer { caching, .. }) if question.etag.is_some() => Ok(Reply::NotModified(caching)),
        Ok(_) => Err(AttemptError::Http(unasked(question.responder))),
        // An endless body is an answer as well: the verifier would reject it as too long.
        Err(HttpError::TooLong { length, limit, .. }) => Err(AttemptError::Untrusted {
            error: certstatus::Error::TooLarge { length, limit },
            response: Vec::new(),
            judged_at,
        }),
        Err(error) => Err(AttemptError::Http(error)),
    }
}

/// `now` after that long, rounded up: a responder that signs in this very second does not sign in
/// the future.
fn later(now: UnixTime, elapsed: Duration) -> UnixTime {
    let seconds = elapsed.as_secs() + u64::from(elapsed.subsec_nanos() > 0);
    unix(now.as_secs().saturating_add(seconds))
}

/// A 304 to a question that named no entity tag.
fn unasked(url: &str) -> HttpError {
    HttpError::Status { url: url.to_owned(), status: 304, html: false, retry_after: None }
}

fn verify(
    query: &Query<'_>,
    nonce: Option<&[u8; NONCE_RECOMMENDED_LENGTH]>,
    response: Vec<u8>,
    judged_at: UnixTime,
) -> Result<VerifiedResponse, AttemptError> {
    let expected = match nonce {
        Some(nonce) if query.nonce == NonceMode::IfPresent => Nonce::IfPresent(nonce),
        Some(nonce) => Nonce::Required(nonce),
        None => Nonce::NotSent,
    };
    Verifier::new(query.provider.signature_verification_algorithms.all)
        .freshness(query.freshness)
        .trust_responders(query.trusted_responders)
        .nonce(expected)
        .verify_serial(&response, query.serial_number, query.issuer, judged_at)
        .map_err(|error| AttemptError::Untrusted { error, response, judged_at })
}

/// The nonce was compared when the response was verified; this only tells whether there was one.
fn has_nonce(response: &[u8]) -> bool {
    match OcspResponse::parse(response, &Limits::default()) {
        Ok(OcspResponse::Successful(basic)) => basic.data().nonce().is_some(),
        _ => false,
    }
}

fn random_nonce(provider: &CryptoProvider) -> Result<[u8; NONCE_RECOMMENDED_LENGTH], AttemptError> {
    let mut nonce = [0; NONCE_RECOMMENDED_LENGTH];
    provider.secure_random.fill(&mut nonce).map_err(|_| AttemptError::NoRandomness)?;
    Ok(nonce)
}
