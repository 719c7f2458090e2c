//! The catalogue of faults: every way in which a responder fails or lies, each with a name.
//!
//! A fault of the *transport* leaves nothing that could be parsed; `responder.rs` plays it. A fault
//! of the *message* gives bytes, and [`Fault::effect`] tells what a correct verifier makes of them.
//! How the bytes are spoiled is `spoil.rs`.

use std::fmt;
use std::str::FromStr;

use certstatus::Stage;
use certstatus::message::OcspResponseStatus;

use crate::UnknownName;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing is answered; the connection stays open for [`crate::LabBuilder::hold`].
    Timeout,
    /// The answer comes one byte at a time, and the connection breaks after
    /// [`crate::LabBuilder::hold`].
    SlowDrip,
    /// The connection is reset once the request has been read.
    ConnectionReset,
    /// HTTP status 500 without a body.
    Http500,
    /// HTTP status 503 with an HTML page.
    Http503Html,
    /// HTTP status 200 with an HTML page in place of the answer.
    Http200Html,
    /// HTTP status 302 that leads back to where it came from.
    RedirectLoop,
    /// The error status `malformedRequest`.
    MalformedRequest,
    /// The error status `internalError`.
    InternalError,
    /// The error status `tryLater`.
    TryLater,
    /// The error status `sigRequired`.
    SigRequired,
    /// The error status `unauthorized`.
    Unauthorized,
    /// `responseStatus` is an INTEGER and not an ENUMERATED.
    MalformedDer,
    /// The outermost length is indefinite: BER, and not DER.
    Ber,
    /// The second half of the answer is missing.
    Truncated,
    /// A byte follows after the answer.
    TrailingData,
    /// The answer is longer than 64 KiB, and otherwise right.
    Oversize,
    /// The answer is of another type than `id-pkix-ocsp-basic`.
    WrongResponseType,
    /// The answer says nothing about any certificate.
    NoSingleResponse,
    /// The answer is about another serial number.
    WrongSerial,
    /// The answer is about that serial number of another issuer.
    WrongIssuer,
    /// `nextUpdate` has passed a day ago.
    Expired,
    /// `thisUpdate` comes in a day.
    NotYetValid,
    /// There is no `nextUpdate`: newer information is available at any time. The answer is fresh,
    /// and right.
    NoNextUpdate,
    /// There is no `nextUpdate`, and `thisUpdate` is 30 days ago.
    VeryOld,
    /// `nextUpdate` is before `thisUpdate`.
    InvertedTimes,
    /// `producedAt` comes in a day.
    ProducedInFuture,
    /// A bit of the signature is wrong.
    BadSignature,
    /// The delegate's certificate lacks the extended key usage `id-kp-OCSPSigning`.
    DelegateWithoutEku,
    /// The delegate's certificate is issued by a CA of another name.
    DelegateOfAnotherCa,
    /// The delegate's certificate is issued by a CA of the same name with another key.
    DelegateOfNamesake,
    /// The delegate's certificate has expired a day ago.
    ExpiredDelegate,
    /// The delegate's certificate is valid from tomorrow.
    NotYetValidDelegate,
    /// A delegate signs and does not bring its certificate.
    MissingSigner,
    /// The root signs in place of the issuer under it.
    SignedByRoot,
    /// The response has a critical extension that nobody knows.
    UnknownCriticalExtension,
    /// The statement about the certificate has a critical extension that nobody knows.
    UnknownCriticalSingleExtension,
    /// The nonce is another than the one that was sent.
    NonceMismatch,
    /// There is no nonce, though one was sent. RFC 5019, 4 allows that.
    NonceMissing,
    /// Two statements about the certificate: good, and revoked.
    DuplicateResponses,
}

