//! The commands of `on_change`, such as `nginx -s reload`.
//!
//! A command runs once for all that changed since it last ran, and not more often than the
//! configuration allows: a hundred certificates that are renewed together are one reload. It runs
//! beside everything else, in a process group of its own, and is ended when it takes too long. What a
//! run that failed was told of is told again to the next, which follows by itself after a pause.

mod run;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::notes::{Left, Note, Notes};
use crate::agent::config::{Config, Hook, HookLimits};

use run::run;

/// How long a first change waits for others that come with it.
const GATHER: Duration = Duration::from_millis(500);

/// The longest pause after runs that failed.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// How many changes are kept for a run. More are counted and not told one by one; a command that
/// wants to know all of them has the API.
pub(super) const MAX_TOLD: usize = 10_000;

/// A change as a command is told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::agent) struct Announcement {
    /// The path of the certificate.
    pub(in crate::agent) certificate: String,
    /// The files that were written.
    pub(in crate::agent) outputs: Vec<String>,
    /// `good`; `revoked`, whether a response that says so is given to servers or the staple was taken
    /// away; `unknown`; or `none` when the staple was taken away for another reason.
    pub(in crate::agent) status: Cow<'static, str>,
    /// When the staple expires, as RFC 3339; null when there is none.
    pub(in crate::agent) expires: Option<String>,
}

/// How the last run of a command went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::agent) struct HookState {
    /// The command.
    pub(in crate::agent) command: String,
    /// How often it has run.
    pub(in crate::agent) runs: u64,
    /// Why the last run failed; null when it did not.
    pub(in crate::agent) error: Option<String>,
}

/// All commands, and what they have not been told yet.
#[derive(Debug)]
pub(in crate::agent) struct Hooks {
    notes: Notes,
    board: HookBoard,
    tasks: JoinSet<()>,
    /// Whether nobody waits for a turn any more.
    hurry: watch::Sender<bool>,
}

/// What can be seen of the commands from elsewhere. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::agent) struct HookBoard(Arc<Mutex<Commands>>);

#[derive(Debug)]
struct Commands {
    limits: HookLimits,
    /// Those of the configuration: another one is not run again when it fails.
    configured: BTreeSet<Hook>,
    pending: BTreeMap<Hook, Pending>,
}

/// What a command is to be told of in a run.
#[derive(Debug, Default)]
struct Changes {
    told: Vec<Announcement>,
    count: usize,
    notes: Vec<Note>,
}

#[derive(Debug, Default)]
struct Pending {
    changes: Changes,
    /// What the last run was told of, if it failed.
    failed: Changes,
    /// Runs that failed since the last one that did not.
    failures: u32,
    /// A task waits to run it, or runs it.
    busy: bool,
    last_began: Option<Instant>,
    runs: u64,
    error: Option<String>,
}

impl Hooks {
    /// The commands of that configuration, with notes in its store.
    pub(in crate::agent) fn new(config: &Config) -> Self {
        let board = HookBoard(Arc::new(Mutex::new(Commands {
            limits: config.hook.clone(),
            configured: config.hooks(),
            pending: BTreeMap::new(),
        })));
        let notes = Notes::new(config.store.path.as_deref());
        Self { notes, board, tasks: JoinSet::new(), hurry: watch::Sender::new(false) }
    }

    /// Where it is noted what commands have yet to be told of.
    pub(in crate::agent) fn notes(&self) -> Notes {
        self.notes.clone()
    }

    /// Has changes noted there from now on.
    pub(in crate::agent) fn set_notes(&mut self, notes: Notes) {
        self.notes = notes;
    }

    /// What others may look at.
    pub(in crate::agent) fn board(&self) -> HookBoard {
        self.board.clone()
    }

    /// Takes the limits and the commands of a configuration, for runs that have not begun.
    pub(in crate::agent) fn configure(&mut self, config: &Config) {
        let mut commands = self.board.lock();
        commands.limits = config.hook.clone();
        commands.configured = config.hooks();
        let Commands { configured, pending, .. } = &mut *commands;
        pending.retain(|hook, one| one.busy || configured.contains(hook));
    }

