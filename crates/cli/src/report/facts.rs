//! The structures that reports share, as they stand in the JSON.

use certstatus::message::{BasicOcspResponse, CertStatus, OcspResponse, SingleResponse};
use certstatus::time::{Relative, Rfc3339};
use certstatus::{Certificate, Error, Freshness, Limits, Signer, Stage, VerifiedResponse, hex};
use rustls_pki_types::UnixTime;
use serde::{Serialize, Serializer};

use super::Page;
use super::bar::Window;
use crate::names;

/// A point in time; in the JSON as RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) UnixTime);

impl Time {
    /// The time as RFC 3339.
    pub(crate) fn shown(self) -> String {
        Rfc3339(self.0).to_string()
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Rfc3339(self.0))
    }
}

/// Seconds from `now` until `time`, negative when it is past.
pub(crate) fn seconds_until(time: UnixTime, now: UnixTime) -> i64 {
    let distance = i64::try_from(time.as_secs().abs_diff(now.as_secs())).unwrap_or(i64::MAX);
    if time < now { -distance } else { distance }
}

/// What matters of the certificate whose status is looked at.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CertificateFacts {
    pub(crate) subject: String,
    pub(crate) issuer: String,
    /// Hexadecimal.
    pub(crate) serial: String,
    /// Null, like the next, where there is only a serial number.
    pub(crate) not_before: Option<Time>,
    pub(crate) not_after: Option<Time>,
    /// Whether it says that a server must staple (RFC 7633); null when that cannot be read.
    pub(crate) must_staple: Option<bool>,
    pub(crate) ocsp_urls: Vec<String>,
    pub(crate) ca_issuers_urls: Vec<String>,
}

impl CertificateFacts {
    pub(crate) fn new(certificate: &Certificate<'_>) -> Self {
        let owned = |urls: Result<Vec<&str>, Error>| {
            urls.unwrap_or_default().into_iter().map(str::to_owned).collect()
        };
        Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            serial: hex(certificate.serial_number()),
            not_before: Some(Time(certificate.not_before())),
            not_after: Some(Time(certificate.not_after())),
            must_staple: certificate.must_staple().ok(),
            ocsp_urls: owned(certificate.ocsp_urls()),
            ca_issuers_urls: owned(certificate.ca_issuers_urls()),
        }
    }

    /// A certificate of which only the serial number is known, and the issuer.
    pub(crate) fn of_serial(serial_number: &[u8], issuer: &Certificate<'_>) -> Self {
        Self {
            subject: String::new(),
            issuer: issuer.subject().to_string(),
            serial: hex(serial_number),
            not_before: None,
            not_after: None,
            must_staple: Some(false),
            ocsp_urls: Vec::new(),
            ca_issuers_urls: Vec::new(),
        }
    }

    /// The certificate as a section.
    pub(crate) fn render(&self, page: &mut Page, now: UnixTime) {
        page.section("Certificate");
        if self.not_after.is_some() {
            page.field("subject", &self.subject);
        }
        page.field("issuer", &self.issuer);
        page.field("serial", &self.serial);
        if let (Some(not_before), Some(not_after)) = (self.not_before, self.not_after) {
            let (label, time) = match now {
                _ if now < not_before.0 => ("not valid yet", not_before),
                _ if now > not_after.0 => ("expired", not_after),
                _ => ("valid until", not_after),
            };
            page.time(label, time.0, now);
        }
        match self.must_staple {
            Some(true) => page.field("must staple", "yes (RFC 7633)"),
            Some(false) => {}
            None => page.field("must staple", "cannot be read"),
        }
    }
}

