//! How large a staple may be.

use rustls::pki_types::CertificateDer;

/// The longest handshake message that rustls reads, and other stacks read longer ones only when
/// told to. What is longer would end the handshake instead of being ignored.
const HANDSHAKE_MESSAGE: usize = 0xffff;

/// Type and length of the message, the empty request context, and the length of the list of
/// certificates (RFC 8446, 4.4.2).
const MESSAGE_FRAMING: usize = 4 + 1 + 3;

/// The length of a certificate and of its extensions.
const ENTRY_FRAMING: usize = 3 + 2;

/// Type and length of the extension, status type, and length of the response (RFC 6066, 8).
const STAPLE_FRAMING: usize = 4 + 1 + 3;

/// How many bytes a response may have that is stapled to this chain; inclusive.
///
/// In TLS 1.3 the response travels in one message with the chain, and rustls reads messages of up to
/// 65,535 bytes. Never more than 65,514: well inside the 65,527 up to which rustls can write the
/// extension at all. 0 when the chain alone fills the message. TLS 1.2 sends the response in a
/// message of its own; the limit is the same, so that a staple does not depend on the version.
pub fn staple_limit(chain: &[CertificateDer<'_>]) -> usize {
    let framing = MESSAGE_FRAMING + STAPLE_FRAMING;
    let chain = chain.iter().map(|certificate| certificate.len() + ENTRY_FRAMING);
    HANDSHAKE_MESSAGE.saturating_sub(framing).saturating_sub(chain.sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_message_is_counted() {
        let chain = [CertificateDer::from(vec![0; 1000]), CertificateDer::from(vec![0; 500])];
        assert_eq!(staple_limit(&[]), 65_519);
        assert_eq!(staple_limit(&chain), 65_519 - 1000 - 5 - 500 - 5);
        assert_eq!(staple_limit(&[CertificateDer::from(vec![0; 70_000])]), 0);
    }
}
