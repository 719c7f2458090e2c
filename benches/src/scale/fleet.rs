//! The simulation: the stapler's own schedule, gate and leases, moved by an event queue over compact
//! state in the place of tasks and sockets.
//!
//! What decides is the stapler's code: [`next_attempt`] plans, [`Gate`] says who may ask when,
//! [`LEASE`], [`look_again`] and [`pause_of_others`] are what a lease means. What is here is what the stapler's
//! worker does around them, in the worker's order: look into the store, take the lease, ask, tell.
//!
//! A staple is one certificate on one member: twenty-eight bytes and a timer. Seconds stand in a
//! [`Wheel`]; what happens between them, which is little at a time, in a heap of milliseconds.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use certstatus::time::unix;
use certstatus_stapler::gate::{Admission, Ended, Gate, ResponderLimits};
use certstatus_stapler::schedule::{Facts, Life, next_attempt};
use certstatus_stapler::store::{LEASE, look_again, pause_of_others};
use rustls_pki_types::UnixTime;
use tokio::time::Instant;

use super::counts::Counts;
use super::model::{EPOCH, Model};
use super::wheel::Wheel;

/// What a staple's record says for "never".
const NEVER: u32 = u32::MAX;

/// One certificate on one member.
#[derive(Clone, Copy)]
struct Staple {
    /// `thisUpdate` of the response that is there; `NEVER` when none is.
    this_update: u32,
    /// Since when there is none, or when the one that is there ends.
    until: u32,
    attempted: u32,
    next: u32,
    failures: u16,
    phase: Phase,
    /// Whether there ever was one.
    had_one: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Its member is not started yet.
    Absent,
    Idle,
    Waiting,
    Asking,
}

/// What the shared store has of a certificate.
#[derive(Clone, Copy)]
struct Stored {
    this_update: u32,
    /// The staple whose member holds the lease, and until when, in milliseconds.
    holder: u32,
    held_until: u64,
}

