//! `OCSPRequest` (RFC 6960, 4.1.1), as the RFC 5019 profile has it and as everyone else may.

use asn1::{SimpleAsn1Readable, SimpleAsn1Writable, WriteError};

use super::extension::{read_extensions, write_extensions};
use super::reader::{Element, Irregularities, Reader};
use super::{AlgorithmIdentifier, CertId, Extension};
use crate::{Error, Irregularity, Limits};

const SEQUENCE: u8 = 0x30;

/// ```asn1
/// OCSPRequest ::= SEQUENCE {
///     tbsRequest         TBSRequest,
///     optionalSignature  [0] EXPLICIT Signature OPTIONAL }
/// TBSRequest ::= SEQUENCE {
///     version            [0] EXPLICIT INTEGER { v1(0) } DEFAULT v1,
///     requestorName      [1] EXPLICIT GeneralName OPTIONAL,
///     requestList        SEQUENCE OF Request,
///     requestExtensions  [2] EXPLICIT Extensions OPTIONAL }
/// Request ::= SEQUENCE {
///     reqCert                  CertID,
///     singleRequestExtensions  [0] EXPLICIT Extensions OPTIONAL }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspRequest<'a> {
    /// The certificates that are asked about. RFC 5019, 2.1.1: a request is about one.
    pub requests: Vec<Request<'a>>,
    /// `requestExtensions`; empty when absent.
    pub extensions: Vec<Extension<'a>>,
    /// The encoded `requestorName`: shown, and neither checked nor written.
    pub requestor_name: Option<&'a [u8]>,
    /// `optionalSignature`: shown, and neither checked nor written.
    pub signature: Option<RequestSignature<'a>>,
}

/// ```asn1
/// Signature ::= SEQUENCE {
///     signatureAlgorithm  AlgorithmIdentifier,
///     signature           BIT STRING,
///     certs               [0] EXPLICIT SEQUENCE OF Certificate OPTIONAL }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestSignature<'a> {
    /// `signatureAlgorithm`.
    pub algorithm: AlgorithmIdentifier<'a>,
    /// The bytes of the signature.
    pub signature: &'a [u8],
    /// The certificates, each as whatever TLV stands in its place.
    pub certs: Vec<&'a [u8]>,
}

impl<'a> OcspRequest<'a> {
    /// A request about one certificate without extensions, as RFC 5019, 2.1.1 wants it.
    pub fn new(cert_id: CertId<'a>) -> Self {
        Self {
            requests: vec![Request { cert_id, extensions: Vec::new() }],
            extensions: Vec::new(),
            requestor_name: None,
            signature: None,
        }
    }

    /// The request with a nonce (RFC 9654): a response to it is fresh, and no cache can give it.
    #[must_use]
    pub fn with_nonce(mut self, nonce: &[u8]) -> Self {
        self.extensions.retain(|extension| extension.id != super::oid::NONCE);
        self.extensions.push(Extension::nonce(nonce));
        self
    }

    /// The nonce of the request.
    pub fn nonce(&self) -> Option<&[u8]> {
        self.extensions.iter().find_map(Extension::as_nonce)
    }

    /// Reads a request; all of `der` must be one.
    ///
    /// # Errors
    /// [`Error::TooLarge`] past a limit, [`Error::Malformed`] for what is not strict DER of the
    /// structure above.
    pub fn parse(der: &'a [u8], limits: &Limits) -> Result<Self, Error> {
        let (request, odd) = Self::parse_lenient(der, limits)?;
        odd.first().map_or(Ok(request), |first| Err(Error::from(*first)))
    }

    /// Reads a request, and lists its departures from DER and RFC 6960 that leave no doubt about
    /// the other fields; for tools that show messages.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), for other departures.
    pub fn parse_lenient(
        der: &'a [u8],
        limits: &Limits,
    ) -> Result<(Self, Vec<Irregularity>), Error> {
        limits.check_response(der.len())?;
        let mut odd = Vec::new();
        let whole = Reader::whole("OCSPRequest", der)?;
        whole.has_tag(SEQUENCE)?;
        let mut fields = whole.inside("OCSPRequest");
        let tbs = fields.expect("tbsRequest", SEQUENCE)?;
        let signature = fields.optional("optionalSignature", 0xa0)?;
        fields.end()?;
        let request = Self::read_tbs(tbs, limits, &mut odd)?;
        let signature = signature.map(|tagged| read_signature(tagged, limits)).transpose()?;
        Ok((Self { signature, ..request }, odd))
    }

