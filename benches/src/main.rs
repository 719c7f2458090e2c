//! Speed beside the peers: every figure with its peer's from the same run, and their ratio.
//!
//! ```text
//! cargo run --release -p certstatus-benches             the figures
//! cargo run --release -p certstatus-benches -- --smoke  each once over, to see that they run
//! ```
//!
//! A goal that is missed is printed as such and fails nothing: a busy machine is no defect.

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench is a test: it stops where it cannot go on, and prints"
)]

mod cache;
mod handshake;
mod side_by_side;
mod verify;

use side_by_side::Effort;

fn main() {
    let effort = match std::env::args().nth(1).as_deref() {
        Some("--smoke") => Effort::SMOKE,
        _ => Effort::FULL,
    };
    println!("Peer: {}\n", openssl::version::version());
    verify::run(effort);
    cache::run(effort);
    handshake::run(effort);
}

/// A figure beside its goal: `1.04 (≤ 1.15)`, or with `missed` when it is not reached.
fn judged(value: f64, relation: &str, goal: f64) -> String {
    let reached = if relation == "≤" { value <= goal } else { value >= goal };
    let missed = if reached { "" } else { ", missed" };
    format!("{value:.2} ({relation} {goal}{missed})")
}