    /// Has the commands of the configuration told of what an earlier process could not tell them of.
    pub(in crate::agent) fn resume(&mut self) {
        let configured = self.board.lock().configured.clone();
        for Left { hook, changes, note } in self.notes.left(&configured) {
            let count = changes.len();
            tracing::info!(command = %hook, changes = count, "command has yet to run for changes of before");
            self.tell(&hook, Changes { told: changes, count, notes: vec![note] });
        }
    }

    /// Has the command told of a change, as soon as its turn comes. `note` is settled when that has
    /// been done well.
    pub(in crate::agent) fn announce(
        &mut self,
        hook: &Hook,
        announcement: Announcement,
        note: Option<Note>,
    ) {
        let notes = note.into_iter().collect();
        self.tell(hook, Changes { told: vec![announcement], count: 1, notes });
    }

    fn tell(&mut self, hook: &Hook, changes: Changes) {
        while self.tasks.try_join_next().is_some() {}
        let mut commands = self.board.lock();
        let pending = commands.pending.entry(hook.clone()).or_default();
        pending.changes.append(changes);
        if !std::mem::replace(&mut pending.busy, true) {
            drop(commands);
            let (hook, board) = (hook.clone(), self.board());
            let (notes, hurry) = (self.notes(), self.hurry.subscribe());
            self.tasks.spawn(async move { run_until_told(&hook, &board, &notes, hurry).await });
        }
    }

    /// Has what waits for its turn run at once: this process ends, and nobody else knows of it.
    pub(in crate::agent) async fn finish_now(&mut self) {
        self.hurry.send_replace(true);
        self.finish().await;
    }

