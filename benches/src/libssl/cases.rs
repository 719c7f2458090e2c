//! The cases of the C program, and what is made of their figures.

use certstatus_lab::KeyKind;

use crate::side_by_side::Effort;

use super::program::Figures;
use super::rounds::{Contest, Measured, Outcome, ratio};
use super::sample::Sample;
use super::table::{self, Goal, WIDTH};

const VERSIONS: [&str; 2] = ["1.3", "1.2"];
const SIDES: [&str; 2] = ["server", "client"];

/// Bytes that one write of the bulk cases has.
const RECORD: f64 = 16.0 * 1024.0;

/// A stapled handshake may take so many times the time of one without.
const MOST_FOR_A_STAPLE: f64 = 1.02;

/// How many times as fast as without a handshake is at least where the server switches its context.
const LEAST_WITH_A_SWITCH: f64 = 0.95;

/// Connections that are open at once, for figures that are meant and to see that it runs.
const CONNECTIONS: [u128; 2] = [1000, 50];

/// Full handshakes of each side: with and without a staple, with a server that switches its context
/// by the client's name, and with a client whose context is new; and what staple and switch cost.
pub(super) fn full_handshakes(contest: &Contest<'_>) {
    table::head("Full handshakes in memory, per second of a side's CPU time");
    for key in [KeyKind::EcdsaP256, KeyKind::Rsa2048] {
        let sample = Sample::new(key);
        for version in VERSIONS {
            let cases = ["plain", "stapled", "named", "first"];
            let cases = cases.map(|how| vec!["full", version, how]);
            let outcomes = timed(contest, &sample, &cases);
            let [plain, stapled, named, first] = outcomes.as_slice() else { continue };
            let label = format!("{key} TLS {version}");
            for side in SIDES {
                let (label, goal) = (format!("{label} {side}"), Goal::AimsHigher);
                table::row(&label, plain, goal, per_cpu_second(side));
                table::row(&format!("{label}, stapled"), stapled, goal, per_cpu_second(side));
                cost_of_staple(&label, plain, stapled, side);
            }
            let (both, goal) = (format!("{label} both"), Goal::AimsHigher);
            table::row(&both, plain, goal, per_cpu_second_of_both);
            table::row(&format!("{both}, switched by name"), named, goal, per_cpu_second_of_both);
            speed_with_a_switch(&both, plain, named);
            table::row(&format!("{both}, first of a context"), first, goal, per_cpu_second_of_both);
            table::differences(&label, plain);
            table::differences(&format!("{label}, stapled"), stapled);
            table::differences(&format!("{label}, switched by name"), named);
        }
        println!("  the response of {key} has {} bytes", sample.staple_length);
    }
    println!();
}

/// The time of a stapled handshake by that of one without.
fn cost_of_staple(label: &str, plain: &Outcome, stapled: &Outcome, side: &str) {
    let time = |measured: &Measured| measured.each(nanoseconds(side));
    let system = ratio(&time(&stapled.system), &time(&plain.system));
    let label = format!("{label}, time: stapled / plain");
    match (&plain.ours, &stapled.ours) {
        (Ok(plain), Ok(stapled)) => {
            let ours = ratio(&time(stapled), &time(plain));
            let missed = if ours <= MOST_FOR_A_STAPLE { "" } else { ", missed" };
            println!(
                "{label:<WIDTH$}{ours:>10.3}{system:>10.3}   ours: ≤ {MOST_FOR_A_STAPLE}{missed}"
            );
        }
        (Err(failure), _) | (_, Err(failure)) => {
            println!("{label:<WIDTH$}{:>10}{system:>10.3}   ours: {failure}", "-");
        }
    }
}

/// How fast a handshake is in which the server switches to the context of a name, by one without.
fn speed_with_a_switch(label: &str, plain: &Outcome, named: &Outcome) {
    let speed = |measured: &Measured| measured.each(per_cpu_second_of_both);
    let system = ratio(&speed(&named.system), &speed(&plain.system));
    if let (Ok(plain), Ok(named)) = (&plain.ours, &named.ours) {
        let ours = ratio(&speed(named), &speed(plain));
        let missed = if ours >= LEAST_WITH_A_SWITCH { "" } else { ", missed" };
        let label = format!("{label}, speed: switched / plain");
        println!(
            "{label:<WIDTH$}{ours:>10.3}{system:>10.3}   ours: ≥ {LEAST_WITH_A_SWITCH}{missed}"
        );
    }
}

