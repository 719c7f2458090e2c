//! OCSP over HTTP (RFC 6960, appendix A; RFC 5019, 5), and certificates over HTTP (RFC 5280,
//! 4.2.2.1). Bytes come out of here; what they are worth is judged elsewhere.
//!
//! Everything from the network has a bound: the time to connect and the time in all, the number of
//! redirects, the length of the body.

use std::sync::Arc;
use std::time::Duration;

use certstatus::rfc5019::{REQUEST_MEDIA_TYPE, RESPONSE_MEDIA_TYPE, get_url};
use certstatus::time::Span;
use reqwest::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, IF_NONE_MATCH};
use reqwest::{Client, Proxy, RequestBuilder, Response, StatusCode, Url, redirect};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::transport::{Answer, Content, Method, Question, Transport};
use super::{caching, certs_only};
use crate::BoxFuture;

/// Redirects that are followed. Responders that moved to another host send one or two.
const MAX_REDIRECTS: usize = 5;

/// Bytes of a body that are read: 64 KiB, beyond which no response can be stapled.
const MAX_BODY: usize = 64 * 1024;

/// The longest time that one connection attempt may take, so that a responder of two addresses of
/// which one is dead is still reached in time.
const MAX_CONNECT: Duration = Duration::from_secs(5);

/// The time that a request may take when nothing is said: well beyond what responders need, and short
/// enough that the next one is asked while it matters.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

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
    /// Something else came where a response is due.
    #[error("{url} answered with {found}, where {wanted} is due")]
    MediaType { url: String, found: String, wanted: &'static str },
    /// The body is longer than any response that can be stapled.
    #[error("{url} answered with {length} bytes or more, and at most {limit} are read")]
    TooLong { url: String, length: usize, limit: usize },
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

/// How [`Http`] is set up.
#[derive(Clone, Debug)]
#[must_use]
pub struct HttpBuilder {
    provider: Arc<CryptoProvider>,
    timeout: Duration,
    connect_timeout: Duration,
    proxy: Option<String>,
    roots: Option<RootCertStore>,
}

impl HttpBuilder {
    /// Sets the time that each request may take in all, redirects and body included; 10 s if
    /// nothing is said.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the time that each attempt to connect may take, within the time in all; 5 s if nothing
    /// is said.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sends everything through this HTTP proxy. If nothing is said, `http_proxy`, `https_proxy` and
    /// `no_proxy` of the environment rule.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = Some(url.into());
        self
    }

    /// Trusts these anchors for addresses of https; if nothing is said, those of the system.
    pub fn roots(mut self, roots: RootCertStore) -> Self {
        self.roots = Some(roots);
        self
    }

    /// Sets the client up.
    ///
    /// # Errors
    /// When TLS cannot be set up, or the proxy's address is none, as a sentence.
    pub fn build(self) -> Result<Http, crate::Error> {
        let cannot = |reason: String| crate::Error::Client { reason };
        let tls = ClientConfig::builder_with_provider(self.provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| cannot(e.to_string()))?
            .with_root_certificates(self.roots.unwrap_or_else(system_roots))
            .with_no_client_auth();
        let mut client = Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("certstatus/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.connect_timeout.min(self.timeout))
            .timeout(self.timeout)
            .redirect(redirect::Policy::limited(MAX_REDIRECTS));
        if let Some(proxy) = self.proxy {
            client = client.proxy(Proxy::all(proxy).map_err(|e| cannot(cause(&e)))?);
        }
        let client = client.build().map_err(|e| cannot(cause(&e)))?;
        let connect_timeout = self.connect_timeout.min(self.timeout);
        Ok(Http { client, timeout: self.timeout, connect_timeout })
    }
}

/// The anchors of the system. One that cannot be read is not trusted, and a system without any can
/// still ask responders of http, as almost all are.
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// Asks responders, and fetches certificates, over HTTP. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Http {
    client: Client,
    timeout: Duration,
    connect_timeout: Duration,
}

/// Whether that address is one of HTTP, with TLS or without: certificates name others too, such as a
/// directory's (`ldap`).
pub fn is_http(url: &str) -> bool {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| ["http", "https"].iter().any(|s| s.eq_ignore_ascii_case(scheme)))
}

impl Http {
    /// Sets a client up; TLS, where an address is of https, is by that provider.
    pub fn builder(provider: Arc<CryptoProvider>) -> HttpBuilder {
        HttpBuilder {
            provider,
            timeout: DEFAULT_TIMEOUT,
            connect_timeout: MAX_CONNECT,
            proxy: None,
            roots: None,
        }
    }

