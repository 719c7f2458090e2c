//! Who may ask a responder, and when: so many at a time, so many a second, and while it is in trouble
//! one alone, after a pause.
//!
//! One gate stands before each responder. A hundred thousand certificates behind a responder that
//! fails are then one question now and then, and when it answers again all get their turn, the most
//! urgent first.
//!
//! A gate knows no clock and no certificate: it is told the time, and what waits at it is anything.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use tokio::time::Instant;

use crate::schedule;

/// Failures in a row after which a responder counts as being in trouble. A lost packet is none.
const TROUBLE: u32 = 3;

/// How much may be asked of one responder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResponderLimits {
    /// Requests at the same time; 8 by default, and at least one. Responders are fast; this is what
    /// a browser opens to one host, rounded up.
    pub concurrent: usize,
    /// Requests a second; 50 by default, and at least one. At this rate 100,000 certificates without
    /// any staple have theirs in 34 minutes, and refreshes of four-day responses need less than one
    /// a second.
    pub per_second: u32,
}

impl Default for ResponderLimits {
    fn default() -> Self {
        Self { concurrent: 8, per_second: 50 }
    }
}

impl ResponderLimits {
    /// Limits of that many requests at the same time, and a second.
    pub fn new(concurrent: usize, per_second: u32) -> Self {
        Self { concurrent: concurrent.max(1), per_second: per_second.max(1) }
    }

    fn pace(&self) -> Duration {
        Duration::from_secs(1) / self.per_second.max(1)
    }
}

/// Whether a request may be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Now,
    /// Not before that instant.
    From(Instant),
    /// Not before another request has come to its end.
    Full,
}

/// The gate before one responder.
#[derive(Debug)]
pub struct Gate<T> {
    limits: ResponderLimits,
    in_flight: usize,
    /// When the next request may start, by the rate.
    next_start: Instant,
    failures: u32,
    failed_at: Instant,
    /// How long after the last failure the responder is left alone.
    pause: Duration,
    waiting: BinaryHeap<Waiting<T>>,
}

/// What became of a request that was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The responder answered, be it with a refusal.
    Answered,
    /// It was not asked after all: another member of the fleet had been, or was just being.
    NotAsked,
    /// The responder itself is in trouble, and wants to be left alone for that long.
    Outage(Duration),
}

impl<T> Gate<T> {
    /// A gate before a responder of which nothing is known.
    pub fn new(limits: ResponderLimits) -> Self {
        let now = Instant::now();
        Self {
            limits,
            in_flight: 0,
            next_start: now,
            failures: 0,
            failed_at: now,
            pause: Duration::ZERO,
            waiting: BinaryHeap::new(),
        }
    }

    /// Whether the responder is in trouble.
    pub fn is_troubled(&self) -> bool {
        self.failures >= TROUBLE
    }

    /// Whether a request may be sent at `now`.
    pub fn admits(&self, now: Instant) -> Admission {
        let concurrent = if self.is_troubled() { 1 } else { self.limits.concurrent.max(1) };
        if self.in_flight >= concurrent {
            return Admission::Full;
        }
        let open = if self.is_troubled() { self.failed_at + self.pause } else { self.next_start };
        if open <= now { Admission::Now } else { Admission::From(open) }
    }

    /// Whether the responder's pause is over and nobody waits who would find out how it does.
    pub fn wants_a_question(&self, now: Instant) -> bool {
        self.admits(now) == Admission::Now && !self.has_waiting()
    }

    /// A request starts.
    pub fn start(&mut self, now: Instant) {
        self.in_flight += 1;
        // Time that was not used is not saved up.
        self.next_start = self.next_start.max(now) + self.limits.pace();
    }

    /// A request has come to its end. `seed` spreads the pause that follows an outage.
    pub fn end(&mut self, now: Instant, ended: Ended, seed: u64) {
        self.in_flight = self.in_flight.saturating_sub(1);
        match ended {
            Ended::Outage(asked_for) => {
                self.failures = self.failures.saturating_add(1);
                self.failed_at = now;
                let failures = (self.failures + 1).saturating_sub(TROUBLE);
                let pause = schedule::backoff(failures.max(1), seed);
                self.pause = pause.max(asked_for.min(schedule::MAX_BACKOFF));
                if let Some(most_urgent) = self.waiting.peek() {
                    self.pause = self.pause.min(most_urgent.patience);
                }
            }
            Ended::Answered => self.failures = 0,
            // That says nothing about the responder.
            Ended::NotAsked => {}
        }
    }

