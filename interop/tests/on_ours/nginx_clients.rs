//! nginx on our libssl asks for certificates of clients, and verifies them with OpenSSL's own
//! verification: chains, purposes and revocation lists.

use certstatus_lab::{KeyKind, LeafRequest};

use super::authority::Authority;
use super::web::{Nginx, certificate, server};
use super::{Library, curl};
use crate::harness::files::Files;
use crate::harness::pki::{NAME, Pki, Version};
use crate::harness::process::free_port;

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
