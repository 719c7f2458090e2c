//! Real programs against certstatus, one file per peer.
//!
//! Everything runs on 127.0.0.1 with the lab's certificates, and every wait has an end. A peer that
//! is not installed is a failure. Where peers disagree with each other, the RFC or the man page
//! rules, and the test says so.

mod curl;
mod gnutls;
mod harness;
mod nginx;
mod openssl;
mod openssl_ocsp;
mod openssl_responder;
