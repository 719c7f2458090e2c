//! nginx on our libssl staples: what a file holds, and what it has fetched from the lab's responder
//! and verified.

use certstatus_lab::{KeyKind, LeafRequest};

use super::Library;
use super::web::{Nginx, certificate, server};
use crate::harness::files::Files;
use crate::harness::pki::{Case, NAME, Pki, Version, with_rsa_and_ecdsa};
use crate::harness::process::{Program, eventually, free_port, run};
use crate::harness::{client, command};

with_rsa_and_ecdsa!(
    nginx_staples_what_a_file_holds,
    nginx_staples_what_it_has_fetched,
    nginx_does_not_staple_revoked,
);

/// An nginx on ours with one certificate and these lines about stapling.
fn start(files: &Files, stapling: &str) -> (Nginx, u16) {
    let port = free_port();
    let lines = format!("{}{stapling} return 204;", certificate(files));
    (Nginx::start(Library::Ours, 1, port, &server(port, NAME, &lines)), port)
}

fn nginx_staples_what_a_file_holds(kind: KeyKind) {
    let pki = Pki::shared(kind);
    for case in Case::ALL {
        let files = Files::of_case(pki, case);
        let stapling = match files.staple() {
            Some(staple) => format!("ssl_stapling on; ssl_stapling_file {staple};"),
            None => String::new(),
        };
        let (mut nginx, port) = start(&files, &stapling);
        for version in Version::ALL {
            command::check(&files, port, version, case);
            client::connect(pki.lab(), port, version).is_as_told(case);
            s_client_reads(&files, port, version, case);
        }
        if let Some(alert) = case.alert() {
            nginx.wait_for_words(&format!("SSL alert number {alert}"));
        }
        nginx.is_content();
    }
}

/// Asserts what the system's `openssl s_client` reads, and that it gets nothing unasked.
fn s_client_reads(files: &Files, port: u16, version: Version, case: Case) {
    let address = format!("127.0.0.1:{port}");
    let version = format!("-tls{}", version.number().replace('.', "_"));
    let call = |more: &[&str]| {
        let mut command = Library::System.call(&Program::find("openssl", "openssl"));
        command.args(["s_client", "-connect", &address, "-servername", NAME, &version]);
        command.args(["-CAfile", &files.root(), "-verify_return_error", "-tlsextdebug"]);
        command.args(more);
        run(command)
    };
    let done = call(&["-status"]);
    done.exits(0).says(match case {
        Case::Good | Case::Expired => "Cert Status: good",
        Case::Revoked => "Cert Status: revoked",
        Case::Missing => "OCSP response: no response sent",
    });
    call(&[]).exits(0).does_not_say("TLS server extension \"status request\"");
}

fn fetching(files: &Files) -> String {
    let authorities = files.authorities();
    format!("ssl_stapling on; ssl_stapling_verify on; ssl_trusted_certificate {authorities};")
}

/// As on OpenSSL, the first client does not wait for the responder and gets nothing.
fn nginx_staples_what_it_has_fetched(kind: KeyKind) {
    let pki = Pki::shared(kind);
    for version in Version::ALL {
        let leaf = pki.lab().issue(LeafRequest::new(NAME).must_staple()).unwrap();
        let files = Files::of(pki.lab(), &leaf);
        let (nginx, port) = start(&files, &fetching(&files));
        command::check(&files, port, version, Case::Missing);
        eventually("a stapled handshake", || {
            client::connect(pki.lab(), port, version).result.is_ok().then_some(())
        });
        command::check(&files, port, version, Case::Good);
        nginx.is_content();
    }
}

fn nginx_does_not_staple_revoked(kind: KeyKind) {
    let pki = Pki::shared(kind);
    let files = Files::of(pki.lab(), pki.leaf(Case::Revoked));
    let (mut nginx, port) = start(&files, &fetching(&files));
    command::check(&files, port, Version::Tls13, Case::Missing);
    nginx.wait_for_words("certificate status \"revoked\"");
    command::check(&files, port, Version::Tls13, Case::Missing);
}

/// `ssl_stapling_verify` holds the answer against `ssl_trusted_certificate`.
#[test]
fn nginx_does_not_staple_what_it_cannot_verify() {
    let kind = KeyKind::EcdsaP256;
    let pki = Pki::shared(kind);
    let files = Files::of(pki.lab(), &pki.lab().issue(LeafRequest::new(NAME)).unwrap());
    let strangers = Files::of_case(Pki::stranger_to(kind), Case::Missing);
    let (mut nginx, port) = start(&files, &fetching(&strangers));
    command::check(&files, port, Version::Tls13, Case::Missing);
    nginx.wait_for_words("OCSP_basic_verify() failed");
    command::check(&files, port, Version::Tls13, Case::Missing);
}

/// A file for each certificate is not in nginx's configuration, but a responder's answers are: each
/// of two certificates has its own staple.
#[test]
fn nginx_staples_for_each_of_two_certificates() {
    let pki = Pki::shared(KeyKind::EcdsaP256);
    let [ecdsa, rsa] = [KeyKind::EcdsaP256, KeyKind::Rsa2048].map(|kind| {
        Files::of(pki.lab(), &pki.lab().issue(LeafRequest::new(NAME).key(kind)).unwrap())
    });
    let (nginx, port) = start(&ecdsa, &(certificate(&rsa) + &fetching(&ecdsa)));
    for (files, scheme) in [(&ecdsa, "ecdsa_secp256r1_sha256"), (&rsa, "rsa_pss_rsae_sha256")] {
        let leaf = std::fs::read_to_string(files.leaf()).unwrap();
        eventually("a staple", || {
            let mut command = Library::System.call(&Program::find("openssl", "openssl"));
            command.args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-status"]);
            command.args(["-servername", NAME, "-CAfile", &ecdsa.root(), "-sigalgs", scheme]);
            let done = run(command);
            done.exits(0).says(leaf.trim());
            done.text().contains("Cert Status: good").then_some(())
        });
    }
    nginx.is_content();
}
