//! What a failed operation tells the peer (an alert) and the program (a reason and a text).

use std::ffi::c_int;

use rustls::error::{
    AlertDescription, Error, InvalidMessage, OtherError, PeerIncompatible, PeerMisbehaved,
};

use crate::sys::reasons;

/// A failure of the handshake or of the record layer. The connection is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The alert for the peer (RFC 8446, 6.2). None when it has been sent, or none is due.
    pub(crate) alert: Option<u8>,
    /// The alert that was written for the peer.
    pub(crate) sent: Option<u8>,
    /// One of [`reasons`], for the error queue.
    pub(crate) reason: c_int,
    /// What happened, in words.
    pub(crate) text: String,
}

/// `SSL_AD_REASON_OFFSET`: the reason of a received alert is its number and this.
const ALERT_REASONS: c_int = 1000;

/// A reason that only the program knows.
#[derive(Debug)]
struct Unspecified;

impl std::fmt::Display for Unspecified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the certificate is not acceptable")
    }
}

impl std::error::Error for Unspecified {}

/// Alerts of RFC 8446, 6.2 that are sent from here.
pub(crate) mod alert {
    pub(crate) const UNEXPECTED_MESSAGE: u8 = 10;
    pub(crate) const RECORD_OVERFLOW: u8 = 22;
    pub(crate) const HANDSHAKE_FAILURE: u8 = 40;
    pub(crate) const ILLEGAL_PARAMETER: u8 = 47;
    pub(crate) const DECODE_ERROR: u8 = 50;
    pub(crate) const PROTOCOL_VERSION: u8 = 70;
    pub(crate) const INTERNAL_ERROR: u8 = 80;
    pub(crate) const UNSUPPORTED_EXTENSION: u8 = 110;
    pub(crate) const UNRECOGNIZED_NAME: u8 = 112;
    pub(crate) const BAD_CERTIFICATE_STATUS_RESPONSE: u8 = 113;
    pub(crate) const NO_APPLICATION_PROTOCOL: u8 = 120;
}

impl Failure {
    /// A failure that is told the peer with `alert`.
    pub(crate) fn new(alert: u8, reason: c_int, text: impl Into<String>) -> Self {
        Self { alert: Some(alert), sent: None, reason, text: text.into() }
    }

    /// A failure on this side that the peer does not learn of.
    pub(crate) fn local(reason: c_int, text: impl Into<String>) -> Self {
        Self { alert: None, sent: None, reason, text: text.into() }
    }

    /// The plain record of the alert, for as long as no keys exist (RFC 8446, 5.1 and 6). Whoever
    /// calls this sends it.
    pub(crate) fn write_plain_alert(&mut self) -> Vec<u8> {
        const ALERT_RECORD: [u8; 5] = [21, 3, 3, 0, 2];
        const FATAL: u8 = 2;
        self.sent = self.alert;
        match self.alert {
            Some(alert) => ALERT_RECORD.into_iter().chain([FATAL, alert]).collect(),
            None => Vec::new(),
        }
    }

    /// The alert that the peer has sent, when that is what has failed.
    pub(crate) fn received(&self) -> Option<u8> {
        u8::try_from(self.reason - ALERT_REASONS).ok()
    }

    /// The rustls error that sends the nearest alert, where only rustls can encrypt it.
    pub(crate) fn as_rustls(&self) -> Error {
        use rustls::error::CertificateError as Certificate;
        let certificate = match self.alert {
            Some(42) => Certificate::BadEncoding,
            Some(44) => Certificate::Revoked,
            Some(45) => Certificate::Expired,
            Some(48) => Certificate::UnknownIssuer,
            Some(51) => Certificate::BadSignature,
            Some(alert::INTERNAL_ERROR) if self.reason != reasons::OCSP_CALLBACK_FAILURE => {
                return PeerIncompatible::NoCipherSuitesInCommon.into();
            }
            Some(alert::ILLEGAL_PARAMETER) => {
                return PeerIncompatible::NullCompressionRequired.into();
            }
            Some(alert::HANDSHAKE_FAILURE) => {
                return PeerIncompatible::NoCipherSuitesInCommon.into();
            }
            Some(alert::UNSUPPORTED_EXTENSION) => {
                return PeerMisbehaved::UnsolicitedEncryptedExtension.into();
            }
            Some(43) => Certificate::InvalidPurpose,
            Some(46) => Certificate::Other(OtherError::new(Unspecified)),
            Some(116) => {
                return PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon.into();
            }
            Some(alert::BAD_CERTIFICATE_STATUS_RESPONSE | alert::INTERNAL_ERROR) => {
                Certificate::InvalidOcspResponse
            }
            _ => Certificate::ApplicationVerificationFailure,
        };
        Error::InvalidCertificate(certificate)
    }
}

