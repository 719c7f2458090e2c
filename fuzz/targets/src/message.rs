//! OCSP messages (RFC 6960, 4): what is read is written again as the same bytes.

use asn1::{SimpleAsn1Readable, SimpleAsn1Writable};
use certstatus::message::{CertId, Extension, Name, OcspRequest, OcspResponse, ResponderId, oid};
use certstatus::{Certificate, Limits, rfc5019};

use crate::bounded::bounded;

/// `OCSPRequest`. What is not signed is written as it was, and travels in the path of a GET.
pub fn ocsp_request(data: &[u8]) {
    let limits = Limits::default();
    let Ok(request) = bounded(data, || OcspRequest::parse(data, &limits)) else { return };
    assert!(!request.requests.is_empty() && request.requests.len() <= limits.single_responses);
    assert!(request.nonce().is_none_or(|nonce| (1..=128).contains(&nonce.len())));
    let der = request.to_der();
    if request.signature.is_none() && request.requestor_name.is_none() {
        assert_eq!(der, data);
    }
    // Without what is not written, it is the same request.
    let written = OcspRequest::parse(&der, &limits).expect("what is written can be read");
    assert_eq!((&written.requests, &written.extensions), (&request.requests, &request.extensions));
    if let Some(owned) = request.clone().into_owned() {
        // The identifier of a hash function may have lost or won its NULL.
        let again = OcspRequest::parse(&owned.to_der(), &limits).map(|request| request.to_der());
        assert_eq!(again.ok(), Some(owned.to_der()));
    }
    if let Some(url) = rfc5019::get_url("http://ca.example/ocsp", data) {
        let path = url.strip_prefix("http://ca.example/ocsp").expect("the responder's URL leads");
        assert_eq!(rfc5019::request_from_path(path).as_deref(), Some(data));
    }
}

/// `OCSPResponse`.
pub fn ocsp_response(data: &[u8]) {
    let limits = Limits::default();
    let Ok(response) = bounded(data, || OcspResponse::parse(data, &limits)) else { return };
    assert_eq!(response.to_der(), data);
    let OcspResponse::Successful(basic) = response else { return };
    assert!(basic.certs().len() <= limits.certificates);
    assert_eq!(basic.data().to_der(), basic.tbs_der());
    let facts = basic.data();
    assert!(facts.responses.len() <= limits.single_responses);
    assert!(facts.nonce().is_none_or(|nonce| (1..=128).contains(&nonce.len())));
    shown(&facts.responder_id.to_string());
    for single in &facts.responses {
        shown(&single.cert_id.to_string());
        shown(&single.cert_status.to_string());
    }
    for cert in basic.certs() {
        if let Ok(cert) = Certificate::parse(cert) {
            shown(&cert.subject().to_string());
        }
    }
    let id = ResponderId::clone(&facts.responder_id).into_owned();
    assert_eq!(id, facts.responder_id);
}

/// `BasicOCSPResponse`, in the envelope that it needs.
pub fn basic_ocsp_response(data: &[u8]) {
    let bytes = |w: &mut asn1::Writer<'_>| {
        w.write_element(&oid::BASIC_RESPONSE)?;
        w.write_element(&data)
    };
    let enveloped = asn1::write(|w| {
        w.write_element(&asn1::SequenceWriter::new(&|w| {
            w.write_element(&asn1::Enumerated::new(0))?;
            w.write_explicit_element(&asn1::SequenceWriter::new(&bytes), 0)
        }))
    });
    ocsp_response(&enveloped.expect("an envelope can be written"));
}

/// `SingleResponse`, in the response that it needs.
pub fn single_response(data: &[u8]) {
    const RESPONDER_KEY: [u8; 22] =
        [4, 20, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1];
    const ECDSA_WITH_SHA256: &[u8] = &[0x30, 10, 6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2];
    const SIGNATURE: &[u8] = &[3, 2, 0, 1];
    let responder = element(0xA2, &RESPONDER_KEY);
    let produced_at = element(0x18, b"20260301120000Z");
    let tbs = element(0x30, &[responder, produced_at, element(0x30, data)].concat());
    basic_ocsp_response(&element(0x30, &[&tbs, ECDSA_WITH_SHA256, SIGNATURE].concat()));
}

/// An element of DER with that tag.
fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len().to_be_bytes();
    let length = length.into_iter().skip_while(|byte| *byte == 0).collect::<Vec<_>>();
    let header = match contents.len() {
        short @ 0..=0x7F => vec![tag, short as u8],
        _ => [vec![tag, 0x80 | length.len() as u8], length].concat(),
    };
    [&header, contents].concat()
}

/// `CertID`.
pub fn cert_id(data: &[u8]) {
    let Some(id) = there_and_back::<CertId<'_>>(data) else { return };
    shown(&id.to_string());
    let known = id.hash();
    assert_eq!(id.clone().into_owned().and_then(|owned| owned.hash()), known);
}

/// `Extension`.
pub fn extension(data: &[u8]) {
    let Some(extension) = there_and_back::<Extension<'_>>(data) else { return };
    if let Some(nonce) = extension.as_nonce() {
        assert_eq!(Extension::nonce(nonce).value, extension.value);
    }
    assert_eq!(extension.clone().into_owned(), extension);
}

/// `Name`.
pub fn name(data: &[u8]) {
    if let Some(name) = there_and_back::<Name<'_>>(data) {
        shown(&name.to_string());
    }
    // Contents as they come from a certificate, of which nothing has been read.
    shown(&Name::from_contents(data).to_string());
}

/// Reads one value, and writes it.
fn there_and_back<'a, T>(data: &'a [u8]) -> Option<T>
where
    T: SimpleAsn1Readable<'a> + SimpleAsn1Writable<Error = asn1::WriteError>,
{
    let value = bounded(data, || asn1::parse_single::<T>(data)).ok()?;
    assert_eq!(asn1::write_single(&value).expect("what was read can be written"), data);
    Some(value)
}

/// What is shown to people has no control characters: it may be anybody's.
pub(crate) fn shown(text: &str) {
    assert!(!text.is_empty() && !text.chars().any(char::is_control), "{text:?}");
}
