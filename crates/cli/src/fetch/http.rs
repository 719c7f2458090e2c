//! OCSP over HTTP (RFC 6960, appendix A; RFC 5019, 5), and certificates over HTTP (RFC 5280,
//! 4.2.2.1). Bytes come out of here; what they are worth is judged elsewhere.
//!
//! Everything from the network has a bound: the time to connect and the time in all, the number of
//! redirects, the length of the body.

use std::time::Duration;

use certstatus::rfc5019::{REQUEST_MEDIA_TYPE, RESPONSE_MEDIA_TYPE, get_url};
use certstatus::time::Span;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, redirect};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Serialize;

use super::certs_only;

/// Redirects that are followed. Responders that moved to another host send one or two.
const MAX_REDIRECTS: usize = 5;

/// Bytes of a body that are read: 64 KiB, beyond which no response can be stapled.
const MAX_BODY: usize = 64 * 1024;

/// The longest time that one connection attempt may take, so that a responder of two addresses of
/// which one is dead is still reached in time.
const MAX_CONNECT: Duration = Duration::from_secs(5);

/// How a request was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Method {
    /// In the URL: what caches can answer.
    Get,
    /// In the body.
    Post,
}

impl Method {
    /// The method's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// What came back, and how it was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The body: what should be an OCSP response.
    pub(crate) body: Vec<u8>,
    /// How it was asked for.
    pub(crate) method: Method,
}

/// Why nothing came back that could be a response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("{url} is not a URL of http or https")]
    Url { url: String },
    #[error("{url} did not answer within {}", Span(*.timeout))]
    Timeout { url: String, timeout: Duration },
    #[error("{url} redirects more than {MAX_REDIRECTS} times")]
    Redirects { url: String },
    #[error("{url} cannot be reached: {reason}")]
    Connect { url: String, reason: String },
    #[error("the answer of {url} broke off: {reason}")]
    Broken { url: String, reason: String },
    #[error("{url} answered with HTTP {status}{}", if *.html { " and an HTML page" } else { "" })]
    Status { url: String, status: StatusCode, html: bool },
    #[error(
        "{url} answered with an HTML page, such as an error or login page, where {wanted} is due"
    )]
    Html { url: String, wanted: &'static str },
    #[error("{url} answered with {found}, where {wanted} is due")]
    MediaType { url: String, found: String, wanted: &'static str },
    #[error("{url} answered with {length} bytes or more, and at most {limit} are read")]
    TooLong { url: String, length: usize, limit: usize },
    #[error("{url} answered with something that is no certificate")]
    NoCertificate { url: String },
}

/// Asks responders, and fetches certificates.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    client: Client,
    timeout: Duration,
}

impl Http {
    /// A client that gives each request `timeout` in all.
    ///
    /// # Errors
    /// When TLS cannot be set up, as a sentence.
    pub(crate) fn new(timeout: Duration) -> Result<Self, String> {
        // The library takes the process's provider. That one is installed already is as good: only
        // this command's own code can have done it, with the same provider.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("certstatus/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(MAX_CONNECT.min(timeout))
            .timeout(timeout)
            .redirect(redirect::Policy::limited(MAX_REDIRECTS))
            .build()
            .map_err(|e| format!("the HTTP client cannot be set up: {}", cause(&e)))?;
        Ok(Self { client, timeout })
    }

    /// Asks a responder: by GET, so that caches can help, and by POST where the URL would be too
    /// long (RFC 5019, 5), where `post` says so, and where the responder refuses a GET.
    ///
    /// # Errors
    /// When no body comes back that claims to be an OCSP response.
    pub(crate) async fn ask(
        &self,
        responder: &str,
        request: &[u8],
        post: bool,
    ) -> Result<Answer, HttpError> {
        let url = parse(responder)?;
        if !post && let Some(get) = get_url(responder, request) {
            match self.receive(self.client.get(get), responder).await {
                Ok(body) => return Ok(Answer { body, method: Method::Get }),
                Err(error) if is_refusal(&error) => {}
                Err(error) => return Err(error),
            }
        }
        let request =
            self.client.post(url).header(CONTENT_TYPE, REQUEST_MEDIA_TYPE).body(request.to_vec());
        let body = self.receive(request, responder).await?;
        Ok(Answer { body, method: Method::Post })
    }

