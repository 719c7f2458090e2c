//! OCSP over HTTP (RFC 6960, appendix A; RFC 5019, 5), and certificates over HTTP (RFC 5280,
//! 4.2.2.1). Bytes come out of here; what they are worth is judged elsewhere.
//!
//! Everything from the network has a bound: the time to connect and the time in all, the number of
//! redirects, the length of the body.

use std::sync::Arc;
use std::time::Duration;

use certstatus::Limits;
use certstatus::message::OcspResponse;
use certstatus::rfc5019::{REQUEST_MEDIA_TYPE, RESPONSE_MEDIA_TYPE, get_url};
use certstatus::time::Span;
use reqwest::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, IF_NONE_MATCH};
use reqwest::{Client, Method as HttpMethod, Proxy, Request, Response, StatusCode, Url, redirect};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore};

use tokio::time::Instant;

use super::error::HttpError;
use super::redirect::Redirected;
use super::transport::{Answer, Content, Method, Question, Transport};
use super::{caching, certs_only, pem};
use crate::BoxFuture;

/// Bytes of a response that are read: 64 KiB, beyond which no response can be stapled.
const MAX_BODY: usize = 64 * 1024;

/// Bytes that are read of a `caIssuers` address: the certificates of a bridge CA, some dozens of 2 KiB,
/// are more than a response may have.
const MAX_CERTIFICATES: usize = 256 * 1024;

/// The longest time that one connection attempt may take, so that a responder of two addresses of
/// which one is dead is still reached in time.
const MAX_CONNECT: Duration = Duration::from_secs(5);

