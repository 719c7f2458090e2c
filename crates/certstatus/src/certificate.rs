//! What certificate status needs of a certificate and of its issuer.
//!
//! This is a reader, not a judge: path building and its signatures are webpki's. It reads the
//! fields that name a certificate, the pointers to its responder (RFC 5280, 4.2.2.1) and the
//! must-staple mark (RFC 7633).

use asn1::{
    BitString, Explicit, Implicit, ObjectIdentifier, ParseResult, Parser, Sequence,
    SimpleAsn1Readable, Tlv,
};
use rustls_pki_types::{Der, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};

use crate::message::{
    AlgorithmIdentifier, Extension, HashAlgorithm, Name, SubjectPublicKeyInfo, read_octets,
};
use crate::{Error, MatchError, SignerError, describe, time, verify};

const AUTHORITY_INFO_ACCESS: ObjectIdentifier = asn1::oid!(1, 3, 6, 1, 5, 5, 7, 1, 1);
const AD_OCSP: ObjectIdentifier = asn1::oid!(1, 3, 6, 1, 5, 5, 7, 48, 1);
const AD_CA_ISSUERS: ObjectIdentifier = asn1::oid!(1, 3, 6, 1, 5, 5, 7, 48, 2);
const TLS_FEATURE: ObjectIdentifier = asn1::oid!(1, 3, 6, 1, 5, 5, 7, 1, 24);

/// The TLS extension `status_request` (RFC 6066, 8), as RFC 7633 names it in a certificate.
const STATUS_REQUEST: u64 = 5;

/// A certificate, read so far as its status needs. Borrows from its DER.
#[derive(Clone, Debug)]
pub struct Certificate<'a> {
    der: &'a [u8],
    tbs: &'a [u8],
    signature_algorithm: AlgorithmIdentifier<'a>,
    signature: &'a [u8],
    serial_number: &'a [u8],
    issuer: Name<'a>,
    subject: Name<'a>,
    not_before: UnixTime,
    not_after: UnixTime,
    public_key: SubjectPublicKeyInfo<'a>,
    extensions: Option<Sequence<'a>>,
}

impl<'a> Certificate<'a> {
    /// Reads a certificate; all of `der` must be one.
    ///
    /// # Errors
    /// [`Error::Malformed`] for what is not strict DER of RFC 5280, 4.1, version 1 or 3.
    pub fn parse(der: &'a [u8]) -> Result<Self, Error> {
        read_certificate(der).map_err(|e| Error::malformed("Certificate", e))
    }

