//! The lab is held to what it says of itself, by the verifier of the core and by webpki.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the helpers of tests fail as tests do"
)]

mod certificates;
mod faults;
mod http;
mod responses;
mod support;
