//! Certificate status for TLS: OCSP messages, their verification, and the policy made of it.
//!
//! The data flows one way, and each arrow crosses one type:
//!
//! ```text
//! certificate + issuer → CertId → OcspRequest → (network) → OcspResponse
//!                                      → VerifiedResponse → Decision
//! ```
//!
//! * [`message`] reads and writes OCSP requests and responses (RFC 6960, RFC 5019, RFC 9654);
//! * [`Certificate`] and [`Issuer`] are what status needs of the two certificates involved;
//! * [`Verifier`] makes of a response, a certificate and its issuer a [`VerifiedResponse`]: who
//!   signed it, about which certificate, for which time;
//! * [`Policy`] makes of that, or of its absence, a [`Decision`];
//! * [`handshake`] has the outcomes of the two callbacks of `SSL_CTX_set_tlsext_status_cb`;
//! * [`rfc5019`] has the parts of the HTTP profile that need no network.
//!
//! This crate has no clock, no network, no runtime and no unsafe code. Time and limits are
//! parameters. Signatures are verified by the algorithms of a rustls `CryptoProvider`, passed as a
//! value: `provider.signature_verification_algorithms.all`.

#![forbid(unsafe_code)]

mod certificate;
mod describe;
mod error;
pub mod handshake;
mod limits;
pub mod message;
mod policy;
pub mod rfc5019;
pub mod time;
mod verify;

pub use certificate::{Certificate, Issuer};
pub use describe::unsupported_critical_extensions;
pub use error::{
    Error, ExtensionError, Irregularity, MalformedReason, MatchError, SignerError, Stage, TimeError,
};
pub use limits::Limits;
pub use policy::{Acceptance, Decision, Invalid, Policy, Refusal, Require, Staple, Unknown};
pub use verify::{Freshness, Nonce, Signer, VerifiedResponse, Verifier};

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut all, byte| {
        let digit = |nibble| char::from_digit(nibble, 16).unwrap_or('?');
        all.push(digit(u32::from(byte >> 4)));
        all.push(digit(u32::from(byte & 15)));
        all
    })
}

/// What is shown, cut to 256 characters: names and numbers in a response may have 64 KiB, and an error
/// that quotes them goes to logs.
pub(crate) fn brief(shown: &impl std::fmt::Display) -> String {
    const MOST: usize = 256;
    let mut text = shown.to_string();
    if let Some((end, _)) = text.char_indices().nth(MOST) {
        text.truncate(end);
        text.push('…');
    }
    text
}
