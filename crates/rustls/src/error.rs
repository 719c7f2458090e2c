//! What can go wrong when a verifier is built or a staple is set. What goes wrong in a handshake is
//! a [`rustls::Error`]; see [`crate::StatusVerifier`] for which.

use certstatus::time::{Relative, Rfc3339};
use rustls::pki_types::UnixTime;
use rustls::server::VerifierBuilderError;

/// Why a [`crate::StatusVerifier`] cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// There are no trust anchors, or a CRL cannot be read: what rustls's own builder refuses.
    #[error("the verifier cannot be built: {0}")]
    WebPki(#[from] VerifierBuilderError),
    /// Both `on_status` and `on_decision` were called.
    #[error(
        "on_decision observes what the policy decides, and on_status decides in the policy's place: \
         call one of the two"
    )]
    NothingToObserve,
}

/// Why a response cannot be stapled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StapleError {
    /// There is no certificate to staple to.
    #[error("the certified key has no certificate, so that nothing can be stapled to it")]
    NoCertificate,
    /// The certificate, or the response, cannot be read.
    #[error("whether the response is about the certificate cannot be told: {0}")]
    Unreadable(#[from] certstatus::Error),
    /// The response is about another certificate.
    #[error("the response is about another certificate than the one it would be stapled to")]
    OtherCertificate,
    /// The response has expired, or the clock is before its time by more than is tolerated.
    #[error(
        "the response is for another time: it expires at {} ({})",
        Rfc3339(*.expires), Relative { time: *.expires, now: *.now }
    )]
    NotCurrent {
        /// The first second in which the response must not be stapled.
        expires: UnixTime,
        /// The time of the check.
        now: UnixTime,
    },
    /// The response says that the certificate is revoked or unknown.
    #[error(
        "the response says that the certificate is {0}, and only good ones are stapled unless \
         staple_any_status is called"
    )]
    NotGood(certstatus::message::CertStatus),
    /// The response does not fit beside the chain into one handshake message.
    #[error(
        "the response has {length} bytes, and beside this chain at most {limit} can be stapled"
    )]
    TooLarge {
        /// Bytes of the response.
        length: usize,
        /// The limit, inclusive; see [`crate::staple_limit`].
        limit: usize,
    },
    /// The response has no bytes at all.
    #[error("the response is empty")]
    Empty,
    /// The clock gives no time, so that nobody knows whether the response has expired.
    #[error("the clock gives no time, so that nobody knows whether the response has expired")]
    NoTime,
}
