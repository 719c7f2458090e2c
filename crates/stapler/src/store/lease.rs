//! What a lease means in time: how long one lasts, and when a member looks again at a certificate that
//! another has the lease of.

use std::time::Duration;

use certstatus::time::unix;
use rustls_pki_types::UnixTime;

use crate::schedule::{FIRST_BACKOFF, MAX_BACKOFF, spread};

/// For how long a lease is taken: longer than asking one responder takes. It is also what the death
/// of a member costs the others.
pub const LEASE: Duration = Duration::from_secs(60);

/// How soon to look for what a member that is asking now may have saved, should its notice be lost.
const SOON: Duration = Duration::from_secs(5);

/// For how long to leave a certificate alone whose lease another member holds for `left`.
///
/// What the holder saves is told of, and taken over at once; this is for the notice that is lost, and
/// for the holder that dies. A quarter of what is left, so that looking costs a logarithm of the time
/// that it is waited and the end of a lease is noticed soon after; with jitter of a quarter both ways
/// by `seed`, so that a fleet does not come back all at once. At least a second.
pub fn look_again(left: Duration, seed: u64) -> Duration {
    let soon = if left > LEASE { left } else { left.min(SOON * 4) } / 4;
    let jitter = 0.75 + 0.5 * spread(seed, left.as_secs());
    soon.mul_f64(jitter).max(Duration::from_secs(1))
}

/// Until when a member leaves a certificate to others that it has left to them `since` then: for five
/// to six eighths, by `seed`, of what was left of its staple at that time. That is longer than members
/// that fail, or that learn that there is nothing newer, keep the others waiting in turn.
///
/// A lease saves requests, and nothing depends on it: whoever can write to the store can set one that
/// lasts for a year. After that time the member asks without it. A member without a staple waits as
/// long as for one that ends in an hour.
pub fn patience_with_others(since: UnixTime, expires: Option<UnixTime>, seed: u64) -> UnixTime {
    let left = match expires {
        Some(expires) => expires.as_secs().saturating_sub(since.as_secs()),
        None => MAX_BACKOFF.as_secs(),
    };
    let share = (5.0 + spread(seed, since.as_secs())) / 8.0;
    let wait = Duration::from_secs(left).mul_f64(share).max(Duration::from_secs(1));
    unix(since.as_secs().saturating_add(wait.as_secs()))
}

/// How long a member that has failed lets others go first: they look for the end of a lease more
/// often than that. It adds this to [`look_again`], and [`pause_of_others`] takes it off.
pub const COURTESY: Duration = Duration::from_secs(8);

/// For how long a lease lasts on whose holder has failed at `now`, or has learnt that there is nothing
/// newer, and asks again at `next`: until shortly before that.
///
/// Until then the others need not do the same. Then it is another's turn, since what failed may be
/// the member and not the responder: its network, its clock, a cache on its way. If no other is due,
/// the one that has asked asks again.
pub fn pause_of_others(next: UnixTime, now: UnixTime) -> Duration {
    let pause = next.as_secs().saturating_sub(now.as_secs());
    Duration::from_secs(pause - COURTESY.as_secs().min(pause / 2))
}

/// The failures in a row that a member goes by when it has failed `own` times, and before the last of
/// them had been kept waiting for `waited` by others that failed: as many as if one member had failed
/// all the while. So a fleet asks a responder that fails no more often than one member does.
pub fn failures_of_fleet(own: u32, waited: Duration) -> u32 {
    // The pauses double: after so many of them, 30 s × (2^n - 1) have passed.
    let pauses = waited.as_secs() / FIRST_BACKOFF.as_secs() + 1;
    own.max(pauses.ilog2().saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lease_delays_by_a_share_of_the_staple() {
        let since = unix(1_800_000_000);
        for seed in 0..200 {
            for left in [16, 3600, 345_600, 31_536_000] {
                let end = unix(since.as_secs() + left);
                let wait = patience_with_others(since, Some(end), seed).as_secs() - since.as_secs();
                assert!((left * 5 / 8..=left * 3 / 4).contains(&wait), "{wait} of {left} s");
            }
            let wait = patience_with_others(since, None, seed).as_secs() - since.as_secs();
            assert!((2250..=2700).contains(&wait), "{wait}");
            let over = patience_with_others(since, Some(unix(5)), seed).as_secs();
            assert_eq!(over, since.as_secs() + 1);
        }
    }

    #[test]
    fn the_end_of_a_lease_is_noticed_soon_after_and_looking_is_cheap() {
        for seed in 0..200 {
            for lease in [60, 600, 4500] {
                let (mut left, mut looks) = (Duration::from_secs(lease), 0);
                while left > Duration::ZERO {
                    let pause = look_again(left, seed);
                    assert!(pause <= left / 3 || pause <= Duration::from_secs(7), "{pause:?}");
                    left = left.saturating_sub(pause);
                    looks += 1;
                }
                assert!(looks <= 40, "{looks} looks at a lease of {lease} s");
            }
        }
    }

    #[test]
    fn the_others_find_the_lease_of_one_that_has_failed_before_it_asks_again() {
        let now = unix(1_800_000_000);
        for seed in 0..200 {
            for pause in [22, 30, 60, 500, 3600] {
                let lease = pause_of_others(unix(now.as_secs() + pause), now).as_secs_f64();
                let mut at = 0.0;
                while at < lease {
                    at += look_again(Duration::from_secs_f64(lease - at), seed).as_secs_f64();
                }
                assert!(at < pause as f64, "{pause} s: found at {at}");
            }
        }
        for (pause, lease) in [(0, 0), (2, 1), (10, 5), (30, 22)] {
            let next = unix(now.as_secs() + pause);
            assert_eq!(pause_of_others(next, now), Duration::from_secs(lease));
        }
    }

    #[test]
    fn a_fleet_that_takes_turns_at_failing_asks_as_often_as_one_member() {
        let (mut waited, mut failures) = (0, 0);
        for nth in 1..=8 {
            // Another one each time, that has never failed before.
            failures = failures_of_fleet(1, Duration::from_secs(waited));
            assert_eq!(failures, nth);
            waited += FIRST_BACKOFF.as_secs() << (failures - 1);
        }
        assert_eq!(failures_of_fleet(20, Duration::from_secs(waited)), 20);
        assert!(failures_of_fleet(1, Duration::MAX) > failures);
    }

    #[test]
    fn members_do_not_come_back_together() {
        let left = Duration::from_secs(3600);
        let times: std::collections::HashSet<_> =
            (0..1000).map(|seed| look_again(left, seed).as_secs()).collect();
        assert!(times.len() > 300, "{}", times.len());
    }
}
