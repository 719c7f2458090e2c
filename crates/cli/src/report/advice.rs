//! What to do next, by what was found.

use certstatus::message::{CertStatus, CrlReason, OcspResponseStatus};
use certstatus::{Error, ExtensionError, SignerError, TimeError, VerifiedResponse};
use rustls_pki_types::UnixTime;

use super::facts::{StatusFacts, moment};

/// What to do about a status.
pub(crate) fn for_status(
    verified: &VerifiedResponse,
    not_after: Option<UnixTime>,
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
    if let Some(not_after) = not_after.filter(|not_after| now > *not_after) {
        advice.push(format!(
            "Renew the certificate: whatever its status, it expired at {}.",
            moment(not_after, now)
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

/// What to do where nothing is wrong with the signer but what its key or certificate is.
pub(crate) fn for_signer(error: &SignerError) -> Option<&'static str> {
    Some(match error {
        SignerError::UnsupportedAlgorithm { algorithm, .. } if algorithm.contains("PSS") => {
            "Ask the CA to sign with a salt as long as the hash (32 bytes for SHA-256, RFC 4055), or \
             with PKCS #1 v1.5. TLS libraries other than OpenSSL verify no other salt."
        }
        SignerError::UnsupportedAlgorithm { .. } => {
            "Ask the CA to sign by an algorithm that TLS libraries verify: RSA or ECDSA (P-256, P-384, \
             P-521) with SHA-2, or Ed25519."
        }
        SignerError::UnsupportedKey { .. } => {
            "Ask the CA for a key of at least 2048 bits. OpenSSL verifies shorter ones at its security \
             level 0 or 1 only."
        }
        SignerError::UnsupportedDelegate { .. } => {
            "Ask the CA to mark that extension as not critical: RFC 6960, 4.2.2.2.1 and RFC 5280 \
             recommend that. OpenSSL ignores the mark."
        }
        SignerError::TrustedOutside { .. } => "Give the certificate that the responder has now.",
        SignerError::NoCandidate { difference, .. } if !difference.is_empty() => {
            "Tell the CA: its responder has to write the issuer's name as the certificate of the CA \
             does, byte for byte."
        }
        SignerError::NoCandidate { .. } => {
            "Do not staple it. If this is a validation authority of your own, name its certificate \
             with --trusted-responder. Otherwise check that the issuer is the right one, and tell the \
             CA."
        }
        _ => return None,
    })
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
        Error::Signer(error) if for_signer(error).is_some() => {
            for_signer(error).unwrap_or_default()
        }
        Error::Signer(_) => {
            "Do not staple it, and do not believe it: nobody who may has signed it. Check that the \
             issuer is the right one; if it is, tell the CA."
        }
        _ => "Do not staple it. Fetch the response again with `certstatus fetch`.",
    };
    vec![advice.to_owned()]
}
