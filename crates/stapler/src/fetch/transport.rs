//! What stands between the stapler and the network: [`Transport`], and what crosses it.
//!
//! [`Http`](super::Http) is the transport of every day. Another one serves where a program has an
//! HTTP stack of its own, or a test a network of its own.

use std::fmt;
use std::time::Duration;

use super::HttpError;
use crate::BoxFuture;

/// Moves OCSP requests and responses, and certificates. What it brings is verified by whoever asked.
pub trait Transport: Send + Sync + fmt::Debug + 'static {
    /// Asks one responder once.
    ///
    /// # Errors
    /// [`HttpError`] when nothing comes back that claims to be an OCSP response. It must come back
    /// within a bounded time.
    fn ask<'a>(&'a self, question: Question<'a>) -> BoxFuture<'a, Result<Answer, HttpError>>;

    /// Fetches the certificates at a `caIssuers` URL (RFC 5280, 4.2.2.1): the DER of each.
    ///
    /// # Errors
    /// [`HttpError`] when there is none.
    fn certificates<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Vec<Vec<u8>>, HttpError>>;
}

/// What a responder is asked, and how.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The address of the responder.
    pub responder: &'a str,
    /// The encoded `OCSPRequest`.
    pub request: &'a [u8],
    /// Whether to use POST at once.
    pub post: bool,
    /// The entity tag of the response that is there already: if the responder still has that one,
    /// it need not send it again. Only a GET carries it.
    pub etag: Option<&'a str>,
    /// Whether caches on the way are to be passed by: one of them has just given an answer that has
    /// expired (RFC 5019, 6.2). Only a GET can meet a cache.
    pub past_caches: bool,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The body, or that it is the one that the entity tag names.
    pub content: Content,
    /// How it was asked for in the end.
    pub method: Method,
    /// What HTTP says about keeping it.
    pub caching: Caching,
}

/// The content of an [`Answer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// What should be an OCSP response.
    Response(Vec<u8>),
    /// HTTP status 304: the response that the entity tag names is still the one.
    NotModified,
}

/// How a request was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// In the URL: what caches can answer.
    Get,
    /// In the body.
    Post,
}

impl Method {
    /// The method's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// What HTTP says about keeping an answer (RFC 9111; RFC 5019, 6.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caching {
    /// For how long the answer is fresh from now on: no cache on the way has a newer one. `None`
    /// when the responder does not say, or says that it must not be kept.
    pub fresh_for: Option<Duration>,
    /// The entity tag, if it is short enough to be kept.
    pub etag: Option<Box<str>>,
}
