//! The verified path of a server's certificate, as the callbacks of a client see it.

use std::fmt;

use certstatus::{Certificate, Error, Issuer, VerifiedResponse};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};

use super::CachedVerifier;

/// The path from a server's certificate to a trust anchor, after webpki has verified it: signatures,
/// validity, usage, CRLs and the server's name.
///
/// Nothing in it was merely presented. What `SSL_get0_verified_chain` and `SSL_get_verify_result`
/// tell in a status callback of OpenSSL, it tells here.
pub struct VerifiedPath<'a> {
    pub(super) end_entity: Certificate<'a>,
    pub(super) issuer: Issuer<'a>,
    pub(super) chain: &'a webpki::VerifiedPath<'a>,
    pub(super) server_name: &'a ServerName<'a>,
    pub(super) now: UnixTime,
    pub(super) verifier: &'a CachedVerifier<'static>,
}

impl<'a> VerifiedPath<'a> {
    /// The server's certificate.
    pub fn end_entity(&self) -> &Certificate<'a> {
        &self.end_entity
    }

    /// Who issued it: the first intermediate certificate of the path, or its trust anchor.
    pub fn issuer(&self) -> &Issuer<'a> {
        &self.issuer
    }

    /// The intermediate certificates, from the issuer of the server's certificate upwards. Those
    /// that the server sent and the path does not need are not among them.
    pub fn intermediates(&self) -> impl DoubleEndedIterator<Item = CertificateDer<'a>> + use<'a> {
        self.chain.intermediate_certificates().map(|certificate| certificate.der())
    }

    /// The trust anchor in which the path ends.
    pub fn anchor(&self) -> &'a TrustAnchor<'a> {
        self.chain.anchor()
    }

    /// The name by which the server was called, and for which its certificate is valid.
    pub fn server_name(&self) -> &ServerName<'a> {
        self.server_name
    }

    /// The time of the handshake.
    pub fn now(&self) -> UnixTime {
        self.now
    }

    /// Returns whether the server must staple: its certificate says so (RFC 7633), or that of a CA in
    /// the path, which binds every certificate below it (RFC 7633, 4.2.2). A TLS feature extension
    /// that cannot be read may have said so, and counts as if it had. The trust anchor's certificate
    /// is not looked at, because an anchor is a name and a key.
    pub fn must_staple(&self) -> bool {
        let says = |certificate: &Certificate<'_>| certificate.must_staple().unwrap_or(true);
        says(&self.end_entity)
            || self.chain.intermediate_certificates().any(|authority| {
                Certificate::parse(&authority.der()).map_or(true, |parsed| says(&parsed))
            })
    }

    /// Verifies a response about this path's certificate, at the time of the handshake, with the
    /// verifier's limits, cache, and the skew and maximum age of its policy. A callback that only
    /// wants to decide differently than the policy starts here.
    ///
    /// # Errors
    /// As [`certstatus::Verifier::verify`].
    pub fn verify(&self, response: &[u8]) -> Result<VerifiedResponse, Error> {
        self.verifier.verify(response, &self.end_entity, &self.issuer, self.now)
    }
}

impl fmt::Debug for VerifiedPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedPath")
            .field("server_name", self.server_name)
            .field("serial_number", &certstatus::hex(self.end_entity.serial_number()))
            .field("issuer", self.issuer.subject())
            .field("intermediates", &self.intermediates().count())
            .finish_non_exhaustive()
    }
}
