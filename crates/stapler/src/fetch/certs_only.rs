//! Certificates in a "certs-only" CMS message (RFC 5272, 4.1; RFC 5652, 5.1), also known as PKCS#7 or
//! `.p7b`. RFC 5280, 4.2.2.1 allows it at a `caIssuers` address, in BER or DER, and Windows exports
//! chains as such files.
//!
//! Nothing in the message is signed or trusted: the certificates are candidates.

use bcder::decode::{Constructed, ContentError, DecodeError, SliceSource};
use bcder::{ConstOid, Mode, Oid, Tag};

/// `signedData`, 1.2.840.113549.1.7.2.
const SIGNED_DATA: ConstOid = Oid(&[42, 134, 72, 134, 247, 13, 1, 7, 2]);

/// Certificates that are read. A bundle of a bridge CA has a few dozen.
const MAX_CERTIFICATES: usize = 128;

type Read<T> = Result<T, DecodeError<std::convert::Infallible>>;

/// Returns the certificates in a message; `None` when the bytes are no such message.
///
/// ```asn1
/// ContentInfo ::= SEQUENCE { contentType OBJECT IDENTIFIER, content [0] EXPLICIT SignedData }
/// SignedData ::= SEQUENCE {
///     version INTEGER, digestAlgorithms SET, encapContentInfo SEQUENCE,
///     certificates [0] IMPLICIT SET OF Certificate OPTIONAL, .. }
/// ```
pub fn certificates(message: &[u8]) -> Option<Vec<Vec<u8>>> {
    Mode::Ber
        .decode(SliceSource::new(message), |content_info| {
            content_info.take_sequence(|content_info| {
                Oid::skip_in(content_info)?;
                content_info
                    .take_constructed_if(Tag::CTX_0, |content| content.take_sequence(signed_data))
            })
        })
        .ok()
        .filter(|_| is_signed_data(message))
}

fn is_signed_data(message: &[u8]) -> bool {
    let id = Mode::Ber.decode(SliceSource::new(message), |content_info| {
        content_info.take_sequence(|content_info| {
            let id = Oid::take_from(content_info)?;
            while content_info.skip_opt(any)?.is_some() {}
            Ok(id)
        })
    });
    id.is_ok_and(|id| id == SIGNED_DATA)
}

fn signed_data(signed_data: &mut Constructed<'_, SliceSource<'_>>) -> Read<Vec<Vec<u8>>> {
    // version, digestAlgorithms, encapContentInfo
    for _ in 0..3 {
        signed_data.skip(any)?;
    }
    let mut found = Vec::new();
    signed_data.take_opt_constructed_if(Tag::CTX_0, |certificates| {
        while let Some(certificate) = one(certificates)? {
            if found.len() < MAX_CERTIFICATES {
                found.push(certificate);
            }
        }
        Ok(())
    })?;
    while signed_data.skip_opt(any)?.is_some() {}
    Ok(found)
}

/// The next value, as its bytes.
fn one(set: &mut Constructed<'_, SliceSource<'_>>) -> Read<Option<Vec<u8>>> {
    let mut is_there = false;
    let captured = set.capture(|set| {
        is_there = set.skip_opt(any)?.is_some();
        Ok(())
    })?;
    Ok(is_there.then(|| captured.as_slice().to_vec()))
}

/// Accepts a value of any tag.
fn any(_: Tag, _: bool, _: usize) -> Result<(), ContentError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrap(tag: u8, contents: &[u8]) -> Vec<u8> {
        [&[tag, contents.len() as u8], contents].concat()
    }

    /// The same with a length that is not known at the beginning, as BER allows.
    fn open(tag: u8, contents: &[u8]) -> Vec<u8> {
        [&[tag, 0x80], contents, &[0, 0]].concat()
    }

    /// `SEQUENCE { signedData, [0] { SEQUENCE { 1, SET {}, SEQUENCE { data }, certificates, SET {} } } }`
    fn message(certificates: &[u8], wrap: fn(u8, &[u8]) -> Vec<u8>) -> Vec<u8> {
        let oid = |last| [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, last];
        let data =
            [&[2, 1, 1, 0x31, 0][..], &wrap(0x30, &oid(1)), &wrap(0xa0, certificates), &[0x31, 0]]
                .concat();
        wrap(0x30, &[&oid(2)[..], &wrap(0xa0, &wrap(0x30, &data))].concat())
    }

    #[test]
    fn certificates_come_out_in_order() {
        for wrap in [wrap, open] {
            let found = certificates(&message(&[0x30, 2, 5, 0, 0x30, 0], wrap)).unwrap();
            assert_eq!(found, [vec![0x30, 2, 5, 0], vec![0x30, 0]]);
        }
    }

    #[test]
    fn anything_else_is_none() {
        assert_eq!(certificates(&[]), None);
        assert_eq!(certificates(&[0x30, 0]), None);
        assert_eq!(certificates(&message(&[0x30], wrap)), None);
        for whole in [message(&[0x30, 0], wrap), message(&[0x30, 0], open)] {
            for end in 0..whole.len() {
                assert_eq!(certificates(&whole[..end]), None, "{end}");
            }
        }
    }

    #[test]
    fn nesting_has_an_end() {
        for depth in [100, 30_000] {
            let _ = certificates(&[0x30, 0x80].repeat(depth));
        }
    }
}
