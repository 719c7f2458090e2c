//! Cases on both libraries, measured in turn.

use std::path::Path;

use crate::side_by_side::{Effort, median};

use super::program::{Figures, Library, Program, Running};

/// What cases are measured with.
#[derive(Debug)]
pub(super) struct Contest<'a> {
    pub(super) program: &'a Program,
    /// Ours, and the system's.
    pub(super) libraries: &'a [Library; 2],
    pub(super) effort: Effort,
}

/// What a case came to on both libraries.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) ours: Result<Measured, String>,
    pub(super) system: Measured,
}

/// What a case came to on one library.
#[derive(Debug)]
pub(super) struct Measured {
    /// Version, cipher suite and group.
    pub(super) spoke: String,
    rounds: Vec<Figures>,
}

impl Measured {
    /// What came out of each round.
    pub(super) fn each(&self, figure: impl Fn(&Figures) -> f64) -> Vec<f64> {
        self.rounds.iter().map(figure).collect()
    }
}

/// The median of what came out of the rounds.
pub(super) fn middle(values: &[f64]) -> f64 {
    median(values.to_vec())
}

/// The median of the ratios within each round.
pub(super) fn ratio(dividend: &[f64], divisor: &[f64]) -> f64 {
    median(dividend.iter().zip(divisor).map(|(dividend, divisor)| dividend / divisor).collect())
}

impl Contest<'_> {
    /// Measures cases of one sample, each on both libraries, all of them in turn. `size` is that of
    /// a round.
    pub(super) fn measure(
        &self,
        sample: &Path,
        cases: &[Vec<&str>],
        rounds: usize,
        size: u128,
    ) -> Vec<Outcome> {
        let mut runs: Vec<[Run; 2]> = cases
            .iter()
            .map(|case| self.libraries.each_ref().map(|on| self.start(on, sample, case)))
            .collect();
        for number in 0..rounds {
            for [ours, system] in &mut runs {
                // Whoever comes second finds caches that the first has left, so they change places.
                let order = if number % 2 == 0 { [ours, system] } else { [system, ours] };
                order.into_iter().for_each(|run| run.round(size));
            }
        }
        runs.into_iter()
            .zip(cases)
            .map(|([ours, system], case)| Outcome {
                ours: ours.finish(),
                system: system.finish().unwrap_or_else(|failure| {
                    panic!("{} on the system's library: {failure}", case.join(" "))
                }),
            })
            .collect()
    }

    fn start(&self, library: &Library, sample: &Path, case: &[&str]) -> Run {
        Run { state: self.program.start(library, sample, case), rounds: Vec::new() }
    }
}

/// A case on one library, under way or failed.
struct Run {
    state: Result<Running, String>,
    rounds: Vec<Figures>,
}

impl Run {
    fn round(&mut self, size: u128) {
        if let Ok(running) = &mut self.state {
            match running.round(size) {
                Ok(figures) => self.rounds.push(figures),
                Err(failure) => self.state = Err(failure),
            }
        }
    }

    fn finish(self) -> Result<Measured, String> {
        let running = self.state?;
        let spoke = running.spoke.clone();
        running.finish().map_err(|end| format!("measured, and then {end}"))?;
        Ok(Measured { spoke, rounds: self.rounds })
    }
}
