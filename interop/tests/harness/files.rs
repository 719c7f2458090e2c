//! The lab's files, in a directory of the test's own that goes away with the value.
//!
//! The lab writes them; here their paths become text for command lines, and the staple is the one
//! that the test is about.

use std::path::Path;

use certstatus_lab::{Lab, Leaf};
use tempfile::TempDir;

use super::pki::{Case, Pki};

/// The directory. The methods give paths in it.
#[derive(Debug)]
pub(crate) struct Files {
    directory: TempDir,
    of_lab: certstatus_lab::Files,
    stapled: bool,
}

impl Files {
    /// The files of a case of the matrix.
    pub(crate) fn of_case(pki: &Pki, case: Case) -> Self {
        let mut files = Self::of(pki.lab(), pki.leaf(case));
        if let Some(staple) = pki.staple(case) {
            std::fs::write(&files.of_lab.staple_der, staple).expect("a temporary file");
            files.stapled = true;
        }
        files
    }

    /// The files of a leaf of a lab. Nothing is to be stapled.
    pub(crate) fn of(lab: &Lab, leaf: &Leaf) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let of_lab = lab.write_files(&directory, leaf).expect("the lab's files");
        Self { directory, of_lab, stapled: false }
    }

    /// The path of a file of that name, whether it exists or not.
    pub(crate) fn path(&self, name: &str) -> String {
        text(&self.directory.path().join(name))
    }

    /// Writes a file and gives its path.
    pub(crate) fn write(&self, name: &str, contents: &[u8]) -> String {
        let path = self.path(name);
        std::fs::write(&path, contents).expect("a temporary file");
        path
    }

    /// The trust anchor.
    pub(crate) fn root(&self) -> String {
        text(&self.of_lab.root_pem)
    }

    /// The issuer of the leaf.
    pub(crate) fn issuer(&self) -> String {
        text(&self.of_lab.issuer_pem)
    }

    /// The issuer and the trust anchor.
    pub(crate) fn authorities(&self) -> String {
        text(&self.of_lab.ca_pem)
    }

    /// The leaf alone.
    pub(crate) fn leaf(&self) -> String {
        text(&self.of_lab.cert_pem)
    }

    /// The leaf and its issuer, as a server sends them.
    pub(crate) fn chain(&self) -> String {
        text(&self.of_lab.chain_pem)
    }

    /// The leaf's private key.
    pub(crate) fn key(&self) -> String {
        text(&self.of_lab.key_pem)
    }

    /// The certificate of who signs responses.
    pub(crate) fn signer(&self) -> String {
        text(&self.of_lab.signer_pem)
    }

    /// The private key of who signs responses.
    pub(crate) fn signer_key(&self) -> String {
        text(&self.of_lab.signer_key_pem)
    }

    /// The lab's certificates and their status, for `openssl ocsp -index`.
    pub(crate) fn index(&self) -> String {
        text(&self.of_lab.index_txt)
    }

    /// The staple, as DER, if there is one.
    pub(crate) fn staple(&self) -> Option<String> {
        self.stapled.then(|| text(&self.of_lab.staple_der))
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("temporary directories have plain names").to_owned()
}
