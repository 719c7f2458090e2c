//! GnuTLS both ways: `gnutls-cli` checks what our server staples, which it does without being told
//! to, and our clients check what `gnutls-serv` staples. `ocsptool` reads our messages.

use certstatus::message::HashAlgorithm;
use certstatus_lab::KeyKind;

use crate::harness::files::Files;
use crate::harness::pki::{Case, NAME, Pki, Version, matrix, with_rsa_and_ecdsa};
use crate::harness::process::{Daemon, Finished, Program, free_port};
use crate::harness::server::Server;
use crate::harness::{client, command};

with_rsa_and_ecdsa!(
    gnutls_cli_checks_our_staples,
    gnutls_cli_refuses_a_must_staple_server_without_a_staple,
    we_check_what_gnutls_serv_staples,
    ocsptool_reads_our_requests_and_verifies_our_responses,
);

fn program(name: &str) -> Program {
    Program::find(name, "gnutls-bin")
}

fn priority(version: Version) -> String {
    format!("NORMAL:-VERS-ALL:+VERS-TLS{}", version.number())
}

/// `gnutls-cli`'s call of our server, of that version of TLS and no other.
pub(crate) fn gnutls_cli(
    server: &Server,
    files: &Files,
    version: Version,
    more: &[&str],
) -> Finished {
    let port = server.port().to_string();
    let (root, priority) = (files.root(), priority(version));
    let names = ["--sni-hostname", NAME, "--verify-hostname", NAME];
    let args = ["--x509cafile", &root, "--priority", &priority, "--port", &port, "127.0.0.1"];
    program("gnutls-cli").run(names.iter().chain(more).chain(&args))
}

fn gnutls_cli_checks_our_staples(kind: KeyKind) {
    let pki = Pki::shared(kind);
    for (version, case) in matrix() {
        let files = Files::of_case(pki, case);
        let server = Server::start(pki, case, version);
        let saved = files.path("saved.der");
        let done = gnutls_cli(&server, &files, version, &["--save-ocsp", &saved]);
        match case {
            Case::Good => {
                done.exits(0).says("Status: The certificate is trusted.");
                done.says("OCSP status request").says("Handshake was completed");
                assert_eq!(std::fs::read(&saved).ok().as_deref(), pki.staple(case), "{done}");
            }
            Case::Revoked => {
                done.fails().says("The certificate chain is revoked");
            }
            Case::Expired => {
                done.fails().says("The revocation or OCSP data are old and have been superseded");
            }
            Case::Missing => {
                done.exits(0).says("Handshake was completed").does_not_say("OCSP status request");
            }
        }
    }
}

/// RFC 7633: a client refuses a server that does not staple although its certificate says so.
fn gnutls_cli_refuses_a_must_staple_server_without_a_staple(kind: KeyKind) {
    let pki = Pki::shared(kind);
    let files = Files::of(pki.lab(), pki.must_staple());
    for version in Version::ALL {
        let server = Server::without_staple(pki.must_staple(), version);
        gnutls_cli(&server, &files, version, &[])
            .fails()
            .says("The certificate requires the server to include an OCSP status");
        command::check(&files, server.port(), version, Case::Missing);

        let staple = pki.lab().respond(pki.must_staple());
        let server = Server::with_any_staple(pki.must_staple(), &staple, version);
        gnutls_cli(&server, &files, version, &[]).exits(0);
        command::check(&files, server.port(), version, Case::Good);
    }
}

fn we_check_what_gnutls_serv_staples(kind: KeyKind) {
    let pki = Pki::shared(kind);
    for (version, case) in matrix() {
        let files = Files::of_case(pki, case);
        let port = free_port();
        let mut command = program("gnutls-serv").call();
        command.args(["--http", "--disable-client-cert", "--priority", &priority(version)]);
        command.args(["--port", &port.to_string()]);
        command.args(["--x509certfile", &files.chain(), "--x509keyfile", &files.key()]);
        if let Some(staple) = files.staple() {
            // The server checks at start that the response is about its certificate and current.
            command.args(["--ignore-ocsp-response-errors", "--ocsp-response", &staple]);
        }
        let mut server = Daemon::start(command);
        server.wait_for_port(port);

        command::check(&files, port, version, case);
        client::connect(pki.lab(), port, version).is_as_told(case);
    }
}

fn ocsptool_reads_our_requests_and_verifies_our_responses(kind: KeyKind) {
    let pki = Pki::shared(kind);
    let ocsptool = program("ocsptool");
    for case in [Case::Good, Case::Revoked] {
        let files = Files::of_case(pki, case);
        let leaf = pki.leaf(case);
        let request = pki.lab().request(leaf, HashAlgorithm::Sha1).unwrap();
        let request = files.write("request.der", &request.with_nonce(&[0xa5; 32]).to_der());
        let serial = format!("Serial Number: {}", certstatus::hex(leaf.serial()));
        ocsptool
            .run(["--request-info", "--load-request", &request])
            .exits(0)
            .says("Hash Algorithm: SHA1")
            .says(&serial)
            .says(&"a5".repeat(32));

        let (root, response) = (files.authorities(), files.staple().unwrap());
        let status = if case == Case::Good { "good" } else { "revoked" };
        ocsptool
            .run(["--verify-response", "--load-trust", &root, "--load-response", &response])
            .exits(0)
            .says("Verifying OCSP Response: Success.")
            .says(&format!("Certificate Status: {status}"))
            .says(&serial);
    }
}
