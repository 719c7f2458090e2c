//! Real programs against certstatus, one file per peer.
//!
//! Everything runs on 127.0.0.1 with the lab's certificates, and every wait has an end. A peer that
//! is not installed is a failure. Where peers disagree with each other, the RFC or the man page
//! rules, and the test says so.

#![forbid(unsafe_code)]
// Every function here is part of a test: what cannot go on ends with what it found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stderr, reason = "what a loop was about, for the reader of a failed test")]

mod agent;
mod curl;
mod disagreements;
mod exec;
mod fleet;
mod gnutls;
mod harness;
mod multi_staple;
mod nginx;
mod on_ours;
mod openssl;
mod openssl_mutated;
mod openssl_ocsp;
mod openssl_responder;
