//! A command that ends without a report: what was tried, what was found, what to do.

use certstatus::time::Rfc3339;
use rustls_pki_types::UnixTime;
use serde::Serialize;

use crate::outcome::Outcome;
use crate::report::{Page, Report, Verdict};

/// Why a command ends without a report.
///
/// The message is a sentence or two about what was tried and what was found; the advice, if there
/// is any, says what to do.
#[derive(Clone, Debug, Serialize, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    #[serde(skip)]
    outcome: Outcome,
    /// The step that failed, in a word or two: `file`, `network`, or a stage of the verification.
    stage: String,
    message: String,
    /// Where in a file it stands.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    place: Option<Place>,
    #[serde(skip)]
    advice: Vec<String>,
}

/// A place in a file of text that the user wrote.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Place {
    /// The line, from 1.
    pub(crate) line: usize,
    /// The character in the line, from 1.
    pub(crate) column: usize,
    /// The line itself with a mark below, for people.
    #[serde(skip)]
    pub(crate) quote: Vec<String>,
}

/// What the system says went wrong, without the number by which it calls that.
pub(crate) fn reason(error: &std::io::Error) -> String {
    let said = error.to_string();
    said.split(" (os error").next().unwrap_or_default().to_owned()
}

impl Failure {
    /// Something could not be done: exit code 1.
    pub(crate) fn failed(stage: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Outcome::Failed, stage, message)
    }

    /// The command line is not understood: exit code 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Outcome::Usage, "usage", message)
    }

    /// What was read is not to be trusted: exit code 5.
    pub(crate) fn untrusted(stage: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Outcome::Untrusted, stage, message)
    }

    fn new(outcome: Outcome, stage: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            outcome,
            stage: stage.into(),
            message: message.into(),
            place: None,
            advice: Vec::new(),
        }
    }

    /// The failure with the place in a file where what is wrong stands.
    #[must_use]
    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// The failure with a sentence on what to do about it.
    #[must_use]
    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice.push(advice.into());
        self
    }

    /// How the command ends.
    pub(crate) fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The failure as a report of that command.
    pub(crate) fn report<'a>(&'a self, command: &'a str, now: UnixTime) -> FailureReport<'a> {
        FailureReport {
            command,
            verdict: Verdict::new(self.outcome, self.message.clone()),
            checked_at: Rfc3339(now).to_string(),
            error: self,
            next: &self.advice,
        }
    }
}

/// A failure in the shape of every report.
#[derive(Serialize)]
pub(crate) struct FailureReport<'a> {
    command: &'a str,
    verdict: Verdict,
    checked_at: String,
    error: &'a Failure,
    next: &'a [String],
}

impl Report for FailureReport<'_> {
    fn render(&self, page: &mut Page) {
        page.verdict(&self.verdict);
        if let Some(place) = &self.error.place {
            page.quote(&place.quote);
        }
        page.next(self.next);
    }
}
