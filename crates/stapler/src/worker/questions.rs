//! Whose turn it is to be asked about, at which responder.

use std::sync::Arc;

use tokio::time::Instant;

use super::{Done, Job, QUESTIONS, SEARCHES, Worker};
use crate::entry::{Entry, Phase, Source};
use crate::gate::{Admission, Gate};
use crate::schedule::patience;
use crate::{job, origin};

impl Worker {
    /// Begins with the first responder.
    pub(super) fn begin_round(&mut self, entry: &Arc<Entry>) {
        entry.state().responder = 0;
        let unresolved = matches!(entry.state().source, Source::Unresolved(_));
        match unresolved {
            true => self.find_issuer(Arc::clone(entry)),
            false => self.queue_up(entry),
        }
    }

    /// Has the issuer of a certificate found, before its responder is asked. The addresses are the
    /// certificate's own and may never answer: so a search has a place among the searches, and none
    /// before a responder that serves others.
    pub(super) fn find_issuer(&mut self, entry: Arc<Entry>) {
        entry.state().phase = Phase::Asking;
        self.searching.push_back(entry);
        self.start_searches();
    }

    pub(super) fn start_searches(&mut self) {
        while self.searches < SEARCHES
            && let Some(entry) = self.searching.pop_front()
        {
            if entry.is_removed() {
                continue;
            }
            self.searches += 1;
            let (shared, of) = (Arc::clone(&self.shared), Arc::clone(&entry));
            let handle = self
                .jobs
                .spawn(async move { Done::Sought(origin::resolve(&shared, &of).await.map(drop)) });
            self.running.insert(handle.id(), Job::Search(entry));
        }
    }

    /// Has the responder asked whose turn it is, now or when its gate opens. One that is in trouble
    /// is passed over if another one is not, but for one question after each of its pauses.
    pub(super) fn queue_up(&mut self, entry: &Arc<Entry>) {
        let mut state = entry.state();
        state.phase = Phase::Waiting;
        let turn = usize::from(state.responder);
        let responders = state.source.responders();
        let gate_of = |at: usize| responders.get(at).map(|responder| responder.index);
        let instant = Instant::now();
        let askable = (turn..responders.len()).find(|at| {
            let gate = gate_of(*at).and_then(|index| self.gates.get(index));
            gate.is_none_or(|gate| !gate.is_troubled() || gate.wants_a_question(instant))
        });
        let turn = askable.unwrap_or(turn);
        let index = gate_of(turn);
        let ended = state.ended.get();
        state.responder = u16::try_from(turn).unwrap_or(u16::MAX);
        drop(state);
        let Some(index) = index else { return };
        while self.gates.len() <= index {
            self.gates.push(Gate::new(self.limits));
        }
        let now = self.shared.clock.now();
        let statement = entry.statement();
        let expires = statement.as_ref().map(|s| s.expires()).filter(|expires| *expires > now);
        let patience = patience(now, expires.or(ended));
        if let Some(gate) = self.gates.get_mut(index) {
            if gate.is_troubled() {
                entry.settle();
            }
            gate.wait(Arc::clone(entry), entry.must_staple, expires, patience);
            self.busy_gates.insert(index);
        }
        self.open_gate(index);
    }

    pub(super) fn open_gates(&mut self) {
        let now = Instant::now();
        let admits = |gate: &Gate<_>| gate.admits(now) == Admission::Now;
        let ready: Vec<usize> = self
            .busy_gates
            .iter()
            .copied()
            .filter(|index| self.gates.get(*index).is_some_and(admits))
            .collect();
        for index in ready {
            self.open_gate(index);
        }
    }

    /// Lets as many through a gate as may pass now.
    fn open_gate(&mut self, index: usize) {
        let now = Instant::now();
        while self.questions < QUESTIONS
            && let Some(gate) = self.gates.get_mut(index)
            && gate.admits(now) == Admission::Now
            && let Some(entry) = gate.next_waiting()
        {
            if entry.is_removed() || entry.state().phase != Phase::Waiting {
                continue;
            }
            gate.start(now);
            self.ask(entry, index);
        }
        if !self.gates.get(index).is_some_and(Gate::has_waiting) {
            self.busy_gates.remove(&index);
        }
    }

    fn ask(&mut self, entry: Arc<Entry>, gate: usize) {
        self.questions += 1;
        let mut state = entry.state();
        state.phase = Phase::Asking;
        let responder = usize::from(state.responder);
        drop(state);
        let (shared, of) = (Arc::clone(&self.shared), Arc::clone(&entry));
        let handle =
            self.jobs.spawn(async move { Done::Asked(job::ask(&shared, &of, responder).await) });
        self.running.insert(handle.id(), Job::Ask { entry, gate });
    }
}
