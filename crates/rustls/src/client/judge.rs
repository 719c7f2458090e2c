//! What is made of a staple: the policy's decision or the callback's, as the error that makes rustls
//! send the right alert.

use std::sync::Arc;

use certstatus::handshake::ClientDecision;
use certstatus::time::Span;
use certstatus::{Acceptance, Decision, Policy, Refusal, Staple, VerifiedResponse};
use rustls::{CertificateError, OtherError};

use super::VerifiedPath;

pub(super) type OnStatus = dyn Fn(&VerifiedPath<'_>, Option<&[u8]>) -> ClientDecision + Send + Sync;
pub(super) type OnDecision = dyn Fn(&VerifiedPath<'_>, Staple<'_>, &Decision) + Send + Sync;

/// Who decides.
pub(super) enum Judge {
    Policy { policy: Policy, observer: Option<Box<OnDecision>> },
    Callback(Box<OnStatus>),
}

impl Judge {
    /// Decides about a server by its verified path and by what it stapled, if anything.
    pub(super) fn judge(
        &self,
        path: &VerifiedPath<'_>,
        response: Option<&[u8]>,
    ) -> Result<(), rustls::Error> {
        match self {
            Self::Callback(callback) => {
                let decision = callback(path, response);
                tracing::debug!(
                    serial = %certstatus::hex(path.end_entity().serial_number()),
                    issuer = %path.issuer().subject(),
                    outcome = ?decision,
                    "the callback decided about a server's certificate status"
                );
                outcome_of_callback(decision)
            }
            Self::Policy { policy, observer } => {
                let verified = response.map(|response| path.verify(response));
                let staple = match &verified {
                    None => Staple::Missing,
                    Some(Err(error)) => Staple::Invalid(error),
                    Some(Ok(verified)) => Staple::Verified(verified),
                };
                let decision = policy.decide(staple, path.must_staple());
                log(path, staple, &decision);
                if let Some(observer) = observer {
                    observer(path, staple, &decision);
                }
                outcome_of_policy(&decision)
            }
        }
    }
}

/// The error [`ClientDecision::Error`] becomes: the callback could not decide.
///
/// It is in the [`rustls::Error::Other`] with which the handshake fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the certificate status callback could not decide")]
pub struct CallbackFailed;

fn outcome_of_callback(decision: ClientDecision) -> Result<(), rustls::Error> {
    match decision {
        ClientDecision::Accept => Ok(()),
        ClientDecision::Reject => Err(CertificateError::InvalidOcspResponse.into()),
        ClientDecision::Error => Err(rustls::Error::Other(OtherError(Arc::new(CallbackFailed)))),
    }
}

/// RFC 6066, 8: a response that is not satisfactory is answered with
/// `bad_certificate_status_response`. *Revoked* has an alert of its own, which says more (RFC 8446,
/// 6.2); *unknown* has none, and `unknown_ca`, which rustls sends when a CRL does not know, would
/// send the server's operator to look for a fault in the chain.
fn outcome_of_policy(decision: &Decision) -> Result<(), rustls::Error> {
    match decision {
        Decision::Accept(_) => Ok(()),
        Decision::Refuse(Refusal::Revoked(_)) => Err(CertificateError::Revoked.into()),
        Decision::Refuse(_) => Err(CertificateError::InvalidOcspResponse.into()),
    }
}

/// One event for each decision; at the level `WARN` when something is not as it should be.
fn log(path: &VerifiedPath<'_>, staple: Staple<'_>, decision: &Decision) {
    let time_left = |verified: &VerifiedResponse| {
        let seconds = verified.expires().as_secs().saturating_sub(path.now().as_secs());
        Span(std::time::Duration::from_secs(seconds)).to_string()
    };
    macro_rules! event {
        ($level:expr) => {
            tracing::event!(
                $level,
                serial = %certstatus::hex(path.end_entity().serial_number()),
                issuer = %path.issuer().subject(),
                outcome = %decision,
                time_left = match staple {
                    Staple::Verified(verified) => Some(time_left(verified)),
                    _ => None,
                },
                "certificate status decided"
            )
        };
    }
    match decision {
        Decision::Accept(Acceptance::Good | Acceptance::NotRequired) => {
            event!(tracing::Level::DEBUG);
        }
        _ => event!(tracing::Level::WARN),
    }
}
