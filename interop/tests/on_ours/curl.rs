//! curl on our libssl, which it knows as OpenSSL: what it fetches, what it refuses and with which
//! exit code.

use certstatus_lab::{KeyKind, LeafRequest};

use super::web::{Nginx, certificate, server};
use super::{Library, curl};
use crate::harness::files::Files;
use crate::harness::pki::{Case, NAME, Pki, Version, matrix, with_rsa_and_ecdsa};
use crate::harness::process::{Daemon, Finished, Program, free_port, run};
use crate::harness::server::{GREETING, Server};

with_rsa_and_ecdsa!(
    curl_fetches_with_both_versions_from_nginx,
    curl_fetches_from_s_server,
    curl_believes_good_staples_and_no_others,
    curl_refuses_strangers,
    curl_shows_its_certificate,
);

/// `CURLE_PEER_FAILED_VERIFICATION`.
const PEER_FAILED_VERIFICATION: i32 = 60;

/// `CURLE_SSL_INVALIDCERTSTATUS`.
const INVALID_CERT_STATUS: i32 = 91;

/// More than any buffer on the way holds, and no whole number of records.
const LARGE: usize = 10_000_001;

/// curl on ours, of that version of TLS and no other.
fn ours(files: &Files, port: u16, path: &str, version: Version, more: &[&str]) -> Finished {
    let minimum = format!("--tlsv{}", version.number());
    let tls = ["--tls-max", version.number(), &minimum];
    let address = format!("{NAME}:{port}/{path}");
    curl(Library::Ours, &files.root(), &address, &[&tls[..], more].concat())
}

/// An nginx on the system's OpenSSL with a case's certificate and these lines.
fn system_nginx(files: &Files, lines: &str) -> (Nginx, u16) {
    let port = free_port();
    let http = server(port, NAME, &(certificate(files) + lines));
    (Nginx::start(Library::System, 1, port, &http), port)
}

fn curl_fetches_with_both_versions_from_nginx(kind: KeyKind) {
    let files = Files::of_case(Pki::shared(kind), Case::Missing);
    let says = "return 200 \"$ssl_protocol $server_protocol $ssl_alpn_protocol\";";
    let (nginx, port) = system_nginx(&files, says);
    for version in Version::ALL {
        let number = version.number();
        let done = ours(&files, port, "", version, &["--verbose"]);
        done.exits(0).says(&format!("TLSv{number} HTTP/2.0 h2")).says("SSL certificate verify ok.");
        done.says(&format!("SSL connection using TLSv{number}"));
        let done = ours(&files, port, "", version, &["--http1.1"]);
        done.exits(0).says(&format!("TLSv{number} HTTP/1.1 http/1.1"));
        let done = ours(&files, port, "", version, &["--no-alpn"]);
        assert_eq!(done.exits(0).text(), format!("TLSv{number} HTTP/1.1 "));
    }
    nginx.is_content();
}

fn curl_fetches_from_s_server(kind: KeyKind) {
    let files = Files::of_case(Pki::shared(kind), Case::Missing);
    let mut command = Library::System.call(&Program::find("openssl", "openssl"));
    command.args(["s_server", "-accept", "127.0.0.1:0", "-www", "-cert", &files.leaf()]);
    command.args(["-key", &files.key(), "-cert_chain", &files.issuer()]);
    let mut peer = Daemon::start(command);
    let port = peer.accept_port();
    for version in Version::ALL {
        let done = ours(&files, port, "", version, &[]);
        done.exits(0).says(&format!("Protocol  : TLSv{}", version.number()));
    }
    ours(&files, port, "", Version::Tls12, &["--ciphers", "ECDHE+CHACHA20"])
        .exits(0)
        .says("CHACHA20-POLY1305");
    ours(&files, port, "", Version::Tls13, &["--tls13-ciphers", "TLS_AES_128_GCM_SHA256"])
        .exits(0)
        .says("Cipher    : TLS_AES_128_GCM_SHA256");
}

