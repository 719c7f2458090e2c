//! lighttpd with its mod_openssl on our libssl: hosts chosen by name, a staple from a file, clients
//! verified, sessions.

use certstatus_lab::{KeyKind, LeafRequest};
use tempfile::TempDir;

use super::authority::Authority;
use super::{Library, curl, only};
use crate::harness::files::Files;
use crate::harness::pki::{Case, NAME, Pki, Version, with_rsa_and_ecdsa};
use crate::harness::process::{Daemon, Finished, Program, free_port, run};
use crate::harness::{client, command};

with_rsa_and_ecdsa!(lighttpd_chooses_the_host_by_name, lighttpd_staples_what_a_file_holds);

/// What each host answers.
const HELLO: &str = "hello\n";

/// A running lighttpd.
struct Lighttpd {
    port: u16,
    // In the order in which they go away.
    _daemon: Daemon,
    _directory: TempDir,
}

impl Lighttpd {
    /// Starts it on ours with these lines about TLS.
    fn start(lines: &str) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let root = directory.path().to_str().expect("a plain name").to_owned();
        std::fs::write(directory.path().join("index.html"), HELLO).unwrap();
        let port = free_port();
        let configuration = format!(
            "server.document-root = \"{root}\"
server.bind = \"127.0.0.1\"
server.port = {port}
server.modules = ( \"mod_openssl\", \"mod_indexfile\", \"mod_staticfile\" )
index-file.names = ( \"index.html\" )
ssl.engine = \"enable\"
{lines}
"
        );
        let path = directory.path().join("lighttpd.conf");
        std::fs::write(&path, configuration).unwrap();
        let module = std::path::Path::new("/usr/lib/lighttpd/mod_openssl.so");
        assert!(module.is_file(), "run `apt-get install lighttpd-mod-openssl`, or `ci/test`");
        let mut call = Library::Ours.call(&Program::find("lighttpd", "lighttpd"));
        call.args(["-D", "-f"]).arg(&path);
        let mut daemon = Daemon::start(call);
        daemon.wait_for_port(port);
        Self { port, _daemon: daemon, _directory: directory }
    }

    /// What the system's curl gets of that name, with these options.
    fn fetch(&self, files: &Files, name: &str, more: &[&str]) -> Finished {
        curl(Library::System, &files.root(), &format!("{name}:{}", self.port), more)
    }
}

/// The lines that give a host its certificate.
fn certificate(files: &Files) -> String {
    format!("ssl.pemfile = \"{}\"\nssl.privkey = \"{}\"\n", files.chain(), files.key())
}

fn lighttpd_chooses_the_host_by_name(kind: KeyKind) {
    const OTHER: &str = "other.example";
    let pki = Pki::shared(kind);
    let files = Files::of_case(pki, Case::Missing);
    let others = Files::of(pki.lab(), &pki.lab().issue(LeafRequest::new(OTHER)).unwrap());
    let other = format!("$HTTP[\"host\"] == \"{OTHER}\" {{\n{}}}", certificate(&others));
    let lighttpd = Lighttpd::start(&(certificate(&files) + &other));
    for version in Version::ALL {
        for (option, protocol) in [("--http2", "2"), ("--http1.1", "1.1")] {
            for name in [NAME, OTHER] {
                let tls = [&only(version)[..], &[option, "--write-out", "%{http_version}"]];
                let done = lighttpd.fetch(&files, name, &tls.concat());
                assert_eq!(done.exits(0).text(), format!("{HELLO}{protocol}"));
            }
        }
        command::check(&files, lighttpd.port, version, Case::Missing);
    }
}

fn lighttpd_staples_what_a_file_holds(kind: KeyKind) {
    let pki = Pki::shared(kind);
    for case in [Case::Good, Case::Revoked] {
        let files = Files::of_case(pki, case);
        let staple = files.staple().expect("these cases have one");
        let lines = format!("{}ssl.stapling-file = \"{staple}\"", certificate(&files));
        let lighttpd = Lighttpd::start(&lines);
        for version in Version::ALL {
            command::check(&files, lighttpd.port, version, case);
            client::connect(pki.lab(), lighttpd.port, version).is_as_told(case);
            let strict = [&only(version)[..], &["--cert-status"]].concat();
            let done = lighttpd.fetch(&files, NAME, &strict);
            done.exits(if case == Case::Good { 0 } else { 91 });
        }
    }
    // It does not staple what has expired.
    let files = Files::of_case(pki, Case::Expired);
    let staple = files.staple().expect("this case has one");
    let lines = format!("{}ssl.stapling-file = \"{staple}\"", certificate(&files));
    let lighttpd = Lighttpd::start(&lines);
    command::check(&files, lighttpd.port, Version::Tls13, Case::Missing);
}

#[test]
fn lighttpd_knows_its_clients_and_whom_a_list_revokes() {
    let own = Authority::new(Pki::shared(KeyKind::EcdsaP256));
    let lines = format!(
        "{}ssl.verifyclient.activate = \"enable\"
ssl.verifyclient.enforce = \"enable\"
ssl.verifyclient.ca-file = \"{}\"
ssl.verifyclient.ca-crl-file = \"{}\"",
        certificate(&own.files),
        own.root(),
        own.list()
    );
    let lighttpd = Lighttpd::start(&lines);
    for version in Version::ALL {
        let fetch = |name| {
            let options = own.options(version, name);
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            lighttpd.fetch(&own.files, NAME, &options)
        };
        assert_eq!(fetch(Some("known")).exits(0).text(), HELLO);
        fetch(Some("revoked")).fails();
        fetch(None).fails();
    }
}

#[test]
fn lighttpd_resumes_by_ticket() {
    let files = Files::of_case(Pki::shared(KeyKind::EcdsaP256), Case::Missing);
    let lighttpd = Lighttpd::start(&certificate(&files));
    let mut call = Library::System.call(&Program::find("openssl", "openssl"));
    call.args(["s_client", "-connect", &format!("127.0.0.1:{}", lighttpd.port)]);
    call.args(["-servername", NAME, "-tls1_2", "-reconnect"]);
    let done = run(call);
    assert_eq!(done.exits(0).text().matches("Reused, TLSv1.2").count(), 5, "{done}");
}
