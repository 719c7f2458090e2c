//! The timer queue: which certificate the worker looks at next.
//!
//! A binary heap of sixteen bytes a certificate, on the time of the world. What was put off or
//! brought forward leaves its old place behind, which is passed over when its time comes; once half of
//! all places are such, they are cleared away.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashSet};
use std::sync::Arc;

use rustls_pki_types::UnixTime;

use crate::entry::Entry;
use crate::moment::Moment;

#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Due>,
    /// Places that were left behind and are still there, at most.
    left_behind: usize,
}

/// So few places are not worth clearing away.
const FEW: usize = 64;

#[derive(Debug)]
struct Due {
    at: UnixTime,
    entry: Arc<Entry>,
}

impl Queue {
    /// Has the worker look at the certificate at that time, and no other; never, if there is none.
    pub(crate) fn set(&mut self, entry: &Arc<Entry>, at: Option<UnixTime>) {
        let mut state = entry.state();
        if state.wake.get() == at {
            return;
        }
        self.left_behind += usize::from(state.wake != Moment::NONE);
        state.wake = at.into();
        drop(state);
        if let Some(at) = at {
            self.heap.push(Due { at, entry: Arc::clone(entry) });
        }
        if self.left_behind > FEW.max(self.heap.len() / 2) {
            // One that was put off and brought back has two places at the same time.
            let mut seen = HashSet::new();
            self.heap.retain(|due| due.counts() && seen.insert(Arc::as_ptr(&due.entry)));
            self.left_behind = 0;
        }
    }

    /// The next certificate whose time has come at `now`.
    pub(crate) fn pop(&mut self, now: UnixTime) -> Option<Arc<Entry>> {
        while self.heap.peek().is_some_and(|due| due.at <= now) {
            let due = self.heap.pop()?;
            if due.counts() {
                due.entry.state().wake = Moment::NONE;
                return Some(due.entry);
            }
            self.left_behind = self.left_behind.saturating_sub(1);
        }
        None
    }

    /// When the next one is due; it may be one that has another place by now.
    pub(crate) fn next(&self) -> Option<UnixTime> {
        self.heap.peek().map(|due| due.at)
    }
}

impl Due {
    /// Whether this is the place of its certificate, and not one that was left behind.
    fn counts(&self) -> bool {
        self.entry.state().wake.get() == Some(self.at) && !self.entry.is_removed()
    }
}

/// The greatest is the one that is due first.
impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.cmp(&self.at)
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Due {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{NewEntry, Source, Unresolved};
    use certstatus::Certificate;
    use certstatus::time::unix;
    use certstatus_lab::Lab;

    fn entries(count: usize) -> Vec<Arc<Entry>> {
        let lab = Lab::builder().build().unwrap();
        let leaf = lab.leaf("queue.example").unwrap();
        let certificate = Certificate::parse(leaf.certificate()).unwrap();
        let source =
            || Unresolved { certificate: leaf.certificate()[..].into(), responders: [].into() };
        let new = || NewEntry {
            certificate: &certificate,
            label: None,
            source: Source::Unresolved(Arc::new(source())),
            now: unix(0),
        };
        (0..count).map(|_| Arc::new(Entry::new(new()))).collect()
    }

    #[test]
    fn each_comes_once_at_its_last_time() {
        let (mut queue, entries) = (Queue::default(), entries(3));
        for (at, index) in [(50, 0), (20, 1), (30, 0), (40, 1), (10, 2)] {
            queue.set(&entries[index], Some(unix(at)));
        }
        queue.set(&entries[2], None);
        let mut come = Vec::new();
        for now in 0..60 {
            while let Some(entry) = queue.pop(unix(now)) {
                come.push((now, entries.iter().position(|one| Arc::ptr_eq(one, &entry)).unwrap()));
            }
        }
        assert_eq!(come, [(30, 0), (40, 1)]);
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn what_is_left_behind_is_cleared_away() {
        let (mut queue, entries) = (Queue::default(), entries(200));
        for (index, entry) in entries.iter().enumerate() {
            queue.set(entry, Some(unix(1000 + index as u64)));
        }
        for at in 0..100_000 {
            // To and fro, and ever later.
            let time = if at % 3 == 0 { at } else { at / 100 % 2 };
            queue.set(&entries[at % 100], Some(unix(2000 + time as u64)));
            assert!(queue.heap.len() <= 2 * entries.len() + 1, "{} places", queue.heap.len());
        }
        // Those that were removed are let go of.
        for entry in &entries[..150] {
            entry.mark_removed();
            queue.set(entry, None);
        }
        let held = entries[..150].iter().filter(|entry| Arc::strong_count(entry) > 1).count();
        assert!(held <= FEW + 1, "{held}");
        let left: Vec<_> = std::iter::from_fn(|| queue.pop(unix(u64::MAX))).collect();
        assert_eq!(left.len(), 50);
    }
}
