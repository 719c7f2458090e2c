//! What the demonstration shows: for each step what was done, what was to happen, what happened, and
//! what was on the wire.

use std::time::Duration;

use rustls::AlertDescription;
use rustls_pki_types::UnixTime;
use serde::Serialize;

use super::steps::{Step, Told};
use super::world::Observed;
use crate::outcome::Outcome;
use crate::report::facts::Time;
use crate::report::{Page, Report, Verdict};

/// The demonstration as it came out.
#[derive(Debug, Serialize)]
pub(super) struct DemoReport {
    command: &'static str,
    verdict: Verdict,
    checked_at: Time,
    elapsed_ms: u128,
    steps: Vec<StepReport>,
    next: Vec<String>,
}

#[derive(Debug, Serialize)]
struct StepReport {
    title: &'static str,
    done: &'static str,
    told: Happening,
    as_told: bool,
    /// What the client decided, in its words.
    decision: String,
    handshakes: [Handshake; 2],
}

/// What is to happen, or what happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Happening {
    accepted: bool,
    alert: Option<Alert>,
}

/// An alert by its name and number (RFC 8446, 6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Alert {
    name: String,
    number: u8,
}

/// What was measured in a handshake.
#[derive(Debug, Serialize)]
struct Handshake {
    tls_version: &'static str,
    /// Whether the recorded ClientHello has `status_request`; null when it cannot be read.
    status_request: Option<bool>,
    /// Bytes of the response that the client received.
    stapled_bytes: usize,
    /// Bytes of the response in the recorded CertificateStatus message of TLS 1.2.
    stapled_bytes_in_the_clear: Option<usize>,
    #[serde(flatten)]
    happened: Happening,
}

impl DemoReport {
    pub(super) fn new(steps: &[Step], elapsed: Duration, now: UnixTime) -> Self {
        let wrong: Vec<_> = steps.iter().filter(|step| !step.is_as_told()).collect();
        let verdict = match wrong.as_slice() {
            [] => Verdict::new(
                Outcome::Good,
                format!(
                    "A TLS client met {} servers in this process, and each came out as told, in \
                     TLS 1.3 and in TLS 1.2, in {} ms.",
                    steps.len(),
                    elapsed.as_millis()
                ),
            )
            .labelled("ALL AS TOLD"),
            wrong => {
                let titles: Vec<_> = wrong.iter().map(|step| step.title).collect();
                Verdict::new(
                    Outcome::Failed,
                    format!("Not every step came out as told: {}.", titles.join("; ")),
                )
            }
        };
        let next = match wrong.is_empty() {
            true => Vec::new(),
            false => vec!["Report this with the output of `certstatus demo --json`.".to_owned()],
        };
        Self {
            command: "demo",
            verdict,
            checked_at: Time(now),
            elapsed_ms: elapsed.as_millis(),
            steps: steps.iter().map(StepReport::new).collect(),
            next,
        }
    }

    pub(super) fn outcome(&self) -> Outcome {
        self.verdict.outcome
    }
}

impl StepReport {
    fn new(step: &Step) -> Self {
        Self {
            title: step.title,
            done: step.done,
            told: match step.told {
                Told::Accept => Happening { accepted: true, alert: None },
                Told::Refuse(alert) => Happening { accepted: false, alert: Some(alert.into()) },
            },
            as_told: step.is_as_told(),
            decision: step.tls13.why.clone(),
            handshakes: [
                Handshake::new("TLS 1.3", &step.tls13),
                Handshake::new("TLS 1.2", &step.tls12),
            ],
        }
    }

    fn render(&self, page: &mut Page, number: usize) {
        let outcome = if self.as_told { Outcome::Good } else { Outcome::Failed };
        let told = if self.told.accepted { "accepted" } else { "refused" };
        page.marked_section(outcome, &format!("{number}  {} is to be {told}", self.title));
        page.field("done", self.done);
        let [tls13, tls12] = &self.handshakes;
        both(page, "happened", tls13.happened.shown(), tls12.happened.shown());
        page.field("because", &self.decision);
        both(page, "on the wire", tls13.wire(), tls12.wire());
    }
}

/// What came out in the two versions of TLS: on one line when it is the same.
fn both(page: &mut Page, label: &str, tls13: String, tls12: String) {
    if tls13 == tls12 {
        page.field(label, tls13);
    } else {
        page.field(label, format!("TLS 1.3: {tls13}"));
        page.field("", format!("TLS 1.2: {tls12}"));
    }
}

