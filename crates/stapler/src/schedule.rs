//! When a responder is asked next: a pure function of what is known, without clock and state.
//!
//! * The first fetch is at once.
//! * A staple is refreshed in the last part of the first half of its life, at a point of its own by
//!   its seed, so that a fleet spreads. Before the half and not after it: an outage of half a life
//!   that begins just before the refresh then still ends before the staple does.
//! * Where the members of a fleet share a store, that point is the certificate's, and nearly the same
//!   for all members. If each had its own, the first of them would refresh for all, and so all
//!   certificates near the beginning of that part: a fleet that started in step would stay in step.
//! * HTTP caching headers (RFC 5019, 6.2) may bring the refresh forward; nothing puts it off.
//! * However long a staple lives, the responder is asked within [`Facts::refresh_max`] of the last answer,
//!   because a revocation is seen in no other way.
//! * A responder that has nothing newer is asked again when an eighth to a quarter of what is left
//!   has passed; the later the longer caches keep the answer.
//! * After a failure, 30 s, doubling to an hour, with jitter; as expiry nears, sooner: never more
//!   than a quarter of what is left.
//!
//! Points in time that make no sense, as after a jump of the clock, never put an attempt off.

use std::time::Duration;

use certstatus::time::unix;
use rustls_pki_types::UnixTime;

/// The pause after the first failure.
pub const FIRST_BACKOFF: Duration = Duration::from_secs(30);

/// The longest pause after a failure, before jitter.
pub const MAX_BACKOFF: Duration = Duration::from_secs(3600);

/// The default of the longest pause between two questions about one certificate: a day, within which a
/// revocation is seen whatever `nextUpdate` says.
pub const REFRESH_MAX: Duration = Duration::from_secs(86_400);

/// Nothing is asked more often than this, however short the life of a staple is.
pub const MIN_PAUSE: Duration = Duration::from_secs(2);

/// The refresh comes in this part of a life at the earliest: 3/8 ...
const EARLIEST: f64 = 3.0 / 8.0;

/// ... and before this one: 15/32. What remains to the half is time for another attempt.
const LATEST: f64 = 15.0 / 32.0;

/// The share of that part in which the members of a fleet that shares a store follow each other: 8
/// minutes of a four-day response.
const OF_MEMBER: f64 = 1.0 / 64.0;

/// What is known when the next attempt is planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The time of planning.
    pub now: UnixTime,
    /// The life of the staple that is there. `None` when there is none that holds now.
    pub life: Option<Life>,
    /// When the last attempt was; `None` when there was none.
    pub attempted: Option<UnixTime>,
    /// How many attempts have failed since the last that succeeded, or since the last staple ended:
    /// who is without one has failed often by then, and should not be left so for an hour.
    pub failures: u32,
    /// Until when HTTP caches keep the staple that is there, if the responder said so.
    pub fresh_until: Option<UnixTime>,
    /// For how long the responder wants to be left alone, if it said so when it failed.
    pub retry_after: Option<Duration>,
    /// What spreads attempts: another for each certificate and each member of a fleet.
    pub seed: u64,
    /// What spreads the refreshes of a fleet that shares a store: another for each certificate, and
    /// the same for all members. `None` where each member refreshes for itself.
    pub fleet_seed: Option<u64>,
    /// The longest pause after an answer; see [`REFRESH_MAX`]. The pause is between 7/8 of it and all of
    /// it, so that a fleet spreads.
    pub refresh_max: Duration,
}

/// The life of a staple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// `thisUpdate`.
    pub this_update: UnixTime,
    /// The first second in which it must not be stapled any more.
    pub expires: UnixTime,
}

/// When to ask next; at once if that is not after [`Facts::now`].
pub fn next_attempt(facts: &Facts) -> UnixTime {
    let now = facts.now.as_secs();
    // An attempt in the future was made by a clock that has been put back since.
    let attempted = facts.attempted.map(|at| at.as_secs().min(now));
    let next = match (facts.failures, facts.life) {
        (0, None) => now,
        (0, Some(life)) => {
            let point = refresh_point(&life, facts);
            match attempted {
                Some(at) if at >= point => at.saturating_add(nothing_newer(&life, at, facts)),
                _ => point,
            }
        }
        (failures, life) => {
            let at = attempted.unwrap_or(now);
            at.saturating_add(after_failure(failures, life, at, facts))
        }
    };
    unix(next)
}

