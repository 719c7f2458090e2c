//! Trust anchors from a file: for servers that are checked, and for responders of https.

use std::path::Path;

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;

use crate::failure::Failure;
use crate::input;

/// The certificates of a file as trust anchors.
///
/// # Errors
/// When the file cannot be read, or has no certificate that can be an anchor.
pub(crate) fn anchors(file: &Path) -> Result<RootCertStore, Failure> {
    let certificates = input::certificates(file)?.into_iter().map(CertificateDer::from);
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 {
        return Err(Failure::failed(
            "file",
            format!("{} has no certificate that can be a trust anchor.", input::name(file)),
        )
        .advise("Give the CA's root certificate, in PEM or DER."));
    }
    Ok(roots)
}
