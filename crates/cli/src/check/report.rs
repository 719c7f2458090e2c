//! The report about one host: for people, and as JSON.

use certstatus::Certificate;
use certstatus::message::Name;
use rustls::{CipherSuite, ProtocolVersion};
use rustls_pki_types::CertificateDer;
use serde::Serialize;

use super::recorder::{Path, Presented};
use super::responder::{Answer, Comparison, NoAnswer};
use super::{Checked, alt_names};
use crate::report::facts::{CertificateFacts, Problem, StatusFacts, Time};
use crate::report::{Page, Report, Verdict};

/// What was found about a host.
#[derive(Debug, Serialize)]
pub(super) struct CheckReport {
    command: &'static str,
    host: String,
    verdict: Verdict,
    checked_at: Time,
    /// Null when nothing took the connection.
    connection: Option<Connection>,
    /// The certificate that the server presented; verified only if `chain.verified`.
    certificate: Option<CertificateFacts>,
    chain: Option<Chain>,
    /// What the staple says, when it is to be trusted.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<StatusFacts>,
    /// What the staple says, when it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    unverified: Option<StatusFacts>,
    /// What the responder says, when it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    responder: Option<Responder>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem>,
    next: Vec<String>,
    /// The other certificate of a server that has two, in the same form. The verdict above is the worse
    /// of both.
    #[serde(skip_serializing_if = "Option::is_none")]
    other_certificate: Option<Box<CheckReport>>,
}

/// The connection on which it was found.
#[derive(Debug, Serialize)]
struct Connection {
    address: String,
    /// The name that was asked for.
    server_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    starttls: Option<String>,
    /// Null, like the next, when the handshake failed.
    tls_version: Option<&'static str>,
    cipher_suite: Option<String>,
    /// Why the handshake was not finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    unfinished: Option<String>,
    /// Bytes of the response that was stapled; 0 when none was.
    stapled_bytes: usize,
    /// Whether it came so far that the server could staple.
    #[serde(skip)]
    has_certificate: bool,
}

/// The chain, and whether it leads to an anchor.
#[derive(Debug, Serialize)]
struct Chain {
    verified: bool,
    /// The names for which the server's certificate is.
    names: Vec<String>,
    /// The subjects of the certificates between the server's and the anchor, upwards.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    intermediates: Vec<String>,
    /// The subject of the anchor.
    #[serde(skip_serializing_if = "Option::is_none")]
    anchor: Option<String>,
    /// Where the anchors are from.
    trust: String,
    /// The subjects of the certificates that the server sent, in their order.
    presented: Vec<String>,
}

/// The answer of the responder itself.
#[derive(Debug, Serialize)]
struct Responder {
    url: Option<String>,
    /// The answer beside the staple: `same`, `newer`, `older`, `other`; null without both.
    compared: Option<&'static str>,
    #[serde(skip)]
    shown: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<StatusFacts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem>,
}

impl CheckReport {
    /// The report about a host that was checked.
    pub(super) fn new(checked: &Checked) -> Self {
        let judgement = &checked.judgement;
        let presented = checked.presented();
        let leaf = presented.and_then(|p| p.chain.first());
        let certificate = leaf.and_then(|leaf| Certificate::parse(leaf).ok());
        let now = checked.now;
        Self {
            command: "check",
            host: checked.host.clone(),
            verdict: Verdict::new(judgement.outcome, judgement.summary.clone()),
            checked_at: Time(now),
            connection: Connection::of(checked),
            chain: presented.map(|p| Chain::of(p, &checked.trust)),
            status: checked.staple().and_then(|staple| StatusFacts::verified(staple, now)),
            unverified: match (checked.staple(), presented, &certificate) {
                (None, Some(Presented { staple: Some(der), .. }), Some(certificate)) => {
                    StatusFacts::unverified(
                        der,
                        certificate.serial_number(),
                        checked.freshness,
                        now,
                    )
                }
                _ => None,
            },
            certificate: certificate.map(|certificate| CertificateFacts::new(&certificate)),
            responder: checked.answer.as_ref().map(|answer| Responder::of(answer, checked)),
            error: judgement.error.clone(),
            next: judgement.next.clone(),
            other_certificate: checked.other.as_deref().map(|other| Box::new(Self::new(other))),
        }
    }
}

impl Connection {
    fn of(checked: &Checked) -> Option<Self> {
        let seen = checked.seen.as_ref().ok()?;
        let agreed = seen.agreed.as_ref().ok();
        Some(Self {
            address: seen.peer.to_string(),
            server_name: checked.server_name.clone(),
            starttls: checked.starttls.map(|protocol| protocol.to_string()),
            tls_version: agreed.map(|agreed| version_name(agreed.version)),
            cipher_suite: agreed.map(|agreed| suite_name(agreed.cipher_suite)),
            unfinished: seen.agreed.as_ref().err().map(ToString::to_string),
            stapled_bytes: checked
                .presented()
                .and_then(|presented| presented.staple.as_ref())
                .map_or(0, Vec::len),
            has_certificate: checked.presented().is_some(),
        })
    }

