//! How large a staple may be.

use rustls::pki_types::CertificateDer;

/// What a client on rustls buffers while it puts a handshake message together. What is longer does
/// not arrive there unstapled: it ends the handshake.
const BUFFER: usize = 0xffff;

/// Room for what shares the flight, and so the buffer, with chain and staple: EncryptedExtensions, a
/// CertificateRequest without a long list of authorities, CertificateVerify (up to 4.6 kB with
/// ML-DSA-87), Finished, and 22 bytes around each record.
const REST_OF_FLIGHT: usize = 8 * 1024;

/// Type and length of the message, the empty request context, and the length of the list of
/// certificates (RFC 8446, 4.4.2).
const MESSAGE_FRAMING: usize = 4 + 1 + 3;

/// The length of a certificate and of its extensions.
const ENTRY_FRAMING: usize = 3 + 2;

/// Type and length of the extension, status type, and length of the response (RFC 6066, 8).
const STAPLE_FRAMING: usize = 4 + 1 + 3;

/// How many bytes a response may have that is stapled to this chain; inclusive.
///
/// In TLS 1.3 response and chain travel in one message, and a client on rustls takes up to 65,535
/// bytes for it and what comes with it. So it is less than 57 KiB in any case, well inside what
/// rustls can write at all (65,527 bytes), and 0 when the chain alone fills the message. In TLS 1.2
/// the response has a message of its own; the limit is the same, so that a staple does not depend on
/// the version. Responses in the field have 300 to 3,000 bytes.
pub fn staple_limit(chain: &[CertificateDer<'_>]) -> usize {
    let framing = REST_OF_FLIGHT + MESSAGE_FRAMING + STAPLE_FRAMING;
    let chain = chain.iter().map(|certificate| certificate.len() + ENTRY_FRAMING);
    (BUFFER - framing).saturating_sub(chain.sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_flight_is_counted() {
        let chain = [CertificateDer::from(vec![0; 1000]), CertificateDer::from(vec![0; 500])];
        assert_eq!(staple_limit(&[]), 65_535 - 8192 - 16);
        assert_eq!(staple_limit(&chain), 65_535 - 8192 - 16 - 1000 - 5 - 500 - 5);
        assert_eq!(staple_limit(&[CertificateDer::from(vec![0; 70_000])]), 0);
    }
}
