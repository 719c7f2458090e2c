//! `certstatus check` at a server with two certificates: which of them a client sees depends on what it
//! asks for, and both are checked.

use std::sync::Arc;

use certstatus_lab::{KeyKind, Lab, Leaf, LeafRequest};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::{default_provider, sign::any_supported_type};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::net::{Server, TempFile, certstatus};

/// The first certificate whose key the client can verify, as OpenSSL chooses.
#[derive(Debug)]
struct Two([Arc<CertifiedKey>; 2]);

impl ResolvesServerCert for Two {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let usable =
            |key: &&Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        self.0.iter().find(usable).cloned()
    }
}

/// A server that staples these responses beside an ECDSA and an RSA certificate.
fn server(leaves: [&Leaf; 2], staples: [Vec<u8>; 2]) -> Server {
    let mut keys = leaves.into_iter().zip(staples).map(|(leaf, staple)| {
        let key = any_supported_type(&leaf.key()).unwrap();
        let mut key = CertifiedKey::new(leaf.chain().to_vec(), key);
        key.ocsp = Some(staple);
        Arc::new(key)
    });
    let keys = [keys.next().unwrap(), keys.next().unwrap()];
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Two(keys)));
    Server::start(Arc::new(config), Box::new(|_| true))
}

#[test]
fn both_certificates_of_a_server_are_checked() {
    let lab = Lab::builder().start().unwrap();
    let issue = |kind| {
        let request = LeafRequest::new("localhost").san_ip([127, 0, 0, 1]).key(kind);
        lab.issue(request).unwrap()
    };
    let (ecdsa, rsa) = (issue(KeyKind::EcdsaP256), issue(KeyKind::Rsa2048));
    let ca = TempFile::new(lab.root());
    let check = |server: &Server, args: &[&str]| {
        let address = server.address();
        certstatus(&[&["check", "--ca-file", ca.path(), &address], args].concat())
    };

    // As nginx does it, which has one file for both.
    let mixed = server([&ecdsa, &rsa], [lab.respond(&ecdsa), lab.respond(&ecdsa)]);
    check(&mixed, &[]).says(5, &["(RSA) staples is not to be trusted", "The server's other"]);
    check(&mixed, &["--key-type", "ecdsa"]).says(0, &["GOOD"]);
    check(&mixed, &["--key-type", "rsa"]).says(5, &["is not about serial"]);
    check(&mixed, &["--tls", "1.2"]).says(5, &["(RSA)"]);
    let json = check(&mixed, &["--json"]).json();
    assert_eq!(json.len(), 1, "one object for a host");
    assert_eq!(json[0]["verdict"]["outcome"], "untrusted");
    let serial = certstatus::hex(rsa.serial());
    assert_eq!(json[0]["other_certificate"]["certificate"]["serial"], serial.as_str());

    let right = server([&ecdsa, &rsa], [lab.respond(&ecdsa), lab.respond(&rsa)]);
    check(&right, &[]).says(0, &["GOOD", "(ECDSA) staples", "(RSA) staples"]);
    lab.revoke(&rsa, None);
    let revoked = server([&ecdsa, &rsa], [lab.respond(&ecdsa), lab.respond(&rsa)]);
    check(&revoked, &[]).says(3, &["REVOKED", "(RSA)"]);
}
