//! Redirects of HTTP (RFC 9110, 15.4), followed with the method and the body of the request.
//!
//! Browsers turn a redirected POST into a GET at 301 and 302, and HTTP allows it. An OCSP request would
//! lose its body, so that every redirect here keeps method and body, also 303: a responder has no
//! other place where its answer could be fetched.

use reqwest::header::{AUTHORIZATION, LOCATION};
use reqwest::{Request, Response, Url};

use super::error::HttpError;

/// Redirects that are followed. Responders that moved to another host send one or two.
pub(super) const MAX_REDIRECTS: usize = 5;

/// The redirects of one request so far.
#[derive(Debug, Default)]
pub(super) struct Redirected {
    count: usize,
}

impl Redirected {
    /// Returns where a response redirects to; `None` when the response is none that redirects.
    ///
    /// # Errors
    /// When there were too many, or the target is no address of HTTP.
    pub(super) fn next(
        &mut self,
        response: &Response,
        url: &str,
    ) -> Result<Option<Url>, HttpError> {
        if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        let Some(location) = response.headers().get(LOCATION) else { return Ok(None) };
        let refused = || HttpError::RedirectTarget {
            url: url.to_owned(),
            target: String::from_utf8_lossy(location.as_bytes()).into_owned(),
        };
        let location = location.to_str().map_err(|_| refused())?;
        let target = response.url().join(location).map_err(|_| refused())?;
        if !matches!(target.scheme(), "http" | "https") {
            return Err(refused());
        }
        self.count += 1;
        if self.count > MAX_REDIRECTS {
            return Err(HttpError::Redirects { url: url.to_owned() });
        }
        Ok(Some(target))
    }

    /// Directs the request to the target. A password goes along within one host only, and one in the
    /// target is not taken: a responder does not choose it.
    pub(super) fn follow(&self, request: &mut Request, mut target: Url) {
        // Neither fails for an address of HTTP.
        let _ = target.set_username("");
        let _ = target.set_password(None);
        if request.url().origin() != target.origin() {
            request.headers_mut().remove(AUTHORIZATION);
        }
        *request.url_mut() = target;
    }
}
