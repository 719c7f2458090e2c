//! What can be wrong with a response, by the stage that found it.

use std::time::Duration;

use asn1::ObjectIdentifier;
use rustls_pki_types::UnixTime;

use crate::message::OcspResponseStatus;
use crate::time::{Relative, Rfc3339, Span};

/// Why a message cannot be read, or a response is not to be trusted.
///
/// A status, also *revoked* or *unknown*, is not an error: it is what a trusted response says.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input is longer than [`crate::Limits::response`].
    #[error("the message has {length} bytes, and at most {limit} are read")]
    TooLarge {
        /// Bytes of the input.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// The input is not what it should be.
    #[error("the {structure} is malformed: {}{reason}", Place(.field, .offset))]
    Malformed {
        /// The innermost structure that was being read, by its name in the RFC.
        structure: &'static str,
        /// The field of it, by its name in the RFC; empty where the structure is read whole.
        field: &'static str,
        /// The offset of the field in the message, in bytes.
        offset: usize,
        /// What the DER reader found.
        reason: MalformedReason,
    },
    /// The response type is not `id-pkix-ocsp-basic`.
    #[error("the response is of the type {0}, and only id-pkix-ocsp-basic is known")]
    ResponseType(ObjectIdentifier),
    /// The responder gives no answer (RFC 6960, 4.2.1).
    #[error("the responder answered with the OCSP error {0}")]
    Unsuccessful(OcspResponseStatus),
    /// Nobody who may has signed the response.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The response is about something else.
    #[error(transparent)]
    Match(#[from] MatchError),
    /// The response is for another time.
    #[error(transparent)]
    Time(#[from] TimeError),
    /// An extension forbids to use the response.
    #[error(transparent)]
    Extension(#[from] ExtensionError),
}

/// The stage of verification that an [`Error`] comes from, in the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Reading the DER.
    Parse,
    /// The responder's own word on whether it answers.
    ResponseStatus,
    /// Finding the statement about the certificate.
    Match,
    /// Extensions and nonce.
    Extensions,
    /// The times of the statement.
    Time,
    /// Finding the signer and checking its signature.
    Signer,
}

impl Stage {
    /// The stage in a word or two, for people and for machine-readable output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::ResponseStatus => "response status",
            Self::Match => "match",
            Self::Extensions => "extensions",
            Self::Time => "time",
            Self::Signer => "signer",
        }
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Error {
    pub(crate) fn malformed(structure: &'static str, reason: asn1::ParseError) -> Self {
        Self::Malformed { structure, field: "", offset: 0, reason: MalformedReason::der(&reason) }
    }

    /// The malformed field, if that is the error.
    pub(crate) fn irregularity(&self) -> Option<Irregularity> {
        match *self {
            Self::Malformed { structure, field, offset, reason } => {
                Some(Irregularity { structure, field, offset, reason })
            }
            _ => None,
        }
    }

    /// The stage that found the error.
    pub fn stage(&self) -> Stage {
        match self {
            Self::TooLarge { .. } | Self::Malformed { .. } | Self::ResponseType(_) => Stage::Parse,
            Self::Unsuccessful(_) => Stage::ResponseStatus,
            Self::Signer(_) => Stage::Signer,
            Self::Match(_) => Stage::Match,
            Self::Time(_) => Stage::Time,
            Self::Extension(_) => Stage::Extensions,
        }
    }
}

/// The place of a malformed field.
struct Place<'a>(&'a &'static str, &'a usize);

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            &"" => Ok(()),
            field => write!(f, "{field} at byte {}: ", self.1),
        }
    }
}

/// A departure of a message from DER or its RFC that leaves no doubt about the other fields.
///
/// A response with one is refused, unless it reports a revocation: leniency never makes *good*, and
/// strictness never hides *revoked*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Irregularity {
    /// The structure, by its name in the RFC.
    pub structure: &'static str,
    /// The field, by its name in the RFC.
    pub field: &'static str,
    /// The offset of the field in the message, in bytes.
    pub offset: usize,
    /// The departure.
    pub reason: MalformedReason,
}

/// Shows place and reason: `revocationTime at byte 142: the time has a fraction of a second`.
impl std::fmt::Display for Irregularity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", Place(&self.field, &self.offset), self.reason)
    }
}

impl From<Irregularity> for Error {
    fn from(irregularity: Irregularity) -> Self {
        let Irregularity { structure, field, offset, reason } = irregularity;
        Self::Malformed { structure, field, offset, reason }
    }
}

/// The reason for which a field is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedReason(Reason);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Der(asn1::ParseErrorKind),
    Rule(&'static str),
}

impl MalformedReason {
    pub(crate) fn der(error: &asn1::ParseError) -> Self {
        Self(Reason::Der(error.kind()))
    }

