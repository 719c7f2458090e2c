//! A reqwest client that refuses a revoked server: `cargo run -p certstatus-rustls --example
//! reqwest_client`.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::sync::Arc;

use certstatus_lab::Lab;
use certstatus_rustls::StatusVerifier;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpListener;

use axum_server::{provider, response, serve, unstapled};

#[allow(dead_code, reason = "the server is an example of its own")]
#[path = "axum_server.rs"]
mod axum_server;

/// A client that checks what servers staple, by the default policy.
fn client(roots: RootCertStore) -> Result<reqwest::Client, Box<dyn Error>> {
    let verifier = StatusVerifier::builder(Arc::new(roots), provider()).build()?;
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(reqwest::Client::builder().no_proxy().tls_backend_preconfigured(config).build()?)
}

pub(crate) async fn run() -> Result<(), Box<dyn Error>> {
    let lab = Lab::builder().build()?;
    let leaf = lab.leaf("127.0.0.1")?;
    let key = Arc::new(unstapled(&leaf)?.staple_any_status());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("https://{}/", listener.local_addr()?);
    tokio::spawn(serve(listener, key.clone()));
    let mut roots = RootCertStore::empty();
    roots.add(lab.root().clone())?;

    key.set(response(&lab, &leaf)?)?;
    let answer = client(roots.clone())?.get(&url).send().await?.text().await?;
    println!("while the certificate is good, the server says: {answer}");

    lab.revoke(&leaf, None);
    key.set(response(&lab, &leaf)?)?;
    // A new client: the one above could go on with its connection, or resume its session.
    match client(roots)?.get(&url).send().await {
        Ok(_) => Err("a revoked server was accepted".into()),
        Err(error) => match cause(&error).to_string() {
            reason if reason.contains("Revoked") => {
                println!("once it is revoked, the client says: {reason}");
                Ok(())
            }
            other => Err(other.into()),
        },
    }
}

/// What is at the bottom of an error.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    error.source().map_or(error, cause)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run().await
}
