//! nginx on our libssl as a server of HTTPS: which certificate it shows, what it agrees on, and that
//! its workers live through much and through change.

use std::sync::atomic::{AtomicBool, Ordering};

use certstatus_lab::{KeyKind, LeafRequest};

use super::web::{Nginx, certificate, server};
use super::{Library, curl};
use crate::harness::command;
use crate::harness::files::Files;
use crate::harness::pki::{Case, NAME, Pki, Version, with_rsa_and_ecdsa};
use crate::harness::process::{Finished, Program, converse, free_port, run};

with_rsa_and_ecdsa!(nginx_serves_every_client, nginx_chooses_the_server_by_name);

/// More than any buffer on the way holds, and no whole number of records.
const LARGE: usize = 10_000_001;

/// `CURLE_SSL_CONNECT_ERROR`.
const SSL_CONNECT_ERROR: i32 = 35;

/// The system's curl, of that version of TLS and no other.
fn fetch(files: &Files, address: &str, version: Version, more: &[&str]) -> Finished {
    let minimum = format!("--tlsv{}", version.number());
    let tls = ["--tls-max", version.number(), &minimum];
    curl(Library::System, &files.root(), address, &[&tls[..], more].concat())
}

/// The system's `openssl s_client`, which verifies.
fn s_client(files: &Files, port: u16, more: &[&str]) -> Finished {
    let mut command = Library::System.call(&Program::find("openssl", "openssl"));
    command.args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-servername", NAME]);
    command.args(["-CAfile", &files.root(), "-verify_return_error"]).args(more);
    run(command)
}

fn nginx_serves_every_client(kind: KeyKind) {
    let files = Files::of_case(Pki::shared(kind), Case::Missing);
    let port = free_port();
    let says = "return 200 \"$ssl_protocol $server_protocol $ssl_server_name\";";
    let http = server(port, NAME, &(certificate(&files) + says));
    let mut nginx = Nginx::start(Library::Ours, 1, port, &http);
    let address = format!("{NAME}:{port}");
    for version in Version::ALL {
        let number = version.number();
        for (option, protocol) in [("--http2", "HTTP/2.0"), ("--http1.1", "HTTP/1.1")] {
            let done = fetch(&files, &address, version, &[option]);
            assert_eq!(done.exits(0).text(), format!("TLSv{number} {protocol} {NAME}"));
        }
        let done = s_client(&files, port, &[&format!("-tls{}", number.replace('.', "_"))]);
        done.exits(0).says("Verify return code: 0 (ok)");
        command::check(&files, port, version, Case::Missing);

        let priority = format!("NORMAL:-VERS-ALL:+VERS-TLS{number}");
        let mut gnutls = Library::System.call(&Program::find("gnutls-cli", "gnutls-bin"));
        gnutls.args(["--x509cafile", &files.root(), "--priority", &priority, "127.0.0.1"]);
        gnutls.args(["--sni-hostname", NAME, "--verify-hostname", NAME]);
        run(gnutls_at(gnutls, port)).exits(0).says("The certificate is trusted");
    }
    // A client that does not trust it leaves with an alert, and nginx goes on.
    let strangers = Files::of_case(Pki::stranger_to(kind), Case::Missing);
    curl(Library::System, &strangers.root(), &address, &[]).fails();
    nginx.wait_for_words("alert unknown ca");
    fetch(&files, &address, Version::Tls13, &[]).exits(0);
    nginx.is_content();
}

fn gnutls_at(mut call: std::process::Command, port: u16) -> std::process::Command {
    call.args(["--port", &port.to_string()]);
    call
}

#[test]
fn nginx_shows_the_certificate_that_the_client_can_read() {
    let pki = Pki::shared(KeyKind::EcdsaP256);
    let ecdsa = Files::of_case(pki, Case::Missing);
    let rsa = LeafRequest::new(NAME).key(KeyKind::Rsa2048);
    let rsa = Files::of(pki.lab(), &pki.lab().issue(rsa).unwrap());
    let port = free_port();
    let both = certificate(&ecdsa) + &certificate(&rsa) + "return 200 $ssl_cipher;";
    let nginx = Nginx::start(Library::Ours, 1, port, &server(port, NAME, &both));
    let address = format!("{NAME}:{port}");
    for cipher in ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"] {
        let done = fetch(&ecdsa, &address, Version::Tls12, &["--ciphers", cipher]);
        assert_eq!(done.exits(0).text(), cipher);
    }
    for (scheme, kind) in [("ecdsa_secp256r1_sha256", "ECDSA"), ("rsa_pss_rsae_sha256", "RSA-PSS")]
    {
        s_client(&ecdsa, port, &["-tls1_3", "-sigalgs", scheme])
            .exits(0)
            .says(&format!("Peer signature type: {kind}"));
    }
    nginx.is_content();
}

