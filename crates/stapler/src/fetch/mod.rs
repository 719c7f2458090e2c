//! Asking responders: bytes over HTTP, and what they are worth.
//!
//! `http` moves bytes; [`ask`] and [`fetch_status`] make a question of a certificate and verify what
//! comes back; [`find_issuer`] and [`fetch_issuer`] tell who issued a certificate. When to ask is for
//! [`schedule`](crate::schedule).

mod caching;
mod certs_only;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod http;
mod issuer;
pub mod pem;
mod query;
mod redirect;
mod transport;

pub use certs_only::certificates as certs_only;
pub use error::HttpError;
pub use http::{DEFAULT_TIMEOUT, Http, HttpBuilder, certificates, is_http};
pub use issuer::{ISSUER_DEADLINE, IssuerError, MOST_ADDRESSES, fetch_issuer, find_issuer};
pub use query::{Attempt, AttemptError, Fetched, NonceMode, Query, Reply, ask, fetch_status};
pub use transport::{Answer, Caching, Content, Method, Question, Transport};
