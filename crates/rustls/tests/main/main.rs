//! One binary for all integration tests. `wire` runs handshakes in memory, `pki` makes what the lab
//! does not: authorities that lie, and certificates that cannot be read.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the helpers of tests fail as tests do"
)]

mod cache;
mod callback;
mod client;
mod events;
mod examples;
mod faults;
mod path;
mod pki;
mod resolver;
mod resumption;
mod stapled_key;
mod wire;
