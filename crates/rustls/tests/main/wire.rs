//! TLS handshakes in memory, between a client and a server of rustls.

use std::sync::{Arc, Mutex};

use certstatus::{Certificate, Issuer, VerifiedResponse, Verifier};
use certstatus_lab::{Lab, Leaf};
use certstatus_rustls::{StatusVerifier, StatusVerifierBuilder};
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, Connection, Error,
    HandshakeKind, RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion,
};

pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

pub(crate) fn roots(root: &CertificateDer<'static>) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    Arc::new(roots)
}

pub(crate) fn builder(root: &CertificateDer<'static>) -> StatusVerifierBuilder {
    StatusVerifier::builder(roots(root), provider())
}

/// The leaf's key as a server of rustls has it, with that staple.
pub(crate) fn certified(leaf: &Leaf, staple: Option<Vec<u8>>) -> Arc<CertifiedKey> {
    let mut key = CertifiedKey::from_der(leaf.chain().to_vec(), leaf.key(), &provider()).unwrap();
    key.ocsp = staple;
    Arc::new(key)
}

/// What the lab says now about a leaf, verified.
pub(crate) fn verified(lab: &Lab, leaf: &Leaf) -> VerifiedResponse {
    verify(&lab.respond(leaf), leaf, lab.now()).unwrap()
}

pub(crate) fn verify(
    response: &[u8],
    leaf: &Leaf,
    now: UnixTime,
) -> Result<VerifiedResponse, certstatus::Error> {
    let algorithms = provider().signature_verification_algorithms.all;
    let issuer = Issuer::from_certificate(&Certificate::parse(leaf.issuer()).unwrap());
    let certificate = Certificate::parse(leaf.certificate()).unwrap();
    Verifier::new(algorithms).verify(response, &certificate, &issuer, now)
}

pub(crate) fn client_config(
    verifier: Arc<dyn ServerCertVerifier>,
    version: &'static SupportedProtocolVersion,
) -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Arc::new(config)
}

pub(crate) fn server_config(
    resolver: Arc<dyn ResolvesServerCert>,
    version: &'static SupportedProtocolVersion,
) -> ServerConfig {
    ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(resolver)
}

/// A resolver that always gives the same key.
#[derive(Debug)]
pub(crate) struct Fixed(pub(crate) Arc<CertifiedKey>);

impl ResolvesServerCert for Fixed {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// How a handshake ended, on both sides.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) client: Result<HandshakeKind, Error>,
    pub(crate) server: Result<(), Error>,
}

impl Outcome {
    /// Asserts that the handshake went through, and was a full one.
    #[track_caller]
    pub(crate) fn accepted(self) {
        assert_eq!(self.server, Ok(()));
        assert_eq!(self.client, Ok(HandshakeKind::Full));
    }

    /// Asserts that the client refused the certificate, and that the server was sent that alert.
    #[track_caller]
    pub(crate) fn refused(self, error: CertificateError, alert: AlertDescription) {
        assert_eq!(self.client, Err(Error::InvalidCertificate(error)));
        assert_eq!(self.server, Err(Error::AlertReceived(alert)));
    }

    #[track_caller]
    pub(crate) fn revoked(self) {
        self.refused(CertificateError::Revoked, AlertDescription::CertificateRevoked);
    }

    #[track_caller]
    pub(crate) fn invalid_status(self) {
        self.refused(
            CertificateError::InvalidOcspResponse,
            AlertDescription::BadCertificateStatusResponse,
        );
    }
}

pub(crate) fn connect(verifier: &Arc<StatusVerifier>, key: Arc<CertifiedKey>) -> [Outcome; 2] {
    VERSIONS.map(|version| {
        let server = server_config(Arc::new(Fixed(Arc::clone(&key))), version);
        handshake(&client_config(verifier.clone(), version), &Arc::new(server))
    })
}

/// Runs a handshake for `localhost` until both sides are done or one fails.
pub(crate) fn handshake(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> Outcome {
    let name = "localhost".try_into().unwrap();
    let mut client = Connection::from(ClientConnection::new(client.clone(), name).unwrap());
    let mut server = Connection::from(ServerConnection::new(server.clone()).unwrap());
    let mut outcome = Outcome { client: Ok(HandshakeKind::Full), server: Ok(()) };
    for _ in 0..10 {
        let moved = client.wants_write() || server.wants_write();
        if let Err(error) = deliver(&mut client, &mut server) {
            outcome.server = outcome.server.and(Err(error));
        }
        if let Err(error) = deliver(&mut server, &mut client) {
            outcome.client = outcome.client.and(Err(error));
        }
        if !moved {
            break;
        }
    }
    assert!(
        outcome.client.is_err() || outcome.server.is_err() || !client.is_handshaking(),
        "the handshake stalled"
    );
    outcome.client = outcome.client.map(|_| client.handshake_kind().unwrap_or(HandshakeKind::Full));
    outcome
}

/// Moves what the one has to send to the other.
fn deliver(from: &mut Connection, to: &mut Connection) -> Result<(), Error> {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).unwrap();
    }
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        if to.read_tls(&mut rest).unwrap() == 0 {
            break;
        }
        to.process_new_packets()?;
    }
    Ok(())
}

/// A clock that is set by hand.
#[derive(Clone, Debug)]
pub(crate) struct Clock(pub(crate) Arc<Mutex<Option<UnixTime>>>);

impl Clock {
    pub(crate) fn at(now: UnixTime) -> Self {
        Self(Arc::new(Mutex::new(Some(now))))
    }

    pub(crate) fn set(&self, now: Option<UnixTime>) {
        *self.0.lock().unwrap() = now;
    }
}

impl rustls::time_provider::TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        *self.0.lock().unwrap()
    }
}
