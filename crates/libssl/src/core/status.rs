//! Certificate status on both sides, as values: what the C integers of the callbacks mean, and
//! what a connection holds. `SSL_CTX_set_tlsext_status_cb(3)`, RFC 6066, 8.

use std::ffi::{c_int, c_long};
use std::sync::Arc;

use certstatus::handshake::{ClientDecision, ServerDecision};

use super::failure::{Failure, alert};
use crate::sys::{error, reasons};

/// `TLSEXT_STATUSTYPE_ocsp`.
pub(crate) const OCSP: c_int = 1;
/// The status type of who has set none: `TLSEXT_STATUSTYPE_nothing`.
pub(crate) const NOTHING: c_int = -1;

/// `SSL_TLSEXT_ERR_OK`.
const TLSEXT_ERR_OK: c_int = 0;
/// `SSL_TLSEXT_ERR_NOACK`.
const TLSEXT_ERR_NOACK: c_int = 3;

/// The longest response that fits a handshake message with its framing: the CertificateEntry's
/// extensions have 16 bits of length, and the extension's header, status type and length take 9.
pub(crate) const LONGEST_STAPLE: usize = 65_526;

/// What a client callback's answer means: > 0, 0, < 0.
pub(crate) fn client_decision(answer: c_int) -> ClientDecision {
    match answer {
        1.. => ClientDecision::Accept,
        0 => ClientDecision::Reject,
        _ => ClientDecision::Error,
    }
}

/// What a server callback's answer means, with the response that is set when it returns.
pub(crate) fn server_decision(answer: c_int, response: Option<&[u8]>) -> ServerDecision {
    match (answer, response) {
        (TLSEXT_ERR_OK, Some(response)) if !response.is_empty() => {
            ServerDecision::Staple(Arc::from(response))
        }
        (TLSEXT_ERR_OK | TLSEXT_ERR_NOACK, _) => ServerDecision::NoAck,
        _ => ServerDecision::Fatal,
    }
}

/// The failure of a handshake that a client callback does not let go on.
pub(crate) fn client_verdict(decision: ClientDecision) -> Result<(), Failure> {
    match decision {
        ClientDecision::Accept => Ok(()),
        ClientDecision::Reject => Err(Failure::new(
            alert::BAD_CERTIFICATE_STATUS_RESPONSE,
            reasons::INVALID_STATUS_RESPONSE,
            "the status callback does not accept the server's OCSP response",
        )),
        ClientDecision::Error => Err(Failure::new(
            alert::INTERNAL_ERROR,
            reasons::OCSP_CALLBACK_FAILURE,
            "the status callback failed",
        )),
    }
}

/// The failure of a server whose callback wants a response sent and has unset the type.
pub(crate) fn no_type() -> Failure {
    Failure::new(
        alert::INTERNAL_ERROR,
        error::INTERNAL_ERROR,
        "the status callback has set a response and a type other than OCSP",
    )
}

/// The failure of a server that staples although it was not asked to (RFC 8446, 4.2).
pub(crate) fn unsolicited() -> Failure {
    Failure::new(alert::UNSUPPORTED_EXTENSION, reasons::UNSOLICITED_EXTENSION, String::new())
}

/// The response to staple, or the failure, that a server callback decides on.
pub(crate) fn server_verdict(decision: ServerDecision) -> Result<Option<Arc<[u8]>>, Failure> {
    match decision {
        ServerDecision::Staple(response) if response.len() > LONGEST_STAPLE => Err(Failure::new(
            alert::INTERNAL_ERROR,
            reasons::LENGTH_TOO_LONG,
            format!(
                "an OCSP response of {} bytes does not fit a handshake; at most {LONGEST_STAPLE} do",
                response.len()
            ),
        )),
        ServerDecision::Staple(response) => Ok(Some(response)),
        ServerDecision::NoAck => Ok(None),
        ServerDecision::Fatal => Err(Failure::new(
            alert::INTERNAL_ERROR,
            reasons::CLIENTHELLO_TLSEXT,
            "the status callback failed",
        )),
    }
}

/// The type that `SSL_set_tlsext_status_type` stores for a `long` of C.
pub(crate) fn type_from(value: c_long) -> c_int {
    // The cast is the one C makes: `s->ext.status_type = larg`.
    value as c_int
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_callbacks_integers() {
        assert_eq!(client_decision(7), ClientDecision::Accept);
        assert_eq!(client_decision(0), ClientDecision::Reject);
        assert_eq!(client_decision(-1), ClientDecision::Error);
        let rejected = client_verdict(ClientDecision::Reject).unwrap_err();
        assert_eq!((rejected.alert, rejected.reason), (Some(113), 328));
        let failed = client_verdict(ClientDecision::Error).unwrap_err();
        assert_eq!((failed.alert, failed.reason), (Some(80), 305));
    }

    #[test]
    fn the_server_callbacks_integers() {
        assert_eq!(server_decision(0, Some(b"r")), ServerDecision::Staple(Arc::from(&b"r"[..])));
        assert_eq!(server_decision(0, None), ServerDecision::NoAck);
        assert_eq!(server_decision(3, Some(b"r")), ServerDecision::NoAck);
        for fatal in [1, 2, -1, 4] {
            assert_eq!(server_decision(fatal, Some(b"r")), ServerDecision::Fatal);
        }
    }

    #[test]
    fn a_response_beyond_the_handshakes_framing_is_refused() {
        let fits = ServerDecision::Staple(vec![0; LONGEST_STAPLE].into());
        assert!(server_verdict(fits).unwrap().is_some());
        let too_long = ServerDecision::Staple(vec![0; LONGEST_STAPLE + 1].into());
        assert_eq!(server_verdict(too_long).unwrap_err().reason, reasons::LENGTH_TOO_LONG);
    }
}