/// What a response says about the certificate.
///
/// In a report it stands as `status` when the response was verified, and as `unverified` when it is
/// not to be trusted: then nobody vouches for any of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StatusFacts {
    /// `good`, `revoked` or `unknown`.
    pub(crate) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) revocation_time: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) revocation_reason: Option<String>,
    pub(crate) this_update: Time,
    pub(crate) next_update: Option<Time>,
    pub(crate) produced_at: Time,
    /// When it ends: `nextUpdate`, or the maximum age, or the end of the delegate's certificate.
    pub(crate) expires: Time,
    /// Seconds from the time of the check until `expires`; negative when past.
    pub(crate) seconds_left: i64,
    /// `issuer`, `delegate` or `trusted responder`; null while unverified.
    pub(crate) signer: Option<&'static str>,
    /// `ResponderID`, as the response has it.
    pub(crate) responder: String,
    pub(crate) signature_algorithm: String,
    /// The nonce in hexadecimal, if there is one.
    pub(crate) nonce: Option<String>,
    /// The length of the response in bytes.
    pub(crate) length: usize,
    /// Why the response would be refused if it did not report a revocation.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) irregularities: Vec<String>,
    #[serde(skip)]
    window: Window,
}

impl StatusFacts {
    /// What a verified response says.
    pub(crate) fn verified(verified: &VerifiedResponse, now: UnixTime) -> Option<Self> {
        // The verifier had read it, and with a limit that may be another one.
        let limits = unlimited(verified.der().len());
        let (response, _) = OcspResponse::parse_lenient(verified.der(), &limits).ok()?;
        let OcspResponse::Successful(basic) = response else { return None };
        let said = Said {
            status: verified.status(),
            this_update: verified.this_update(),
            next_update: verified.next_update(),
            expires: verified.expires(),
        };
        let signer = match verified.signer() {
            Signer::Issuer => "issuer",
            Signer::Delegate => "delegate",
            Signer::Trusted => "trusted responder",
        };
        let facts = Self::new(&basic, said, Some(signer), verified.der().len(), now);
        Some(Self { irregularities: verified.irregularities().to_vec(), ..facts })
    }

    /// What a response says that is not to be trusted, if it can be read: its statement about the
    /// certificate's serial number, else its first.
    pub(crate) fn unverified(
        der: &[u8],
        serial_number: &[u8],
        freshness: Freshness,
        now: UnixTime,
    ) -> Option<Self> {
        let (response, _) = OcspResponse::parse_lenient(der, &Limits::default()).ok()?;
        let OcspResponse::Successful(basic) = response else { return None };
        let about =
            |single: &&SingleResponse<'_>| single.cert_id.serial_number.as_ref() == serial_number;
        let singles = &basic.data().responses;
        let single = singles.iter().find(about).or_else(|| singles.first())?;
        let end = single.this_update.as_secs().saturating_add(freshness.max_age.as_secs());
        let said = Said {
            status: single.cert_status,
            this_update: single.this_update,
            next_update: single.next_update,
            expires: single.next_update.unwrap_or_else(|| certstatus::time::unix(end)),
        };
        Some(Self::new(&basic, said, None, der.len(), now))
    }

    fn new(
        basic: &BasicOcspResponse<'_>,
        said: Said,
        signer: Option<&'static str>,
        length: usize,
        now: UnixTime,
    ) -> Self {
        let revoked = match said.status {
            CertStatus::Revoked(info) => Some(info),
            CertStatus::Good | CertStatus::Unknown => None,
        };
        Self {
            status: status_name(said.status),
            revocation_time: revoked.map(|info| Time(info.revocation_time)),
            revocation_reason: revoked
                .and_then(|info| info.revocation_reason)
                .map(|reason| reason.to_string()),
            this_update: Time(said.this_update),
            next_update: said.next_update.map(Time),
            produced_at: Time(basic.data().produced_at),
            expires: Time(said.expires),
            seconds_left: seconds_until(said.expires, now),
            signer,
            responder: basic.data().responder_id.to_string(),
            signature_algorithm: names::algorithm(&basic.signature_algorithm()),
            nonce: basic.data().nonce().map(hex),
            length,
            irregularities: Vec::new(),
            window: Window {
                this_update: said.this_update,
                end: said.expires,
                label: match said.next_update {
                    Some(next) if next == said.expires => "nextUpdate",
                    Some(_) => "delegate ends",
                    None => "maximum age",
                },
                now,
            },
        }
    }

