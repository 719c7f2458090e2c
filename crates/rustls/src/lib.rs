//! Certificate status for [`rustls`] 0.23, the one that reqwest, hyper, axum and tonic use.
//!
//! rustls asks every server for a stapled OCSP response, and then ignores it. This crate adds the
//! other half: a client that checks the response, and a server that staples one.
//!
//! # A client that refuses revoked servers
//!
//! ```
//! use std::sync::Arc;
//! use certstatus_rustls::{Policy, StatusVerifier};
//! use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
//!
//! # fn config(roots: RootCertStore) -> Result<ClientConfig, Box<dyn std::error::Error>> {
//! let provider = Arc::new(aws_lc_rs::default_provider());
//! let verifier = StatusVerifier::builder(Arc::new(roots), provider.clone())
//!     .policy(Policy::default())
//!     .cache(1024)
//!     .build()?;
//! let config = ClientConfig::builder_with_provider(provider)
//!     .with_safe_default_protocol_versions()?
//!     .dangerous() // rustls calls every verifier dangerous that is not its own
//!     .with_custom_certificate_verifier(verifier)
//!     .with_no_client_auth();
//! # Ok(config) }
//! ```
//!
//! By default it refuses servers whose certificate is revoked or unknown to its own CA, servers that
//! staple what is not to be trusted, and servers that staple nothing although their certificate says
//! that they must (RFC 7633); [`Policy`] says otherwise. [`StatusVerifier`] lists which error and
//! which alert come of what.
//!
//! # A server that staples
//!
//! [`StapledKey`] is a certificate with a staple that can be swapped at any time, without a lock in
//! the handshake; [`StaplingResolver`] wraps any other resolver. Neither staples what is not
//! verified, has expired, or is about another certificate.
//!
//! # The callbacks of `SSL_CTX_set_tlsext_status_cb(3)`
//!
//! [`StatusVerifierBuilder::on_status`] and [`StaplingResolver::on_status`] are its client's and its
//! server's callback as closures, with [`ClientDecision`] and [`ServerDecision`] as their answers.
//! Where rustls 0.23 cannot do what the manual page says, they say so.
//!
//! The crypto provider is a value that the caller passes; this crate has no default of its own.
//! Decisions are events of [`tracing`], with the fields `serial`, `issuer`, `outcome` and
//! `time_left`.

#![forbid(unsafe_code)]

mod client;
mod error;
mod server;

pub use certstatus::handshake::{ClientDecision, ServerDecision};
pub use certstatus::{Decision, Limits, Policy, Staple, VerifiedResponse};
pub use client::{
    CachedVerifier, CallbackFailed, StatusVerifier, StatusVerifierBuilder, VerifiedPath,
};
pub use error::{BuildError, StapleError};
pub use server::{Hello, StapleSource, StapledKey, StaplingResolver, staple_limit};

/// The README's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
