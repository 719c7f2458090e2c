//! A time that may not be there, in few bytes.

use std::fmt;
use std::num::NonZero;

use certstatus::time::unix;
use rustls_pki_types::UnixTime;

/// An `Option<UnixTime>` of half the size: each of very many certificates has several.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Moment(
    /// Seconds since 1970, and one.
    Option<NonZero<u64>>,
);

impl Moment {
    /// There is none.
    pub(crate) const NONE: Self = Self(None);

    pub(crate) fn get(self) -> Option<UnixTime> {
        self.0.map(|seconds| unix(seconds.get() - 1))
    }
}

impl From<UnixTime> for Moment {
    fn from(time: UnixTime) -> Self {
        Self(NonZero::new(time.as_secs().saturating_add(1)))
    }
}

impl From<Option<UnixTime>> for Moment {
    fn from(time: Option<UnixTime>) -> Self {
        time.map_or(Self::NONE, Self::from)
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_kept() {
        for time in [0, 1, 1_700_000_000, u64::MAX - 1].map(unix) {
            assert_eq!(Moment::from(time).get(), Some(time));
            assert_eq!(Moment::from(Some(time)).get(), Some(time));
        }
        assert_eq!(Moment::from(None).get(), None);
        assert_eq!(size_of::<Moment>(), 8);
    }
}
