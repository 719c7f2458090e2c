//! An agent as a process, its directory, and what can be asked of it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use certstatus::{Certificate, Issuer, VerifiedResponse, Verifier};
use certstatus_lab::{Lab, LabBuilder, Leaf, LeafRequest};
use rustls_pki_types::UnixTime;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::certstatus;

/// How long anything may take. All of it takes a second or two on an idle machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Polls until there is something.
#[track_caller]
pub(super) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not happen within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A lab, and a directory with certificates of it and a configuration.
pub(super) struct Place {
    pub(super) lab: Lab,
    directory: TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        Self::with(Lab::builder())
    }

    pub(super) fn with(lab: LabBuilder) -> Self {
        Self { lab: lab.start().unwrap(), directory: TempDir::new().unwrap() }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A path as it stands in a configuration.
    pub(super) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub(super) fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, contents).unwrap();
        path
    }

    /// Issues a certificate and writes its chain, in one step as certbot does.
    pub(super) fn issue(&self, name: &str, request: LeafRequest) -> Leaf {
        let leaf = self.lab.issue(request).unwrap();
        self.install(name, &leaf);
        leaf
    }

    /// Writes the chain of a certificate.
    pub(super) fn install(&self, name: &str, leaf: &Leaf) {
        let directory = TempDir::new().unwrap();
        let files = self.lab.write_files(directory.path(), leaf).unwrap();
        let new = self.write(&format!("{name}.new"), fs::read(files.chain_pem).unwrap());
        fs::rename(new, self.path(name)).unwrap();
    }

    /// Writes a configuration: these lines, a store, and a page at a free port.
    pub(super) fn configure(&self, lines: &str) {
        let text = format!(
            "store.path = \"store\"\nhttp.listen = \"127.0.0.1:0\"\nwatch.interval = \"50ms\"\n\
             hook.interval = \"1ms\"\n{lines}"
        );
        self.write("agent.toml", text);
    }

    /// The response in a file, if it is one that is to be trusted about that certificate now.
    pub(super) fn staple(&self, name: &str, leaf: &Leaf) -> Option<VerifiedResponse> {
        let der = fs::read(self.path(name)).ok()?;
        let certificate = Certificate::parse(leaf.certificate()).unwrap();
        let issuer = Certificate::parse(leaf.issuer()).unwrap();
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        Verifier::new(provider.signature_verification_algorithms.all)
            .verify(&der, &certificate, &Issuer::from_certificate(&issuer), UnixTime::now())
            .ok()
    }

    /// `certstatus agent` with the configuration.
    pub(super) fn agent(&self, args: &[&str]) -> assert_cmd::Command {
        let mut command = certstatus(&["agent", "--config"]);
        command.arg(self.path("agent.toml")).args(args);
        command
    }

    /// Starts the agent as a service.
    pub(super) fn start(&self) -> Agent {
        self.start_with(|_| {})
    }

    pub(super) fn start_with(&self, with: impl FnOnce(&mut Command)) -> Agent {
        let mut command = Command::new(env!("CARGO_BIN_EXE_certstatus"));
        command.args(["agent", "--config"]).arg(self.path("agent.toml"));
        for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "NOTIFY_SOCKET"] {
            command.env_remove(name);
        }
        command.env("NO_COLOR", "1").stdin(Stdio::null()).stdout(Stdio::null());
        with(&mut command);
        Agent::start(command)
    }
}

/// A running agent. It is killed with the value, if it has not ended.
pub(super) struct Agent {
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Agent {
    fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (shared, stderr) = (Arc::clone(&log), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut log = shared.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self { child, log }
    }

    pub(super) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until it has written those words.
    #[track_caller]
    pub(super) fn says(&self, words: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log().contains(words) {
            assert!(Instant::now() < deadline, "it does not say {words:?}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[track_caller]
    pub(super) fn is_ready(&self) {
        self.says(" ready");
    }

    /// The address of its page.
    fn address(&self) -> String {
        eventually("a status page", || {
            let log = self.log();
            let (_, rest) = log.rsplit_once("status page at http://")?;
            rest.split_once('/').map(|(address, _)| address.to_owned())
        })
    }

    /// Status, header and body of a GET.
    pub(super) fn get(&self, path: &str) -> (u16, String, String) {
        let address = self.address();
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        // The body comes in one piece of a known length, or in chunks.
        (status, head.to_ascii_lowercase(), body.to_owned())
    }

    /// The API's answer.
    pub(super) fn staples(&self) -> Value {
        let (status, _, body) = self.get("/api/v1/staples");
        assert_eq!(status, 200);
        serde_json::from_str(&body).unwrap_or_else(|e| panic!("{e}: {body}"))
    }

    /// What the API says of the only certificate.
    pub(super) fn only(&self) -> Value {
        let staples = self.staples();
        assert_eq!(staples["staples"].as_array().unwrap().len(), 1, "{staples}");
        staples["staples"][0].clone()
    }

    pub(super) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub(super) fn end(&mut self) -> ExitStatus {
        eventually("the end", || self.child.try_wait().unwrap())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Both fail only for a child that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("beside the test that failed ran an agent:\n{}", self.log());
        }
    }
}

/// Whether there is no such file.
pub(super) fn is_gone(path: &Path) -> Option<()> {
    (!path.exists()).then_some(())
}
