//! PEM as people have it (RFC 7468, and what OpenSSL writes beside it): several blocks in one file, a
//! byte order mark, text in any encoding between the blocks, headers of old encrypted keys.
//!
//! Bytes are read, not characters: a comment in Latin-1 above a certificate is no fault of the
//! certificate.

use asn1::Tlv;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::certs_only;

/// One block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its label, such as `CERTIFICATE`.
    pub label: String,
    /// Its value.
    pub der: Vec<u8>,
}

/// Why PEM cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// A block has a beginning and no end.
    #[error("the block {0} has no end")]
    NoEnd(String),
    /// A block has an end and no beginning, or another one.
    #[error("the end of {0} has no beginning")]
    NoBeginning(String),
    /// What is between beginning and end is not base64.
    #[error("the block {label} is not base64: {reason}")]
    NotBase64 {
        /// The block.
        label: String,
        /// What is wrong.
        reason: base64::DecodeError,
    },
}

/// The marks of a beginning and an end.
const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";

/// The byte order mark of UTF-8, which editors of Windows put at the beginning.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Base64 of PEM; some tools leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Returns whether the bytes have a block, whole or not: a line that begins one.
pub fn is_pem(bytes: &[u8]) -> bool {
    lines(bytes).any(|line| line.starts_with(BEGIN))
}

/// Reads the blocks in their order; other text is skipped.
///
/// # Errors
/// [`PemError`] for the first block that cannot be read.
pub fn blocks(bytes: &[u8]) -> Result<Vec<Block>, PemError> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, Vec<u8>)> = None;
    for line in lines(bytes) {
        if let Some(label) = armour(line, BEGIN) {
            if let Some((before, _)) = open.replace((label, Vec::new())) {
                return Err(PemError::NoEnd(before));
            }
        } else if let Some(label) = armour(line, END) {
            let body = match open.take() {
                Some((begun, body)) if begun == label => body,
                _ => return Err(PemError::NoBeginning(label)),
            };
            match BASE64.decode(&body) {
                Ok(der) => blocks.push(Block { label, der }),
                Err(reason) => return Err(PemError::NotBase64 { label, reason }),
            }
        } else if let Some((_, body)) = &mut open
            && !line.contains(&b':')
        {
            // A line with a colon is a header of an encrypted key.
            body.extend(line.iter().filter(|byte| !byte.is_ascii_whitespace()));
        }
    }
    match open {
        Some((label, _)) => Err(PemError::NoEnd(label)),
        None => Ok(blocks),
    }
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    // Files of old systems end lines with a carriage return alone.
    bytes.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii)
}

fn armour(line: &[u8], mark: &[u8]) -> Option<String> {
    let label = line.strip_prefix(mark)?.strip_suffix(b"-----")?;
    Some(String::from_utf8_lossy(label).into_owned())
}

impl Block {
    /// Returns the certificates in the block: one of a `CERTIFICATE`, that of a `TRUSTED CERTIFICATE`
    /// without OpenSSL's trust settings after it, or all of a `PKCS7` or `CMS`. `None` for blocks of
    /// other kinds, such as keys.
    pub fn certificates(&self) -> Option<Vec<Vec<u8>>> {
        match self.label.as_str() {
            "CERTIFICATE" | "X509 CERTIFICATE" => Some(vec![self.der.clone()]),
            "TRUSTED CERTIFICATE" => Some(vec![first(&self.der).to_vec()]),
            "PKCS7" | "CMS" | "PKCS #7 SIGNED DATA" => {
                Some(certs_only::certificates(&self.der).unwrap_or_default())
            }
            _ => None,
        }
    }
}

/// The first DER value, or everything where there is none.
fn first(der: &[u8]) -> &[u8] {
    let value = asn1::strip_tlv(der).map(|(value, _): (Tlv<'_>, _)| value.full_data());
    value.unwrap_or(der)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(label: &str, der: &[u8]) -> Block {
        Block { label: label.into(), der: der.to_vec() }
    }

    #[test]
    fn blocks_are_read_in_order_and_text_is_skipped() {
        let text = b"\xef\xbb\xbf-----BEGIN A-----\nAQI=\n-----END A-----\r\nO=Soci\xe9t\xe9\n\
                     -----BEGIN B C-----\r\nA\r\nw = =\r\n-----END B C-----\n";
        assert!(is_pem(text));
        assert_eq!(blocks(text).unwrap(), [block("A", &[1, 2]), block("B C", &[3])]);
        assert_eq!(blocks(&text.map(|b| if b == b'\n' { b'\r' } else { b })).unwrap().len(), 2);
        assert!(!is_pem(b"text -----BEGIN A-----"));
    }

    #[test]
    fn trust_settings_of_openssl_are_left_out() {
        let trusted = block("TRUSTED CERTIFICATE", &[0x30, 1, 5, 0x30, 0]);
        assert_eq!(trusted.certificates().unwrap(), [vec![0x30, 1, 5]]);
        assert_eq!(block("PRIVATE KEY", &[0x30, 0]).certificates(), None);
        assert_eq!(block("PKCS7", &[0x30, 0]).certificates().unwrap(), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn damage_is_named() {
        for (text, what) in [
            ("-----BEGIN A-----\nAQI=\n", "no end"),
            ("-----BEGIN A-----\n-----BEGIN A-----\n", "no end"),
            ("-----BEGIN A-----\nAQI=\n-----END B-----\n", "no beginning"),
            ("-----BEGIN A-----\n*\n-----END A-----\n", "not base64"),
        ] {
            let error = blocks(text.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(what), "{text:?}: {error}");
        }
    }
}