    /// The whole certificate.
    pub fn der(&self) -> &'a [u8] {
        self.der
    }

    /// The serial number as the contents of its INTEGER: big-endian, two's complement.
    pub fn serial_number(&self) -> &'a [u8] {
        self.serial_number
    }

    /// The name of who issued it.
    pub fn issuer(&self) -> &Name<'a> {
        &self.issuer
    }

    /// The name of whom it is for.
    pub fn subject(&self) -> &Name<'a> {
        &self.subject
    }

    /// The first second in which it is valid.
    pub fn not_before(&self) -> UnixTime {
        self.not_before
    }

    /// The last second in which it is valid.
    pub fn not_after(&self) -> UnixTime {
        self.not_after
    }

    /// The public key of its subject.
    pub fn public_key(&self) -> &SubjectPublicKeyInfo<'a> {
        &self.public_key
    }

    /// The encoded `tbsCertificate`: what its signature is over.
    pub fn tbs_der(&self) -> &'a [u8] {
        self.tbs
    }

    /// The algorithm of its signature.
    pub fn signature_algorithm(&self) -> AlgorithmIdentifier<'a> {
        self.signature_algorithm
    }

    /// The bytes of its signature.
    pub fn signature(&self) -> &'a [u8] {
        self.signature
    }

    /// All its extensions, in order; empty when there are none.
    ///
    /// # Errors
    /// [`Error::Malformed`] when one cannot be read.
    pub fn extensions(&self) -> Result<Vec<Extension<'a>>, Error> {
        let Some(extensions) = self.extensions.clone() else { return Ok(Vec::new()) };
        let read = extensions.parse(|p: &mut Parser<'a>| {
            let mut all = Vec::new();
            while !p.is_empty() {
                all.push(p.read_element()?);
            }
            Ok(all)
        });
        read.map_err(|e| Error::malformed("Extensions", e))
    }

    /// Whether that issuer signed this certificate: it bears the issuer's name, and a signature of
    /// the issuer's key.
    ///
    /// This tells a wrong issuer from the right one, and no more: it builds no path, and does not
    /// make trusted what is not; see [`Issuer`].
    ///
    /// # Errors
    /// [`MatchError::NotIssuedBy`] for another name, [`SignerError::NotSignedBy`] for another key,
    /// [`SignerError::UnsupportedAlgorithm`] when none of the algorithms verifies the signature.
    pub fn verify_issued_by(
        &self,
        issuer: &Issuer<'_>,
        algorithms: &[&dyn SignatureVerificationAlgorithm],
    ) -> Result<(), Error> {
        if self.issuer != issuer.subject {
            return Err(MatchError::NotIssuedBy {
                named: crate::brief(&self.issuer),
                given: crate::brief(&issuer.subject),
                difference: describe::string_types(&self.issuer, &issuer.subject),
            }
            .into());
        }
        verify::find_algorithm(
            "certificate",
            self.signature_algorithm,
            &issuer.public_key,
            algorithms,
        )?
        .verify_signature(issuer.public_key.subject_public_key(), self.tbs, self.signature)
        .map_err(|_| {
            match describe::odd_rsa_key(&issuer.public_key) {
                Some(key) => SignerError::UnsupportedKey { signed: "certificate", key },
                None => SignerError::NotSignedBy {
                    certificate: crate::brief(&self.subject),
                    issuer: crate::brief(&issuer.subject),
                },
            }
            .into()
        })
    }

    /// The addresses of its OCSP responders, in order (RFC 5280, 4.2.2.1, `id-ad-ocsp`). Empty when
    /// there are none.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the extension cannot be read.
    pub fn ocsp_urls(&self) -> Result<Vec<&'a str>, Error> {
        self.access_locations(&AD_OCSP)
    }

    /// The addresses of its issuer's certificate (RFC 5280, 4.2.2.1, `id-ad-caIssuers`).
    ///
    /// # Errors
    /// [`Error::Malformed`] when the extension cannot be read.
    pub fn ca_issuers_urls(&self) -> Result<Vec<&'a str>, Error> {
        self.access_locations(&AD_CA_ISSUERS)
    }

    /// Whether the certificate says that a server must staple: its TLS feature extension (RFC 7633)
    /// has `status_request`.
    ///
    /// # Errors
    /// [`Error::Malformed`] when an extension cannot be read. It may have been the mark: treat it as
    /// if it were.
    pub fn must_staple(&self) -> Result<bool, Error> {
        let features = self.extension(&TLS_FEATURE).and_then(|value| {
            let Some(value) = value else { return Ok(false) };
            asn1::parse_single::<Sequence<'_>>(value)?.parse(|p| {
                let mut found = false;
                while !p.is_empty() {
                    found |= p.read_element::<u64>()? == STATUS_REQUEST;
                }
                ParseResult::Ok(found)
            })
        });
        features.map_err(|e| Error::malformed("TLS feature extension", e))
    }

    /// The contents of the extension with that identifier.
    fn extension(&self, id: &ObjectIdentifier) -> ParseResult<Option<&'a [u8]>> {
        let Some(extensions) = self.extensions.clone() else { return Ok(None) };
        extensions.parse(|p: &mut Parser<'a>| {
            let mut found = None;
            while !p.is_empty() {
                let extension = p.read_element::<Extension<'a>>()?;
                if extension.id == *id
                    && let std::borrow::Cow::Borrowed(value) = extension.value
                    && found.replace(value).is_some()
                {
                    return Err(asn1::ParseError::new(asn1::ParseErrorKind::InvalidValue));
                }
            }
            Ok(found)
        })
    }

    fn access_locations(&self, method: &ObjectIdentifier) -> Result<Vec<&'a str>, Error> {
        let malformed = |e| Error::malformed("authority information access extension", e);
        let Some(value) = self.extension(&AUTHORITY_INFO_ACCESS).map_err(malformed)? else {
            return Ok(Vec::new());
        };
        let read = asn1::parse_single::<Sequence<'a>>(value).and_then(|descriptions| {
            descriptions.parse(|p: &mut Parser<'a>| {
                let mut urls = Vec::new();
                while !p.is_empty() {
                    urls.extend(p.read_element::<AccessDescription<'a>>()?.url(method));
                }
                Ok(urls)
            })
        });
        read.map_err(malformed)
    }
}

fn read_certificate(der: &[u8]) -> ParseResult<Certificate<'_>> {
    asn1::parse_single::<Sequence<'_>>(der)?.parse(|p| {
        let tbs = p.read_element::<Tlv<'_>>()?;
        let signature_algorithm = p.read_element()?;
        let signature = read_octets(p)?;
        let outer = Outer { der, tbs: tbs.full_data(), signature_algorithm, signature };
        tbs.parse::<Sequence<'_>>()?.parse(|p| read_tbs(&outer, p))
    })
}

/// What stands around `tbsCertificate`.
struct Outer<'a> {
    der: &'a [u8],
    tbs: &'a [u8],
    signature_algorithm: AlgorithmIdentifier<'a>,
    signature: &'a [u8],
}

