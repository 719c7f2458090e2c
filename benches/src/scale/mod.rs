//! A fleet past one machine, simulated: what its responder has to bear, and whether its staples hold.
//!
//! [`fleet`] is the simulation, by the stapler's own schedule, gate and leases; [`model`] is the world
//! around it; [`counts`] makes figures; [`page`] and [`plot`] write `docs/scale.md`.

mod counts;
mod fleet;
mod model;
mod page;
mod plot;
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

/// Simulates the fleet with and without leases, and prints the table; writes it to `docs/` when the
/// figures are meant.
pub(crate) fn run(effort: Effort) {
    let share = if effort.is_smoke() { SMOKE } else { 1 };
    let begun = Instant::now();
    let [without, with] = both(share);
    println!("{}", page::table(&without, &with));
    let events = without.counts.events + with.counts.events;
    println!("{events} events in {:.0} s\n", begun.elapsed().as_secs_f64());
    if !effort.is_smoke() {
        let docs = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs"));
        page::write(&docs, &without, &with).expect("docs/ can be written");
        println!("docs/scale.md is written.");
    }
}

/// The two fleets, at one in `share` of their size, each in a thread of its own.
fn both(share: u32) -> [Run; 2] {
    std::thread::scope(|scope| {
        let runs = [false, true].map(|lease| {
            let model = Model::full(lease).one_in(share);
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