    /// Asks a responder: by GET, so that caches can help, and by POST where the URL would be too
    /// long (RFC 5019, 5), where the question says so, and where the responder refuses a GET.
    async fn exchange(&self, question: Question<'_>) -> Result<Answer, HttpError> {
        let Question { responder, request, post, etag, past_caches } = question;
        let url = parse(responder)?;
        if !post && let Some(get) = get_url(responder, request) {
            let mut get = self.client.get(get);
            if let Some(etag) = etag {
                get = get.header(IF_NONE_MATCH, etag);
            }
            if past_caches {
                get = get.header(CACHE_CONTROL, "no-cache");
            }
            match self.receive(get, responder, etag.is_some()).await {
                Ok((content, caching)) => {
                    return Ok(Answer { content, method: Method::Get, caching });
                }
                Err(error) if is_refusal(&error) => {}
                Err(error) => return Err(error),
            }
        }
        let request =
            self.client.post(url).header(CONTENT_TYPE, REQUEST_MEDIA_TYPE).body(request.to_vec());
        let (content, caching) = self.receive(request, responder, false).await?;
        Ok(Answer { content, method: Method::Post, caching })
    }

    async fn receive(
        &self,
        request: RequestBuilder,
        url: &str,
        conditional: bool,
    ) -> Result<(Content, super::Caching), HttpError> {
        let response = self.send(request.header(ACCEPT, RESPONSE_MEDIA_TYPE), url).await?;
        let caching = caching::caching(response.headers());
        if conditional && response.status() == StatusCode::NOT_MODIFIED {
            return Ok((Content::NotModified, caching));
        }
        let response = ok(response, url)?;
        let (url_owned, wanted) = (|| url.to_owned(), RESPONSE_MEDIA_TYPE);
        match media_type(response.headers()) {
            found if found == wanted => {
                Ok((Content::Response(self.body(response, url).await?), caching))
            }
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
    async fn download(&self, url: &str) -> Result<Vec<Vec<u8>>, HttpError> {
        let response = ok(self.send(self.client.get(parse(url)?), url).await?, url)?;
        let body = self.body(response, url).await?;
        certificates(body).ok_or_else(|| HttpError::NoCertificate { url: url.to_owned() })
    }

    async fn send(&self, request: RequestBuilder, url: &str) -> Result<Response, HttpError> {
        request.send().await.map_err(|e| self.error(url, &e))
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
        if error.is_timeout() && error.is_connect() {
            let reason = format!("there is no connection within {}", Span(self.connect_timeout));
            HttpError::Connect { url, reason }
        } else if error.is_timeout() {
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

impl Transport for Http {
    fn ask<'a>(&'a self, question: Question<'a>) -> BoxFuture<'a, Result<Answer, HttpError>> {
        Box::pin(self.exchange(question))
    }

    fn certificates<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Vec<Vec<u8>>, HttpError>> {
        Box::pin(self.download(url))
    }
}

/// The response, if its status is 200.
fn ok(response: Response, url: &str) -> Result<Response, HttpError> {
    if response.status() == StatusCode::OK {
        return Ok(response);
    }
    Err(HttpError::Status {
        url: url.to_owned(),
        status: response.status().as_u16(),
        html: is_html(&media_type(response.headers())),
        retry_after: caching::retry_after(response.headers()),
    })
}

fn parse(url: &str) -> Result<Url, HttpError> {
    Url::parse(url)
        .ok()
        .filter(|parsed| matches!(parsed.scheme(), "http" | "https") && parsed.has_host())
        .ok_or_else(|| HttpError::Url { url: url.to_owned() })
}

/// What stands at a `caIssuers` address: the certificates of a PEM file or of a certs-only message, or
/// DER by itself. `None` when it is nothing of that; whether a value is a certificate is not looked at.
pub(super) fn certificates(body: Vec<u8>) -> Option<Vec<Vec<u8>>> {
    /// The first byte of a SEQUENCE.
    const SEQUENCE: u8 = 0x30;
    let in_pem: Vec<Vec<u8>> = CertificateDer::pem_slice_iter(&body)
        .filter_map(|certificate| certificate.ok().map(|der| der.to_vec()))
        .collect();
    if !in_pem.is_empty() {
        return Some(in_pem);
    }
    certs_only::certificates(&body)
        .or_else(|| (body.first() == Some(&SEQUENCE)).then(|| vec![body]))
}

/// The media type without its parameters, in lower case; empty when there is none.
pub(super) fn media_type(headers: &HeaderMap) -> String {
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
        if (400..500).contains(status) && *status != StatusCode::TOO_MANY_REQUESTS.as_u16()
            || *status == StatusCode::NOT_IMPLEMENTED.as_u16())
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
            status: code,
            html: false,
            retry_after: None,
        };
        for code in [400, 403, 404, 405, 414, 501] {
            assert!(is_refusal(&status(code)), "{code}");
        }
        for code in [429, 500, 502, 503] {
            assert!(!is_refusal(&status(code)), "{code}");
            assert!(status(code).is_outage(), "{code}");
        }
        for code in [206, 301, 400, 404, 405, 499] {
            assert!(!status(code).is_outage(), "{code}");
        }
    }
}
