//! An axum server whose staples keep themselves fresh: `cargo run -p certstatus-stapler --example
//! axum_stapler`. The lab plays the CA; certificates come and go while the server runs.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use axum::{Router, routing::get};
use certstatus_lab::{Lab, Leaf};
use certstatus_rustls::{Policy, StaplingResolver, StatusVerifier};
use certstatus_stapler::{DiskStore, Stapler, Target};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::server::ResolvesServerCertUsingSni;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// What a server that staples takes: a resolver, and the stapler as its source.
fn config(keys: ResolvesServerCertUsingSni, stapler: &Stapler) -> Result<ServerConfig> {
    let resolver = StaplingResolver::new(Arc::new(keys), Arc::new(stapler.clone()));
    Ok(ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver)))
}

/// Serves a greeting.
async fn serve(listener: TcpListener, config: ServerConfig) -> std::io::Result<()> {
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

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// A client that talks to nobody without a staple.
fn client(lab: &Lab) -> Result<TlsConnector> {
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
    Ok(TlsConnector::from(Arc::new(config)))
}

fn key(leaf: &Leaf) -> Result<CertifiedKey, rustls::Error> {
    CertifiedKey::from_der(leaf.chain().to_vec(), leaf.key(), &provider())
}

pub(crate) async fn run(directory: &Path) -> Result<()> {
    let lab = Lab::builder().start()?;
    let (one, two) = (lab.leaf("one.example")?, lab.leaf("two.example")?);
    let mut keys = ResolvesServerCertUsingSni::new();
    keys.add(one.name(), key(&one)?)?;
    keys.add(two.name(), key(&two)?)?;

    let stapler = Stapler::builder(provider()).store(DiskStore::open(directory)?).start()?;
    let staple = stapler.add(Target::from_chain(one.chain()))?;
    staple.ready().await;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(serve(listener, config(keys, &stapler)?));
    let connector = client(&lab)?;
    let connect = async |leaf: &Leaf| {
        let name = ServerName::try_from(leaf.name().to_owned()).map_err(std::io::Error::other)?;
        let tcp = TcpStream::connect(address).await?;
        connector.connect(name, tcp).await
    };

    connect(&one).await?;
    println!("one.example staples from its first handshake on");
    if connect(&two).await.is_ok() {
        return Err("a server without a staple was accepted".into());
    }
    stapler.add(Target::from_chain(two.chain()))?.ready().await;
    connect(&two).await?;
    println!("two.example was added while the server runs, and staples");
    stapler.remove(&staple.certificate());
    if connect(&one).await.is_ok() {
        return Err("a certificate that was removed is stapled to".into());
    }
    println!("one.example was removed");
    stapler.shut_down().await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    run(&std::env::temp_dir().join("certstatus-axum-stapler")).await
}
