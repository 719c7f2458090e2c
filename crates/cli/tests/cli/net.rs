//! What the tests share: the command, and a TLS server on loopback that staples what it is told.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use certstatus_lab::{Lab, Leaf};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion};
use serde_json::Value;

/// How the command ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// Asserts the exit code, and that each text stands in the output, however its lines are broken.
    #[track_caller]
    pub(crate) fn says(&self, code: i32, texts: &[&str]) -> &Self {
        let all = format!("{}\n{}", self.out, self.err);
        assert_eq!(self.code, code, "{all}");
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        for text in texts {
            assert!(words(&all).contains(&words(text)), "{text:?} is not in:\n{all}");
        }
        self
    }

    /// The JSON objects on standard output, one a line.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }
}

/// Runs the command, with what is given on standard input.
pub(crate) fn certstatus_with(stdin: &str, args: &[&str]) -> Ended {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_certstatus"));
    command.args(args).write_stdin(stdin).timeout(Duration::from_secs(30));
    command.env("LC_ALL", "C.UTF-8").env("COLUMNS", "100");
    for proxy in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy"] {
        command.env_remove(proxy);
    }
    let output = command.output().unwrap();
    Ended {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs the command.
pub(crate) fn certstatus(args: &[&str]) -> Ended {
    certstatus_with("", args)
}

/// A file in a directory of its own.
pub(crate) struct TempFile {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl TempFile {
    pub(crate) fn new(contents: &[u8]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, contents).unwrap();
        Self { _directory: directory, path }
    }

    pub(crate) fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

/// What a server does before TLS; `false` ends the connection there.
pub(crate) type Prelude = Box<dyn Fn(&mut TcpStream) -> bool + Send>;

/// A TLS server, one connection at a time, until it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// How a server is.
pub(crate) struct Setup {
    chain: Vec<rustls_pki_types::CertificateDer<'static>>,
    key: rustls_pki_types::PrivateKeyDer<'static>,
    staple: Vec<u8>,
    versions: Vec<&'static SupportedProtocolVersion>,
    client_ca: Option<rustls_pki_types::CertificateDer<'static>>,
    prelude: Prelude,
}

impl Setup {
    /// A server with that certificate, which staples nothing.
    pub(crate) fn new(leaf: &Leaf) -> Self {
        Self {
            chain: leaf.chain().to_vec(),
            key: leaf.key(),
            staple: Vec::new(),
            versions: rustls::ALL_VERSIONS.to_vec(),
            client_ca: None,
            prelude: Box::new(|_| true),
        }
    }

    pub(crate) fn staple(mut self, staple: Vec<u8>) -> Self {
        self.staple = staple;
        self
    }

    pub(crate) fn version(mut self, version: &'static SupportedProtocolVersion) -> Self {
        self.versions = vec![version];
        self
    }

    /// Requires a certificate of the client, under that root.
    pub(crate) fn client_ca(mut self, root: &rustls_pki_types::CertificateDer<'static>) -> Self {
        self.client_ca = Some(root.clone());
        self
    }

    /// Sends the server's own certificate only.
    pub(crate) fn alone(mut self) -> Self {
        self.chain.truncate(1);
        self
    }

    pub(crate) fn prelude(
        mut self,
        prelude: impl Fn(&mut TcpStream) -> bool + Send + 'static,
    ) -> Self {
        self.prelude = Box::new(prelude);
        self
    }

    pub(crate) fn start(self) -> Server {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&self.versions)
            .unwrap();
        let config = match self.client_ca {
            None => config.with_no_client_auth(),
            Some(root) => {
                let mut roots = RootCertStore::empty();
                roots.add(root).unwrap();
                config.with_client_cert_verifier(
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .unwrap(),
                )
            }
        };
        let config = config.with_single_cert_with_ocsp(self.chain, self.key, self.staple).unwrap();
        Server::start(Arc::new(config), self.prelude)
    }
}

impl Server {
    pub(crate) fn start(config: Arc<ServerConfig>, prelude: Prelude) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                serve(stream.unwrap(), &config, &prelude);
            }
        });
        Self { address, stop, thread: Some(thread) }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// The client may go away whenever it likes.
fn serve(mut stream: TcpStream, config: &Arc<ServerConfig>, prelude: &Prelude) {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    if !prelude(&mut stream) {
        return;
    }
    let mut connection = ServerConnection::new(Arc::clone(config)).unwrap();
    while connection.is_handshaking() {
        if connection.complete_io(&mut stream).is_err() {
            return;
        }
    }
    // To the end of the connection, so that nothing of it is reset.
    let _ = stream.read(&mut [0; 1024]);
}

/// Reads a line, and gives it without its end; empty when the client is gone.
pub(crate) fn read_line(stream: &mut TcpStream) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).unwrap_or(0) == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    String::from_utf8_lossy(&line).trim_end().to_owned()
}

/// Reads so many bytes.
pub(crate) fn read_bytes(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

pub(crate) fn say(stream: &mut TcpStream, bytes: impl AsRef<[u8]>) {
    stream.write_all(bytes.as_ref()).unwrap();
}

/// A lab with a responder, its root in a file, and a certificate for 127.0.0.1 and localhost.
pub(crate) struct World {
    pub(crate) lab: Lab,
    pub(crate) leaf: Leaf,
    pub(crate) ca: TempFile,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::of(Lab::builder().start().unwrap(), false)
    }

    pub(crate) fn of(lab: Lab, must_staple: bool) -> Self {
        let request = certstatus_lab::LeafRequest::new("localhost").san_ip([127, 0, 0, 1]);
        let request = if must_staple { request.must_staple() } else { request };
        let leaf = lab.issue(request).unwrap();
        let ca = TempFile::new(lab.root());
        Self { lab, leaf, ca }
    }

    pub(crate) fn server(&self) -> Setup {
        Setup::new(&self.leaf)
    }

    /// `certstatus check --ca-file CA` with those arguments, at a server.
    pub(crate) fn check(&self, server: &Server, args: &[&str]) -> Ended {
        let address = server.address();
        let mut all = vec!["check", "--ca-file", self.ca.path(), address.as_str()];
        all.extend(args);
        certstatus(&all)
    }
}
