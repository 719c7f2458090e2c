//! The time, as a parameter.
//!
//! Responses are judged by the time of the world, which can jump; pauses are counted by
//! [`tokio::time`], which cannot. [`SystemClock`] is the one of every day; [`TokioClock`] makes the
//! time of the world follow tokio's, so that a test on paused time lives through days in seconds.

use std::fmt;
use std::time::Duration;

use certstatus::time::unix;
use rustls_pki_types::UnixTime;
use tokio::time::Instant;

/// Tells the time of the world.
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// The time, to the second. It may jump.
    fn now(&self) -> UnixTime;
}

/// The system's clock.
///
/// On Linux most calls read the clock that the kernel sets at each tick (`CLOCK_REALTIME_COARSE`,
/// clock_gettime(2)), which takes a few nanoseconds, and only close to the end of a second the exact
/// one: to the second they are the same, and every handshake asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixTime {
        coarse().unwrap_or_else(UnixTime::now)
    }
}

/// The second in which the tick's clock and the exact one are, unless they may be in two.
#[cfg(target_os = "linux")]
fn coarse() -> Option<UnixTime> {
    use rustix::time::{ClockId, clock_gettime};

    let time = clock_gettime(ClockId::RealtimeCoarse);
    // The tick's clock is not further behind than five ticks of the slowest kernel.
    let same_second = time.tv_nsec < 1_000_000_000 - 50_000_000;
    u64::try_from(time.tv_sec).ok().filter(|_| same_second).map(unix)
}

#[cfg(not(target_os = "linux"))]
fn coarse() -> Option<UnixTime> {
    None
}

/// A clock that starts at a point in time and then follows [`tokio::time`].
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    begin: UnixTime,
    origin: Instant,
}

impl TokioClock {
    /// A clock at which it is `begin` now.
    pub fn starting(begin: UnixTime) -> Self {
        Self { begin, origin: Instant::now() }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> UnixTime {
        let since: Duration = self.origin.elapsed();
        unix(self.begin.as_secs().saturating_add(since.as_secs()))
    }
}

/// The time after that long.
pub(crate) fn later(now: UnixTime, duration: Duration) -> UnixTime {
    unix(now.as_secs().saturating_add(duration.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Through the end of a second, where the two clocks part: never earlier than the exact one, and
    /// never later. A machine that stands still for long in that moment gets another second.
    #[test]
    fn the_system_clock_is_exact_to_the_second() {
        let attempts: Vec<_> = (0..5).map_while(|_| through_a_second().err()).collect();
        assert!(attempts.len() < 5, "{attempts:?}");
    }

    fn through_a_second() -> Result<(), String> {
        let begun = UnixTime::now();
        let mut past_it = None::<std::time::Instant>;
        while past_it.is_none_or(|end| end.elapsed() < Duration::from_millis(60)) {
            let (before, told, after) = (UnixTime::now(), SystemClock.now(), UnixTime::now());
            if told < before || after < told {
                return Err(format!("{told:?} is not between {before:?} and {after:?}"));
            }
            if after > begun {
                past_it.get_or_insert_with(std::time::Instant::now);
            }
        }
        Ok(())
    }
}