    pub(crate) fn rule(rule: &'static str) -> Self {
        Self(Reason::Rule(rule))
    }
}

impl std::fmt::Display for MalformedReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use asn1::ParseErrorKind::*;
        let kind = match self.0 {
            Reason::Der(kind) => kind,
            Reason::Rule(rule) => return f.write_str(rule),
        };
        match kind {
            InvalidValue => f.write_str("a value is not allowed there"),
            InvalidTag => f.write_str("a tag is not valid DER"),
            InvalidLength => f.write_str("a length is not valid DER"),
            InvalidSize { max, actual, .. } => {
                write!(f, "a list has {actual} elements or more, and at most {max} are read")
            }
            UnexpectedTag { actual } => match actual.as_u8() {
                Some(tag) => write!(f, "the tag 0x{tag:02x} stands where another is due"),
                None => f.write_str("a tag stands where another is due"),
            },
            ShortData { needed: 1 } => f.write_str("it ends a byte too early"),
            ShortData { needed } => write!(f, "it ends {needed} bytes too early"),
            ExtraData => f.write_str("something follows after its end"),
            InvalidSetOrdering => f.write_str("a SET is not in order"),
            EncodedDefault => f.write_str("a default value is encoded"),
            other => write!(f, "{other:?}"),
        }
    }
}

impl std::error::Error for MalformedReason {}

/// Nobody who may sign the response has done so (RFC 6960, 4.2.2.2).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignerError {
    /// Neither the issuer nor a certificate in the response is the one that `ResponderID` names.
    #[error(
        "the response says it is signed by {responder}, which is neither the issuer ({issuer}) nor \
         one of the {certificates} certificates in it{difference}"
    )]
    NoCandidate {
        /// `ResponderID`.
        responder: String,
        /// The issuer's name.
        issuer: String,
        /// How many certificates the response has.
        certificates: usize,
        /// In which types of string the two names are written, where they read the same; else empty.
        difference: String,
    },
    /// More certificates in the response match `ResponderID` than may be tried.
    #[error("more than {limit} certificates in the response match its ResponderID")]
    TooManyCandidates {
        /// [`crate::Limits::signer_candidates`].
        limit: usize,
    },
    /// The signature algorithm is not one of the provider's, or not for this kind of key.
    #[error(
        "the {signed} is signed by the algorithm {algorithm} with a key of the kind {key}, which the \
         crypto provider does not verify"
    )]
    UnsupportedAlgorithm {
        /// What is signed.
        signed: &'static str,
        /// The signature algorithm's identifier.
        algorithm: String,
        /// The identifier of the key's algorithm.
        key: String,
    },
    /// The key is of a size that the provider does not verify.
    #[error(
        "the {signed} is signed with a key of the kind {key}, which the crypto provider does not verify"
    )]
    UnsupportedKey {
        /// What is signed.
        signed: &'static str,
        /// The kind and size of the key.
        key: String,
    },
    /// The signature is not by the key of the issuer or delegate.
    #[error("the signature of the response does not verify with the key of {signer}")]
    BadSignature {
        /// Whose key it should be.
        signer: String,
    },
    /// A certificate bears the name of its issuer, but not the signature of its issuer's key.
    #[error(
        "the certificate {certificate} bears the name of its issuer, {issuer}, but not the \
         signature of that issuer's key"
    )]
    NotSignedBy {
        /// The certificate's subject.
        certificate: String,
        /// The issuer's name.
        issuer: String,
    },
    /// The certificate of the delegate cannot be read.
    #[error("the delegated responder's certificate cannot be read: {0}")]
    MalformedDelegate(#[source] webpki::Error),
    /// The certificate of a responder that is trusted by configuration is not valid now.
    #[error(
        "the trusted responder {responder} is valid from {} to {} only, and it is {}",
        Rfc3339(*.not_before), Rfc3339(*.not_after), Rfc3339(*.now)
    )]
    TrustedOutside {
        /// The subject of its certificate.
        responder: String,
        /// The first second of its validity.
        not_before: UnixTime,
        /// The last second of its validity.
        not_after: UnixTime,
        /// The time of the check.
        now: UnixTime,
    },
    /// The delegate's certificate has critical extensions that are not supported.
    #[error(
        "the delegated responder's certificate ({delegate}) has critical extensions that are not \
         supported: {extensions}"
    )]
    UnsupportedDelegate {
        /// The subject of the delegate's certificate.
        delegate: String,
        /// The extensions by name.
        extensions: String,
    },
    /// The delegate's certificate is not issued by the certificate's own issuer, not valid now, or
    /// not for OCSP signing (RFC 6960, 4.2.2.2).
    #[error("{delegate} may not sign for {issuer}: {}", delegation(.reason))]
    NotDelegated {
        /// The subject of the delegate's certificate.
        delegate: String,
        /// The issuer's name.
        issuer: String,
        /// What webpki found.
        #[source]
        reason: webpki::Error,
    },
}

