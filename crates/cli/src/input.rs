//! Files as they come: PEM or DER by content, `-` for standard input, several certificates in one.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use certstatus_stapler::fetch::{certs_only, pem};

use crate::failure::{Failure, reason};

/// The longest file that is read, in bytes: 1 MiB. A whole CA bundle of a distribution has a
/// quarter of it.
pub(crate) const MAX_FILE: u64 = 1 << 20;

/// One DER value of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The label of its PEM armour, such as `CERTIFICATE`; `None` for plain DER.
    pub(crate) label: Option<String>,
    /// The value.
    pub(crate) der: Vec<u8>,
}

/// Whether the path means standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The path as it is named in messages.
pub(crate) fn name(path: &Path) -> String {
    if is_stdin(path) { "standard input".to_owned() } else { path.display().to_string() }
}

/// The contents of a file, or of standard input for `-`.
///
/// # Errors
/// When it cannot be read, or has more than [`MAX_FILE`] bytes.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let read = if is_stdin(path) {
        read_bounded(io::stdin().lock(), 0)
    } else {
        File::open(path).and_then(|file| {
            let length = file.metadata()?.len();
            read_bounded(file, length)
        })
    };
    let bytes = read.map_err(|e| unreadable(path, &e))?;
    if bytes.len() as u64 > MAX_FILE {
        let name = name(path);
        return Err(Failure::failed(
            "file",
            format!("{name} is longer than {MAX_FILE} bytes, and is not read."),
        )
        .advise("Give a file that holds nothing but the certificate or message."));
    }
    Ok(bytes)
}

/// What there is to read, of which so many bytes are expected.
fn read_bounded(reader: impl Read, expected: u64) -> io::Result<Vec<u8>> {
    // With room for what is expected it takes one call, and one more that finds the end.
    let mut bytes = Vec::with_capacity(usize::try_from(expected.min(MAX_FILE)).unwrap_or(0));
    reader.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let failure =
        Failure::failed("file", format!("{} cannot be read: {}.", name(path), reason(error)));
    match error.kind() {
        io::ErrorKind::NotFound => failure.advise("Check the path."),
        io::ErrorKind::PermissionDenied => {
            failure.advise("Run the command as a user who may read the file.")
        }
        _ => failure,
    }
}

/// The one message of a file: its DER, or that of its first PEM block.
///
/// # Errors
/// When the file cannot be read, or is damaged PEM.
pub(crate) fn message(path: &Path) -> Result<Block, Failure> {
    let blocks = blocks(&read(path)?, &name(path))?;
    blocks.into_iter().next().ok_or_else(|| empty(path))
}

/// The certificates of a file in their order; private keys and other PEM blocks are skipped.
///
/// # Errors
/// When the file cannot be read, is damaged PEM, or has no certificate.
pub(crate) fn certificates(path: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    certificates_in(&read(path)?, &name(path))
}

/// The certificates in the bytes of a file, as servers read them: PEM with several blocks, text between
/// them and a byte order mark; `TRUSTED CERTIFICATE`; DER; PKCS#7 (`.p7b`) in PEM, DER or BER.
///
/// # Errors
/// When the bytes are damaged PEM, or have no certificate.
pub(crate) fn certificates_in(bytes: &[u8], name: &str) -> Result<Vec<Vec<u8>>, Failure> {
    let mut certificates = Vec::new();
    for block in blocks(bytes, name)? {
        match certificates_of(&block) {
            Some(found) => certificates.extend(found),
            None if block.label.is_none() => certificates.push(block.der),
            None => {}
        }
    }
    if certificates.is_empty() {
        return Err(Failure::failed("certificate", format!("{name} has no certificate in it."))
            .advise(
                "Give a certificate in PEM, DER or PKCS#7, or a chain in PEM with the certificate \
                 first.",
            ));
    }
    Ok(certificates)
}

/// The certificates in a block; `None` where it is of another kind, or DER that is no PKCS#7.
fn certificates_of(block: &Block) -> Option<Vec<Vec<u8>>> {
    match &block.label {
        Some(label) => pem::Block { label: label.clone(), der: block.der.clone() }.certificates(),
        None => certs_only(&block.der),
    }
}

