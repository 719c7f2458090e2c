//! Speed beside the peers: every figure with its peer's from the same run, and their ratio.
//!
//! ```text
//! cargo run --release -p certstatus-benches                         the figures
//! cargo run --release -p certstatus-benches -- --smoke              each once over, to see that they run
//! cargo run --release -p certstatus-benches -- stapler              only the stapler
//! cargo run --release -p certstatus-benches -- scale                a fleet of ten thousand, simulated:
//!                                                                   writes docs/scale.md and its plots
//! cargo run --release -p certstatus-benches -- libssl               only the drop-in libssl, which
//!                                                                   `make libssl` builds
//! cargo run --release -p certstatus-benches -- libssl --self-check  the same with the system's
//!                                                                   library in the place of ours
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
mod libssl;
mod scale;
mod side_by_side;
mod stapler;
mod verify;

use libssl::Sides;
use side_by_side::Effort;

fn main() {
    if stapler::is_process() {
        return;
    }
    let (mut effort, mut sides, mut only) = (Effort::FULL, Sides::OursAndSystem, None);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--smoke" => effort = Effort::SMOKE,
            "--self-check" => sides = Sides::SystemTwice,
            "stapler" | "libssl" | "scale" => only = Some(argument),
            other => {
                panic!("{other} is no argument: stapler, libssl, scale, --self-check, --smoke are")
            }
        }
    }
    println!("Peer: {}\n", openssl::version::version());
    // A simulation has no peer, and takes minutes: it runs when it is asked for, and a small one to see
    // that it runs.
    if only.as_deref() == Some("scale") || only.is_none() && effort.is_smoke() {
        scale::run(effort);
    }
    let wanted = |part| only.as_deref().is_none_or(|only| only == part);
    if only.is_none() {
        verify::run(effort);
        cache::run(effort);
        handshake::run(effort);
    }
    if wanted("stapler") {
        stapler::run(effort);
    }
    if wanted("libssl") {
        libssl::run(effort, sides);
    }
}

/// A figure beside its goal: `1.04 (≤ 1.15)`, or with `missed` when it is not reached. What is
/// printed is what is judged; the last digit is noise as it is.
fn judged(value: f64, relation: &str, goal: f64) -> String {
    let value = (value * 100.0).round() / 100.0;
    let reached = if relation == "≤" { value <= goal } else { value >= goal };
    let missed = if reached { "" } else { ", missed" };
    format!("{value:.2} ({relation} {goal}{missed})")
}
