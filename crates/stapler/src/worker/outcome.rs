//! What follows from what a job found.

use std::sync::Arc;
use std::time::Duration;

use certstatus::message::CertStatus;
use rustls_pki_types::UnixTime;

use super::Worker;
use crate::clock::later;
use crate::entry::{Entry, Offered, Phase, begins, is_staple};
use crate::event::EventKind;
use crate::job::{self, Asked};
use crate::moment::Moment;
use crate::store::{COURTESY, LEASE, pause_of_others};

impl Worker {
    /// The store was looked into.
    pub(super) fn loaded(&mut self, entry: &Arc<Entry>, anew: bool, now: UnixTime) {
        if anew {
            self.taken_over(entry);
        }
        let phase = entry.state().phase;
        match phase {
            Phase::Loading => {}
            // It needs its turn at the responder no more.
            Phase::Waiting if anew => {}
            _ => return,
        }
        let responders = !entry.state().source.responders().is_empty();
        if !responders || now > entry.not_after {
            entry.state().phase = Phase::Resting;
            entry.settle();
            if !responders && entry.must_staple {
                self.shared.tell(entry, EventKind::NoResponder);
            }
        } else {
            entry.state().phase = Phase::Idle;
            if entry.statement().is_some() {
                entry.settle();
            }
        }
        self.plan(entry, now);
    }

    /// A responder was asked, or another member.
    pub(super) fn asked(&mut self, entry: &Arc<Entry>, asked: Asked, now: UnixTime) {
        match asked {
            Asked::Answered { status: CertStatus::Unknown, .. } => self.unknown(entry, now),
            Asked::Answered { offered, caching, .. } => {
                self.succeeded(entry, now);
                let fresh_until = caching.fresh_for.map(|fresh_for| later(now, fresh_for));
                entry.state().fresh_until = fresh_until.into();
                match offered {
                    Offered::Published => self.published(entry, caching.etag, now),
                    Offered::Upcoming => self.upcoming(entry, now),
                    Offered::NotNewer => self.nothing_newer(entry, now),
                }
            }
            Asked::NotModified(caching) => {
                self.succeeded(entry, now);
                if let Some(fresh_for) = caching.fresh_for {
                    entry.state().fresh_until = later(now, fresh_for).into();
                }
                self.nothing_newer(entry, now);
            }
            Asked::TakenOver => {
                self.taken_over(entry);
                self.release(entry);
                self.rest(entry, now);
            }
            Asked::LeftToOthers(retry) => self.left_to_others(entry, retry, now),
            Asked::NeedsIssuer => self.find_issuer(Arc::clone(entry)),
            Asked::Failed { reason, retry_after, .. } => {
                if !self.try_next_responder(entry, &reason) {
                    self.failed(entry, retry_after, now);
                }
            }
        }
    }

    /// There is a new statement, and the store has it: others take it over, or ask for themselves if it
    /// is not kept there.
    fn published(&mut self, entry: &Arc<Entry>, etag: Option<Box<str>>, now: UnixTime) {
        let mut state = entry.state();
        (state.etag, state.etag_of) = (etag, state.responder);
        state.alarmed = false;
        drop(state);
        self.release(entry);
        self.rest(entry, now);
    }

    /// There is a new staple whose time is still to come: then the store gets it, and until then nobody
    /// else need ask.
    fn upcoming(&mut self, entry: &Arc<Entry>, now: UnixTime) {
        let begin = entry.state().upcoming.as_ref().map_or(now, |response| begins(response));
        let wait = begin.as_secs().saturating_sub(now.as_secs());
        self.keep_lease(entry, Duration::from_secs(wait) + COURTESY, now);
        self.rest(entry, now);
    }

    /// The responder has nothing newer than what is there. For the others that is as good as having
    /// asked, if they can have what is there.
    fn nothing_newer(&mut self, entry: &Arc<Entry>, now: UnixTime) {
        self.rest(entry, now);
        let statement = entry.statement();
        let Some(staple) = statement.as_ref().filter(|staple| is_staple(staple, now)) else {
            self.release(entry);
            return;
        };
        self.alarm(entry, staple, now);
        if self.shared.store.is_shared() {
            self.hold_lease(entry, now);
            let kept = Arc::clone(staple);
            self.tidy(Arc::clone(entry), |shared, entry| async move {
                job::keep(&shared, &entry, &kept).await;
            });
        }
    }

    /// The responder does not know the certificate: right after issuance that may change at any time.
    fn unknown(&mut self, entry: &Arc<Entry>, now: UnixTime) {
        let mut state = entry.state();
        state.attempted = now.into();
        state.failures = state.failures.saturating_add(1);
        state.error = Some("the responder does not know the certificate".into());
        drop(state);
        self.shared.tell(entry, EventKind::Unknown);
        self.rest(entry, now);
        self.hold_lease(entry, now);
        self.check_end(entry, now);
    }

