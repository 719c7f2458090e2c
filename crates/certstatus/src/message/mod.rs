//! OCSP messages: RFC 6960 structures to and from DER.
//!
//! Parsing is strict DER: the whole input is consumed, lengths are minimal, defaults are not
//! encoded, and what is malformed anywhere is refused. Parsed values borrow from their input. The
//! same types are built by hand and written again; what was parsed and written is the same bytes.
//!
//! Responders in the field depart from this. `parse_lenient` reads on where a departure leaves no
//! doubt about the other fields, and lists it as an [`Irregularity`](crate::Irregularity):
//!
//! | encoding | *good*, *unknown* | *revoked* |
//! |---|---|---|
//! | version v1 written, or another version | refused | counts |
//! | a time with a fraction, before 1970, or of another form | refused | counts |
//! | revocation reason 7, 11 or another unknown one | (has none) | counts, without a reason |
//! | `RevokedInfo` that cannot be read, or with primitive tag | (has none) | counts |
//! | status *good* or *unknown* with contents | refused | (none) |
//! | `critical FALSE` written | refused | counts |
//! | an empty list of extensions, one twice, one that cannot be read | refused | counts |
//! | a nonce without its OCTET STRING (RFC 2560), or not of 1 to 128 bytes | refused | counts |
//! | bytes after the last field of `ResponseData` or `SingleResponse` | refused | counts |
//! | another statement that cannot be read | refused | counts |
//! | an embedded certificate that is no SEQUENCE | refused | counts |
//! | lengths that are not minimal, other tags, cut or longer input | refused | refused |
//!
//! Leniency never makes *good*, and strictness never hides *revoked*. For the same reason a critical
//! extension that is not understood, or another nonce, refuses *good* and not *revoked*. A reader
//! that only shows messages shows all but the last row.
//!
//! Nothing here judges: a parsed response is a claim until [`crate::Verifier`] has looked at it.

mod algorithm;
mod cert_id;
mod extension;
mod name;
mod reader;
mod request;
mod response;
mod single;
mod time;

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

use asn1::{ParseError, ParseErrorKind, ParseResult, Parser};
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
