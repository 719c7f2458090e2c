//! Contestants timed in turn, in one process, so that what disturbs one disturbs all.
//!
//! A round times every contestant once, for about the same time each; the figure of a contestant is
//! the median of its rounds, and a ratio is the median of the ratios within each round. A machine
//! that slows down half-way changes the figures and leaves the ratios.

use std::time::{Duration, Instant};

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    pub(crate) per_round: Duration,
}

impl Effort {
    /// For figures that are meant: 31 rounds of 20 ms.
    pub(crate) const FULL: Self = Self { rounds: 31, per_round: Duration::from_millis(20) };
    /// To see that everything runs; its figures mean little.
    pub(crate) const SMOKE: Self = Self { rounds: 3, per_round: Duration::from_millis(1) };

    /// Whether the figures mean little.
    pub(crate) fn is_smoke(self) -> bool {
        self.rounds <= Self::SMOKE.rounds
    }
}

/// Something to time: what it is called and one call of it, which gives the time it took.
pub(crate) struct Contestant<'a> {
    name: &'a str,
    call: Box<dyn FnMut(u32) -> Duration + 'a>,
}

impl<'a> Contestant<'a> {
    /// Times the whole of `call`.
    pub(crate) fn new<T>(name: &'a str, mut call: impl FnMut() -> T + 'a) -> Self {
        let timed = move |times| {
            let start = Instant::now();
            for _ in 0..times {
                std::hint::black_box(call());
            }
            start.elapsed()
        };
        Self { name, call: Box::new(timed) }
    }

    /// `call` says itself how much of its time counts.
    pub(crate) fn timing_itself(name: &'a str, mut call: impl FnMut() -> Duration + 'a) -> Self {
        Self { name, call: Box::new(move |times| (0..times).map(|_| call()).sum()) }
    }
}

/// The figures of one run.
pub(crate) struct Results {
    names: Vec<String>,
    /// Nanoseconds per call: a row for each round, a column for each contestant.
    rounds: Vec<Vec<f64>>,
}

impl Results {
    /// The median time of a call, in nanoseconds.
    pub(crate) fn nanoseconds(&self, name: &str) -> f64 {
        let column = self.column(name);
        median(self.rounds.iter().map(|round| round[column]).collect())
    }

    /// The median of `dividend / divisor` within each round.
    pub(crate) fn ratio(&self, dividend: &str, divisor: &str) -> f64 {
        let (dividend, divisor) = (self.column(dividend), self.column(divisor));
        median(self.rounds.iter().map(|round| round[dividend] / round[divisor]).collect())
    }

    fn column(&self, name: &str) -> usize {
        self.names.iter().position(|known| known == name).unwrap_or_else(|| {
            panic!("the bench asks for {name}, and has {}", self.names.join(", "))
        })
    }
}

/// Times the contestants.
pub(crate) fn measure(effort: Effort, mut contestants: Vec<Contestant<'_>>) -> Results {
    let calls: Vec<u32> = contestants.iter_mut().map(|c| calls_that_take(effort, c)).collect();
    let rounds = (0..effort.rounds)
        .map(|_| {
            let timed = contestants.iter_mut().zip(&calls);
            timed.map(|(c, calls)| nanoseconds((c.call)(*calls)) / f64::from(*calls)).collect()
        })
        .collect();
    Results { names: contestants.iter().map(|c| c.name.to_owned()).collect(), rounds }
}

/// How many calls take about a round's time. Warms up on the way.
fn calls_that_take(effort: Effort, contestant: &mut Contestant<'_>) -> u32 {
    let mut calls = 1;
    loop {
        let taken = (contestant.call)(calls);
        if taken >= effort.per_round / 4 || calls >= 1 << 24 {
            let per_call = nanoseconds(taken).max(1.0) / f64::from(calls);
            return (nanoseconds(effort.per_round) / per_call).ceil().max(1.0) as u32;
        }
        calls *= 4;
    }
}

fn nanoseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}

/// The middle one of values, of which there must be some.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
