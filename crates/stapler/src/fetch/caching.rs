//! What the header fields of an answer say about keeping it (RFC 9111, 4.2 and 5.2; RFC 5019, 6.2).

use std::time::Duration;

use reqwest::header::{
    AGE, CACHE_CONTROL, DATE, ETAG, EXPIRES, HeaderMap, HeaderName, RETRY_AFTER,
};

use super::Caching;

/// The longest entity tag that is kept. A hash in hexadecimal has 66 bytes with its quotes; a longer
/// one saves less than it costs where there are many certificates.
const MAX_ETAG: usize = 80;

/// The longest pause that a responder may ask for: past that it is asked again all the same.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(86_400);

/// What the header fields say.
pub(super) fn caching(headers: &HeaderMap) -> Caching {
    Caching { fresh_for: fresh_for(headers), etag: etag(headers) }
}

/// `max-age` rules over `Expires`, and what caches have used up of it (`Age`) is gone.
fn fresh_for(headers: &HeaderMap) -> Option<Duration> {
    let mut max_age = None;
    for value in headers.get_all(CACHE_CONTROL) {
        for directive in value.to_str().ok()?.split(',') {
            let (name, argument) =
                directive.trim().split_once('=').unwrap_or((directive.trim(), ""));
            match name.to_ascii_lowercase().as_str() {
                "no-store" | "no-cache" => return None,
                "max-age" => max_age = argument.trim_matches('"').parse::<u64>().ok(),
                _ => {}
            }
        }
    }
    let lifetime = match max_age {
        Some(seconds) => Duration::from_secs(seconds),
        None => {
            let date = |name| httpdate::parse_http_date(text(headers, name)?).ok();
            date(EXPIRES)?.duration_since(date(DATE)?).ok()?
        }
    };
    let age = text(headers, AGE).and_then(|age| age.parse::<u64>().ok()).unwrap_or(0);
    Some(lifetime.saturating_sub(Duration::from_secs(age)))
}

fn etag(headers: &HeaderMap) -> Option<Box<str>> {
    text(headers, ETAG).filter(|tag| tag.len() <= MAX_ETAG).map(Into::into)
}

/// For how long the responder wants to be left alone (RFC 9110, 10.2.3); only the form in seconds,
/// which needs no clock.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = text(headers, RETRY_AFTER)?.parse::<u64>().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn headers(fields: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn freshness_is_read_as_caches_read_it() {
        let seconds = |fields: &[_]| fresh_for(&headers(fields)).map(|fresh| fresh.as_secs());
        assert_eq!(seconds(&[]), None);
        assert_eq!(seconds(&[(CACHE_CONTROL, "public, Max-Age=60, no-transform")]), Some(60));
        assert_eq!(seconds(&[(CACHE_CONTROL, "max-age=\"60\"")]), Some(60));
        assert_eq!(seconds(&[(CACHE_CONTROL, "max-age=60"), (AGE, "45")]), Some(15));
        assert_eq!(seconds(&[(CACHE_CONTROL, "max-age=60"), (AGE, "90")]), Some(0));
        assert_eq!(seconds(&[(CACHE_CONTROL, "max-age=60"), (CACHE_CONTROL, "no-cache")]), None);
        assert_eq!(seconds(&[(CACHE_CONTROL, "no-store")]), None);
        assert_eq!(seconds(&[(CACHE_CONTROL, "max-age=soon")]), None);
        let date = (DATE, "Sun, 01 Mar 2026 12:00:00 GMT");
        let expires = (EXPIRES, "Sun, 01 Mar 2026 12:10:00 GMT");
        assert_eq!(seconds(&[date.clone(), expires.clone()]), Some(600));
        assert_eq!(seconds(&[date.clone(), expires.clone(), (AGE, "450")]), Some(150));
        assert_eq!(seconds(std::slice::from_ref(&expires)), None, "by whose clock?");
        assert_eq!(seconds(&[date, expires, (CACHE_CONTROL, "max-age=5")]), Some(5));
    }

    #[test]
    fn tags_and_pauses_are_bounded() {
        assert_eq!(etag(&headers(&[(ETAG, "\"abc\"")])).as_deref(), Some("\"abc\""));
        for (length, kept) in [(MAX_ETAG, true), (MAX_ETAG + 1, false)] {
            let tag = HeaderValue::from_str(&format!("\"{}\"", "0".repeat(length - 2))).unwrap();
            let headers = HeaderMap::from_iter([(ETAG, tag)]);
            assert_eq!(etag(&headers).is_some(), kept, "{length}");
        }
        let pause = |value| retry_after(&headers(&[(RETRY_AFTER, value)])).map(|d| d.as_secs());
        assert_eq!(pause("120"), Some(120));
        assert_eq!(pause("99999999"), Some(86_400));
        assert_eq!(pause("Sun, 01 Mar 2026 12:00:00 GMT"), None);
    }
}
