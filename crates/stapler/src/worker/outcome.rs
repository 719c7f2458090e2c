//! What follows from what a job found.

use std::sync::Arc;
use std::time::Duration;

use certstatus::message::CertStatus;
use rustls_pki_types::UnixTime;

use super::Worker;
use crate::clock::later;
use crate::entry::{Entry, Offered, Phase};
use crate::event::EventKind;
use crate::job::Asked;
use crate::moment::Moment;
use crate::store::{COURTESY, pause_of_others};

impl Worker {
    /// The store was looked into.
    pub(super) fn loaded(&mut self, entry: &Arc<Entry>, anew: bool, now: UnixTime) {
        if anew {
            self.taken_over(entry);
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
            Asked::Answered { status, offered, caching } => {
                self.answered(entry, status, offered, now);
                let mut state = entry.state();
                let fresh_until = caching.fresh_for.map(|fresh_for| later(now, fresh_for));
                state.fresh_until = fresh_until.into();
                if offered == Offered::Published {
                    state.etag = caching.etag;
                }
            }
            Asked::NotModified(caching) => {
                self.succeeded(entry, now);
                if let Some(fresh_for) = caching.fresh_for {
                    entry.state().fresh_until = later(now, fresh_for).into();
                }
            }
            Asked::TakenOver => self.taken_over(entry),
            Asked::LeftToOthers(retry) => {
                let mut state = entry.state();
                state.phase = Phase::Idle;
                state.left_since = state.left_since.get().unwrap_or(now).into();
                let courtesy = if state.failures > 0 { COURTESY } else { Duration::ZERO };
                state.next = later(now, retry.max(Duration::from_secs(1)) + courtesy);
                drop(state);
                self.watch(entry, now);
                return;
            }
            Asked::Failed { reason, retry_after, .. } => {
                if self.try_next_responder(entry, &reason) {
                    return;
                }
                self.failed(entry, retry_after, now);
                return;
            }
        }
        self.release(entry);
        entry.state().phase = Phase::Idle;
        entry.settle();
        self.plan(entry, now);
    }

    fn answered(
        &mut self,
        entry: &Arc<Entry>,
        status: CertStatus,
        offered: Offered,
        now: UnixTime,
    ) {
        if status == CertStatus::Unknown {
            // Right after issuance a responder may not know the certificate yet.
            let mut state = entry.state();
            state.attempted = now.into();
            state.failures = state.failures.saturating_add(1);
            state.error = Some("the responder does not know the certificate".into());
            drop(state);
            self.shared.tell(entry, EventKind::Unknown);
            return;
        }
        self.succeeded(entry, now);
        if offered == Offered::Published {
            entry.state().alarmed = false;
        }
    }

    /// A staple has come from the store. Nobody was asked: the plan goes by its life alone.
    fn taken_over(&mut self, entry: &Arc<Entry>) {
        let mut state = entry.state();
        (state.attempted, state.fresh_until, state.left_since) = Default::default();
        (state.etag, state.error) = (None, None);
        (state.failures, state.alarmed) = (0, false);
    }

    fn succeeded(&mut self, entry: &Arc<Entry>, now: UnixTime) {
        let mut state = entry.state();
        state.attempted = now.into();
        (state.failures, state.error, state.left_since) = (0, None, Moment::NONE);
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
        self.hold_lease(entry, next, now);
        self.shared.tell(entry, EventKind::Failed { reason, failures, next });
        self.check_end(entry, now);
    }

    /// Gives the lease back: others may ask when they are due.
    fn release(&mut self, entry: &Arc<Entry>) {
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
    fn hold_lease(&mut self, entry: &Arc<Entry>, next: UnixTime, now: UnixTime) {
        if self.shared.store.is_shared() {
            let pause = pause_of_others(next, now);
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