fn curl_believes_good_staples_and_no_others(kind: KeyKind) {
    let pki = Pki::shared(kind);
    for (version, case) in matrix() {
        let files = Files::of_case(pki, case);
        let rustls = Server::start(pki, case, version);
        let stapling = match files.staple() {
            Some(staple) => format!("ssl_stapling on; ssl_stapling_file {staple};"),
            None => String::new(),
        };
        let greets = format!("{stapling} return 200 '{GREETING}';");
        let (_nginx, port) = system_nginx(&files, &greets);
        for port in [rustls.port(), port] {
            let done = ours(&files, port, "", version, &["--cert-status", "--verbose"]);
            match case {
                Case::Good => {
                    done.exits(0).says("SSL certificate status: good (0)");
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
            ours(&files, port, "", version, &[]).exits(0);
        }
    }
}

fn curl_refuses_strangers(kind: KeyKind) {
    let pki = Pki::shared(kind);
    let files = Files::of_case(pki, Case::Missing);
    let strangers = Files::of_case(Pki::stranger_to(kind), Case::Missing);
    let (nginx, port) = system_nginx(&files, "return 204;");
    for version in Version::ALL {
        let minimum = format!("--tlsv{}", version.number());
        let tls = ["--tls-max", version.number(), &minimum];
        let wrong_name = format!("other.example:{port}");
        curl(Library::Ours, &files.root(), &wrong_name, &tls)
            .exits(PEER_FAILED_VERIFICATION)
            .says("no alternative certificate subject name matches target host name");

        let address = format!("{NAME}:{port}");
        curl(Library::Ours, &strangers.root(), &address, &tls)
            .exits(PEER_FAILED_VERIFICATION)
            .says("SSL certificate problem");
        let trusting = [&tls[..], &["--insecure"]].concat();
        curl(Library::Ours, &strangers.root(), &address, &trusting).exits(0);
    }
    nginx.is_content();

    let expired = pki.lab().issue(LeafRequest::new(NAME).expired()).unwrap();
    let files = Files::of(pki.lab(), &expired);
    let (_nginx, port) = system_nginx(&files, "return 204;");
    ours(&files, port, "", Version::Tls13, &[])
        .exits(PEER_FAILED_VERIFICATION)
        .says("certificate has expired");
}

fn curl_shows_its_certificate(kind: KeyKind) {
    let pki = Pki::shared(kind);
    let files = Files::of_case(pki, Case::Missing);
    let client = pki.lab().issue(LeafRequest::new("client.example")).unwrap();
    let own = Files::of(pki.lab(), &client);
    let lines = format!(
        "ssl_client_certificate {}; ssl_verify_client on; ssl_verify_depth 2;\n\
         return 200 \"$ssl_client_verify $ssl_client_serial\";",
        files.authorities()
    );
    let (nginx, port) = system_nginx(&files, &lines);
    let serial = certstatus::hex(client.serial()).to_uppercase();
    for version in Version::ALL {
        let done = ours(&files, port, "", version, &["--cert", &own.chain(), "--key", &own.key()]);
        done.exits(0).says(&format!("SUCCESS {serial}"));
        ours(&files, port, "", version, &[]).exits(0).says("No required SSL certificate was sent");
    }
    nginx.is_content();
}

#[test]
fn curl_transfers_much_both_ways() {
    let files = Files::of_case(Pki::shared(KeyKind::EcdsaP256), Case::Missing);
    let (nginx, port) = system_nginx(
        &files,
        "root PREFIX; dav_methods PUT; client_max_body_size 20m; create_full_put_path on;",
    );
    let bytes: Vec<u8> = (0..LARGE).map(|at| (at % 251) as u8).collect();
    let sent = files.write("sent", &bytes);
    for (name, version, http) in [
        ("a", Version::Tls12, "--http1.1"),
        ("b", Version::Tls12, "--http2"),
        ("c", Version::Tls13, "--http1.1"),
        ("d", Version::Tls13, "--http2"),
    ] {
        let done = ours(&files, port, name, version, &["--fail", http, "--upload-file", &sent]);
        done.exits(0);
        assert!(std::fs::read(nginx.path(name)).unwrap() == bytes, "{http} {version:?}");
        let received = files.path("received");
        ours(&files, port, name, version, &["--fail", http, "--output", &received]).exits(0);
        assert!(std::fs::read(&received).unwrap() == bytes, "{http} {version:?}");
    }
    nginx.is_content();
}

#[test]
fn curl_traces_the_messages_of_tls() {
    let pki = Pki::shared(KeyKind::EcdsaP256);
    let files = Files::of_case(pki, Case::Missing);
    let (nginx, port) = system_nginx(&files, "return 204;");
    for version in Version::ALL {
        let done = ours(&files, port, "", version, &["--trace", "-"]);
        let spoken = format!("TLSv{}", version.number());
        done.exits(0);
        for message in [
            "(OUT), TLS handshake, Client hello (1)",
            "(IN), TLS handshake, Server hello (2)",
            "(IN), TLS handshake, Certificate (11)",
            "(OUT), TLS change cipher, Change cipher spec (1)",
            "(OUT), TLS handshake, Finished (20)",
            "(IN), TLS handshake, Finished (20)",
        ] {
            done.says(&format!("== Info: {spoken} {message}"));
        }
    }
    nginx.is_content();
}

/// `SSLKEYLOGFILE` gets the secrets that the server has too.
#[test]
fn curl_logs_the_secrets_of_its_server() {
    let files = Files::of_case(Pki::shared(KeyKind::EcdsaP256), Case::Missing);
    let lines = |path: &str| {
        let text = std::fs::read_to_string(path).unwrap();
        let secrets = text.lines().filter(|line| !line.starts_with('#'));
        let mut secrets: Vec<String> = secrets.map(String::from).collect();
        secrets.sort();
        secrets
    };
    for version in Version::ALL {
        let number = version.number();
        let [of_server, of_client] =
            ["server", "client"].map(|name| files.path(&format!("{name}{number}.log")));
        let mut call = Library::System.call(&Program::find("openssl", "openssl"));
        call.args(["s_server", "-accept", "127.0.0.1:0", "-www", "-cert", &files.leaf()]);
        call.args(["-key", &files.key(), "-cert_chain", &files.issuer()]);
        call.args(["-keylogfile", &of_server]);
        let mut peer = Daemon::start(call);
        let url = format!("https://{NAME}:{}", peer.accept_port());
        let mut call = Library::Ours.call(&Program::find("curl", "curl"));
        call.args(["--silent", "--show-error", "--max-time", "10"]);
        call.args(["--connect-to", "::127.0.0.1:", "--cacert", &files.root()]);
        call.args(super::only(version)).arg(url).env("SSLKEYLOGFILE", &of_client);
        run(call).exits(0);
        let secrets = lines(&of_client);
        assert!(!secrets.is_empty(), "{version:?}");
        assert_eq!(secrets, lines(&of_server), "{version:?}");
    }
}

#[test]
fn curl_keeps_a_connection_for_several_urls() {
    let files = Files::of_case(Pki::shared(KeyKind::EcdsaP256), Case::Missing);
    let (nginx, port) = system_nginx(&files, "return 200 \"$connection_requests \";");
    for http in ["--http1.1", "--http2"] {
        let url = format!("https://{NAME}:{port}/");
        let more = ["--write-out", "%{num_connects}\n", http, &url, &url];
        let done = ours(&files, port, "", Version::Tls13, &more);
        assert_eq!(done.exits(0).text(), "1 1\n2 0\n3 0\n");
    }
    nginx.is_content();
}
