//! The readers of what comes over HTTP, for `fuzz/targets`: what must hold for any bytes of a
//! responder.
//!
//! Compiled with the feature `fuzzing` alone.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::caching::{caching, retry_after};
use super::http::{certificates, media_type};

/// The header fields of an answer, one on each line.
pub fn http_headers(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n').take(64) {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or_default().trim_ascii();
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        {
            headers.append(name, value);
        }
    }
    assert!(retry_after(&headers).is_none_or(|pause| pause <= Duration::from_secs(86_400)));
    let etag = caching(&headers).etag;
    assert!(etag.is_none_or(|tag| tag.len() <= 80 && HeaderValue::from_str(&tag).is_ok()));
    let media_type = media_type(&headers);
    assert!(!media_type.contains(';') && !media_type.bytes().any(|byte| byte.is_ascii_uppercase()));
}

/// What stands at a `caIssuers` address: DER, PEM or a certs-only message.
pub fn ca_issuers(data: &[u8]) {
    let Some(found) = certificates(data) else { return };
    assert!(found.iter().map(Vec::len).sum::<usize>() <= data.len());
    assert!(!found.is_empty() || data.first() == Some(&0x30));
}
