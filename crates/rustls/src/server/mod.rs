//! The server's side: [`ResolvesServerCert`](rustls::server::ResolvesServerCert)s that staple
//! (RFC 6066, 8).
//!
//! [`StapledKey`] is one certificate with a staple that can be swapped; [`StaplingResolver`] wraps
//! any other resolver. Where responses come from is for whoever sets them.

mod hello;
mod limit;
mod memo;
mod resolver;
mod stapled_key;

pub use hello::Hello;
pub use limit::staple_limit;
pub use resolver::{StapleSource, StaplingResolver};
pub use stapled_key::StapledKey;
