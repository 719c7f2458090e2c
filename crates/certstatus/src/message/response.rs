//! `OCSPResponse` and what is in it (RFC 6960, 4.2.1).

use std::fmt;

use asn1::{Explicit, ObjectIdentifier, ParseResult, SimpleAsn1Readable, WriteError};
use rustls_pki_types::UnixTime;

use super::{
    AlgorithmIdentifier, Bytes, Extension, Name, SingleResponse, extension::read_extensions,
    extension::write_extensions, invalid, oid, read_all, read_time, write_time,
};
use crate::{Error, Limits};

/// ```asn1
/// OCSPResponse ::= SEQUENCE {
///     responseStatus  OCSPResponseStatus,
///     responseBytes   [0] EXPLICIT ResponseBytes OPTIONAL }
/// ResponseBytes ::= SEQUENCE {
///     responseType    OBJECT IDENTIFIER,
///     response        OCTET STRING }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OcspResponse<'a> {
    /// `responseStatus` is successful and there is an answer.
    Successful(BasicOcspResponse<'a>),
    /// The responder says why it has no answer. Nothing of this is signed: anyone on the way can
    /// have said it.
    Unsuccessful(OcspResponseStatus),
}

impl<'a> OcspResponse<'a> {
    /// Reads a response; all of `der` must be one.
    ///
    /// # Errors
    /// [`Error::TooLarge`] past one of the limits, [`Error::Malformed`] for what is not strict DER
    /// of the structure above, [`Error::ResponseType`] for an answer that is not a
    /// `BasicOCSPResponse`.
    pub fn parse(der: &'a [u8], limits: &Limits) -> Result<Self, Error> {
        limits.check_response(der.len())?;
        let (status, bytes) = read_outer(der).map_err(|e| Error::malformed("OCSPResponse", e))?;
        match (status, bytes) {
            (Some(OcspResponseStatus::Successful), Some((basic, response)))
                if basic == oid::BASIC_RESPONSE =>
            {
                BasicOcspResponse::parse(response, limits).map(Self::Successful)
            }
            (Some(OcspResponseStatus::Successful), Some((other, _))) => {
                Err(Error::ResponseType(other))
            }
            // An error carries no answer, and an answer is no error: what says both says nothing.
            (Some(status), None) if status != OcspResponseStatus::Successful => {
                Ok(Self::Unsuccessful(status))
            }
            _ => Err(Error::malformed("OCSPResponse", invalid())),
        }
    }

    /// The status that the responder gives to the request as a whole.
    pub fn status(&self) -> OcspResponseStatus {
        match self {
            Self::Successful(_) => OcspResponseStatus::Successful,
            Self::Unsuccessful(status) => *status,
        }
    }

    /// The encoded response.
    pub fn to_der(&self) -> Vec<u8> {
        let written = asn1::write(|w| {
            w.write_element(&asn1::SequenceWriter::new(&|w| {
                w.write_element(&asn1::Enumerated::new(self.status() as u32))?;
                let Self::Successful(basic) = self else { return Ok(()) };
                w.write_explicit_element(
                    &asn1::SequenceWriter::new(&|w| {
                        w.write_element(&oid::BASIC_RESPONSE)?;
                        w.write_element(&basic.to_der().as_slice())
                    }),
                    0,
                )
            }))
        });
        super::written(written)
    }
}

type Outer<'a> = (Option<OcspResponseStatus>, Option<(ObjectIdentifier, &'a [u8])>);

fn read_outer(der: &[u8]) -> ParseResult<Outer<'_>> {
    asn1::parse_single::<asn1::Sequence<'_>>(der)?.parse(|p| {
        let status = p.read_element::<asn1::Enumerated>()?;
        let bytes = p
            .read_element::<Option<Explicit<asn1::Sequence<'_>, 0>>>()?
            .map(|bytes| {
                bytes.into_inner().parse(|p| Ok((p.read_element()?, p.read_element::<&[u8]>()?)))
            })
            .transpose()?;
        Ok((OcspResponseStatus::from_value(status.value()), bytes))
    })
}

/// `OCSPResponseStatus`. The discriminants are the encoded values; 4 is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OcspResponseStatus {
    /// The response has an answer.
    Successful = 0,
    /// The responder could not read the request.
    MalformedRequest = 1,
    /// The responder has a fault of its own.
    InternalError = 2,
    /// The responder asks to be asked again later.
    TryLater = 3,
    /// The responder wants signed requests.
    SigRequired = 5,
    /// The responder does not answer this client, or not about this certificate (RFC 5019, 2.2.3).
    Unauthorized = 6,
}

impl OcspResponseStatus {
    /// Every status, in the order of their values.
    pub const ALL: [Self; 6] = [
        Self::Successful,
        Self::MalformedRequest,
        Self::InternalError,
        Self::TryLater,
        Self::SigRequired,
        Self::Unauthorized,
    ];

