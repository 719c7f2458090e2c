//! The verdict on a server, from what was seen of it: an outcome, a sentence, and what to do.
//!
//! What can be judged comes in order: whether it could be seen at all, whether its chain verifies,
//! what it staples, and what the responder says when it was asked. Of staple and responder the
//! worse one counts: a responder that says *revoked* beats a staple that still says *good*.

use certstatus::message::CertStatus;
use certstatus::time::Relative;
use certstatus::{Acceptance, Decision, Policy, Refusal, Require, Staple, VerifiedResponse};
use rustls_pki_types::UnixTime;

use super::advice::Facts;
use super::connect::{ConnectError, Seen};
use super::recorder::{Path, Presented};
use super::responder::{Answer, Comparison, NoAnswer};
use super::trust::Trust;
use super::{chain, note};
use crate::outcome::Outcome;
use crate::report::facts::Problem;

/// What is made of a server.
#[derive(Clone, Debug)]
pub(crate) struct Judgement {
    /// How the check ends.
    pub(crate) outcome: Outcome,
    /// The verdict in a sentence or two.
    pub(crate) summary: String,
    /// What is worth a few words beside the outcome; may be empty.
    pub(crate) note: String,
    /// What is wrong; `None` when nothing is.
    pub(crate) error: Option<Problem>,
    /// What to do next.
    pub(crate) next: Vec<String>,
}

/// By what a server is judged.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// When a staple is required. `None`: always, but for a certificate that is not must-staple the
    /// responder's own answer will do when it was asked for.
    pub(crate) require: Option<Require>,
    /// Skew and maximum age, and what is made of *unknown* and invalid staples.
    pub(crate) policy: Policy,
    /// The anchors.
    pub(crate) trust: Trust,
    /// The time of the check.
    pub(crate) now: UnixTime,
}

impl Judgement {
    /// A server of which nothing was seen.
    pub(crate) fn unreachable(host: &str, error: &ConnectError) -> Self {
        Self::failed("network", host, error)
    }

    /// A server that was seen, and the answer of its certificate's responder if it was asked.
    pub(crate) fn of(host: &str, seen: &Seen, answer: Option<&Answer>, terms: &Terms) -> Self {
        let presented = match (&seen.presented, &seen.agreed) {
            (Some(presented), Ok(_)) => presented,
            // The server has shown all that is judged here, and that it has the key. It may refuse
            // a client without a certificate after that.
            (Some(presented), Err(_)) if presented.proven => presented,
            // rustls cannot check the proof by a certificate that it cannot read; what is wrong with
            // the chain says more.
            (Some(presented), Err(_)) if presented.path.is_err() => presented,
            (_, Err(error)) => {
                return Self::failed("tls", host, error);
            }
            (None, Ok(_)) => {
                return Self::failed("tls", host, &ConnectError::NoCertificate);
            }
        };
        match &presented.path {
            Ok(path) => Self::of_status(host, path, answer, terms),
            Err(error) => Self::of_chain(host, presented, error, terms),
        }
    }

    fn of_chain(host: &str, presented: &Presented, error: &rustls::Error, terms: &Terms) -> Self {
        let why =
            format!("the certificate {}", chain::explain(error, &terms.trust, &presented.chain));
        let staple = match &presented.staple {
            None => "",
            Some(_) => " Without a verified chain its staple cannot be judged.",
        };
        Self {
            outcome: Outcome::Failed,
            summary: format!("The chain of {host} does not verify: {why}.{staple}"),
            note: note::of_chain(error),
            error: Some(Problem { stage: "chain".to_owned(), message: why }),
            next: chain::advise(error, &presented.chain),
        }
    }

    fn of_status(host: &str, path: &Path, answer: Option<&Answer>, terms: &Terms) -> Self {
        let facts = Facts::of(host, path, terms.now);
        let default = if answer.is_some() { Require::MustStaple } else { Require::Always };
        let policy = terms.policy.require(terms.require.unwrap_or(default));
        let staple = match &path.staple {
            None => Staple::Missing,
            Some(Err(error)) => Staple::Invalid(error),
            Some(Ok(verified)) => Staple::Verified(verified),
        };
        let stapled = facts.of_staple(staple, &policy.decide(staple, facts.must_staple));
        match answer.map(|answer| facts.of_answer(answer, path)) {
            Some(answered) => stapled.and(answered),
            None => stapled,
        }
    }

    fn failed(stage: &str, host: &str, error: &ConnectError) -> Self {
        Self {
            outcome: Outcome::Failed,
            summary: format!("{host} could not be checked: {error}."),
            note: note::of_connect(error),
            error: Some(Problem { stage: stage.to_owned(), message: error.to_string() }),
            next: error.advise(),
        }
    }

