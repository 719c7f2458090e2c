//! The stapler: what many certificates cost in one process, and what reading a staple costs.
//!
//! For each size a process of its own is started on a disk store that is warm, so that nothing is
//! counted but what the stapler keeps: `population.rs` makes certificates and staples, `process.rs`
//! is that process, `reading.rs` reads one staple from many threads.

mod population;
mod process;
mod reading;

use std::collections::HashMap;
use std::process::Command;
use std::time::Duration;

use crate::judged;
use crate::side_by_side::Effort;
use population::Population;

/// What the process that is measured is told by its first argument.
const PROCESS: &str = "stapler-process";

/// Refreshes of a four-day response: it is renewed after 15/32 of its life at the latest, after 3/8
/// at the earliest, on average in between.
const SECONDS_BETWEEN_REFRESHES: f64 = 4.0 * 86_400.0 * (3.0 / 8.0 + 15.0 / 32.0) / 2.0;

/// Measures and prints the tables.
pub(crate) fn run(effort: Effort) {
    let sizes: &[usize] = if effort.is_smoke() { &[50, 100] } else { &[1_000, 10_000, 100_000] };
    println!("The stapler: certificates in one process, on a warm disk store\n");
    println!(
        "{:>12}  {:<18}{:<20}{:>7}{:>10}{:>13}{:>14}  {:<20}{:<16}",
        "certificates",
        "KiB each",
        "start, s",
        "CPU, s",
        "/ verify",
        "refresh, µs",
        "verify+write",
        "ratio",
        "CPU, % of core"
    );
    let population = Population::make(sizes.iter().copied().max().unwrap_or_default());
    for size in sizes {
        row(&population, *size, effort);
    }
    println!(
        "\nKiB each: resident memory beside the staples themselves, of each certificate beyond the \
         first {}, with\nwhom threads and heap come that are there once. Start: until every staple \
         is verified and there; its\nCPU time on all cores, and that by what one verification of \
         each staple takes. CPU: of this process while\nit idles, and of the refreshes that \
         four-day responses need.\n",
        process::FIRST
    );
    reading::run(effort);
}

/// Whether this is the process that is measured; then it has been.
pub(crate) fn is_process() -> bool {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [first, size, seconds, directory] = arguments.as_slice() else { return false };
    if first != PROCESS {
        return false;
    }
    let number = |text: &String| text.parse::<u64>().expect("a number");
    process::run(number(size) as usize, Duration::from_secs(number(seconds)), directory.as_ref());
    true
}

fn row(population: &Population, size: usize, effort: Effort) {
    population.reset(size);
    let seconds = if effort.is_smoke() { 1 } else { 30 };
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args([PROCESS, &size.to_string(), &seconds.to_string()])
        .arg(population.directory())
        .output()
        .expect("this program starts again");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let figures: HashMap<&str, f64> = told
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, value)| (name, value.parse().expect("a number")))
        .collect();
    let of = |name: &str| *figures.get(name).unwrap_or_else(|| panic!("no {name} in:\n{told}"));
    let per_refresh = of("refresh_cpu_s");
    let cpu = of("idle_share") + size as f64 * per_refresh / SECONDS_BETWEEN_REFRESHES;
    println!(
        "{size:>12}  {:<18}{:<20}{:>7.2}{:>10.2}{:>13.0}{:>14.0}  {:<20}{:<16}",
        judged(of("kib_each"), "≤", 1.0),
        judged(of("start_s"), "≤", 10.0),
        of("start_cpu_s"),
        of("start_ratio"),
        of("refresh_s") * 1e6,
        of("verify_write_s") * 1e6,
        judged(of("ratio"), "≤", 1.5),
        judged(cpu * 100.0, "≤", 5.0),
    );
}