/// What webpki's refusal of a delegate means for a person.
fn delegation(reason: &webpki::Error) -> String {
    use webpki::Error::*;
    match reason {
        RequiredEkuNotFoundContext(_) => {
            "its certificate lacks the extended key usage id-kp-OCSPSigning".into()
        }
        UnknownIssuer => "its certificate is not issued by that issuer directly".into(),
        InvalidSignatureForPublicKey => {
            "its certificate bears the issuer's name but not the issuer's signature".into()
        }
        CertExpired { time, not_after } => format!(
            "its certificate expired at {} ({})",
            Rfc3339(*not_after),
            Relative { time: *not_after, now: *time }
        ),
        CertNotValidYet { time, not_before } => format!(
            "its certificate is not valid before {} ({})",
            Rfc3339(*not_before),
            Relative { time: *not_before, now: *time }
        ),
        CaUsedAsEndEntity => "its certificate is that of a certificate authority".into(),
        other => format!("{other:?}"),
    }
}

/// The response is about something else than the certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MatchError {
    /// The certificate names another issuer than the one that was given.
    #[error(
        "the certificate is issued by {named}, and the issuer that is given is {given}{difference}"
    )]
    NotIssuedBy {
        /// The issuer in the certificate.
        named: String,
        /// The issuer that was given.
        given: String,
        /// In which types of string the two names are written, where they read the same; else empty.
        difference: String,
    },
    /// No single response has the certificate's `CertID`.
    #[error("the response is not about serial {wanted} of this issuer, but about {found}")]
    NoMatch {
        /// The certificate's serial number, in hexadecimal.
        wanted: String,
        /// What the response is about.
        found: String,
    },
}

/// The response is for another time.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TimeError {
    /// `nextUpdate` has passed.
    #[error(
        "the response expired at {} ({}): nextUpdate has passed",
        Rfc3339(*.next_update), Relative { time: *.next_update, now: *.now }
    )]
    Expired {
        /// `nextUpdate`.
        next_update: UnixTime,
        /// The time of the check.
        now: UnixTime,
    },
    /// `thisUpdate` is still to come.
    #[error(
        "the response is not valid before {} ({}): thisUpdate is in the future",
        Rfc3339(*.this_update), Relative { time: *.this_update, now: *.now }
    )]
    NotYetValid {
        /// `thisUpdate`.
        this_update: UnixTime,
        /// The time of the check.
        now: UnixTime,
    },
    /// There is no `nextUpdate`, and `thisUpdate` is longer ago than allowed.
    #[error(
        "the response has no nextUpdate, and its thisUpdate {} ({}) is longer ago than the {} that \
         are allowed then",
        Rfc3339(*.this_update), Relative { time: *.this_update, now: *.now }, Span(*.max_age)
    )]
    TooOld {
        /// `thisUpdate`.
        this_update: UnixTime,
        /// The maximum age.
        max_age: Duration,
        /// The time of the check.
        now: UnixTime,
    },
    /// `producedAt` is still to come.
    #[error(
        "the response says it was signed at {} ({}): producedAt is in the future",
        Rfc3339(*.produced_at), Relative { time: *.produced_at, now: *.now }
    )]
    ProducedInFuture {
        /// `producedAt`.
        produced_at: UnixTime,
        /// The time of the check.
        now: UnixTime,
    },
    /// `nextUpdate` is before `thisUpdate`.
    #[error(
        "the response ends before it begins: nextUpdate {} is before thisUpdate {}",
        Rfc3339(*.next_update), Rfc3339(*.this_update)
    )]
    Inverted {
        /// `thisUpdate`.
        this_update: UnixTime,
        /// `nextUpdate`.
        next_update: UnixTime,
    },
}

/// An extension forbids to use the response.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtensionError {
    /// A critical extension that is not understood.
    #[error("the response has the critical extension {0}, which is not understood")]
    UnknownCritical(ObjectIdentifier),
    /// The nonce is not the one that was sent.
    #[error("the response has the nonce {found}, and {sent} was sent")]
    NonceMismatch {
        /// The nonce sent, in hexadecimal.
        sent: String,
        /// The nonce found, in hexadecimal.
        found: String,
    },
    /// A nonce was sent and is required, and none came back.
    #[error("the response has no nonce, and {sent} was sent")]
    NonceMissing {
        /// The nonce sent, in hexadecimal.
        sent: String,
    },
}
