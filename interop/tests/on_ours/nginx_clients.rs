//! nginx on our libssl asks for certificates of clients, and verifies them with OpenSSL's own
//! verification: chains, purposes and revocation lists.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;

use certstatus_lab::{KeyKind, LeafRequest};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::authority::Authority;
use super::web::{Nginx, certificate, server};
use super::{Library, curl};
use crate::harness::files::Files;
use crate::harness::pki::{Case, NAME, Pki, Version, provider};
use crate::harness::process::{PATIENCE, free_port};

/// What nginx answers to a client with the certificate of that name, or without one.
fn answer(own: &Authority, port: u16, version: Version, name: Option<&str>) -> String {
    let options = own.options(version, name);
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let done = curl(Library::System, &own.files.root(), &format!("{NAME}:{port}"), &options);
    done.exits(0).text()
}

#[test]
fn nginx_knows_its_clients_and_whom_a_list_revokes() {
    let pki = Pki::shared(KeyKind::EcdsaP256);
    let own = Authority::new(pki);
    let port = free_port();
    let lines = |verify: &str| {
        format!(
            "{}ssl_client_certificate {}; ssl_verify_client {verify};\n\
             return 200 \"$ssl_client_verify $ssl_client_s_dn\";",
            certificate(&own.files),
            own.root()
        )
    };
    let with_list = |verify: &str| format!("ssl_crl {}; {}", own.list(), lines(verify));
    let mut nginx = Nginx::start(Library::Ours, 1, port, &server(port, NAME, &with_list("on")));
    for version in Version::ALL {
        assert_eq!(answer(&own, port, version, Some("known")), "SUCCESS CN=known.example");
        let answered = answer(&own, port, version, None);
        assert!(answered.contains("No required SSL certificate was sent"), "{answered}");
        let answered = answer(&own, port, version, Some("revoked"));
        assert!(answered.contains("The SSL certificate error"), "{answered}");
    }
    nginx.wait_for_words("client SSL certificate verify error: (23:certificate revoked)");

    // Who need not show one is served without, and an unknown one is passed on as it is.
    let stranger = pki.lab().issue(LeafRequest::new("stranger.example")).unwrap();
    let stranger = Files::of(pki.lab(), &stranger);
    nginx.reload(1, &server(port, NAME, &with_list("optional")));
    for version in Version::ALL {
        assert_eq!(answer(&own, port, version, Some("known")), "SUCCESS CN=known.example");
        assert_eq!(answer(&own, port, version, None), "NONE ");
    }
    nginx.reload(1, &server(port, NAME, &lines("optional_no_ca")));
    for version in Version::ALL {
        let (cert, key) = (stranger.chain(), stranger.key());
        let minimum = format!("--tlsv{}", version.number());
        let tls = ["--tls-max", version.number(), &minimum, "--cert", &cert, "--key", &key];
        curl(Library::System, &own.files.root(), &format!("{NAME}:{port}"), &tls)
            .exits(0)
            .says("FAILED:unable to get local issuer certificate");
    }
    nginx.is_content();
}

/// The first flight of a client that will go no further.
fn client_hello() -> Vec<u8> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider knows both versions")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = NAME.try_into().expect("a DNS name");
    let mut client = ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut hello = Vec::new();
    client.write_tls(&mut hello).expect("memory takes all");
    hello
}

/// Every server on the Internet has clients that end in the middle of a handshake, load balancers
/// that ask whether it lives among them. It is nothing to alarm anybody for.
#[test]
fn nginx_is_content_with_clients_that_go_away() {
    let files = Files::of_case(Pki::shared(KeyKind::EcdsaP256), Case::Missing);
    let port = free_port();
    let lines = certificate(&files) + "return 200 here;";
    let nginx = Nginx::start(Library::Ours, 1, port, &server(port, NAME, &lines));
    let hello = client_hello();
    for sent in [0, 3, 50, hello.len()] {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("nginx accepts");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out that is not zero");
        socket.write_all(&hello[..sent]).expect("nginx reads");
        if sent == hello.len() {
            assert!(socket.read(&mut [0; 1000]).expect("an answer") > 0);
        }
    }
    // It has seen them all go when it answers one that came after them.
    let address = format!("{NAME}:{port}");
    let done = curl(Library::System, &files.root(), &address, &[]);
    assert_eq!(done.exits(0).text(), "here");
    nginx.has_not_said("[crit]");
    nginx.is_content();
}
