//! When a certificate is looked at next, and what is due when that time has come.

use std::sync::Arc;
use std::time::Duration;

use certstatus::VerifiedResponse;
use certstatus::message::CertStatus;
use rustls_pki_types::UnixTime;

use super::Worker;
use crate::entry::{Entry, Phase, begins, life};
use crate::event::EventKind;
use crate::job;
use crate::schedule::{Facts, next_attempt};
use crate::snapshot::risk_begins;
use crate::store::failures_of_fleet;

impl Worker {
    /// Plans the next attempt.
    pub(super) fn plan(&mut self, entry: &Arc<Entry>, now: UnixTime) {
        self.plan_with(entry, None, now);
    }

    /// Plans it after a failure in which the responder may have asked for a pause.
    pub(super) fn plan_with(
        &mut self,
        entry: &Arc<Entry>,
        retry_after: Option<Duration>,
        now: UnixTime,
    ) {
        let statement = entry.statement();
        let holds = |s: &&Arc<VerifiedResponse>| s.is_current(now) && now < s.expires();
        let mut state = entry.state();
        let newest = state.upcoming.as_ref().or(statement.as_ref());
        let waited = state
            .left_since
            .get()
            .zip(state.attempted.get())
            .map_or(Duration::ZERO, |(since, at)| {
                Duration::from_secs(at.as_secs().saturating_sub(since.as_secs()))
            });
        let failures = match state.failures {
            0 => 0,
            all => {
                let own = all.saturating_sub(state.failures_before).max(1);
                failures_of_fleet(own, waited)
            }
        };
        let facts = Facts {
            now,
            life: newest.filter(holds).map(|response| life(response)),
            attempted: state.attempted.get(),
            failures,
            fresh_until: state.fresh_until.get(),
            retry_after,
            seed: self.shared.seed(&entry.id),
            fleet_seed: self.shared.store.is_shared().then(|| entry.id.seed()),
            refresh_max: self.shared.refresh_max,
        };
        state.next = next_attempt(&facts);
        drop(state);
        self.watch(entry, now);
    }

    /// Puts the certificate into the queue for the next time at which something is to be done.
    pub(super) fn watch(&mut self, entry: &Arc<Entry>, now: UnixTime) {
        let statement = entry.statement();
        let state = entry.state();
        let attempt = (state.phase == Phase::Idle).then_some(state.next);
        let upcoming = state.upcoming.as_ref().map(|response| begins(response));
        let end = statement.as_ref().filter(|s| now < s.expires()).map(|statement| {
            let risk = risk_begins(statement);
            let alarm = !state.alarmed && statement.status() == CertStatus::Good && now < risk;
            if alarm { risk } else { statement.expires() }
        });
        drop(state);
        let at = [attempt, upcoming, end].into_iter().flatten().min();
        self.queue.set(entry, at);
    }

    /// The time of a certificate has come, for whatever reason.
    pub(super) fn look_at(&mut self, entry: &Arc<Entry>, now: UnixTime) {
        if let Some(response) = entry.promote(now) {
            let (kept, kind) =
                (Arc::clone(&response), EventKind::Stapled { response, responder: None });
            self.shared.tell(entry, kind);
            self.tidy(Arc::clone(entry), move |shared, entry| async move {
                job::keep(&shared, &entry, &kept).await;
            });
        }
        self.check_end(entry, now);
        let state = entry.state();
        let (phase, due) = (state.phase, state.next <= now);
        drop(state);
        if phase == Phase::Idle && now > entry.not_after {
            entry.state().phase = Phase::Resting;
        } else if phase == Phase::Idle && due {
            self.begin_round(entry);
        }
        self.watch(entry, now);
    }

    /// Notices that a staple ends soon, or has ended.
    pub(super) fn check_end(&mut self, entry: &Arc<Entry>, now: UnixTime) {
        let statement = entry.statement();
        let Some(statement) = statement.as_ref() else { return };
        if let Some(expired) = entry.expire(now) {
            if expired.status() == CertStatus::Good && now <= entry.not_after {
                self.shared.tell(entry, EventKind::Expired { expired: expired.expires() });
            }
            // A server that reads the store would staple it all the same.
            self.tidy(Arc::clone(entry), |shared, entry| async move {
                job::forget(&shared, &entry).await;
            });
            return;
        }
        let state = entry.state();
        // While the first answer after a long time is on its way, nothing has failed.
        let failing = state.failures > 0 || state.phase == Phase::Waiting;
        drop(state);
        if failing {
            self.alarm(entry, statement, now);
        }
    }

    /// Tells, once, that a staple which is not renewed ends soon.
    pub(super) fn alarm(&self, entry: &Entry, statement: &VerifiedResponse, now: UnixTime) {
        let good = statement.status() == CertStatus::Good;
        if good && risk_begins(statement) <= now && now < statement.expires() {
            let already = std::mem::replace(&mut entry.state().alarmed, true);
            if !already {
                self.shared.tell(entry, EventKind::RunningOut { expires: statement.expires() });
            }
        }
    }
}
