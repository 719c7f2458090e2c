//! Staples that are always there, always fresh, always verified: for servers of every kind.
//!
//! Give a [`Stapler`] certificates with their chains, and get for each a [`StapleHandle`] to the
//! current staple: fetched before the first handshake, verified before anything else sees it,
//! refreshed from half of its life on, kept while the responder fails and never beyond its end.
//!
//! * [`fetch`] asks responders: HTTP by RFC 5019 and RFC 6960, and the verification of what comes;
//! * [`schedule`] says when they are asked: a pure function;
//! * [`gate`] says who may ask a responder now;
//! * [`store`] is where staples live when the process does not: the contract, memory, disk, and with the
//!   feature `redis` the fleet's;
//! * [`Event`]s, [`Snapshot`]s, [`Standing`]s and [`metrics`](mod@metrics) say how it goes.
//!
//! With the feature `rustls`, a `Stapler` is a source of staples for
//! `certstatus_rustls::StaplingResolver`.

#![forbid(unsafe_code)]

mod clock;
mod entry;
mod error;
mod event;
pub mod fetch;
mod fingerprint;
pub mod gate;
mod handle;
mod job;
pub mod metrics;
mod moment;
mod origin;
mod queue;
#[cfg(feature = "rustls")]
mod rustls_source;
pub mod schedule;
mod shared;
mod snapshot;
mod standing;
mod stapler;
pub mod store;
mod target;
mod worker;

use std::pin::Pin;

pub use clock::{Clock, SystemClock, TokioClock};
pub use error::{Error, StoreError};
pub use event::{Event, EventKind, Severity};
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub use fetch::fuzzing;
pub use fingerprint::{Fingerprint, NoFingerprint};
pub use gate::ResponderLimits;
pub use handle::StapleHandle;
pub use snapshot::{Snapshot, StapleState, StatementTimes};
pub use standing::Standing;
pub use stapler::{Stapler, StaplerBuilder};
pub use store::{DiskStore, MemoryStore, Store};
pub use target::Target;

/// A future that a trait object returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
