//! One certificate on one member: what is stapled by that member's clock, and for how long its clients
//! were without.

use super::counts::Counts;

/// What a record says for "never".
pub(crate) const NEVER: u32 = u32::MAX;

/// One certificate on one member. Points in time are seconds of the simulation, by the right clock.
#[derive(Clone, Copy)]
pub(crate) struct Staple {
    /// `thisUpdate` of the response that is there; `NEVER` when none is.
    pub(crate) this_update: u32,
    /// Since when there is none, or when the one that is there ends.
    pub(crate) until: u32,
    pub(crate) attempted: u32,
    pub(crate) next: u32,
    /// Since when others were asking whenever this member would have; `NEVER` when it was not kept
    /// waiting.
    pub(crate) left_since: u32,
    pub(crate) failures: u16,
    pub(crate) phase: Phase,
    /// Whether there ever was one.
    pub(crate) had_one: bool,
}

/// What its member does about it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its member is not started yet.
    Absent,
    Idle,
    Waiting,
    Asking,
}

/// A point in time, and how far ahead of it the member's clock is.
#[derive(Clone, Copy)]
pub(crate) struct Now {
    pub(crate) second: u32,
    pub(crate) ahead: i32,
}

impl Now {
    /// What the member's clock says.
    pub(crate) fn local(self) -> i64 {
        i64::from(self.second) + i64::from(self.ahead)
    }
}

impl Staple {
    /// Of a member that is still to start.
    pub(crate) const ABSENT: Self = Self {
        this_update: NEVER,
        until: 0,
        attempted: NEVER,
        next: 0,
        left_since: NEVER,
        failures: 0,
        phase: Phase::Absent,
        had_one: false,
    };

    /// Whether there is one that has not ended by its member's clock.
    pub(crate) fn holds(&self, now: Now) -> bool {
        self.this_update != NEVER && i64::from(self.until) > now.local()
    }

    /// What has ended by its member's clock is not stapled any more. What ends there later than for
    /// its clients was refused by them in between.
    pub(crate) fn settle(&mut self, now: Now, counts: &mut Counts) {
        if self.this_update != NEVER && !self.holds(now) {
            counts.refused += u64::from(now.ahead.min(0).unsigned_abs());
            self.until = self.until.saturating_sub(now.ahead.max(0).unsigned_abs());
            self.this_update = NEVER;
        }
    }

    /// Drops what is there: its disk is gone.
    pub(crate) fn lose(&mut self, now: Now) {
        if self.this_update != NEVER {
            (self.this_update, self.until) = (NEVER, self.until.min(now.second));
        }
    }

    /// Puts a response into place. A member whose clock is behind holds it back until its beginning.
    pub(crate) fn put(&mut self, this_update: u32, life: u32, now: Now, counts: &mut Counts) {
        self.settle(now, counts);
        if self.this_update != NEVER {
            counts.refused += u64::from(now.second.saturating_sub(self.until));
        }
        let begins = this_update.saturating_add(now.ahead.min(0).unsigned_abs()).max(now.second);
        if self.this_update == NEVER || self.until < begins {
            self.count_bare(begins, counts);
        }
        (self.this_update, self.until, self.had_one) = (this_update, this_update + life, true);
    }

    /// The simulation ends.
    pub(crate) fn end(mut self, now: Now, counts: &mut Counts) {
        self.settle(now, counts);
        if self.phase != Phase::Absent && self.this_update == NEVER {
            self.count_bare(now.second, counts);
        }
    }

    /// Its clients had no staple that they accept, from its end to that second.
    fn count_bare(&self, second: u32, counts: &mut Counts) {
        let bare = match self.had_one {
            true => &mut counts.missing,
            false => &mut counts.before_first,
        };
        *bare += u64::from(second.saturating_sub(self.until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: u32 = 1000;

    /// A staple of second 100 on a member with such a clock, which has no other until `end`:
    /// seconds before it, after it, and of refused ones.
    fn sums(ahead: i32, end: u32) -> (u64, u64, u64) {
        let (mut staple, mut counts) = (Staple::ABSENT, Counts::new(1));
        staple.phase = Phase::Idle;
        staple.put(100, LIFE, Now { second: 100, ahead }, &mut counts);
        staple.end(Now { second: end, ahead }, &mut counts);
        (counts.before_first, counts.missing, counts.refused)
    }

    #[test]
    fn time_without_a_staple_is_that_of_clients_with_the_right_clock() {
        assert_eq!(sums(0, 1099), (100, 0, 0));
        assert_eq!(sums(0, 1150), (100, 50, 0));
        // One that is ahead drops it early; one that is behind holds it back, and on to it.
        assert_eq!(sums(30, 1150), (100, 80, 0));
        assert_eq!(sums(-30, 1150), (130, 50, 30));
    }
}
