//! The one task that decides: which certificate is looked at when, what follows from what a job
//! found, and what is told about it.
//!
//! It holds no lock while it waits, and does nothing itself that waits: jobs do. There is no task per
//! certificate, only one per job that is under way.

mod outcome;
mod plan;
mod questions;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::iter::repeat;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::UnixTime;
use tokio::sync::mpsc;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::entry::{Entry, Phase};
use crate::gate::{Admission, Ended, Gate, ResponderLimits};
use crate::job::{self, Asked};
use crate::origin::withdraw;
use crate::queue::Queue;
use crate::shared::Shared;
use crate::{Fingerprint, metrics};

/// The worker looks at the clock this often at least: a machine that was suspended, or a clock that
/// was set, is noticed within that time.
const TICK: Duration = Duration::from_secs(15);

/// A clock that goes back by more than this has been set back.
const SET_BACK: u64 = 5;

/// A clock that goes on by more than this between two looks has been set, or the machine has slept.
const SET_FORWARD: u64 = 4 * TICK.as_secs();

/// Certificates that are loaded in one visit: with so many, going there costs less than a hundredth of
/// verifying what is brought back, and none waits long for the others.
pub(crate) const TOGETHER: usize = 32;

/// For how long the end waits for jobs; and for a fifth of it until leases are given back.
const GRACE: Duration = Duration::from_secs(5);

/// Commands that are taken at once.
const COMMANDS: usize = 256;

/// Questions that are under way at the same time, to all responders together; each is a socket.
const QUESTIONS: usize = 256;

/// Issuers that are looked for at the same time; each is a socket for 20 s at most.
const SEARCHES: usize = 64;

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
    /// The gates at which somebody waits: of thousands of responders few have something to do.
    busy_gates: BTreeSet<usize>,
    jobs: JoinSet<Done>,
    running: HashMap<Id, Job>,
    loads: usize,
    questions: usize,
    /// Certificates whose issuer is to be looked for.
    searching: VecDeque<Arc<Entry>>,
    searches: usize,
    last_now: UnixTime,
}

/// A job that is under way.
#[derive(Debug)]
enum Job {
    /// The store is looked into.
    Load(Vec<Arc<Entry>>),
    /// A responder is asked, through that gate.
    Ask { entry: Arc<Entry>, gate: usize },
    /// The issuer of a certificate is looked for.
    Search(Arc<Entry>),
}

