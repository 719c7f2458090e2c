//! nginx on our libssl asks for certificates of clients, and verifies them with OpenSSL's own
//! verification: chains, purposes and revocation lists.

use certstatus_lab::{KeyKind, LeafRequest};

use super::web::{Nginx, certificate, server};
use super::{Library, curl};
use crate::harness::files::Files;
use crate::harness::pki::{Case, NAME, Pki, Version};
use crate::harness::process::{Program, free_port};

/// A certification authority of the test's own, made by the system's `openssl`: nginx wants the
/// revocation lists of all of a chain, up to the root.
struct Authority {
    files: Files,
}

impl Authority {
    /// Makes the root, the certificates of two clients, and the list that revokes the second.
    fn new(pki: &Pki) -> Self {
        let own = Self { files: Files::of_case(pki, Case::Missing) };
        let [key, root] = [own.path("ca.key"), own.path("ca.pem")];
        let subject = ["-subj", "/CN=Clients", "-addext", "keyUsage=keyCertSign,cRLSign"];
        let out = ["-keyout", &key, "-out", &root, "-days", "2"];
        openssl(&[&["req", "-x509"], &NEW_KEY[..], &out, &subject].concat());
        own.issue("known", "01");
        own.issue("revoked", "02");
        own.revoke();
        own
    }

    fn path(&self, name: &str) -> String {
        self.files.path(&format!("clients-{name}"))
    }

    fn issue(&self, name: &str, serial: &str) {
        let [key, request] = ["key", "csr"].map(|kind| self.path(&format!("{name}.{kind}")));
        let subject = format!("/CN={name}.example");
        let out = ["-keyout", &key, "-out", &request, "-subj", &subject];
        openssl(&[&["req"], &NEW_KEY[..], &out].concat());
        let (root, root_key, out) =
            (self.path("ca.pem"), self.path("ca.key"), self.path(&format!("{name}.pem")));
        let of = ["-CA", &root, "-CAkey", &root_key, "-set_serial", serial, "-days", "1"];
        openssl(&[&["x509", "-req", "-in", &request, "-out", &out], &of[..]].concat());
    }

    fn revoke(&self) {
        let index = "R\t490101000000Z\t200101000000Z\t02\tunknown\t/CN=revoked.example\n";
        let index = self.files.write("clients-index", index.as_bytes());
        let config = format!(
            "[ca]\ndefault_ca = own\n[own]\ndatabase = {index}\ndefault_md = sha256\n\
             default_crl_days = 1\n"
        );
        let config = self.files.write("clients-config", config.as_bytes());
        let [list, root, key] = ["crl.pem", "ca.pem", "ca.key"].map(|name| self.path(name));
        openssl(&[
            "ca", "-gencrl", "-config", &config, "-out", &list, "-cert", &root, "-keyfile", &key,
        ]);
    }
}

/// How `openssl req` makes a key.
const NEW_KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

fn openssl(arguments: &[&str]) {
    let mut command = Library::System.call(&Program::find("openssl", "openssl"));
    command.args(arguments);
    crate::harness::process::run(command).exits(0);
}

/// What nginx answers to a client with the certificate of that name, or without one.
fn answer(own: &Authority, port: u16, version: Version, name: Option<&str>) -> String {
    let minimum = format!("--tlsv{}", version.number());
    let mut options = vec!["--tls-max", version.number(), &minimum];
    let (cert, key) = match name {
        Some(name) => (own.path(&format!("{name}.pem")), own.path(&format!("{name}.key"))),
        None => (String::new(), String::new()),
    };
    if name.is_some() {
        options.extend(["--cert", &cert, "--key", &key]);
    }
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
            own.path("ca.pem")
        )
    };
    let with_list = |verify: &str| format!("ssl_crl {}; {}", own.path("crl.pem"), lines(verify));
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