    async fn receive(&self, request: RequestBuilder, url: &str) -> Result<Vec<u8>, HttpError> {
        let response = self.send(request.header(ACCEPT, RESPONSE_MEDIA_TYPE), url).await?;
        let (url_owned, wanted) = (|| url.to_owned(), RESPONSE_MEDIA_TYPE);
        match media_type(response.headers()) {
            found if found == wanted => self.body(response, url).await,
            found if is_html(&found) => Err(HttpError::Html { url: url_owned(), wanted }),
            found if found.is_empty() => {
                let found = "no media type".to_owned();
                Err(HttpError::MediaType { url: url_owned(), found, wanted })
            }
            found => Err(HttpError::MediaType { url: url_owned(), found, wanted }),
        }
    }

    /// Fetches the certificates at a `caIssuers` URL: DER, PEM or a certs-only message, whatever
    /// media type they come as.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) async fn certificates(&self, url: &str) -> Result<Vec<Vec<u8>>, HttpError> {
        let response = self.send(self.client.get(parse(url)?), url).await?;
        let body = self.body(response, url).await?;
        let in_pem: Vec<Vec<u8>> = CertificateDer::pem_slice_iter(&body)
            .filter_map(|certificate| certificate.ok().map(|der| der.to_vec()))
            .collect();
        if !in_pem.is_empty() {
            return Ok(in_pem);
        }
        match certs_only::certificates(&body) {
            Some(found) => Ok(found),
            // The first byte of a SEQUENCE.
            None if body.first() == Some(&0x30) => Ok(vec![body]),
            None => Err(HttpError::NoCertificate { url: url.to_owned() }),
        }
    }

    async fn send(&self, request: RequestBuilder, url: &str) -> Result<Response, HttpError> {
        let response = request.send().await.map_err(|e| self.error(url, &e))?;
        if response.status() != StatusCode::OK {
            return Err(HttpError::Status {
                url: url.to_owned(),
                status: response.status(),
                html: is_html(&media_type(response.headers())),
            });
        }
        Ok(response)
    }

    async fn body(&self, mut response: Response, url: &str) -> Result<Vec<u8>, HttpError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.error(url, &e))? {
            let length = body.len() + chunk.len();
            if length > MAX_BODY {
                // The length that is announced tells more than that of what has come so far.
                let announced = response.content_length().and_then(|n| usize::try_from(n).ok());
                return Err(HttpError::TooLong {
                    url: url.to_owned(),
                    length: announced.unwrap_or(length),
                    limit: MAX_BODY,
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn error(&self, url: &str, error: &reqwest::Error) -> HttpError {
        let url = url.to_owned();
        if error.is_timeout() {
            HttpError::Timeout { url, timeout: self.timeout }
        } else if error.is_redirect() {
            HttpError::Redirects { url }
        } else if error.is_connect() {
            HttpError::Connect { url, reason: cause(error) }
        } else {
            HttpError::Broken { url, reason: cause(error) }
        }
    }
}

fn parse(url: &str) -> Result<Url, HttpError> {
    Url::parse(url)
        .ok()
        .filter(|parsed| matches!(parsed.scheme(), "http" | "https") && parsed.has_host())
        .ok_or_else(|| HttpError::Url { url: url.to_owned() })
}

/// The media type without its parameters, in lower case; empty when there is none.
fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_html(media_type: &str) -> bool {
    matches!(media_type, "text/html" | "application/xhtml+xml")
}

/// Whether a responder may answer a POST where it answered a GET with this: it says that the method
/// or the URL is not to its liking.
fn is_refusal(error: &HttpError) -> bool {
    matches!(error, HttpError::Status { status, .. }
        if status.is_client_error() && *status != StatusCode::TOO_MANY_REQUESTS
            || *status == StatusCode::NOT_IMPLEMENTED)
}

/// The innermost cause, which is what a person can act on.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    // Some end in "(os error 111)", which helps nobody.
    let said = cause.to_string();
    let said = said.split(" (os error").next().unwrap_or_default().trim();
    if said.is_empty() { error.to_string() } else { said.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_is_spoken() {
        assert!(parse("http://ca.example/ocsp").is_ok());
        assert!(parse("https://[::1]:8080/").is_ok());
        for wrong in ["", "ca.example", "ldap://ca.example/cn=x", "file:///etc/passwd", "http://"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_post_follows_a_refused_get_only() {
        let status = |code| HttpError::Status {
            url: String::new(),
            status: StatusCode::from_u16(code).unwrap(),
            html: false,
        };
        for code in [400, 403, 404, 405, 414, 501] {
            assert!(is_refusal(&status(code)), "{code}");
        }
        for code in [429, 500, 502, 503] {
            assert!(!is_refusal(&status(code)), "{code}");
        }
    }
}
