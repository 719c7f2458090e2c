//! How a [`StatusVerifier`] is put together.

use std::fmt;
use std::sync::Arc;

use certstatus::handshake::ClientDecision;
use certstatus::{Decision, Limits, Policy, Staple, Verifier};
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::{CertRevocationListError, OtherError, RootCertStore};
use webpki::{ExpirationPolicy, RevocationCheckDepth, UnknownStatusPolicy};

use super::judge::{Judge, OnDecision, OnStatus};
use super::path_builder::{PathBuilder, Revocation};
use super::{CachedVerifier, StatusVerifier, VerifiedPath};
use crate::BuildError;

/// Builds a [`StatusVerifier`]. What is not set stands at its default: [`Policy::default`],
/// [`Limits::default`], no CRLs, no cache.
#[must_use = "a builder does nothing until it is built"]
pub struct StatusVerifierBuilder {
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
    crls: Vec<CertificateRevocationListDer<'static>>,
    depth: RevocationCheckDepth,
    unknown: UnknownStatusPolicy,
    expiration: ExpirationPolicy,
    policy: Policy,
    limits: Limits,
    cache: usize,
    on_status: Option<Box<OnStatus>>,
    on_decision: Option<Box<OnDecision>>,
}

impl StatusVerifierBuilder {
    pub(super) fn new(roots: Arc<RootCertStore>, provider: Arc<CryptoProvider>) -> Self {
        Self {
            roots,
            provider,
            crls: Vec::new(),
            depth: RevocationCheckDepth::Chain,
            unknown: UnknownStatusPolicy::Deny,
            expiration: ExpirationPolicy::Ignore,
            policy: Policy::default(),
            limits: Limits::default(),
            cache: 0,
            on_status: None,
            on_decision: None,
        }
    }

    /// Sets when a staple is required, and what is made of one that is not good.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets how much of a response is read before it is refused.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Remembers up to `capacity` verified staples, so that a client that connects often verifies
    /// each once; see [`CachedVerifier`]. By default none are remembered.
    pub fn cache(mut self, capacity: usize) -> Self {
        self.cache = capacity;
        self
    }

    /// Checks the path against these certificate revocation lists too, as
    /// [`rustls::client::ServerCertVerifierBuilder::with_crls`] does. Called again, it adds.
    pub fn with_crls(
        mut self,
        crls: impl IntoIterator<Item = CertificateRevocationListDer<'static>>,
    ) -> Self {
        self.crls.extend(crls);
        self
    }

    /// Looks only for the server's certificate in the CRLs, not for its issuers. Without CRLs this
    /// has no effect.
    pub fn only_check_end_entity_revocation(mut self) -> Self {
        self.depth = RevocationCheckDepth::EndEntity;
        self
    }

    /// Accepts certificates about which no CRL says anything. Without CRLs this has no effect.
    pub fn allow_unknown_revocation_status(mut self) -> Self {
        self.unknown = UnknownStatusPolicy::Allow;
        self
    }

    /// Refuses CRLs whose `nextUpdate` has passed. Without CRLs this has no effect.
    pub fn enforce_revocation_expiration(mut self) -> Self {
        self.expiration = ExpirationPolicy::Enforce;
        self
    }

