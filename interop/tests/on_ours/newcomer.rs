//! What a newcomer tries first: `certstatus exec -- nginx` with live OCSP stapling, and
//! `certstatus exec -- curl --cert-status` against it.

use std::process::Command;

use certstatus_lab::{KeyKind, LeafRequest};

use super::web::{Nginx, certificate, server};
use crate::harness::files::Files;
use crate::harness::pki::{NAME, Pki};
use crate::harness::process::{Program, eventually, free_port, run};
use crate::harness::{command, libssl};

/// `CURLE_SSL_INVALIDCERTSTATUS`.
const INVALID_CERT_STATUS: i32 = 91;

/// `certstatus exec` with our library, and the program that it shall run.
fn exec(name: &str, package: &str) -> Command {
    Program::find(name, package);
    let mut call = command::program().call();
    call.env_remove("LD_LIBRARY_PATH").env_remove("LD_PRELOAD");
    // Where Debian has nginx is not in everyone's PATH.
    let path = std::env::var("PATH").unwrap_or_default();
    call.env("PATH", format!("{path}:/usr/sbin"));
    call.arg("exec").arg("--lib").arg(libssl::file()).args(["--", name]);
    call
}

#[test]
fn curl_believes_the_live_staples_of_nginx_both_on_ours() {
    let pki = Pki::shared(KeyKind::EcdsaP256);
    let leaf = pki.lab().issue(LeafRequest::new(NAME)).unwrap();
    let files = Files::of(pki.lab(), &leaf);
    let port = free_port();
    let lines = format!(
        "{}ssl_stapling on; ssl_stapling_verify on; ssl_trusted_certificate {};
        return 200 \"$ssl_protocol $server_protocol\";",
        certificate(&files),
        files.authorities()
    );
    let call = exec("nginx", "nginx-light");
    let mut nginx = Nginx::start_with(call, 1, port, &server(port, NAME, &lines));
    let curl = |more: &[&str]| {
        let mut call = exec("curl", "curl");
        call.args(["--silent", "--show-error", "--verbose", "--max-time", "10"]);
        call.args(["--connect-to", "::127.0.0.1:", "--cacert", &files.root(), "--cert-status"]);
        call.args(more).arg(format!("https://{NAME}:{port}"));
        run(call)
    };
    // The first client does not wait for the responder: nginx has nothing for it yet.
    curl(&[]).exits(INVALID_CERT_STATUS).says("No OCSP response received");
    eventually("a staple that curl believes", || (curl(&[]).code() == 0).then_some(()));
    for (version, option) in [("1.2", "--tlsv1.2"), ("1.3", "--tlsv1.3")] {
        curl(&["--tls-max", version, option])
            .exits(0)
            .says(&format!("SSL connection using TLSv{version}"))
            .says("SSL certificate status: good (0)")
            .says(&format!("TLSv{version} HTTP/2.0"));
    }

    // A certificate that is revoked before nginx asks is not stapled, and curl does not take it.
    pki.lab().revoke(&leaf, None);
    nginx.reload(1, &server(port, NAME, &lines));
    curl(&[]).exits(INVALID_CERT_STATUS);
    nginx.wait_for_words("certificate status \"revoked\"");
    curl(&[]).exits(INVALID_CERT_STATUS).says("No OCSP response received");
    nginx.is_content();
}
