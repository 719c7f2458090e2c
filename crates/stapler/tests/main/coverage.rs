//! Whatever a responder does for less than half of a response's life, and whenever it begins, there is
//! always a staple that a strict client accepts: a property over the whole catalogue of faults.

use certstatus_lab::{Effect, Fault};
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::{Net, Strict, add, seconds};

/// How long a responder takes in the worst case to fail: the schedule can do nothing about that, and
/// the lives here are long enough for it.
const LIVES: std::ops::Range<u64> = 600..7200;

/// Every fault but the one that says that the certificate is revoked: then nothing is to be stapled.
fn faults() -> Vec<Fault> {
    Fault::ALL.into_iter().filter(|fault| fault.effect() != Effect::Revoked).collect()
}

/// An outage: when it begins, in lives, or right before the refresh, which is the worst moment; how long
/// it is, in half lives; and what goes wrong in it, one after the other.
#[derive(Clone, Debug)]
struct Outage {
    begins: Option<f64>,
    lasts: f64,
    faults: Vec<Fault>,
}

fn outages() -> impl Strategy<Value = Outage> {
    let begins = proptest::option::of(0.0..2.0);
    let lasts = prop_oneof![0.95..1.0, 0.0..1.0];
    let faults = proptest::collection::vec(select(faults()), 1..5);
    (begins, lasts, faults).prop_map(|(begins, lasts, faults)| Outage { begins, lasts, faults })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn no_outage_of_less_than_half_a_life_is_seen_by_a_strict_client(
        life in LIVES,
        outage in outages(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(outlives(life, &outage))?;
    }
}

/// Looks as a strict client does at every moment of three lives with that outage in them.
async fn outlives(life: u64, outage: &Outage) -> Result<(), TestCaseError> {
    let net = Net::new(life);
    let leaf = net.leaf("www.example.org");
    let stapler = net.stapler().start().unwrap();
    let handle = add(&stapler, &leaf).await;
    let refresh = handle.snapshot().next_attempt.unwrap().as_secs() - 1 - net.now().as_secs();
    let in_lives = |lives| (life as f64 * lives) as u64;
    let begins = net.since() + outage.begins.map_or(refresh, in_lives);
    let length = in_lives(outage.lasts / 2.0);
    let step = life / 150;
    let mut strict = Strict::default();
    while net.since() < begins + length + life {
        let into = net.since().checked_sub(begins).filter(|into| *into < length);
        // Each fault has its share of the outage.
        let fault = into.map(|into| into * outage.faults.len() as u64 / length);
        net.set_fault(fault.and_then(|at| outage.faults.get(at as usize)).copied());
        let seen = strict.sees(&handle, &leaf, net.now());
        prop_assert_eq!(seen, Some(true), "{:?}, {:?} s into it", net.since(), into);
        // It begins and ends to the second.
        let edges = [begins, begins + length].map(|edge| edge.checked_sub(net.since()));
        let edge = edges.into_iter().flatten().find(|left| *left > 0);
        tokio::time::sleep(seconds(edge.map_or(step, |left| left.min(step)))).await;
    }
    Ok(())
}
