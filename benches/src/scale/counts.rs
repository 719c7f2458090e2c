//! What is counted while a fleet is simulated, and the figures that are made of it.

use std::ops::Range;

use super::model::{DAY, HOUR, Model};

/// Counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Requests that reach the responder, in each second.
    pub(crate) requests: Vec<u32>,
    /// Seconds without a valid staple, summed over staples: until the first one came ...
    pub(crate) before_first: u64,
    /// ... and after.
    pub(crate) missing: u64,
    /// Seconds in which a member stapled what its clients refuse, summed over staples; they are among
    /// the missing ones.
    pub(crate) refused: u64,
    /// Seconds that members were there, summed over staples.
    pub(crate) served: u64,
    /// Times that a member took over what another had fetched.
    pub(crate) taken_over: u64,
    /// Times that a member found that another was asking.
    pub(crate) left_to_others: u64,
    /// What the event queue went through.
    pub(crate) events: u64,
}

impl Counts {
    pub(crate) fn new(seconds: u32) -> Self {
        Self {
            requests: vec![0; seconds as usize],
            before_first: 0,
            missing: 0,
            refused: 0,
            served: 0,
            taken_over: 0,
            left_to_others: 0,
            events: 0,
        }
    }

    /// Mean requests a second.
    pub(crate) fn mean(&self, time: Range<u32>) -> f64 {
        let seconds = f64::from(time.end - time.start);
        self.slice(time).iter().map(|count| f64::from(*count)).sum::<f64>() / seconds
    }

    /// The most requests in one second.
    pub(crate) fn peak(&self, time: Range<u32>) -> u32 {
        self.slice(time).iter().copied().max().unwrap_or(0)
    }

    /// The share of time with a valid staple, from the first one on.
    pub(crate) fn covered(&self) -> f64 {
        1.0 - self.missing as f64 / (self.served - self.before_first) as f64
    }

    fn slice(&self, time: Range<u32>) -> &[u32] {
        &self.requests[time.start as usize..time.end as usize]
    }
}

/// A part of the time that is told of by itself.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) time: Range<u32>,
}

/// The parts: the start, the steady state, the outage, and what follows it.
pub(crate) fn parts(model: &Model) -> [Part; 4] {
    let Range { start, end } = model.outage;
    [
        Part { name: "start: all members within an hour, nothing stored", time: 0..2 * HOUR },
        Part { name: "steady: days 8 to 15", time: 7 * DAY..start },
        Part { name: "outage: 12 h, no answer", time: start..end },
        Part { name: "after it: two days", time: end..end + 2 * DAY },
    ]
}
