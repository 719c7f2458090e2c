//! Reading one staple from many threads, as handshakes do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use certstatus_lab::Lab;
use certstatus_stapler::{StapleHandle, Stapler, Target};
use rustix::time::{ClockId, clock_gettime};
use rustls::crypto::aws_lc_rs;

use crate::judged;
use crate::side_by_side::{Effort, median};

/// Measures and prints the table.
pub(crate) fn run(effort: Effort) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let handle = runtime.expect("a runtime").block_on(async {
        let lab = Lab::builder().start().expect("the lab");
        let leaf = lab.leaf("bench.example").expect("a certificate");
        let stapler = Stapler::builder(Arc::new(aws_lc_rs::default_provider()));
        let stapler = stapler.start().expect("a stapler");
        let handle = stapler.add(Target::from_chain(leaf.chain())).expect("a certificate");
        handle.ready().await;
        handle
    });
    println!("Reading a staple, ns of CPU per read\n");
    println!("{:<10}{:>22}{:>22}", "readers", "looked at", "taken along (Arc)");
    let rounds = effort.rounds.min(11);
    for readers in [1, 2, 4, 8] {
        let timed = |take: bool| {
            median((0..rounds).map(|_| nanoseconds(&handle, readers, take, effort)).collect())
        };
        println!("{readers:<10}{:>22}{:>22.1}", judged(timed(false), "≤", 50.0), timed(true));
    }
    println!();
}

/// CPU time per read over all readers. Wall time would tell how many cores there are.
fn nanoseconds(handle: &StapleHandle, readers: usize, take: bool, effort: Effort) -> f64 {
    let stop = AtomicBool::new(false);
    let figures: Vec<(f64, u64)> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..readers).map(|_| scope.spawn(|| read(handle, take, &stop))).collect();
        std::thread::sleep(effort.per_round);
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let (time, reads) = figures.into_iter().fold((0.0, 0), |(t, r), (a, b)| (t + a, r + b));
    time * 1e9 / reads as f64
}

fn read(handle: &StapleHandle, take: bool, stop: &AtomicBool) -> (f64, u64) {
    let (begun, mut reads) = (cpu_time(), 0);
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..100 {
            if take {
                std::hint::black_box(handle.current());
            } else {
                std::hint::black_box(handle.read(|staple| staple.der().len()));
            }
        }
        reads += 100;
    }
    (cpu_time() - begun, reads)
}

fn cpu_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
