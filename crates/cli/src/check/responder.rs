//! What the responder says when it is asked itself, beside what the server staples.

use std::cmp::Ordering;
use std::fmt;
use std::time::Duration;

use certstatus::message::HashAlgorithm;
use certstatus::time::Span;
use certstatus::{Certificate, VerifiedResponse};
use certstatus_stapler::fetch::{Attempt, NonceMode, Query, fetch_status};
use tokio::time::{Instant, timeout_at};

use super::Plan;
use super::recorder::Path;
use crate::fetch::AttemptFacts;
use crate::outcome::Outcome;
use crate::report::facts::Problem;

/// The answer of a certificate's responder.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The responder that answered; `None` when none did.
    pub(crate) url: Option<String>,
    /// What it says, or why that is not known.
    pub(crate) result: Result<VerifiedResponse, NoAnswer>,
}

/// Why it is not known what the responder says.
#[derive(Clone, Debug)]
pub(crate) struct NoAnswer {
    /// [`Outcome::Untrusted`] when something came, [`Outcome::Failed`] when nothing did.
    pub(crate) outcome: Outcome,
    /// `http`, or the stage of the verification.
    pub(crate) stage: &'static str,
    /// Without a full stop.
    pub(crate) message: String,
}

impl NoAnswer {
    fn failed(stage: &'static str, message: impl Into<String>) -> Self {
        Self { outcome: Outcome::Failed, stage, message: message.into() }
    }

    /// It as it stands in a report.
    pub(super) fn problem(&self) -> Problem {
        Problem { stage: self.stage.to_owned(), message: self.message.clone() }
    }

    /// All responders were asked in vain.
    fn of(attempts: &[Attempt]) -> Self {
        let messages: Vec<_> =
            attempts.iter().map(|attempt| AttemptFacts::of(attempt).shown()).collect();
        let message = messages.join("; ");
        match attempts.iter().find(|attempt| attempt.error.is_untrusted()) {
            Some(attempt) => {
                Self { outcome: Outcome::Untrusted, stage: attempt.error.stage(), message }
            }
            None => Self::failed("http", message),
        }
    }
}

/// Asks the responders that the server's certificate names, in turn, until one gives a response that
/// is to be trusted.
pub(super) async fn ask(path: &Path, plan: &Plan, deadline: Instant) -> Answer {
    let (url, result) = match query(path, plan, deadline).await {
        Ok((url, verified)) => (Some(url), Ok(verified)),
        Err(error) => (None, Err(error)),
    };
    Answer { url, result }
}

async fn query(
    path: &Path,
    plan: &Plan,
    deadline: Instant,
) -> Result<(String, VerifiedResponse), NoAnswer> {
    let unreadable = |e: certstatus::Error| NoAnswer::failed("certificate", e.to_string());
    let certificate = Certificate::parse(&path.end_entity).map_err(unreadable)?;
    let urls = certificate.ocsp_urls().map_err(unreadable)?;
    let urls: Vec<_> = urls.into_iter().map(str::to_owned).collect();
    if urls.is_empty() {
        return Err(NoAnswer::failed("responder", "the certificate names no responder"));
    }
    let Some(http) = &plan.http else {
        return Err(NoAnswer::failed("http", "the HTTP client is not set up"));
    };
    let query = Query {
        serial_number: certificate.serial_number(),
        issuer: &path.issuer().map_err(unreadable)?,
        provider: &plan.provider,
        post: false,
        nonce: NonceMode::Off,
        hash: HashAlgorithm::Sha1,
        trusted_responders: &[],
        freshness: plan.terms.policy.freshness(),
        etag: None,
        now: plan.terms.now,
    };
    match timeout_at(deadline, fetch_status(http, &query, &urls)).await {
        Ok(Ok((fetched, url, _))) => Ok((url.to_owned(), fetched.verified)),
        Ok(Err(attempts)) => Err(NoAnswer::of(&attempts)),
        Err(_) => Err(NoAnswer::failed(
            "http",
            format!("{} did not answer within {}", urls.join(" and "), Span(plan.timeout)),
        )),
    }
}

/// A responder's answer seen from a staple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// Whether they are the same, byte for byte.
    pub(crate) identical: bool,
    /// Whether they say the same.
    pub(crate) same_status: bool,
    /// Whether the answer's `thisUpdate` is before or after that of the staple, and by how much.
    age: (Ordering, Duration),
}

impl Comparison {
    /// Compares an answer with a staple.
    pub(crate) fn of(staple: &VerifiedResponse, answer: &VerifiedResponse) -> Self {
        let (stapled, answered) = (staple.this_update().as_secs(), answer.this_update().as_secs());
        Self {
            identical: staple.der() == answer.der(),
            same_status: staple.status() == answer.status(),
            age: (answered.cmp(&stapled), Duration::from_secs(answered.abs_diff(stapled))),
        }
    }

    /// Whether the answer is newer than the staple.
    pub(crate) fn is_newer(&self) -> bool {
        self.age.0 == Ordering::Greater
    }

    /// In a word, for machines: `same`, `newer`, `older`, or `other` for another response with the
    /// same `thisUpdate`.
    pub(crate) fn word(&self) -> &'static str {
        match self.age.0 {
            _ if self.identical => "same",
            Ordering::Greater => "newer",
            Ordering::Less => "older",
            Ordering::Equal => "other",
        }
    }
}

/// The answer as seen from the staple: `the same response`, `a response that is newer by 2h`.
impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (age, distance) = (self.word(), Span(self.age.1));
        match age {
            "same" => f.write_str("the same response"),
            "other" => f.write_str("another response of the same age"),
            age => write!(f, "a response that is {age} by {distance}"),
        }
    }
}
