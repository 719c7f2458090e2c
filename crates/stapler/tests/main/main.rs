//! The stapler against the lab: what it staples, when it asks, and what it survives.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod bounds;
mod clocks;
mod counted;
mod coverage;
mod fleet;
mod fleet_answers;
mod hints;
mod http;
mod imc2018;
mod life;
mod origins;
mod practice;
mod responders;
mod stores;
mod support;
mod tls;
