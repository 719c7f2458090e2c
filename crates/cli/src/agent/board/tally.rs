//! All certificates in numbers: one pass over them, and nothing kept of a single one beyond a bound.

use std::collections::BTreeMap;
use std::time::Duration;

use rustls_pki_types::UnixTime;

use super::{StapleFacts, State, health};

/// How many sentences there are about failing certificates at most: more than a person reads, and
/// little enough for a status line.
pub(in crate::agent) const MAX_SENTENCES: usize = 100;

/// How it stands with one certificate, in few bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::agent) struct Brief {
    pub(in crate::agent) state: State,
    /// Whether a human should look at it.
    pub(in crate::agent) troubled: bool,
    /// Whether there is a staple that servers are given now.
    pub(in crate::agent) stapled: bool,
    pub(in crate::agent) must_staple: bool,
    pub(in crate::agent) this_update: Option<UnixTime>,
    /// When the staple ends; `None` when it has.
    pub(in crate::agent) expires: Option<UnixTime>,
    /// When the responder is asked next.
    pub(in crate::agent) refresh_at: Option<UnixTime>,
}

/// What the certificates come to.
#[derive(Clone, Debug)]
pub(in crate::agent) struct Tally {
    now: UnixTime,
    alarm: Duration,
    /// How many there are.
    pub(in crate::agent) total: usize,
    /// How many there are in each state that there is.
    pub(in crate::agent) states: BTreeMap<State, usize>,
    /// When the first of the staples ends.
    pub(in crate::agent) soonest: Option<UnixTime>,
    /// How many a human should look at.
    pub(super) troubled: usize,
    /// How many must-staple certificates are, or soon will be, without a staple.
    pub(super) failing: usize,
    /// Of the first [`MAX_SENTENCES`] of them what is wrong.
    pub(super) sentences: Vec<String>,
}

impl Tally {
    /// Of nothing yet. `alarm` is the time left under which a staple is about to run out.
    pub(in crate::agent) fn new(now: UnixTime, alarm: Duration) -> Self {
        Self {
            now,
            alarm,
            total: 0,
            states: BTreeMap::new(),
            soonest: None,
            troubled: 0,
            failing: 0,
            sentences: Vec::new(),
        }
    }

    /// Counts one more, whose facts are asked for only when there is something to say of it.
    pub(in crate::agent) fn count(&mut self, one: &Brief, facts: impl FnOnce() -> StapleFacts) {
        self.total += 1;
        *self.states.entry(one.state).or_default() += 1;
        self.troubled += usize::from(one.troubled);
        if let Some(expires) = one.expires.filter(|_| one.stapled) {
            self.soonest = Some(self.soonest.map_or(expires, |soonest| soonest.min(expires)));
        }
        if health::is_failing(one, self.now, self.alarm) {
            self.failing += 1;
            if self.sentences.len() < MAX_SENTENCES {
                self.sentences.push(health::sentence(&facts()));
            }
        }
    }

    /// How many there are in that state.
    pub(in crate::agent) fn of(&self, state: State) -> usize {
        self.states.get(&state).copied().unwrap_or_default()
    }
}