    /// Another member is asking, or has just failed.
    fn left_to_others(&mut self, entry: &Arc<Entry>, retry: Duration, now: UnixTime) {
        let mut state = entry.state();
        state.phase = Phase::Idle;
        let since = state.left_since.get().unwrap_or(now);
        state.left_since = since.into();
        let courtesy = if state.failures > 0 { COURTESY } else { Duration::ZERO };
        state.next = later(now, retry.max(Duration::from_secs(1)) + courtesy);
        // Who only asks has an answer within the time of a lease: this one has failed, and whoever waits
        // for the first attempt should not wait for the end of the trouble.
        let in_vain = later(since, LEASE) <= state.next;
        drop(state);
        // A lease delays no longer than that, however long it lasts.
        let end = job::lease_counts_until(&self.shared, entry);
        let mut state = entry.state();
        state.next = state.next.min(end.max(later(now, Duration::from_secs(1))));
        drop(state);
        if in_vain {
            entry.settle();
        }
        self.watch(entry, now);
    }

    /// An attempt has come to its end: the next one is planned.
    fn rest(&mut self, entry: &Arc<Entry>, now: UnixTime) {
        entry.state().phase = Phase::Idle;
        entry.settle();
        self.plan(entry, now);
    }

    /// A staple has come from the store. Nobody was asked: the plan goes by its life alone.
    fn taken_over(&mut self, entry: &Arc<Entry>) {
        let mut state = entry.state();
        (state.attempted, state.fresh_until, state.left_since) = Default::default();
        (state.etag, state.error) = (None, None);
        (state.failures, state.failures_before, state.alarmed) = (0, 0, false);
    }

    fn succeeded(&mut self, entry: &Arc<Entry>, now: UnixTime) {
        let mut state = entry.state();
        state.attempted = now.into();
        (state.failures, state.failures_before) = (0, 0);
        (state.error, state.left_since) = (None, Moment::NONE);
    }

    /// Goes on to the next responder of the certificate, if there is one; what the one before it did
    /// is remembered.
    fn try_next_responder(&mut self, entry: &Arc<Entry>, reason: &str) -> bool {
        let mut state = entry.state();
        let before = match state.responder {
            0 => None,
            _ => state.error.take(),
        };
        state.error = Some(match before {
            Some(before) => format!("{before}; {reason}").into(),
            None => reason.into(),
        });
        if !state.has_another_responder() {
            return false;
        }
        state.responder = state.responder.saturating_add(1);
        drop(state);
        self.queue_up(entry);
        true
    }

    /// The search for the issuer has come to an end.
    pub(super) fn issuer_sought(
        &mut self,
        entry: &Arc<Entry>,
        found: Result<(), String>,
        now: UnixTime,
    ) {
        match found {
            Ok(()) => self.queue_up(entry),
            Err(reason) => {
                entry.state().error = Some(reason.into());
                self.failed(entry, None, now);
            }
        }
    }

    /// Every responder has failed.
    fn failed(&mut self, entry: &Arc<Entry>, retry_after: Option<Duration>, now: UnixTime) {
        let mut state = entry.state();
        state.attempted = now.into();
        state.failures = state.failures.saturating_add(1);
        state.phase = Phase::Idle;
        drop(state);
        entry.settle();
        self.plan_with(entry, retry_after, now);
        let state = entry.state();
        let (failures, next) = (state.failures, state.next);
        let reason = state.error.clone().unwrap_or_default();
        drop(state);
        self.hold_lease(entry, now);
        self.shared.tell(entry, EventKind::Failed { reason, failures, next });
        self.check_end(entry, now);
    }

    /// Gives the lease back: others may ask when they are due.
    pub(super) fn release(&mut self, entry: &Arc<Entry>) {
        if self.shared.store.is_shared() {
            entry.state().leased_until = Moment::NONE;
            self.tidy(Arc::clone(entry), |shared, entry| async move {
                // A lease that cannot be given back ends by itself.
                let _ = shared.store.release(&entry.id).await;
            });
        }
    }

    /// Keeps the lease until shortly before the next attempt: the others need not fail as well, and
    /// then it is their turn.
    fn hold_lease(&mut self, entry: &Arc<Entry>, now: UnixTime) {
        let pause = pause_of_others(entry.state().next, now);
        self.keep_lease(entry, pause, now);
    }

    fn keep_lease(&mut self, entry: &Arc<Entry>, pause: Duration, now: UnixTime) {
        if self.shared.store.is_shared() {
            let mut state = entry.state();
            // One that was not granted is not held the longer either.
            let held = state.leased_until.get().filter(|until| now < *until);
            state.leased_until = held.map(|_| later(now, pause)).into();
            drop(state);
            self.tidy(Arc::clone(entry), move |shared, entry| async move {
                let _ = shared.store.renew(&entry.id, pause).await;
            });
        }
    }
}