    fn from_value(value: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|status| *status as u32 == value)
    }
}

/// The RFC's name of the status: `tryLater`.
impl fmt::Display for OcspResponseStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Successful => "successful",
            Self::MalformedRequest => "malformedRequest",
            Self::InternalError => "internalError",
            Self::TryLater => "tryLater",
            Self::SigRequired => "sigRequired",
            Self::Unauthorized => "unauthorized",
        })
    }
}

/// ```asn1
/// BasicOCSPResponse ::= SEQUENCE {
///     tbsResponseData     ResponseData,
///     signatureAlgorithm  AlgorithmIdentifier,
///     signature           BIT STRING,
///     certs               [0] EXPLICIT SEQUENCE OF Certificate OPTIONAL }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasicOcspResponse<'a> {
    tbs: Bytes<'a>,
    data: ResponseData<'a>,
    signature_algorithm: AlgorithmIdentifier<'a>,
    signature: Bytes<'a>,
    certs: Vec<Bytes<'a>>,
}

impl<'a> BasicOcspResponse<'a> {
    fn parse(der: &'a [u8], limits: &Limits) -> Result<Self, Error> {
        let malformed = |e| Error::malformed("BasicOCSPResponse", e);
        let (tbs, signature_algorithm, signature, certs) = asn1::parse_single(der)
            .and_then(|sequence: asn1::Sequence<'a>| {
                sequence.parse(|p| {
                    let tbs: asn1::Tlv<'a> = p.read_element()?;
                    let algorithm = p.read_element()?;
                    let signature = super::read_octets(p)?;
                    let certs = p.read_element::<Option<Explicit<asn1::Sequence<'a>, 0>>>()?;
                    Ok((tbs, algorithm, signature, certs.map(Explicit::into_inner)))
                })
            })
            .map_err(malformed)?;
        let certs = match certs {
            Some(certs) => read_certs(certs, limits).map_err(malformed)?,
            None => Vec::new(),
        };
        Ok(Self {
            data: ResponseData::parse(tbs, limits)?,
            tbs: Bytes::Borrowed(tbs.full_data()),
            signature_algorithm,
            signature: Bytes::Borrowed(signature),
            certs,
        })
    }

    /// A response that somebody signed: `signature` is over [`ResponseData::to_der`].
    ///
    /// Nothing is checked, so that a test can make a wrong one.
    pub fn new(
        data: ResponseData<'a>,
        signature_algorithm: AlgorithmIdentifier<'a>,
        signature: Vec<u8>,
        certs: Vec<Vec<u8>>,
    ) -> Self {
        Self {
            tbs: Bytes::Owned(data.to_der()),
            data,
            signature_algorithm,
            signature: Bytes::Owned(signature),
            certs: certs.into_iter().map(Bytes::Owned).collect(),
        }
    }

    /// The encoded `tbsResponseData`: what is signed.
    pub fn tbs_der(&self) -> &[u8] {
        &self.tbs
    }

    /// `tbsResponseData`.
    pub fn data(&self) -> &ResponseData<'a> {
        &self.data
    }

    /// `signatureAlgorithm`.
    pub fn signature_algorithm(&self) -> AlgorithmIdentifier<'a> {
        self.signature_algorithm
    }

    /// The bytes of the signature.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The certificates that the responder put in, each as DER; only their outermost SEQUENCE has
    /// been read.
    pub fn certs(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.certs.iter().map(|cert| cert.as_ref())
    }

    fn to_der(&self) -> Vec<u8> {
        let certs: Vec<Raw<'_>> = self.certs.iter().map(|cert| Raw(cert)).collect();
        let written = asn1::write(|w| {
            w.write_element(&asn1::SequenceWriter::new(&|w| {
                w.write_element(&Raw(&self.tbs))?;
                w.write_element(&self.signature_algorithm)?;
                let signature = asn1::BitString::new(&self.signature, 0);
                w.write_element(&signature.ok_or(WriteError::AllocationError)?)?;
                if certs.is_empty() {
                    return Ok(());
                }
                w.write_explicit_element(&asn1::SequenceOfWriter::new(certs.as_slice()), 0)
            }))
        });
        super::written(written)
    }
}

fn read_certs<'a>(certs: asn1::Sequence<'a>, limits: &Limits) -> ParseResult<Vec<Bytes<'a>>> {
    let certs: Vec<asn1::Tlv<'a>> = read_all(certs, limits.certificates)?;
    let sequence = <asn1::Sequence<'_> as SimpleAsn1Readable<'_>>::TAG;
    match certs.iter().find(|cert| cert.tag() != sequence) {
        Some(other) => {
            Err(asn1::ParseError::new(asn1::ParseErrorKind::UnexpectedTag { actual: other.tag() }))
        }
        None => Ok(certs.iter().map(|cert| Bytes::Borrowed(cert.full_data())).collect()),
    }
}

