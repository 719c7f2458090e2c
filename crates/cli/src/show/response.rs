//! An OCSP response, with the certificates in it.

use certstatus::message::{
    BasicOcspResponse, CertStatus, OcspResponse, ResponderId, SingleResponse,
};
use certstatus::{Error, Limits, hex};
use rustls_pki_types::UnixTime;
use serde::Serialize;

use super::certificate::EmbeddedShown;
use super::extension::{self, ExtensionShown};
use super::request::CertIdShown;
use crate::names;
use crate::report::Page;
use crate::report::bar::Window;
use crate::report::facts::{Time, status_name};

/// An `OCSPResponse`.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ResponseShown {
    /// Bytes in all.
    length: usize,
    /// The RFC's name: `successful`, `tryLater` and so on.
    response_status: String,
    /// Departures from DER and RFC 6960, each with its field and offset.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    irregularities: Vec<String>,
    /// The answer, when `response_status` is `successful`.
    #[serde(skip_serializing_if = "Option::is_none")]
    basic: Option<BasicShown>,
}

/// A `BasicOCSPResponse`.
#[derive(Clone, Debug, Serialize)]
struct BasicShown {
    responder: ResponderShown,
    produced_at: Time,
    responses: Vec<SingleShown>,
    /// The nonce in hexadecimal.
    nonce: Option<String>,
    extensions: Vec<ExtensionShown>,
    signature_algorithm: String,
    /// Bytes.
    signature_length: usize,
    /// In hexadecimal.
    signature: String,
    certificates: Vec<EmbeddedShown>,
}

/// `ResponderID`: one of the two.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum ResponderShown {
    Name(String),
    /// SHA-1 of the public key, in hexadecimal.
    Key(String),
}

/// A `SingleResponse`.
#[derive(Clone, Debug, Serialize)]
struct SingleShown {
    cert_id: CertIdShown,
    /// `good`, `revoked` or `unknown`.
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    revocation_time: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revocation_reason: Option<String>,
    this_update: Time,
    next_update: Option<Time>,
    extensions: Vec<ExtensionShown>,
}

impl ResponseShown {
    pub(super) fn read(der: &[u8], limits: &Limits) -> Result<Self, Error> {
        let (response, irregularities) = OcspResponse::parse_lenient(der, limits)?;
        Ok(Self {
            length: der.len(),
            irregularities: irregularities.iter().map(ToString::to_string).collect(),
            response_status: response.status().to_string(),
            basic: match &response {
                OcspResponse::Successful(basic) => Some(BasicShown::new(basic)),
                OcspResponse::Unsuccessful(_) => None,
            },
        })
    }

    pub(super) fn render(&self, page: &mut Page, now: UnixTime) {
        page.section("OCSP response");
        page.field("length", format!("{} bytes", self.length));
        page.field("says", &self.response_status);
        for irregularity in &self.irregularities {
            page.field("not RFC 6960", irregularity);
        }
        match &self.basic {
            Some(basic) => basic.render(page, now),
            None => {
                page.sentence("The responder gives no answer but this error, which is not signed.");
            }
        }
    }
}

impl BasicShown {
    fn new(basic: &BasicOcspResponse<'_>) -> Self {
        let data = basic.data();
        Self {
            responder: match &data.responder_id {
                ResponderId::ByName(name) => ResponderShown::Name(name.to_string()),
                ResponderId::ByKey(hash) => ResponderShown::Key(hex(hash)),
            },
            produced_at: Time(data.produced_at),
            responses: data.responses.iter().map(SingleShown::new).collect(),
            nonce: data.nonce().map(hex),
            extensions: ExtensionShown::all(&data.extensions),
            signature_algorithm: names::algorithm(&basic.signature_algorithm()),
            signature_length: basic.signature().len(),
            signature: hex(basic.signature()),
            certificates: basic.certs().map(EmbeddedShown::new).collect(),
        }
    }

    fn render(&self, page: &mut Page, now: UnixTime) {
        match &self.responder {
            ResponderShown::Name(name) => page.field("responder", name),
            ResponderShown::Key(hash) => page.field("responder", format!("key with SHA-1 {hash}")),
        }
        page.time("producedAt", self.produced_at.0, now);
        page.field("nonce", self.nonce.as_deref().unwrap_or("none"));
        let (algorithm, length) = (&self.signature_algorithm, self.signature_length);
        page.field("signed with", format!("{algorithm}, {length} bytes"));
        page.field("signature", &self.signature);
        extension::render(page, "extensions", &self.extensions);
        for (at, single) in self.responses.iter().enumerate() {
            page.section(&format!("Statement {} of {}", at + 1, self.responses.len()));
            single.render(page, now);
        }
        EmbeddedShown::render_all(&self.certificates, page, now);
    }
}

impl SingleShown {
    fn new(single: &SingleResponse<'_>) -> Self {
        let revoked = match single.cert_status {
            CertStatus::Revoked(info) => Some(info),
            CertStatus::Good | CertStatus::Unknown => None,
        };
        Self {
            cert_id: CertIdShown::new(&single.cert_id),
            status: status_name(single.cert_status),
            revocation_time: revoked.map(|info| Time(info.revocation_time)),
            revocation_reason: revoked
                .and_then(|info| info.revocation_reason)
                .map(|reason| reason.to_string()),
            this_update: Time(single.this_update),
            next_update: single.next_update.map(Time),
            extensions: ExtensionShown::all(&single.extensions),
        }
    }

    fn render(&self, page: &mut Page, now: UnixTime) {
        page.field("status", self.status);
        if let Some(time) = self.revocation_time {
            page.time("revoked", time.0, now);
            page.field("reason", self.revocation_reason.as_deref().unwrap_or("none is given"));
        }
        self.cert_id.render(page);
        page.time("thisUpdate", self.this_update.0, now);
        match self.next_update {
            Some(time) => page.time("nextUpdate", time.0, now),
            None => page.field("nextUpdate", "none: newer information is always available"),
        }
        extension::render(page, "extensions", &self.extensions);
        if let Some(end) = self.next_update {
            let (this_update, end) = (self.this_update.0, end.0);
            page.bar(&Window { this_update, end, label: "nextUpdate", now });
        }
    }
}