    /// The response as a section, with its window as a bar.
    pub(crate) fn render(&self, page: &mut Page, now: UnixTime) {
        let title = if self.signer.is_some() {
            "Response"
        } else {
            "Response, as it says itself: nothing of this is verified"
        };
        page.section(title);
        page.field("status", self.status);
        if let Some(time) = self.revocation_time {
            page.time("revoked", time.0, now);
        }
        if let Some(reason) = &self.revocation_reason {
            page.field("reason", reason);
        }
        let signer = self.signer.map_or_else(String::new, |signer| format!("the {signer}, "));
        page.field("signed by", format!("{signer}{}", self.responder));
        page.field(
            "signature",
            format!("{}, {} bytes in all", self.signature_algorithm, self.length),
        );
        for irregularity in &self.irregularities {
            page.field("not RFC 6960", irregularity);
        }
        page.time("thisUpdate", self.this_update.0, now);
        match self.next_update {
            Some(time) => page.time("nextUpdate", time.0, now),
            None => page.field("nextUpdate", "none: newer information is always available"),
        }
        page.time("producedAt", self.produced_at.0, now);
        if let Some(nonce) = &self.nonce {
            page.field("nonce", nonce);
        }
        page.bar(&self.window);
    }

    /// When half of the response's life is over: the time to ask for a newer one.
    pub(crate) fn half_life(&self) -> UnixTime {
        let (from, until) = (self.this_update.0.as_secs(), self.expires.0.as_secs());
        certstatus::time::unix(from + until.saturating_sub(from) / 2)
    }
}

/// The part of [`StatusFacts`] in which a verified response and a mere claim differ.
struct Said {
    status: CertStatus,
    this_update: UnixTime,
    next_update: Option<UnixTime>,
    expires: UnixTime,
}

fn unlimited(length: usize) -> Limits {
    let mut limits = Limits::default();
    limits.response = length;
    limits.certificates = usize::MAX;
    limits.single_responses = usize::MAX;
    limits
}

/// The status in a word.
pub(crate) fn status_name(status: CertStatus) -> &'static str {
    match status {
        CertStatus::Good => "good",
        CertStatus::Revoked(_) => "revoked",
        CertStatus::Unknown => "unknown",
    }
}

/// One stage of the verification.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Check {
    pub(crate) stage: &'static str,
    /// `passed`, `failed`, or `not reached`.
    pub(crate) result: &'static str,
}

/// The stages in their order, up to the one that failed.
pub(crate) fn checks(failed: Option<Stage>) -> Vec<Check> {
    const STAGES: [Stage; 6] = [
        Stage::Parse,
        Stage::ResponseStatus,
        Stage::Match,
        Stage::Extensions,
        Stage::Time,
        Stage::Signer,
    ];
    let result = |stage: Stage| match failed {
        Some(failed) if stage == failed => "failed",
        Some(failed) if stage > failed => "not reached",
        _ => "passed",
    };
    STAGES.iter().map(|stage| Check { stage: stage.name(), result: result(*stage) }).collect()
}

/// What is wrong, and at which stage it was found.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Problem {
    pub(crate) stage: String,
    pub(crate) message: String,
}

/// The first letter in upper case, a full stop at the end.
pub(crate) fn sentence(text: &str) -> String {
    let mut chars = text.trim_end_matches('.').chars();
    let first = chars.next().map(char::to_uppercase).into_iter().flatten();
    first.chain(chars).chain(['.']).collect()
}

/// `at 2026-03-01T12:00:00Z (3d ago)`, without the `at`.
pub(crate) fn moment(time: UnixTime, now: UnixTime) -> String {
    format!("{} ({})", Rfc3339(time), Relative { time, now })
}
