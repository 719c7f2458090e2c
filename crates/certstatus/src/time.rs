//! Points in time: `GeneralizedTime` on the wire, [`UnixTime`] in the API, RFC 3339 for people.
//!
//! The core never reads a clock; every function that needs the time takes it.

use std::fmt;
use std::time::Duration;

use rustls_pki_types::UnixTime;

const SECONDS_PER_DAY: u64 = 86_400;

/// The last second that `GeneralizedTime` can name: 9999-12-31T23:59:59Z.
const LAST_SECOND: u64 = 253_402_300_799;

/// Seconds since 1970 of an ASN.1 date, or `None` for a date before 1970.
///
/// Days are counted by the proleptic Gregorian calendar, with the year starting in March so that
/// the leap day comes last.
pub(crate) fn from_asn1(date: &asn1::DateTime) -> Option<UnixTime> {
    let (year, month) = (u64::from(date.year()), u64::from(date.month()));
    let (year, month) =
        if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let days = year * 365 + year / 4 - year / 100
        + year / 400
        + (153 * month + 2) / 5
        + u64::from(date.day())
        - 1;
    let days = days.checked_sub(719_468)?;
    let seconds =
        u64::from(date.hour()) * 3600 + u64::from(date.minute()) * 60 + u64::from(date.second());
    Some(unix(days * SECONDS_PER_DAY + seconds))
}

/// The ASN.1 date of a point in time; what lies after the year 9999 becomes its last second.
pub(crate) fn to_asn1(time: UnixTime) -> asn1::ParseResult<asn1::DateTime> {
    let seconds = time.as_secs().min(LAST_SECOND);
    let (days, rest) = (seconds / SECONDS_PER_DAY + 719_468, seconds % SECONDS_PER_DAY);
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    asn1::DateTime::new(
        year as u16,
        month as u8,
        day as u8,
        (rest / 3600) as u8,
        (rest / 60 % 60) as u8,
        (rest % 60) as u8,
    )
}

/// A [`UnixTime`] from seconds since 1970-01-01T00:00:00Z.
pub const fn unix(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// `time + duration`, saturating.
pub(crate) fn after(time: UnixTime, duration: Duration) -> UnixTime {
    unix(time.as_secs().saturating_add(duration.as_secs()))
}

/// `time - duration`, not before 1970.
pub(crate) fn before(time: UnixTime, duration: Duration) -> UnixTime {
    unix(time.as_secs().saturating_sub(duration.as_secs()))
}

/// Shows a point in time as RFC 3339 in UTC, to the second: `2026-03-01T12:00:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rfc3339(pub UnixTime);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = std::time::UNIX_EPOCH + Duration::from_secs(self.0.as_secs().min(LAST_SECOND));
        humantime::format_rfc3339_seconds(shown).fmt(f)
    }
}

/// Shows the distance of a point in time from another for people: `3h 20m ago`, `in 4d`, `now`.
///
/// The two largest units are shown; what is smaller is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relative {
    /// The point in time that is described.
    pub time: UnixTime,
    /// The point in time from which it is seen.
    pub now: UnixTime,
}

impl fmt::Display for Relative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (time, now) = (self.time.as_secs(), self.now.as_secs());
        if time == now {
            return f.write_str("now");
        }
        let distance = Span(Duration::from_secs(time.abs_diff(now)));
        if time > now { write!(f, "in {distance}") } else { write!(f, "{distance} ago") }
    }
}

/// Shows a duration by its two largest units: `4d 2h`, `5m`, `0s`; and one of less than a second by
/// milliseconds: `300ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let parts = [
            (seconds / SECONDS_PER_DAY, 'd'),
            (seconds / 3600 % 24, 'h'),
            (seconds / 60 % 60, 'm'),
            (seconds % 60, 's'),
        ];
        let Some(first) = parts.iter().position(|(count, _)| *count > 0) else {
            return match self.0.subsec_millis() {
                0 => f.write_str("0s"),
                millis => write!(f, "{millis}ms"),
            };
        };
        let mut shown = parts.iter().skip(first).take(2).filter(|(count, _)| *count > 0);
        if let Some((count, unit)) = shown.next() {
            write!(f, "{count}{unit}")?;
        }
        shown.try_for_each(|(count, unit)| write!(f, " {count}{unit}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asn1(y: u16, mo: u8, d: u8, h: u8, mi: u8, s: u8) -> asn1::DateTime {
        asn1::DateTime::new(y, mo, d, h, mi, s).unwrap()
    }

    #[test]
    fn known_dates_convert_both_ways() {
        for (date, seconds) in [
            (asn1(1970, 1, 1, 0, 0, 0), 0),
            (asn1(2000, 2, 29, 12, 0, 0), 951_825_600),
            (asn1(2000, 3, 1, 0, 0, 0), 951_868_800),
            (asn1(2026, 12, 31, 23, 59, 59), 1_798_761_599),
            (asn1(2100, 2, 28, 0, 0, 0), 4_107_456_000),
            (asn1(9999, 12, 31, 23, 59, 59), LAST_SECOND),
        ] {
            assert_eq!(from_asn1(&date), Some(unix(seconds)), "{date:?}");
            assert_eq!(to_asn1(unix(seconds)).unwrap(), date);
        }
    }

    #[test]
    fn every_day_round_trips() {
        for day in (0..LAST_SECOND / SECONDS_PER_DAY).step_by(13) {
            let time = unix(day * SECONDS_PER_DAY + 7);
            assert_eq!(from_asn1(&to_asn1(time).unwrap()), Some(time));
        }
    }

    #[test]
    fn dates_before_1970_have_no_unix_time() {
        assert_eq!(from_asn1(&asn1(1969, 12, 31, 23, 59, 59)), None);
        assert_eq!(from_asn1(&asn1(0, 1, 1, 0, 0, 0)), None);
    }

    #[test]
    fn times_read_well() {
        assert_eq!(Rfc3339(unix(951_825_600)).to_string(), "2000-02-29T12:00:00Z");
        assert_eq!(Rfc3339(unix(u64::MAX)).to_string(), "9999-12-31T23:59:59Z");
        let at = |time| Relative { time: unix(time), now: unix(100_000) }.to_string();
        assert_eq!(at(100_000), "now");
        assert_eq!(at(99_995), "5s ago");
        assert_eq!(at(100_000 + 86_400 * 4 + 7_260), "in 4d 2h");
        assert_eq!(at(100_000 + 86_400 * 4 + 60), "in 4d");
        assert_eq!(Span(Duration::ZERO).to_string(), "0s");
        assert_eq!(Span(Duration::from_millis(300)).to_string(), "300ms");
        assert_eq!(Span(Duration::from_millis(1300)).to_string(), "1s");
    }
}
