//! One file: its certificate, and who issued it as far as the files say.

use std::path::Path;

use certstatus::{Certificate, hex};
use certstatus_stapler::Fingerprint;
use certstatus_stapler::fetch::is_http;

use crate::failure::Failure;
use crate::files::read_regular;
use crate::{input, issuer};

/// A certificate as it was read.
#[derive(Debug)]
pub(in crate::agent) struct Loaded {
    /// The certificate, and what stood after it in its file; or its issuer alone, when that is in a file
    /// of its own. Of what stood after it nothing has been proven: the stapler does that, and when there
    /// is a stored response it costs nothing.
    pub(in crate::agent) chain: Vec<Vec<u8>>,
    /// The subject's name.
    pub(in crate::agent) subject: String,
    /// Hexadecimal.
    pub(in crate::agent) serial: String,
    /// Whether it says that its server must staple (RFC 7633).
    pub(in crate::agent) must_staple: bool,
    /// The responders that it names and that can be asked by HTTP.
    pub(in crate::agent) responders: Vec<String>,
    /// A digest of the certificate and what may be its issuer.
    pub(in crate::agent) digest: Fingerprint,
}

impl Loaded {
    /// Whether it is the certificate of that fingerprint.
    pub(in crate::agent) fn is(&self, certificate: &Fingerprint) -> bool {
        self.chain.first().is_some_and(|leaf| Fingerprint::of(leaf) == *certificate)
    }
}

/// Reads the certificate in that file, the first of the chain in it.
///
/// # Errors
/// When there is none, or the issuer's file has not its issuer.
pub(in crate::agent) fn load(path: &Path, issuer: Option<&Path>) -> Result<Loaded, Failure> {
    let mut chain = certificates(path)?;
    let leaf = chain.first().cloned().ok_or_else(|| {
        let name = input::name(path);
        Failure::untrusted("certificate", format!("{name} has no certificate in it."))
    })?;
    let certificate = issuer::certificate(&leaf, path)?;
    if let Some(file) = issuer {
        let candidates = certificates(file)?;
        let issuer = issuer::among(&certificate, &candidates, &input::name(file))?;
        chain.truncate(1);
        chain.push(issuer.der().to_vec());
    }
    Ok(Loaded {
        subject: display_name(&certificate),
        serial: hex(certificate.serial_number()),
        // An extension that cannot be read may have been the mark.
        must_staple: certificate.must_staple().unwrap_or(true),
        responders: responders(&certificate),
        digest: Fingerprint::of(&chain.concat()),
        chain,
    })
}

/// The certificates in a file, whose owner may be hostile.
fn certificates(path: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let contents = read_regular(path, input::MAX_FILE).map_err(|e| input::unreadable(path, &e))?;
    input::certificates_in(&contents, &input::name(path))
}

fn responders(certificate: &Certificate<'_>) -> Vec<String> {
    let urls = certificate.ocsp_urls().unwrap_or_default();
    urls.into_iter().filter(|url| is_http(url)).map(str::to_owned).collect()
}

/// What people call the certificate: its subject, or its serial number when that is empty.
fn display_name(certificate: &Certificate<'_>) -> String {
    let subject = certificate.subject().to_string();
    match subject.is_empty() {
        true => format!("serial {}", hex(certificate.serial_number())),
        false => subject,
    }
}
