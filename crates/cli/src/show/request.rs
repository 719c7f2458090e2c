//! An OCSP request, and the `CertID` that requests and responses share.

use certstatus::message::{CertId, OcspRequest, Request, RequestSignature};
use certstatus::{Error, Limits, hex};
use rustls_pki_types::UnixTime;
use serde::Serialize;

use super::certificate::EmbeddedShown;
use super::extension::{self, ExtensionShown};
use crate::names;
use crate::report::Page;

/// A `CertID`.
#[derive(Clone, Debug, Serialize)]
pub(super) struct CertIdShown {
    pub(super) serial: String,
    hash_algorithm: String,
    issuer_name_hash: String,
    issuer_key_hash: String,
}

impl CertIdShown {
    pub(super) fn new(id: &CertId<'_>) -> Self {
        Self {
            serial: hex(&id.serial_number),
            hash_algorithm: names::algorithm(&id.hash_algorithm),
            issuer_name_hash: hex(&id.issuer_name_hash),
            issuer_key_hash: hex(&id.issuer_key_hash),
        }
    }

    pub(super) fn render(&self, page: &mut Page) {
        page.field("serial", &self.serial);
        page.field("issuer name", format!("{} {}", self.hash_algorithm, self.issuer_name_hash));
        page.field("issuer key", format!("{} {}", self.hash_algorithm, self.issuer_key_hash));
    }
}

/// An `OCSPRequest`.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RequestShown {
    /// Bytes in all.
    length: usize,
    /// Departures from DER and RFC 6960, each with its field and offset.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    irregularities: Vec<String>,
    requests: Vec<SingleShown>,
    /// The nonce in hexadecimal.
    nonce: Option<String>,
    extensions: Vec<ExtensionShown>,
    /// The encoded name of who asks, in hexadecimal.
    requestor_name: Option<String>,
    signature: Option<SignatureShown>,
}

/// What is asked about one certificate.
#[derive(Clone, Debug, Serialize)]
struct SingleShown {
    cert_id: CertIdShown,
    extensions: Vec<ExtensionShown>,
}

/// The signature of a request.
#[derive(Clone, Debug, Serialize)]
struct SignatureShown {
    algorithm: String,
    /// Bytes.
    length: usize,
    /// In hexadecimal.
    value: String,
    certificates: Vec<EmbeddedShown>,
}

impl RequestShown {
    pub(super) fn read(der: &[u8], limits: &Limits) -> Result<Self, Error> {
        let (request, irregularities) = OcspRequest::parse_lenient(der, limits)?;
        Ok(Self {
            length: der.len(),
            irregularities: irregularities.iter().map(ToString::to_string).collect(),
            requests: request.requests.iter().map(SingleShown::new).collect(),
            nonce: request.nonce().map(hex),
            extensions: ExtensionShown::all(&request.extensions),
            requestor_name: request.requestor_name.map(hex),
            signature: request.signature.as_ref().map(SignatureShown::new),
        })
    }

    pub(super) fn render(&self, page: &mut Page, now: UnixTime) {
        page.section("OCSP request");
        page.field("length", format!("{} bytes", self.length));
        for irregularity in &self.irregularities {
            page.field("not RFC 6960", irregularity);
        }
        page.field("nonce", self.nonce.as_deref().unwrap_or("none"));
        if let Some(name) = &self.requestor_name {
            page.field("requestor", name);
        }
        match &self.signature {
            Some(signature) => {
                let SignatureShown { algorithm, length, value, .. } = signature;
                page.field("signed with", format!("{algorithm}, {length} bytes"));
                page.field("signature", value);
            }
            None => page.field("signature", "none"),
        }
        extension::render(page, "extensions", &self.extensions);
        for (at, single) in self.requests.iter().enumerate() {
            page.section(&format!("Certificate {} of {}", at + 1, self.requests.len()));
            single.cert_id.render(page);
            extension::render(page, "extensions", &single.extensions);
        }
        if let Some(signature) = &self.signature {
            EmbeddedShown::render_all(&signature.certificates, page, now);
        }
    }
}

impl SignatureShown {
    fn new(signature: &RequestSignature<'_>) -> Self {
        Self {
            algorithm: names::algorithm(&signature.algorithm),
            length: signature.signature.len(),
            value: hex(signature.signature),
            certificates: signature.certs.iter().map(|der| EmbeddedShown::new(der)).collect(),
        }
    }
}

impl SingleShown {
    fn new(request: &Request<'_>) -> Self {
        Self {
            cert_id: CertIdShown::new(&request.cert_id),
            extensions: ExtensionShown::all(&request.extensions),
        }
    }
}
