//! The failures of a server's handshake: how the peer is notified, and their reasons.

use rustls::error::{Error, PeerIncompatible};

use crate::core::failure::{Failure, alert};
use crate::sys::reasons;

/// A client that begins with something else than a ClientHello.
pub(super) fn unexpected() -> Failure {
    let text = "the client sends something else than a ClientHello";
    Failure::new(alert::UNEXPECTED_MESSAGE, reasons::UNEXPECTED_MESSAGE, text)
}

/// Tells the peer of a failure before keys exist.
pub(super) fn plainly(mut failure: Failure, output: &mut Vec<u8>) -> Failure {
    output.extend(failure.write_plain_alert());
    failure
}

/// The failure of an error of the answer to a hello. In TLS 1.2 a suite stands for all that client
/// and server have to agree on, and OpenSSL says that there is none.
pub(super) fn refused(error: Error, tls13: bool) -> Failure {
    let of_suites = matches!(
        error,
        Error::PeerIncompatible(
            PeerIncompatible::NoKxGroupsInCommon | PeerIncompatible::NoSignatureSchemesInCommon
        )
    );
    let mut failure = Failure::from(error);
    if of_suites && !tls13 {
        failure.reason = reasons::NO_SHARED_CIPHER;
    }
    failure
}

/// The failure of an error that rustls has told the peer.
///
/// A client of TLS 1.2 without a certificate is told handshake_failure (RFC 5246, 7.4.6); rustls
/// says certificate_required, which is of TLS 1.3.
pub(super) fn told(error: Error, output: &mut [u8]) -> Failure {
    const CERTIFICATE_REQUIRED: [u8; 7] = [21, 3, 3, 0, 2, 2, 116];
    let mut failure = Failure::from(error);
    if let Some(record) = output.last_chunk_mut::<7>()
        && *record == CERTIFICATE_REQUIRED
    {
        record[6] = alert::HANDSHAKE_FAILURE;
        failure.sent = Some(alert::HANDSHAKE_FAILURE);
    }
    failure
}
