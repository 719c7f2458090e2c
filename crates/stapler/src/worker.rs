//! The one task that decides: which certificate is looked at when, what follows from what a job
//! found, and what is told about it.
//!
//! It holds no lock while it waits, and does nothing itself that waits: jobs do. There is no task per
//! certificate, only one per job that is under way.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use certstatus::message::CertStatus;
use certstatus::time::unix;
use rustls_pki_types::UnixTime;
use tokio::sync::mpsc;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::entry::{Entry, Offered, Phase, begins, life};
use crate::event::EventKind;
use crate::gate::{Admission, Ended, Gate, ResponderLimits};
use crate::job::{self, Asked};
use crate::queue::Queue;
use crate::schedule::{Facts, next_attempt};
use crate::shared::Shared;
use crate::snapshot::risk_begins;
use crate::store::pause_of_others;
use crate::{Fingerprint, metrics};

/// The worker looks at the clock this often at least: a machine that was suspended, or a clock that
/// was set, is noticed within that time.
const TICK: Duration = Duration::from_secs(15);

/// A clock that goes back by more than this has been set back.
const SET_BACK: u64 = 5;

/// Loads that are under way at the same time: enough to keep a disk and some cores busy.
const LOADS: usize = 64;

/// Questions that are under way at the same time, to all responders together; each is a socket.
const QUESTIONS: usize = 256;

/// What the worker is told from outside.
#[derive(Debug)]
pub(crate) enum Command {
    /// A new certificate.
    Add(Arc<Entry>),
    /// A certificate that is no longer wanted.
    Remove(Arc<Entry>),
    /// Ask now, whatever the schedule says.
    Refresh(Arc<Entry>),
    /// Come to an end.
    ShutDown,
}

#[derive(Debug)]
pub(crate) struct Worker {
    shared: Arc<Shared>,
    commands: mpsc::UnboundedReceiver<Command>,
    changes: Option<mpsc::Receiver<Fingerprint>>,
    limits: ResponderLimits,
    queue: Queue,
    loading: VecDeque<Arc<Entry>>,
    /// By [`Responder::index`](crate::entry::Responder).
    gates: Vec<Gate<Arc<Entry>>>,
    jobs: JoinSet<Done>,
    running: HashMap<Id, Job>,
    loads: usize,
    questions: usize,
    last_now: UnixTime,
}

/// A job that is under way.
#[derive(Debug)]
struct Job {
    entry: Arc<Entry>,
    /// The gate of the responder that is asked; `None` for a load or a change in the store.
    gate: Option<usize>,
}

/// What a job found.
#[derive(Debug)]
enum Done {
    /// Whether the store had something new.
    Loaded(bool),
    Asked(Asked),
    /// Housekeeping in the store, which changes nothing here.
    Tidied,
}

impl Worker {
    pub(crate) fn new(
        shared: Arc<Shared>,
        commands: mpsc::UnboundedReceiver<Command>,
        limits: ResponderLimits,
    ) -> Self {
        let last_now = shared.clock.now();
        let changes = shared.store.changes();
        Self {
            shared,
            commands,
            changes,
            limits,
            queue: Queue::default(),
            loading: VecDeque::new(),
            gates: Vec::new(),
            jobs: JoinSet::new(),
            running: HashMap::new(),
            loads: 0,
            questions: 0,
            last_now,
        }
    }

