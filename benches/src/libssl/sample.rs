//! The certificates and responses that the programs read, from the lab.

use std::path::{Path, PathBuf};

use certstatus_lab::{Files, KeyKind, Lab, LeafRequest};
use tempfile::TempDir;

/// The files of one certificate; gone when the value is dropped.
#[derive(Debug)]
pub(super) struct Sample {
    directory: TempDir,
    files: Files,
    /// How long the response is, in bytes.
    pub(super) staple_length: u64,
}

impl Sample {
    /// A certificate for `bench.example` with such keys in the whole chain. The response has its
    /// signer in it, as most responders' have; that one's key is RSA.
    pub(super) fn new(key: KeyKind) -> Self {
        let lab = Lab::builder().key(key).delegated(KeyKind::Rsa2048).build().expect("the lab");
        let request = LeafRequest::new("bench.example").san_ip([127, 0, 0, 1]);
        let leaf = lab.issue(request).expect("a leaf");
        let directory = TempDir::new().expect("a temporary directory");
        let files = lab.write_files(directory.path(), &leaf).expect("the files of a leaf");
        let staple = std::fs::metadata(&files.staple_der).expect("the response");
        Self { directory, files, staple_length: staple.len() }
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn chain(&self) -> &PathBuf {
        &self.files.chain_pem
    }

    pub(super) fn key(&self) -> &PathBuf {
        &self.files.key_pem
    }
}
