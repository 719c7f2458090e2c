//! `OCSPRequest` (RFC 6960, 4.1.1), as the RFC 5019 profile has it and as everyone else may.

use asn1::{Explicit, ParseResult, SimpleAsn1Readable, SimpleAsn1Writable, Tlv, WriteError};

use super::{
    AlgorithmIdentifier, CertId, Extension, extension::read_extensions,
    extension::write_extensions, invalid, read_all,
};
use crate::{Error, Limits};

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
        limits.check_response(der.len())?;
        let (tbs, signature) = read_outer(der).map_err(|e| Error::malformed("OCSPRequest", e))?;
        let request = tbs
            .parse::<asn1::Sequence<'a>>()
            .and_then(|tbs| Self::read_tbs(tbs, limits))
            .map_err(|e| Error::malformed("TBSRequest", e))?;
        let signature = signature
            .map(|signature| read_signature(signature, limits))
            .transpose()
            .map_err(|e| Error::malformed("Signature", e))?;
        Ok(Self { signature, ..request })
    }

    fn read_tbs(tbs: asn1::Sequence<'a>, limits: &Limits) -> ParseResult<Self> {
        tbs.parse(|p| {
            if p.read_element::<Option<Explicit<asn1::BigInt<'a>, 0>>>()?.is_some() {
                return Err(invalid());
            }
            let requestor = p.read_element::<Option<Explicit<Tlv<'a>, 1>>>()?;
            let requests: Vec<Request<'a>> = read_all(p.read_element()?, limits.single_responses)?;
            if requests.is_empty() {
                return Err(invalid());
            }
            let extensions = p.read_element::<Option<Explicit<asn1::Sequence<'a>, 2>>>()?;
            Ok(Self {
                requests,
                extensions: read_extensions(extensions.map(Explicit::into_inner))?,
                requestor_name: requestor.map(|name| name.into_inner().full_data()),
                signature: None,
            })
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

fn read_outer(der: &[u8]) -> ParseResult<(Tlv<'_>, Option<asn1::Sequence<'_>>)> {
    asn1::parse_single::<asn1::Sequence<'_>>(der)?.parse(|p| {
        let tbs = p.read_element()?;
        let signature = p.read_element::<Option<Explicit<asn1::Sequence<'_>, 0>>>()?;
        Ok((tbs, signature.map(Explicit::into_inner)))
    })
}

fn read_signature<'a>(
    signature: asn1::Sequence<'a>,
    limits: &Limits,
) -> ParseResult<RequestSignature<'a>> {
    signature.parse(|p| {
        let algorithm = p.read_element()?;
        let signature = super::read_octets(p)?;
        let certs = p.read_element::<Option<Explicit<asn1::Sequence<'a>, 0>>>()?;
        let certs: Vec<Tlv<'a>> = match certs {
            Some(certs) => read_all(certs.into_inner(), limits.certificates)?,
            None => Vec::new(),
        };
        let certs = certs.iter().map(Tlv::full_data).collect();
        Ok(RequestSignature { algorithm, signature, certs })
    })
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

impl<'a> SimpleAsn1Readable<'a> for Request<'a> {
    const TAG: asn1::Tag = <asn1::Sequence<'_> as SimpleAsn1Readable<'_>>::TAG;

    fn parse_data(contents: &'a [u8]) -> ParseResult<Self> {
        asn1::parse(contents, |p| {
            let cert_id = p.read_element()?;
            let extensions = p.read_element::<Option<Explicit<asn1::Sequence<'a>, 0>>>()?;
            let extensions = read_extensions(extensions.map(Explicit::into_inner))?;
            Ok(Self { cert_id, extensions })
        })
    }
}

impl SimpleAsn1Writable for Request<'_> {
    type Error = WriteError;
    const TAG: asn1::Tag = <Self as SimpleAsn1Readable<'_>>::TAG;

    fn write_data(&self, dest: &mut asn1::WriteBuf) -> asn1::WriteResult {
        let mut w = asn1::Writer::new(dest);
        w.write_element(&self.cert_id)?;
        write_extensions(&mut w, 0, &self.extensions)
    }

    fn data_length(&self) -> Option<usize> {
        None
    }
}
