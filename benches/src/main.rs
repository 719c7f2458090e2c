//! Speed beside the peers: every figure with its peer's from the same run, and their ratio.
//!
//! `cargo run --release -p certstatus-benches -- --help` says what can be chosen.
//!
//! A goal that is missed is printed as such and fails nothing: a busy machine is no defect.

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench is a test: it stops where it cannot go on, and prints"
)]

mod agent;
mod cache;
mod handshake;
mod libssl;
mod scale;
mod side_by_side;
mod stapler;
mod verify;

use std::process::ExitCode;

use libssl::Sides;
use side_by_side::Effort;

const HELP: &str = "\
Speed beside the peers: every figure with its peer's from the same run, and their ratio.

Usage: cargo run --release -p certstatus-benches -- [PART] [OPTIONS]

Parts; without one, all but `scale`:
  stapler  Many certificates in one stapler, and the reading of a staple
  agent    Many certificates in one agent, as a process
  libssl   The drop-in libssl, which `make libssl` builds
  scale    A fleet of ten thousand, simulated; writes docs/scale.md and its plots

Options:
  --smoke       Do each once over, to see that they run
  --self-check  Take the system's libssl in the place of ours as well
  -h, --help    Print this
";

/// What was asked for on the command line.
struct Wanted {
    effort: Effort,
    sides: Sides,
    only: Option<String>,
}

impl Wanted {
    /// `None` when help was asked for.
    ///
    /// # Errors
    /// The argument that is none.
    fn of(arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut wanted = Self { effort: Effort::FULL, sides: Sides::OursAndSystem, only: None };
        for argument in arguments {
            match argument.as_str() {
                "-h" | "--help" => return Ok(None),
                "--smoke" => wanted.effort = Effort::SMOKE,
                "--self-check" => wanted.sides = Sides::SystemTwice,
                "stapler" | "agent" | "libssl" | "scale" if wanted.only.is_none() => {
                    wanted.only = Some(argument);
                }
                _ => return Err(argument),
            }
        }
        Ok(Some(wanted))
    }
}

fn main() -> ExitCode {
    if stapler::is_process() {
        return ExitCode::SUCCESS;
    }
    match Wanted::of(std::env::args().skip(1)) {
        Ok(Some(wanted)) => run(&wanted),
        Ok(None) => print!("{HELP}"),
        Err(argument) => {
            eprint!("\"{argument}\" is not understood here.\n\n{HELP}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn run(wanted: &Wanted) {
    let Wanted { effort, sides, only } = wanted;
    let (effort, sides, only) = (*effort, *sides, only.as_deref());
    println!("Peer: {}\n", openssl::version::version());
    // A simulation has no peer, and takes minutes: it runs when it is asked for, and a small one to see
    // that it runs.
    if only == Some("scale") || only.is_none() && effort.is_smoke() {
        scale::run(effort);
    }
    let wanted = |part| only.is_none_or(|only| only == part);
    if only.is_none() {
        verify::run(effort);
        cache::run(effort);
        handshake::run(effort);
    }
    if wanted("stapler") {
        stapler::run(effort);
    }
    if wanted("agent") {
        agent::run(effort);
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
