//! The parts of OCSP over HTTP (RFC 6960, appendix A; RFC 5019, 5) that need no network.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The media type of a request.
pub const REQUEST_MEDIA_TYPE: &str = "application/ocsp-request";

/// The media type of a response.
pub const RESPONSE_MEDIA_TYPE: &str = "application/ocsp-response";

/// The longest URL that is sent with GET, in bytes; a longer one goes by POST (RFC 5019, 5).
pub const MAX_GET_URL: usize = 255;

/// The URL of a GET request to that responder: its own, a slash if it has none at its end, and the
/// base64 of the request with `+`, `/` and `=` percent-encoded.
///
/// `None` when the URL would be longer than [`MAX_GET_URL`], or when the responder's URL has a
/// query or fragment, after which nothing can be appended: use POST.
pub fn get_url(responder: &str, request: &[u8]) -> Option<String> {
    if responder.contains(['?', '#']) {
        return None;
    }
    let slash = if responder.ends_with('/') { "" } else { "/" };
    let encoded =
        STANDARD.encode(request).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    Some(format!("{responder}{slash}{encoded}")).filter(|url| url.len() <= MAX_GET_URL)
}

/// The request that the last part of a GET path carries; `path` is what follows the responder's own
/// path, with or without a slash before it.
///
/// Clients leave the slashes of base64 unescaped at times, so the whole rest of the path is taken.
/// `None` when it is not percent-encoded base64.
pub fn request_from_path(path: &str) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(path.len());
    let mut bytes = path.strip_prefix('/').unwrap_or(path).bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            text.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        text.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
    }
    STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_appended_to_the_path_and_escaped() {
        let request = [0xfb, 0xff, 0xfe, 0x3f];
        let expected = "http://ca.example/ocsp/%2B%2F%2F%2BPw%3D%3D";
        assert_eq!(get_url("http://ca.example/ocsp", &request).unwrap(), expected);
        assert_eq!(get_url("http://ca.example/ocsp/", &request).unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_a_get_is_a_post() {
        assert_eq!(get_url("http://ca.example/ocsp?a=b", &[1]), None);
        assert_eq!(get_url("http://ca.example/", &[0; 300]), None);
        // 255 bytes with the scheme, the host and the escapes, and not one more.
        let longest = get_url("http://a.example/", &[0; 176]).unwrap();
        assert_eq!(longest.len(), MAX_GET_URL);
        assert_eq!(get_url("http://ab.example/", &[0; 176]), None);
    }

    #[test]
    fn paths_are_read_as_clients_write_them() {
        let request: Vec<u8> = (0..=255).collect();
        let url = "http://ca.example/".to_owned() + &STANDARD.encode(&request);
        let path = url.strip_prefix("http://ca.example").unwrap();
        assert_eq!(request_from_path(path).unwrap(), request);
        let short = get_url("http://ca.example", &[0xfb, 0xff, 0xfe, 0x3f]).unwrap();
        let path = short.strip_prefix("http://ca.example").unwrap();
        assert_eq!(request_from_path(path).unwrap(), [0xfb, 0xff, 0xfe, 0x3f]);
        for wrong in ["/%", "/%4", "/%zz", "/a", "/ü"] {
            assert_eq!(request_from_path(wrong), None, "{wrong}");
        }
    }
}
