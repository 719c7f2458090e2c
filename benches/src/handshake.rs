//! What a staple costs a rustls server: the server's own time in a full handshake, in memory, with
//! and without a staple. The client's time is not counted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use certstatus::{Certificate, Issuer, Verifier};
use certstatus_lab::{KeyKind, Lab};
use certstatus_rustls::StapledKey;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::ResolvesServerCert;
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection,
    SupportedProtocolVersion, version,
};
use rustls_pki_types::{ServerName, UnixTime};

use crate::side_by_side::{Contestant, Effort, measure};

/// Measures and prints the table.
pub(crate) fn run(effort: Effort) {
    println!("A full handshake on the rustls server, µs of the server's time\n");
    println!("{:<24}{:>12}{:>12}   stapled / plain", "", "plain", "stapled");
    for key in [KeyKind::EcdsaP256, KeyKind::Rsa2048] {
        for version in [&version::TLS12, &version::TLS13] {
            row(effort, key, version);
        }
    }
    println!();
}

fn row(effort: Effort, key: KeyKind, version: &'static SupportedProtocolVersion) {
    let pair = Pair::new(key, version);
    let results = measure(
        effort,
        vec![
            Contestant::timing_itself("plain", || pair.handshake(&pair.plain)),
            Contestant::timing_itself("stapled", || pair.handshake(&pair.stapled)),
        ],
    );
    println!(
        "{:<24}{:>12.1}{:>12.1}   {}",
        format!("{key} {:?}", version.version),
        results.nanoseconds("plain") / 1000.0,
        results.nanoseconds("stapled") / 1000.0,
        crate::judged(results.ratio("stapled", "plain"), "≤", 1.02),
    );
}

struct Pair {
    client: Arc<ClientConfig>,
    plain: Arc<ServerConfig>,
    stapled: Arc<ServerConfig>,
}

impl Pair {
    fn new(key: KeyKind, version: &'static SupportedProtocolVersion) -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let lab = Lab::builder().key(key).build().expect("the lab");
        let leaf = lab.leaf("bench.example").expect("a certificate");
        let signing_key = provider.key_provider.load_private_key(leaf.key()).expect("a key");
        let certified = Arc::new(CertifiedKey::new(leaf.chain().to_vec(), signing_key));

        let issuer = Certificate::parse(lab.intermediate()).expect("the issuer");
        let certificate = Certificate::parse(leaf.certificate()).expect("the certificate");
        let response = lab.respond(&leaf);
        let staple = Verifier::new(provider.signature_verification_algorithms.all)
            .verify(&response, &certificate, &Issuer::from_certificate(&issuer), UnixTime::now())
            .expect("a response that holds");

        let plain = StapledKey::new(Arc::clone(&certified));
        let stapled = StapledKey::new(certified);
        stapled.set(staple).expect("a staple for this certificate");

        let mut roots = RootCertStore::empty();
        roots.add(lab.root().clone()).expect("a root");
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.resumption = rustls::client::Resumption::disabled();
        Self {
            client: Arc::new(client),
            plain: server(&provider, version, plain),
            stapled: server(&provider, version, stapled),
        }
    }

    /// Runs one handshake; gives the time that passed in the server.
    fn handshake(&self, server: &Arc<ServerConfig>) -> Duration {
        let name = ServerName::try_from("bench.example").expect("a name");
        let mut client = ClientConnection::new(Arc::clone(&self.client), name).expect("a client");
        let start = Instant::now();
        let mut server = ServerConnection::new(Arc::clone(server)).expect("a server");
        let mut spent = start.elapsed();
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        while client.is_handshaking() || server.is_handshaking() {
            while client.wants_write() {
                client.write_tls(&mut to_server).expect("a write into memory");
            }
            let start = Instant::now();
            let mut input = to_server.as_slice();
            while !input.is_empty() {
                server.read_tls(&mut input).expect("a read from memory");
                server.process_new_packets().expect("a handshake that goes on");
            }
            while server.wants_write() {
                server.write_tls(&mut to_client).expect("a write into memory");
            }
            spent += start.elapsed();
            to_server.clear();
            let mut input = to_client.as_slice();
            while !input.is_empty() {
                client.read_tls(&mut input).expect("a read from memory");
                client.process_new_packets().expect("a handshake that goes on");
            }
            to_client.clear();
        }
        spent
    }
}

fn server(
    provider: &Arc<CryptoProvider>,
    version: &'static SupportedProtocolVersion,
    resolver: impl ResolvesServerCert + 'static,
) -> Arc<ServerConfig> {
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    // No tickets: they cost the same on both sides, and would only blur what is measured.
    config.send_tls13_tickets = 0;
    Arc::new(config)
}
