//! `OCSPResponse` and what is in it (RFC 6960, 4.2.1).

use std::fmt;

use asn1::WriteError;
use rustls_pki_types::UnixTime;

use super::extension::{read_extensions, write_extensions};
use super::reader::{Element, Irregularities, Reader};
use super::time::read_time;
use super::{
    AlgorithmIdentifier, Bytes, Extension, Name, SingleResponse, invalid, oid, write_time,
};
use crate::{Error, Irregularity, Limits};

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
        match Self::parse_lenient(der, limits)? {
            (response, odd) if odd.is_empty() => Ok(response),
            (_, odd) => Err(odd
                .into_iter()
                .next()
                .map_or(Error::malformed("OCSPResponse", invalid()), Error::from)),
        }
    }

    /// Reads a response, and lists its departures from DER and RFC 6960 that leave no doubt about
    /// the other fields; the [module](crate::message) has the table. For tools that show messages,
    /// and for revocations: a response that says *good* counts only if the list is empty.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), for other departures.
    pub fn parse_lenient(
        der: &'a [u8],
        limits: &Limits,
    ) -> Result<(Self, Vec<Irregularity>), Error> {
        limits.check_response(der.len())?;
        let mut odd = Vec::new();
        let whole = Reader::whole("OCSPResponse", der)?;
        whole.has_tag(SEQUENCE)?;
        let mut fields = whole.inside("OCSPResponse");
        let status = fields.element("responseStatus")?;
        let value = status.parse::<asn1::Enumerated>()?.value();
        let Some(response_status) = OcspResponseStatus::from_value(value) else {
            return Err(status.irregular("the status is none of RFC 6960").into());
        };
        let bytes = fields.optional("responseBytes", 0xa0)?;
        fields.end()?;
        match bytes {
            // An error carries no answer, and an answer is no error: what says both says nothing.
            Some(bytes) if response_status == OcspResponseStatus::Successful => {
                let bytes = bytes.only()?;
                bytes.has_tag(SEQUENCE)?;
                let mut fields = bytes.inside("ResponseBytes");
                let response_type = fields.element("responseType")?.parse()?;
                let response = fields.expect("response", 0x04)?;
                fields.end()?;
                if response_type != oid::BASIC_RESPONSE {
                    return Err(Error::ResponseType(response_type));
                }
                let basic = BasicOcspResponse::read(response.only()?, limits, &mut odd)?;
                Ok((Self::Successful(basic), odd))
            }
            None if response_status != OcspResponseStatus::Successful => {
                Ok((Self::Unsuccessful(response_status), odd))
            }
            Some(bytes) => Err(bytes.irregular("an error carries an answer").into()),
            None => Err(status.irregular("success comes without an answer").into()),
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

const SEQUENCE: u8 = 0x30;

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
    fn read(basic: Element<'a>, limits: &Limits, odd: &mut Irregularities) -> Result<Self, Error> {
        basic.has_tag(SEQUENCE)?;
        let mut fields = basic.inside("BasicOCSPResponse");
        let tbs = fields.expect("tbsResponseData", SEQUENCE)?;
        let signature_algorithm = fields.element("signatureAlgorithm")?.parse()?;
        let signature = fields.element("signature")?;
        let bits: asn1::BitString<'a> = signature.parse()?;
        // Bits at the end that do not count would be bytes that are verified and yet say nothing.
        if bits.padding_bits() != 0 {
            return Err(signature.irregular("the signature is not of whole bytes").into());
        }
        let certs = read_certs(fields.optional("certs", 0xa0)?, limits, odd)?;
        fields.end()?;
        Ok(Self {
            data: ResponseData::read(tbs, limits, odd)?,
            tbs: Bytes::Borrowed(tbs.tlv().full_data()),
            signature_algorithm,
            signature: Bytes::Borrowed(bits.as_bytes()),
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

fn read_certs<'a>(
    tagged: Option<Element<'a>>,
    limits: &Limits,
    odd: &mut Irregularities,
) -> Result<Vec<Bytes<'a>>, Error> {
    let Some(tagged) = tagged else { return Ok(Vec::new()) };
    let list = tagged.only()?;
    list.has_tag(SEQUENCE)?;
    let mut reader = list.inside("certs");
    let mut certs = Vec::new();
    while !reader.is_empty() {
        let cert = reader.element("Certificate")?;
        if certs.len() == limits.certificates {
            return Err(list.too_many(limits.certificates));
        }
        if let Some(irregular) = cert.has_tag(SEQUENCE).err().and_then(|e| e.irregularity()) {
            odd.push(irregular);
        }
        certs.push(Bytes::Borrowed(cert.tlv().full_data()));
    }
    Ok(certs)
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
    fn read(tbs: Element<'a>, limits: &Limits, odd: &mut Irregularities) -> Result<Self, Error> {
        let mut fields = tbs.inside("ResponseData");
        // v1 is the default, which DER does not encode; there is no other version.
        if let Some(version) = fields.optional("version", 0xa0)? {
            odd.push(
                version.irregular("a version is written, and v1, the only one, is the default"),
            );
        }
        let responder_id = ResponderId::read(fields.element("responderID")?)?;
        let produced_at = read_time(fields.element("producedAt")?, odd)?;
        let list = fields.expect("responses", SEQUENCE)?;
        let mut statements = list.inside("responses");
        let mut responses = Vec::new();
        let mut count = 0;
        while !statements.is_empty() {
            let statement = statements.element("SingleResponse")?;
            if count == limits.single_responses {
                return Err(list.too_many(limits.single_responses));
            }
            count += 1;
            match SingleResponse::read(statement, odd) {
                Ok(single) => responses.push(single),
                // It may hide nothing of the others.
                Err(error) => odd.push(error.irregularity().ok_or(error)?),
            }
        }
        let mut data = Self { responder_id, produced_at, responses, extensions: Vec::new() };
        match fields
            .optional("responseExtensions", 0xa1)
            .and_then(|tagged| read_extensions(tagged, odd))
        {
            Ok(extensions) => data.extensions = extensions,
            Err(error) => odd.push(error.irregularity().ok_or(error)?),
        }
        odd.extend(fields.trailing());
        Ok(data)
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
    fn read(id: Element<'a>) -> Result<Self, Error> {
        if id.tlv().tag().as_u8() == Some(0xa1) {
            return Ok(Self::ByName(id.only()?.parse()?));
        }
        id.has_tag(0xa2)?;
        Ok(Self::ByKey(Bytes::Borrowed(id.only()?.parse()?)))
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
