//! Whether all is well, in a word for machines and in a sentence for people.

use std::time::Duration;

use certstatus::time::Span;
use rustls_pki_types::UnixTime;
use serde::Serialize;

use super::{Brief, StapleFacts, State, Tally};
use crate::agent::outputs::HookState;

/// How it stands with all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::agent) struct Health {
    pub(in crate::agent) level: Level,
    pub(in crate::agent) summary: String,
    /// The must-staple certificates whose clients are refused, or soon will be: a sentence for each,
    /// and of very many for the first ones.
    pub(in crate::agent) failing: Vec<String>,
}

/// How it stands, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::agent) enum Level {
    /// Nothing is to be done.
    Good,
    /// A human should look.
    Attention,
    /// Clients that check are refused, or soon will be.
    Failing,
}

impl Health {
    /// What those certificates come to.
    pub(in crate::agent) fn new(tally: &Tally, hooks: &[HookState], config_is_wrong: bool) -> Self {
        let (level, summary) = if tally.failing > 0 {
            let said = match tally.failing {
                1 => "1 must-staple certificate is, or soon will be, without a staple.".to_owned(),
                more => format!(
                    "{more} must-staple certificates are, or soon will be, without a staple."
                ),
            };
            (Level::Failing, said)
        } else if tally.troubled > 0 {
            let need = if tally.troubled == 1 { "needs" } else { "need" };
            let said = match tally.total {
                1 => "The certificate needs attention.".to_owned(),
                all => format!("{} of {all} certificates {need} attention.", tally.troubled),
            };
            (Level::Attention, said)
        } else if config_is_wrong {
            (Level::Attention, "The configuration was changed and is not right.".to_owned())
        } else if hooks.iter().any(|hook| hook.error.is_some()) {
            (Level::Attention, "A command of on_change fails.".to_owned())
        } else {
            (Level::Good, well(tally))
        };
        let mut failing = tally.sentences.clone();
        if tally.failing > failing.len() {
            failing.push(format!("And so it is with {} more.", tally.failing - failing.len()));
        }
        Self { level, summary, failing }
    }
}

/// What is said when nothing is wrong.
fn well(tally: &Tally) -> String {
    match (tally.total, tally.of(State::Fresh), tally.of(State::Waiting)) {
        (0, ..) => "There is no certificate.".to_owned(),
        (all, _, waiting @ 1..) => format!("{waiting} of {all} staples are being fetched."),
        (_, 0, _) => "No certificate names a responder.".to_owned(),
        (_, 1, _) => "The staple is fresh.".to_owned(),
        (_, fresh, _) => format!("All {fresh} staples are fresh."),
    }
}

/// Whether clients that go by must-staple are refused, or soon will be.
pub(super) fn is_failing(one: &Brief, now: UnixTime, alarm: Duration) -> bool {
    if !one.must_staple || matches!(one.state, State::Waiting | State::Expired) {
        return false;
    }
    let Some(expires) = one.expires.filter(|expires| one.stapled && *expires > now) else {
        return true;
    };
    let seconds = |from: UnixTime, to: UnixTime| to.as_secs().saturating_sub(from.as_secs());
    let life = one.this_update.map_or(0, |begin| seconds(begin, expires));
    seconds(now, expires) < alarm.as_secs().min(life / 4)
}

/// Why that is so.
pub(super) fn sentence(one: &StapleFacts) -> String {
    let name = &one.certificate;
    let left = one.seconds_left.unwrap_or(0).max(0).unsigned_abs();
    if !one.stapled || left == 0 {
        let why = one.note.as_deref().unwrap_or("there is none.");
        return format!("{name} must staple, and has no staple: {why}");
    }
    let left = Span(Duration::from_secs(left));
    format!("{name} must staple, and its staple ends in {left}.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::facts::Time;
    use certstatus::time::unix;

    const NOW: u64 = 10_000_000;

    fn staple(state: State, must_staple: bool, life: u64, left: i64) -> StapleFacts {
        StapleFacts {
            certificate: "/a.pem".into(),
            name: "a".into(),
            subject: "CN=a".into(),
            serial: "01".into(),
            not_after: None,
            must_staple,
            state,
            note: None,
            stapled: left > 0,
            status: None,
            this_update: Some(Time(unix(NOW + left.unsigned_abs() - life))),
            next_update: None,
            expires: Some(Time(unix(NOW + left.unsigned_abs()))),
            seconds_left: Some(left),
            refresh_at: None,
            responders: Vec::new(),
            failures: 0,
            error: None,
            file_error: None,
            outputs: Vec::new(),
        }
    }

    fn health(staples: &[StapleFacts]) -> Health {
        let mut tally = Tally::new(unix(NOW), Duration::from_secs(12 * 3600));
        for one in staples {
            let brief = Brief {
                state: one.state,
                troubled: one.needs_attention(),
                stapled: one.stapled,
                must_staple: one.must_staple,
                this_update: one.this_update.map(|time| time.0),
                expires: one.expires.map(|time| time.0),
                refresh_at: None,
            };
            tally.count(&brief, || one.clone());
        }
        Health::new(&tally, &[], false)
    }

    #[test]
    fn only_a_must_staple_certificate_makes_it_fail() {
        let days = 4 * 86_400;
        assert_eq!(health(&[staple(State::Missing, false, days, 0)]).level, Level::Attention);
        let missing = health(&[staple(State::Missing, true, days, 0)]);
        assert_eq!(missing.level, Level::Failing);
        assert!(
            missing.failing[0].contains("/a.pem must staple, and has no staple"),
            "{missing:?}"
        );
        assert_eq!(health(&[staple(State::Waiting, true, days, 0)]).level, Level::Good);
        assert_eq!(health(&[]).level, Level::Good);
    }

    #[test]
    fn a_response_that_is_not_given_to_servers_does_not_count() {
        let mut revoked = staple(State::Revoked, true, 86_400, 86_400);
        revoked.stapled = false;
        assert_eq!(health(&[revoked]).level, Level::Failing);
    }

    #[test]
    fn about_to_run_out_is_by_the_alarm_or_by_a_quarter_of_a_short_life() {
        let level = |life, left| health(&[staple(State::Late, true, life, left)]).level;
        assert_eq!(level(4 * 86_400, 12 * 3600), Level::Attention);
        assert_eq!(level(4 * 86_400, 12 * 3600 - 1), Level::Failing);
        assert_eq!(level(600, 150), Level::Attention);
        assert_eq!(level(600, 149), Level::Failing);
    }

    #[test]
    fn of_very_many_that_fail_the_first_are_told_and_the_others_counted() {
        let all = vec![staple(State::Missing, true, 86_400, 0); 250];
        let health = health(&all);
        assert!(health.summary.starts_with("250 must-staple certificates"), "{}", health.summary);
        assert_eq!(health.failing.len(), 101);
        assert_eq!(health.failing[100], "And so it is with 150 more.");
    }

    #[test]
    fn it_is_said_in_a_sentence() {
        let fresh = || staple(State::Fresh, true, 600, 600);
        assert_eq!(health(&[fresh()]).summary, "The staple is fresh.");
        assert_eq!(health(&[fresh(), fresh()]).summary, "All 2 staples are fresh.");
        let late = staple(State::Late, false, 600, 10);
        assert_eq!(
            health(&[fresh(), late.clone()]).summary,
            "1 of 2 certificates needs attention."
        );
        assert_eq!(health(&[late]).summary, "The certificate needs attention.");
    }
}