    /// A certificate waits until the gate opens for it, in trouble no longer than its patience. Its
    /// staple, if it has one, expires at that time.
    pub fn wait(
        &mut self,
        item: T,
        must_staple: bool,
        expires: Option<UnixTime>,
        patience: Duration,
    ) {
        self.pause = self.pause.min(patience);
        self.waiting.push(Waiting { expires, must_staple, patience, item });
    }

    /// The most urgent of those that wait.
    pub fn next_waiting(&mut self) -> Option<T> {
        self.waiting.pop().map(|waiting| waiting.item)
    }

    /// All that wait, in no order.
    pub fn waiting(&self) -> impl Iterator<Item = &T> {
        self.waiting.iter().map(|waiting| &waiting.item)
    }

    /// Takes out those of whom `goes` is true, in no order.
    pub fn release(&mut self, mut goes: impl FnMut(&T) -> bool) -> Vec<T> {
        let waiting = std::mem::take(&mut self.waiting).into_vec();
        let (gone, left): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|waiting| goes(&waiting.item));
        self.waiting = left.into();
        gone.into_iter().map(|waiting| waiting.item).collect()
    }

    /// Whether there is one that waits.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }
}

/// A certificate that waits. The greatest is the most urgent: without a staple, and a must-staple one
/// first; then the one whose staple ends first.
#[derive(Debug)]
struct Waiting<T> {
    expires: Option<UnixTime>,
    must_staple: bool,
    patience: Duration,
    item: T,
}

impl<T> Waiting<T> {
    fn rank(&self) -> (Option<UnixTime>, bool) {
        (self.expires, !self.must_staple)
    }
}

impl<T> Ord for Waiting<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.rank().cmp(&self.rank())
    }
}

impl<T> PartialOrd for Waiting<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Waiting<T> {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl<T> Eq for Waiting<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn requests_are_counted_and_paced() {
        let mut gate = Gate::<u8>::new(ResponderLimits::new(2, 10));
        let now = Instant::now();
        assert_eq!(gate.admits(now), Admission::Now);
        gate.start(now);
        assert_eq!(gate.admits(now), Admission::From(now + Duration::from_millis(100)));
        let now = now + Duration::from_secs(5);
        gate.start(now);
        assert_eq!(gate.admits(now), Admission::Full);
        gate.end(now, Ended::Answered, 0);
        assert_eq!(gate.admits(now), Admission::From(now + Duration::from_millis(100)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_responder_in_trouble_is_asked_one_question_at_a_time() {
        let mut gate = Gate::<u8>::new(ResponderLimits::new(8, 1000));
        let start = Instant::now();
        for _ in 0..3 {
            gate.start(start);
        }
        for _ in 0..3 {
            gate.end(start, Ended::Outage(Duration::ZERO), 0);
        }
        assert!(gate.is_troubled());
        assert!(matches!(gate.admits(start), Admission::From(at) if at > after(start, 20)));
        let probe = after(start, 60);
        assert_eq!(gate.admits(probe), Admission::Now);
        gate.start(probe);
        assert_eq!(gate.admits(after(probe, 3600)), Admission::Full);
        gate.end(probe, Ended::NotAsked, 0);
        assert!(gate.is_troubled(), "who was not asked has not recovered");
        gate.start(probe);
        gate.end(probe, Ended::Answered, 0);
        assert_eq!(gate.admits(after(probe, 1)), Admission::Now);
    }

    #[tokio::test(start_paused = true)]
    async fn a_responder_that_asks_for_a_pause_gets_it() {
        let mut gate = Gate::<u8>::new(ResponderLimits::default());
        let start = Instant::now();
        for _ in 0..3 {
            gate.start(start);
            gate.end(start, Ended::Outage(Duration::from_secs(600)), 0);
        }
        assert_eq!(gate.admits(start), Admission::From(after(start, 600)));
    }

    /// Without a staple, and a must-staple certificate before another; then whose staple ends first.
    #[test]
    fn the_most_urgent_is_the_first() {
        let mut gate = Gate::new(ResponderLimits::default());
        let at = |seconds| Some(certstatus::time::unix(seconds));
        for (name, must_staple, expires) in [
            ("ends last", true, at(300)),
            ("has none", false, None),
            ("ends first", false, at(100)),
            ("must have one", true, None),
            ("ends first, and must have one", true, at(100)),
        ] {
            gate.wait(name, must_staple, expires, Duration::from_secs(100));
        }
        let turns: Vec<_> = std::iter::from_fn(|| gate.next_waiting()).collect();
        let expected = [
            "must have one",
            "has none",
            "ends first, and must have one",
            "ends first",
            "ends last",
        ];
        assert_eq!(turns, expected);
        assert!(!gate.has_waiting());
    }
}
