//! The simulation: the stapler's own schedule, gate and leases, moved by an event queue over compact
//! state in the place of tasks and sockets.
//!
//! What decides is the stapler's code: [`next_attempt`] plans, [`Gate`] says who may ask when,
//! [`LEASE`], [`look_again`], [`pause_of_others`], [`COURTESY`] and [`failures_of_fleet`] are what a lease
//! means. What is here is what the stapler's worker does around them, in the worker's order: look into
//! the store, take the lease, ask, tell.
//!
//! A [`Staple`] is one certificate on one member: some bytes and a timer. Seconds stand in a
//! [`Wheel`]; what happens between them, which is little at a time, in a heap of milliseconds.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use certstatus::Freshness;
use certstatus::time::unix;
use certstatus_stapler::gate::{Admission, Ended, Gate, ResponderLimits};
use certstatus_stapler::schedule::{Facts, Life, next_attempt, patience};
use certstatus_stapler::store::{COURTESY, LEASE, failures_of_fleet, look_again, pause_of_others};
use rustls_pki_types::UnixTime;
use tokio::time::Instant;

use super::counts::Counts;
use super::model::{EPOCH, Model};
use super::staple::{NEVER, Now, Phase, Staple};
use super::wheel::Wheel;

/// What the shared store has of a certificate.
#[derive(Clone, Copy)]
struct Stored {
    this_update: u32,
    /// The staple whose member holds the lease, and until when, in milliseconds.
    holder: u32,
    held_until: u64,
}

impl Stored {
    const NOTHING: Self = Self { this_update: NEVER, holder: NEVER, held_until: 0 };
}

struct Member {
    gate: Gate<u32>,
    /// Restarts so far: another seed after each.
    life: u16,
    /// How many seconds its clock is ahead.
    ahead: i32,
    /// When the gate is looked at again, in milliseconds.
    wake: u64,
}

/// What happens between the seconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    /// A member's gate may have opened.
    Gate { member: u32 },
    /// A request of a member in that life of its comes to its end.
    Answer { staple: u32, life: u16, answered: bool },
    /// The time of a response has come for a member whose clock is behind.
    Begin { staple: u32, life: u16, this_update: u32 },
    /// A staple is due earlier than its timer says.
    Due { staple: u32 },
    /// A member starts, or starts anew.
    Start { member: u32 },
}

/// A fleet at a point in its time.
pub(crate) struct Fleet {
    model: Model,
    staples: Vec<Staple>,
    stored: Vec<Stored>,
    members: Vec<Member>,
    wheel: Wheel,
    soon: BinaryHeap<Reverse<(u64, Happening)>>,
    counts: Counts,
    origin: Instant,
    dice: u64,
}

/// Simulates a fleet from its first second to its last.
pub(crate) fn simulate(model: &Model) -> Counts {
    let mut fleet = Fleet::new(model.clone());
    for second in 0..fleet.model.duration {
        fleet.pass(second);
    }
    fleet.end()
}

impl Fleet {
    fn new(model: Model) -> Self {
        let member = |number: u64| {
            let ahead = model.clocks.ahead(share(mix(number)), share(mix(!number)));
            Member { gate: Gate::new(ResponderLimits::default()), life: 0, ahead, wake: 0 }
        };
        let mut fleet = Self {
            staples: vec![Staple::ABSENT; model.staples() as usize],
            stored: vec![Stored::NOTHING; model.certificates as usize],
            members: (0..model.members.into()).map(member).collect(),
            wheel: Wheel::new(model.duration, model.staples()),
            soon: BinaryHeap::new(),
            counts: Counts::new(model.duration),
            origin: Instant::now(),
            dice: 1,
            model,
        };
        for member in 0..fleet.model.members {
            let at = fleet.roll() * f64::from(fleet.model.rollout) * 1000.0;
            fleet.soon.push(Reverse((at as u64, Happening::Start { member })));
        }
        fleet
    }

    /// One second passes.
    fn pass(&mut self, second: u32) {
        let begin = u64::from(second) * 1000;
        if second == self.model.store_lost.start {
            self.stored.fill(Stored::NOTHING);
        }
        while let Some(staple) = self.wheel.take(second) {
            self.counts.events += 1;
            self.timer(staple, second);
        }
        while let Some(Reverse((at, happening))) = self.soon.peek().copied()
            && at < begin + 1000
        {
            self.soon.pop();
            self.counts.events += 1;
            self.happen(happening, at);
        }
    }

    fn timer(&mut self, staple: u32, second: u32) {
        let Staple { phase, next, .. } = self.staples[staple as usize];
        match phase {
            Phase::Idle if next <= second => self.queue_up(staple, u64::from(second) * 1000),
            // It was put off since.
            Phase::Idle => self.wheel.set(staple, next),
            Phase::Absent | Phase::Waiting | Phase::Asking => {}
        }
    }

