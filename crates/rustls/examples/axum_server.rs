//! An axum server that staples: `cargo run -p certstatus-rustls --example axum_server`.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::sync::Arc;

use axum::{Router, routing::get};
use certstatus::{Certificate, Issuer, Verifier};
use certstatus_lab::{Lab, Leaf};
use certstatus_rustls::{Policy, StapledKey, StatusVerifier, VerifiedResponse};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Serves a greeting with that certificate, and with the staple that it has at each handshake.
pub(crate) async fn serve(listener: TcpListener, key: Arc<StapledKey>) -> std::io::Result<()> {
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?
        .with_no_client_auth()
        .with_cert_resolver(key);
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let app = Router::new().route("/", get(|| async { "hello" }));
    loop {
        let (tcp, _) = listener.accept().await?;
        let (acceptor, service) = (acceptor.clone(), TowerToHyperService::new(app.clone()));
        tokio::spawn(async move {
            // A client that does not like the certificate ends here, and only its own connection.
            let Ok(tls) = acceptor.accept(tcp).await else { return };
            let server = auto::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(tls), service).await;
        });
    }
}

/// The private CA of the lab plays the responder; `certstatus::Verifier` has the last word.
pub(crate) fn response(lab: &Lab, leaf: &Leaf) -> Result<VerifiedResponse, certstatus::Error> {
    let certificate = Certificate::parse(leaf.certificate())?;
    let issuer = Issuer::from_certificate(&Certificate::parse(leaf.issuer())?);
    let verifier = Verifier::new(provider().signature_verification_algorithms.all);
    verifier.verify(&lab.respond(leaf), &certificate, &issuer, UnixTime::now())
}

/// A certificate that can be stapled to, and nothing stapled yet.
pub(crate) fn unstapled(leaf: &Leaf) -> Result<StapledKey, rustls::Error> {
    let key = CertifiedKey::from_der(leaf.chain().to_vec(), leaf.key(), &provider())?;
    Ok(StapledKey::new(Arc::new(key)))
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    let lab = Lab::builder().build()?;
    let leaf = lab.leaf("localhost")?;
    let key = Arc::new(unstapled(&leaf)?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(serve(listener, key.clone()));

    // A client that talks to nobody without a staple.
    let mut roots = RootCertStore::empty();
    roots.add(lab.root().clone())?;
    let verifier = StatusVerifier::builder(Arc::new(roots), provider())
        .policy(Policy::default().require_always())
        .build()?;
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let connect = async || {
        let tcp = TcpStream::connect(address).await?;
        connector
            .connect(ServerName::try_from("localhost").map_err(std::io::Error::other)?, tcp)
            .await
    };

    match connect().await {
        Ok(_) => return Err("a server without a staple was accepted".into()),
        Err(error) => println!("without a staple: {error}"),
    }
    key.set(response(&lab, &leaf)?)?;
    connect().await?;
    println!("with a staple: accepted");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run().await
}
