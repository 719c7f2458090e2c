//! What a line of the table says beside the outcome: a few words, where the report has sentences.

use certstatus::message::CertStatus;
use certstatus::time::Relative;
use certstatus::{Error, SignerError, TimeError};
use rustls::CertificateError;
use rustls_pki_types::UnixTime;

use super::connect::ConnectError;
use super::starttls::StartTlsError;

/// About a status that holds. Good says all.
pub(super) fn of_status(status: CertStatus, now: UnixTime) -> String {
    match status {
        CertStatus::Good => String::new(),
        CertStatus::Unknown => "to its own responder".to_owned(),
        CertStatus::Revoked(info) => {
            let since = Relative { time: info.revocation_time, now };
            match info.revocation_reason {
                Some(reason) => format!("{since}, {reason}"),
                None => since.to_string(),
            }
        }
    }
}

/// About a staple that is not to be trusted.
pub(super) fn of_error(error: &Error) -> String {
    match error {
        Error::Time(TimeError::Expired { next_update, now }) => {
            format!("expired {}", Relative { time: *next_update, now: *now })
        }
        Error::Time(TimeError::TooOld { this_update, now, .. }) => {
            format!("too old: from {}", Relative { time: *this_update, now: *now })
        }
        Error::Time(TimeError::NotYetValid { this_update, now }) => {
            format!("begins {}", Relative { time: *this_update, now: *now })
        }
        Error::Time(_) => "times that cannot be".to_owned(),
        Error::Signer(SignerError::BadSignature { .. }) => "bad signature".to_owned(),
        Error::Signer(SignerError::NotDelegated { .. }) => {
            "signer without a right to it".to_owned()
        }
        Error::Signer(_) => "signer cannot be verified".to_owned(),
        Error::Match(_) => "about another certificate".to_owned(),
        Error::Unsuccessful(status) => format!("says {status}"),
        Error::TooLarge { .. } | Error::Malformed { .. } => "malformed".to_owned(),
        other => format!("refused: {}", other.stage()),
    }
}

/// About a chain that does not verify.
pub(super) fn of_chain(error: &rustls::Error) -> String {
    use CertificateError::*;
    let rustls::Error::InvalidCertificate(error) = error else { return "chain: refused".into() };
    let why = match error {
        ExpiredContext { time, not_after } => {
            format!("expired {}", Relative { time: *not_after, now: *time })
        }
        NotValidYetContext { .. } => "not valid yet".to_owned(),
        NotValidForNameContext { .. } => "for another name".to_owned(),
        UnknownIssuer => "no trust anchor".to_owned(),
        BadSignature => "bad signature".to_owned(),
        _ => "refused".to_owned(),
    };
    format!("chain: {why}")
}

/// About a server with which there is no handshake.
pub(super) fn of_connect(error: &ConnectError) -> String {
    match error {
        ConnectError::Lookup { .. } => "name not found".to_owned(),
        ConnectError::Connect { .. } => "no connection".to_owned(),
        ConnectError::TimedOut { .. } => "timed out".to_owned(),
        ConnectError::StartTls(StartTlsError::Injected(_)) => "text put in before TLS".to_owned(),
        ConnectError::StartTls(_) => "does not come to TLS".to_owned(),
        ConnectError::Tls(rustls::Error::AlertReceived(_)) => "refuses the handshake".to_owned(),
        _ => "no TLS handshake".to_owned(),
    }
}
