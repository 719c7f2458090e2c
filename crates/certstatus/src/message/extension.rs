//! Extensions of requests, responses and single responses (RFC 6960, 4.4; RFC 9654).

use asn1::{ObjectIdentifier, ParseResult, SimpleAsn1Readable, SimpleAsn1Writable};

use super::Bytes;
use super::reader::{Element, Irregularities};
use crate::Error;

/// The length in bytes of a nonce that a client sends (RFC 9654, 2.1: 32 is recommended).
pub const NONCE_RECOMMENDED_LENGTH: usize = 32;

/// Object identifiers of OCSP.
pub mod oid {
    use asn1::ObjectIdentifier;

    /// `id-pkix-ocsp-basic`, the one response type there is (RFC 6960, 4.2.1).
    pub const BASIC_RESPONSE: ObjectIdentifier = asn1::oid!(1, 3, 6, 1, 5, 5, 7, 48, 1, 1);
    /// `id-pkix-ocsp-nonce` (RFC 9654, 2.1).
    pub const NONCE: ObjectIdentifier = asn1::oid!(1, 3, 6, 1, 5, 5, 7, 48, 1, 2);
    /// `id-pkix-ocsp-crl`: the CRL on which a status is based (RFC 6960, 4.4.2).
    pub const CRL_REFERENCES: ObjectIdentifier = asn1::oid!(1, 3, 6, 1, 5, 5, 7, 48, 1, 3);
    /// `id-pkix-ocsp-response`: response types that a client accepts (RFC 6960, 4.4.3).
    pub const ACCEPTABLE_RESPONSES: ObjectIdentifier = asn1::oid!(1, 3, 6, 1, 5, 5, 7, 48, 1, 4);
    /// `id-pkix-ocsp-nocheck`: a delegate that is not itself checked (RFC 6960, 4.2.2.2.1).
    pub const NO_CHECK: ObjectIdentifier = asn1::oid!(1, 3, 6, 1, 5, 5, 7, 48, 1, 5);
    /// `id-pkix-ocsp-archive-cutoff` (RFC 6960, 4.4.4).
    pub const ARCHIVE_CUTOFF: ObjectIdentifier = asn1::oid!(1, 3, 6, 1, 5, 5, 7, 48, 1, 6);
    /// `id-pkix-ocsp-service-locator` (RFC 6960, 4.4.6).
    pub const SERVICE_LOCATOR: ObjectIdentifier = asn1::oid!(1, 3, 6, 1, 5, 5, 7, 48, 1, 7);
    /// `id-pkix-ocsp-pref-sig-algs` (RFC 6960, 4.4.7).
    pub const PREFERRED_SIGNATURES: ObjectIdentifier = asn1::oid!(1, 3, 6, 1, 5, 5, 7, 48, 1, 8);
    /// `id-pkix-ocsp-extended-revoke` (RFC 6960, 4.4.8).
    pub const EXTENDED_REVOKE: ObjectIdentifier = asn1::oid!(1, 3, 6, 1, 5, 5, 7, 48, 1, 9);

    /// The RFC's name of an identifier.
    pub fn name(oid: &ObjectIdentifier) -> Option<&'static str> {
        Some(match *oid {
            NONCE => "nonce",
            CRL_REFERENCES => "CRL references",
            ACCEPTABLE_RESPONSES => "acceptable responses",
            NO_CHECK => "no check",
            ARCHIVE_CUTOFF => "archive cutoff",
            SERVICE_LOCATOR => "service locator",
            PREFERRED_SIGNATURES => "preferred signature algorithms",
            EXTENDED_REVOKE => "extended revoke",
            _ => return None,
        })
    }
}

/// ```asn1
/// Extension ::= SEQUENCE {
///     extnID     OBJECT IDENTIFIER,
///     critical   BOOLEAN DEFAULT FALSE,
///     extnValue  OCTET STRING }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    /// `extnID`.
    pub id: ObjectIdentifier,
    /// Whether a reader that does not know the extension must refuse what carries it.
    pub critical: bool,
    /// The contents of the `extnValue` OCTET STRING.
    pub value: Bytes<'a>,
}

