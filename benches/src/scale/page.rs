//! `docs/scale.md`: the model in words, the figures, and what they mean.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use super::Run;
use super::counts::{Counts, Part, parts};
use super::model::{DAY, HOUR, Model};
use super::plot::{self, Line};

/// The rows of the page that do not change with the size of the fleet, as the page has them.
pub(crate) struct PerMember {
    /// Requests for a certificate in a day of the steady state.
    pub(crate) requests: f64,
    /// The same in the outage.
    pub(crate) in_outage: f64,
    /// The same in the two days after it.
    pub(crate) after: f64,
    /// The share of time with a valid staple, in percent.
    pub(crate) covered: f64,
}

/// The same two days after the outage, and the rows of the table of faults.
pub(crate) const FAULT_STEADY: &str = "requests per certificate and day, in peace";
pub(crate) const FAULT_OUTAGE: &str = "the same in the outage";
pub(crate) const FAULT_AFTER: &str = "the same in the two days after it";
pub(crate) const FAULT_COVERED: &str = "time with a staple that clients accept";

/// The labels of those rows.
pub(crate) const REQUESTS: &str = "requests per certificate and day, steady";
pub(crate) const IN_OUTAGE: &str = "requests per certificate and day, in the outage";
pub(crate) const COVERED: &str = "time with a valid staple, from the first on";

impl PerMember {
    pub(crate) fn of(run: &Run) -> Self {
        let [_, steady, outage, after] = parts(&run.model);
        let per_day = |part: Part| {
            run.counts.mean(part.time) * f64::from(DAY) / f64::from(run.model.certificates)
        };
        Self {
            requests: per_day(steady),
            in_outage: per_day(outage),
            after: per_day(after),
            covered: 100.0 * run.counts.covered(),
        }
    }
}

/// The table.
pub(crate) fn table(without: &Run, with: &Run) -> String {
    let mut rows = String::from("| | without the lease | with the lease |\n|---|--:|--:|\n");
    let mut row = |label: &str, figure: &dyn Fn(&Run) -> String| {
        let _ = writeln!(rows, "| {label} | {} | {} |", figure(without), figure(with));
    };
    for index in 0..4 {
        let name = parts(&without.model)[index].name;
        let of = |run: &Run| parts(&run.model)[index].time.clone();
        row(&format!("requests a second, {name}: mean"), &|run| figure(run.counts.mean(of(run))));
        row("the same: peak, in one second", &|run| figure(run.counts.peak(of(run)).into()));
    }
    row(REQUESTS, &|run| format!("{:.3}", PerMember::of(run).requests));
    row(IN_OUTAGE, &|run| format!("{:.3}", PerMember::of(run).in_outage));
    row(COVERED, &|run| percent(PerMember::of(run).covered));
    row("seconds from a member's start to a staple's first response, mean", &|run| {
        figure(run.counts.before_first as f64 / f64::from(run.model.staples()))
    });
    row("responses taken over from another member", &|run| figure(run.counts.taken_over as f64));
    row("times that a member found another asking", &|run| {
        figure(run.counts.left_to_others as f64)
    });
    rows
}

/// The table of a fleet's own faults: of none, of a store that is lost, of clocks that are apart.
pub(crate) fn faults(runs: &[Run; 3]) -> String {
    let mut rows = String::from(
        "| a tenth of the fleet, with the lease | no such fault | the store is lost | the clocks are apart |\n\
         |---|--:|--:|--:|\n",
    );
    let mut row = |label: &str, figure: &dyn Fn(&Run) -> String| {
        let [none, store, clocks] = runs.each_ref().map(figure);
        let _ = writeln!(rows, "| {label} | {none} | {store} | {clocks} |");
    };
    row(FAULT_STEADY, &|run| format!("{:.3}", PerMember::of(run).requests));
    row(FAULT_OUTAGE, &|run| format!("{:.3}", PerMember::of(run).in_outage));
    row(FAULT_AFTER, &|run| format!("{:.3}", PerMember::of(run).after));
    row("requests in one second after the outage, peak", &|run| {
        let [.., after] = parts(&run.model);
        figure(run.counts.peak(after.time).into())
    });
    row(FAULT_COVERED, &|run| percent(PerMember::of(run).covered));
    row("time in which a member staples what clients refuse, hours", &|run| {
        figure(run.counts.refused as f64 / f64::from(HOUR))
    });
    rows
}