/// What a job found.
#[derive(Debug)]
enum Done {
    /// Of each certificate, whether the store had something new.
    Loaded(Vec<bool>),
    Asked(Asked),
    /// Whether the issuer is known now, or why not.
    Sought(Result<(), String>),
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
            busy_gates: BTreeSet::new(),
            jobs: JoinSet::new(),
            running: HashMap::new(),
            loads: 0,
            questions: 0,
            searching: VecDeque::new(),
            searches: 0,
            last_now,
        }
    }

    /// Works until it is told to end, or everybody who could tell it something is gone.
    pub(crate) async fn run(mut self) {
        let mut tick = Instant::now() + TICK;
        let mut commands = Vec::new();
        'work: loop {
            let now = self.shared.clock.now();
            self.check_clock(now);
            while let Some(entry) = self.queue.pop(now) {
                self.look_at(&entry, now);
            }
            self.open_gates();
            self.start_loads();
            let wake = self.wake(now).min(tick);
            tokio::select! {
                count = self.commands.recv_many(&mut commands, COMMANDS) => {
                    if count == 0 {
                        break;
                    }
                    for command in commands.drain(..) {
                        if matches!(command, Command::ShutDown) {
                            break 'work;
                        }
                        self.obey(command);
                    }
                }
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

    /// What is being written is written; what is being asked is given up, and left to others.
    async fn end(mut self) {
        self.commands.close();
        // Nobody need wait for what will not come any more.
        self.shared.index.pin().values().for_each(|entry| entry.settle());
        if !self.drain(GRACE).await {
            tracing::warn!("what was under way at the end is given up");
            self.jobs.abort_all();
        }
        let running = std::mem::take(&mut self.running);
        for job in running.into_values() {
            if let Job::Ask { entry, .. } = job {
                self.release(&entry);
            }
        }
        self.drain(GRACE / 5).await;
    }

    /// Waits for all jobs, so long at most. Gives whether they are done.
    async fn drain(&mut self, limit: Duration) -> bool {
        let done = async { while self.jobs.join_next().await.is_some() {} };
        tokio::time::timeout(limit, done).await.is_ok()
    }

    /// When there is something to do next.
    fn wake(&self, now: UnixTime) -> Instant {
        let instant = Instant::now();
        let queued = self.queue.next().map(|due| {
            instant + Duration::from_secs(due.as_secs().saturating_sub(now.as_secs())).min(TICK)
        });
        let busy = self.busy_gates.iter().filter_map(|index| self.gates.get(*index));
        let gates = busy.filter_map(|gate| match gate.admits(instant) {
            Admission::From(at) => Some(at),
            Admission::Now | Admission::Full => None,
        });
        queued.into_iter().chain(gates).min().unwrap_or(instant + TICK)
    }

    /// After the clock was set back, what was planned by it is planned anew; and after it was set either
    /// way the store may have what it seemed not to have.
    fn check_clock(&mut self, now: UnixTime) {
        let before = self.last_now.as_secs();
        let back = now.as_secs().saturating_add(SET_BACK) < before;
        if back {
            tracing::warn!("the clock was set back: every refresh is planned anew");
        }
        if back || before.saturating_add(SET_FORWARD) < now.as_secs() {
            let entries: Vec<_> = self.shared.index.pin().values().map(Arc::clone).collect();
            entries.iter().for_each(|entry| self.clock_was_set(entry, back, now));
        }
        self.last_now = now;
    }

    fn clock_was_set(&mut self, entry: &Arc<Entry>, back: bool, now: UnixTime) {
        let mut state = entry.state();
        if back && state.phase == Phase::Resting && !state.source.responders().is_empty() {
            // It had expired by a clock that was wrong.
            state.phase = Phase::Idle;
        }
        if state.phase != Phase::Idle {
            return;
        }
        if entry.statement().is_none() {
            state.phase = Phase::Loading;
            self.loading.push_back(Arc::clone(entry));
        } else if back {
            drop(state);
            self.plan(entry, now);
        }
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
                self.queue.set(&entry, None);
                self.tidy(entry, |shared, entry| async move { job::forget(&shared, &entry).await });
            }
            Command::ShutDown => {}
        }
    }

    /// Another member has saved something.
    fn changed_elsewhere(&mut self, id: &Fingerprint) {
        let Some(entry) = self.shared.index.pin().get(id).map(Arc::clone) else { return };
        let mut state = entry.state();
        match state.phase {
            Phase::Idle => state.phase = Phase::Loading,
            // It keeps its place before the responder until there is something for it.
            Phase::Waiting => {}
            Phase::Loading | Phase::Asking | Phase::Resting => return,
        }
        drop(state);
        self.loading.push_back(entry);
    }

    fn start_loads(&mut self) {
        while self.loads < self.shared.loads && !self.loading.is_empty() {
            let count = self.loading.len().min(TOGETHER);
            let mut entries: Vec<_> = self.loading.drain(..count).collect();
            entries.retain(|entry| {
                let wanted = !entry.is_removed();
                if !wanted {
                    withdraw(entry);
                }
                wanted
            });
            if entries.is_empty() {
                continue;
            }
            self.loads += 1;
            let (shared, of) = (Arc::clone(&self.shared), entries.clone());
            let handle =
                self.jobs.spawn(async move { Done::Loaded(job::load_each(&shared, &of).await) });
            self.running.insert(handle.id(), Job::Load(entries));
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
        let now = self.shared.clock.now();
        match self.running.remove(&id) {
            Some(Job::Load(entries)) => {
                self.loads = self.loads.saturating_sub(1);
                let anew = if let Some(Done::Loaded(anew)) = done { anew } else { Vec::new() };
                for (entry, anew) in entries.iter().zip(anew.into_iter().chain(repeat(false))) {
                    self.loaded(entry, anew, now);
                }
            }
            Some(Job::Ask { entry, gate }) => {
                let asked = match done {
                    Some(Done::Asked(asked)) => asked,
                    _ => Asked::not_asked("the transport or the store has panicked".to_owned()),
                };
                self.finish_question(entry, gate, asked, now);
            }
            Some(Job::Search(entry)) => {
                self.searches = self.searches.saturating_sub(1);
                let found = match done {
                    Some(Done::Sought(found)) => found,
                    _ => Err("the transport has panicked".to_owned()),
                };
                if !entry.is_removed() {
                    self.issuer_sought(&entry, found, now);
                }
                self.start_searches();
            }
            // What tidies up is nobody's job.
            None => {}
        }
    }

    fn finish_question(&mut self, entry: Arc<Entry>, gate: usize, asked: Asked, now: UnixTime) {
        self.questions = self.questions.saturating_sub(1);
        let ended = asked.ended();
        let mut elsewhere = Vec::new();
        if let Some(gate) = self.gates.get_mut(gate) {
            gate.end(Instant::now(), ended, self.shared.seed(&entry.id));
            if matches!(ended, Ended::Outage(_)) && gate.is_troubled() {
                // Whoever names another responder may be served by that one.
                elsewhere = gate.release(|waiting| waiting.state().has_another_responder());
                // Nobody who waits for them to be ready should wait for the end of the trouble.
                gate.waiting().for_each(|waiting| waiting.settle());
            }
        }
        elsewhere.iter().for_each(|waiting| self.queue_up(waiting));
        if entry.is_removed() {
            // It may have been saved after it was removed.
            self.obey(Command::Remove(entry));
        } else {
            self.asked(&entry, asked, now);
        }
    }

    /// Brings the gauges up to date.
    fn observe(&self) {
        metrics::staples(self.shared.index.pin().values(), self.shared.clock.now());
    }
}

/// However the work ends: nobody waits for what will not be loaded any more.
impl Drop for Worker {
    fn drop(&mut self) {
        self.shared.claims.close();
    }
}

/// The next change in a store that tells of them; without one, nothing ever.
async fn change(changes: &mut Option<mpsc::Receiver<Fingerprint>>) -> Option<Fingerprint> {
    match changes {
        Some(changes) => changes.recv().await,
        None => std::future::pending().await,
    }
}
