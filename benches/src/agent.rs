//! The agent: what many certificates cost the process that is really run, `certstatus agent`.
//!
//! For each size a site of its own is laid out, with every certificate in a file, a warm store, and
//! every staple where its server reads it (`site.rs`). The agent is started on it as systemd starts it
//! and asked all that can be asked of it (`process.rs`); and then run once without any staple, so that
//! each is fetched from a responder on the loopback.

mod process;
mod site;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::judged;
use crate::side_by_side::Effort;
use process::{Agent, Answer, Round, round};
use site::Site;

/// Refreshes of a four-day response: it is renewed after 15/32 of its life at the latest, after 3/8
/// at the earliest, on average in between.
const SECONDS_BETWEEN_REFRESHES: f64 = 4.0 * 86_400.0 * (3.0 / 8.0 + 15.0 / 32.0) / 2.0;

/// What is asked for over HTTP.
const PATHS: [&str; 5] = [
    "/api/v1/staples",
    "/api/v1/staples?limit=200&sort=left",
    "/api/v1/staples?q=nothing-is-like-this",
    "/metrics",
    "/healthz",
];

/// Measures and prints the tables.
pub(crate) fn run(effort: Effort) {
    let (sizes, idle): (&[usize], _) = match effort.is_smoke() {
        true => (&[100, 300], Duration::from_secs(1)),
        false => (&[1_000, 10_000, 100_000], Duration::from_secs(30)),
    };
    println!("The agent: certificates in one process, each in a file, on a warm disk store\n");
    let alone = alone();
    let all: Vec<Figures> = sizes.iter().map(|size| Figures::of(*size, idle, alone)).collect();
    print_running(&all);
    print_rounds(&all);
    print_answers(&all);
}

/// Resident memory of an agent with one certificate.
fn alone() -> usize {
    let agent = Agent::start(&Site::make(1));
    let memory = agent.memory();
    agent.stop();
    memory
}

/// What so many certificates cost.
struct Figures {
    size: usize,
    /// Seconds, by the clock and of CPU time, until it says that it is ready.
    start: f64,
    start_cpu: f64,
    /// Resident memory once it is ready, without its staples and what one certificate takes, in KiB for
    /// each.
    kib_each: f64,
    /// Resident memory at its highest until then, in bytes.
    peak: usize,
    /// The share of a core that it takes while nothing happens.
    idle: f64,
    /// The share of a core that refreshes of four-day responses take.
    refreshing: f64,
    /// Seconds until a reload is done, and until it has ended.
    reload: f64,
    stop: f64,
    /// Bytes of its log.
    log: usize,
    answers: Vec<Answer>,
    /// `--check-config`, `--once` with all staples and without any.
    check: Round,
    warm: Round,
    cold: Round,
}

impl Figures {
    fn of(size: usize, idle: Duration, alone: usize) -> Self {
        let site = Site::make(size);
        let check = round(&site, "--check-config");
        let agent = Agent::start(&site);
        let (memory, peak) = (agent.memory(), agent.peak());
        let share = agent.idle(idle);
        let answers = PATHS.iter().map(|path| agent.ask(path).0).collect();
        let reload = agent.reload();
        let log = agent.log().len();
        let (start, start_cpu) = (agent.start, agent.start_cpu);
        let stop = agent.stop();
        let warm = round(&site, "--once");
        assert_eq!(site.requests(), 0, "every staple is in the store");
        site.cool();
        let cold = round(&site, "--once");
        assert_eq!((site.requests(), site.served()), (size, size), "every staple is fetched once");
        let kept = memory as f64 - alone as f64 - site.staples() as f64;
        Self {
            size,
            start,
            start_cpu,
            kib_each: kept / 1024.0 / size as f64,
            peak,
            idle: share,
            refreshing: (cold.cpu - warm.cpu) / SECONDS_BETWEEN_REFRESHES,
            reload,
            stop,
            log,
            answers,
            check,
            warm,
            cold,
        }
    }
}

impl Figures {
    /// KiB each. What threads and heap take once is not held against few certificates.
    fn memory(&self) -> String {
        match self.size {
            ..100_000 => format!("{:.2}", self.kib_each),
            _ => judged(self.kib_each, "≤", 1.0),
        }
    }
}

fn print_running(all: &[Figures]) {
    println!(
        "{:>12}  {:<20}{:<20}{:<10}{:<20}{:>10}{:>10}{:>10}{:>10}",
        "certificates",
        "KiB each",
        "start, s",
        "CPU, s",
        "CPU, % of core",
        "peak, MiB",
        "reload, s",
        "stop, s",
        "log, KiB"
    );
    for one in all {
        println!(
            "{:>12}  {:<20}{:<20}{:<10.2}{:<20}{:>10}{:>10.2}{:>10.2}{:>10}",
            one.size,
            one.memory(),
            judged(one.start, "≤", 10.0),
            one.start_cpu,
            judged(100.0 * (one.idle + one.refreshing), "≤", 5.0),
            one.peak >> 20,
            one.reload,
            one.stop,
            one.log >> 10,
        );
    }
    println!(
        "\nKiB each: resident memory when it is ready, beside the staples themselves and an agent of \
         one certificate.\nStart: until systemd is told READY=1, with every staple verified and compared \
         with its server's file. CPU: idle,\nand what the refreshes of four-day responses need: a round \
         without any staple less a round with all.\n"
    );
}

fn print_rounds(all: &[Figures]) {
    println!(
        "Runs to their end: seconds, of CPU time, MiB at the highest, and KiB of the report\n"
    );
    println!(
        "{:>12}{:>38}{:>38}{:>38}",
        "certificates", "--check-config", "--once", "--once, cold"
    );
    for one in all {
        print!("{:>12}", one.size);
        for round in [&one.check, &one.warm, &one.cold] {
            let Round { took, cpu, peak, report } = round;
            print!("{took:>14.2}{cpu:>8.2}{:>8}{:>8}", peak >> 20, report >> 10);
        }
        println!();
    }
    println!();
}

fn print_answers(all: &[Figures]) {
    println!("Answers: milliseconds, KiB, and KiB of memory meanwhile\n");
    for (number, path) in PATHS.iter().enumerate() {
        println!("{path}");
        for one in all {
            let Answer { took, bytes, growth } = &one.answers[number];
            println!("{:>12}{:>12.1}{:>12}{:>12}", one.size, took * 1e3, bytes >> 10, growth >> 10);
        }
    }
    println!();
}
