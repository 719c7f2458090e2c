//! `GeneralizedTime` in responses: the strict form, and what is read of others.

use rustls_pki_types::UnixTime;

use super::reader::{Element, Irregularities};
use crate::Error;
use crate::time::unix;

const GENERALIZED_TIME: u8 = 0x18;

/// Reads a `GeneralizedTime` as RFC 5280, 4.1.2.5.2 profiles it: UTC, to the second, no fraction.
///
/// Other forms are irregular. A fraction is cut off, and a time before 1970 or one that cannot be
/// read is 1970-01-01.
pub(super) fn read_time(time: Element<'_>, odd: &mut Irregularities) -> Result<UnixTime, Error> {
    time.has_tag(GENERALIZED_TIME)?;
    let bytes = time.tlv().data();
    if let Some(read) = strict(bytes) {
        return match read {
            Some(read) => Ok(read),
            None => Ok(irregular(time, odd, unix(0), "the time is before 1970")),
        };
    }
    // DER: a point, digits, and no zero at the end; BER also has a comma, and both end in Z here.
    let fraction = bytes.get(14..).and_then(|rest| rest.strip_suffix(b"Z"));
    let is_fraction = fraction.is_some_and(|rest| match rest.split_first() {
        Some((b'.' | b',', digits)) => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    });
    let whole: Option<Vec<u8>> =
        bytes.get(..14).filter(|_| is_fraction).map(|second| [second, b"Z"].concat());
    match whole.as_deref().and_then(strict) {
        Some(Some(read)) => Ok(irregular(time, odd, read, "the time has a fraction of a second")),
        Some(None) => Ok(irregular(time, odd, unix(0), "the time is before 1970")),
        None => Ok(irregular(time, odd, unix(0), "the time is not of the form YYYYMMDDHHMMSSZ")),
    }
}

fn irregular(
    time: Element<'_>,
    odd: &mut Irregularities,
    read: UnixTime,
    reason: &'static str,
) -> UnixTime {
    odd.push(time.irregular(reason));
    read
}

/// The time in `YYYYMMDDHHMMSSZ`; the inner option is empty for a time before 1970.
fn strict(bytes: &[u8]) -> Option<Option<UnixTime>> {
    let length = u8::try_from(bytes.len()).ok().filter(|length| *length < 0x80)?;
    let der = [&[GENERALIZED_TIME, length], bytes].concat();
    let time = asn1::parse_single::<asn1::X509GeneralizedTime>(&der).ok()?;
    Some(crate::time::from_asn1(time.as_datetime()))
}
