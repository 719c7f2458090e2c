//! A verifier that lets every server pass and keeps what it presented, and what the real verifier
//! makes of it.
//!
//! The path and the staple are verified by [`StatusVerifier`], in its callback form. Only signatures
//! in the handshake can fail here: they prove that the server has the key of the certificate.
//! Connections made with it are for looking, and carry no data.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use certstatus::{Issuer, Policy, VerifiedResponse};
use certstatus_rustls::{BuildError, ClientDecision, StatusVerifier, VerifiedPath};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};

use super::key_type::KeyType;
use super::trust::Trust;

/// What a server presented, and what is to be thought of it.
#[derive(Debug)]
pub(crate) struct Presented {
    /// The certificates as they came, the server's own first.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    /// The response that was stapled, as it came.
    pub(crate) staple: Option<Vec<u8>>,
    /// Whether the server has signed the handshake with the key of its certificate.
    pub(crate) proven: bool,
    /// The path that webpki verified, or why there is none.
    pub(crate) path: Result<Path, Error>,
}

/// A verified path, and the staple as judged under it.
#[derive(Debug)]
pub(crate) struct Path {
    /// The server's certificate.
    pub(crate) end_entity: CertificateDer<'static>,
    /// The certificates between the server's and the anchor, upwards.
    pub(crate) intermediates: Vec<CertificateDer<'static>>,
    /// The anchor.
    pub(crate) anchor: TrustAnchor<'static>,
    /// Whether its certificate, or that of a CA in the path, says that the server must staple.
    pub(crate) must_staple: bool,
    /// What the staple says, or why it is not to be trusted; `None` when nothing was stapled.
    pub(crate) staple: Option<Result<VerifiedResponse, certstatus::Error>>,
}

impl Path {
    fn of(path: &VerifiedPath<'_>, response: Option<&[u8]>) -> Self {
        Self {
            end_entity: CertificateDer::from(path.end_entity().der().to_vec()),
            intermediates: path.intermediates().map(CertificateDer::into_owned).collect(),
            anchor: path.anchor().to_owned(),
            must_staple: path.must_staple(),
            staple: response.map(|response| path.verify(response)),
        }
    }

    /// Who issued the server's certificate.
    ///
    /// # Errors
    /// When its certificate or the anchor cannot be read.
    pub(crate) fn issuer(&self) -> Result<Issuer<'_>, certstatus::Error> {
        match self.intermediates.first() {
            Some(issuer) => Ok(Issuer::from_certificate(&certstatus::Certificate::parse(issuer)?)),
            None => Issuer::from_trust_anchor(&self.anchor),
        }
    }
}

/// The verifier of one connection.
#[derive(Debug)]
pub(crate) struct Recorder {
    verifier: Arc<StatusVerifier>,
    now: UnixTime,
    key_type: Option<KeyType>,
    path: Slot<Path>,
    presented: Slot<Presented>,
    proven: AtomicBool,
}

impl Recorder {
    /// A recorder under those anchors that asks for a certificate of that key type, or of any; chain and staple are judged for `now`, the staple with the
    /// skew and maximum age of `policy`.
    ///
    /// # Errors
    /// When there are no anchors.
    pub(crate) fn new(
        trust: &Trust,
        policy: Policy,
        provider: &Arc<CryptoProvider>,
        now: UnixTime,
        key_type: Option<KeyType>,
    ) -> Result<Self, BuildError> {
        let path = Slot::default();
        let kept = path.clone();
        let verifier = StatusVerifier::builder(Arc::clone(&trust.roots), Arc::clone(provider))
            .policy(policy)
            .on_status(move |path, response| {
                kept.put(Path::of(path, response));
                ClientDecision::Accept
            })
            .build()?;
        let (presented, proven) = (Slot::default(), AtomicBool::default());
        Ok(Self { verifier, now, key_type, path, presented, proven })
    }

    fn note_proof(
        &self,
        signature: Result<HandshakeSignatureValid, Error>,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.proven.store(signature.is_ok(), Ordering::Relaxed);
        signature
    }

    /// What the server presented, if it came that far.
    pub(crate) fn take(&self) -> Option<Presented> {
        let proven = self.proven.load(Ordering::Relaxed);
        self.presented.take().map(|presented| Presented { proven, ..presented })
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            self.now,
        );
        let path = match (verified, self.path.take()) {
            (Ok(_), Some(path)) => Ok(path),
            (Ok(_), None) => Err(Error::General("the path was not shown to the callback".into())),
            (Err(error), _) => Err(error),
        };
        let chain = std::iter::once(end_entity).chain(intermediates);
        self.presented.put(Presented {
            chain: chain.map(|certificate| certificate.clone().into_owned()).collect(),
            staple: Some(ocsp_response.to_vec()).filter(|response| !response.is_empty()),
            proven: false,
            path,
        });
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.note_proof(self.verifier.verify_tls12_signature(message, cert, dss))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.note_proof(self.verifier.verify_tls13_signature(message, cert, dss))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.verifier.supported_verify_schemes();
        schemes.retain(|scheme| self.key_type.is_none_or(|key_type| key_type.signs(*scheme)));
        schemes
    }
}

/// A value that a callback leaves for the one who waits for it.
#[derive(Debug)]
struct Slot<T>(Arc<Mutex<Option<T>>>);

impl<T> Slot<T> {
    fn put(&self, value: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }

    fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
