//! What to do next, by what was found.

use certstatus::message::{CertStatus, CrlReason, OcspResponseStatus};
use certstatus::{Certificate, Error, ExtensionError, SignerError, TimeError, VerifiedResponse};
use rustls_pki_types::UnixTime;

use super::facts::{StatusFacts, moment};

/// What to do about a status.
pub(crate) fn for_status(
    verified: &VerifiedResponse,
    certificate: &Certificate<'_>,
    facts: Option<&StatusFacts>,
    now: UnixTime,
) -> Vec<String> {
    let mut advice = vec![match verified.status() {
        CertStatus::Good => match facts.map(StatusFacts::half_life) {
            Some(half) if now < half => format!(
                "Nothing. The response can be stapled; ask for a newer one from {} on, when half of its \
                 life is over.",
                moment(half, now)
            ),
            _ => "Ask for a newer response: half of this one's life is over. It can be stapled \
                  until then."
                .to_owned(),
        },
        CertStatus::Revoked(info) => revoked(info.revocation_reason),
        CertStatus::Unknown => "Ask the CA. A certificate that was issued a moment ago may not have \
                                reached the responder yet; otherwise the CA never issued it, or the \
                                responder is another CA's."
            .to_owned(),
    }];
    if now > certificate.not_after() {
        advice.push(format!(
            "Renew the certificate: whatever its status, it expired at {}.",
            moment(certificate.not_after(), now)
        ));
    }
    advice
}

fn revoked(reason: Option<CrlReason>) -> String {
    match reason {
        Some(CrlReason::CertificateHold) => {
            "Ask the CA why the certificate is on hold; it can be released. Until then replace it."
        }
        Some(CrlReason::KeyCompromise) => {
            "Replace the certificate now, with a new key: this one is in other hands. Clients that \
             check refuse it."
        }
        _ => "Replace the certificate now. Clients that check refuse it.",
    }
    .to_owned()
}

/// What to do about a response that is not to be trusted.
pub(crate) fn for_error(error: &Error) -> Vec<String> {
    let advice = match error {
        Error::TooLarge { .. } | Error::Malformed { .. } | Error::ResponseType(_) => {
            "Do not staple it. Fetch the response again with `certstatus fetch`; when it comes out \
             the same, tell the CA."
        }
        Error::Unsuccessful(OcspResponseStatus::TryLater) => {
            "Ask the responder again later; it is busy. Keep the response that you have."
        }
        Error::Unsuccessful(OcspResponseStatus::Unauthorized) => {
            "Check that the responder is the one of this certificate's CA. A certificate that was \
             issued a moment ago may not have reached it yet: then ask again in some minutes."
        }
        Error::Unsuccessful(OcspResponseStatus::SigRequired) => {
            "Ask the CA for another responder: this one answers signed requests only."
        }
        Error::Unsuccessful(_) => "Ask the responder again; when it says the same, tell the CA.",
        Error::Match(_) => {
            "Check that certificate, issuer and response belong together: `certstatus show` tells \
             of each what it is about. After a renewal, fetch a new response."
        }
        Error::Extension(ExtensionError::NonceMissing { .. }) => {
            "Ask without a nonce, or with --nonce=if-present: many responders give out responses \
             that were signed in advance, and leave the nonce out (RFC 5019)."
        }
        Error::Extension(ExtensionError::NonceMismatch { .. }) => {
            "Ask again: this is the answer to another request, replayed or from a cache on the way."
        }
        Error::Time(TimeError::NotYetValid { .. } | TimeError::ProducedInFuture { .. }) => {
            "Check the clock of this machine. If it is right, the responder's is wrong: tell the CA."
        }
        Error::Time(_) => {
            "Do not staple it: clients refuse it. Fetch a newer one with `certstatus fetch`, and \
             check the clock of this machine."
        }
        Error::Signer(SignerError::UnsupportedAlgorithm { .. }) => {
            "Ask the CA to sign its responses by an algorithm of today: RSA or ECDSA with SHA-2, or \
             Ed25519."
        }
        Error::Signer(_) => {
            "Do not staple it, and do not believe it: nobody who may has signed it. Check that the \
             issuer is the right one; if it is, tell the CA."
        }
        _ => "Do not staple it. Fetch the response again with `certstatus fetch`.",
    };
    vec![advice.to_owned()]
}
