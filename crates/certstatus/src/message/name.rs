//! `Name` (RFC 5280, 4.1.2.4): compared by its bytes, shown by its attributes.

use std::fmt;

use asn1::{ObjectIdentifier, ParseResult, Parser, SimpleAsn1Readable, SimpleAsn1Writable, Tlv};

use super::{Bytes, HashAlgorithm, algorithm::Hash};

/// ```asn1
/// Name ::= SEQUENCE OF SET OF SEQUENCE { type OBJECT IDENTIFIER, value ANY }
/// ```
///
/// Two names are equal when their encodings are. A CA writes its name one way; a comparison that
/// folds case and white space (RFC 5280, 7.1) would accept more, and here a bug may only refuse.
#[derive(Clone, PartialEq, Eq)]
pub struct Name<'a> {
    contents: Bytes<'a>,
}

impl<'a> Name<'a> {
    /// A name from the contents of its `SEQUENCE`, without tag and length, as webpki and
    /// [`rustls_pki_types::TrustAnchor`] hold it.
    pub fn from_contents(contents: &'a [u8]) -> Self {
        Self { contents: Bytes::Borrowed(contents) }
    }

    /// The contents of the `SEQUENCE`, without tag and length.
    pub fn contents(&self) -> &[u8] {
        &self.contents
    }

    /// A copy that borrows from nothing.
    pub fn into_owned(self) -> Name<'static> {
        Name { contents: Bytes::Owned(self.contents.into_owned()) }
    }

    /// The hash of the whole encoded name, tag and length included (RFC 6960, 4.1.1).
    pub(crate) fn hash(&self, algorithm: HashAlgorithm) -> Hash {
        let (header, used) = sequence_header(self.contents.len());
        algorithm.hash(&[header.get(..used).unwrap_or_default(), &self.contents])
    }

    /// The types of string in which its attributes are written.
    pub(crate) fn string_types(&self) -> Vec<&'static str> {
        let mut types = Vec::new();
        // A name that cannot be read has none.
        let _ = Name::attributes(&self.contents, |_, value| {
            types.push(crate::describe::string_type(value.tag()));
        });
        types
    }

    /// Calls `each` with the type and value of every attribute.
    fn attributes(
        contents: &'a [u8],
        mut each: impl FnMut(ObjectIdentifier, Tlv<'a>),
    ) -> ParseResult<()> {
        asn1::parse(contents, |p: &mut Parser<'a>| {
            while !p.is_empty() {
                let set: asn1::SetOf<'a, Attribute<'a>> = p.read_element()?;
                set.for_each(|attribute| each(attribute.oid, attribute.value));
            }
            Ok(())
        })
    }
}

struct Attribute<'a> {
    oid: ObjectIdentifier,
    value: Tlv<'a>,
}

impl<'a> SimpleAsn1Readable<'a> for Attribute<'a> {
    const TAG: asn1::Tag = <asn1::Sequence<'_> as SimpleAsn1Readable<'_>>::TAG;

    fn parse_data(contents: &'a [u8]) -> ParseResult<Self> {
        asn1::parse(contents, |p| Ok(Self { oid: p.read_element()?, value: p.read_element()? }))
    }
}

/// The tag and length of a SEQUENCE whose contents have `length` bytes.
fn sequence_header(length: usize) -> ([u8; 10], usize) {
    let mut header = [0; 10];
    let bytes = length.to_be_bytes();
    let skipped = bytes.iter().take_while(|byte| **byte == 0).count();
    let significant = bytes.get(skipped..).unwrap_or_default();
    let mut put = |at: usize, byte: u8| {
        if let Some(slot) = header.get_mut(at) {
            *slot = byte;
        }
    };
    put(0, 0x30);
    if length < 0x80 {
        put(1, length as u8);
        return (header, 2);
    }
    put(1, 0x80 | significant.len() as u8);
    significant.iter().enumerate().for_each(|(at, byte)| put(2 + at, *byte));
    (header, 2 + significant.len())
}

impl<'a> SimpleAsn1Readable<'a> for Name<'a> {
    const TAG: asn1::Tag = <asn1::Sequence<'_> as SimpleAsn1Readable<'_>>::TAG;

    fn parse_data(contents: &'a [u8]) -> ParseResult<Self> {
        Name::attributes(contents, |_, _| ())?;
        Ok(Self { contents: Bytes::Borrowed(contents) })
    }
}

impl SimpleAsn1Writable for Name<'_> {
    type Error = asn1::WriteError;
    const TAG: asn1::Tag = <Self as SimpleAsn1Readable<'_>>::TAG;

    fn write_data(&self, dest: &mut asn1::WriteBuf) -> asn1::WriteResult {
        dest.push_slice(&self.contents)
    }

    fn data_length(&self) -> Option<usize> {
        Some(self.contents.len())
    }
}

