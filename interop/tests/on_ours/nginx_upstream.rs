//! nginx on our libssl as a client: `proxy_ssl_*` towards another server.

use certstatus_lab::{KeyKind, LeafRequest};

use super::web::{Nginx, certificate, server};
use super::{Library, curl};
use crate::harness::files::Files;
use crate::harness::pki::{Case, NAME, Pki, Version, with_rsa_and_ecdsa};
use crate::harness::process::free_port;
use crate::harness::server::{GREETING, Server};

with_rsa_and_ecdsa!(nginx_verifies_the_server_behind_it, nginx_shows_its_certificate_upstream);

/// An nginx on ours before the server at that port, with these lines about it.
fn start(files: &Files, upstream: u16, lines: &str) -> (Nginx, String) {
    let port = free_port();
    let lines = format!(
        "{}proxy_ssl_server_name on; proxy_ssl_verify on; proxy_ssl_verify_depth 2;
        proxy_ssl_protocols TLSv1.2 TLSv1.3; proxy_ssl_session_reuse off; {lines}
        location / {{ proxy_pass https://127.0.0.1:{upstream}; }}",
        certificate(files)
    );
    let nginx = Nginx::start(Library::Ours, 1, port, &server(port, NAME, &lines));
    (nginx, format!("{NAME}:{port}"))
}

fn nginx_verifies_the_server_behind_it(kind: KeyKind) {
    let pki = Pki::shared(kind);
    let files = Files::of_case(pki, Case::Missing);
    let strangers = Files::of_case(Pki::stranger_to(kind), Case::Missing);
    let trusting = format!("proxy_ssl_trusted_certificate {};", files.root());
    for version in Version::ALL {
        let behind = Server::start(pki, Case::Missing, version);
        let right = format!("{trusting} proxy_ssl_name {NAME};");
        let (nginx, address) = start(&files, behind.port(), &right);
        let done = curl(Library::System, &files.root(), &address, &[]);
        assert_eq!(done.exits(0).text(), GREETING);
        nginx.is_content();

        let wrong_name = format!("{trusting} proxy_ssl_name other.example;");
        let (mut nginx, address) = start(&files, behind.port(), &wrong_name);
        curl(Library::System, &files.root(), &address, &[]).exits(0).says("502 Bad Gateway");
        nginx.wait_for_words("upstream SSL certificate does not match \"other.example\"");

        let root = strangers.root();
        let wrong_root = format!("proxy_ssl_trusted_certificate {root}; proxy_ssl_name {NAME};");
        let (mut nginx, address) = start(&files, behind.port(), &wrong_root);
        curl(Library::System, &files.root(), &address, &[]).exits(0).says("502 Bad Gateway");
        nginx.wait_for_words("upstream SSL certificate verify error: (");
    }
}

fn nginx_shows_its_certificate_upstream(kind: KeyKind) {
    let pki = Pki::shared(kind);
    let files = Files::of_case(pki, Case::Missing);
    let client = pki.lab().issue(LeafRequest::new("proxy.example")).unwrap();
    let own = Files::of(pki.lab(), &client);
    let behind = free_port();
    let lines = format!(
        "{}ssl_client_certificate {}; ssl_verify_client on; ssl_verify_depth 2;\n\
         return 200 \"$ssl_client_verify $ssl_client_serial $ssl_protocol\";",
        certificate(&files),
        files.authorities()
    );
    let _behind = Nginx::start(Library::System, 1, behind, &server(behind, NAME, &lines));
    let lines = format!(
        "proxy_ssl_trusted_certificate {}; proxy_ssl_name {NAME};
        proxy_ssl_certificate {}; proxy_ssl_certificate_key {};",
        files.root(),
        own.chain(),
        own.key()
    );
    let (nginx, address) = start(&files, behind, &lines);
    let serial = certstatus::hex(client.serial()).to_uppercase();
    let done = curl(Library::System, &files.root(), &address, &[]);
    assert_eq!(done.exits(0).text(), format!("SUCCESS {serial} TLSv1.3"));
    nginx.is_content();
}

/// nginx keeps sessions of the servers behind it, and connects to them anew for each request.
#[test]
fn nginx_resumes_its_sessions_upstream() {
    let files = Files::of_case(Pki::shared(KeyKind::EcdsaP256), Case::Missing);
    for version in Version::ALL {
        let behind = free_port();
        let number = version.number();
        let lines = format!(
            "{}ssl_protocols TLSv{number}; return 200 $ssl_session_reused;",
            certificate(&files)
        );
        let _behind = Nginx::start(Library::System, 1, behind, &server(behind, NAME, &lines));
        let port = free_port();
        let lines = format!(
            "{}proxy_ssl_server_name on; proxy_ssl_verify on; proxy_ssl_verify_depth 2;
            proxy_ssl_protocols TLSv1.2 TLSv1.3; proxy_ssl_name {NAME};
            proxy_ssl_trusted_certificate {};
            location / {{ proxy_pass https://127.0.0.1:{behind}; }}",
            certificate(&files),
            files.root()
        );
        let nginx = Nginx::start(Library::Ours, 1, port, &server(port, NAME, &lines));
        let address = format!("{NAME}:{port}");
        let url = format!("https://{address}");
        let done = curl(Library::System, &files.root(), &address, &[&url, &url]);
        assert_eq!(done.exits(0).text(), ".rr", "{version:?}");
        nginx.is_content();
    }
}
