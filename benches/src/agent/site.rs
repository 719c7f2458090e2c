//! The files of so many servers: certificates as certbot lays them out, a store that is warm, the
//! staples where servers read them, and a responder.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use certstatus::time::unix;
use certstatus_lab::Lab;
use certstatus_stapler::Fingerprint;
use rustls_pki_types::UnixTime;

/// How old the staples of the store are, in seconds: of four days' life, so that none is due.
const AGE: u64 = 7200;

/// Four days, as most public CAs have them or more.
const LIFE: Duration = Duration::from_secs(4 * 86_400);

/// One agent's directory, and the CA behind its certificates.
pub(super) struct Site {
    directory: tempfile::TempDir,
    /// Answers while this value lives.
    lab: Lab,
    /// Bytes of all staples.
    staples: usize,
}

impl Site {
    /// Lays out so many certificates: `live/NAME/fullchain.pem`, and for each its staple in `store`
    /// and in `staples`.
    pub(super) fn make(size: usize) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let now = UnixTime::now().as_secs();
        let lab = Lab::builder().now(unix(now - AGE)).validity(LIFE).start().expect("the lab");
        let mut site = Self { directory, lab, staples: 0 };
        for name in ["store", "staples"] {
            fs::create_dir(site.path(name)).expect("a directory");
        }
        let issuer = pem(site.lab.intermediate());
        for number in 0..size {
            let name = format!("host-{number:06}");
            let leaf = site.lab.leaf(&format!("{name}.bench.example")).expect("a certificate");
            let staple = site.lab.respond(&leaf);
            site.staples += staple.len();
            let live = site.path("live").join(&name);
            fs::create_dir_all(&live).expect("a directory");
            let mut chain = fs::File::create(live.join("fullchain.pem")).expect("a file");
            let leaf = leaf.certificate();
            let written = chain.write_all(format!("{}{issuer}", pem(leaf)).as_bytes());
            written.expect("a certificate");
            let stored = site.path("store").join(format!("{}.der", Fingerprint::of(leaf)));
            fs::write(stored, &staple).expect("a staple");
            fs::write(site.path("staples").join(format!("{name}.der")), &staple).expect("a staple");
        }
        // What is fetched from now on is as of now.
        site.lab.set_now(unix(now));
        site
    }

    /// Bytes of all staples.
    pub(super) fn staples(&self) -> usize {
        self.staples
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes the configuration, and gives its path.
    pub(super) fn configure(&self) -> PathBuf {
        let text = "store.path = \"store\"\n\
                    http.listen = \"127.0.0.1:0\"\n\
                    fetch.concurrent = 64\n\
                    fetch.per_second = 100000\n\
                    [[certificate]]\n\
                    path = \"live/*/fullchain.pem\"\n\
                    output = \"staples/{dir}.der\"\n";
        let path = self.path("agent.toml");
        fs::write(&path, text).expect("a configuration");
        path
    }

    /// Takes every staple away, from the store and from the servers.
    pub(super) fn cool(&self) {
        for name in ["store", "staples"] {
            fs::remove_dir_all(self.path(name)).expect("a directory of ours");
            fs::create_dir(self.path(name)).expect("a directory");
        }
    }

    /// How many requests the responder has had.
    pub(super) fn requests(&self) -> usize {
        self.lab.requests()
    }

    /// How many staples servers find.
    pub(super) fn served(&self) -> usize {
        count(&self.path("staples"))
    }
}

fn count(directory: &Path) -> usize {
    fs::read_dir(directory).expect("a directory of ours").count()
}

fn pem(der: &[u8]) -> String {
    let text = BASE64.encode(der);
    let lines = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line));
    let body: Vec<_> = lines.collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", body.join("\n"))
}
