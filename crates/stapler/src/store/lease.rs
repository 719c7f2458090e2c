//! What a lease means in time: how long one lasts, and when a member looks again at a certificate that
//! another has the lease of.

use std::time::Duration;

use rustls_pki_types::UnixTime;

use crate::schedule::spread;

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

/// For how long a lease lasts on whose holder has failed at `now` and asks again at `next`: until just
/// after that, since the others need not fail as well.
pub fn pause_of_others(next: UnixTime, now: UnixTime) -> Duration {
    Duration::from_secs(next.as_secs().saturating_sub(now.as_secs()).saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn members_do_not_come_back_together() {
        let left = Duration::from_secs(3600);
        let times: std::collections::HashSet<_> =
            (0..1000).map(|seed| look_again(left, seed).as_secs()).collect();
        assert!(times.len() > 300, "{}", times.len());
    }
}
