//! What comes of a verification: see [`VerifiedResponse`].

use std::fmt;
use std::sync::Arc;

use rustls_pki_types::UnixTime;

use super::{Signer, Window};
use crate::message::{CertStatus, OcspResponse};
use crate::{Certificate, Error, Limits};

/// What a trustworthy response says about one certificate.
///
/// There is no way to make one but [`Verifier::verify`](super::Verifier::verify), so that who holds one holds something that
/// was verified. It was verified at one time; whether it still holds is for
/// [`is_current`](Self::is_current).
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedResponse {
    /// Which of the statements in it is meant, from 0.
    pub(super) position: usize,
    pub(super) status: CertStatus,
    pub(super) this_update: UnixTime,
    pub(super) next_update: Option<UnixTime>,
    pub(super) produced_at: UnixTime,
    pub(super) window: Window,
    pub(super) signer: Signer,
    /// Sentences, a few at most.
    pub(super) odd: Arc<[String]>,
    pub(super) der: Arc<[u8]>,
}

impl VerifiedResponse {
    /// The status of the certificate.
    pub fn status(&self) -> CertStatus {
        self.status
    }

    /// The latest time at which the responder knew the status to be right.
    pub fn this_update(&self) -> UnixTime {
        self.this_update
    }

    /// The time before which newer information will be available, if the response says.
    pub fn next_update(&self) -> Option<UnixTime> {
        self.next_update
    }

    /// When the responder signed.
    pub fn produced_at(&self) -> UnixTime {
        self.produced_at
    }

    /// The first second in which the response must not be stapled any more: the earliest of
    /// `nextUpdate` (or `thisUpdate` and the maximum age), the end of its delegate's certificate,
    /// and the beginning of another statement in it about the same certificate. Without skew: a
    /// server leaves that to clients.
    pub fn expires(&self) -> UnixTime {
        self.window.expires
    }

    /// Whether the response is to be trusted at `now`, with the skew and maximum age by which it
    /// was verified, and within the validity of its delegate's certificate.
    pub fn is_current(&self, now: UnixTime) -> bool {
        self.window.from <= now && now < self.window.until
    }

    /// Why the response would be refused if it did not report a revocation: its first departures
    /// from DER and RFC 6960, extensions that are not understood, another nonce. Empty unless
    /// [`status`](Self::status) is *revoked*.
    pub fn irregularities(&self) -> &[String] {
        &self.odd
    }

    /// Who signed.
    pub fn signer(&self) -> Signer {
        self.signer
    }

    /// The encoded `OCSPResponse`, as it goes into a handshake.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The encoded `OCSPResponse`, shared.
    pub fn shared_der(&self) -> Arc<[u8]> {
        Arc::clone(&self.der)
    }

    /// Whether [`status`](Self::status) is that of this certificate: the `CertID` that was verified
    /// has its serial number and its issuer's name. The issuer's key was compared then. What else
    /// the response says, about other certificates, does not count.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the certificate cannot be read.
    pub fn is_about(&self, certificate: &[u8]) -> Result<bool, Error> {
        let certificate = Certificate::parse(certificate)?;
        let limits = Limits {
            response: usize::MAX,
            certificates: usize::MAX,
            single_responses: usize::MAX,
            ..Limits::default()
        };
        let (parsed, _) = OcspResponse::parse_lenient(&self.der, &limits)?;
        let OcspResponse::Successful(basic) = parsed else { return Ok(false) };
        let meant = basic.data().responses.get(self.position);
        Ok(meant.is_some_and(|single| single.cert_id.matches_name(&certificate)))
    }
}

impl fmt::Debug for VerifiedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedResponse")
            .field("status", &self.status)
            .field("this_update", &self.this_update)
            .field("next_update", &self.next_update)
            .field("signer", &self.signer)
            .field("length", &self.der.len())
            .finish_non_exhaustive()
    }
}
