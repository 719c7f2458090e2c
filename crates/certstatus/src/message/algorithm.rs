//! `AlgorithmIdentifier` and `SubjectPublicKeyInfo` (RFC 5280, 4.1), and the hash functions that a
//! `CertID` names.

use std::fmt;

use asn1::{ObjectIdentifier, ParseResult, SimpleAsn1Readable, SimpleAsn1Writable};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// ```asn1
/// AlgorithmIdentifier ::= SEQUENCE {
///     algorithm   OBJECT IDENTIFIER,
///     parameters  ANY DEFINED BY algorithm OPTIONAL }
/// ```
///
/// Held as its encoded contents, which is what signature algorithms are looked up by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AlgorithmIdentifier<'a> {
    contents: &'a [u8],
}

impl<'a> AlgorithmIdentifier<'a> {
    /// An identifier from the contents of its `SEQUENCE`, without tag and length. This is the form
    /// of [`rustls_pki_types::AlgorithmIdentifier`].
    pub fn from_contents(contents: &'a [u8]) -> Result<Self, crate::Error> {
        <Self as SimpleAsn1Readable<'_>>::parse_data(contents)
            .map_err(|e| crate::Error::malformed("AlgorithmIdentifier", e))
    }

    /// The contents of the `SEQUENCE`, without tag and length.
    pub fn contents(&self) -> &'a [u8] {
        self.contents
    }

    /// The `algorithm` field.
    pub fn algorithm(&self) -> Option<ObjectIdentifier> {
        self.fields().ok().map(|(algorithm, _)| algorithm)
    }

    /// The `parameters` field as a whole TLV.
    pub fn parameters(&self) -> Option<&'a [u8]> {
        self.fields().ok().and_then(|(_, parameters)| parameters)
    }

    fn fields(&self) -> ParseResult<(ObjectIdentifier, Option<&'a [u8]>)> {
        asn1::parse(self.contents, |p| {
            let algorithm = p.read_element()?;
            let parameters = p.read_element::<Option<asn1::Tlv<'a>>>()?;
            Ok((algorithm, parameters.map(|tlv| tlv.full_data())))
        })
    }
}

impl fmt::Debug for AlgorithmIdentifier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.algorithm() {
            Some(oid) => fmt::Display::fmt(&oid, f),
            None => f.write_str("malformed"),
        }
    }
}

impl<'a> SimpleAsn1Readable<'a> for AlgorithmIdentifier<'a> {
    const TAG: asn1::Tag = <asn1::Sequence<'_> as SimpleAsn1Readable<'_>>::TAG;

    fn parse_data(contents: &'a [u8]) -> ParseResult<Self> {
        let identifier = Self { contents };
        identifier.fields()?;
        Ok(identifier)
    }
}

impl SimpleAsn1Writable for AlgorithmIdentifier<'_> {
    type Error = asn1::WriteError;
    const TAG: asn1::Tag = <Self as SimpleAsn1Readable<'_>>::TAG;

    fn write_data(&self, dest: &mut asn1::WriteBuf) -> asn1::WriteResult {
        dest.push_slice(self.contents)
    }

    fn data_length(&self) -> Option<usize> {
        Some(self.contents.len())
    }
}

/// ```asn1
/// SubjectPublicKeyInfo ::= SEQUENCE {
///     algorithm         AlgorithmIdentifier,
///     subjectPublicKey  BIT STRING }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubjectPublicKeyInfo<'a> {
    contents: &'a [u8],
    algorithm: AlgorithmIdentifier<'a>,
    key: &'a [u8],
}

impl<'a> SubjectPublicKeyInfo<'a> {
    /// The contents of the `SEQUENCE`, without tag and length.
    pub fn contents(&self) -> &'a [u8] {
        self.contents
    }

    /// The `algorithm` field.
    pub fn algorithm(&self) -> AlgorithmIdentifier<'a> {
        self.algorithm
    }

    /// The bytes of the `subjectPublicKey` BIT STRING, without its count of unused bits. These are
    /// what `issuerKeyHash` and `ResponderID.byKey` are hashes of.
    pub fn subject_public_key(&self) -> &'a [u8] {
        self.key
    }
}

impl<'a> SimpleAsn1Readable<'a> for SubjectPublicKeyInfo<'a> {
    const TAG: asn1::Tag = <asn1::Sequence<'_> as SimpleAsn1Readable<'_>>::TAG;

    fn parse_data(contents: &'a [u8]) -> ParseResult<Self> {
        asn1::parse(contents, |p| {
            let algorithm = p.read_element()?;
            Ok(Self { contents, algorithm, key: super::read_octets(p)? })
        })
    }
}

/// A hash function that a `CertID` may name.
///
/// SHA-1 is what every responder understands (RFC 5019, 2.1.1 requires it); here it only names a
/// certificate and guards nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HashAlgorithm {
    /// SHA-1, 20 bytes.
    #[default]
    Sha1,
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-384, 48 bytes.
    Sha384,
    /// SHA-512, 64 bytes.
    Sha512,
}

impl HashAlgorithm {
    /// Every hash function that is understood.
    pub const ALL: [Self; 4] = [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    /// The hash function that an identifier names; parameters must be absent or NULL.
    pub fn from_identifier(identifier: &AlgorithmIdentifier<'_>) -> Option<Self> {
        Self::ALL.into_iter().find(|hash| {
            let contents = hash.identifier().contents();
            // The encoded forms differ by the two bytes of a NULL.
            identifier.contents() == contents
                || contents.strip_suffix(&[5, 0]) == Some(identifier.contents())
        })
    }

    /// The identifier of this hash function, with NULL parameters as every responder writes it.
    pub fn identifier(self) -> AlgorithmIdentifier<'static> {
        let contents: &'static [u8] = match self {
            Self::Sha1 => &[6, 5, 0x2b, 14, 3, 2, 26, 5, 0],
            Self::Sha256 => &[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0],
            Self::Sha384 => &[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2, 5, 0],
            Self::Sha512 => &[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3, 5, 0],
        };
        AlgorithmIdentifier { contents }
    }

    /// The hash of the parts, one after another.
    pub(crate) fn hash(self, parts: &[&[u8]]) -> Hash {
        match self {
            Self::Sha1 => Hash::of::<Sha1>(parts),
            Self::Sha256 => Hash::of::<Sha256>(parts),
            Self::Sha384 => Hash::of::<Sha384>(parts),
            Self::Sha512 => Hash::of::<Sha512>(parts),
        }
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        })
    }
}

/// The output of a hash function, without an allocation.
#[derive(Clone, Copy)]
pub(crate) struct Hash {
    bytes: [u8; 64],
    length: usize,
}

impl Hash {
    fn of<D: Digest>(parts: &[&[u8]]) -> Self {
        let mut digest = D::new();
        parts.iter().for_each(|part| digest.update(part));
        let output = digest.finalize();
        let mut bytes = [0; 64];
        bytes.iter_mut().zip(output.iter()).for_each(|(to, from)| *to = *from);
        Self { bytes, length: output.len() }
    }
}

impl AsRef<[u8]> for Hash {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}
