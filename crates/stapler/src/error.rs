//! What can go wrong where the stapler is set up. What goes wrong while it runs is an
//! [`Event`](crate::Event), and it goes on.

use std::error::Error as StdError;

/// Why a stapler, or a part of it, cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The chain has no certificate in it.
    #[error("the chain is empty: give the certificate first, and then its issuer")]
    EmptyChain,
    /// The certificate cannot be read.
    #[error("the certificate to staple for cannot be read: {0}")]
    Certificate(#[source] certstatus::Error),
    /// The certificate of the issuer was given, and it did not issue the certificate.
    #[error("the certificate that was given as the issuer's is not: {0}")]
    Issuer(#[source] crate::fetch::IssuerError),
    /// The HTTP client cannot be set up.
    #[error("the HTTP client cannot be set up: {reason}")]
    Client {
        /// What the client says.
        reason: String,
    },
    /// There is no runtime to work in.
    #[error("the stapler works in a tokio runtime, and there is none here: start it in one")]
    NoRuntime,
    /// The stapler has been shut down.
    #[error("the stapler has been shut down")]
    ShutDown,
    /// A store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a store could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub struct StoreError {
    what: String,
    source: Box<dyn StdError + Send + Sync>,
}

impl StoreError {
    /// An error: what was tried, as the beginning of a sentence, and what was found.
    pub fn new(
        what: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self { what: what.into(), source: source.into() }
    }
}
