//! The timer queue: which certificate the worker looks at next.
//!
//! A binary heap of sixteen bytes a certificate, on the time of the world. What was put off or
//! brought forward leaves its old place behind, which is passed over when its time comes.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;

use rustls_pki_types::UnixTime;

use crate::entry::Entry;
use crate::moment::Moment;

#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Due>,
}

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
        state.wake = at.into();
        drop(state);
        if let Some(at) = at {
            self.heap.push(Due { at, entry: Arc::clone(entry) });
        }
    }

    /// The next certificate whose time has come at `now`.
    pub(crate) fn pop(&mut self, now: UnixTime) -> Option<Arc<Entry>> {
        while self.heap.peek().is_some_and(|due| due.at <= now) {
            let Due { at, entry } = self.heap.pop()?;
            let mut state = entry.state();
            if state.wake.get() == Some(at) && !entry.is_removed() {
                state.wake = Moment::NONE;
                drop(state);
                return Some(entry);
            }
        }
        None
    }

    /// When the next one is due; it may be one that has another place by now.
    pub(crate) fn next(&self) -> Option<UnixTime> {
        self.heap.peek().map(|due| due.at)
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
