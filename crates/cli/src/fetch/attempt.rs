//! A responder that did not serve, as it stands in reports.

use certstatus_stapler::fetch::Attempt;
use serde::Serialize;

/// An attempt in the JSON.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AttemptFacts {
    url: String,
    /// `http`, or the stage of the verification.
    stage: &'static str,
    message: String,
    #[serde(skip)]
    shown: String,
}

impl AttemptFacts {
    /// The attempt for a report.
    pub(crate) fn of(attempt: &Attempt) -> Self {
        Self {
            url: attempt.url.clone(),
            stage: attempt.error.stage(),
            message: attempt.error.to_string(),
            shown: attempt.error.describe(&attempt.url),
        }
    }

    /// The attempt as a sentence, without a full stop.
    pub(crate) fn shown(&self) -> String {
        self.shown.clone()
    }
}
