//! The trust anchors under which a chain must stand: the system's, or those of a file.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;

use crate::anchors::anchors;
use crate::failure::Failure;

/// Trust anchors, and whose they are.
#[derive(Clone, Debug)]
pub(crate) struct Trust {
    /// The anchors.
    pub(crate) roots: Arc<RootCertStore>,
    /// Where they are from, for people: `the system's trust store`, or the name of a file.
    pub(crate) source: String,
}

impl Trust {
    /// The anchors in `ca_file`, or else the system's.
    ///
    /// # Errors
    /// When the file cannot be read, or there is no anchor at all.
    pub(crate) fn load(ca_file: Option<&Path>) -> Result<Self, Failure> {
        match ca_file {
            Some(file) => Self::from_file(file),
            None => Self::from_system(),
        }
    }

    fn from_file(file: &Path) -> Result<Self, Failure> {
        let (roots, source) = (anchors(file)?, file.display().to_string());
        Ok(Self { roots: Arc::new(roots), source })
    }

    /// Certificates of the store that cannot be read are left out, as every TLS library does.
    fn from_system() -> Result<Self, Failure> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(Failure::failed("file", "The system's trust store is empty.").advise(
                "Install the system's CA certificates (on Debian, the package ca-certificates), \
                 or give the trust anchors with --ca-file.",
            ));
        }
        Ok(Self { roots: Arc::new(roots), source: "the system's trust store".to_owned() })
    }
}