impl Extension<'_> {
    /// A nonce extension, not critical (RFC 9654, 2.1: `Nonce ::= OCTET STRING(SIZE(1..128))`).
    ///
    /// The recommended length is [`NONCE_RECOMMENDED_LENGTH`]. The length is not checked here, so
    /// that a test can send a wrong one.
    pub fn nonce(nonce: &[u8]) -> Extension<'static> {
        let value = asn1::write_single(&nonce).unwrap_or_default();
        Extension { id: oid::NONCE, critical: false, value: Bytes::Owned(value) }
    }

    /// The nonce that this extension carries, if it is a nonce extension and well formed: 1 to 128
    /// bytes (RFC 9654, 2.1).
    pub fn as_nonce(&self) -> Option<&[u8]> {
        if self.id != oid::NONCE {
            return None;
        }
        let nonce = asn1::parse_single::<&[u8]>(&self.value).ok()?;
        (1..=128).contains(&nonce.len()).then_some(nonce)
    }

    /// A copy that borrows from nothing.
    pub fn into_owned(self) -> Extension<'static> {
        Extension {
            id: self.id,
            critical: self.critical,
            value: Bytes::Owned(self.value.into_owned()),
        }
    }
}

/// The strict form, as certificates have it.
impl<'a> SimpleAsn1Readable<'a> for Extension<'a> {
    const TAG: asn1::Tag = <asn1::Sequence<'_> as SimpleAsn1Readable<'_>>::TAG;

    fn parse_data(contents: &'a [u8]) -> ParseResult<Self> {
        asn1::parse(contents, |p| {
            let id = p.read_element()?;
            let critical = asn1::from_optional_default(p.read_element::<Option<bool>>()?, false)?;
            let value = p.read_element::<&'a [u8]>()?;
            Ok(Self { id, critical, value: Bytes::Borrowed(value) })
        })
    }
}

impl SimpleAsn1Writable for Extension<'_> {
    type Error = asn1::WriteError;
    const TAG: asn1::Tag = <asn1::Sequence<'_> as SimpleAsn1Readable<'_>>::TAG;

    fn write_data(&self, dest: &mut asn1::WriteBuf) -> asn1::WriteResult {
        let mut w = asn1::Writer::new(dest);
        w.write_element(&self.id)?;
        if self.critical {
            w.write_element(&true)?;
        }
        w.write_element(&self.value.as_ref())
    }

    fn data_length(&self) -> Option<usize> {
        None
    }
}

/// More than 16 extensions is nothing that a responder sends: RFC 6960 defines six.
const MOST: usize = 16;

const SEQUENCE: u8 = 0x30;

/// Reads the extensions in an EXPLICIT tag.
///
/// RFC 5280, 4.2 forbids an extension to appear twice, and two that disagree would be read
/// differently by different readers; an empty list is not encoded at all (`SIZE (1..MAX)`).
pub(super) fn read_extensions<'a>(
    tagged: Option<Element<'a>>,
    odd: &mut Irregularities,
) -> Result<Vec<Extension<'a>>, Error> {
    let Some(tagged) = tagged else { return Ok(Vec::new()) };
    let list = tagged.only()?;
    list.has_tag(SEQUENCE)?;
    let mut reader = list.inside("Extensions");
    let mut all: Vec<Extension<'a>> = Vec::new();
    if reader.is_empty() {
        odd.push(list.irregular("the list of extensions is empty"));
    }
    while !reader.is_empty() {
        let element = reader.expect("Extension", SEQUENCE)?;
        if all.len() == MOST {
            return Err(list.too_many(MOST));
        }
        let extension = read_extension(element, odd)?;
        if all.iter().any(|earlier| earlier.id == extension.id) {
            odd.push(element.irregular("the extension appears twice"));
        }
        if extension.id == oid::NONCE && extension.as_nonce().is_none() {
            odd.push(element.irregular("the nonce is no OCTET STRING of 1 to 128 bytes"));
        }
        all.push(extension);
    }
    Ok(all)
}

fn read_extension<'a>(
    element: Element<'a>,
    odd: &mut Irregularities,
) -> Result<Extension<'a>, Error> {
    let mut fields = element.inside("Extension");
    let id = fields.element("extnID")?.parse()?;
    let critical = match fields.optional("critical", 0x01)? {
        Some(written) => {
            let critical = written.parse::<bool>()?;
            if !critical {
                odd.push(written.irregular("the default FALSE is written"));
            }
            critical
        }
        None => false,
    };
    let value = fields.element("extnValue")?.parse::<&'a [u8]>()?;
    fields.end()?;
    Ok(Extension { id, critical, value: Bytes::Borrowed(value) })
}

/// Writes `[tag] EXPLICIT Extensions OPTIONAL`.
pub(super) fn write_extensions(
    w: &mut asn1::Writer<'_>,
    tag: u32,
    extensions: &[Extension<'_>],
) -> asn1::WriteResult {
    if extensions.is_empty() {
        return Ok(());
    }
    w.write_explicit_element(&asn1::SequenceOfWriter::new(extensions), tag)
}
