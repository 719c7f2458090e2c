//! How a certificate's staple stands, for status pages and metrics.

use std::sync::Arc;

use certstatus::message::CertStatus;
use rustls_pki_types::UnixTime;

use crate::Fingerprint;
use crate::entry::{Entry, holds};

/// How the staple of a certificate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum StapleState {
    /// The staple holds and says that the certificate is good.
    Good,
    /// The first attempt is under way.
    Pending,
    /// There is no staple: attempts fail, or the last one has expired.
    Missing,
    /// The CA has revoked the certificate.
    Revoked,
    /// The responder does not know the certificate.
    Unknown,
    /// The certificate names no responder: there is nothing to do.
    NoResponder,
    /// The certificate itself has expired.
    CertificateExpired,
}

impl StapleState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Good,
        Self::Pending,
        Self::Missing,
        Self::Revoked,
        Self::Unknown,
        Self::NoResponder,
        Self::CertificateExpired,
    ];

    /// The state in a word, as in metrics and JSON: `good`, `no_responder`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Pending => "pending",
            Self::Missing => "missing",
            Self::Revoked => "revoked",
            Self::Unknown => "unknown",
            Self::NoResponder => "no_responder",
            Self::CertificateExpired => "certificate_expired",
        }
    }
}

/// How the staple of a certificate stands at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// The certificate.
    pub certificate: Fingerprint,
    /// What the program calls it.
    pub label: Option<Arc<str>>,
    /// Its serial number, in hexadecimal.
    pub serial: String,
    /// Its issuer, once that is known.
    pub issuer: Option<String>,
    /// Whether it says that its server must staple (RFC 7633).
    pub must_staple: bool,
    /// The last second in which the certificate is valid.
    pub not_after: UnixTime,
    /// The addresses of its responders, in the order in which they are asked.
    pub responders: Vec<Box<str>>,
    /// How its staple stands.
    pub state: StapleState,
    /// Whether the staple ends soon and attempts to renew it have failed, or there is none.
    pub at_risk: bool,
    /// The times of the newest statement, if there is one.
    pub statement: Option<StatementTimes>,
    /// When the last attempt was made.
    pub attempted: Option<UnixTime>,
    /// When the next attempt is due; `None` when there will be none.
    pub next_attempt: Option<UnixTime>,
    /// How many attempts have failed since the last that succeeded.
    pub failures: u32,
    /// What went wrong in the last attempt, if it failed.
    pub error: Option<Box<str>>,
    /// Counts the changes of the staple; see [`StapleHandle::version`](crate::StapleHandle::version).
    pub version: u64,
}

/// The times of a statement, and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatementTimes {
    /// What it says.
    pub status: CertStatus,
    /// `thisUpdate`.
    pub this_update: UnixTime,
    /// `nextUpdate`, if there is one.
    pub next_update: Option<UnixTime>,
    /// `producedAt`.
    pub produced_at: UnixTime,
    /// The first second in which it is not stapled any more.
    pub expires: UnixTime,
    /// Bytes of the response.
    pub length: usize,
}

/// How the staple of an entry stands at `now`.
pub(crate) fn state_of(entry: &Entry, now: UnixTime) -> StapleState {
    if now > entry.not_after {
        return StapleState::CertificateExpired;
    }
    if let Some(statement) = entry.statement().as_ref().filter(|s| holds(s, now)) {
        return match statement.status() {
            CertStatus::Good => StapleState::Good,
            CertStatus::Revoked(_) => StapleState::Revoked,
            CertStatus::Unknown => StapleState::Unknown,
        };
    }
    if entry.state().source.responders().is_empty() {
        return StapleState::NoResponder;
    }
    if entry.is_settled() { StapleState::Missing } else { StapleState::Pending }
}

/// A quarter of a life before its end, a staple that is not renewed yet is at risk: attempts since
/// the half have failed, and a person still has time to act.
pub(crate) fn risk_begins(statement: &certstatus::VerifiedResponse) -> UnixTime {
    let (from, until) = (statement.this_update().as_secs(), statement.expires().as_secs());
    certstatus::time::unix(until - until.saturating_sub(from) / 4)
}

/// Whether a staple in that state, made of that statement, is at risk, or there is none.
pub(crate) fn at_risk(
    state: StapleState,
    statement: Option<&Arc<certstatus::VerifiedResponse>>,
    now: UnixTime,
) -> bool {
    match state {
        StapleState::Good => statement.is_some_and(|s| risk_begins(s) <= now),
        StapleState::Missing | StapleState::Unknown | StapleState::Revoked => true,
        _ => false,
    }
}

impl Snapshot {
    pub(crate) fn of(entry: &Entry, now: UnixTime) -> Self {
        let state = state_of(entry, now);
        let statement = entry.statement();
        let statement = statement.as_ref();
        let at_risk = at_risk(state, statement, now);
        let times = statement.map(|s| StatementTimes {
            status: s.status(),
            this_update: s.this_update(),
            next_update: s.next_update(),
            produced_at: s.produced_at(),
            expires: s.expires(),
            length: s.der().len(),
        });
        let issuer = entry.issuer_name();
        let kept = entry.state();
        Self {
            certificate: entry.id,
            label: entry.label.clone(),
            serial: certstatus::hex(&entry.serial_number),
            issuer,
            must_staple: entry.must_staple,
            not_after: entry.not_after,
            responders: kept.source.responders().iter().map(|r| r.url.clone()).collect(),
            state,
            at_risk,
            statement: times,
            attempted: kept.attempted.get(),
            next_attempt: kept.due(),
            failures: kept.failures,
            error: kept.error.clone(),
            version: entry.version(),
        }
    }

    pub(crate) fn all<'a>(
        entries: impl Iterator<Item = &'a Arc<Entry>>,
        now: UnixTime,
    ) -> Vec<Self> {
        entries.map(|entry| Self::of(entry, now)).collect()
    }
}