/// DER that is already encoded.
struct Raw<'a>(&'a [u8]);

impl asn1::Asn1Writable for Raw<'_> {
    type Error = WriteError;

    fn write(&self, dest: &mut asn1::Writer<'_>) -> asn1::WriteResult {
        match asn1::strip_tlv(self.0) {
            Ok((tlv, _)) => dest.write_element(&tlv),
            Err(_) => Err(WriteError::AllocationError),
        }
    }

    fn encoded_length(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

/// ```asn1
/// ResponseData ::= SEQUENCE {
///     version             [0] EXPLICIT INTEGER { v1(0) } DEFAULT v1,
///     responderID         ResponderID,
///     producedAt          GeneralizedTime,
///     responses           SEQUENCE OF SingleResponse,
///     responseExtensions  [1] EXPLICIT Extensions OPTIONAL }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseData<'a> {
    /// Who signed, by its own word.
    pub responder_id: ResponderId<'a>,
    /// When the responder signed.
    pub produced_at: UnixTime,
    /// What it says of each certificate.
    pub responses: Vec<SingleResponse<'a>>,
    /// `responseExtensions`; empty when absent.
    pub extensions: Vec<Extension<'a>>,
}

impl<'a> ResponseData<'a> {
    fn parse(tbs: asn1::Tlv<'a>, limits: &Limits) -> Result<Self, Error> {
        let parsed = tbs.parse::<asn1::Sequence<'a>>().and_then(|sequence| {
            sequence.parse(|p| {
                // v1 is the default, which DER does not encode; there is no other version.
                if p.read_element::<Option<Explicit<asn1::BigInt<'a>, 0>>>()?.is_some() {
                    return Err(invalid());
                }
                let responder_id = ResponderId::read(p)?;
                let produced_at = read_time(&p.read_element()?)?;
                let responses = read_all(p.read_element()?, limits.single_responses)?;
                let extensions = p.read_element::<Option<Explicit<asn1::Sequence<'a>, 1>>>()?;
                let extensions = read_extensions(extensions.map(Explicit::into_inner))?;
                Ok(Self { responder_id, produced_at, responses, extensions })
            })
        });
        parsed.map_err(|e| Error::malformed("ResponseData", e))
    }

    /// The nonce that the responder put in (RFC 9654).
    pub fn nonce(&self) -> Option<&[u8]> {
        self.extensions.iter().find_map(Extension::as_nonce)
    }

    /// The encoded data: what a responder signs.
    pub fn to_der(&self) -> Vec<u8> {
        let written = asn1::write(|w| {
            w.write_element(&asn1::SequenceWriter::new(&|w| {
                match &self.responder_id {
                    ResponderId::ByName(name) => w.write_explicit_element(name, 1)?,
                    ResponderId::ByKey(hash) => w.write_explicit_element(&hash.as_ref(), 2)?,
                }
                w.write_element(&write_time(self.produced_at)?)?;
                w.write_element(&asn1::SequenceOfWriter::new(self.responses.as_slice()))?;
                write_extensions(w, 1, &self.extensions)
            }))
        });
        super::written(written)
    }
}

/// ```asn1
/// ResponderID ::= CHOICE {
///     byName  [1] EXPLICIT Name,
///     byKey   [2] EXPLICIT OCTET STRING } -- SHA-1 of the responder's public key
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponderId<'a> {
    /// The subject of the responder's certificate.
    ByName(Name<'a>),
    /// The SHA-1 hash of the responder's public key.
    ByKey(Bytes<'a>),
}

impl<'a> ResponderId<'a> {
    fn read(p: &mut asn1::Parser<'a>) -> ParseResult<Self> {
        if let Some(name) = p.read_element::<Option<Explicit<Name<'a>, 1>>>()? {
            return Ok(Self::ByName(name.into_inner()));
        }
        let hash = p.read_element::<Explicit<&'a [u8], 2>>()?.into_inner();
        Ok(Self::ByKey(Bytes::Borrowed(hash)))
    }

    /// A copy that borrows from nothing.
    pub fn into_owned(self) -> ResponderId<'static> {
        match self {
            Self::ByName(name) => ResponderId::ByName(name.into_owned()),
            Self::ByKey(hash) => ResponderId::ByKey(Bytes::Owned(hash.into_owned())),
        }
    }
}

impl fmt::Display for ResponderId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByName(name) => name.fmt(f),
            Self::ByKey(hash) => write!(f, "key {}", crate::hex(hash)),
        }
    }
}
