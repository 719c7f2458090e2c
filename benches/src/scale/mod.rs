//! A fleet past one machine, simulated: what its responder has to bear, and whether its staples hold.
//!
//! [`fleet`] is the simulation, by the stapler's own schedule, gate and leases; [`model`] is the world
//! around it; [`counts`] makes figures; [`page`] and [`plot`] write `docs/scale.md`.

mod counts;
mod fleet;
mod model;
mod page;
mod plot;
mod staple;
mod wheel;

use std::path::PathBuf;
use std::time::Instant;

use crate::side_by_side::Effort;
use counts::Counts;
use model::Model;

/// What a smoke run simulates: one certificate and one member in so many.
const SMOKE: u32 = 1000;

/// A fleet that was simulated.
pub(crate) struct Run {
    pub(crate) model: Model,
    pub(crate) counts: Counts,
}

/// What is simulated with one fault of the fleet's own each: so much smaller than the fleet itself.
const TENTH: u32 = 10;

/// Simulates the fleet with and without leases, and with faults of its own; prints the tables, and
/// writes them to `docs/` when the figures are meant.
pub(crate) fn run(effort: Effort) {
    let (share, of_faults) = if effort.is_smoke() { (SMOKE, SMOKE) } else { (1, TENTH) };
    let begun = Instant::now();
    let [without, with] = simulated([false, true].map(|lease| Model::full(lease).one_in(share)));
    println!("{}", page::table(&without, &with));
    let faults = simulated(faults().map(|model| model.one_in(of_faults)));
    println!("{}", page::faults(&faults));
    let events: u64 = [&without, &with].into_iter().chain(&faults).map(|r| r.counts.events).sum();
    println!("{events} events in {:.0} s\n", begun.elapsed().as_secs_f64());
    if !effort.is_smoke() {
        let docs = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs"));
        page::write(&docs, &without, &with, &faults).expect("docs/ can be written");
        println!("docs/scale.md is written.");
    }
}

/// The fleet with the lease: without any fault of its own, with its store lost, with its clocks apart.
fn faults() -> [Model; 3] {
    [Model::full(true), Model::without_its_store(), Model::with_clocks_apart()]
}

/// Simulates fleets, each in a thread of its own.
fn simulated<const N: usize>(models: [Model; N]) -> [Run; N] {
    std::thread::scope(|scope| {
        let runs = models.map(|model| {
            scope.spawn(move || {
                let counts = fleet::simulate(&model);
                Run { model, counts }
            })
        });
        runs.map(|run| run.join().expect("a simulation that ends"))
    })
}

#[cfg(test)]
mod tests;
