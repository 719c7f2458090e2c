//! What is counted, through the [`metrics`] crate: whoever installs a recorder gets it.
//!
//! | metric | kind | labels |
//! |---|---|---|
//! | `certstatus_staples` | gauge | `state` |
//! | `certstatus_staple_age_seconds_max` | gauge | |
//! | `certstatus_staple_time_left_seconds_min` | gauge | |
//! | `certstatus_staples_at_risk` | gauge | `must_staple` |
//! | `certstatus_fetches_total` | counter | `responder`, `outcome` |
//! | `certstatus_fetch_duration_seconds` | histogram | `responder` |
//! | `certstatus_leases_total` | counter | `outcome` |
//! | `certstatus_leases_held` | gauge | |
//!
//! Nothing has a label per certificate: there may be a hundred thousand. What a single one's staple
//! is like stands in its [`Snapshot`](crate::Snapshot).

use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use rustls_pki_types::UnixTime;

use crate::entry::{Entry, is_staple};
use crate::snapshot::{StapleState, risk_begins, state_of};

/// Tells an installed recorder what the metrics are.
pub(crate) fn describe() {
    describe_gauge!("certstatus_staples", "Certificates, by how their staple stands");
    describe_gauge!(
        "certstatus_staple_age_seconds_max",
        "Time since thisUpdate of the oldest staple that holds"
    );
    describe_gauge!(
        "certstatus_staple_time_left_seconds_min",
        "Time until the first of the staples expires"
    );
    describe_gauge!(
        "certstatus_staples_at_risk",
        "Certificates without a staple, or with one that ends soon and is not renewed"
    );
    describe_counter!("certstatus_fetches_total", "Requests to responders, by outcome");
    describe_histogram!("certstatus_fetch_duration_seconds", "Time that a responder takes");
    describe_counter!("certstatus_leases_total", "Leases asked for, by outcome");
    describe_gauge!("certstatus_leases_held", "Leases that this member of a fleet holds");
}

/// A responder was asked.
pub(crate) fn fetched(responder: &str, outcome: &'static str, took: Duration) {
    let responder = responder.to_owned();
    counter!("certstatus_fetches_total", "responder" => responder.clone(), "outcome" => outcome)
        .increment(1);
    histogram!("certstatus_fetch_duration_seconds", "responder" => responder).record(took);
}

/// A lease was asked for.
pub(crate) fn lease(outcome: &'static str) {
    counter!("certstatus_leases_total", "outcome" => outcome).increment(1);
}

/// How all staples stand.
pub(crate) fn staples<'a>(entries: impl Iterator<Item = &'a Arc<Entry>>, now: UnixTime) {
    let mut states = [0u32; StapleState::ALL.len()];
    let (mut age, mut left) = (0, None::<u64>);
    let mut at_risk = [0u32; 2];
    let mut leases = 0u32;
    for entry in entries {
        leases += u32::from(entry.state().leased_until.get().is_some_and(|until| now < until));
        let state = state_of(entry, now);
        if let Some(count) = states.get_mut(state as usize) {
            *count += 1;
        }
        let mut risk =
            matches!(state, StapleState::Missing | StapleState::Revoked | StapleState::Unknown);
        if let Some(staple) = entry.statement().as_ref().filter(|s| is_staple(s, now)) {
            let since = |from: UnixTime, to: UnixTime| to.as_secs().saturating_sub(from.as_secs());
            age = age.max(since(staple.this_update(), now));
            let remaining = since(now, staple.expires());
            left = Some(left.map_or(remaining, |left| left.min(remaining)));
            risk |= risk_begins(staple) <= now;
        }
        if let Some(count) = at_risk.get_mut(usize::from(entry.must_staple)) {
            *count += u32::from(risk);
        }
    }
    for (state, count) in StapleState::ALL.into_iter().zip(states) {
        gauge!("certstatus_staples", "state" => state.name()).set(count);
    }
    for (must_staple, count) in ["no", "yes"].into_iter().zip(at_risk) {
        gauge!("certstatus_staples_at_risk", "must_staple" => must_staple).set(count);
    }
    gauge!("certstatus_leases_held").set(leases);
    gauge!("certstatus_staple_age_seconds_max").set(age as f64);
    gauge!("certstatus_staple_time_left_seconds_min").set(left.unwrap_or(0) as f64);
}
