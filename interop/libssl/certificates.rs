//! The certificates that the programs read, from the lab.

use std::path::Path;

use certstatus_lab::{KeyKind, Lab, LeafRequest};
use tempfile::TempDir;

/// A directory with a folder of files for each name; gone when the value is dropped.
#[derive(Debug)]
pub(crate) struct Certificates {
    directory: TempDir,
}

impl Certificates {
    /// Of one root: `server`, `other`, `client`, `rsa`, `expired`; of another one: `stranger`.
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let lab = Lab::builder().build().expect("the lab");
        for who in ["server", "other", "client"] {
            write(&lab, directory.path(), who, LeafRequest::new(format!("{who}.test")));
        }
        write(&lab, directory.path(), "rsa", LeafRequest::new("rsa.test").key(KeyKind::Rsa2048));
        write(&lab, directory.path(), "expired", LeafRequest::new("expired.test").expired());
        let strangers = Lab::builder().build().expect("another lab");
        write(&strangers, directory.path(), "stranger", LeafRequest::new("stranger.test"));
        Self { directory }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
}

fn write(lab: &Lab, directory: &Path, who: &str, request: LeafRequest) {
    let leaf = lab.issue(request).expect("a leaf");
    lab.write_files(directory.join(who), &leaf).expect("the files of a leaf");
}
