//! `CertID` (RFC 6960, 4.1.1): which certificate is meant.

use std::fmt;

use asn1::{ParseResult, SimpleAsn1Readable, SimpleAsn1Writable};

use super::{AlgorithmIdentifier, Bytes, HashAlgorithm};
use crate::certificate::{Certificate, Issuer};

/// ```asn1
/// CertID ::= SEQUENCE {
///     hashAlgorithm   AlgorithmIdentifier,
///     issuerNameHash  OCTET STRING, -- Hash of issuer's DN
///     issuerKeyHash   OCTET STRING, -- Hash of issuer's public key
///     serialNumber    CertificateSerialNumber }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertId<'a> {
    /// The hash function of the two hashes. An unknown one can be read and shown, and matches
    /// nothing.
    pub hash_algorithm: AlgorithmIdentifier<'a>,
    /// Hash of the issuer's encoded name.
    pub issuer_name_hash: Bytes<'a>,
    /// Hash of the issuer's public key: the value of its BIT STRING.
    pub issuer_key_hash: Bytes<'a>,
    /// The serial number as the contents of its INTEGER: big-endian, two's complement, minimal.
    pub serial_number: Bytes<'a>,
}

impl<'a> CertId<'a> {
    /// The `CertID` of a certificate under its issuer.
    pub fn new(certificate: &Certificate<'a>, issuer: &Issuer<'_>, hash: HashAlgorithm) -> Self {
        Self::for_serial(certificate.serial_number(), issuer, hash)
    }

    /// The `CertID` of the certificate with that serial number under its issuer, for those who do
    /// not keep the certificate itself.
    pub fn for_serial(serial_number: &'a [u8], issuer: &Issuer<'_>, hash: HashAlgorithm) -> Self {
        Self {
            hash_algorithm: hash.identifier(),
            issuer_name_hash: Bytes::Owned(issuer.subject().hash(hash).as_ref().to_vec()),
            issuer_key_hash: Bytes::Owned(issuer.key_hash(hash).as_ref().to_vec()),
            serial_number: Bytes::Borrowed(serial_number),
        }
    }

    /// A copy that borrows from nothing, or `None` when the hash function is an unknown one.
    pub fn into_owned(self) -> Option<CertId<'static>> {
        Some(CertId {
            hash_algorithm: HashAlgorithm::from_identifier(&self.hash_algorithm)?.identifier(),
            issuer_name_hash: Bytes::Owned(self.issuer_name_hash.into_owned()),
            issuer_key_hash: Bytes::Owned(self.issuer_key_hash.into_owned()),
            serial_number: Bytes::Owned(self.serial_number.into_owned()),
        })
    }

    /// The hash function, if it is one that is understood.
    pub fn hash(&self) -> Option<HashAlgorithm> {
        HashAlgorithm::from_identifier(&self.hash_algorithm)
    }

    /// Whether this is the `CertID` of that certificate: serial number, issuer's name and issuer's
    /// key, all three. An unknown hash function matches nothing.
    pub fn matches(&self, certificate: &Certificate<'_>, issuer: &Issuer<'_>) -> bool {
        certificate.issuer() == issuer.subject()
            && self.matches_serial(certificate.serial_number(), issuer)
    }

    /// Whether this is the `CertID` of the certificate with that serial number under that issuer:
    /// serial number, issuer's name and issuer's key, all three.
    pub fn matches_serial(&self, serial_number: &[u8], issuer: &Issuer<'_>) -> bool {
        self.serial_number.as_ref() == serial_number
            && self.hash().is_some_and(|hash| {
                self.issuer_name_hash.as_ref() == issuer.subject().hash(hash).as_ref()
                    && self.issuer_key_hash.as_ref() == issuer.key_hash(hash).as_ref()
            })
    }

    /// Whether serial number and issuer's name are those of the certificate. It says nothing of
    /// the issuer's key: two keys of one name would both match.
    pub(crate) fn matches_name(&self, certificate: &Certificate<'_>) -> bool {
        self.serial_number.as_ref() == certificate.serial_number()
            && self.hash().is_some_and(|hash| {
                self.issuer_name_hash.as_ref() == certificate.issuer().hash(hash).as_ref()
            })
    }
}

/// Shows the serial number, which is what people look up: `serial 01ab, by SHA-1`.
impl fmt::Display for CertId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "serial {}", crate::hex(&self.serial_number))?;
        match self.hash() {
            Some(hash) => write!(f, ", by {hash}"),
            None => write!(f, ", by the unknown hash function {:?}", self.hash_algorithm),
        }
    }
}

impl<'a> SimpleAsn1Readable<'a> for CertId<'a> {
    const TAG: asn1::Tag = <asn1::Sequence<'_> as SimpleAsn1Readable<'_>>::TAG;

    fn parse_data(contents: &'a [u8]) -> ParseResult<Self> {
        asn1::parse(contents, |p| {
            Ok(Self {
                hash_algorithm: p.read_element()?,
                issuer_name_hash: Bytes::Borrowed(p.read_element()?),
                issuer_key_hash: Bytes::Borrowed(p.read_element()?),
                serial_number: Bytes::Borrowed(p.read_element::<asn1::BigInt<'a>>()?.as_bytes()),
            })
        })
    }
}

impl SimpleAsn1Writable for CertId<'_> {
    type Error = asn1::WriteError;
    const TAG: asn1::Tag = <Self as SimpleAsn1Readable<'_>>::TAG;

    fn write_data(&self, dest: &mut asn1::WriteBuf) -> asn1::WriteResult {
        let mut w = asn1::Writer::new(dest);
        w.write_element(&self.hash_algorithm)?;
        w.write_element(&self.issuer_name_hash.as_ref())?;
        w.write_element(&self.issuer_key_hash.as_ref())?;
        w.write_tlv(asn1::Tag::primitive(2), Some(self.serial_number.len()), |dest| {
            dest.push_slice(&self.serial_number)
        })
    }

    fn data_length(&self) -> Option<usize> {
        None
    }
}