/// The pause after that many failures in a row (at least one) without regard to any staple, with
/// jitter of a quarter both ways: seconds.
pub fn backoff(failures: u32, seed: u64) -> Duration {
    let doubled = 1u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX);
    let pause = FIRST_BACKOFF.as_secs().saturating_mul(doubled).min(MAX_BACKOFF.as_secs());
    let jitter = 0.75 + 0.5 * spread(seed, u64::from(failures));
    Duration::from_secs((pause as f64 * jitter) as u64)
}

/// How long a certificate waits at most for a responder in trouble to be asked again, when its staple
/// expires, or has expired, at that time: as in its own schedule the shorter the nearer that is, and
/// from then on longer and longer.
pub fn patience(now: UnixTime, expires: Option<UnixTime>) -> Duration {
    let Some(expires) = expires else { return MAX_BACKOFF };
    let (now, end) = (now.as_secs(), expires.as_secs());
    match end.checked_sub(now) {
        None | Some(0) => Duration::from_secs(now - end).clamp(FIRST_BACKOFF, MAX_BACKOFF),
        Some(left) => Duration::from_secs(left / 4).max(MIN_PAUSE),
    }
}

/// The point of a staple's life at which it is refreshed.
fn refresh_point(life: &Life, facts: &Facts) -> u64 {
    let (from, length) = (life.this_update.as_secs(), length(life));
    let own = spread(facts.seed, from);
    // By the certificate, so that a fleet's load is spread like that of one member; and a little by
    // the member, so that not all of them look for the lease at once.
    let spread = facts
        .fleet_seed
        .map_or(own, |common| OF_MEMBER * own + (1.0 - OF_MEMBER) * spread(common, from));
    let point = from.saturating_add(part(length, EARLIEST + (LATEST - EARLIEST) * spread));
    // The responder answered when it was asked, or signed this since: a member of a fleet may have asked.
    let answered =
        facts.attempted.map_or(from, |at| at.as_secs().min(facts.now.as_secs()).max(from));
    let longest = part(facts.refresh_max.as_secs(), 0.875 + 0.125 * spread);
    let point = point.min(answered.saturating_add(longest.max(MIN_PAUSE.as_secs())));
    match facts.fresh_until.map(|until| until.as_secs()) {
        // Not in the first eighth, whatever the header says, and not all at the same second.
        Some(fresh_until) => {
            let earliest = fresh_until.max(from.saturating_add(length / 8));
            point.min(earliest.saturating_add(part(length / 32, spread)))
        }
        None => point,
    }
}

/// The pause after an answer that brought nothing newer.
fn nothing_newer(life: &Life, at: u64, facts: &Facts) -> u64 {
    let left = life.expires.as_secs().saturating_sub(at);
    let kept = facts.fresh_until.map_or(0, |until| until.as_secs().saturating_sub(at));
    let pause = kept.clamp(left / 8, left / 4);
    let pause = pause.min(facts.refresh_max.as_secs());
    part(pause, 0.75 + 0.25 * spread(facts.seed, at)).max(MIN_PAUSE.as_secs())
}

fn after_failure(failures: u32, life: Option<Life>, at: u64, facts: &Facts) -> u64 {
    let pause = backoff(failures, facts.seed).as_secs();
    let asked_for = facts.retry_after.map_or(0, |pause| pause.min(MAX_BACKOFF).as_secs());
    let left = life.map_or(0, |life| life.expires.as_secs().saturating_sub(at));
    if left == 0 {
        return pause.max(asked_for);
    }
    let (near, nearest) = (left / 4, left / 2);
    pause.min(near).max(asked_for.min(nearest)).max(MIN_PAUSE.as_secs())
}

fn length(life: &Life) -> u64 {
    life.expires.as_secs().saturating_sub(life.this_update.as_secs())
}

fn part(seconds: u64, share: f64) -> u64 {
    (seconds as f64 * share) as u64
}

