//! The lab as files, for programs that read files: nginx, curl, `openssl s_server`, `openssl ocsp`.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use certstatus::message::{CertStatus, HashAlgorithm};
use certstatus::time::Rfc3339;
use rustls_pki_types::UnixTime;

use crate::authority::Entry;
use crate::{Lab, LabError, Leaf};

/// Where the files of a leaf and its lab are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Files {
    /// The leaf certificate, PEM.
    pub cert_pem: PathBuf,
    /// The leaf and intermediate certificates, PEM: what a server is configured with.
    pub chain_pem: PathBuf,
    /// The leaf's private key, PKCS#8 in PEM.
    pub key_pem: PathBuf,
    /// The intermediate certificate, PEM.
    pub issuer_pem: PathBuf,
    /// The root certificate, PEM: what a client trusts.
    pub root_pem: PathBuf,
    /// The intermediate and the root certificate, PEM.
    pub ca_pem: PathBuf,
    /// The certificate of who signs responses, PEM: the delegate's, or the intermediate one.
    pub signer_pem: PathBuf,
    /// The private key of who signs responses, PKCS#8 in PEM.
    pub signer_key_pem: PathBuf,
    /// The certificates and their status, as `openssl ca` keeps and `openssl ocsp -index` reads
    /// them. Certificates whose status is unknown are not in it.
    pub index_txt: PathBuf,
    /// The revocation list of the intermediate, PEM.
    pub crl_pem: PathBuf,
    /// The request about the leaf, DER, by SHA-1 and without a nonce.
    pub request_der: PathBuf,
    /// The response about the leaf as it is now, DER: what a server staples.
    pub staple_der: PathBuf,
}

impl Lab {
    /// Writes the files of a leaf and of the lab, as they are now, into a directory, which is made
    /// when it is not there. Files of an earlier call are replaced.
    ///
    /// # Errors
    /// [`LabError::Write`] names the file that could not be written.
    pub fn write_files(&self, directory: impl AsRef<Path>, leaf: &Leaf) -> Result<Files, LabError> {
        let directory = directory.as_ref();
        fs::create_dir_all(directory)
            .map_err(|source| LabError::Write { path: directory.to_owned(), source })?;
        let write = |name: &str, contents: &[u8]| {
            let path = directory.join(name);
            match fs::write(&path, contents) {
                Ok(()) => Ok(path),
                Err(source) => Err(LabError::Write { path, source }),
            }
        };
        let certificates = |name: &str, all: &[&[u8]]| {
            let text: String = all.iter().map(|der| pem("CERTIFICATE", der)).collect();
            write(name, text.as_bytes())
        };
        let signatory = self.authority().signatory();
        let signer_key = signatory.key.to_pkcs8()?;
        let index: String =
            self.authority().statuses().iter().filter_map(|(s, e)| index_line(s, e)).collect();
        Ok(Files {
            cert_pem: certificates("cert.pem", &[leaf.certificate()])?,
            chain_pem: certificates("chain.pem", &[leaf.certificate(), leaf.issuer()])?,
            key_pem: write("key.pem", pem("PRIVATE KEY", leaf.key().secret_der()).as_bytes())?,
            issuer_pem: certificates("issuer.pem", &[self.intermediate()])?,
            root_pem: certificates("root.pem", &[self.root()])?,
            ca_pem: certificates("ca.pem", &[self.intermediate(), self.root()])?,
            signer_pem: certificates("signer.pem", &[signatory.certificate])?,
            signer_key_pem: write(
                "signer-key.pem",
                pem("PRIVATE KEY", signer_key.secret_der()).as_bytes(),
            )?,
            index_txt: write("index.txt", index.as_bytes())?,
            crl_pem: write("crl.pem", pem("X509 CRL", &self.crl()?).as_bytes())?,
            request_der: write("request.der", &self.request(leaf, HashAlgorithm::Sha1)?.to_der())?,
            staple_der: write("staple.der", &self.respond(leaf))?,
        })
    }
}

/// DER as PEM (RFC 7468), 64 characters a line.
fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    for (at, character) in STANDARD.encode(der).chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text + &format!("\n-----END {label}-----\n")
}

/// A line of OpenSSL's certificate database: status, end of validity, revocation, serial number,
/// file, subject.
fn index_line(serial: &[u8], entry: &Entry) -> Option<String> {
    let (letter, revocation) = match entry.status {
        CertStatus::Good => ('V', String::new()),
        CertStatus::Revoked(info) => {
            let reason = info.revocation_reason.map(|reason| format!(",{reason}"));
            ('R', index_time(info.revocation_time) + &reason.unwrap_or_default())
        }
        CertStatus::Unknown => return None,
    };
    let (expires, name) = (index_time(entry.not_after), &entry.name);
    let serial = certstatus::hex(serial).to_uppercase();
    Some(format!(
        "{letter}\t{expires}\t{revocation}\t{serial}\tunknown\t/O=certstatus lab/CN={name}\n"
    ))
}

/// `UTCTime` until 2049 and `GeneralizedTime` after it: `260301120000Z`.
fn index_time(time: UnixTime) -> String {
    let digits: String =
        Rfc3339(time).to_string().chars().filter(|c| c.is_ascii_digit() || *c == 'Z').collect();
    match digits.strip_prefix("20") {
        Some(short) if digits.as_str() < "2050" => short.to_owned(),
        _ => digits,
    }
}

#[cfg(test)]
mod tests {
    use certstatus::message::{CrlReason, RevokedInfo};
    use certstatus::time::unix;

    use super::*;

    #[test]
    fn pem_has_lines_of_64_characters() {
        assert_eq!(pem("X", &[0; 3]), "-----BEGIN X-----\nAAAA\n-----END X-----\n");
        let lines = [64, 64, 4];
        let text = pem("X", &[0; 99]);
        let body = text.lines().filter(|line| !line.starts_with('-'));
        assert_eq!(body.map(str::len).collect::<Vec<_>>(), lines);
        assert!(!pem("X", &[0; 48]).contains("\n\n"), "no empty line after a full one");
    }

    #[test]
    fn the_index_is_written_as_openssl_writes_it() {
        let entry =
            |status| Entry { status, name: "localhost".to_owned(), not_after: unix(1_772_366_400) };
        assert_eq!(
            index_line(&[0x0a, 0xbc], &entry(CertStatus::Good)).unwrap(),
            "V\t260301120000Z\t\t0ABC\tunknown\t/O=certstatus lab/CN=localhost\n"
        );
        let revoked = CertStatus::Revoked(RevokedInfo {
            revocation_time: unix(1_767_225_600),
            revocation_reason: Some(CrlReason::KeyCompromise),
        });
        assert_eq!(
            index_line(&[1], &entry(revoked)).unwrap(),
            "R\t260301120000Z\t260101000000Z,keyCompromise\t01\tunknown\t\
             /O=certstatus lab/CN=localhost\n"
        );
        assert_eq!(index_line(&[1], &entry(CertStatus::Unknown)), None);
        assert_eq!(index_time(unix(2_524_608_000)), "20500101000000Z");
    }
}