impl From<Error> for Failure {
    /// rustls has written its alert, where it has one; what is left is to tell the program.
    fn from(error: Error) -> Self {
        let sent = AlertDescription::try_from(&error).ok().map(u8::from);
        let text = match &error {
            Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge) => {
                "the peer's handshake message is longer than 65,535 bytes; in TLS 1.3 certificates \
                 and OCSP response are one message"
                    .to_owned()
            }
            error => error.to_string(),
        };
        Self { alert: None, sent, reason: reason_of(&error), text }
    }
}

fn reason_of(error: &Error) -> c_int {
    match error {
        Error::AlertReceived(alert) => reason_of_alert(*alert),
        Error::InvalidCertificate(_) => reasons::CERTIFICATE_VERIFY_FAILED,
        Error::DecryptError => reasons::DECRYPTION_FAILED_OR_BAD_RECORD_MAC,
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            reasons::UNEXPECTED_MESSAGE
        }
        Error::InvalidMessage(
            InvalidMessage::UnknownProtocolVersion | InvalidMessage::InvalidContentType,
        ) => reasons::WRONG_VERSION_NUMBER,
        Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge) => {
            reasons::EXCESSIVE_MESSAGE_SIZE
        }
        Error::InvalidMessage(_) => reasons::BAD_PACKET,
        Error::PeerSentOversizedRecord => reasons::PACKET_LENGTH_TOO_LONG,
        Error::NoApplicationProtocol => reasons::NO_APPLICATION_PROTOCOL,
        Error::NoSuitableCertificate => reasons::NO_CERTIFICATE_SET,
        Error::PeerIncompatible(why) => match why {
            PeerIncompatible::NoCipherSuitesInCommon => reasons::NO_SHARED_CIPHER,
            PeerIncompatible::NoKxGroupsInCommon => reasons::NO_SUITABLE_KEY_SHARE,
            PeerIncompatible::NoSignatureSchemesInCommon => {
                reasons::NO_SUITABLE_SIGNATURE_ALGORITHM
            }
            _ => reasons::UNSUPPORTED_PROTOCOL,
        },
        Error::PeerMisbehaved(why) => match why {
            PeerMisbehaved::UnsolicitedServerHelloExtension
            | PeerMisbehaved::UnsolicitedEncryptedExtension
            | PeerMisbehaved::UnsolicitedCertExtension => reasons::UNSOLICITED_EXTENSION,
            PeerMisbehaved::TooManyEmptyFragments => reasons::RECORD_TOO_SMALL,
            PeerMisbehaved::NoCertificatesPresented => reasons::PEER_DID_NOT_RETURN_A_CERTIFICATE,
            _ => reasons::UNEXPECTED_MESSAGE,
        },
        _ => reasons::SSL_HANDSHAKE_FAILURE,
    }
}

/// `SSL_AD_REASON_OFFSET + alert`, for alerts that have a reason.
fn reason_of_alert(alert: AlertDescription) -> c_int {
    ALERT_REASONS + c_int::from(u8::from(alert))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_received_alert_is_its_number_after_1000() {
        let failure = Failure::from(Error::AlertReceived(AlertDescription::UnknownCa));
        assert_eq!(failure.reason, reasons::TLSV1_ALERT_UNKNOWN_CA);
        assert_eq!(failure.alert, None);
    }

    #[test]
    fn a_plain_alert_is_one_record() {
        let mut failure = Failure::new(alert::INTERNAL_ERROR, reasons::LIBRARY_BUG, "x");
        assert_eq!(failure.write_plain_alert(), [21, 3, 3, 0, 2, 2, 80]);
        assert_eq!(failure.sent, Some(80));
    }
}