    /// Waits until every command has been told all that it is to be told. While one fails that is
    /// never.
    pub(in crate::agent) async fn finish(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

impl HookBoard {
    /// How the commands went.
    pub(in crate::agent) fn states(&self) -> Vec<HookState> {
        let state = |(hook, pending): (&Hook, &Pending)| HookState {
            command: hook.to_string(),
            runs: pending.runs,
            error: pending.error.clone(),
        };
        self.lock().pending.iter().map(state).collect()
    }

    /// After runs that failed: the pause until the next one, and how many there have been. None when
    /// there is nothing to be told again; and what is configured no more is forgotten.
    fn retry(&self, hook: &Hook) -> Option<(Duration, u64)> {
        let mut commands = self.lock();
        let Commands { limits, configured, pending } = &mut *commands;
        if !configured.contains(hook) {
            pending.retain(|other, one| one.busy || other != hook);
            return None;
        }
        let pending = pending.get(hook).filter(|pending| pending.failed.count > 0)?;
        let doubled = 2_u32.saturating_pow(pending.failures.saturating_sub(1));
        let pause = limits.retry.saturating_mul(doubled);
        Some((pause.min(LONGEST_PAUSE.max(limits.retry)), pending.runs))
    }

    /// Takes up the command after that pause, unless it has run meanwhile, or is to be run no more.
    fn take_up(&self, hook: &Hook, runs: u64) -> bool {
        match self.lock().pending.get_mut(hook) {
            Some(pending) if pending.runs == runs => !std::mem::replace(&mut pending.busy, true),
            _ => false,
        }
    }

    /// Nothing that holds this lock can panic; if it did, the state would still be whole.
    fn lock(&self) -> MutexGuard<'_, Commands> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Changes {
    fn append(&mut self, later: Self) {
        let room = MAX_TOLD.saturating_sub(self.told.len());
        self.told.extend(later.told.into_iter().take(room));
        self.count += later.count;
        self.notes.extend(later.notes);
    }
}

/// Runs the command for what is pending, and again after a pause for as long as it fails.
async fn run_until_told(
    hook: &Hook,
    board: &HookBoard,
    notes: &Notes,
    mut hurry: watch::Receiver<bool>,
) {
    loop {
        run_while_pending(hook, board, notes, &mut hurry).await;
        let Some((pause, runs)) = board.retry(hook) else { return };
        let shown = humantime::format_duration(pause);
        tracing::info!(command = %hook, "command runs again in {shown}");
        tokio::select! {
            () = sleep(pause) => {}
            // The next start makes up for it.
            _ = hurry.wait_for(|hurry| *hurry) => return,
        }
        if !board.take_up(hook, runs) {
            return;
        }
    }
}

async fn run_while_pending(
    hook: &Hook,
    board: &HookBoard,
    notes: &Notes,
    hurry: &mut watch::Receiver<bool>,
) {
    loop {
        let turn = {
            let commands = board.lock();
            let last_began = commands.pending.get(hook).and_then(|pending| pending.last_began);
            let allowed = last_began.map(|began| began + commands.limits.interval);
            allowed.into_iter().fold(Instant::now() + GATHER, Instant::max)
        };
        tokio::select! {
            () = sleep_until(turn) => {}
            _ = hurry.wait_for(|hurry| *hurry) => {}
        }
        let (changes, limit) = {
            let mut commands = board.lock();
            let limit = commands.limits.timeout;
            let Some(pending) = commands.pending.get_mut(hook) else { return };
            pending.last_began = Some(Instant::now());
            let mut changes = std::mem::take(&mut pending.failed);
            changes.append(std::mem::take(&mut pending.changes));
            (changes, limit)
        };
        let result = run(hook, &changes, limit).await;
        match &result {
            Ok(()) => tracing::info!(command = %hook, changes = changes.count, "command has run"),
            Err(error) => tracing::error!(command = %hook, %error, "command failed"),
        }
        let failed = clear_up(hook, changes, result.is_ok(), notes.clone()).await;
        let mut commands = board.lock();
        let Some(pending) = commands.pending.get_mut(hook) else { return };
        pending.failed = failed;
        pending.runs += 1;
        pending.failures = if result.is_ok() { 0 } else { pending.failures.saturating_add(1) };
        pending.error = result.err();
        if pending.changes.count == 0 {
            pending.busy = false;
            return;
        }
    }
}

/// After a run: settles what was told, and gives what is to be told again.
async fn clear_up(hook: &Hook, mut changes: Changes, told: bool, notes: Notes) -> Changes {
    let hook = hook.clone();
    let clear_up = move || {
        if told {
            changes.notes.into_iter().for_each(Note::settle);
            return Changes::default();
        }
        changes.notes = notes.merge(&hook, &changes.told, changes.notes);
        changes
    };
    // It fails only with a panic, which has been printed.
    tokio::task::spawn_blocking(clear_up).await.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::outputs::notes::lines;
    use std::path::Path;

    fn announcement(certificate: &str) -> Announcement {
        Announcement {
            certificate: certificate.to_owned(),
            outputs: vec![format!("{certificate}.der")],
            status: "good".into(),
            expires: Some("2026-01-01T00:00:00Z".to_owned()),
        }
    }

    /// These commands, without a store.
    fn hooks(commands: &[&Hook], interval: u64, timeout: u64) -> Hooks {
        let millis = Duration::from_millis;
        let (interval, timeout, retry) = (millis(interval), millis(timeout), millis(100));
        let hook = HookLimits { interval, timeout, retry };
        let hooks = Hooks::new(&Config { hook, ..Config::default() });
        hooks.board.lock().configured = commands.iter().copied().cloned().collect();
        hooks
    }

    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap_or_default()
    }

    #[tokio::test]
    async fn a_command_is_told_once_of_all_that_changed() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let text = format!(
            "echo $CERTSTATUS_COUNT $CERTSTATUS_CERTIFICATE $CERTSTATUS_OUTPUT \
             $CERTSTATUS_STATUS $CERTSTATUS_EXPIRES >> {0}; cat >> {0}",
            log.display()
        );
        let hook = Hook::Shell(text);
        let mut hooks = hooks(&[&hook], 1, 10_000);
        hooks.announce(&hook, announcement("/a"), None);
        hooks.announce(&hook, announcement("/b"), None);
        hooks.finish().await;
        let told = read(&log);
        let mut lines = told.lines();
        assert_eq!(lines.next(), Some("2 /b /b.der good 2026-01-01T00:00:00Z"));
        let first: serde_json::Value = serde_json::from_str(lines.next().unwrap()).unwrap();
        assert_eq!((&first["certificate"], &first["outputs"][0]), (&"/a".into(), &"/a.der".into()));
        assert_eq!(lines.count(), 1);
        assert_eq!((hooks.board().states()[0].runs, &hooks.board().states()[0].error), (1, &None));
    }