    fn happen(&mut self, happening: Happening, now: u64) {
        match happening {
            Happening::Gate { member } => {
                if self.members[member as usize].wake == now {
                    self.open_gate(member, now);
                }
            }
            Happening::Answer { staple, life, answered } => {
                self.answer(staple, life, answered, now);
            }
            Happening::Begin { staple, life, this_update } => {
                if self.members[self.member_of(staple) as usize].life == life {
                    self.tell(staple, this_update, now);
                }
            }
            Happening::Due { staple } => {
                let Staple { phase, next, .. } = self.staples[staple as usize];
                if phase == Phase::Idle && next <= seconds(now) {
                    self.queue_up(staple, now);
                }
            }
            Happening::Start { member } => self.start(member, now),
        }
    }

    /// A member starts: it loads what there is, and plans.
    fn start(&mut self, member: u32, now: u64) {
        let first = self.members[member as usize].life == 0;
        let keeps_disk = self.roll() >= self.model.replaced;
        let of_member = &mut self.members[member as usize];
        of_member.gate = Gate::new(ResponderLimits::default());
        of_member.life += 1;
        if first {
            let there = u64::from(self.model.duration - seconds(now));
            self.counts.served += there * u64::from(self.model.certificates_of_member());
        }
        for nth in 0..self.model.certificates_of_member() {
            let staple = self.staple_of(member, nth);
            let at = self.at(staple, now);
            let kept = &mut self.staples[staple as usize];
            kept.settle(at, &mut self.counts);
            if first {
                kept.until = seconds(now);
            } else if !keeps_disk {
                kept.lose(at);
            }
            (kept.attempted, kept.failures, kept.left_since) = (NEVER, 0, NEVER);
            kept.phase = Phase::Idle;
            self.take_over(staple, now);
            self.plan(staple, now);
        }
        let again = if first { self.roll() } else { 1.0 } * f64::from(self.model.restart) * 1000.0;
        self.soon.push(Reverse((now + again as u64, Happening::Start { member })));
    }

    /// Has the responder asked when the member's gate is open.
    fn queue_up(&mut self, staple: u32, now: u64) {
        let at = self.at(staple, now);
        let record = &mut self.staples[staple as usize];
        record.phase = Phase::Waiting;
        // Until it has another one, a staple that has ended is remembered.
        let until = (record.this_update != NEVER).then(|| point(record.until.into()));
        let expires = until.filter(|_| record.holds(at));
        let patience = patience(point(at.local()), until);
        let member = self.member_of(staple);
        self.members[member as usize].gate.wait(staple, false, expires, patience);
        self.open_gate(member, now);
    }

    /// Lets as many through a gate as may pass now, and sees to it that it is looked at again.
    fn open_gate(&mut self, member: u32, now: u64) {
        let instant = self.instant(now);
        loop {
            let of_member = &mut self.members[member as usize];
            if !of_member.gate.has_waiting() {
                return;
            }
            match of_member.gate.admits(instant) {
                Admission::Full => return,
                Admission::From(at) => {
                    let pause = at.duration_since(instant).as_micros().div_ceil(1000) as u64;
                    let wake = now + pause.max(1);
                    if of_member.wake <= now || wake < of_member.wake {
                        of_member.wake = wake;
                        self.soon.push(Reverse((wake, Happening::Gate { member })));
                    }
                    return;
                }
                Admission::Now => {
                    let Some(staple) = of_member.gate.next_waiting() else { return };
                    // Who has been served meanwhile is passed over.
                    if self.staples[staple as usize].phase == Phase::Waiting {
                        of_member.gate.start(instant);
                        self.ask(staple, member, now);
                    }
                }
            }
        }
    }