/// Resumptions by ticket, of each side.
pub(super) fn resumptions(contest: &Contest<'_>) {
    table::head("Resumptions by ticket in memory, per second of a side's CPU time");
    let sample = Sample::new(KeyKind::EcdsaP256);
    for version in VERSIONS {
        for outcome in timed(contest, &sample, &[vec!["resume", version]]) {
            let label = format!("TLS {version}");
            for side in SIDES {
                let label = format!("{label} {side}");
                table::row(&label, &outcome, Goal::AtLeastOne, per_cpu_second(side));
            }
            table::differences(&label, &outcome);
        }
    }
    println!();
}

/// Data from server to client.
pub(super) fn bulk(contest: &Contest<'_>) {
    table::head("Bulk in writes of 16 KiB, MB per second of a side's CPU time");
    let sample = Sample::new(KeyKind::EcdsaP256);
    let suites = [
        ("1.3", "TLS_AES_128_GCM_SHA256"),
        ("1.3", "TLS_AES_256_GCM_SHA384"),
        ("1.3", "TLS_CHACHA20_POLY1305_SHA256"),
        ("1.2", "ECDHE-ECDSA-AES128-GCM-SHA256"),
        ("1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"),
        ("1.2", "ECDHE-ECDSA-CHACHA20-POLY1305"),
    ];
    for (version, suite) in suites {
        for outcome in timed(contest, &sample, &[vec!["bulk", version, suite]]) {
            for (side, does) in [("server", "write"), ("client", "read")] {
                let figure = |figures: &Figures| per_cpu_second(side)(figures) * RECORD / 1e6;
                table::row(&format!("{suite} {does}"), &outcome, Goal::AtLeastOne, figure);
            }
            table::differences(suite, &outcome);
        }
    }
    println!();
}

/// What connections that are open and idle hold.
pub(super) fn memory(contest: &Contest<'_>) {
    let connections = CONNECTIONS[usize::from(contest.effort.is_smoke())];
    table::head(&format!(
        "Bytes of memory per open and idle connection, over {connections} of them, by mallinfo2;\n\
         the process has both ends: its growth is that of what is resident, the kernel's view"
    ));
    let sample = Sample::new(KeyKind::EcdsaP256);
    for version in VERSIONS {
        // A second round would find free what the first has had.
        for outcome in contest.measure(sample.path(), &[vec!["memory", version]], 1, connections) {
            let label = format!("TLS {version}");
            for (name, figure) in [
                ("server", "server_heap"),
                ("client", "client_heap"),
                ("growth of the process", "resident"),
            ] {
                let label = format!("{label} {name}");
                let each = |figures: &Figures| value(figures, figure) / operations(figures);
                table::row(&label, &outcome, Goal::AtMostOne, each);
            }
            table::differences(&label, &outcome);
        }
    }
    println!();
}

/// Measures cases in rounds of CPU time; twice as many as usual, for two sides share their time.
fn timed(contest: &Contest<'_>, sample: &Sample, cases: &[Vec<&str>]) -> Vec<Outcome> {
    let Effort { rounds, per_round } = contest.effort;
    contest.measure(sample.path(), cases, 2 * rounds, per_round.as_millis())
}

fn per_cpu_second(side: &str) -> impl Fn(&Figures) -> f64 {
    let nanoseconds = nanoseconds(side);
    move |figures| 1e9 / nanoseconds(figures)
}

/// Operations per second of CPU time that both sides have together.
fn per_cpu_second_of_both(figures: &Figures) -> f64 {
    1e9 / (nanoseconds("server")(figures) + nanoseconds("client")(figures))
}

/// The CPU time of a side in one operation.
fn nanoseconds(side: &str) -> impl Fn(&Figures) -> f64 + use<> {
    let name = format!("{side}_ns");
    move |figures| value(figures, &name) / operations(figures)
}

fn operations(figures: &Figures) -> f64 {
    value(figures, "operations")
}

fn value(figures: &Figures, name: &str) -> f64 {
    figures.get(name).copied().unwrap_or_else(|| panic!("the program must say {name}"))
}