impl Happening {
    fn shown(&self) -> String {
        let word = if self.accepted { "accepted" } else { "refused" };
        match &self.alert {
            None => format!("{word}, no alert"),
            Some(alert) => format!("{word}, alert {} ({})", alert.name, alert.number),
        }
    }
}

impl Handshake {
    fn new(tls_version: &'static str, observed: &Observed) -> Self {
        Self {
            tls_version,
            status_request: observed.asked,
            stapled_bytes: observed.stapled,
            stapled_bytes_in_the_clear: observed.in_the_clear,
            happened: Happening {
                accepted: observed.accepted,
                alert: observed.alert.map(Alert::from),
            },
        }
    }

    fn wire(&self) -> String {
        let asked = match self.status_request {
            Some(true) => "status_request sent",
            Some(false) => "no status_request sent",
            None => "no ClientHello that can be read",
        };
        match self.stapled_bytes {
            0 => format!("{asked}, nothing stapled"),
            bytes => format!("{asked}, {bytes} bytes stapled"),
        }
    }
}

impl From<AlertDescription> for Alert {
    /// rustls names alerts as Rust does, the RFCs as C does.
    fn from(alert: AlertDescription) -> Self {
        let mut name = String::new();
        for letter in alert.as_str().unwrap_or("unknown").chars() {
            if letter.is_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.push(letter.to_ascii_lowercase());
        }
        Self { name, number: alert.into() }
    }
}

impl Report for DemoReport {
    fn render(&self, page: &mut Page) {
        page.verdict(&self.verdict);
        for (index, step) in self.steps.iter().enumerate() {
            step.render(page, index + 1);
        }
        page.next(&self.next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(accepted: bool, alert: Option<AlertDescription>, version: u8) -> Observed {
        Observed {
            asked: Some(true),
            stapled: 300,
            in_the_clear: (version == 12).then_some(300),
            alert,
            accepted,
            why: "a reason".to_owned(),
        }
    }

    fn step(told: Told, accepted: bool, alert: Option<AlertDescription>) -> Step {
        Step {
            title: "A staple",
            done: "Something.",
            told,
            to_staple: 300,
            tls13: observed(accepted, alert, 13),
            tls12: observed(accepted, alert, 12),
        }
    }

    /// The outcome and summary of a demonstration of that step and one that is as told.
    fn verdict(step: Step) -> (Outcome, String) {
        let fine = Step { title: "Fine", ..self::step(Told::Accept, true, None) };
        let report = DemoReport::new(&[fine, step], Duration::ZERO, certstatus::time::unix(0));
        (report.outcome(), report.verdict.summary)
    }

    #[test]
    fn a_step_that_comes_out_otherwise_is_named_and_fails_the_demo() {
        use AlertDescription::{BadCertificateStatusResponse, CertificateRevoked};
        let refuse = Told::Refuse(CertificateRevoked);
        let refused = || step(refuse, false, Some(CertificateRevoked));
        assert_eq!(verdict(refused()).0, Outcome::Good);
        let unasked = Observed { asked: Some(false), ..refused().tls13 };
        let lost = Observed { stapled: 0, ..refused().tls13 };
        let in_one_only = Observed { in_the_clear: None, ..refused().tls12 };
        for wrong in [
            step(refuse, true, None),
            step(refuse, false, Some(BadCertificateStatusResponse)),
            step(refuse, false, None),
            step(Told::Accept, false, Some(CertificateRevoked)),
            Step { tls13: unasked, ..refused() },
            Step { tls13: lost, ..refused() },
            Step { tls12: in_one_only, ..refused() },
        ] {
            let (outcome, summary) = verdict(wrong);
            assert_eq!(outcome, Outcome::Failed);
            assert_eq!(summary, "Not every step came out as told: A staple.");
        }
    }

    #[test]
    fn alerts_have_the_names_of_the_rfcs() {
        let alert = Alert::from(AlertDescription::BadCertificateStatusResponse);
        assert_eq!((alert.name.as_str(), alert.number), ("bad_certificate_status_response", 113));
        assert_eq!(Alert::from(AlertDescription::UnknownCA).number, 48);
    }
}