/// nginx asks each connection for early data. None is taken, and all goes on as without.
#[test]
fn nginx_is_ready_for_early_data_and_gets_none() {
    let files = Files::of_case(Pki::shared(KeyKind::EcdsaP256), Case::Missing);
    let port = free_port();
    let lines = "ssl_early_data on; keepalive_timeout 0;
        return 200 \"$ssl_protocol$ssl_early_data$ssl_session_reused \";";
    let http = server(port, NAME, &(certificate(&files) + lines)).replace(" http2", "");
    let nginx = Nginx::start(Library::Ours, 1, port, &http);
    let (address, url) = (format!("{NAME}:{port}"), format!("https://{NAME}:{port}"));
    let done = fetch(&files, &address, Version::Tls13, &[&url]);
    assert_eq!(done.exits(0).text(), "TLSv1.3. TLSv1.3r ");
    let done = fetch(&files, &address, Version::Tls12, &[]);
    assert_eq!(done.exits(0).text(), "TLSv1.2. ");
    let session = files.path("session");
    let data = files.write("early", b"GET /early HTTP/1.0\r\n\r\n");
    let request = [("GET / HTTP/1.0\r\n\r", "TLSv1.3")];
    let s_client = |more: &[&str]| {
        let mut command = Library::System.call(&Program::find("openssl", "openssl"));
        command.args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-tls1_3"]);
        converse(command.args(more), &request)
    };
    s_client(&["-sess_out", &session]).says("Max Early Data: 0").says("TLSv1.3. ");
    s_client(&["-sess_in", &session, "-early_data", &data]).says("TLSv1.3r ");
    nginx.is_content();
}

fn nginx_chooses_the_server_by_name(kind: KeyKind) {
    const OTHER: &str = "other.example";
    const REJECTED: &str = "rejected.example";
    let pki = Pki::shared(kind);
    let files = Files::of_case(pki, Case::Missing);
    let others = Files::of(pki.lab(), &pki.lab().issue(LeafRequest::new(OTHER)).unwrap());
    let port = free_port();
    let http = server(port, NAME, &(certificate(&files) + "return 200 first;"))
        + &server(port, OTHER, &(certificate(&others) + "return 200 second;"))
        + &server(port, REJECTED, "ssl_reject_handshake on;");
    let mut nginx = Nginx::start(Library::Ours, 1, port, &http);
    for version in Version::ALL {
        for (name, body) in [(NAME, "first"), (OTHER, "second")] {
            let done = fetch(&files, &format!("{name}:{port}"), version, &[]);
            assert_eq!(done.exits(0).text(), body);
        }
        fetch(&files, &format!("{REJECTED}:{port}"), version, &[])
            .exits(SSL_CONNECT_ERROR)
            .says("unrecognized name");
        // Who is unknown gets the first, and who gives no name too.
        let unknown = fetch(&files, &format!("unknown.example:{port}"), version, &["--insecure"]);
        assert_eq!(unknown.exits(0).text(), "first");
        let nameless = fetch(&files, &format!("127.0.0.1:{port}"), version, &["--insecure"]);
        assert_eq!(nameless.exits(0).text(), "first");
    }
    nginx.wait_for_words("handshake rejected while SSL handshaking");
    nginx.is_content();
}