    /// Works until it is told to end, or everybody who could tell it something is gone.
    pub(crate) async fn run(mut self) {
        let mut tick = Instant::now() + TICK;
        loop {
            let now = self.shared.clock.now();
            self.check_clock(now);
            while let Some(entry) = self.queue.pop(now) {
                self.look_at(&entry, now);
            }
            self.open_gates();
            self.start_loads();
            let wake = self.wake(now).min(tick);
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(Command::ShutDown) | None => break,
                    Some(command) => self.obey(command),
                },
                Some(done) = self.jobs.join_next_with_id(), if !self.jobs.is_empty() => {
                    match done {
                        Ok((id, done)) => self.finish(id, Some(done)),
                        // A transport or a store of somebody else's has panicked.
                        Err(error) => self.finish(error.id(), None),
                    }
                }
                Some(id) = change(&mut self.changes) => self.changed_elsewhere(&id),
                () = sleep_until(wake) => {}
            }
            if Instant::now() >= tick {
                self.observe();
                tick = Instant::now() + TICK;
            }
        }
        self.end().await;
    }

    /// What is being written is written; what is being asked is given up.
    async fn end(mut self) {
        self.commands.close();
        // Nobody need wait for what will not come any more.
        self.shared.index.pin().values().for_each(|entry| entry.settle());
        let grace = tokio::time::timeout(Duration::from_secs(5), async {
            while self.jobs.join_next().await.is_some() {}
        });
        if grace.await.is_err() {
            tracing::warn!("what was under way at the end is given up");
            self.jobs.abort_all();
        }
    }

    /// When there is something to do next.
    fn wake(&self, now: UnixTime) -> Instant {
        let instant = Instant::now();
        let queued = self.queue.next().map(|due| {
            instant + Duration::from_secs(due.as_secs().saturating_sub(now.as_secs())).min(TICK)
        });
        let gates =
            self.gates.iter().filter(|gate| gate.has_waiting()).filter_map(|gate| {
                match gate.admits(instant) {
                    Admission::From(at) => Some(at),
                    Admission::Now | Admission::Full => None,
                }
            });
        queued.into_iter().chain(gates).min().unwrap_or(instant + TICK)
    }

    /// After the clock was set back, what was planned by it is planned anew.
    fn check_clock(&mut self, now: UnixTime) {
        if now.as_secs().saturating_add(SET_BACK) < self.last_now.as_secs() {
            tracing::warn!("the clock was set back: every refresh is planned anew");
            let entries: Vec<_> = self.shared.index.pin().values().map(Arc::clone).collect();
            for entry in entries {
                let mut state = entry.state();
                if state.phase == Phase::Resting && !state.source.responders().is_empty() {
                    // It had expired by a clock that was wrong.
                    state.phase = Phase::Idle;
                }
                let idle = state.phase == Phase::Idle;
                drop(state);
                if idle {
                    self.plan(&entry, now);
                }
            }
        }
        self.last_now = now;
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Add(entry) => self.loading.push_back(entry),
            Command::Refresh(entry) => {
                if entry.state().phase == Phase::Idle {
                    self.begin_round(&entry);
                }
            }
            Command::Remove(entry) => {
                self.tidy(entry, |shared, entry| async move { job::forget(&shared, &entry).await });
            }
            Command::ShutDown => {}
        }
    }

    /// Another member has saved something.
    fn changed_elsewhere(&mut self, id: &Fingerprint) {
        let entry = self.shared.index.pin().get(id).map(Arc::clone);
        if let Some(entry) = entry
            && entry.state().phase == Phase::Idle
        {
            entry.state().phase = Phase::Loading;
            self.loading.push_back(entry);
        }
    }

    fn start_loads(&mut self) {
        while self.loads < LOADS
            && let Some(entry) = self.loading.pop_front()
        {
            if entry.is_removed() {
                continue;
            }
            self.loads += 1;
            let (shared, of) = (Arc::clone(&self.shared), Arc::clone(&entry));
            let handle =
                self.jobs.spawn(async move { Done::Loaded(job::load(&shared, &of).await) });
            self.running.insert(handle.id(), Job { entry, gate: None });
        }
    }

    /// Has something done in the store that nothing else depends on.
    fn tidy<F>(&mut self, entry: Arc<Entry>, act: impl FnOnce(Arc<Shared>, Arc<Entry>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let act = act(Arc::clone(&self.shared), entry);
        self.jobs.spawn(async move {
            act.await;
            Done::Tidied
        });
    }

    fn finish(&mut self, id: Id, done: Option<Done>) {
        // What tidies up is nobody's job.
        let Some(Job { entry, gate }) = self.running.remove(&id) else { return };
        let now = self.shared.clock.now();
        let Some(gate) = gate else {
            self.loads = self.loads.saturating_sub(1);
            self.loaded(&entry, matches!(done, Some(Done::Loaded(true))), now);
            return;
        };
        let asked = match done {
            Some(Done::Asked(asked)) => asked,
            _ => Asked::Failed {
                reason: "the transport or the store has panicked".to_owned(),
                outage: false,
                retry_after: None,
            },
        };
        self.questions = self.questions.saturating_sub(1);
        let ended = match &asked {
            Asked::Failed { outage: true, retry_after, .. } => {
                Ended::Outage(retry_after.unwrap_or_default())
            }
            Asked::TakenOver | Asked::LeftToOthers(_) => Ended::NotAsked,
            _ => Ended::Answered,
        };
        if let Some(gate) = self.gates.get_mut(gate) {
            gate.end(Instant::now(), ended, entry.seed);
            if matches!(ended, Ended::Outage(_)) && gate.is_troubled() {
                // Nobody who waits for them to be ready should wait for the end of the trouble.
                gate.waiting().for_each(|waiting| waiting.settle());
            }
        }
        if entry.is_removed() {
            // It may have been saved after it was removed.
            self.obey(Command::Remove(entry));
        } else {
            self.asked(&entry, asked, now);
        }
    }

    /// The store was looked into.
    fn loaded(&mut self, entry: &Arc<Entry>, anew: bool, now: UnixTime) {
        if anew {
            self.taken_over(entry);
        }
        let responders = !entry.state().source.responders().is_empty();
        if !responders || now > entry.not_after {
            entry.state().phase = Phase::Resting;
            entry.settle();
            if !responders && entry.must_staple {
                self.shared.tell(entry, EventKind::NoResponder);
            }
        } else {
            entry.state().phase = Phase::Idle;
            if entry.statement().is_some() {
                entry.settle();
            }
        }
        self.plan(entry, now);
    }

    /// A responder was asked, or another member.
    fn asked(&mut self, entry: &Arc<Entry>, asked: Asked, now: UnixTime) {
        match asked {
            Asked::Answered { status, offered, caching } => {
                self.answered(entry, status, offered, now);
                let mut state = entry.state();
                state.fresh_until = caching.fresh_for.map(|fresh_for| later(now, fresh_for));
                if offered == Offered::Published {
                    state.etag = caching.etag;
                }
            }
            Asked::NotModified(caching) => {
                self.succeeded(entry, now);
                if let Some(fresh_for) = caching.fresh_for {
                    entry.state().fresh_until = Some(later(now, fresh_for));
                }
            }
            Asked::TakenOver => self.taken_over(entry),
            Asked::LeftToOthers(retry) => {
                let mut state = entry.state();
                state.phase = Phase::Idle;
                state.next = later(now, retry.max(Duration::from_secs(1)));
                drop(state);
                self.watch(entry, now);
                return;
            }
            Asked::Failed { reason, retry_after, .. } => {
                if self.try_next_responder(entry, &reason) {
                    return;
                }
                self.failed(entry, retry_after, now);
                return;
            }
        }
        self.release(entry);
        entry.state().phase = Phase::Idle;
        entry.settle();
        self.plan(entry, now);
    }

    fn answered(
        &mut self,
        entry: &Arc<Entry>,
        status: CertStatus,
        offered: Offered,
        now: UnixTime,
    ) {
        if status == CertStatus::Unknown {
            // Right after issuance a responder may not know the certificate yet.
            let mut state = entry.state();
            state.attempted = Some(now);
            state.failures = state.failures.saturating_add(1);
            state.error = Some("the responder does not know the certificate".into());
            drop(state);
            self.shared.tell(entry, EventKind::Unknown);
            return;
        }
        self.succeeded(entry, now);
        if offered == Offered::Published {
            entry.state().alarmed = false;
        }
    }

    /// A staple has come from the store. Nobody was asked: the plan goes by its life alone.
    fn taken_over(&mut self, entry: &Arc<Entry>) {
        let mut state = entry.state();
        (state.etag, state.fresh_until, state.alarmed) = (None, None, false);
        (state.attempted, state.failures, state.error) = (None, 0, None);
    }

    fn succeeded(&mut self, entry: &Arc<Entry>, now: UnixTime) {
        let mut state = entry.state();
        state.attempted = Some(now);
        (state.failures, state.error) = (0, None);
    }

    /// Goes on to the next responder of the certificate, if there is one; what the one before it did
    /// is remembered.
    fn try_next_responder(&mut self, entry: &Arc<Entry>, reason: &str) -> bool {
        let mut state = entry.state();
        let before = match state.responder {
            0 => None,
            _ => state.error.take(),
        };
        state.error = Some(match before {
            Some(before) => format!("{before}; {reason}").into(),
            None => reason.into(),
        });
        let next = usize::from(state.responder) + 1;
        if next >= state.source.responders().len() {
            return false;
        }
        state.responder = u16::try_from(next).unwrap_or(u16::MAX);
        drop(state);
        self.queue_up(entry);
        true
    }

    /// Every responder has failed.
    fn failed(&mut self, entry: &Arc<Entry>, retry_after: Option<Duration>, now: UnixTime) {
        let mut state = entry.state();
        state.attempted = Some(now);
        state.failures = state.failures.saturating_add(1);
        state.phase = Phase::Idle;
        drop(state);
        entry.settle();
        self.plan_with(entry, retry_after, now);
        let state = entry.state();
        let (failures, next) = (state.failures, state.next);
        let reason = state.error.clone().unwrap_or_default();
        drop(state);
        self.hold_lease(entry, next, now);
        self.shared.tell(entry, EventKind::Failed { reason, failures, next });
        self.check_end(entry, now);
    }

    /// Plans the next attempt.
    fn plan(&mut self, entry: &Arc<Entry>, now: UnixTime) {
        self.plan_with(entry, None, now);
    }

    fn plan_with(&mut self, entry: &Arc<Entry>, retry_after: Option<Duration>, now: UnixTime) {
        let statement = entry.statement();
        let holds = |s: &&Arc<_>| {
            let s: &certstatus::VerifiedResponse = s;
            s.is_current(now) && now < s.expires()
        };
        let mut state = entry.state();
        let newest = state.upcoming.as_ref().or(statement.as_ref());
        let facts = Facts {
            now,
            life: newest.filter(holds).map(|response| life(response)),
            attempted: state.attempted,
            failures: state.failures,
            fresh_until: state.fresh_until,
            retry_after,
            seed: entry.seed,
        };
        state.next = next_attempt(&facts);
        drop(state);
        self.watch(entry, now);
    }

    /// Puts the certificate into the queue for the next time at which something is to be done.
    fn watch(&mut self, entry: &Arc<Entry>, now: UnixTime) {
        let statement = entry.statement();
        let state = entry.state();
        let attempt = (state.phase == Phase::Idle).then_some(state.next);
        let upcoming = state.upcoming.as_ref().map(|response| begins(response));
        let end = statement.as_ref().filter(|s| now < s.expires()).map(|statement| {
            let risk = risk_begins(statement);
            let alarm = !state.alarmed && statement.status() == CertStatus::Good && now < risk;
            if alarm { risk } else { statement.expires() }
        });
        drop(state);
        let at = [attempt, upcoming, end].into_iter().flatten().min();
        self.queue.set(entry, at);
    }

    /// The time of a certificate has come, for whatever reason.
    fn look_at(&mut self, entry: &Arc<Entry>, now: UnixTime) {
        if let Some(response) = entry.promote(now) {
            let (kept, kind) =
                (Arc::clone(&response), EventKind::Stapled { response, responder: None });
            self.shared.tell(entry, kind);
            self.tidy(Arc::clone(entry), move |shared, entry| async move {
                job::keep(&shared, &entry, &kept).await;
            });
        }
        self.check_end(entry, now);
        let state = entry.state();
        let (phase, due) = (state.phase, state.next <= now);
        drop(state);
        if phase == Phase::Idle && now > entry.not_after {
            entry.state().phase = Phase::Resting;
        } else if phase == Phase::Idle && due {
            self.begin_round(entry);
        }
        self.watch(entry, now);
    }

    /// Notices that a staple ends soon, or has ended.
    fn check_end(&mut self, entry: &Arc<Entry>, now: UnixTime) {
        let statement = entry.statement();
        let Some(statement) = statement.as_ref() else { return };
        let expires = statement.expires();
        let good = statement.status() == CertStatus::Good;
        if expires <= now {
            entry.clear();
            entry.state().etag = None;
            if good && now <= entry.not_after {
                self.shared.tell(entry, EventKind::Expired { expired: expires });
            }
            // A server that reads the store would staple it all the same.
            self.tidy(Arc::clone(entry), |shared, entry| async move {
                job::forget(&shared, &entry).await;
            });
        } else if good && risk_begins(statement) <= now {
            let mut state = entry.state();
            // While the first answer after a long time is on its way, nothing has failed.
            let failing = state.failures > 0 || state.phase == Phase::Waiting;
            if failing && !state.alarmed {
                state.alarmed = true;
                drop(state);
                self.shared.tell(entry, EventKind::RunningOut { expires });
            }
        }
    }

    /// Begins with the first responder.
    fn begin_round(&mut self, entry: &Arc<Entry>) {
        entry.state().responder = 0;
        self.queue_up(entry);
    }

    /// Has the responder asked whose turn it is, now or when its gate opens. One that is in trouble
    /// is passed over if another one is not.
    fn queue_up(&mut self, entry: &Arc<Entry>) {
        let mut state = entry.state();
        state.phase = Phase::Waiting;
        let turn = usize::from(state.responder);
        let responders = state.source.responders();
        let gate_of = |at: usize| responders.get(at).map(|responder| responder.index);
        let untroubled = (turn..responders.len()).find(|at| {
            let gate = gate_of(*at).and_then(|index| self.gates.get(index));
            gate.is_none_or(|gate| !gate.is_troubled())
        });
        let turn = untroubled.unwrap_or(turn);
        let index = gate_of(turn);
        state.responder = u16::try_from(turn).unwrap_or(u16::MAX);
        drop(state);
        let Some(index) = index else { return };
        while self.gates.len() <= index {
            self.gates.push(Gate::new(self.limits));
        }
        let now = self.shared.clock.now();
        let statement = entry.statement();
        let expires = statement.as_ref().map(|s| s.expires()).filter(|expires| *expires > now);
        let left = expires.map_or(0, |expires| expires.as_secs().saturating_sub(now.as_secs()));
        if let Some(gate) = self.gates.get_mut(index) {
            if gate.is_troubled() {
                entry.settle();
            }
            gate.wait(Arc::clone(entry), entry.must_staple, expires, Duration::from_secs(left));
        }
        self.open_gate(index);
    }

    fn open_gates(&mut self) {
        let now = Instant::now();
        for index in 0..self.gates.len() {
            let ready = self
                .gates
                .get(index)
                .is_some_and(|gate| gate.has_waiting() && gate.admits(now) == Admission::Now);
            if ready {
                self.open_gate(index);
            }
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
        self.running.insert(handle.id(), Job { entry, gate: Some(gate) });
    }

    /// Gives the lease back: others may ask when they are due.
    fn release(&mut self, entry: &Arc<Entry>) {
        if self.shared.store.is_shared() {
            self.tidy(Arc::clone(entry), |shared, entry| async move {
                // A lease that cannot be given back ends by itself.
                let _ = shared.store.release(&entry.id).await;
            });
        }
    }

    /// Keeps the lease until the next attempt: the others need not fail as well.
    fn hold_lease(&mut self, entry: &Arc<Entry>, next: UnixTime, now: UnixTime) {
        if self.shared.store.is_shared() {
            let pause = pause_of_others(next, now);
            self.tidy(Arc::clone(entry), move |shared, entry| async move {
                let _ = shared.store.renew(&entry.id, pause).await;
            });
        }
    }

    fn observe(&self) {
        metrics::staples(self.shared.index.pin().values(), self.shared.clock.now());
    }
}

/// The next change in a store that tells of them; without one, nothing ever.
async fn change(changes: &mut Option<mpsc::Receiver<Fingerprint>>) -> Option<Fingerprint> {
    match changes {
        Some(changes) => changes.recv().await,
        None => std::future::pending().await,
    }
}

fn later(now: UnixTime, duration: Duration) -> UnixTime {
    unix(now.as_secs().saturating_add(duration.as_secs()))
}
