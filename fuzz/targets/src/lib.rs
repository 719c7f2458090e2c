//! What is fuzzed: one function for each kind of input from outside, which says by a panic what does
//! not hold for it.
//!
//! A target takes bytes. The least that it holds is that nothing panics, that memory stays in
//! proportion to the input, and that what was read is written again as it came; most hold more, and
//! say so. [`TARGETS`] lists them, with the inputs from which a run begins. libFuzzer's programs, one
//! per target, stand in the directory above; `tests/replay.rs` runs the same functions over the
//! seeds, what was once found, and some mutations of both, with any compiler.

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a target says by a panic what does not hold"
)]

mod bounded;
mod certificate;
mod judge;
mod message;
mod model;
mod seeds;
mod tree;
mod vectors;
mod verify;

pub use certificate::certificate;
pub use judge::{judge, policy};
pub use message::{
    basic_ocsp_response, cert_id, extension, name, ocsp_request, ocsp_response, single_response,
};
pub use verify::{verify, verify_edited};

pub use certstatus_libssl::fuzzing::{
    client_handshake, client_hello, server_flight, server_handshake, session, session_ticket,
    settings,
};
pub use certstatus_stapler::fuzzing::{ca_issuers, http_headers};

/// A kind of input.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which is also that of libFuzzer's program and of its directories.
    pub name: &'static str,
    /// What is done with an input.
    pub run: fn(&[u8]),
    /// The inputs from which a run begins, besides those in `fuzz/seeds`.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "basic_ocsp_response", run: basic_ocsp_response, seeds: seeds::basic },
    Target { name: "ca_issuers", run: ca_issuers, seeds: seeds::certificates },
    Target { name: "cert_id", run: cert_id, seeds: seeds::cert_ids },
    Target { name: "certificate", run: certificate, seeds: seeds::certificates },
    Target { name: "client_handshake", run: client_handshake, seeds: seeds::to_clients },
    Target { name: "client_hello", run: client_hello, seeds: seeds::none },
    Target { name: "extension", run: extension, seeds: seeds::extensions },
    Target { name: "http_headers", run: http_headers, seeds: seeds::none },
    Target { name: "judge", run: judge, seeds: seeds::noise },
    Target { name: "name", run: name, seeds: seeds::names },
    Target { name: "ocsp_request", run: ocsp_request, seeds: seeds::requests },
    Target { name: "ocsp_response", run: ocsp_response, seeds: seeds::responses },
    Target { name: "policy", run: policy, seeds: seeds::noise },
    Target { name: "server_flight", run: server_flight, seeds: seeds::none },
    Target { name: "server_handshake", run: server_handshake, seeds: seeds::to_servers },
    Target { name: "session", run: session, seeds: seeds::none },
    Target {
        name: "session_ticket",
        run: session_ticket,
        seeds: certstatus_libssl::fuzzing::session_tickets,
    },
    Target { name: "settings", run: settings, seeds: seeds::none },
    Target { name: "single_response", run: single_response, seeds: seeds::singles },
    Target { name: "verify", run: verify, seeds: seeds::responses },
    Target { name: "verify_edited", run: verify_edited, seeds: seeds::noise },
];

/// The target of that name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
