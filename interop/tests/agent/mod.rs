//! `certstatus agent` feeding real servers, through a refresh and a renewal, with responses that live
//! for seconds; and its page in a real browser.
//!
//! At every look `curl --cert-status` and `certstatus check` have to find a good staple: there is no
//! moment without one.

mod browser;
mod fleet;
mod haproxy;
mod lighttpd;
mod nginx;
mod page;
mod proxy;
mod store;
mod systemd;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use certstatus_lab::{Lab, Leaf, LeafRequest};
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::command;
use crate::harness::pki::NAME;
use crate::harness::process::{Daemon, PATIENCE, Program, eventually};

/// How long a response lives: a refresh comes after half of it, and well within the patience of the
/// tests.
const LIFE: Duration = Duration::from_secs(12);

/// curl's codes for a connection that is refused or closed.
const CLOSED: [i32; 4] = [7, 16, 52, 56];

/// A lab, and the files of one server in one directory.
struct Site {
    lab: Lab,
    directory: TempDir,
}

/// What a client sees of a server.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    serial: String,
    this_update: String,
}

impl Site {
    /// A lab whose responses live that long, and a must-staple certificate.
    fn new(life: Duration) -> Self {
        let lab = Lab::builder().validity(life).start().expect("a lab");
        let site = Self { lab, directory: TempDir::new().expect("a temporary directory") };
        site.write("root.pem", &pem("CERTIFICATE", site.lab.root()));
        site.renew();
        site
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().expect("a plain name").to_owned()
    }

    /// Writes a file whole.
    fn write(&self, name: &str, contents: &[u8]) -> String {
        let path = self.path(name);
        std::fs::write(format!("{path}.new"), contents).expect("a temporary file");
        std::fs::rename(format!("{path}.new"), &path).expect("a temporary file");
        path
    }

    /// Puts a new certificate into place, the key first, as those who watch the certificate expect;
    /// and both in one file, as HAProxy wants them. Gives its serial number.
    fn renew(&self) -> String {
        let leaf = self.lab.issue(LeafRequest::new(NAME).must_staple()).expect("a certificate");
        let files = TempDir::new().expect("a temporary directory");
        let files = self.lab.write_files(files.path(), &leaf).expect("files");
        let read = |path: PathBuf| std::fs::read(path).expect("a file of the lab");
        let (key, chain) = (read(files.key_pem), read(files.chain_pem));
        self.write("key.pem", &key);
        self.write("site.pem", &[chain.as_slice(), &key].concat());
        self.write("chain.pem", &chain);
        serial(&leaf)
    }

    /// Writes a configuration of these lines, with a store of that name.
    fn configure(&self, store: &str, lines: &str) {
        self.configuration("agent", store, lines);
    }

    fn configuration(&self, name: &str, store: &str, lines: &str) -> String {
        let text = format!(
            "store.path = \"{store}\"\nhttp.listen = \"127.0.0.1:0\"\nwatch.interval = \"100ms\"\n\
             hook.interval = \"1s\"\n{lines}"
        );
        self.write(&format!("{name}.toml"), text.as_bytes())
    }

    /// Starts the agent with a configuration of these lines and waits until it is ready.
    fn agent(&self, lines: &str) -> Daemon {
        self.start("agent", "store", lines)
    }

    /// Starts one agent of several.
    fn member(&self, name: &str, lines: &str) -> Daemon {
        self.start(name, &format!("store-{name}"), lines)
    }

    fn start(&self, name: &str, store: &str, lines: &str) -> Daemon {
        let mut agent = self.call(name, store, lines);
        agent.wait_for_words(" ready");
        agent
    }

    /// Starts one agent of several, and does not wait until it is ready.
    fn begin(&self, name: &str, lines: &str) -> Daemon {
        self.call(name, &format!("store-{name}"), lines)
    }

    fn call(&self, name: &str, store: &str, lines: &str) -> Daemon {
        let config = self.configuration(name, store, lines);
        let mut call = command::program().call();
        call.args(["agent", "--config", &config]);
        Daemon::start(call)
    }

    /// What clients see at that port. Both have to be content, unless the server closes the
    /// connection because it is being restarted.
    #[track_caller]
    fn look(&self, port: u16) -> Option<Seen> {
        let (root, url) = (self.path("root.pem"), format!("https://{NAME}:{port}/"));
        let resolve = format!("{NAME}:{port}:127.0.0.1");
        let curl = ["--silent", "--show-error", "--verbose", "--cert-status", "--cacert", &root];
        let target = ["--resolve", &resolve, &url];
        let done = Program::find("curl", "curl").run(curl.iter().chain(&target));
        if CLOSED.contains(&done.code()) {
            return None;
        }
        done.exits(0).says("SSL certificate status: good (0)");
        let (address, target) = (format!("127.0.0.1:{port}"), format!("{NAME}:{port}"));
        let options = ["check", "--json", "--ca-file", &root, "--connect", &address, &target];
        let done = command::run(&options);
        let report: Value = serde_json::from_slice(done.stdout()).expect("JSON");
        if report["error"]["stage"] == "network" {
            return None;
        }
        done.exits(0);
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{report}")).to_owned();
        Some(Seen {
            serial: text(&report["certificate"]["serial"]),
            this_update: text(&report["status"]["this_update"]),
        })
    }

    /// Looks until clients see what is wanted. Whatever they see before has to be good too.
    #[track_caller]
    fn look_until(&self, port: u16, what: &str, wanted: impl Fn(&Seen) -> bool) -> Seen {
        eventually(what, || self.look(port).filter(&wanted))
    }

    /// Sees that a server at that port is kept stapled through a refresh and a renewal.
    #[track_caller]
    fn is_kept_stapled(&self, port: u16) {
        let first = self.look_until(port, "a staple", |_| true);
        let refreshed =
            self.look_until(port, "a refresh", |seen| seen.this_update > first.this_update);
        assert_eq!(refreshed.serial, first.serial);
        let serial = self.renew();
        let renewed =
            self.look_until(port, "the renewed certificate", |seen| seen.serial == serial);
        assert_ne!(renewed.serial, first.serial);
        self.look_until(port, "its refresh", |seen| seen.this_update > renewed.this_update);
    }

    /// Waits until the staple in that file is another than those bytes.
    fn wait_for_other(&self, name: &str, before: &[u8]) {
        eventually("another staple", || {
            std::fs::read(self.path(name)).ok().filter(|now| now != before).map(drop)
        });
    }
}

/// A server with children of its own, which it takes along when it is asked to end.
struct Server(Daemon);

impl Server {
    fn start(call: Command, port: u16) -> Self {
        let mut server = Self(Daemon::start(call));
        server.0.wait_for_port(port);
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.terminate();
    }
}

fn serial(leaf: &Leaf) -> String {
    certstatus::hex(leaf.serial())
}

fn pem(label: &str, der: &[u8]) -> Vec<u8> {
    use base64::Engine as _;
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n").into_bytes()
}

/// The lives of these tests fit their patience.
const _: () = assert!(LIFE.as_secs() < PATIENCE.as_secs());
