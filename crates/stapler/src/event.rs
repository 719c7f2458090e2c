//! What happens to staples, for logs, alarms and outputs.

use std::fmt;
use std::sync::Arc;

use certstatus::VerifiedResponse;
use certstatus::message::CertStatus;
use certstatus::time::Rfc3339;
use rustls_pki_types::UnixTime;

use crate::Fingerprint;

/// Something that happened to the staple of a certificate.
///
/// It is also told to [`tracing`], with the fields `serial`, `issuer`, `outcome` and `time_left`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// The certificate.
    pub certificate: Fingerprint,
    /// What the program calls it; see [`Target::label`](crate::Target::label).
    pub label: Option<Arc<str>>,
    /// Its serial number, in hexadecimal.
    pub serial: String,
    /// Whether it says that its server must staple (RFC 7633).
    pub must_staple: bool,
    /// When it happened.
    pub at: UnixTime,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EventKind {
    /// There is a new staple.
    Stapled {
        /// The response.
        response: Arc<VerifiedResponse>,
        /// The address of the responder that just gave it; `None` when it was there already: in the
        /// store, or waiting for its time.
        responder: Option<Box<str>>,
    },
    /// An attempt failed with every responder; the staple that is there stays.
    Failed {
        /// What went wrong, as a sentence without a full stop.
        reason: Box<str>,
        /// How many attempts have failed in a row.
        failures: u32,
        /// When the next attempt is due.
        next: UnixTime,
    },
    /// The CA has revoked the certificate. Unless told to staple that, the stapler staples nothing
    /// from now on.
    Revoked {
        /// The statement.
        response: Arc<VerifiedResponse>,
    },
    /// The responder says that it does not know the certificate. A good staple stays until it
    /// expires.
    Unknown,
    /// The staple ends soon, and attempts to renew it have failed, or have brought nothing newer.
    RunningOut {
        /// The first second without it.
        expires: UnixTime,
    },
    /// The staple has expired, and there is none to take its place.
    Expired {
        /// When it expired.
        expired: UnixTime,
    },
    /// The certificate says that its server must staple, and names no responder.
    NoResponder,
    /// What was in the store is no response for this certificate, and was put aside.
    SetAside {
        /// What is wrong with it.
        reason: Box<str>,
        /// Where it is now; `None` when it was dropped.
        place: Option<Box<str>>,
    },
    /// The store did not do what it was asked to; the stapler goes on from memory.
    StoreFailed {
        /// What went wrong.
        reason: Box<str>,
    },
}

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It is as it should be.
    Info,
    /// It should be looked at, and nothing is lost yet.
    Warning,
    /// Somebody must act: clients are refused, or will be.
    Alert,
}

impl Event {
    /// How much it matters. The same event matters more where the server must staple.
    pub fn severity(&self) -> Severity {
        match self.kind {
            EventKind::Stapled { .. } => Severity::Info,
            EventKind::Revoked { .. } | EventKind::NoResponder => Severity::Alert,
            EventKind::RunningOut { .. } | EventKind::Expired { .. } if self.must_staple => {
                Severity::Alert
            }
            _ => Severity::Warning,
        }
    }

    /// The event in a word or two: `stapled`, `running out`.
    pub fn name(&self) -> &'static str {
        match self.kind {
            EventKind::Stapled { .. } => "stapled",
            EventKind::Failed { .. } => "failed",
            EventKind::Revoked { .. } => "revoked",
            EventKind::Unknown => "unknown",
            EventKind::RunningOut { .. } => "running out",
            EventKind::Expired { .. } => "expired",
            EventKind::NoResponder => "no responder",
            EventKind::SetAside { .. } => "set aside",
            EventKind::StoreFailed { .. } => "store failed",
        }
    }
}

/// A sentence for people, without a full stop and without the name of the certificate.
impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stapled { response, responder } => {
                write!(f, "a new staple, which holds until {}", Rfc3339(response.expires()))?;
                match responder {
                    Some(url) => write!(f, ", from {url}"),
                    None => Ok(()),
                }
            }
            Self::Failed { reason, failures, next } => {
                write!(f, "attempt {failures} in a row failed: {reason}; ")?;
                write!(f, "the next is at {}", Rfc3339(*next))
            }
            Self::Revoked { response } => match response.status() {
                CertStatus::Revoked(info) => {
                    write!(f, "the certificate was revoked at {}", Rfc3339(info.revocation_time))
                }
                status => write!(f, "the certificate is {status}"),
            },
            Self::Unknown => f.write_str("the responder does not know the certificate"),
            Self::RunningOut { expires } => {
                write!(f, "the staple expires at {}, and no new one comes", Rfc3339(*expires))
            }
            Self::Expired { expired } => {
                write!(f, "the staple expired at {}, and there is no other", Rfc3339(*expired))
            }
            Self::NoResponder => f.write_str(
                "the certificate says that its server must staple, and names no responder",
            ),
            Self::SetAside { reason, place: Some(place) } => {
                write!(f, "the store had no response for it: {reason}; it is in {place} now")
            }
            Self::SetAside { reason, place: None } => {
                write!(f, "the store had no response for it, and dropped that: {reason}")
            }
            Self::StoreFailed { reason } => write!(f, "{reason}; the staple is kept in memory"),
        }
    }
}
