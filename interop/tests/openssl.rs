//! `openssl s_client` reads what our server staples, and our clients check what `openssl s_server`
//! staples (RFC 6066, 8; RFC 8446, 4.4.2.1).
//!
//! `s_client` prints what was stapled and judges nothing, and `s_server -status_file` staples any
//! file: the two are plumbing, which makes them good peers for what travels on the wire.

use certstatus_lab::KeyKind;

use crate::harness::files::Files;
use crate::harness::pki::{Case, NAME, Pki, Version, matrix, with_rsa_and_ecdsa};
use crate::harness::process::{Daemon, Finished, Program};
use crate::harness::server::Server;
use crate::harness::{client, command};

with_rsa_and_ecdsa!(
    s_client_reads_our_staples,
    s_client_gets_no_staple_unasked,
    we_check_what_s_server_staples,
);

fn openssl() -> Program {
    Program::find("openssl", "openssl")
}

fn flag(version: Version) -> &'static str {
    match version {
        Version::Tls12 => "-tls1_2",
        Version::Tls13 => "-tls1_3",
    }
}

fn s_client(server: &Server, files: &Files, version: Version, more: &[&str]) -> Finished {
    let address = format!("127.0.0.1:{}", server.port());
    let root = files.root();
    let args = ["s_client", "-connect", &address, "-servername", NAME, "-CAfile", &root];
    let checks = ["-verify_hostname", NAME, "-verify_return_error", flag(version)];
    openssl().run(args.iter().chain(&checks).chain(more))
}

fn s_client_reads_our_staples(kind: KeyKind) {
    let pki = Pki::shared(kind);
    for (version, case) in matrix() {
        let files = Files::of_case(pki, case);
        let server = Server::start(pki, case, version);
        let done = s_client(&server, &files, version, &["-status"]);
        done.exits(0).says("Verify return code: 0 (ok)");
        let status = match case {
            Case::Good | Case::Expired => "Cert Status: good",
            Case::Revoked => "Cert Status: revoked",
            Case::Missing => {
                done.says("OCSP response: no response sent").does_not_say("OCSP Response Data");
                continue;
            }
        };
        let serial = certstatus::hex(pki.leaf(case).serial()).to_uppercase();
        done.says("OCSP Response Status: successful (0x0)")
            .says(status)
            .says(&format!("Serial Number: {serial}"));
        assert_eq!(server.failures(), [""; 0], "{version:?} {case:?}");
    }
}

/// RFC 6066, 8: a server staples only to clients that ask.
fn s_client_gets_no_staple_unasked(kind: KeyKind) {
    const EXTENSION: &str = "TLS server extension \"status request\"";
    let pki = Pki::shared(kind);
    let files = Files::of_case(pki, Case::Good);
    for version in Version::ALL {
        let server = Server::start(pki, Case::Good, version);
        s_client(&server, &files, version, &["-tlsextdebug"]).exits(0).does_not_say(EXTENSION);
        s_client(&server, &files, version, &["-tlsextdebug", "-status"]).exits(0).says(EXTENSION);
    }
}

fn we_check_what_s_server_staples(kind: KeyKind) {
    let pki = Pki::shared(kind);
    for (version, case) in matrix() {
        let files = Files::of_case(pki, case);
        let mut command = openssl().call();
        command.args(["s_server", "-accept", "127.0.0.1:0", "-www", flag(version)]);
        command.args(["-cert", &files.leaf(), "-key", &files.key()]);
        command.args(["-cert_chain", &files.issuer()]);
        if let Some(staple) = files.staple() {
            command.args(["-status_file", &staple]);
        }
        let mut server = Daemon::start(command);
        let port = server.accept_port();

        command::check(&files, port, version, case);
        client::connect(pki.lab(), port, version).is_as_told(case);
        if let Some(alert) = case.alert() {
            server.wait_for_words(&format!("SSL alert number {alert}"));
        }
    }
}