#[test]
fn nginx_transfers_much_both_ways() {
    let files = Files::of_case(Pki::shared(KeyKind::EcdsaP256), Case::Missing);
    let port = free_port();
    let lines = "root PREFIX; dav_methods PUT; client_max_body_size 20m;";
    let http = server(port, NAME, &(certificate(&files) + lines));
    let nginx = Nginx::start(Library::Ours, 2, port, &http);
    let bytes: Vec<u8> = (0..LARGE).map(|at| (at % 251) as u8).collect();
    let sent = files.write("sent", &bytes);
    for (name, version, http) in [
        ("a", Version::Tls12, "--http1.1"),
        ("b", Version::Tls12, "--http2"),
        ("c", Version::Tls13, "--http1.1"),
        ("d", Version::Tls13, "--http2"),
    ] {
        let address = format!("{NAME}:{port}/{name}");
        let upload = ["--fail", http, "--upload-file", &sent];
        fetch(&files, &address, version, &upload).exits(0);
        assert!(std::fs::read(nginx.path(name)).unwrap() == bytes, "{http} {version:?}");
        let received = files.path("received");
        let download = ["--fail", http, "--output", &received];
        fetch(&files, &address, version, &download).exits(0);
        assert!(std::fs::read(&received).unwrap() == bytes, "{http} {version:?}");
    }
    nginx.is_content();
}

#[test]
fn nginx_reloads_under_load_and_nobody_notices() {
    let pki = Pki::shared(KeyKind::EcdsaP256);
    let files = Files::of_case(pki, Case::Missing);
    let renewed = Files::of(pki.lab(), &pki.lab().issue(LeafRequest::new(NAME)).unwrap());
    let port = free_port();
    let http = |files: &Files, body: &str| {
        server(port, NAME, &(certificate(files) + &format!("return 200 {body};")))
    };
    let mut nginx = Nginx::start(Library::Ours, 2, port, &http(&files, "old"));
    let address = format!("{NAME}:{port}");
    // Over HTTP/2 a worker that ends may close a connection whose request is on its way, on OpenSSL
    // as on ours: now and then curl tells of an error in the framing, which is no doing of TLS.
    let over = ["--http1.1", "--no-keepalive"];
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut bodies = Vec::new();
            while !stop.load(Ordering::Acquire) {
                let done = fetch(&files, &address, Version::Tls13, &over);
                bodies.push(done.exits(0).text());
            }
            bodies
        });
        nginx.reload(2, &http(&renewed, "new"));
        nginx.reload(2, &http(&renewed, "newer"));
        stop.store(true, Ordering::Release);
        let bodies = load.join().expect("every request is answered");
        assert!(bodies.iter().all(|body| ["old", "new", "newer"].contains(&body.as_str())));
    });
    let done = fetch(&files, &address, Version::Tls13, &[]);
    assert_eq!(done.exits(0).text(), "newer");
    nginx.is_content();
}

#[test]
fn nginx_takes_settings_by_their_names_parameters_and_a_key_with_a_password() {
    let files = Files::of_case(Pki::shared(KeyKind::EcdsaP256), Case::Missing);
    let (key, password) = (files.path("locked.pem"), files.write("password", b"wrong\nright\n"));
    let lock = ["-aes128", "-passout", "pass:right", "-in", &files.key(), "-out", &key];
    let mut command = Library::System.call(&Program::find("openssl", "openssl"));
    command.arg("pkey").args(lock);
    run(command).exits(0);
    // What many a configuration has for clients of long ago does not keep it from starting.
    let parameters = files.path("dhparam.pem");
    let group = ["-algorithm", "DH", "-pkeyopt", "group:ffdhe2048", "-out", &parameters];
    let mut command = Library::System.call(&Program::find("openssl", "openssl"));
    command.args(["genpkey", "-genparam"]).args(group);
    run(command).exits(0);
    let port = free_port();
    let lines = format!(
        "ssl_certificate {}; ssl_certificate_key {key}; ssl_password_file {password};
        ssl_dhparam {parameters};
        ssl_conf_command MinProtocol TLSv1.3;
        ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256;
        return 200 $ssl_cipher;",
        files.chain()
    );
    let nginx = Nginx::start(Library::Ours, 1, port, &server(port, NAME, &lines));
    let address = format!("{NAME}:{port}");
    let done = fetch(&files, &address, Version::Tls13, &[]);
    assert_eq!(done.exits(0).text(), "TLS_CHACHA20_POLY1305_SHA256");
    fetch(&files, &address, Version::Tls12, &[]).exits(SSL_CONNECT_ERROR).says("protocol version");
    nginx.is_content();
}
