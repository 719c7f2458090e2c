//! The outcomes of the two callbacks of `SSL_CTX_set_tlsext_status_cb(3)`, as values. Every TLS
//! adapter has these two and no others.

use std::sync::Arc;

use crate::Decision;

/// What a client's callback answers about what the server stapled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientDecision {
    /// The response is acceptable: go on. In C, a positive value.
    Accept,
    /// The response is not acceptable: the handshake fails with the alert
    /// `bad_certificate_status_response` (RFC 6066, 8). In C, 0.
    Reject,
    /// No decision could be made: the handshake fails. In C, a negative value.
    Error,
}

impl From<&Decision> for ClientDecision {
    fn from(decision: &Decision) -> Self {
        match decision {
            Decision::Accept(_) => Self::Accept,
            Decision::Refuse(_) => Self::Reject,
        }
    }
}

/// What a server's callback answers about what is to be stapled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ServerDecision {
    /// Staple this response. In C, `SSL_TLSEXT_ERR_OK` after `SSL_set_tlsext_status_ocsp_resp`.
    Staple(Arc<[u8]>),
    /// Staple nothing, and go on. In C, `SSL_TLSEXT_ERR_NOACK`.
    NoAck,
    /// The handshake fails. In C, `SSL_TLSEXT_ERR_ALERT_FATAL`.
    Fatal,
}
