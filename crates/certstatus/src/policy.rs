//! What a client makes of a staple, or of there being none.

use std::fmt;
use std::time::Duration;

use crate::message::{CertStatus, RevokedInfo};
use crate::{Error, Freshness, VerifiedResponse};

/// When a staple is required, and what is made of one that is not good.
///
/// By default a staple is required when the certificate says so (RFC 7633), clocks may be 300 s
/// apart, a response without `nextUpdate` holds for one day, and *unknown* and invalid staples are
/// refused. *Revoked* is always refused.
///
/// ```
/// use certstatus::Policy;
/// use std::time::Duration;
///
/// let strict = Policy::default().require_always().tolerate_skew(Duration::from_secs(60));
/// # assert_eq!(strict.freshness().skew.as_secs(), 60);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    require: Require,
    freshness: Freshness,
    unknown: Unknown,
    invalid: Invalid,
}

/// When a staple is required.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Require {
    /// Of every server: hard fail.
    Always,
    /// Of servers whose certificate says that they staple (RFC 7633).
    #[default]
    MustStaple,
    /// Never, not even when the certificate says so.
    Never,
}

/// What the status *unknown* means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unknown {
    /// The certificate is refused: its own CA does not know it.
    #[default]
    Refuse,
    /// It is as if nothing had been stapled.
    AsMissing,
}

/// What a staple means that is not to be trusted: forged, expired, about another certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Invalid {
    /// The certificate is refused.
    #[default]
    Refuse,
    /// It is as if nothing had been stapled: soft fail.
    AsMissing,
}

/// What was stapled, after verification.
#[derive(Clone, Copy, Debug)]
pub enum Staple<'a> {
    /// Nothing was stapled.
    Missing,
    /// What was stapled is not to be trusted.
    Invalid(&'a Error),
    /// What was stapled holds.
    Verified(&'a VerifiedResponse),
}

impl Policy {
    /// Requires a staple of every server.
    #[must_use]
    pub fn require_always(self) -> Self {
        self.require(Require::Always)
    }

    /// Requires a staple never, not even when the certificate says so.
    #[must_use]
    pub fn require_never(self) -> Self {
        self.require(Require::Never)
    }

    /// Sets when a staple is required.
    #[must_use]
    pub fn require(mut self, require: Require) -> Self {
        self.require = require;
        self
    }

    /// Sets how far the clocks of responder and client may be apart.
    #[must_use]
    pub fn tolerate_skew(mut self, skew: Duration) -> Self {
        self.freshness.skew = skew;
        self
    }

    /// Sets how long after `thisUpdate` a response without `nextUpdate` holds.
    #[must_use]
    pub fn limit_age(mut self, max_age: Duration) -> Self {
        self.freshness.max_age = max_age;
        self
    }

    /// Sets what the status *unknown* means.
    #[must_use]
    pub fn treat_unknown(mut self, unknown: Unknown) -> Self {
        self.unknown = unknown;
        self
    }

    /// Sets what a staple means that is not to be trusted.
    #[must_use]
    pub fn treat_invalid(mut self, invalid: Invalid) -> Self {
        self.invalid = invalid;
        self
    }

    /// How old a response may be: what [`crate::Verifier::freshness`] takes.
    pub fn freshness(&self) -> Freshness {
        self.freshness
    }

    /// Decides about a server, from what it stapled and from whether its certificate says that it
    /// must ([`crate::Certificate::must_staple`]).
    pub fn decide(&self, staple: Staple<'_>, must_staple: bool) -> Decision {
        let required = match self.require {
            Require::Always => true,
            Require::MustStaple => must_staple,
            Require::Never => false,
        };
        match staple {
            Staple::Missing if required => Decision::Refuse(Refusal::Missing { must_staple }),
            Staple::Missing => Decision::Accept(Acceptance::NotRequired),
            Staple::Invalid(error) if required || self.invalid == Invalid::Refuse => {
                Decision::Refuse(Refusal::Invalid(error.to_string()))
            }
            Staple::Invalid(error) => {
                Decision::Accept(Acceptance::InvalidIgnored(error.to_string()))
            }
            Staple::Verified(verified) => match verified.status() {
                CertStatus::Good => Decision::Accept(Acceptance::Good),
                CertStatus::Revoked(info) => Decision::Refuse(Refusal::Revoked(info)),
                CertStatus::Unknown if required || self.unknown == Unknown::Refuse => {
                    Decision::Refuse(Refusal::Unknown)
                }
                CertStatus::Unknown => Decision::Accept(Acceptance::UnknownIgnored),
            },
        }
    }
}

/// What is made of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The handshake goes on.
    Accept(Acceptance),
    /// The handshake fails.
    Refuse(Refusal),
}

/// Why a server is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Acceptance {
    /// Its certificate is good by a staple that holds.
    Good,
    /// Nothing is stapled, and nothing is required.
    NotRequired,
    /// The staple is not to be trusted for this reason, and the policy goes on without it.
    InvalidIgnored(String),
    /// The responder does not know the certificate, and the policy goes on without it.
    UnknownIgnored,
}

/// Why a server is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Its certificate is revoked.
    Revoked(RevokedInfo),
    /// The responder does not know its certificate.
    Unknown,
    /// The staple is not to be trusted, for this reason.
    Invalid(String),
    /// Nothing is stapled.
    Missing {
        /// Whether the certificate says that the server must staple.
        must_staple: bool,
    },
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept(acceptance) => acceptance.fmt(f),
            Self::Refuse(refusal) => refusal.fmt(f),
        }
    }
}

impl fmt::Display for Acceptance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => f.write_str("the stapled response says the certificate is good"),
            Self::NotRequired => f.write_str("nothing is stapled, and nothing is required"),
            Self::InvalidIgnored(why) => {
                write!(f, "the stapled response is ignored, as the policy allows: {why}")
            }
            Self::UnknownIgnored => f.write_str(
                "the responder does not know the certificate, which the policy allows to ignore",
            ),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Revoked(info) => write!(f, "the certificate was revoked {info}"),
            Self::Unknown => f.write_str("the responder does not know the certificate"),
            Self::Invalid(why) => write!(f, "the stapled response is not to be trusted: {why}"),
            Self::Missing { must_staple: true } => f.write_str(
                "nothing is stapled, and the certificate says that the server must staple (RFC 7633)",
            ),
            Self::Missing { must_staple: false } => {
                f.write_str("nothing is stapled, and the policy requires a staple")
            }
        }
    }
}

impl std::error::Error for Refusal {}
