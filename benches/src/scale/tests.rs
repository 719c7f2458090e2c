//! A small fleet, by the same code: what a member sees is what `docs/scale.md` says, and the claims of
//! that page hold.

use super::*;
use model::{DAY, HOUR};
use page::{
    COVERED, FAULT_AFTER, FAULT_COVERED, FAULT_OUTAGE, FAULT_STEADY, IN_OUTAGE, PerMember, REQUESTS,
};

/// A fleet of ten members and a thousand certificates.
fn small(lease: bool) -> Run {
    let model = Model::full(lease).one_in(SMOKE);
    Run { counts: fleet::simulate(&model), model }
}

/// The figures of a row of `docs/scale.md`.
fn documented<const N: usize>(label: &str) -> [f64; N] {
    let page = include_str!("../../../docs/scale.md");
    let row = page.lines().find(|line| line.starts_with(&format!("| {label} |")));
    let row = row.unwrap_or_else(|| panic!("docs/scale.md has no row: {label}"));
    let mut figures = row.split('|').skip(2);
    std::array::from_fn(|_| {
        let figure = figures.next().expect("a column").trim();
        figure.trim_end_matches(" %").parse().expect("a figure")
    })
}

#[test]
fn the_documented_figures_are_those_of_a_small_fleet() {
    let small = [false, true].map(|lease| PerMember::of(&small(lease)));
    let labels = [REQUESTS, IN_OUTAGE, COVERED];
    // A thousandth of the fleet is ten members: what is a mean over thousands there is one over ten here,
    // and in the outage over the pauses of ten gates.
    let bounds = [0.03, 0.25, 0.0005];
    for (label, bound) in labels.into_iter().zip(bounds) {
        for (lease, documented) in documented::<2>(label).into_iter().enumerate() {
            let figures = &small[lease];
            let found = match label {
                REQUESTS => figures.requests,
                IN_OUTAGE => figures.in_outage,
                _ => figures.covered,
            };
            assert!(
                (found / documented - 1.0).abs() <= bound,
                "{label}, lease {lease}: docs/scale.md says {documented}, a small fleet gives {found}; \
                 write the page anew if the stapler has changed"
            );
        }
    }
}

/// As above, of a fleet of a hundred members: clocks that are wrong by minutes are few.
#[test]
fn the_documented_figures_of_faults_are_those_of_a_small_fleet() {
    let small = simulated(faults().map(|model| model.one_in(SMOKE / 10)));
    let rows = [FAULT_STEADY, FAULT_OUTAGE, FAULT_AFTER, FAULT_COVERED];
    for (label, bound) in rows.into_iter().zip([0.03, 0.25, 0.1, 0.0005]) {
        for (run, documented) in small.iter().zip(documented::<3>(label)) {
            let figures = PerMember::of(run);
            let found = match label {
                FAULT_STEADY => figures.requests,
                FAULT_OUTAGE => figures.in_outage,
                FAULT_AFTER => figures.after,
                _ => figures.covered,
            };
            assert!(
                (found / documented - 1.0).abs() <= bound,
                "{label}: docs/scale.md says {documented}, a small fleet gives {found}; write the page \
                 anew if the stapler has changed"
            );
        }
    }
}

/// Whatever becomes of the store and of clocks, no client is given what it refuses.
#[test]
fn faults_of_the_fleet_itself_cost_requests_and_no_refusals() {
    let [none, store, clocks] = simulated(faults().map(|model| model.one_in(SMOKE / 10)));
    // A machine that is replaced at the wrong time weighs much in a small fleet.
    for (run, covered) in [(&none, 1.0), (&store, 0.9999), (&clocks, 0.999_999)] {
        assert_eq!(run.counts.refused, 0);
        assert!(run.counts.covered() >= covered, "{}", run.counts.missing);
    }
    // Machines that are replaced while there is neither store nor responder have nothing.
    assert!(none.counts.missing == 0 && store.counts.missing > 0);
    let requests = |run: &Run| run.counts.requests.iter().map(|n| u64::from(*n)).sum::<u64>();
    assert!(requests(&none) < requests(&store), "members that are alone ask for themselves");
}

#[test]
fn with_the_lease_each_refresh_is_one_request_and_without_it_one_for_each_member() {
    let [without, with] = [false, true].map(|lease| PerMember::of(&small(lease)));
    // Ten, and a little more: a machine that comes back empty finds in the store what it would ask for.
    let members = without.requests / with.requests;
    assert!((9.5..10.7).contains(&members), "{members}");
}

#[test]
fn no_outage_shorter_than_half_a_life_is_seen_by_who_keeps_a_store() {
    // Without the lease and with disks that are kept; with the lease whatever becomes of disks.
    for (lease, replaced) in [(false, 0.0), (true, 0.1)] {
        let model = Model { replaced, duration: 20 * DAY, ..Model::full(lease).one_in(SMOKE) };
        assert_eq!(fleet::simulate(&model).missing, 0, "lease: {lease}");
    }
    // And what would be missing is seen: an outage of a whole life and more.
    let long = Model::full(true).one_in(SMOKE);
    let long = Model { outage: 10 * DAY..10 * DAY + long.life + HOUR, duration: 20 * DAY, ..long };
    assert!(fleet::simulate(&long).missing > 0);
}

#[test]
fn a_simulation_is_the_same_every_time() {
    let model =
        Model { duration: 4 * DAY, outage: DAY..DAY + HOUR, ..Model::full(true).one_in(SMOKE) };
    assert!(fleet::simulate(&model) == fleet::simulate(&model));
}