/// The blocks with a block for each certificate of those that hold several, as PKCS#7 does.
pub(crate) fn each_certificate(blocks: Vec<Block>) -> Vec<Block> {
    let label = || Some("CERTIFICATE".to_owned());
    blocks
        .into_iter()
        .flat_map(|block| match certificates_of(&block) {
            Some(all) => all.into_iter().map(|der| Block { label: label(), der }).collect(),
            None => vec![block],
        })
        .collect()
}

fn empty(path: &Path) -> Failure {
    Failure::failed("parse", format!("{} is empty.", name(path)))
}

/// The values of a file: its PEM blocks, or all of it as DER when it has no PEM.
///
/// # Errors
/// When it is empty, or a PEM block is damaged; `name` says what is read.
pub(crate) fn blocks(bytes: &[u8], name: &str) -> Result<Vec<Block>, Failure> {
    if bytes.is_empty() {
        return Err(Failure::failed("parse", format!("{name} is empty."))
            .advise("See why nothing was written to it."));
    }
    if pem::is_pem(bytes) {
        let blocks = pem::blocks(bytes).map_err(|e| {
            Failure::failed("parse", format!("{name} is damaged PEM: {e}."))
                .advise("Write the file again from its source.")
        })?;
        let labelled = |block: pem::Block| Block { label: Some(block.label), der: block.der };
        return Ok(blocks.into_iter().map(labelled).collect());
    }
    if is_utf16(bytes) {
        return Err(Failure::failed(
            "parse",
            format!("{name} is text in UTF-16, and neither PEM nor DER."),
        )
        .advise(
            "Save it as UTF-8 or ASCII: iconv -f UTF-16 -t UTF-8. Servers do not read it either.",
        ));
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if text.trim_ascii_start().starts_with(b"<") {
        return Err(Failure::failed(
            "parse",
            format!("{name} is an HTML or XML page, and neither PEM nor DER."),
        )
        .advise("It may be the error page of a web server: see it in a browser or editor."));
    }
    Ok(vec![Block { label: None, der: bytes.to_vec() }])
}

/// Whether bytes are UTF-16 with its byte order mark, in which PowerShell saves text.
fn is_utf16(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_without_pem_are_der() {
        let all = blocks(&[0x30, 0], "x").unwrap();
        assert_eq!(all, [Block { label: None, der: vec![0x30, 0] }]);
    }

    #[test]
    fn pem_blocks_are_read_in_order() {
        let text = "subject=a\n-----BEGIN A-----\nAQI=\n-----END A-----\r\nhello\n\
                    -----BEGIN B C-----\r\nA\r\nw==\r\n-----END B C-----\n";
        let all = blocks(text.as_bytes(), "x").unwrap();
        assert_eq!(all[0], Block { label: Some("A".into()), der: vec![1, 2] });
        assert_eq!(all[1], Block { label: Some("B C".into()), der: vec![3] });
    }

    #[test]
    fn certificates_are_found_in_every_form() {
        let pem = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        let key = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
        let trusted = pem.replace("CERT", "TRUSTED CERT").replace("MAA=", "MAAwAA==");
        let marked = [&b"\xef\xbb\xbf"[..], pem.as_bytes()].concat();
        let latin1 = [&b"O=Soci\xe9t\xe9\n"[..], pem.as_bytes()].concat();
        for file in [pem.as_bytes(), trusted.as_bytes(), &marked, &latin1, &[0x30, 0]] {
            assert_eq!(certificates_in(file, "x").unwrap(), [vec![0x30, 0]]);
        }
        assert_eq!(certificates_in((key.to_owned() + pem).as_bytes(), "x").unwrap().len(), 1);
        for file in [key.as_bytes(), b"", b"\xff\xfe-\0-\0", b"<html>", &pem.as_bytes()[..40]] {
            let failure = certificates_in(file, "x").unwrap_err();
            assert_eq!(failure.outcome().code(), 1, "{failure}");
        }
    }

    #[test]
    fn damage_is_named() {
        for (text, what) in [
            ("", "is empty"),
            ("<!DOCTYPE html>", "HTML"),
            ("-----BEGIN A-----\nAQI=\n", "no end"),
            ("-----BEGIN A-----\n-----BEGIN A-----\n", "no end"),
            ("-----BEGIN A-----\nAQI=\n-----END B-----\n", "no beginning"),
            ("-----BEGIN A-----\n*\n-----END A-----\n", "not base64"),
        ] {
            let failure = blocks(text.as_bytes(), "x").unwrap_err();
            assert!(failure.to_string().contains(what), "{text:?}: {failure}");
        }
    }
}