/// A number from 0 to 1, the same for the same two: SplitMix64.
pub(crate) fn spread(seed: u64, salt: u64) -> f64 {
    let mut z = seed ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    (z >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: u64 = 1_800_000_000;

    fn fresh(length: u64, seed: u64) -> Facts {
        Facts {
            now: unix(NOW),
            life: Some(Life { this_update: unix(NOW), expires: unix(NOW + length) }),
            attempted: Some(unix(NOW)),
            failures: 0,
            fresh_until: None,
            retry_after: None,
            seed,
            fleet_seed: None,
            refresh_max: Duration::MAX,
        }
    }

    fn nothing(failures: u32, seed: u64) -> Facts {
        let attempted = (failures > 0).then(|| unix(NOW));
        Facts { life: None, attempted, failures, ..fresh(0, seed) }
    }

    #[test]
    fn the_first_fetch_is_at_once() {
        assert_eq!(next_attempt(&nothing(0, 7)), unix(NOW));
        let expired = Facts { attempted: None, now: unix(NOW + 5000), ..fresh(1000, 7) };
        assert!(next_attempt(&expired) <= expired.now);
    }

    #[test]
    fn failures_double_the_pause_from_half_a_minute_to_an_hour() {
        for (failures, pause) in [(1, 30), (2, 60), (3, 120), (7, 1920), (8, 3600), (400, 3600)] {
            for seed in 0..100 {
                let next = next_attempt(&nothing(failures, seed)).as_secs() - NOW;
                assert!((pause * 3 / 4 - 1..=pause * 5 / 4).contains(&next), "{failures}: {next}");
            }
        }
    }

    #[test]
    fn a_fleet_spreads_evenly_over_its_part_of_the_life() {
        let length = 400_000;
        let mut tenths = [0; 10];
        for seed in 0..10_000 {
            let at = next_attempt(&fresh(length, seed)).as_secs() - NOW;
            let share = (at as f64 / length as f64 - EARLIEST) / (LATEST - EARLIEST);
            tenths[(share * 10.0) as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (800..1200).contains(count)), "{tenths:?}");
    }

    #[test]
    fn of_a_fleet_that_shares_a_store_the_certificates_spread_and_the_members_stay_together() {
        let length = 400_000;
        let mut tenths = [0; 10];
        for certificate in 0..10_000 {
            let points = (0..10).map(|member| {
                let facts = fresh(length, certificate * 10 + member);
                let facts = Facts { fleet_seed: Some(certificate), ..facts };
                next_attempt(&facts).as_secs() - NOW
            });
            let points: Vec<_> = points.collect();
            let (first, last) = (*points.iter().min().unwrap(), *points.iter().max().unwrap());
            assert!(first < last, "they do not all come in one second");
            assert!(last - first <= length * 3 / 32 / 64 + 1, "{first} to {last}");
            // Who is first refreshes for all.
            let share = (first as f64 / length as f64 - EARLIEST) / (LATEST - EARLIEST);
            tenths[(share * 10.0) as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (800..1200).contains(count)), "{tenths:?}");
    }

    #[test]
    fn caching_headers_bring_the_refresh_forward_and_never_put_it_off() {
        let length = 96 * 3600;
        let plain = fresh(length, 3);
        let with = |hours: u64| {
            let fresh_until = Some(unix(NOW + hours * 3600));
            next_attempt(&Facts { fresh_until, ..plain }).as_secs() - NOW
        };
        assert_eq!(unix(NOW + with(96)), next_attempt(&plain));
        assert!((24 * 3600..28 * 3600).contains(&with(24)), "{}", with(24));
        assert!(with(0) >= length / 8, "a header that forbids caching makes no storm");
    }

    #[test]
    fn no_next_update_puts_a_refresh_off_beyond_the_longest_pause() {
        for life in [4 * 86_400, 365 * 86_400, 3650 * 86_400, u64::from(u32::MAX), 251_600_000_000]
        {
            for seed in 0..100 {
                let facts = Facts { refresh_max: REFRESH_MAX, ..fresh(life, seed) };
                let first = next_attempt(&facts).as_secs();
                assert!((NOW + 75_600..=NOW + 86_400).contains(&first), "{life}: {}", first - NOW);
                // Nothing newer then: the same response again, and again within a day.
                let mut asked = facts;
                for _ in 0..3 {
                    let at = next_attempt(&asked);
                    asked = Facts { now: at, attempted: Some(at), ..asked };
                    let pause = next_attempt(&asked).as_secs() - at.as_secs();
                    assert!((2..=86_400).contains(&pause), "{life}: {pause}");
                }
                // Loaded after a long time: at once, and not a day later.
                let now = unix(NOW + 40 * 86_400);
                let loaded = Facts { now, attempted: None, ..facts };
                assert!(next_attempt(&loaded) <= now);
            }
        }
        let short = Facts { refresh_max: REFRESH_MAX, ..fresh(43_200, 5) };
        assert_eq!(next_attempt(&short), next_attempt(&fresh(43_200, 5)), "no life is made longer");
    }

    #[test]
    fn a_pause_that_the_responder_asks_for_is_given_while_the_staple_allows_it() {
        let failed = Facts { failures: 1, ..fresh(86_400, 1) };
        let pause = |retry_after, now| {
            let asked = Some(Duration::from_secs(retry_after));
            let at = unix(NOW + now);
            let facts = Facts { retry_after: asked, attempted: Some(at), now: at, ..failed };
            next_attempt(&facts).as_secs() - at.as_secs()
        };
        assert_eq!(pause(1800, 0), 1800);
        assert_eq!(pause(1800, 86_400 - 600), 300, "half of what is left");
        assert_eq!(pause(86_400, 0), 3600, "an hour at most");
    }

    /// Plays attempts through an outage and tells whether one comes between its end and expiry.
    fn survives(length: u64, seed: u64, outage_begins: u64, outage: u64) -> bool {
        let mut facts = fresh(length, seed);
        for _ in 0..10_000 {
            let at = next_attempt(&facts).as_secs().max(facts.now.as_secs());
            let since = at - NOW;
            if since >= length {
                return false;
            }
            let down = (outage_begins..outage_begins + outage).contains(&since);
            if !down {
                return true;
            }
            facts.now = unix(at);
            facts.attempted = facts.now.into();
            facts.failures += 1;
        }
        false
    }

    proptest! {
        #[test]
        fn the_refresh_is_in_the_first_half(length in 20u64..40_000_000, seed: u64) {
            let at = next_attempt(&fresh(length, seed)).as_secs() - NOW;
            prop_assert!(at >= length * 3 / 8 && at < length / 2, "{} of {}", at, length);
        }

        #[test]
        fn no_outage_shorter_than_half_a_life_outlasts_the_staple(
            length in 60u64..40_000_000,
            seed: u64,
            begins in 0.0f64..1.0,
            lasts in 0.0f64..1.0,
        ) {
            let begins = (length as f64 * begins) as u64;
            let lasts = (length as f64 / 2.0 * lasts) as u64;
            prop_assert!(survives(length, seed, begins, lasts));
            // The worst there is: the outage begins in the second of the refresh.
            let refresh = next_attempt(&fresh(length, seed)).as_secs() - NOW;
            prop_assert!(survives(length, seed, refresh, length / 2));
        }

        #[test]
        fn attempts_are_never_in_a_tight_loop(
            failures in 0u32..100,
            length in 1u64..1_000_000,
            age in 0u64..2_000_000,
            fresh_until in proptest::option::of(0u64..3_000_000),
            retry_after in proptest::option::of(0u64..100_000),
            seed: u64,
        ) {
            let now = unix(NOW + age);
            let holds = age < length;
            let facts = Facts {
                now,
                life: holds.then(|| fresh(length, seed).life).flatten(),
                attempted: Some(now),
                failures: if holds { failures } else { failures.max(1) },
                fresh_until: fresh_until.map(|at| unix(NOW + at)),
                retry_after: retry_after.map(Duration::from_secs),
                seed,
                fleet_seed: None,
                refresh_max: Duration::MAX,
            };
            let next = next_attempt(&facts);
            let least = if age < length / 2 { 0 } else { 2 };
            prop_assert!(next.as_secs() >= now.as_secs() + least);
            prop_assert!(next.as_secs() <= now.as_secs() + length.max(2).max(3600 * 5 / 4));
        }

        #[test]
        fn a_clock_that_jumps_never_puts_an_attempt_off_for_long(
            failures in 1u32..100,
            attempted in 0u64..4_000_000_000,
            now in 0u64..4_000_000_000,
            seed: u64,
        ) {
            let facts = Facts {
                now: unix(now),
                attempted: Some(unix(attempted)),
                ..nothing(failures, seed)
            };
            prop_assert!(next_attempt(&facts).as_secs() <= now + 4500);
        }

        #[test]
        fn the_nearer_expiry_the_sooner(failures in 1u32..40, left in 8u64..1_000_000, seed: u64) {
            let now = unix(NOW + 1_000_000 - left);
            let facts = Facts { now, attempted: Some(now), failures, ..fresh(1_000_000, seed) };
            let pause = next_attempt(&facts).as_secs() - now.as_secs();
            prop_assert!(pause <= (left / 4).max(2));
        }
    }

    #[test]
    fn patience_ends_with_the_staple_and_grows_from_then_on() {
        let seconds = |now, end| patience(unix(now), Some(unix(end))).as_secs();
        let ending = [0, 400_000, 499_996, 499_999, 500_000].map(|now| seconds(now, 500_000));
        assert_eq!(ending, [125_000, 25_000, 2, 2, 30]);
        let ended = [1, 30, 31, 3600, u64::MAX].map(|now| seconds(now, 0));
        assert_eq!(ended, [30, 30, 31, 3600, 3600]);
        assert_eq!(patience(unix(0), None), MAX_BACKOFF);
    }
}
