//! nginx as the server: with a staple from a file, and with one that it fetches itself.

use std::fmt::Write as _;

use certstatus_lab::{KeyKind, LeafRequest};

use crate::harness::files::Files;
use crate::harness::pki::{Case, NAME, Pki, Version, matrix, with_rsa_and_ecdsa};
use crate::harness::process::{Daemon, Program, eventually, free_port};
use crate::harness::{client, command};

with_rsa_and_ecdsa!(
    we_check_what_nginx_staples_from_a_file,
    nginx_fetches_from_the_lab_and_leaves_the_first_handshake_unstapled,
    nginx_does_not_staple_revoked,
);

/// A running nginx. Its directory is that of the test's [`Files`].
struct Nginx {
    daemon: Daemon,
    port: u16,
}

impl Nginx {
    /// Starts nginx as one process, with these lines about stapling in its `server`.
    fn start(files: &Files, version: Version, stapling: &str) -> Self {
        let port = free_port();
        let config = configuration(files, port, version, stapling);
        let config = files.write("nginx.conf", config.as_bytes());
        let mut command = Program::find("nginx", "nginx-light").call();
        command.args(["-p", &files.path(""), "-c", &config, "-e", "stderr"]);
        let mut daemon = Daemon::start(command);
        daemon.wait_for_port(port);
        Self { daemon, port }
    }
}

fn configuration(files: &Files, port: u16, version: Version, stapling: &str) -> String {
    let mut temporary = String::new();
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        writeln!(temporary, "    {kind}_temp_path {};", files.path(kind)).unwrap();
    }
    format!(
        "daemon off;
master_process off;
error_log stderr info;
pid {pid};
events {{ worker_connections 64; }}
http {{
    access_log off;
{temporary}
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name {NAME};
        ssl_protocols TLSv{version};
        ssl_certificate {chain};
        ssl_certificate_key {key};
        {stapling}
        return 204;
    }}
}}
",
        pid = files.path("nginx.pid"),
        version = version.number(),
        chain = files.chain(),
        key = files.key(),
    )
}

fn we_check_what_nginx_staples_from_a_file(kind: KeyKind) {
    let pki = Pki::shared(kind);
    for (version, case) in matrix() {
        let files = Files::of_case(pki, case);
        // nginx reads the file once and staples it for ever, revoked and expired or not.
        let stapling = match files.staple() {
            Some(staple) => format!("ssl_stapling on; ssl_stapling_file {staple};"),
            None => String::new(),
        };
        let mut nginx = Nginx::start(&files, version, &stapling);
        command::check(&files, nginx.port, version, case);
        client::connect(pki.lab(), nginx.port, version).is_as_told(case);
        if let Some(alert) = case.alert() {
            nginx.daemon.wait_for_words(&format!("SSL alert number {alert}"));
        }
    }
}

fn fetching(files: &Files) -> String {
    let authorities = files.authorities();
    format!("ssl_stapling on; ssl_stapling_verify on; ssl_trusted_certificate {authorities};")
}

/// nginx asks the responder when the first client comes and does not let it wait: that client gets
/// nothing, and a later one the staple. It is the known hole, and not something to fix here.
fn nginx_fetches_from_the_lab_and_leaves_the_first_handshake_unstapled(kind: KeyKind) {
    let pki = Pki::shared(kind);
    for version in Version::ALL {
        let leaf = pki.lab().issue(LeafRequest::new(NAME).must_staple()).unwrap();
        let files = Files::of(pki.lab(), &leaf);
        let nginx = Nginx::start(&files, version, &fetching(&files));
        command::check(&files, nginx.port, version, Case::Missing);
        eventually("a stapled handshake", || {
            client::connect(pki.lab(), nginx.port, version).result.is_ok().then_some(())
        });
        command::check(&files, nginx.port, version, Case::Good);
    }
}

/// What nginx fetches itself it does not staple when it says *revoked*; so a client that does not
/// insist learns nothing.
fn nginx_does_not_staple_revoked(kind: KeyKind) {
    let pki = Pki::shared(kind);
    let files = Files::of(pki.lab(), pki.leaf(Case::Revoked));
    let version = Version::Tls13;
    let mut nginx = Nginx::start(&files, version, &fetching(&files));
    command::check(&files, nginx.port, version, Case::Missing);
    nginx.daemon.wait_for_words("certificate status \"revoked\"");
    command::check(&files, nginx.port, version, Case::Missing);
}