    fn render(&self, page: &mut Page) {
        page.section("Connection");
        page.field("address", &self.address);
        page.field("asked for", &self.server_name);
        if let Some(protocol) = &self.starttls {
            page.field("in the clear", format!("{protocol}, up to its step to TLS"));
        }
        if let (Some(version), Some(suite)) = (self.tls_version, &self.cipher_suite) {
            page.field("protocol", format!("{version}, {suite}"));
        }
        if let Some(why) = &self.unfinished {
            page.field("not finished", why);
        }
        if self.has_certificate {
            page.field(
                "stapled",
                match self.stapled_bytes {
                    0 => "nothing".to_owned(),
                    bytes => format!("{bytes} bytes"),
                },
            );
        }
    }
}

impl Chain {
    fn of(presented: &Presented, trust: &str) -> Self {
        let path = presented.path.as_ref().ok();
        let subjects = |chain: &[CertificateDer<'_>]| chain.iter().map(subject).collect();
        Self {
            verified: path.is_some(),
            names: presented.chain.first().map(alt_names::of_certificate).unwrap_or_default(),
            intermediates: path.map(|path| subjects(&path.intermediates)).unwrap_or_default(),
            anchor: path.map(anchor_name),
            trust: trust.to_owned(),
            presented: subjects(&presented.chain),
        }
    }

    fn render(&self, page: &mut Page) {
        match &self.anchor {
            Some(anchor) => {
                page.section("Chain");
                self.intermediates.iter().for_each(|subject| page.field("through", subject));
                page.field("to", format!("{anchor}, in {}", self.trust));
            }
            None => {
                page.section("Chain, as presented: it does not verify");
                for (index, subject) in self.presented.iter().enumerate() {
                    page.field(&format!("certificate {}", index + 1), subject);
                }
                page.field("trusted", &self.trust);
            }
        }
    }
}

impl Responder {
    fn of(answer: &Answer, checked: &Checked) -> Self {
        let verified = answer.result.as_ref().ok();
        let compared = verified
            .zip(checked.staple())
            .map(|(answered, stapled)| Comparison::of(stapled, answered));
        Self {
            url: answer.url.clone(),
            compared: compared.map(|compared| compared.word()),
            shown: match (verified, compared) {
                (Some(_), Some(compared)) => compared.to_string(),
                (Some(_), None) => "a response; nothing to compare with is stapled".to_owned(),
                (None, _) => "nothing that is to be trusted".to_owned(),
            },
            status: verified.and_then(|answer| StatusFacts::verified(answer, checked.now)),
            error: answer.result.as_ref().err().map(NoAnswer::problem),
        }
    }

    fn render(&self, page: &mut Page, checked_at: Time) {
        page.section("Responder");
        if let Some(url) = &self.url {
            page.field("asked", url);
        }
        page.field("gives", &self.shown);
        if let Some(status) = &self.status {
            page.field("status", status.status);
            page.time("thisUpdate", status.this_update.0, checked_at.0);
            if let Some(next) = status.next_update {
                page.time("nextUpdate", next.0, checked_at.0);
            }
        }
        if let Some(error) = &self.error {
            page.field("error", &error.message);
        }
    }
}

impl Report for CheckReport {
    fn render(&self, page: &mut Page) {
        page.verdict(&self.verdict);
        self.render_facts(page);
        if let Some(other) = &self.other_certificate {
            page.section("The server's other certificate");
            page.field("verdict", &other.verdict.summary);
            other.render_facts(page);
        }
        page.next(&self.next);
    }
}

impl CheckReport {
    /// Everything about one certificate but what is made of it.
    fn render_facts(&self, page: &mut Page) {
        let now = self.checked_at.0;
        if let Some(certificate) = &self.certificate {
            certificate.render(page, now);
        }
        if let Some(chain) = &self.chain {
            if !chain.names.is_empty() {
                page.field("names", chain.names.join(", "));
            }
            chain.render(page);
        }
        if let Some(connection) = &self.connection {
            connection.render(page);
        }
        if let Some(status) = self.status.as_ref().or(self.unverified.as_ref()) {
            status.render(page, now);
        }
        if let Some(responder) = &self.responder {
            responder.render(page, self.checked_at);
        }
    }
}

fn subject(certificate: &CertificateDer<'_>) -> String {
    Certificate::parse(certificate)
        .map_or_else(|_| "cannot be read".to_owned(), |read| read.subject().to_string())
}

fn anchor_name(path: &Path) -> String {
    Name::from_contents(&path.anchor.subject).to_string()
}

fn version_name(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::TLSv1_2 => "TLS 1.2",
        ProtocolVersion::TLSv1_3 => "TLS 1.3",
        _ => "another version of TLS",
    }
}

/// The registry's name of a cipher suite. rustls writes `TLS13` where the registry has `TLS`.
fn suite_name(suite: CipherSuite) -> String {
    suite.as_str().map_or_else(
        || format!("0x{:04x}", u16::from(suite)),
        |name| name.replacen("TLS13_", "TLS_", 1),
    )
}