/// Writes the page and its plots.
///
/// # Errors
/// What the system says when they cannot be written.
pub(crate) fn write(docs: &Path, without: &Run, with: &Run, faults: &[Run; 3]) -> io::Result<()> {
    std::fs::create_dir_all(docs)?;
    let hours = |counts: &Counts| per(counts, 0, without.model.duration, HOUR);
    let month = plot::draw(&plot::Plot {
        title: "Requests a second at the responder: mean of each hour",
        unit: "days",
        from: 0.0,
        to: f64::from(without.model.duration / DAY),
        shaded: span(&without.model, DAY, 0),
        lines: &[
            Line { name: "without the lease", points: hours(&without.counts) },
            Line { name: "with the lease", points: hours(&with.counts) },
        ],
    });
    std::fs::write(docs.join("scale-month.svg"), month)?;
    let begin = without.model.outage.start - 6 * HOUR;
    let minutes = |counts: &Counts| per(counts, begin, begin + 36 * HOUR, 300);
    let outage = plot::draw(&plot::Plot {
        title: "Around the outage: mean of each five minutes",
        unit: "hours",
        from: -6.0,
        to: 30.0,
        shaded: (0.0, 12.0),
        lines: &[
            Line { name: "without the lease", points: minutes(&without.counts) },
            Line { name: "with the lease", points: minutes(&with.counts) },
        ],
    });
    std::fs::write(docs.join("scale-outage.svg"), outage)?;
    std::fs::write(docs.join("scale.md"), text(without, with, faults))
}

/// The outage in units of `unit`, from `origin` on.
fn span(model: &Model, unit: u32, origin: u32) -> (f64, f64) {
    let at = |second: u32| f64::from(second - origin) / f64::from(unit);
    (at(model.outage.start), at(model.outage.end))
}

/// Means over stretches of `step` seconds.
fn per(counts: &Counts, from: u32, to: u32, step: u32) -> Vec<f64> {
    (from..to).step_by(step as usize).map(|at| counts.mean(at..(at + step).min(to))).collect()
}

