//! A private CA, a real OCSP responder over it, and a catalogue of faults, in one process.
//!
//! Tests, benches and the demonstration stand on it. It needs nothing but a loopback interface:
//!
//! ```
//! use certstatus_lab::{Fault, KeyKind, Lab, LeafRequest};
//!
//! # fn main() -> Result<(), certstatus_lab::LabError> {
//! let lab = Lab::builder().key(KeyKind::EcdsaP256).delegate(true).start()?;
//! let leaf = lab.issue(LeafRequest::new("localhost").must_staple())?;
//! let good = lab.respond(&leaf);
//! lab.revoke(&leaf, None);
//! let revoked = lab.respond(&leaf);
//! lab.set_fault(Some(Fault::TryLater)); // what HTTP clients of lab.responder_url() get from now on
//! # assert_ne!(good, revoked);
//! # Ok(()) }
//! ```
//!
//! The keys are throwaway, and the answers can be made wrong on purpose: nothing here is for
//! production.

#![forbid(unsafe_code)]

mod authority;
mod body;
mod builder;
mod certificate;
mod draft;
mod error;
mod faults;
mod files;
mod key;
mod lab;
mod leaf;
mod responder;
mod spoil;

pub use builder::LabBuilder;
pub use error::{LabError, UnknownName};
pub use faults::{Effect, Fault};
pub use files::Files;
pub use key::{KeyKind, RsaScheme};
pub use lab::Lab;
pub use leaf::{Leaf, LeafRequest};
pub use responder::{RequestMethod, RequestRecord};
