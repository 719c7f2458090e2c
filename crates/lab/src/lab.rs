//! The lab as its users hold it.

use std::sync::Arc;

use certstatus::message::{CertStatus, CrlReason, HashAlgorithm, OcspRequest, ResponseData};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};

use crate::authority::Authority;
use crate::responder::{RequestRecord, Server};
use crate::{Fault, LabBuilder, LabError, Leaf, LeafRequest};

/// A private CA in this process, with its responder. Cheap to clone; clones are the same lab.
#[derive(Clone, Debug)]
pub struct Lab {
    authority: Arc<Authority>,
    server: Option<Arc<Server>>,
}

impl Lab {
    /// Sets a lab up.
    pub fn builder() -> LabBuilder {
        LabBuilder::default()
    }

    pub(crate) fn new(authority: Arc<Authority>, server: Option<Server>) -> Self {
        Self { authority, server: server.map(Arc::new) }
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The root certificate: the trust anchor.
    pub fn root(&self) -> &CertificateDer<'static> {
        &self.authority.root.certificate
    }

    /// The intermediate certificate: the issuer of the leaves.
    pub fn intermediate(&self) -> &CertificateDer<'static> {
        &self.authority.intermediate.certificate
    }

    /// The delegated responder's certificate, if one signs.
    pub fn delegate(&self) -> Option<&CertificateDer<'static>> {
        self.authority.delegate.as_ref().map(|delegate| &delegate.certificate)
    }

    /// The address of the responder, as it is in the certificates:
    /// `http://127.0.0.1:PORT/ocsp`.
    pub fn responder_url(&self) -> &str {
        &self.authority.urls.responder
    }

    /// The lab's time: the fixed one, or the system's, to the second.
    pub fn now(&self) -> UnixTime {
        self.authority.now()
    }

    /// Stops the clock at another time. Certificates that exist keep their validity.
    pub fn set_now(&self, now: UnixTime) {
        self.authority.set_now(now);
    }

    /// Issues a certificate. Its status is good.
    ///
    /// # Errors
    /// [`LabError`] when its key cannot be made, or its name cannot be in a certificate.
    pub fn issue(&self, request: LeafRequest) -> Result<Leaf, LabError> {
        self.authority.issue(request)
    }

    /// Issues a certificate with the defaults of [`LeafRequest::new`].
    ///
    /// # Errors
    /// As [`Self::issue`].
    pub fn leaf(&self, name: &str) -> Result<Leaf, LabError> {
        self.issue(LeafRequest::new(name))
    }

    /// Revokes a certificate of this lab, now. One of another lab is left alone.
    pub fn revoke(&self, leaf: &Leaf, reason: Option<CrlReason>) {
        self.authority.set_status(leaf, self.authority.revoked(reason));
    }

    /// Forgets a certificate: its status is unknown from now on.
    pub fn forget(&self, leaf: &Leaf) {
        self.authority.set_status(leaf, CertStatus::Unknown);
    }

    /// Makes the status of a certificate good again.
    pub fn reinstate(&self, leaf: &Leaf) {
        self.authority.set_status(leaf, CertStatus::Good);
    }

    /// The request about a certificate, without a nonce.
    ///
    /// # Errors
    /// [`LabError::Core`] when the leaf cannot be read, which does not happen to one of a lab.
    pub fn request(
        &self,
        leaf: &Leaf,
        hash: HashAlgorithm,
    ) -> Result<OcspRequest<'static>, LabError> {
        Ok(OcspRequest::new(self.authority.cert_id(leaf.certificate(), hash)?))
    }

    /// The response about a certificate as the responder would give it now if it had no fault: an
    /// encoded `OCSPResponse`, without a nonce, by SHA-1.
    pub fn respond(&self, leaf: &Leaf) -> Vec<u8> {
        let request = self.request(leaf, HashAlgorithm::Sha1);
        self.answer(&request.map(|request| request.to_der()).unwrap_or_default())
    }

    /// The response with a fault; `None` for a fault of the transport, which leaves no bytes.
    ///
    /// # Errors
    /// [`LabError`] when keys and certificates for the fault cannot be made.
    pub fn respond_with(&self, leaf: &Leaf, fault: Fault) -> Result<Option<Vec<u8>>, LabError> {
        let request = self.request(leaf, HashAlgorithm::Sha1)?;
        self.answer_with(&request.to_der(), fault)
    }

    /// The answer to an encoded request as the responder would give it if it had no fault.
    pub fn answer(&self, request: &[u8]) -> Vec<u8> {
        self.authority.answer(request, None).der
    }

    /// The answer to an encoded request with a fault; `None` for a fault of the transport.
    ///
    /// # Errors
    /// [`LabError`] when keys and certificates for the fault cannot be made.
    pub fn answer_with(&self, request: &[u8], fault: Fault) -> Result<Option<Vec<u8>>, LabError> {
        if fault.is_transport() {
            return Ok(None);
        }
        self.authority.answer_with(request, Some(fault)).map(|answer| Some(answer.der))
    }

    /// Signs any answer, as it stands, with the key that signs this lab's answers.
    ///
    /// # Errors
    /// [`LabError::Sign`] when the key does not sign.
    pub fn sign(&self, data: ResponseData<'_>) -> Result<Vec<u8>, LabError> {
        self.authority.signatory().sign(data, self.authority.settings.rsa_scheme, false)
    }

    /// Signs any encoded element as `tbsResponseData`: also one that is not RFC 6960's.
    ///
    /// # Errors
    /// [`LabError::Sign`] when it is no DER element, or the key does not sign.
    pub fn sign_encoded(&self, tbs: &[u8]) -> Result<Vec<u8>, LabError> {
        self.authority.signatory().sign_encoded(tbs, self.authority.settings.rsa_scheme)
    }

    /// Sets the fault with which the HTTP responder answers from now on. Without a responder this
    /// does nothing.
    pub fn set_fault(&self, fault: Option<Fault>) {
        if let Some(server) = &self.server {
            server.set_fault(fault);
        }
    }

    /// How many OCSP requests the HTTP responder has received.
    pub fn requests(&self) -> usize {
        self.server.as_ref().map_or(0, |server| server.requests())
    }

    /// The last OCSP requests that the HTTP responder has received, oldest first; at most 1,000.
    pub fn request_log(&self) -> Vec<RequestRecord> {
        self.server.as_ref().map(|server| server.request_log()).unwrap_or_default()
    }

    /// A revocation list of what is revoked now, signed by the intermediate.
    ///
    /// # Errors
    /// [`LabError::Certificate`] when it cannot be signed.
    pub fn crl(&self) -> Result<CertificateRevocationListDer<'static>, LabError> {
        self.authority.crl()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_can_be_shared_between_threads() {
        fn shared<T: Clone + Send + Sync + 'static>(_: &T) {}
        shared(&Lab::builder().build().unwrap());
    }

    #[test]
    fn the_delegate_has_the_key_that_it_was_given_in_whatever_order() {
        use crate::KeyKind::{EcdsaP384, Ed25519};
        let given = Lab::builder().delegated(Ed25519).key(EcdsaP384).build().unwrap();
        assert_eq!(given.authority.settings.delegate, Some(Ed25519));
        let followed = Lab::builder().delegate(true).key(EcdsaP384).build().unwrap();
        assert_eq!(followed.authority.settings.delegate, Some(EcdsaP384));
    }
}
