//! Files as they come: PEM or DER by content, `-` for standard input, several certificates in one.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

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

/// The certificates of a file in their order; private keys and other PEM blocks are passed over.
///
/// # Errors
/// When the file cannot be read, is damaged PEM, or has no certificate.
pub(crate) fn certificates(path: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    certificates_in(&read(path)?, &name(path))
}

/// The certificates in the contents of a file of that name, as [`certificates`] gives them.
///
/// # Errors
/// When they are damaged PEM, or have no certificate.
pub(crate) fn certificates_in(contents: &[u8], name: &str) -> Result<Vec<Vec<u8>>, Failure> {
    let blocks = blocks(contents, name)?;
    let certificates: Vec<_> = blocks
        .into_iter()
        .filter(|block| block.label.as_deref().is_none_or(is_certificate))
        .map(|block| block.der)
        .collect();
    if certificates.is_empty() {
        return Err(Failure::untrusted("certificate", format!("{name} has no certificate in it."))
            .advise(
                "Give a certificate in PEM or DER, or a chain in PEM with the certificate first.",
            ));
    }
    Ok(certificates)
}

fn is_certificate(label: &str) -> bool {
    ["CERTIFICATE", "X509 CERTIFICATE"].contains(&label)
}

fn empty(path: &Path) -> Failure {
    Failure::untrusted("parse", format!("{} is empty.", name(path)))
}

/// The values of a file: its PEM blocks, or all of it as DER when it has no PEM.
///
/// # Errors
/// When it is empty, or a PEM block is damaged; `name` says what is read.
pub(crate) fn blocks(bytes: &[u8], name: &str) -> Result<Vec<Block>, Failure> {
    if bytes.is_empty() {
        return Err(Failure::untrusted("parse", format!("{name} is empty."))
            .advise("See why nothing was written to it."));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if text.contains("-----BEGIN ") => pem(text, name),
        Ok(text) if text.trim_start().starts_with('<') => Err(Failure::untrusted(
            "parse",
            format!("{name} is an HTML or XML page, and neither PEM nor DER."),
        )
        .advise("It may be the error page of a web server: see it in a browser or editor.")),
        _ => Ok(vec![Block { label: None, der: bytes.to_vec() }]),
    }
}

fn pem(text: &str, name: &str) -> Result<Vec<Block>, Failure> {
    let damaged = |what: String| {
        Failure::untrusted("parse", format!("{name} is damaged PEM: {what}."))
            .advise("Write the file again from its source.")
    };
    let mut blocks = Vec::new();
    let mut open: Option<(&str, String)> = None;
    for line in text.lines().map(str::trim) {
        if let Some(label) = armour(line, "-----BEGIN ") {
            if let Some((before, _)) = open.replace((label, String::new())) {
                return Err(damaged(format!("the block {before} has no end")));
            }
        } else if let Some(label) = armour(line, "-----END ") {
            let body = match open.take() {
                Some((begun, body)) if begun == label => body,
                _ => return Err(damaged(format!("the end of {label} has no beginning"))),
            };
            let der = STANDARD
                .decode(&body)
                .map_err(|e| damaged(format!("the block {label} is not base64: {e}")))?;
            blocks.push(Block { label: Some(label.to_owned()), der });
        } else if let Some((_, body)) = &mut open
            && !line.contains(':')
        {
            // A line with a colon is a header of an encrypted key.
            body.push_str(line);
        }
    }
    match open {
        Some((label, _)) => Err(damaged(format!("the block {label} has no end"))),
        None => Ok(blocks),
    }
}

fn armour<'a>(line: &'a str, begin: &str) -> Option<&'a str> {
    line.strip_prefix(begin)?.strip_suffix("-----")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_pem_is_der() {
        let all = blocks(&[0x30, 0], "x").unwrap();
        assert_eq!(all, [Block { label: None, der: vec![0x30, 0] }]);
    }

    #[test]
    fn pem_blocks_are_read_in_order_and_text_between_them_is_passed_over() {
        let text = "subject=a\n-----BEGIN A-----\nAQI=\n-----END A-----\r\nhello\n\
                    -----BEGIN B C-----\r\nA\r\nw==\r\n-----END B C-----\n";
        let all = blocks(text.as_bytes(), "x").unwrap();
        assert_eq!(all[0], Block { label: Some("A".into()), der: vec![1, 2] });
        assert_eq!(all[1], Block { label: Some("B C".into()), der: vec![3] });
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