/// The time that a request may take when nothing is said: well beyond what responders need, and short
/// enough that the next one is asked while it matters.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

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
            .redirect(redirect::Policy::none());
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

    /// Asks a responder: by GET, so that caches can help, and by POST where the question says so, or
    /// where the URL would be too long (RFC 5019, 5).
    async fn exchange(&self, question: Question<'_>) -> Result<Answer, HttpError> {
        let Question { responder, request, post, etag, past_caches } = question;
        let url = parse(responder)?;
        let get = get_url(responder, request).filter(|_| !post);
        let (method, mut asked) = match get.and_then(|get| Url::parse(&get).ok()) {
            Some(get) => (Method::Get, self.request(HttpMethod::GET, get, responder)?),
            None => {
                let mut post = self.request(HttpMethod::POST, url, responder)?;
                *post.body_mut() = Some(request.to_vec().into());
                (Method::Post, post)
            }
        };
        let fields = asked.headers_mut();
        fields.insert(ACCEPT, HeaderValue::from_static(RESPONSE_MEDIA_TYPE));
        match method {
            Method::Get => {
                let etag = etag.and_then(|etag| HeaderValue::from_str(etag).ok());
                etag.map(|etag| fields.insert(IF_NONE_MATCH, etag));
                if past_caches {
                    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
                }
            }
            Method::Post => {
                fields.insert(CONTENT_TYPE, HeaderValue::from_static(REQUEST_MEDIA_TYPE));
            }
        }
        let conditional = method == Method::Get && etag.is_some();
        let (content, caching) = self.receive(asked, responder, conditional).await?;
        Ok(Answer { content, method, caching })
    }

    /// A request without fields, but for a password that is in the URL.
    fn request(&self, method: HttpMethod, to: Url, url: &str) -> Result<Request, HttpError> {
        self.client.request(method, to).build().map_err(|e| self.error(url, &e))
    }

    async fn receive(
        &self,
        request: Request,
        url: &str,
        conditional: bool,
    ) -> Result<(Content, super::Caching), HttpError> {
        let response = self.send(request, url).await?;
        let caching = caching::caching(response.headers());
        if conditional && response.status() == StatusCode::NOT_MODIFIED {
            return Ok((Content::NotModified, caching));
        }
        let (url_owned, wanted) = (|| url.to_owned(), RESPONSE_MEDIA_TYPE);
        let found = media_type(response.headers());
        if let Err(error) = ok(&response, url) {
            return match error.retry_after() {
                // A responder's own word says more than the status of HTTP around it.
                None if found == wanted && !is_busy(response.status()) => {
                    let body = self.body(response, url, MAX_BODY).await?;
                    match OcspResponse::parse(&body, &Limits::default()) {
                        Ok(_) => Ok((Content::Response(body), caching)),
                        Err(_) => Err(error),
                    }
                }
                _ => Err(error),
            };
        }
        if found == wanted {
            let body = self.body(response, url, MAX_BODY).await?;
            return match body.is_empty() {
                true => Err(HttpError::Empty { url: url_owned(), wanted }),
                false => Ok((Content::Response(body), caching)),
            };
        }
        if is_html(&found) {
            return Err(HttpError::Html { url: url_owned(), wanted });
        }
        if response.content_length() == Some(0) {
            return Err(HttpError::Empty { url: url_owned(), wanted });
        }
        let found = if found.is_empty() { "no media type".to_owned() } else { found };
        Err(HttpError::MediaType { url: url_owned(), found, wanted })
    }

    /// Fetches the certificates at a `caIssuers` URL: DER, PEM or a certs-only message, whatever
    /// media type they come as.
    async fn download(&self, url: &str) -> Result<Vec<Vec<u8>>, HttpError> {
        let request = self.request(HttpMethod::GET, parse(url)?, url)?;
        let response = self.send(request, url).await?;
        ok(&response, url)?;
        let body = self.body(response, url, MAX_CERTIFICATES).await?;
        certificates(&body).ok_or_else(|| HttpError::NoCertificate { url: url.to_owned() })
    }

    /// Sends a request, and again where it is redirected to, each time with its method and body. All of
    /// it has the time of one request.
    async fn send(&self, mut request: Request, url: &str) -> Result<Response, HttpError> {
        let deadline = Instant::now() + self.timeout;
        let mut redirected = Redirected::default();
        loop {
            *request.timeout_mut() = Some(deadline.saturating_duration_since(Instant::now()));
            // A body in memory can always be sent again.
            let again = request.try_clone();
            let response = self.client.execute(request).await.map_err(|e| self.error(url, &e))?;
            match (redirected.next(&response, url)?, again) {
                (Some(target), Some(mut again)) => {
                    redirected.follow(&mut again, target);
                    request = again;
                }
                _ => return Ok(response),
            }
        }
    }

    async fn body(
        &self,
        mut response: Response,
        url: &str,
        limit: usize,
    ) -> Result<Vec<u8>, HttpError> {
        // Before anything is read: afterwards this is the length of the rest.
        let announced = response.content_length().and_then(|n| usize::try_from(n).ok());
        let too_long =
            |length, exact| HttpError::TooLong { url: url.to_owned(), length, exact, limit };
        if let Some(length) = announced.filter(|length| *length > limit) {
            return Err(too_long(length, true));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.error(url, &e))? {
            let length = body.len() + chunk.len();
            if length > limit {
                return Err(too_long(length, false));
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

/// Whether the status of a response is 200.
fn ok(response: &Response, url: &str) -> Result<(), HttpError> {
    if response.status() == StatusCode::OK {
        return Ok(());
    }
    Err(HttpError::Status {
        url: url.to_owned(),
        status: response.status().as_u16(),
        html: is_html(&media_type(response.headers())),
        retry_after: caching::retry_after(response.headers()),
    })
}

/// Whether the status says that the responder cannot serve now: then its pause counts, and not an OCSP
/// error beside it.
fn is_busy(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
}

fn parse(url: &str) -> Result<Url, HttpError> {
    Url::parse(url)
        .ok()
        .filter(|parsed| matches!(parsed.scheme(), "http" | "https") && parsed.has_host())
        .ok_or_else(|| HttpError::Url { url: url.to_owned() })
}

/// Reads certificates as they are published: a PEM file, a certs-only message (PKCS#7) in DER, BER or
/// PEM, or one certificate in DER. `None` when the bytes are nothing of that; whether a value is a
/// certificate is not checked.
pub fn certificates(body: &[u8]) -> Option<Vec<Vec<u8>>> {
    /// The first byte of a SEQUENCE.
    const SEQUENCE: u8 = 0x30;
    if pem::is_pem(body) {
        let blocks = pem::blocks(body).ok()?;
        let all: Vec<_> = blocks.iter().filter_map(pem::Block::certificates).flatten().collect();
        return Some(all).filter(|all| !all.is_empty());
    }
    certs_only::certificates(body)
        .or_else(|| (body.first() == Some(&SEQUENCE)).then(|| vec![body.to_vec()]))
}

/// The media type without its parameters, in lower case; empty when there is none.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_html(media_type: &str) -> bool {
    matches!(media_type, "text/html" | "application/xhtml+xml")
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
}
