//! The report about one response to one certificate: `verify`, and the end of `fetch`.

use std::fmt;

use certstatus::time::Span;
use certstatus::{Certificate, Error, Freshness, VerifiedResponse, hex};
use rustls_pki_types::UnixTime;
use serde::Serialize;

use super::facts::{CertificateFacts, Check, Problem, StatusFacts, Time, checks, moment, sentence};
use super::{Page, Report, Verdict, advice};
use crate::outcome::Outcome;

/// What a response says about a certificate, and whether it is to be trusted.
#[derive(Debug, Serialize)]
pub(crate) struct StatusReport {
    command: &'static str,
    verdict: Verdict,
    checked_at: Time,
    certificate: CertificateFacts,
    /// What the response says, when it is to be trusted.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<StatusFacts>,
    /// What the response says, when it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    unverified: Option<StatusFacts>,
    checks: Vec<Check>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem>,
    next: Vec<String>,
    #[serde(skip)]
    freshness: Freshness,
}

/// The certificate that a response is about: itself, or its serial number under its issuer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject<'a> {
    Certificate(&'a Certificate<'a>),
    Serial { serial_number: &'a [u8], issuer: &'a Certificate<'a> },
}

impl Subject<'_> {
    /// The serial number.
    pub(crate) fn serial_number(&self) -> &[u8] {
        match self {
            Self::Certificate(certificate) => certificate.serial_number(),
            Self::Serial { serial_number, .. } => serial_number,
        }
    }

    fn not_after(&self) -> Option<UnixTime> {
        match self {
            Self::Certificate(certificate) => Some(certificate.not_after()),
            Self::Serial { .. } => None,
        }
    }

    fn facts(&self) -> CertificateFacts {
        match self {
            Self::Certificate(certificate) => CertificateFacts::new(certificate),
            Self::Serial { serial_number, issuer } => {
                CertificateFacts::of_serial(serial_number, issuer)
            }
        }
    }
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(certificate) => {
                write!(f, "The certificate of {}", certificate.subject())
            }
            Self::Serial { serial_number, issuer } => write!(
                f,
                "The certificate with the serial number {} of {}",
                hex(serial_number),
                issuer.subject()
            ),
        }
    }
}

impl StatusReport {
    /// The report of `command` about the verification of `response` at `now`.
    pub(crate) fn new(
        command: &'static str,
        subject: Subject<'_>,
        response: &[u8],
        result: &Result<VerifiedResponse, Error>,
        freshness: Freshness,
        now: UnixTime,
    ) -> Self {
        let status = result.as_ref().ok().and_then(|verified| StatusFacts::verified(verified, now));
        let (verdict, next, error) = match result {
            Ok(verified) => (
                Verdict::new(verified.status().into(), trusted(verified, &subject, now)),
                advice::for_status(verified, subject.not_after(), status.as_ref(), now),
                None,
            ),
            Err(error) => (
                Verdict::new(Outcome::Untrusted, sentence(&error.to_string())),
                advice::for_error(error),
                Some(Problem {
                    stage: error.stage().name().to_owned(),
                    message: error.to_string(),
                }),
            ),
        };
        Self {
            command,
            verdict,
            checked_at: Time(now),
            certificate: subject.facts(),
            status,
            unverified: match result {
                Ok(_) => None,
                Err(_) => {
                    StatusFacts::unverified(response, subject.serial_number(), freshness, now)
                }
            },
            checks: checks(result.as_ref().err().map(Error::stage)),
            error,
            next,
            freshness,
        }
    }

    /// How the command ends.
    pub(crate) fn outcome(&self) -> Outcome {
        self.verdict.outcome
    }
}

/// What a trustworthy response says, as a sentence.
fn trusted(verified: &VerifiedResponse, subject: &Subject<'_>, now: UnixTime) -> String {
    use certstatus::message::CertStatus::{Good, Revoked, Unknown};
    let signer = verified.signer();
    match verified.status() {
        Good => format!(
            "{subject} is good: {signer} says so, until {}.",
            moment(verified.expires(), now)
        ),
        Revoked(info) => {
            let reason = info.revocation_reason.map_or_else(
                || "no reason is given".to_owned(),
                |reason| format!("the reason is {reason}"),
            );
            format!(
                "{subject} was revoked at {}, says {signer}; {reason}.",
                moment(info.revocation_time, now)
            )
        }
        Unknown => format!(
            "{} does not know {}.",
            sentence(&signer.to_string()).trim_end_matches('.'),
            subject.to_string().replacen("The", "the", 1)
        ),
    }
}

impl Report for StatusReport {
    fn render(&self, page: &mut Page) {
        self.render_with(page, |_| ());
    }
}

impl StatusReport {
    /// Renders the report with more before what to do next.
    pub(crate) fn render_with(&self, page: &mut Page, more: impl FnOnce(&mut Page)) {
        let now = self.checked_at.0;
        page.verdict(&self.verdict);
        self.certificate.render(page, now);
        if let Some(facts) = self.status.as_ref().or(self.unverified.as_ref()) {
            facts.render(page, now);
        }
        page.section("Checked");
        page.checks(&self.checks);
        let Freshness { skew, max_age } = self.freshness;
        page.field("at", Time(now).shown());
        page.field(
            "allowed",
            format!("clocks {} apart; {} of age without nextUpdate", Span(skew), Span(max_age)),
        );
        more(page);
        page.next(&self.next);
    }
}
