//! Our server: rustls with the staples of `certstatus-rustls`, one thread for a connection.
//!
//! It answers every request with the same few bytes of HTTP/1.1, so that curl has something to get,
//! and keeps what went wrong in handshakes, so that a test can say which alert a peer sent.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use certstatus_lab::Leaf;
use certstatus_rustls::{Hello, ServerDecision, StapledKey, StaplingResolver};
use rustls::server::ResolvesServerCert;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ServerConfig, ServerConnection, Stream};

use super::pki::{Case, Pki, Version, provider};

/// What the server says to every request.
pub(crate) const GREETING: &str = "stapled greetings\n";

/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(5);

/// A TLS server on a port of its own. It ends when the value is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    port: u16,
    stop: Arc<AtomicBool>,
    failures: Arc<Mutex<Vec<String>>>,
    acceptor: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves the certificate of that case, and staples what belongs to it.
    ///
    /// What is current goes through a [`StapledKey`], which takes nothing else; what has expired
    /// can only go through a callback.
    pub(crate) fn start(pki: &Pki, case: Case, version: Version) -> Self {
        let leaf = pki.leaf(case);
        match (case, pki.staple(case)) {
            (_, None) => Self::without_staple(leaf, version),
            (Case::Expired, Some(staple)) => Self::with_any_staple(leaf, staple, version),
            (_, Some(staple)) => {
                let stapled = StapledKey::new(Arc::new(load(leaf))).staple_any_status();
                stapled.set(pki.verify(leaf, staple)).expect("the staple fits");
                Self::serve(Arc::new(stapled), version)
            }
        }
    }

    /// Serves a certificate, and staples these bytes through the callback of a
    /// [`StaplingResolver`], which sends what it is told.
    pub(crate) fn with_any_staple(leaf: &Leaf, staple: &[u8], version: Version) -> Self {
        let staple: Arc<[u8]> = staple.into();
        let inner = Arc::new(SingleCertAndKey::from(load(leaf)));
        let callback = move |_: &Hello<'_>, _: &_| ServerDecision::Staple(staple.clone());
        Self::serve(Arc::new(StaplingResolver::on_status(inner, callback)), version)
    }

    /// Serves a certificate and staples nothing.
    pub(crate) fn without_staple(leaf: &Leaf, version: Version) -> Self {
        Self::serve(Arc::new(StapledKey::new(Arc::new(load(leaf)))), version)
    }

    fn serve(resolver: Arc<dyn ResolvesServerCert>, version: Version) -> Self {
        let config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version.of_rustls()])
            .expect("the provider knows both versions")
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        let config = Arc::new(config);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let stop = Arc::new(AtomicBool::new(false));
        let failures = Arc::new(Mutex::new(Vec::new()));
        let (stopped, failed) = (Arc::clone(&stop), Arc::clone(&failures));
        let acceptor = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Acquire) {
                    return;
                }
                let (config, failed) = (Arc::clone(&config), Arc::clone(&failed));
                std::thread::spawn(move || {
                    if let Err(error) = stream.and_then(|stream| answer(config, stream)) {
                        failed.lock().unwrap().push(error.to_string());
                    }
                });
            }
        });
        Self { port, stop, failures, acceptor: Some(acceptor) }
    }

    /// Where it listens, at 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What went wrong in its connections: for an alert that came, rustls's words for it.
    pub(crate) fn failures(&self) -> Vec<String> {
        self.failures.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // One more connection wakes the acceptor; if there is nobody to wake, it has ended.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn load(leaf: &Leaf) -> CertifiedKey {
    CertifiedKey::from_der(leaf.chain().to_vec(), leaf.key(), &provider())
        .expect("the lab's keys are ones that rustls loads")
}

/// Shakes hands, reads a request up to its empty line or the end, answers, and says goodbye.
fn answer(config: Arc<ServerConfig>, mut socket: TcpStream) -> std::io::Result<()> {
    socket.set_read_timeout(Some(SILENCE))?;
    let mut connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut socket)?;
    }
    let mut tls = Stream::new(&mut connection, &mut socket);
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    while !request.ends_with(b"\r\n\r\n") {
        match tls.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => request.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error),
        }
    }
    if request.is_empty() {
        return Ok(());
    }
    let length = GREETING.len();
    write!(
        tls,
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{GREETING}"
    )?;
    tls.flush()?;
    connection.send_close_notify();
    connection.complete_io(&mut socket)?;
    Ok(())
}
