//! What to do next, by what a server staples and what its responder says.

use certstatus::message::CertStatus;
use certstatus::{Certificate, Stage, Staple, VerifiedResponse};
use rustls_pki_types::UnixTime;

use super::recorder::Path;
use super::responder::Comparison;

/// What the sentences say about a server.
pub(super) struct Facts<'a> {
    pub(super) host: &'a str,
    pub(super) must_staple: bool,
    urls: Vec<&'a str>,
    serial: String,
    pub(super) now: UnixTime,
}

impl<'a> Facts<'a> {
    pub(super) fn of(host: &'a str, path: &'a Path, now: UnixTime) -> Self {
        let certificate = Certificate::parse(&path.end_entity).ok();
        Self {
            host,
            must_staple: path.must_staple,
            urls: certificate.as_ref().and_then(|c| c.ocsp_urls().ok()).unwrap_or_default(),
            serial: certificate.map(|c| certstatus::hex(c.serial_number())).unwrap_or_default(),
            now,
        }
    }

    /// What to do about what is stapled.
    pub(super) fn advise_staple(&self, staple: Staple<'_>) -> Vec<String> {
        match staple {
            Staple::Missing => self.advise_missing(),
            Staple::Invalid(error) => self.advise_invalid(error.stage()),
            Staple::Verified(verified) => self.advise_status(verified),
        }
    }

    fn advise_missing(&self) -> Vec<String> {
        match self.urls.first() {
            Some(url) => vec![format!(
                "Turn stapling on in the server (nginx: ssl_stapling, Apache: SSLUseStapling, \
                 HAProxy: ocsp-update), and see that it reaches the responder at {url}."
            )],
            None => vec![
                "The certificate names no responder, so that a server does not know where to ask: \
                 give it the responder's address, or have the CA put it into the certificate."
                    .to_owned(),
            ],
        }
    }

    fn advise_invalid(&self, stage: Stage) -> Vec<String> {
        let responder = self.urls.first().map_or_else(String::new, |url| format!(" at {url}"));
        vec![match stage {
            Stage::Time => format!(
                "See that the server reaches the responder{responder}, that it asks again in time, \
                 and that its clock, the responder's and this one agree."
            ),
            Stage::Match => "The server staples the response of another certificate, as happens \
                             after a renewal: have it fetch again."
                .to_owned(),
            Stage::Signer => format!(
                "Somebody else than the certificate's CA may have made this response. Ask the \
                 responder{responder} itself, with --fetch; if it says the same, tell the CA."
            ),
            _ => format!(
                "The server staples what its responder{responder} did not mean for it, or the \
                 responder is at fault: ask it itself, with --fetch."
            ),
        }]
    }

    pub(super) fn advise_status(&self, verified: &VerifiedResponse) -> Vec<String> {
        match verified.status() {
            CertStatus::Revoked(_) => vec![
                "Do not trust this server. If it is yours: find out why the certificate was \
                 revoked, and replace it and its key."
                    .to_owned(),
            ],
            CertStatus::Unknown => vec![format!(
                "Ask the CA whether it issued the serial {}; a responder that serves another CA, or \
                 that does not know yet of a new certificate, says the same.",
                self.serial
            )],
            CertStatus::Good if self.runs_out(verified) => vec![
                "Most of the staple's time is over: see that the server fetches a new one before \
                 it ends."
                    .to_owned(),
            ],
            CertStatus::Good => Vec::new(),
        }
    }

    /// The staple does not say what its responder does.
    pub(super) fn advise_answer(
        &self,
        verified: &VerifiedResponse,
        compared: Option<Comparison>,
    ) -> Vec<String> {
        let mut next = self.advise_status(verified);
        if compared.is_some_and(|compared| compared.is_newer()) {
            next.push(
                "The staple is behind its responder: have the server fetch a new one.".to_owned(),
            );
        }
        next
    }

    /// Whether less than a quarter of its time is left.
    fn runs_out(&self, verified: &VerifiedResponse) -> bool {
        let whole = verified.expires().as_secs().saturating_sub(verified.this_update().as_secs());
        let left = verified.expires().as_secs().saturating_sub(self.now.as_secs());
        left < whole / 4
    }
}
