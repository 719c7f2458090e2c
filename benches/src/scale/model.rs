//! What the simulated fleet and its responder are like: every number that is not the stapler's own.

use std::ops::Range;

/// Seconds of a day.
pub(crate) const DAY: u32 = 86_400;
/// Seconds of an hour.
pub(crate) const HOUR: u32 = 3600;

/// The simulated world begins here: a point in time like any other, in seconds since 1970.
pub(crate) const EPOCH: u64 = 1_800_000_000;

/// A fleet, its responder, and what happens to them. Times are seconds of the simulation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Model {
    /// Certificates in all.
    pub(crate) certificates: u32,
    /// Members of the fleet. They stand in groups, and all members of a group serve the same
    /// certificates.
    pub(crate) members: u32,
    /// Members of a group: this many serve each certificate.
    pub(crate) group: u32,
    /// Whether members share a store, and ask under its leases.
    pub(crate) lease: bool,
    /// How long it goes.
    pub(crate) duration: u32,
    /// The members are started one after the other within this time, with nothing in any store.
    pub(crate) rollout: u32,
    /// The life of a response, which the responder signs when it is asked.
    pub(crate) life: u32,
    /// Milliseconds from a question to its answer, evenly spread.
    pub(crate) latency: Range<u32>,
    /// The share of requests that fail with a 5xx outside the outage.
    pub(crate) failing: f64,
    /// When no request is answered.
    pub(crate) outage: Range<u32>,
    /// Milliseconds after which a request is given up that is not answered.
    pub(crate) patience: u32,
    /// A member is restarted this often, each at a time of its own.
    pub(crate) restart: u32,
    /// The share of restarts that find an empty disk: a machine was replaced.
    pub(crate) replaced: f64,
    /// The share of notices that are lost on their way to a member.
    pub(crate) lost_notices: f64,
    /// When the shared store is away. It has nothing in it when it is back.
    pub(crate) store_lost: Range<u32>,
    /// How the members' clocks go. The responder's and the clients' are right.
    pub(crate) clocks: Clocks,
}

/// How far clocks are off, in seconds, evenly spread both ways.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Clocks {
    /// Most members, at most.
    pub(crate) off: u32,
    /// The share of members that are worse.
    pub(crate) wrong: f64,
    /// Those, at most.
    pub(crate) wrong_by: u32,
}

impl Clocks {
    const RIGHT: Self = Self { off: 0, wrong: 0.0, wrong_by: 0 };

    /// How far one is ahead that stands at `place` among all, from 0 to 1, and among its like at
    /// `within`.
    pub(crate) fn ahead(&self, place: f64, within: f64) -> i32 {
        let most = if place < self.wrong { self.wrong_by } else { self.off };
        ((2.0 * within - 1.0) * f64::from(most)).round() as i32
    }
}

impl Model {
    /// A million certificates on ten thousand members for thirty days, with an outage of twelve hours.
    pub(crate) fn full(lease: bool) -> Self {
        Self {
            certificates: 1_000_000,
            members: 10_000,
            group: 10,
            lease,
            duration: 30 * DAY,
            rollout: HOUR,
            life: 4 * DAY,
            latency: 20..200,
            failing: 0.005,
            outage: 15 * DAY..15 * DAY + 12 * HOUR,
            patience: 10_000,
            restart: 7 * DAY,
            replaced: 0.1,
            lost_notices: 0.01,
            store_lost: 0..0,
            clocks: Clocks::RIGHT,
        }
    }

    /// The fleet with the lease whose store is lost for six hours: three of the outage, and those in
    /// which the responder is back.
    pub(crate) fn without_its_store() -> Self {
        let model = Self::full(true);
        let end = model.outage.end;
        Self { store_lost: end - 3 * HOUR..end + 3 * HOUR, ..model }
    }

    /// The fleet with the lease whose clocks disagree: by seconds, and some by more than the verifier
    /// tolerates.
    pub(crate) fn with_clocks_apart() -> Self {
        let clocks = Clocks { off: 5, wrong: 0.05, wrong_by: 600 };
        Self { clocks, ..Self::full(true) }
    }

    /// The same with one certificate and one member in so many; what a member sees stays the same.
    pub(crate) fn one_in(self, share: u32) -> Self {
        Self { certificates: self.certificates / share, members: self.members / share, ..self }
    }

    /// How many groups there are.
    pub(crate) fn groups(&self) -> u32 {
        self.members / self.group
    }

    /// How many certificates a member serves.
    pub(crate) fn certificates_of_member(&self) -> u32 {
        self.certificates / self.groups()
    }

    /// Staples in all: one for each certificate on each member that serves it.
    pub(crate) fn staples(&self) -> u32 {
        self.certificates * self.group
    }
}
