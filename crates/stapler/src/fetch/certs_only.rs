//! Certificates in a "certs-only" CMS message (RFC 5272, 4.1; RFC 5652, 5.1), which RFC 5280,
//! 4.2.2.1 allows at a `caIssuers` address beside a certificate by itself.
//!
//! Nothing in the message is signed or believed: what comes out are candidates.

use asn1::{Explicit, ObjectIdentifier, ParseResult, Sequence, Tlv};

const SIGNED_DATA: ObjectIdentifier = asn1::oid!(1, 2, 840, 113549, 1, 7, 2);

/// `certificates [0] IMPLICIT CertificateSet`, constructed.
const CERTIFICATES: u8 = 0xa0;

/// Certificates that are read. A bundle of a bridge CA has a few dozen.
const MAX_CERTIFICATES: usize = 128;

/// The certificates in a message; `None` when it is no such message.
///
/// ```asn1
/// ContentInfo ::= SEQUENCE { contentType OBJECT IDENTIFIER, content [0] EXPLICIT SignedData }
/// SignedData ::= SEQUENCE {
///     version INTEGER, digestAlgorithms SET, encapContentInfo SEQUENCE,
///     certificates [0] IMPLICIT SET OF Certificate OPTIONAL, .. }
/// ```
pub(super) fn certificates(der: &[u8]) -> Option<Vec<Vec<u8>>> {
    read(der).ok().flatten()
}

fn read(der: &[u8]) -> ParseResult<Option<Vec<Vec<u8>>>> {
    asn1::parse_single::<Sequence<'_>>(der)?.parse(|p| {
        let id: ObjectIdentifier = p.read_element()?;
        let content: Explicit<Sequence<'_>, 0> = p.read_element()?;
        if id != SIGNED_DATA {
            return Ok(None);
        }
        content.into_inner().parse(|p| {
            let mut found = None;
            while !p.is_empty() {
                let field: Tlv<'_> = p.read_element()?;
                if field.tag().as_u8() == Some(CERTIFICATES) {
                    found = Some(all(field.data())?);
                }
            }
            ParseResult::Ok(found)
        })
    })
}

fn all(contents: &[u8]) -> ParseResult<Vec<Vec<u8>>> {
    asn1::parse(contents, |p| {
        let mut all = Vec::new();
        while !p.is_empty() && all.len() < MAX_CERTIFICATES {
            all.push(p.read_element::<Tlv<'_>>()?.full_data().to_vec());
        }
        while !p.is_empty() {
            p.read_element::<Tlv<'_>>()?;
        }
        Ok(all)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `SEQUENCE { signedData, [0] { SEQUENCE { 1, SET {}, SEQUENCE { data }, certificates, SET {} } } }`
    fn message(certificates: &[u8]) -> Vec<u8> {
        let oid = |last| [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, last];
        let wrap = |tag: u8, contents: &[u8]| [&[tag, contents.len() as u8], contents].concat();
        let data =
            [&[2, 1, 1, 0x31, 0][..], &wrap(0x30, &oid(1)), &wrap(0xa0, certificates), &[0x31, 0]]
                .concat();
        wrap(0x30, &[&oid(2)[..], &wrap(0xa0, &wrap(0x30, &data))].concat())
    }

    #[test]
    fn the_certificates_come_out_in_order() {
        let found = certificates(&message(&[0x30, 1, 5, 0x30, 0])).unwrap();
        assert_eq!(found, [vec![0x30, 1, 5], vec![0x30, 0]]);
    }

    #[test]
    fn anything_else_is_none() {
        assert_eq!(certificates(&[]), None);
        assert_eq!(certificates(&[0x30, 0]), None);
        assert_eq!(certificates(&message(&[0x30])), None);
        let whole = message(&[0x30, 0]);
        for end in 0..whole.len() {
            assert_eq!(certificates(&whole[..end]), None, "{end}");
        }
    }
}
