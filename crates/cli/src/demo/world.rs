//! What the demonstration runs on: the lab's CA and responder, TLS servers that staple in different
//! ways, and a client that checks. All of it is the real thing, on loopback.

use std::net::Ipv4Addr;
use std::sync::{Arc, PoisonError};

use certstatus::message::HashAlgorithm;
use certstatus::rfc5019::REQUEST_MEDIA_TYPE;
use certstatus::{Certificate, Issuer, VerifiedResponse, Verifier};
use certstatus_lab::{Fault, Lab, Leaf};
use certstatus_rustls::{ServerDecision, StapledKey, StaplingResolver};
use rustls::crypto::CryptoProvider;
use rustls::server::ResolvesServerCert;
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::Trouble;
use super::tap::{Recording, Tap};
use super::wire;
use super::witness::Witness;

/// The CA with its responder, and what server and client share.
pub(super) struct World {
    pub(super) lab: Lab,
    provider: Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
    listener: TcpListener,
    http: reqwest::Client,
}

/// What a handshake came to, as measured.
#[derive(Clone, Debug)]
pub(super) struct Observed {
    /// Whether the recorded ClientHello asks for a staple; `None` when it cannot be read.
    pub(super) asked: Option<bool>,
    /// Bytes of the response that the client received.
    pub(super) stapled: usize,
    /// Bytes of the response in the recorded CertificateStatus message; `None` when there is none
    /// in the clear, as always in TLS 1.3.
    pub(super) in_the_clear: Option<usize>,
    /// The alert that the server received.
    pub(super) alert: Option<AlertDescription>,
    /// Whether the client accepted the server.
    pub(super) accepted: bool,
    /// Why, in the client's words.
    pub(super) why: String,
}

impl World {
    pub(super) async fn start() -> Result<Self, Trouble> {
        let lab = Lab::builder().start()?;
        // reqwest takes the process's provider; that one is installed already is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut roots = RootCertStore::empty();
        roots.add(lab.root().clone())?;
        Ok(Self {
            provider: Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
            roots: Arc::new(roots),
            listener: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?,
            // The responder is in this process: no proxy leads there.
            http: reqwest::Client::builder().no_proxy().build()?,
            lab,
        })
    }

    /// A certificate's key as a server uses it, with a staple that can be swapped.
    pub(super) fn stapled_key(&self, leaf: &Leaf) -> Result<Arc<StapledKey>, Trouble> {
        let key = CertifiedKey::from_der(leaf.chain().to_vec(), leaf.key(), &self.provider)?;
        Ok(Arc::new(StapledKey::new(Arc::new(key)).staple_any_status()))
    }

    /// Asks the responder over HTTP, as a server does, and verifies the answer.
    pub(super) async fn fetch(&self, leaf: &Leaf) -> Result<VerifiedResponse, Trouble> {
        let certificate = Certificate::parse(leaf.certificate())?;
        let issuer = Certificate::parse(leaf.issuer())?;
        let issuer = Issuer::from_certificate(&issuer);
        let url = certificate.ocsp_urls()?.first().copied().unwrap_or_default().to_owned();
        let request = self.lab.request(leaf, HashAlgorithm::Sha1)?.to_der();
        let response = self
            .http
            .post(url)
            .header("content-type", REQUEST_MEDIA_TYPE)
            .body(request)
            .send()
            .await?
            .bytes()
            .await?;
        let verifier = Verifier::new(self.provider.signature_verification_algorithms.all);
        Ok(verifier.verify(&response, &certificate, &issuer, self.lab.now())?)
    }

    /// A server's certificate with a staple that no honest server would send: one that is not
    /// verified before it is stapled.
    pub(super) fn unverified(
        key: Arc<StapledKey>,
        response: Vec<u8>,
    ) -> Arc<dyn ResolvesServerCert> {
        let response = Arc::<[u8]>::from(response);
        Arc::new(StaplingResolver::on_status(key, move |_hello, _key| {
            ServerDecision::Staple(Arc::clone(&response))
        }))
    }

    /// The response about a certificate with a fault.
    pub(super) fn faulty(&self, leaf: &Leaf, fault: Fault) -> Result<Vec<u8>, Trouble> {
        self.lab.respond_with(leaf, fault)?.ok_or(Trouble::NoBytes)
    }

    /// One handshake: the client connects to a server with that certificate, and both ends report.
    pub(super) async fn handshake(
        &self,
        resolver: &Arc<dyn ResolvesServerCert>,
        name: &str,
        version: &'static SupportedProtocolVersion,
    ) -> Result<Observed, Trouble> {
        let witness = Arc::new(Witness::new(&self.roots, &self.provider)?);
        let (served, connected) =
            tokio::join!(self.serve(resolver, version), self.connect(name, &witness));
        let (recording, alert) = served?;
        let (accepted, client_says) = match connected? {
            Ok(()) => (true, String::new()),
            Err(error) => (false, error),
        };
        let saw = witness.take();
        Ok(Observed {
            asked: wire::asks_for_status(&recording.received),
            stapled: saw.stapled,
            in_the_clear: wire::stapled_in_the_clear(&recording.sent).map(|staple| staple.len()),
            alert,
            accepted,
            why: saw.decision.unwrap_or(client_says),
        })
    }

    /// The server's end: what went over the wire, and the alert that the client sent.
    async fn serve(
        &self,
        resolver: &Arc<dyn ResolvesServerCert>,
        version: &'static SupportedProtocolVersion,
    ) -> Result<(Recording, Option<AlertDescription>), Trouble> {
        let config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[version])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(resolver));
        let (stream, _) = self.listener.accept().await?;
        let (tap, recording) = Tap::new(stream);
        let alert = match TlsAcceptor::from(Arc::new(config)).accept(tap).await {
            Ok(_) => None,
            Err(error) => match error.downcast::<rustls::Error>()? {
                rustls::Error::AlertReceived(alert) => Some(alert),
                other => return Err(other.into()),
            },
        };
        let recording = recording.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok((recording, alert))
    }

    /// The client's end: whether it accepted the server, or what it said.
    async fn connect(
        &self,
        name: &str,
        witness: &Arc<Witness>,
    ) -> Result<Result<(), String>, Trouble> {
        let config = rustls::ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(witness) as _)
            .with_no_client_auth();
        let stream = TcpStream::connect(self.listener.local_addr()?).await?;
        let name = rustls_pki_types::ServerName::try_from(name.to_owned())?;
        let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        Ok(connected.map(drop).map_err(|error| error.to_string()))
    }
}