fn read_tbs<'a>(outer: &Outer<'a>, p: &mut Parser<'a>) -> ParseResult<Certificate<'a>> {
    p.read_element::<Option<Explicit<u8, 0>>>()?;
    let serial_number = p.read_element::<Tlv<'a>>()?;
    if serial_number.tag() != asn1::Tag::primitive(2) || serial_number.data().is_empty() {
        return Err(asn1::ParseError::new(asn1::ParseErrorKind::UnexpectedTag {
            actual: serial_number.tag(),
        }));
    }
    p.read_element::<AlgorithmIdentifier<'a>>()?;
    let issuer = Name::from_contents(sequence_contents(p)?);
    let (not_before, not_after) = p
        .read_element::<Sequence<'a>>()?
        .parse(|p| ParseResult::Ok((read_validity(p)?, read_validity(p)?)))?;
    let subject = Name::from_contents(sequence_contents(p)?);
    let public_key = p.read_element()?;
    p.read_element::<Option<Implicit<BitString<'a>, 1>>>()?;
    p.read_element::<Option<Implicit<BitString<'a>, 2>>>()?;
    let extensions = p.read_element::<Option<Explicit<Sequence<'a>, 3>>>()?;
    Ok(Certificate {
        der: outer.der,
        tbs: outer.tbs,
        signature_algorithm: outer.signature_algorithm,
        signature: outer.signature,
        serial_number: serial_number.data(),
        issuer,
        subject,
        not_before,
        not_after,
        public_key,
        extensions: extensions.map(Explicit::into_inner),
    })
}

fn sequence_contents<'a>(p: &mut Parser<'a>) -> ParseResult<&'a [u8]> {
    let tlv = p.read_element::<Tlv<'a>>()?;
    if tlv.tag() != <Sequence<'_> as SimpleAsn1Readable<'_>>::TAG {
        return Err(asn1::ParseError::new(asn1::ParseErrorKind::UnexpectedTag {
            actual: tlv.tag(),
        }));
    }
    Ok(tlv.data())
}

/// `Time` (RFC 5280, 4.1.2.5); what lies before 1970 is as good as 1970.
fn read_validity(p: &mut Parser<'_>) -> ParseResult<UnixTime> {
    let date = match p.read_element::<Option<asn1::UtcTime>>()? {
        Some(time) => time.as_datetime().clone(),
        None => p.read_element::<asn1::X509GeneralizedTime>()?.as_datetime().clone(),
    };
    Ok(time::from_asn1(&date).unwrap_or_else(|| time::unix(0)))
}

/// ```asn1
/// AccessDescription ::= SEQUENCE {
///     accessMethod    OBJECT IDENTIFIER,
///     accessLocation  GeneralName }
/// ```
struct AccessDescription<'a> {
    method: ObjectIdentifier,
    location: Tlv<'a>,
}

impl<'a> AccessDescription<'a> {
    /// The location when it is a URI, `[6] IMPLICIT IA5String`, for that method.
    fn url(&self, method: &ObjectIdentifier) -> Option<&'a str> {
        const URI: u8 = 0x86;
        if self.method != *method || self.location.tag().as_u8() != Some(URI) {
            return None;
        }
        std::str::from_utf8(self.location.data()).ok().filter(|url| url.is_ascii())
    }
}

impl<'a> SimpleAsn1Readable<'a> for AccessDescription<'a> {
    const TAG: asn1::Tag = <Sequence<'_> as SimpleAsn1Readable<'_>>::TAG;

    fn parse_data(contents: &'a [u8]) -> ParseResult<Self> {
        asn1::parse(contents, |p| {
            Ok(Self { method: p.read_element()?, location: p.read_element()? })
        })
    }
}

/// Who issued a certificate: a name and a public key, **as the path builder established them**.
///
/// The name and key of a certificate that was merely presented are not enough: for many signatures
/// another key can be made under which they verify as well, and whoever holds a revoked key could
/// bring an issuer of its own, with a responder of its own. Take the issuer from a verified path: a
/// certificate in it, or its trust anchor.
#[derive(Clone, Debug)]
pub struct Issuer<'a> {
    subject: Name<'a>,
    public_key: SubjectPublicKeyInfo<'a>,
}

impl<'a> Issuer<'a> {
    /// The issuer from its certificate.
    pub fn from_certificate(certificate: &Certificate<'a>) -> Self {
        Self { subject: certificate.subject.clone(), public_key: certificate.public_key }
    }

    /// The issuer from a trust anchor.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the anchor's public key cannot be read.
    pub fn from_trust_anchor(anchor: &'a TrustAnchor<'_>) -> Result<Self, Error> {
        let public_key = SubjectPublicKeyInfo::parse_data(&anchor.subject_public_key_info)
            .map_err(|e| Error::malformed("SubjectPublicKeyInfo of the trust anchor", e))?;
        Ok(Self { subject: Name::from_contents(&anchor.subject), public_key })
    }

    /// The issuer's name.
    pub fn subject(&self) -> &Name<'a> {
        &self.subject
    }

    /// The issuer's public key.
    pub fn public_key(&self) -> &SubjectPublicKeyInfo<'a> {
        &self.public_key
    }

    pub(crate) fn key_hash(&self, algorithm: HashAlgorithm) -> impl AsRef<[u8]> + use<> {
        algorithm.hash(&[self.public_key.subject_public_key()])
    }

    /// The issuer as the one trust anchor under which a delegate may stand.
    pub(crate) fn as_trust_anchor(&self) -> TrustAnchor<'_> {
        TrustAnchor {
            subject: Der::from_slice(self.subject.contents()),
            subject_public_key_info: Der::from_slice(self.public_key.contents()),
            name_constraints: None,
        }
    }
}