    /// Asks, if there is nothing to take over and nobody else is asking.
    fn ask(&mut self, staple: u32, member: u32, now: u64) {
        if self.shares(now) {
            if self.take_over(staple, now) {
                return self.not_asked(staple, member, now);
            }
            let certificate = self.certificate_of(staple);
            let seed = self.seed(staple);
            let lease = &mut self.stored[certificate as usize];
            if lease.held_until > now && lease.holder != staple {
                let left = Duration::from_millis(lease.held_until - now);
                let record = &mut self.staples[staple as usize];
                let courtesy = if record.failures > 0 { COURTESY } else { Duration::ZERO };
                let pause = look_again(left, seed).max(Duration::from_secs(1)) + courtesy;
                self.counts.left_to_others += 1;
                record.left_since = record.left_since.min(seconds(now));
                record.next = seconds(now) + pause.as_secs() as u32;
                return self.not_asked(staple, member, now);
            }
            (lease.holder, lease.held_until) = (staple, now + LEASE.as_millis() as u64);
        }
        self.staples[staple as usize].phase = Phase::Asking;
        self.counts.requests[seconds(now) as usize] += 1;
        let down = self.model.outage.contains(&seconds(now));
        let answered = !down && self.roll() >= self.model.failing;
        let latency = self.model.latency.clone();
        let takes = match down {
            true => self.model.patience,
            false => latency.start + (self.roll() * f64::from(latency.end - latency.start)) as u32,
        };
        let life = self.members[member as usize].life;
        let answer = Happening::Answer { staple, life, answered };
        self.soon.push(Reverse((now + u64::from(takes), answer)));
    }

    /// The gate was passed in vain; the staple knows already when it is due next.
    fn not_asked(&mut self, staple: u32, member: u32, now: u64) {
        let (instant, seed) = (self.instant(now), self.seed(staple));
        self.members[member as usize].gate.end(instant, Ended::NotAsked, seed);
        self.staples[staple as usize].phase = Phase::Idle;
        self.set_timer(staple, now);
    }

    /// A request has come to its end.
    fn answer(&mut self, staple: u32, life: u16, answered: bool, now: u64) {
        let member = self.member_of(staple);
        if self.members[member as usize].life != life {
            // Who asked is gone; its lease ends by itself.
            return;
        }
        let (instant, seed) = (self.instant(now), self.seed(staple));
        let ended = if answered { Ended::Answered } else { Ended::Outage(Duration::ZERO) };
        self.members[member as usize].gate.end(instant, ended, seed);
        let at = self.at(staple, now);
        // What is signed now is from the future by a clock that is far behind, and not trusted.
        let served = answered && is_trusted(seconds(now), at);
        let record = &mut self.staples[staple as usize];
        record.phase = Phase::Idle;
        record.attempted = seconds(now);
        record.failures = if served { 0 } else { record.failures.saturating_add(1) };
        if served {
            record.put(seconds(now), self.model.life, at, &mut self.counts);
            record.left_since = NEVER;
        }
        self.plan(staple, now);
        // Behind its responder's clock it has to wait for the beginning of what it was given.
        let begins = now + u64::from(at.ahead.min(0).unsigned_abs()) * 1000;
        self.end_lease(staple, served, begins, now);
        if served && begins > now {
            let begin = Happening::Begin { staple, life, this_update: seconds(now) };
            self.soon.push(Reverse((begins, begin)));
        } else if served {
            self.tell(staple, seconds(now), now);
        }
        self.open_gate(member, now);
    }

    /// What the holder of a lease does with it when it has asked, for what begins then.
    fn end_lease(&mut self, staple: u32, served: bool, begins: u64, now: u64) {
        let certificate = self.certificate_of(staple) as usize;
        if !self.shares(now) || self.stored[certificate].holder != staple {
            return;
        }
        let lease = &mut self.stored[certificate];
        if !served {
            let next = self.staples[staple as usize].next;
            let pause = pause_of_others(point(next.into()), point(seconds(now).into()));
            lease.held_until = now + pause.as_millis() as u64;
        } else if begins > now {
            lease.held_until = begins + COURTESY.as_millis() as u64;
        } else {
            (lease.holder, lease.held_until) = (NEVER, 0);
        }
    }

    /// A member saves what it staples, and the others learn of it.
    fn tell(&mut self, staple: u32, this_update: u32, now: u64) {
        if !self.shares(now) {
            return;
        }
        let certificate = self.certificate_of(staple);
        self.stored[certificate as usize].this_update = this_update;
        let first = certificate * self.model.group;
        for other in first..first + self.model.group {
            let told = other != staple && self.roll() >= self.model.lost_notices;
            let phase = self.staples[other as usize].phase;
            if told && matches!(phase, Phase::Idle | Phase::Waiting) && self.take_over(other, now) {
                self.staples[other as usize].phase = Phase::Idle;
                self.set_timer(other, now);
            }
        }
    }

    /// Takes over what the shared store has, if that is newer.
    fn take_over(&mut self, staple: u32, now: u64) -> bool {
        if !self.shares(now) {
            return false;
        }
        let stored = self.stored[self.certificate_of(staple) as usize].this_update;
        let at = self.at(staple, now);
        let record = &mut self.staples[staple as usize];
        let holds = stored != NEVER && i64::from(stored + self.model.life) > at.local();
        let newer = record.this_update == NEVER || stored > record.this_update;
        if !holds || !newer || !is_trusted(stored, at) {
            return false;
        }
        self.counts.taken_over += 1;
        record.put(stored, self.model.life, at, &mut self.counts);
        (record.attempted, record.failures, record.left_since) = (NEVER, 0, NEVER);
        self.staples[staple as usize].next = self.next(staple, now);
        true
    }