/// What a correct client makes of a fault, if it sent a nonce and requires it, and else has the
/// default limits and freshness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// No answer arrives: the fetch fails.
    NoAnswer,
    /// An answer arrives, and verification refuses it in this stage.
    Refused(Stage),
    /// The answer is to be trusted, and the certificate is revoked.
    Revoked,
    /// The answer is unusual, and to be trusted.
    Trusted,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 40] = [
        Self::Timeout,
        Self::SlowDrip,
        Self::ConnectionReset,
        Self::Http500,
        Self::Http503Html,
        Self::Http200Html,
        Self::RedirectLoop,
        Self::MalformedRequest,
        Self::InternalError,
        Self::TryLater,
        Self::SigRequired,
        Self::Unauthorized,
        Self::MalformedDer,
        Self::Ber,
        Self::Truncated,
        Self::TrailingData,
        Self::Oversize,
        Self::WrongResponseType,
        Self::NoSingleResponse,
        Self::WrongSerial,
        Self::WrongIssuer,
        Self::Expired,
        Self::NotYetValid,
        Self::NoNextUpdate,
        Self::VeryOld,
        Self::InvertedTimes,
        Self::ProducedInFuture,
        Self::BadSignature,
        Self::DelegateWithoutEku,
        Self::DelegateOfAnotherCa,
        Self::DelegateOfNamesake,
        Self::ExpiredDelegate,
        Self::NotYetValidDelegate,
        Self::MissingSigner,
        Self::SignedByRoot,
        Self::UnknownCriticalExtension,
        Self::UnknownCriticalSingleExtension,
        Self::NonceMismatch,
        Self::NonceMissing,
        Self::DuplicateResponses,
    ];

    /// The name of the fault: `slow-drip`, `http-503-html`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::SlowDrip => "slow-drip",
            Self::ConnectionReset => "connection-reset",
            Self::Http500 => "http-500",
            Self::Http503Html => "http-503-html",
            Self::Http200Html => "http-200-html",
            Self::RedirectLoop => "redirect-loop",
            Self::MalformedRequest => "malformed-request",
            Self::InternalError => "internal-error",
            Self::TryLater => "try-later",
            Self::SigRequired => "sig-required",
            Self::Unauthorized => "unauthorized",
            Self::MalformedDer => "malformed-der",
            Self::Ber => "ber",
            Self::Truncated => "truncated",
            Self::TrailingData => "trailing-data",
            Self::Oversize => "oversize",
            Self::WrongResponseType => "wrong-response-type",
            Self::NoSingleResponse => "no-single-response",
            Self::WrongSerial => "wrong-serial",
            Self::WrongIssuer => "wrong-issuer",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::NoNextUpdate => "no-next-update",
            Self::VeryOld => "very-old",
            Self::InvertedTimes => "inverted-times",
            Self::ProducedInFuture => "produced-in-future",
            Self::BadSignature => "bad-signature",
            Self::DelegateWithoutEku => "delegate-without-eku",
            Self::DelegateOfAnotherCa => "delegate-of-another-ca",
            Self::DelegateOfNamesake => "delegate-of-namesake",
            Self::ExpiredDelegate => "expired-delegate",
            Self::NotYetValidDelegate => "not-yet-valid-delegate",
            Self::MissingSigner => "missing-signer",
            Self::SignedByRoot => "signed-by-root",
            Self::UnknownCriticalExtension => "unknown-critical-extension",
            Self::UnknownCriticalSingleExtension => "unknown-critical-single-extension",
            Self::NonceMismatch => "nonce-mismatch",
            Self::NonceMissing => "nonce-missing",
            Self::DuplicateResponses => "duplicate-responses",
        }
    }

    /// Whether nothing arrives that could be parsed.
    pub fn is_transport(self) -> bool {
        self.effect() == Effect::NoAnswer
    }

    /// What a correct client makes of the fault.
    pub fn effect(self) -> Effect {
        match self {
            Self::Timeout
            | Self::SlowDrip
            | Self::ConnectionReset
            | Self::Http500
            | Self::Http503Html
            | Self::Http200Html
            | Self::RedirectLoop => Effect::NoAnswer,
            Self::MalformedRequest
            | Self::InternalError
            | Self::TryLater
            | Self::SigRequired
            | Self::Unauthorized => Effect::Refused(Stage::ResponseStatus),
            Self::MalformedDer
            | Self::Ber
            | Self::Truncated
            | Self::TrailingData
            | Self::Oversize
            | Self::WrongResponseType => Effect::Refused(Stage::Parse),
            Self::NoSingleResponse | Self::WrongSerial | Self::WrongIssuer => {
                Effect::Refused(Stage::Match)
            }
            Self::Expired
            | Self::NotYetValid
            | Self::VeryOld
            | Self::InvertedTimes
            | Self::ProducedInFuture => Effect::Refused(Stage::Time),
            Self::BadSignature
            | Self::DelegateWithoutEku
            | Self::DelegateOfAnotherCa
            | Self::DelegateOfNamesake
            | Self::ExpiredDelegate
            | Self::NotYetValidDelegate
            | Self::MissingSigner
            | Self::SignedByRoot => Effect::Refused(Stage::Signer),
            Self::UnknownCriticalExtension
            | Self::UnknownCriticalSingleExtension
            | Self::NonceMismatch
            | Self::NonceMissing => Effect::Refused(Stage::Extensions),
            Self::DuplicateResponses => Effect::Revoked,
            Self::NoNextUpdate => Effect::Trusted,
        }
    }

    /// The error status that is answered, for the faults that are one.
    pub(crate) fn status(self) -> Option<OcspResponseStatus> {
        match self {
            Self::MalformedRequest => Some(OcspResponseStatus::MalformedRequest),
            Self::InternalError => Some(OcspResponseStatus::InternalError),
            Self::TryLater => Some(OcspResponseStatus::TryLater),
            Self::SigRequired => Some(OcspResponseStatus::SigRequired),
            Self::Unauthorized => Some(OcspResponseStatus::Unauthorized),
            _ => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Fault {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .into_iter()
            .find(|fault| fault.name() == name)
            .ok_or_else(|| UnknownName::new("fault", name, Self::ALL.into_iter().map(Self::name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_lead_back() {
        for (at, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!(fault.to_string().parse(), Ok(fault));
            // ALL is complete and in order: a variant's discriminant is its place.
            assert_eq!(fault as usize, at);
        }
        assert_eq!(Fault::DuplicateResponses as usize + 1, Fault::ALL.len());
        assert!("nothing".parse::<Fault>().is_err());
    }
}
