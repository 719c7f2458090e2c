//! The report about one response to one certificate: `verify`, and the end of `fetch`.

use certstatus::time::Span;
use certstatus::{Certificate, Error, Freshness, VerifiedResponse};
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

impl StatusReport {
    /// The report of `command` about the verification of `response` at `now`.
    pub(crate) fn new(
        command: &'static str,
        certificate: &Certificate<'_>,
        response: &[u8],
        result: &Result<VerifiedResponse, Error>,
        freshness: Freshness,
        now: UnixTime,
    ) -> Self {
        let status = result.as_ref().ok().and_then(|verified| StatusFacts::verified(verified, now));
        let (verdict, next, error) = match result {
            Ok(verified) => (
                Verdict::new(verified.status().into(), trusted(verified, certificate, now)),
                advice::for_status(verified, certificate, status.as_ref(), now),
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
            certificate: CertificateFacts::new(certificate),
            status,
            unverified: match result {
                Ok(_) => None,
                Err(_) => StatusFacts::unverified(response, certificate, freshness, now),
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
fn trusted(verified: &VerifiedResponse, certificate: &Certificate<'_>, now: UnixTime) -> String {
    use certstatus::message::CertStatus::{Good, Revoked, Unknown};
    let (subject, signer) = (certificate.subject(), verified.signer());
    match verified.status() {
        Good => format!(
            "The certificate of {subject} is good: {signer} says so, until {}.",
            moment(verified.expires(), now)
        ),
        Revoked(info) => {
            let reason = info.revocation_reason.map_or_else(
                || "no reason is given".to_owned(),
                |reason| format!("the reason is {reason}"),
            );
            format!(
                "The certificate of {subject} was revoked at {}, says {signer}; {reason}.",
                moment(info.revocation_time, now)
            )
        }
        Unknown => format!(
            "{} does not know the certificate of {subject}.",
            sentence(&signer.to_string()).trim_end_matches('.')
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