/// The short names of RFC 4514, 3, and those that certificates often carry beside them.
fn short_name(oid: &ObjectIdentifier) -> Option<&'static str> {
    Some(match oid.as_der() {
        [0x55, 4, 3] => "CN",
        [0x55, 4, 5] => "serialNumber",
        [0x55, 4, 6] => "C",
        [0x55, 4, 7] => "L",
        [0x55, 4, 8] => "ST",
        [0x55, 4, 9] => "street",
        [0x55, 4, 10] => "O",
        [0x55, 4, 11] => "OU",
        [9, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25] => "DC",
        [9, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1] => "UID",
        _ => return None,
    })
}

/// Returns the text of a directory string; bytes that are none are shown as hexadecimal.
fn text(value: &Tlv<'_>) -> String {
    let data = value.data();
    let decoded = match value.tag().as_u8() {
        // UTF8String, PrintableString, TeletexString, IA5String.
        Some(0x0c | 0x13 | 0x14 | 0x16) => std::str::from_utf8(data).ok().map(str::to_owned),
        // BMPString: two bytes for each character. UTF-16 beyond it is read as well.
        Some(0x1e) if data.len() % 2 == 0 => {
            let units = data
                .chunks_exact(2)
                .map(|pair| pair.iter().fold(0, |unit, byte| unit << 8 | u16::from(*byte)));
            char::decode_utf16(units).collect::<Result<String, _>>().ok()
        }
        // UniversalString: four bytes for each character.
        Some(0x1c) if data.len() % 4 == 0 => data
            .chunks_exact(4)
            .map(|four| {
                char::from_u32(four.iter().fold(0, |all, byte| all << 8 | u32::from(*byte)))
            })
            .collect(),
        _ => None,
    };
    match decoded {
        Some(text) => text.escape_debug().to_string(),
        None => format!("#{}", crate::hex(value.full_data())),
    }
}

/// Shows the attributes in the order in which they are encoded, `CN=ca.example, O=Example`. For
/// people: it is not to be compared or parsed.
impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = Vec::new();
        let parsed = Name::attributes(&self.contents, |oid, value| {
            let name = short_name(&oid).map_or_else(|| oid.to_string(), str::to_owned);
            shown.push(format!("{name}={}", text(&value)));
        });
        match parsed {
            Ok(()) if shown.is_empty() => f.write_str("(empty name)"),
            Ok(()) => f.write_str(&shown.join(", ")),
            Err(_) => write!(f, "(malformed name {})", crate::hex(&self.contents)),
        }
    }
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_minimal() {
        let header = |length| {
            let (bytes, used) = sequence_header(length);
            bytes[..used].to_vec()
        };
        assert_eq!(header(0), [0x30, 0]);
        assert_eq!(header(127), [0x30, 127]);
        assert_eq!(header(128), [0x30, 0x81, 128]);
        assert_eq!(header(256), [0x30, 0x82, 1, 0]);
    }

    #[test]
    fn wide_strings_are_shown_as_text() {
        let shown = |tag: u8, value: &[u8]| {
            let wrap = |tag: u8, value: &[u8]| [&[tag, value.len() as u8], value].concat();
            let attribute = wrap(0x30, &[&[6, 3, 0x55, 4, 3], &wrap(tag, value)[..]].concat());
            let der = wrap(0x30, &wrap(0x31, &attribute));
            asn1::parse_single::<Name<'_>>(&der).unwrap().to_string()
        };
        assert_eq!(shown(0x1e, &[0, b'Z', 0, 0xfc, 0, b'r']), "CN=Zür");
        assert_eq!(shown(0x1e, &[0xd8, 0x3d, 0xde, 0]), "CN=😀");
        assert_eq!(shown(0x1e, &[0, 0x1b]), "CN=\\u{1b}", "escaped");
        assert_eq!(shown(0x1c, &[0, 0, 0, b'Z', 0, 1, 0xf6, 0]), "CN=Z😀");
        for (tag, value) in
            [(0x1e, &[0, b'Z', 0][..]), (0x1e, &[0xd8, 0]), (0x1c, &[0, 0x11, 0, 0])]
        {
            assert!(shown(tag, value).starts_with("CN=#"), "{value:?}");
        }
    }

    #[test]
    fn names_are_shown_by_attribute_and_control_characters_are_escaped() {
        let der = b"\x30\x1e\x31\x0e\x30\x0c\x06\x03\x55\x04\x03\x0c\x05a\x1b[1m\x31\x0c\x30\x0a\x06\x03\x55\x04\x0a\x13\x03abc";
        let name: Name<'_> = asn1::parse_single(der).unwrap();
        assert_eq!(name.to_string(), "CN=a\\u{1b}[1m, O=abc");
    }
}
