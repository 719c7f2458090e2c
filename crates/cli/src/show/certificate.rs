//! A certificate: what matters for its status first, then everything else.

use certstatus::{Certificate, Error, hex};
use certstatus_stapler::fetch::is_http;
use rustls_pki_types::UnixTime;
use serde::Serialize;

use super::extension::{self, ExtensionShown};
use crate::names;
use crate::report::Page;
use crate::report::facts::CertificateFacts;

/// A certificate.
#[derive(Clone, Debug, Serialize)]
pub(super) struct CertificateShown {
    #[serde(flatten)]
    facts: CertificateFacts,
    public_key: String,
    signature_algorithm: String,
    /// Bytes.
    signature_length: usize,
    /// In hexadecimal.
    signature: String,
    extensions: Vec<ExtensionShown>,
    /// Bytes in all.
    length: usize,
}

impl CertificateShown {
    pub(super) fn new(certificate: &Certificate<'_>) -> Result<Self, Error> {
        let key = certificate.public_key();
        let bytes = key.subject_public_key().len();
        Ok(Self {
            facts: CertificateFacts::new(certificate),
            public_key: format!("{}, {bytes} bytes", names::algorithm(&key.algorithm())),
            signature_algorithm: names::algorithm(&certificate.signature_algorithm()),
            signature_length: certificate.signature().len(),
            signature: hex(certificate.signature()),
            extensions: ExtensionShown::all(&certificate.extensions()?),
            length: certificate.der().len(),
        })
    }

    /// Whether it says who can be asked for its status.
    pub(super) fn has_responder(&self) -> bool {
        !self.facts.ocsp_urls.is_empty()
    }

    /// Whether it says where its issuer's certificate is, at an address that can be asked: some name
    /// a directory alone (`ldap://`).
    pub(super) fn names_issuer(&self) -> bool {
        self.facts.ca_issuers_urls.iter().any(|url| is_http(url))
    }

    pub(super) fn render(&self, page: &mut Page, now: UnixTime) {
        let facts = &self.facts;
        page.field("subject", &facts.subject);
        page.field("issuer", &facts.issuer);
        page.field("serial", &facts.serial);
        if let Some(time) = facts.not_before {
            page.time("not before", time.0, now);
        }
        if let Some(time) = facts.not_after {
            page.time("not after", time.0, now);
        }
        page.field("OCSP", urls(&facts.ocsp_urls));
        page.field("caIssuers", urls(&facts.ca_issuers_urls));
        page.field(
            "must staple",
            match facts.must_staple {
                Some(true) => "yes (RFC 7633)",
                Some(false) => "no",
                None => "cannot be read",
            },
        );
        page.field("public key", &self.public_key);
        let (algorithm, length) = (&self.signature_algorithm, self.signature_length);
        page.field("signed with", format!("{algorithm}, {length} bytes"));
        page.field("signature", &self.signature);
        page.field("length", format!("{} bytes", self.length));
        extension::render(page, "extensions", &self.extensions);
    }
}

/// A certificate in a message, which only its DER shows when it cannot be read.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum EmbeddedShown {
    Certificate(Box<CertificateShown>),
    Unreadable { error: String, der: String },
}

impl EmbeddedShown {
    pub(super) fn new(der: &[u8]) -> Self {
        match Certificate::parse(der).and_then(|certificate| CertificateShown::new(&certificate)) {
            Ok(shown) => Self::Certificate(Box::new(shown)),
            Err(error) => Self::Unreadable { error: error.to_string(), der: hex(der) },
        }
    }

    /// A section for each.
    pub(super) fn render_all(all: &[Self], page: &mut Page, now: UnixTime) {
        for (at, certificate) in all.iter().enumerate() {
            page.section(&format!("Certificate {} of {} in it", at + 1, all.len()));
            certificate.render(page, now);
        }
    }

    fn render(&self, page: &mut Page, now: UnixTime) {
        match self {
            Self::Certificate(certificate) => certificate.render(page, now),
            Self::Unreadable { error, der } => {
                page.field("unreadable", error);
                page.field("DER", der);
            }
        }
    }
}

fn urls(urls: &[String]) -> String {
    if urls.is_empty() { "none".to_owned() } else { urls.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use certstatus_lab::{Lab, LeafRequest};

    #[test]
    fn an_issuer_in_a_directory_is_not_one_that_can_be_asked_for() {
        let lab = Lab::builder().build().unwrap();
        let leaf = lab.issue(LeafRequest::new("a.example")).unwrap();
        let certificate = Certificate::parse(leaf.certificate()).unwrap();
        let mut shown = CertificateShown::new(&certificate).unwrap();
        assert!(shown.names_issuer());
        for (urls, named) in [
            (&[][..], false),
            (&["ldap:///CN=CA?cACertificate"], false),
            (&["ldap:///CN=CA?cACertificate", "HTTP://pki.example/ca.crt"], true),
        ] {
            shown.facts.ca_issuers_urls = urls.iter().map(ToString::to_string).collect();
            assert_eq!(shown.names_issuer(), named, "{urls:?}");
        }
    }
}
