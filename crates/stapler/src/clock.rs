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
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixTime {
        UnixTime::now()
    }
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
