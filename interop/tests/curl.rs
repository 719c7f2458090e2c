//! `curl --cert-status` against our server: the client that checks staples with OpenSSL and fails
//! hard.

use certstatus_lab::KeyKind;

use crate::harness::files::Files;
use crate::harness::pki::{Case, NAME, Pki, Version, matrix, with_rsa_and_ecdsa};
use crate::harness::process::{Finished, Program};
use crate::harness::server::{GREETING, Server};

with_rsa_and_ecdsa!(curl_believes_our_good_staples_and_no_others);

/// `CURLE_SSL_INVALIDCERTSTATUS`.
const INVALID_CERT_STATUS: i32 = 91;

/// curl's call of our server, of that version of TLS and no other.
pub(crate) fn curl(server: &Server, files: &Files, version: Version, more: &[&str]) -> Finished {
    let port = server.port();
    let url = format!("https://{NAME}:{port}/");
    let resolve = format!("{NAME}:{port}:127.0.0.1");
    let root = files.root();
    // curl's --tlsv1.x is a minimum, --tls-max the maximum.
    let minimum = format!("--tlsv{}", version.number());
    let args = ["--silent", "--show-error", "--verbose", "--cacert", &root, "--resolve", &resolve];
    let tls = ["--tls-max", version.number(), &minimum, &url];
    Program::find("curl", "curl").run(args.iter().chain(&tls).chain(more))
}

fn curl_believes_our_good_staples_and_no_others(kind: KeyKind) {
    let pki = Pki::shared(kind);
    for (version, case) in matrix() {
        let files = Files::of_case(pki, case);
        let server = Server::start(pki, case, version);
        let done = curl(&server, &files, version, &["--cert-status"]);
        match case {
            Case::Good => {
                done.exits(0).says(&format!("SSL connection using TLSv{}", version.number()));
                done.says("SSL certificate status: good (0)");
                assert_eq!(String::from_utf8_lossy(done.stdout()), GREETING);
            }
            Case::Revoked => {
                done.exits(INVALID_CERT_STATUS).says("SSL certificate revocation reason");
            }
            Case::Expired => {
                done.exits(INVALID_CERT_STATUS).says("OCSP response has expired");
            }
            Case::Missing => {
                done.exits(INVALID_CERT_STATUS).says("No OCSP response received");
            }
        }
        // Without the option curl asks for nothing and believes everything.
        curl(&server, &files, version, &[]).exits(0);
    }
}