    fn read_tbs(
        tbs: Element<'a>,
        limits: &Limits,
        odd: &mut Irregularities,
    ) -> Result<Self, Error> {
        let mut fields = tbs.inside("TBSRequest");
        if let Some(version) = fields.optional("version", 0xa0)? {
            odd.push(
                version.irregular("a version is written, and v1, the only one, is the default"),
            );
        }
        let requestor = fields.optional("requestorName", 0xa1)?;
        let list = fields.expect("requestList", SEQUENCE)?;
        let mut reader = list.inside("requestList");
        let mut requests = Vec::new();
        if reader.is_empty() {
            odd.push(list.irregular("the list of requests is empty"));
        }
        while !reader.is_empty() {
            let request = reader.expect("Request", SEQUENCE)?;
            if requests.len() == limits.single_responses {
                return Err(list.too_many(limits.single_responses));
            }
            requests.push(Request::read(request, odd)?);
        }
        let extensions = read_extensions(fields.optional("requestExtensions", 0xa2)?, odd)?;
        fields.end()?;
        let requestor_name = requestor.map(|tagged| tagged.only()).transpose()?;
        Ok(Self {
            requests,
            extensions,
            requestor_name: requestor_name.map(|name| name.tlv().full_data()),
            signature: None,
        })
    }

    /// The encoded request, unsigned and without a requestor's name.
    pub fn to_der(&self) -> Vec<u8> {
        let written = asn1::write(|w| {
            w.write_element(&asn1::SequenceWriter::new(&|w| {
                w.write_element(&asn1::SequenceWriter::new(&|w| {
                    w.write_element(&asn1::SequenceOfWriter::new(self.requests.as_slice()))?;
                    write_extensions(w, 2, &self.extensions)
                }))
            }))
        });
        super::written(written)
    }

    /// A copy that borrows from nothing, without requestor's name and signature; `None` when a
    /// `CertID` names an unknown hash function.
    pub fn into_owned(self) -> Option<OcspRequest<'static>> {
        Some(OcspRequest {
            requests: self.requests.into_iter().map(Request::into_owned).collect::<Option<_>>()?,
            extensions: self.extensions.into_iter().map(Extension::into_owned).collect(),
            requestor_name: None,
            signature: None,
        })
    }
}

fn read_signature<'a>(tagged: Element<'a>, limits: &Limits) -> Result<RequestSignature<'a>, Error> {
    let signature = tagged.only()?;
    signature.has_tag(SEQUENCE)?;
    let mut fields = signature.inside("Signature");
    let algorithm = fields.element("signatureAlgorithm")?.parse()?;
    let value = fields.element("signature")?;
    let bits: asn1::BitString<'a> = value.parse()?;
    if bits.padding_bits() != 0 {
        return Err(value.irregular("the signature is not of whole bytes").into());
    }
    let mut certs = Vec::new();
    if let Some(tagged) = fields.optional("certs", 0xa0)? {
        let list = tagged.only()?;
        list.has_tag(SEQUENCE)?;
        let mut reader = list.inside("certs");
        while !reader.is_empty() {
            if certs.len() == limits.certificates {
                return Err(list.too_many(limits.certificates));
            }
            certs.push(reader.element("Certificate")?.tlv().full_data());
        }
    }
    fields.end()?;
    Ok(RequestSignature { algorithm, signature: bits.as_bytes(), certs })
}

/// What is asked about one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// `reqCert`.
    pub cert_id: CertId<'a>,
    /// `singleRequestExtensions`; empty when absent.
    pub extensions: Vec<Extension<'a>>,
}

impl Request<'_> {
    fn into_owned(self) -> Option<Request<'static>> {
        Some(Request {
            cert_id: self.cert_id.into_owned()?,
            extensions: self.extensions.into_iter().map(Extension::into_owned).collect(),
        })
    }
}

impl<'a> Request<'a> {
    fn read(request: Element<'a>, odd: &mut Irregularities) -> Result<Self, Error> {
        let mut fields = request.inside("Request");
        let cert_id = fields.element("reqCert")?.parse()?;
        let extensions = fields.optional("singleRequestExtensions", 0xa0)?;
        let extensions = read_extensions(extensions, odd)?;
        fields.end()?;
        Ok(Self { cert_id, extensions })
    }
}

impl SimpleAsn1Writable for Request<'_> {
    type Error = WriteError;
    const TAG: asn1::Tag = <asn1::Sequence<'_> as SimpleAsn1Readable<'_>>::TAG;

    fn write_data(&self, dest: &mut asn1::WriteBuf) -> asn1::WriteResult {
        let mut w = asn1::Writer::new(dest);
        w.write_element(&self.cert_id)?;
        write_extensions(&mut w, 0, &self.extensions)
    }

    fn data_length(&self) -> Option<usize> {
        None
    }
}