    fn plan(&mut self, staple: u32, now: u64) {
        self.staples[staple as usize].next = self.next(staple, now);
        self.set_timer(staple, now);
    }

    fn next(&self, staple: u32, now: u64) -> u32 {
        let (record, at) = (self.staples[staple as usize], self.at(staple, now));
        // The schedule is the member's, and goes by its clock.
        let local = |second: u32| point(i64::from(second) + i64::from(at.ahead));
        let life = record.holds(at).then(|| Life {
            this_update: point(record.this_update.into()),
            expires: point(record.until.into()),
        });
        let waited = match (record.left_since, record.attempted) {
            (NEVER, _) | (_, NEVER) => 0,
            (since, attempted) => attempted.saturating_sub(since),
        };
        let failures = match u32::from(record.failures) {
            0 => 0,
            own => failures_of_fleet(own, Duration::from_secs(waited.into())),
        };
        let next = next_attempt(&Facts {
            now: local(seconds(now)),
            life,
            attempted: (record.attempted != NEVER).then(|| local(record.attempted)),
            failures,
            fresh_until: None,
            retry_after: None,
            seed: self.seed(staple),
            fleet_seed: self.model.lease.then(|| mix(u64::from(self.certificate_of(staple)))),
            // The model's lives are those of public CAs, and its figures are about those.
            refresh_max: Duration::MAX,
        });
        let next = next.as_secs().saturating_add_signed(-i64::from(at.ahead));
        u32::try_from(next.saturating_sub(EPOCH)).unwrap_or(NEVER - 1)
    }

    /// Has the staple's time come when it is due. A timer that goes off before that is set again then.
    fn set_timer(&mut self, staple: u32, now: u64) {
        let next = self.staples[staple as usize].next;
        match self.wheel.at(staple) {
            Some(at) if at <= next => {}
            // A second of the wheel that has begun does not come again.
            None if next > seconds(now) => self.wheel.set(staple, next),
            _ => {
                let at = (u64::from(next) * 1000).max(now);
                self.soon.push(Reverse((at, Happening::Due { staple })));
            }
        }
    }

    /// The sums at the end.
    fn end(mut self) -> Counts {
        let now = u64::from(self.model.duration) * 1000;
        for staple in 0..self.model.staples() {
            let at = self.at(staple, now);
            self.staples[staple as usize].end(at, &mut self.counts);
        }
        self.counts
    }

    /// Whether members have a store in common now.
    fn shares(&self, now: u64) -> bool {
        self.model.lease && !self.model.store_lost.contains(&seconds(now))
    }

    fn at(&self, staple: u32, now: u64) -> Now {
        let ahead = self.members[self.member_of(staple) as usize].ahead;
        Now { second: seconds(now), ahead }
    }

    fn certificate_of(&self, staple: u32) -> u32 {
        staple / self.model.group
    }

    /// Certificates go round the groups.
    fn member_of(&self, staple: u32) -> u32 {
        let (certificate, nth) = (staple / self.model.group, staple % self.model.group);
        (certificate % self.model.groups()) * self.model.group + nth
    }

    fn staple_of(&self, member: u32, nth: u32) -> u32 {
        let (group, place) = (member / self.model.group, member % self.model.group);
        (nth * self.model.groups() + group) * self.model.group + place
    }

    /// Another for each certificate, each member, and each life of the member.
    fn seed(&self, staple: u32) -> u64 {
        let life = self.members[self.member_of(staple) as usize].life;
        mix(u64::from(staple) << 16 | u64::from(life))
    }

    fn instant(&self, milliseconds: u64) -> Instant {
        self.origin + Duration::from_millis(milliseconds)
    }

    /// A number from 0 to 1, the same ones in every run.
    fn roll(&mut self) -> f64 {
        self.dice = self.dice.wrapping_add(1);
        share(mix(self.dice))
    }
}

/// Whether a verifier with that clock takes the response for one of its time.
fn is_trusted(this_update: u32, at: Now) -> bool {
    i64::from(this_update) <= at.local() + Freshness::default().skew.as_secs() as i64
}

/// A number from 0 to 1.
fn share(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

fn seconds(milliseconds: u64) -> u32 {
    (milliseconds / 1000) as u32
}

fn point(second: i64) -> UnixTime {
    unix(EPOCH.saturating_add_signed(second))
}

/// SplitMix64.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xd1b5_4a32_d192_ed03);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
