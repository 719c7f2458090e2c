//! OCSP messages: RFC 6960 structures to and from DER.
//!
//! Parsing is strict DER: the whole input is consumed, lengths are minimal, defaults are not
//! encoded, and what is malformed anywhere is refused. Parsed values borrow from their input. The
//! same types are built by hand and written again; what was parsed and written is the same bytes.
//!
//! Nothing here judges: a parsed response is a claim until [`crate::Verifier`] has looked at it.

mod algorithm;
mod cert_id;
mod extension;
mod name;
mod request;
mod response;
mod single;

pub use algorithm::{AlgorithmIdentifier, HashAlgorithm, SubjectPublicKeyInfo};
pub use cert_id::CertId;
pub use extension::{Extension, NONCE_RECOMMENDED_LENGTH, oid};
pub use name::Name;
pub use request::{OcspRequest, Request, RequestSignature};
pub use response::{
    BasicOcspResponse, OcspResponse, OcspResponseStatus, ResponderId, ResponseData,
};
pub use single::{CertStatus, CrlReason, RevokedInfo, SingleResponse};

use std::borrow::Cow;

use asn1::{Asn1Readable, ParseError, ParseErrorKind, ParseResult, Parser};
use rustls_pki_types::UnixTime;

/// Bytes of a message, borrowed from the input or owned.
type Bytes<'a> = Cow<'a, [u8]>;

fn invalid() -> ParseError {
    ParseError::new(ParseErrorKind::InvalidValue)
}

/// A `BIT STRING` of whole octets, as signatures and keys are: bits at the end that do not count would be
/// bytes that are verified and yet say nothing.
pub(crate) fn read_octets<'a>(p: &mut Parser<'a>) -> ParseResult<&'a [u8]> {
    let bits: asn1::BitString<'a> = p.read_element()?;
    if bits.padding_bits() == 0 { Ok(bits.as_bytes()) } else { Err(invalid()) }
}

/// A `GeneralizedTime` as RFC 5280, 4.1.2.5.2 profiles it: UTC, to the second, no fraction.
fn read_time(time: &asn1::X509GeneralizedTime) -> ParseResult<UnixTime> {
    crate::time::from_asn1(time.as_datetime()).ok_or_else(invalid)
}

fn write_time(time: UnixTime) -> Result<asn1::X509GeneralizedTime, asn1::WriteError> {
    crate::time::to_asn1(time)
        .and_then(asn1::X509GeneralizedTime::new)
        .map_err(|_| asn1::WriteError::AllocationError)
}

/// What was written. Writing fails only when memory is exhausted or a length exceeds the address
/// space; the empty result then is no DER at all, and every reader refuses it.
fn written(result: Result<Vec<u8>, asn1::WriteError>) -> Vec<u8> {
    result.unwrap_or_default()
}

/// All elements of a `SEQUENCE OF`, at most `limit` of them.
fn read_all<'a, T: Asn1Readable<'a>>(
    sequence: asn1::Sequence<'a>,
    limit: usize,
) -> ParseResult<Vec<T>> {
    sequence.parse(|p: &mut Parser<'a>| {
        let mut all = Vec::new();
        while !p.is_empty() {
            if all.len() == limit {
                return Err(ParseError::new(ParseErrorKind::InvalidSize {
                    min: 0,
                    max: limit,
                    actual: limit + 1,
                }));
            }
            all.push(p.read_element()?);
        }
        Ok(all)
    })
}