struct Member {
    gate: Gate<u32>,
    /// Restarts so far: another seed after each.
    life: u16,
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
        let none = Staple {
            this_update: NEVER,
            until: 0,
            attempted: NEVER,
            next: 0,
            failures: 0,
            phase: Phase::Absent,
            had_one: false,
        };
        let nothing = Stored { this_update: NEVER, holder: NEVER, held_until: 0 };
        let member = || Member { gate: Gate::new(ResponderLimits::default()), life: 0, wake: 0 };
        let mut fleet = Self {
            staples: vec![none; model.staples() as usize],
            stored: vec![nothing; model.certificates as usize],
            members: (0..model.members).map(|_| member()).collect(),
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
            let mut kept = self.staples[staple as usize];
            self.settle(&mut kept, now);
            if first {
                kept.until = seconds(now);
            } else if !keeps_disk && kept.this_update != NEVER {
                (kept.this_update, kept.until) = (NEVER, seconds(now));
            }
            (kept.attempted, kept.failures, kept.phase) = (NEVER, 0, Phase::Idle);
            self.staples[staple as usize] = kept;
            self.take_over(staple, now);
            self.plan(staple, now);
        }
        let again = if first { self.roll() } else { 1.0 } * f64::from(self.model.restart) * 1000.0;
        self.soon.push(Reverse((now + again as u64, Happening::Start { member })));
    }

    /// Has the responder asked when the member's gate is open.
    fn queue_up(&mut self, staple: u32, now: u64) {
        let record = &mut self.staples[staple as usize];
        record.phase = Phase::Waiting;
        let expires =
            (record.this_update != NEVER && record.until > seconds(now)).then_some(record.until);
        let left = Duration::from_secs(expires.map_or(0, |until| u64::from(until - seconds(now))));
        let member = self.member_of(staple);
        self.members[member as usize].gate.wait(staple, false, expires.map(point), left);
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
                    of_member.gate.start(instant);
                    self.ask(staple, member, now);
                }
            }
        }
    }

    /// Asks, if there is nothing to take over and nobody else is asking.
    fn ask(&mut self, staple: u32, member: u32, now: u64) {
        if self.model.lease {
            if self.take_over(staple, now) {
                return self.not_asked(staple, member, now);
            }
            let certificate = self.certificate_of(staple);
            let seed = self.seed(staple);
            let lease = &mut self.stored[certificate as usize];
            if lease.held_until > now && lease.holder != staple {
                let left = Duration::from_millis(lease.held_until - now);
                let pause = look_again(left, seed).as_secs().max(1) as u32;
                self.counts.left_to_others += 1;
                self.staples[staple as usize].next = seconds(now) + pause;
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
        self.staples[staple as usize].phase = Phase::Idle;
        let record = &mut self.staples[staple as usize];
        record.attempted = seconds(now);
        record.failures = if answered { 0 } else { record.failures.saturating_add(1) };
        if answered {
            self.put(staple, seconds(now), now);
        }
        self.plan(staple, now);
        if self.model.lease {
            self.tell(staple, answered, now);
        }
        self.open_gate(member, now);
    }

    /// What the holder of a lease does with it, and what the others learn.
    fn tell(&mut self, staple: u32, answered: bool, now: u64) {
        let certificate = self.certificate_of(staple);
        let next = self.staples[staple as usize].next;
        let stored = &mut self.stored[certificate as usize];
        if !answered {
            if stored.holder == staple {
                let pause = pause_of_others(point(next), point(seconds(now)));
                stored.held_until = now + pause.as_millis() as u64;
            }
            return;
        }
        *stored = Stored { this_update: seconds(now), holder: NEVER, held_until: 0 };
        let first = certificate * self.model.group;
        for other in first..first + self.model.group {
            let told = other != staple && self.roll() >= self.model.lost_notices;
            if told
                && self.staples[other as usize].phase == Phase::Idle
                && self.take_over(other, now)
            {
                self.set_timer(other, now);
            }
        }
    }

    /// Takes over what the shared store has, if that is newer.
    fn take_over(&mut self, staple: u32, now: u64) -> bool {
        let stored = self.stored[self.certificate_of(staple) as usize].this_update;
        let current = self.staples[staple as usize].this_update;
        let holds = stored != NEVER && stored + self.model.life > seconds(now);
        if !holds || current != NEVER && stored <= current {
            return false;
        }
        self.counts.taken_over += 1;
        self.put(staple, stored, now);
        let record = &mut self.staples[staple as usize];
        (record.attempted, record.failures) = (NEVER, 0);
        self.staples[staple as usize].next = self.next(staple, now);
        true
    }

    /// Puts a response into a staple's place.
    fn put(&mut self, staple: u32, this_update: u32, now: u64) {
        let mut record = self.staples[staple as usize];
        self.settle(&mut record, now);
        if record.this_update == NEVER || record.until < seconds(now) {
            let bare = u64::from(seconds(now) - record.until);
            let missing = match record.had_one {
                true => &mut self.counts.missing,
                false => &mut self.counts.before_first,
            };
            *missing += bare;
        }
        record.this_update = this_update;
        record.until = this_update + self.model.life;
        record.had_one = true;
        self.staples[staple as usize] = record;
    }

    /// A staple that has expired is none any more.
    fn settle(&self, record: &mut Staple, now: u64) {
        if record.this_update != NEVER && record.until <= seconds(now) {
            record.this_update = NEVER;
        }
    }

    fn plan(&mut self, staple: u32, now: u64) {
        self.staples[staple as usize].next = self.next(staple, now);
        self.set_timer(staple, now);
    }

    fn next(&self, staple: u32, now: u64) -> u32 {
        let record = self.staples[staple as usize];
        let holds = record.this_update != NEVER && record.until > seconds(now);
        let life = holds
            .then(|| Life { this_update: point(record.this_update), expires: point(record.until) });
        let next = next_attempt(&Facts {
            now: point(seconds(now)),
            life,
            attempted: (record.attempted != NEVER).then(|| point(record.attempted)),
            failures: u32::from(record.failures),
            fresh_until: None,
            retry_after: None,
            seed: self.seed(staple),
            fleet_seed: self.model.lease.then(|| mix(u64::from(self.certificate_of(staple)))),
        });
        u32::try_from(next.as_secs() - EPOCH).unwrap_or(NEVER - 1)
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
            let mut record = self.staples[staple as usize];
            self.settle(&mut record, now);
            if record.phase != Phase::Absent && record.this_update == NEVER {
                let bare = u64::from(self.model.duration - record.until);
                match record.had_one {
                    true => self.counts.missing += bare,
                    false => self.counts.before_first += bare,
                }
            }
        }
        self.counts
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
        (mix(self.dice) >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn seconds(milliseconds: u64) -> u32 {
    (milliseconds / 1000) as u32
}

fn point(second: u32) -> UnixTime {
    unix(EPOCH + u64::from(second))
}

/// SplitMix64.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xd1b5_4a32_d192_ed03);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
