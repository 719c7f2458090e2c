//! A certification authority of clients, made by the system's `openssl`: servers want the revocation
//! lists of all of a chain, up to the root.

use super::Library;
use crate::harness::files::Files;
use crate::harness::pki::{Case, Pki, Version};
use crate::harness::process::{Program, run};

/// The authority, beside the files of a server of the lab.
pub(crate) struct Authority {
    pub(crate) files: Files,
}

impl Authority {
    /// Makes the root, the certificates of the clients `known` and `revoked`, and the list that
    /// revokes the second.
    pub(crate) fn new(pki: &Pki) -> Self {
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

    /// The certificate that clients are to be verified by.
    pub(crate) fn root(&self) -> String {
        self.path("ca.pem")
    }

    /// The revocation list.
    pub(crate) fn list(&self) -> String {
        self.path("crl.pem")
    }

    /// The certificate and the key of the client of that name.
    pub(crate) fn client(&self, name: &str) -> (String, String) {
        (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")))
    }

    /// curl's options for a version of TLS, and for the client of that name if there is one.
    pub(crate) fn options(&self, version: Version, name: Option<&str>) -> Vec<String> {
        let number = version.number();
        let mut options =
            vec!["--tls-max".to_owned(), number.to_owned(), format!("--tlsv{number}")];
        if let Some(name) = name {
            let (cert, key) =
                (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
            options.extend(["--cert".to_owned(), cert, "--key".to_owned(), key]);
        }
        options
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
    run(command).exits(0);
}
