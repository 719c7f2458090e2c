//! What the simulated fleet and its responder are like: every number that is not the stapler's own.

use std::ops::Range;

/// Seconds of a day.
pub(crate) const DAY: u32 = 86_400;
/// Seconds of an hour.
pub(crate) const HOUR: u32 = 3600;

/// The simulated world begins here: a point in time like any other, in seconds since 1970.
pub(crate) const EPOCH: u64 = 1_800_000_000;

/// A fleet, its responder, and what happens to them. Times are seconds of the simulation.
#[derive(Clone, Debug)]
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
        }
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
