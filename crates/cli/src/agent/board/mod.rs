//! What the agent knows at a moment, as the API, the page, the health check and `--once` tell it.
//!
//! The JSON of `/api/v1/staples` is a [`Snapshot`]; fields may be added to version 1, and none is
//! taken away or changed. Times are RFC 3339 in UTC.
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `now`, `started_at` | string | the agent's time, and when it started |
//! | `host`, `version` | string | the machine's name, and the version of certstatus |
//! | `config` | object | `path`, `loaded_at`, and `error` when a later version was refused |
//! | `health` | object | `level` (`good`, `attention`, `failing`), `summary`, and `failing`, sentences |
//! | `hooks` | array | of each command of `on_change`: `command`, `runs`, `error` of its last run |
//! | `total` | number | how many certificates there are |
//! | `states` | object | of each state that there is: how many certificates are in it |
//! | `soonest` | string | when the first of the staples ends; null when there is none |
//! | `matching` | number | how many certificates are like what was asked for |
//! | `offset` | number | how many of those were passed over |
//! | `next` | string | the value of `after` that goes on; null at the end, or when they are sorted |
//! | `staples` | array | an object for each certificate of this answer: [`StapleFacts`] |
//!
//! What is asked for is a [`Query`]:
//!
//! | parameter | meaning |
//! |---|---|
//! | `limit` | how many certificates at most, up to 10000; 1000 when nothing is said |
//! | `after` | only those whose path comes after this one: `next` of the answer before |
//! | `offset` | how many are passed over |
//! | `state` | only those in this state |
//! | `q` | only those that have all of these words in their path, subject, serial number, responders, outputs or errors |
//! | `sort` | `path`, `state` (what needs a human first), `name`, `left` (time left) or `refresh` |
//! | `order` | `asc` or `desc` |

mod health;
mod query;
mod tally;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::outcome::Outcome;
use crate::report::facts::Time;

use super::outputs::{Delivery, HookState};
pub(super) use health::Health;
pub(super) use query::{Order, Query, Sort, short_name};
pub(super) use tally::{Brief, Tally};

/// Everything, at a moment.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Snapshot {
    pub(super) now: Time,
    pub(super) started_at: Time,
    pub(super) host: String,
    pub(super) version: &'static str,
    pub(super) config: ConfigFacts,
    pub(super) health: Health,
    pub(super) hooks: Vec<HookState>,
    pub(super) total: usize,
    pub(super) states: BTreeMap<State, usize>,
    pub(super) soonest: Option<Time>,
    pub(super) matching: usize,
    pub(super) offset: usize,
    pub(super) next: Option<String>,
    pub(super) staples: Vec<StapleFacts>,
}

/// Some of the certificates.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// How many are like what was asked for.
    pub(super) matching: usize,
    /// The path after which there are more; `None` at the end, and when they are sorted.
    pub(super) next: Option<String>,
    pub(super) staples: Vec<StapleFacts>,
}

/// The configuration that holds.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ConfigFacts {
    pub(super) path: String,
    pub(super) loaded_at: Time,
    /// Why a later version of it was refused; null when it was not.
    pub(super) error: Option<String>,
}

/// One certificate, and its staple.
#[derive(Clone, Debug, Serialize)]
pub(super) struct StapleFacts {
    /// The path of its file.
    pub(super) certificate: String,
    /// What people call it: its common name, or all of its subject, or the name of its file.
    pub(super) name: String,
    /// Empty while the file cannot be read.
    pub(super) subject: String,
    /// Hexadecimal; empty while the file cannot be read.
    pub(super) serial: String,
    /// When the certificate itself ends.
    pub(super) not_after: Option<Time>,
    pub(super) must_staple: bool,
    pub(super) state: State,
    /// What is to be said of the state, as a sentence.
    pub(super) note: Option<String>,
    /// Whether there is a staple that servers are given now.
    pub(super) stapled: bool,
    /// What the last response that is to be trusted says: `good`, `revoked` or `unknown`.
    pub(super) status: Option<&'static str>,
    pub(super) this_update: Option<Time>,
    pub(super) next_update: Option<Time>,
    /// When the staple ends: `nextUpdate`, or the maximum age, or the end of the delegate.
    pub(super) expires: Option<Time>,
    /// Seconds until `expires`.
    pub(super) seconds_left: Option<i64>,
    /// When the responder is asked next.
    pub(super) refresh_at: Option<Time>,
    /// The responders, in the order in which they are asked.
    pub(super) responders: Vec<String>,
    /// How often in a row the responders gave nothing to be trusted.
    pub(super) failures: u32,
    /// What was wrong the last time.
    pub(super) error: Option<String>,
    /// Why the file cannot be read; then all else is about what it was before.
    pub(super) file_error: Option<String>,
    /// The servers that want it.
    pub(super) outputs: Vec<Delivery>,
}

/// How it stands with a certificate, from what needs nobody to what needs a human first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// There is a staple, and the last refresh went well.
    Fresh,
    /// The certificate names no responder, and none is configured.
    NoResponder,
    /// The certificate itself has expired.
    Expired,
    /// The responders have been asked and have not answered yet.
    Waiting,
    /// There is a staple, and refreshing it fails.
    Late,
    /// The file has no certificate.
    Unreadable,
    /// There is no staple: no responder gave a response that is to be trusted.
    Missing,
    /// The responder does not know the certificate.
    Unknown,
    /// The certificate is revoked.
    Revoked,
}

impl State {
    /// Whether a human should look at it.
    pub(super) fn needs_attention(self) -> bool {
        !matches!(self, Self::Fresh | Self::NoResponder | Self::Expired | Self::Waiting)
    }

    /// The state in a word or two.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::NoResponder => "without a responder",
            Self::Expired => "expired",
            Self::Waiting => "waiting",
            Self::Late => "late",
            Self::Unreadable => "unreadable",
            Self::Missing => "without a staple",
            Self::Unknown => "unknown",
            Self::Revoked => "revoked",
        }
    }

    /// The outcome of a command that is about one such certificate.
    pub(super) fn outcome(self) -> Outcome {
        match self {
            // A staple that is late still holds.
            Self::Fresh | Self::Late => Outcome::Good,
            Self::NoResponder | Self::Expired => Outcome::Done,
            Self::Waiting | Self::Unreadable | Self::Missing => Outcome::Failed,
            Self::Unknown => Outcome::Unknown,
            Self::Revoked => Outcome::Revoked,
        }
    }
}

impl StapleFacts {
    /// Whether a human should look at it.
    pub(super) fn needs_attention(&self) -> bool {
        self.state.needs_attention() || self.file_error.is_some() || self.is_undelivered()
    }

    /// Whether some server did not get it.
    pub(super) fn is_undelivered(&self) -> bool {
        self.outputs.iter().any(|output| output.error.is_some())
    }
}