    #[tokio::test]
    async fn a_command_runs_no_more_often_than_allowed_and_misses_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let hook = Hook::Shell(format!("echo $CERTSTATUS_COUNT >> {}", log.display()));
        let mut hooks = hooks(&[&hook], 1500, 10_000);
        let began = Instant::now();
        hooks.announce(&hook, announcement("/a"), None);
        while read(&log).is_empty() {
            assert!(began.elapsed() < Duration::from_secs(10));
            sleep(Duration::from_millis(10)).await;
        }
        hooks.announce(&hook, announcement("/b"), None);
        hooks.announce(&hook, announcement("/c"), None);
        hooks.finish().await;
        assert_eq!(read(&log), "1\n2\n");
        assert!(began.elapsed() >= Duration::from_millis(2000), "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn a_command_that_fails_or_hangs_is_told_and_ended_with_its_children() {
        let failing = Hook::Program("/bin/false".into(), Vec::new());
        let missing = Hook::Program("/nonexistent/x".into(), Vec::new());
        let hanging = Hook::Shell("sleep 600 & sleep 600".into());
        let commands = [&failing, &missing, &hanging];
        let mut hooks = hooks(&commands, 1, 300);
        for hook in commands {
            hooks.announce(hook, announcement("/a"), None);
        }
        let began = Instant::now();
        hooks.finish_now().await;
        assert!(began.elapsed() < Duration::from_secs(30));
        let errors: Vec<String> =
            hooks.board().states().into_iter().map(|state| state.error.unwrap()).collect();
        assert!(errors[0].contains("took longer than 300ms"), "{errors:?}");
        assert!(errors[1].contains("exit status: 1"), "{errors:?}");
        assert!(errors[2].contains("cannot be started"), "{errors:?}");
    }

    /// It runs again, less and less often, until it ends well or is configured no more.
    #[tokio::test]
    async fn a_command_that_fails_is_run_again_by_itself() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let go = directory.path().join("go");
        let text = format!("cat >> {}; test -e {}", log.display(), go.display());
        let hook = Hook::Shell(text);
        let mut hooks = hooks(&[&hook], 1, 10_000);
        let runs = |hooks: &Hooks| hooks.board().states()[0].runs;
        let until = async |hooks: &Hooks, at_least| {
            let began = Instant::now();
            while runs(hooks) < at_least {
                assert!(began.elapsed() < Duration::from_secs(20), "{at_least} runs");
                sleep(Duration::from_millis(10)).await;
            }
        };
        let began = Instant::now();
        hooks.announce(&hook, announcement("/a"), None);
        until(&hooks, 3).await;
        // Each gathers first; between them are 100 ms, and 200.
        assert!(began.elapsed() >= 3 * GATHER + Duration::from_millis(300));
        hooks.announce(&hook, announcement("/b"), None);
        std::fs::write(&go, "").unwrap();
        hooks.finish().await;
        assert!(read(&log).ends_with(&read_lines(&["/a", "/b"])), "{}", read(&log));
        assert_eq!(hooks.board().states()[0].error, None);

        std::fs::remove_file(&go).unwrap();
        hooks.announce(&hook, announcement("/c"), None);
        let before = runs(&hooks);
        until(&hooks, before + 1).await;
        hooks.configure(&Config::default());
        hooks.finish().await;
        assert!(hooks.board().states().is_empty());
    }

    fn read_lines(certificates: &[&str]) -> String {
        let told: Vec<_> = certificates.iter().map(|one| announcement(one)).collect();
        String::from_utf8(lines(&told)).unwrap()
    }
}