    /// Lets a callback decide in place of the policy: the client callback of
    /// `SSL_CTX_set_tlsext_status_cb(3)`.
    ///
    /// It is called once in every handshake in which the server shows its certificate, after the
    /// path and the server's name are verified: with the bytes that were stapled, as they came, or
    /// with `None` when nothing was. It is not called when a session is resumed, since then no
    /// certificates are exchanged. [`VerifiedPath::verify`] verifies the bytes.
    ///
    /// [`ClientDecision::Reject`] fails the handshake with the alert
    /// `bad_certificate_status_response`, [`ClientDecision::Error`] with `handshake_failure` and the
    /// error [`crate::CallbackFailed`]: OpenSSL sends `internal_error` for it, which rustls 0.23
    /// cannot.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use rustls::{RootCertStore, crypto::CryptoProvider};
    /// # fn build(roots: Arc<RootCertStore>, provider: Arc<CryptoProvider>)
    /// #     -> Result<Arc<certstatus_rustls::StatusVerifier>, certstatus_rustls::BuildError> {
    /// use certstatus_rustls::{ClientDecision, StatusVerifier, VerifiedPath};
    ///
    /// StatusVerifier::builder(roots, provider)
    ///     .on_status(|path: &VerifiedPath<'_>, response: Option<&[u8]>| match response {
    ///         Some(response) if path.verify(response).is_ok() => ClientDecision::Accept,
    ///         _ => ClientDecision::Reject,
    ///     })
    ///     .build()
    /// # }
    /// ```
    pub fn on_status<F>(mut self, callback: F) -> Self
    where
        F: Fn(&VerifiedPath<'_>, Option<&[u8]>) -> ClientDecision + Send + Sync + 'static,
    {
        self.on_status = Some(Box::new(callback));
        self
    }

    /// Tells an observer what the policy decided and about what, for logs and user interfaces. It
    /// changes nothing, and runs inside the handshake: it should be quick.
    pub fn on_decision<F>(mut self, observer: F) -> Self
    where
        F: Fn(&VerifiedPath<'_>, Staple<'_>, &Decision) + Send + Sync + 'static,
    {
        self.on_decision = Some(Box::new(observer));
        self
    }

    /// Builds the verifier.
    ///
    /// # Errors
    /// [`BuildError::WebPki`] without trust anchors or with a CRL that cannot be read;
    /// [`BuildError::NothingToObserve`] when both callbacks are set.
    pub fn build(self) -> Result<Arc<StatusVerifier>, BuildError> {
        let algorithms = self.provider.signature_verification_algorithms.all;
        let verifier =
            Verifier::new(algorithms).freshness(self.policy.freshness()).limits(self.limits);
        let judge = match (self.on_status, self.on_decision) {
            (Some(_), Some(_)) => return Err(BuildError::NothingToObserve),
            (Some(callback), None) => Judge::Callback(callback),
            (None, observer) => Judge::Policy { policy: self.policy, observer },
        };
        let mut builder =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(&self.roots), self.provider)
                .with_crls(self.crls.iter().cloned());
        if self.depth == RevocationCheckDepth::EndEntity {
            builder = builder.only_check_end_entity_revocation();
        }
        if self.unknown == UnknownStatusPolicy::Allow {
            builder = builder.allow_unknown_revocation_status();
        }
        if self.expiration == ExpirationPolicy::Enforce {
            builder = builder.enforce_revocation_expiration();
        }
        let revocation = Revocation {
            crls: parse_crls(&self.crls)?,
            depth: self.depth,
            unknown: self.unknown,
            expiration: self.expiration,
        };
        Ok(Arc::new(StatusVerifier {
            paths: PathBuilder::new(self.roots, algorithms, revocation, builder.build()?),
            verifier: CachedVerifier::new(verifier, self.cache),
            judge,
        }))
    }
}

fn parse_crls(
    crls: &[CertificateRevocationListDer<'_>],
) -> Result<Vec<webpki::CertRevocationList<'static>>, VerifierBuilderError> {
    crls.iter()
        .map(|crl| webpki::OwnedCertRevocationList::from_der(crl).map(Into::into))
        .collect::<Result<_, _>>()
        .map_err(|error| CertRevocationListError::Other(OtherError(Arc::new(error))).into())
}

impl fmt::Debug for StatusVerifierBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusVerifierBuilder")
            .field("roots", &self.roots)
            .field("crls", &self.crls.len())
            .field("policy", &self.policy)
            .field("limits", &self.limits)
            .field("cache", &self.cache)
            .field("on_status", &self.on_status.is_some())
            .field("on_decision", &self.on_decision.is_some())
            .finish_non_exhaustive()
    }
}