fn text(without: &Run, with: &Run, of_faults: &[Run; 3]) -> String {
    let model = &with.model;
    let hours = |seconds: u32| seconds / HOUR;
    let [_, Run { model: store, .. }, Run { model: Model { clocks, .. }, .. }] = of_faults;
    format!(
        "# A fleet past one machine

<!-- Written by `cargo run --release -p certstatus-benches -- scale`; a test holds a small fleet against
     its figures. -->

{certificates} certificates on a fleet of {members} members for {days} days, with one responder, which is
silent for {outage} hours. Simulated: with the stapler's own schedule, its gate before the responder and
its leases, moved by an event queue in the place of sockets. What the responder has to bear, and whether
the staples hold:

{table}
![Requests a second over thirty days](scale-month.svg)

![Requests a second around the outage](scale-outage.svg)

## What the figures say

- With the lease the responder hears of each certificate once per refresh, however many members serve it:
  the load is that of the certificates, not of the fleet's size.
- The outage is shorter than half of a response's life, so no staple that a member holds ends in it, with
  the lease or without. What is missing without it are the staples of machines that were replaced by empty
  ones meanwhile; with the lease these find them in the store.
- In the outage members ask less than in peace, not more, with the lease or without: three failures in a
  row close a member's gate, which then lets one question through now and then.
- The peaks are those of the gates: at the start, and when the responder is back, members ask for what
  is due as fast as their gates let them. With the lease that peak is nearly as high, and passes in minutes
  where it takes more than an hour without.
- A fleet that started in step comes in waves, with the lease as without it, and each wave is wider than
  the one before. With the lease the point of a refresh is the certificate's, and its members follow each
  other around it within minutes: so certificates spread over their whole window, although the first of
  ten members refreshes for all.

## Faults of the fleet itself

The same again with the lease, for a tenth of the certificates and members: once with the store lost for
{lost_for} hours, {lost_in} of them in the outage and then those in which the responder is back; and once with
clocks that disagree, by up to {off} s both ways, and those of {wrong} % of all members by up to {wrong_by} s, which
is twice what a verifier tolerates.

{faults}
- Without the store members ask for themselves, which costs the responder up to ten requests for one; in
  the outage their gates are closed all the same. What is missing are again the staples of machines that
  were replaced meanwhile.
- Points in time are not shared, only times to live, so clocks that disagree by seconds cost nothing. Who
  is so far behind that it takes a fresh response for one from the future asks in vain now and then,
  and takes over what another has; who is ahead refreshes for all. No client is given
  what it refuses: who is behind holds a response back until its time has come, and staples the old one
  until then. Only a machine that came with nothing is without for so long.
- Who fails, for whatever reason, leaves the next attempt to another, and that one goes on with the pause
  where the one before it was. So a member that cannot reach the responder, or whose clock is wrong, does
  not keep a staple from the others.

## The model

| | |
|---|---|
| groups | members stand in groups of {group}; each group serves {each} certificates of its own, all of its members the same: {staples} staples in all |
| start | all members within {rollout} minutes, at random, with nothing stored anywhere |
| responses | live {life} hours and are signed when they are asked for; no HTTP caching headers |
| responder | answers after {latency_from} to {latency_to} ms, and fails {failing} % of all requests with a 5xx; in the outage it is silent, and each request is given up after {patience} s |
| gate | the stapler's: {concurrent} requests at a time and {per_second} a second from each member at most; one at a time after three failures |
| restarts | each member every {restart} days, at its own time and in no time; {replaced} % of them come back with an empty disk, the others load what they had |
| the store with the lease | answers at once, and but for the run in which it is lost does not fail; it has nothing in it when it is back; {lost} % of the notices of what was saved are lost on their way to a member |
| time | the schedule's in seconds, the gate's and the responder's in milliseconds; but for the run in which they are apart, all clocks are right, and those of responder and clients always |

Not in it: what the network between them adds, certificates that come, are renewed or revoked, and
responders that differ. Real fleets grow slowly, and have fewer certificates fall due in step than after this start.
",
        certificates = grouped(model.certificates.into()),
        members = grouped(model.members.into()),
        days = model.duration / DAY,
        outage = hours(model.outage.end - model.outage.start),
        table = table(without, with),
        lost_for = hours(store.store_lost.end - store.store_lost.start),
        lost_in = hours(store.outage.end - store.store_lost.start),
        off = clocks.off,
        wrong = clocks.wrong * 100.0,
        wrong_by = clocks.wrong_by,
        faults = faults(of_faults),
        group = model.group,
        each = grouped(model.certificates_of_member().into()),
        staples = grouped(model.staples().into()),
        rollout = model.rollout / 60,
        life = hours(model.life),
        latency_from = model.latency.start,
        latency_to = model.latency.end,
        failing = model.failing * 100.0,
        patience = model.patience / 1000,
        concurrent = certstatus_stapler::ResponderLimits::default().concurrent,
        per_second = certstatus_stapler::ResponderLimits::default().per_second,
        restart = model.restart / DAY,
        replaced = model.replaced * 100.0,
        lost = model.lost_notices * 100.0,
    )
}

/// With as many digits as mean something.
fn figure(value: f64) -> String {
    match value {
        value if value >= 100.0 => grouped(value.round() as u64),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

/// Only what is whole is a hundred.
fn percent(value: f64) -> String {
    if value >= 100.0 { "100 %".to_owned() } else { format!("{:.5} %", value.min(99.99999)) }
}

/// Thousands apart.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
