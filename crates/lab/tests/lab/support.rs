//! What the tests share: the core's verifier over aws-lc-rs, and a small HTTP client.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use certstatus::message::CertStatus;
use certstatus::{Certificate, Error, Issuer, Nonce, VerifiedResponse, Verifier};
use certstatus_lab::{Lab, Leaf};
use rustls_pki_types::SignatureVerificationAlgorithm;

pub(crate) fn algorithms() -> &'static [&'static dyn SignatureVerificationAlgorithm] {
    rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.all
}

/// Verifies a response about a leaf, at the lab's time.
pub(crate) fn verify(
    lab: &Lab,
    leaf: &Leaf,
    response: &[u8],
    nonce: Nonce<'_>,
) -> Result<VerifiedResponse, Error> {
    let certificate = Certificate::parse(leaf.certificate())?;
    let issuer = Certificate::parse(lab.intermediate())?;
    Verifier::new(algorithms()).nonce(nonce).verify(
        response,
        &certificate,
        &Issuer::from_certificate(&issuer),
        lab.now(),
    )
}

/// The status that a response to a request without nonce gives.
pub(crate) fn status(lab: &Lab, leaf: &Leaf, response: &[u8]) -> CertStatus {
    verify(lab, leaf, response, Nonce::NotSent).unwrap().status()
}

/// An HTTP response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// Reads what came until the connection closed.
    pub(crate) fn parse(received: &[u8]) -> Self {
        let end = received.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = std::str::from_utf8(&received[..end]).unwrap();
        let (first, fields) = head.split_once("\r\n").unwrap();
        let field = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        };
        Self {
            status: first.split(' ').nth(1).unwrap().parse().unwrap(),
            headers: fields.split("\r\n").map(field).collect(),
            body: received[end + 4..].to_vec(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// Sends a request and gives the connection on which the response comes, if any.
pub(crate) fn exchange(url: &str, method: &str, body: &[u8]) -> std::io::Result<TcpStream> {
    let (authority, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(authority)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let head = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat())?;
    Ok(stream)
}

fn reply(mut stream: TcpStream) -> std::io::Result<Reply> {
    let mut received = Vec::new();
    stream.read_to_end(&mut received)?;
    Ok(Reply::parse(&received))
}

pub(crate) fn get(url: &str) -> std::io::Result<Reply> {
    reply(exchange(url, "GET", &[])?)
}

pub(crate) fn post(url: &str, body: &[u8]) -> std::io::Result<Reply> {
    reply(exchange(url, "POST", body)?)
}
