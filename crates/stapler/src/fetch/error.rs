//! Why a responder or a `caIssuers` address gave nothing that could be used.

use std::time::Duration;

use certstatus::time::Span;
use reqwest::StatusCode;

use super::redirect::MAX_REDIRECTS;

/// What hyper says of a connection that was closed before any answer.
const CLOSED: &str = "closed before message completed";

/// Why nothing came back that could be a response.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "`url` is the responder's address, and the rest is in the sentence")]
pub enum HttpError {
    /// The address is none of HTTP.
    #[error("{url} is not a URL of http or https")]
    Url { url: String },
    /// The time that a request may take is over.
    #[error("{url} did not answer within {}", Span(*.timeout))]
    Timeout { url: String, timeout: Duration },
    /// More redirects than are followed.
    #[error("{url} redirects more than {MAX_REDIRECTS} times")]
    Redirects { url: String },
    /// A redirect to an address that is none of HTTP.
    #[error("{url} redirects to {target}, which is not a URL of http or https")]
    RedirectTarget { url: String, target: String },
    /// There is no connection to be had.
    #[error("{url} cannot be reached: {reason}")]
    Connect { url: String, reason: String },
    /// The connection ended before the answer did.
    #[error("the answer of {url} broke off: {reason}")]
    Broken { url: String, reason: String },
    /// An HTTP status that is no success.
    #[error(
        "{url} answered with HTTP {}{}",
        status_line(*.status), if *.html { " and an HTML page" } else { "" }
    )]
    Status {
        url: String,
        /// The status code.
        status: u16,
        /// Whether an HTML page came with it.
        html: bool,
        /// For how long the responder wants to be left alone, if it says.
        retry_after: Option<Duration>,
    },
    /// A web page came where a response is due.
    #[error(
        "{url} answered with an HTML page, such as an error or login page, where {wanted} is due"
    )]
    Html { url: String, wanted: &'static str },
    /// The body is empty.
    #[error("{url} answered with nothing, where {wanted} is due")]
    Empty { url: String, wanted: &'static str },
    /// Something else came where a response is due.
    #[error("{url} answered with {found}, where {wanted} is due")]
    MediaType { url: String, found: String, wanted: &'static str },
    /// The body is longer than any response that can be stapled.
    #[error("{url} answered with {}{length} bytes, and at most {limit} are read",
        if *.exact { "" } else { "more than " })]
    TooLong {
        url: String,
        /// The length that the answer announces, or that of what was read of it.
        length: usize,
        /// Whether `length` is the whole length.
        exact: bool,
        limit: usize,
    },
    /// What came from a `caIssuers` address is no certificate.
    #[error("{url} answered with something that is no certificate")]
    NoCertificate { url: String },
}

impl HttpError {
    /// Whether the responder as a whole is in trouble, so that questions about other certificates
    /// would fare the same: it cannot be reached, does not answer, or says that it cannot serve now.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Timeout { .. }
            | Self::Redirects { .. }
            | Self::Connect { .. }
            | Self::Broken { .. } => true,
            Self::Status { status, .. } => {
                *status >= 500 || *status == StatusCode::TOO_MANY_REQUESTS.as_u16()
            }
            _ => false,
        }
    }

    /// Whether the same question by POST may be answered where GET was answered with this: the
    /// responder rejects the method or the URL, fails on it, or sends a page or nothing. A responder
    /// that asks to be left alone is left alone.
    pub(super) fn is_worth_a_post(&self) -> bool {
        match self {
            Self::Status { status, retry_after: None, .. } => {
                *status != StatusCode::TOO_MANY_REQUESTS.as_u16() && *status != 304
            }
            Self::Broken { reason, .. } => reason.contains(CLOSED),
            Self::Html { .. } | Self::Empty { .. } | Self::MediaType { .. } => true,
            _ => false,
        }
    }

    /// For how long the responder wants to be left alone, if it says.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// The status code with its name, as in a status line.
fn status_line(status: u16) -> String {
    StatusCode::from_u16(status).map_or_else(|_| status.to_string(), |status| status.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16, retry_after: Option<Duration>) -> HttpError {
        HttpError::Status { url: String::new(), status, html: false, retry_after }
    }

    #[test]
    fn outages_and_rejected_gets_are_told_apart() {
        for code in [400, 403, 404, 405, 414, 500, 501, 502, 503] {
            assert!(status(code, None).is_worth_a_post(), "{code}");
        }
        for code in [304, 429] {
            assert!(!status(code, None).is_worth_a_post(), "{code}");
        }
        assert!(!status(503, Some(Duration::from_secs(60))).is_worth_a_post());
        for code in [429, 500, 502, 503] {
            assert!(status(code, None).is_outage(), "{code}");
        }
        for code in [206, 301, 400, 404, 405, 499] {
            assert!(!status(code, None).is_outage(), "{code}");
        }
    }

    #[test]
    fn lengths_are_exact_where_they_were_announced() {
        let too_long =
            |exact| HttpError::TooLong { url: "u".into(), length: 70_000, exact, limit: 65_536 };
        assert_eq!(
            too_long(true).to_string(),
            "u answered with 70000 bytes, and at most 65536 are read"
        );
        assert!(too_long(false).to_string().contains("more than 70000 bytes"));
    }
}
