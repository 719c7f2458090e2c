//! A timer queue for tens of millions: a bucket for each second, a link for each timer, no more.
//!
//! A timer is set at one second or not at all. To move it later, let it come and set it again.

/// No timer.
const NONE: u32 = u32::MAX;

/// The queue.
pub(crate) struct Wheel {
    /// The first timer of each second.
    buckets: Vec<u32>,
    /// For each timer, the next in its bucket, and the bucket; `NONE` when it is not set.
    links: Vec<(u32, u32)>,
}

impl Wheel {
    /// A queue over that many seconds for that many timers, none of them set.
    pub(crate) fn new(seconds: u32, timers: u32) -> Self {
        Self { buckets: vec![NONE; seconds as usize], links: vec![(NONE, NONE); timers as usize] }
    }

    /// When the timer goes off; `None` when it is not set.
    pub(crate) fn at(&self, timer: u32) -> Option<u32> {
        let at = self.links[timer as usize].1;
        (at != NONE).then_some(at)
    }

    /// Sets a timer that is not set. Beyond the last second is never.
    pub(crate) fn set(&mut self, timer: u32, at: u32) {
        debug_assert!(self.at(timer).is_none());
        if let Some(first) = self.buckets.get_mut(at as usize) {
            self.links[timer as usize] = (*first, at);
            *first = timer;
        }
    }

    /// Takes a timer that goes off in that second.
    pub(crate) fn take(&mut self, second: u32) -> Option<u32> {
        let first = &mut self.buckets[second as usize];
        let timer = *first;
        if timer == NONE {
            return None;
        }
        let link = &mut self.links[timer as usize];
        *first = link.0;
        *link = (NONE, NONE);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_go_off_in_their_second_and_once() {
        let mut wheel = Wheel::new(10, 4);
        for (timer, at) in [(0, 3), (1, 3), (2, 9), (3, 10)] {
            wheel.set(timer, at);
        }
        assert_eq!((wheel.at(1), wheel.at(3)), (Some(3), None));
        let mut gone = Vec::new();
        for second in 0..10 {
            while let Some(timer) = wheel.take(second) {
                gone.push((second, timer));
                if (second, timer) == (3, 0) {
                    wheel.set(0, 4);
                }
            }
        }
        assert_eq!(gone, [(3, 1), (3, 0), (4, 0), (9, 2)]);
    }
}