    /// The worse of two judgements, with what the other one says after it.
    pub(super) fn and(self, other: Self) -> Self {
        let (mut worse, better) =
            if other.outcome > self.outcome { (other, self) } else { (self, other) };
        worse.summary = format!("{} {}", worse.summary, better.summary);
        worse.next.extend(better.next);
        worse
    }
}

impl Facts<'_> {
    fn of_staple(&self, staple: Staple<'_>, decision: &Decision) -> Judgement {
        let host = self.host;
        let (outcome, summary) = match decision {
            Decision::Accept(Acceptance::Good) => (
                Outcome::Good,
                format!("{host} staples a response by which its certificate is good."),
            ),
            Decision::Refuse(Refusal::Revoked(info)) => (
                Outcome::Revoked,
                format!(
                    "The certificate of {host} was revoked {info}, {}. The server staples this \
                     itself.",
                    Relative { time: info.revocation_time, now: self.now }
                ),
            ),
            Decision::Refuse(Refusal::Unknown) => (
                Outcome::Unknown,
                format!(
                    "{host} staples a response by which its responder does not know its certificate."
                ),
            ),
            Decision::Refuse(Refusal::Invalid(why)) => {
                (Outcome::Untrusted, format!("What {host} staples is not to be trusted: {why}."))
            }
            Decision::Refuse(Refusal::Missing { must_staple: true }) => (
                Outcome::Missing,
                format!(
                    "{host} staples nothing, and its certificate says that it must (RFC 7633)."
                ),
            ),
            Decision::Refuse(_) => (
                Outcome::Missing,
                format!("{host} staples nothing. Its certificate does not require it."),
            ),
            Decision::Accept(_) => (Outcome::Good, format!("{host} is accepted: {decision}.")),
        };
        let error = match staple {
            Staple::Invalid(error) if outcome != Outcome::Good => {
                Some(Problem { stage: error.stage().name().to_owned(), message: error.to_string() })
            }
            _ => None,
        };
        let note = match staple {
            Staple::Missing if self.must_staple => "although it must".to_owned(),
            Staple::Missing => "and it need not".to_owned(),
            Staple::Invalid(error) => note::of_error(error),
            Staple::Verified(verified) => note::of_status(verified.status(), self.now),
        };
        Judgement { outcome, summary, note, error, next: self.advise_staple(staple) }
    }

    fn of_answer(&self, answer: &Answer, path: &Path) -> Judgement {
        let stapled = path.staple.as_ref().and_then(|staple| staple.as_ref().ok());
        match &answer.result {
            Ok(answered) => {
                self.answered(answered, stapled.map(|stapled| Comparison::of(stapled, answered)))
            }
            Err(failure) => Self::not_answered(failure),
        }
    }

    fn answered(&self, answered: &VerifiedResponse, compared: Option<Comparison>) -> Judgement {
        let status = answered.status();
        let (summary, note, next) = match compared {
            // With the same status the staple's own advice stands.
            Some(compared) if compared.same_status => (
                format!("Its responder says {} too, with {compared}.", word(status)),
                format!("responder: {compared}"),
                Vec::new(),
            ),
            _ => (
                self.answer_alone(status),
                format!("responder: {}", word(status)),
                self.advise_answer(answered, compared),
            ),
        };
        Judgement { outcome: status.into(), summary, note, error: None, next }
    }

    /// What the responder says when the staple does not say it.
    fn answer_alone(&self, status: CertStatus) -> String {
        match status {
            CertStatus::Revoked(info) => format!(
                "The certificate of {} was revoked {info}, {}: so says its responder.",
                self.host,
                Relative { time: info.revocation_time, now: self.now }
            ),
            CertStatus::Unknown => {
                format!("The responder does not know the certificate of {}.", self.host)
            }
            CertStatus::Good => "Its responder says that the certificate is good.".to_owned(),
        }
    }

    fn not_answered(failure: &NoAnswer) -> Judgement {
        let NoAnswer { outcome, message, .. } = failure;
        let summary = match outcome {
            Outcome::Untrusted => {
                format!("What its responder says is not to be trusted: {message}.")
            }
            _ => format!("Its responder could not be asked: {message}."),
        };
        Judgement {
            outcome: *outcome,
            summary,
            note: "responder without an answer".to_owned(),
            error: Some(failure.problem()),
            next: vec!["Ask it by itself with `certstatus fetch`, which tells more.".to_owned()],
        }
    }
}

/// A status in a word.
pub(super) fn word(status: CertStatus) -> &'static str {
    match status {
        CertStatus::Good => "good",
        CertStatus::Revoked(_) => "revoked",
        CertStatus::Unknown => "unknown",
    }
}
