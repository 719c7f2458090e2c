//! The commands of `on_change`, such as `nginx -s reload`.
//!
//! A command runs once for all that changed since it last ran, and not more often than the
//! configuration allows: a hundred certificates that are renewed together are one reload. It runs
//! beside everything else, in a process group of its own, and is ended when it takes too long. What a
//! run that failed was told of is told again to the next.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::notes::{Left, Note, Notes, lines};
use crate::agent::config::{Hook, HookLimits};

/// How long a first change waits for others that come with it.
const GATHER: Duration = Duration::from_millis(500);

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
    /// `good`, `revoked`, or `none` when the staple was taken away.
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
    limits: HookLimits,
    notes: Notes,
    board: HookBoard,
    tasks: JoinSet<()>,
    /// Whether nobody waits for a turn any more.
    hurry: watch::Sender<bool>,
}

/// What can be seen of the commands from elsewhere. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(in crate::agent) struct HookBoard(Arc<Mutex<BTreeMap<Hook, Pending>>>);

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
    /// A task waits to run it, or runs it.
    busy: bool,
    last_began: Option<Instant>,
    runs: u64,
    error: Option<String>,
}

impl Hooks {
    pub(in crate::agent) fn new(limits: HookLimits, notes: Notes) -> Self {
        let (hurry, _) = watch::channel(false);
        Self { limits, notes, board: HookBoard::default(), tasks: JoinSet::new(), hurry }
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

    /// Takes other limits, for runs that have not begun.
    pub(in crate::agent) fn set_limits(&mut self, limits: HookLimits) {
        self.limits = limits;
    }

    /// Has these commands told of what an earlier process could not tell them of.
    pub(in crate::agent) fn resume<'a>(&mut self, hooks: impl Iterator<Item = &'a Hook>) {
        for Left { hook, changes, note } in self.notes.left(hooks) {
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
        let mut hooks = self.board.lock();
        let pending = hooks.entry(hook.clone()).or_default();
        pending.changes.append(changes);
        if !std::mem::replace(&mut pending.busy, true) {
            drop(hooks);
            let (hook, board, notes) = (hook.clone(), self.board(), self.notes());
            let (limits, hurry) = (self.limits.clone(), self.hurry.subscribe());
            self.tasks.spawn(async move {
                run_while_pending(&hook, &board, &notes, &limits, hurry).await;
            });
        }
    }

    /// Has what waits for its turn run at once: this process ends, and nobody else knows of it.
    pub(in crate::agent) async fn finish_now(&mut self) {
        self.hurry.send_replace(true);
        self.finish().await;
    }

    /// Waits until every command has been told all that it is to be told.
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
        self.lock().iter().map(state).collect()
    }

    /// Nothing that holds this lock can panic; if it did, the state would still be whole.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Hook, Pending>> {
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

async fn run_while_pending(
    hook: &Hook,
    board: &HookBoard,
    notes: &Notes,
    limits: &HookLimits,
    mut hurry: watch::Receiver<bool>,
) {
    loop {
        let last_began = board.lock().get(hook).and_then(|pending| pending.last_began);
        let after_gathering = Instant::now() + GATHER;
        let turn = last_began
            .map_or(after_gathering, |began| after_gathering.max(began + limits.interval));
        tokio::select! {
            () = sleep_until(turn) => {}
            _ = hurry.wait_for(|hurry| *hurry) => {}
        }
        let changes = {
            let mut hooks = board.lock();
            let Some(pending) = hooks.get_mut(hook) else { return };
            pending.last_began = Some(Instant::now());
            let mut changes = std::mem::take(&mut pending.failed);
            changes.append(std::mem::take(&mut pending.changes));
            changes
        };
        let result = run(hook, &changes, limits.timeout).await;
        match &result {
            Ok(()) => tracing::info!(command = %hook, changes = changes.count, "command has run"),
            Err(error) => tracing::error!(command = %hook, %error, "command failed"),
        }
        let failed = clear_up(hook, changes, result.is_ok(), notes.clone()).await;
        let mut hooks = board.lock();
        let Some(pending) = hooks.get_mut(hook) else { return };
        pending.failed = failed;
        pending.runs += 1;
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

/// Runs the command once.
async fn run(hook: &Hook, changes: &Changes, limit: Duration) -> Result<(), String> {
    let Changes { told, count, .. } = changes;
    let mut command = command(hook);
    command.env("CERTSTATUS_COUNT", count.to_string());
    if let Some(last) = told.last() {
        command
            .env("CERTSTATUS_CERTIFICATE", &last.certificate)
            .env("CERTSTATUS_OUTPUT", last.outputs.first().map_or("", String::as_str))
            .env("CERTSTATUS_STATUS", &*last.status)
            .env("CERTSTATUS_EXPIRES", last.expires.as_deref().unwrap_or_default());
    }
    let mut child = command.spawn().map_err(|e| format!("it cannot be started: {e}"))?;
    let told = lines(told);
    let ended = timeout(limit, async {
        if let Some(mut stdin) = child.stdin.take() {
            // A command that does not read is told by its variables.
            let _ = stdin.write_all(&told).await;
        }
        child.wait().await
    });
    match ended.await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("it ended with {status}")),
        Ok(Err(error)) => Err(format!("its end cannot be waited for: {error}")),
        Err(_) => {
            end(&mut child).await;
            Err(format!("it was ended: it took longer than {}", humantime::format_duration(limit)))
        }
    }
}

fn command(hook: &Hook) -> Command {
    let mut command = match hook {
        Hook::Shell(text) => {
            let mut shell = Command::new("/bin/sh");
            shell.arg("-c").arg(text);
            shell
        }
        Hook::Program(program, arguments) => {
            let mut command = Command::new(program);
            command.args(arguments);
            command
        }
    };
    // Where it is said that the agent is ready is nothing that a child should speak to.
    command.env_remove("NOTIFY_SOCKET");
    command.process_group(0).kill_on_drop(true).stdin(Stdio::piped());
    command
}

/// Ends the command and all that it started and that stayed in its group.
async fn end(child: &mut Child) {
    let group = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(group) = group {
        // It fails only for a group that has ended by itself.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn announcement(certificate: &str) -> Announcement {
        Announcement {
            certificate: certificate.to_owned(),
            outputs: vec![format!("{certificate}.der")],
            status: "good".into(),
            expires: Some("2026-01-01T00:00:00Z".to_owned()),
        }
    }

    fn limits(interval: u64, timeout: u64) -> HookLimits {
        HookLimits {
            interval: Duration::from_millis(interval),
            timeout: Duration::from_millis(timeout),
        }
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
        let mut hooks = Hooks::new(limits(1, 10_000), Notes::new(None));
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
        let mut hooks = Hooks::new(limits(1500, 10_000), Notes::new(None));
        let began = Instant::now();
        hooks.announce(&hook, announcement("/a"), None);
        while read(&log).is_empty() {
            assert!(began.elapsed() < Duration::from_secs(10));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        hooks.announce(&hook, announcement("/b"), None);
        hooks.announce(&hook, announcement("/c"), None);
        hooks.finish().await;
        assert_eq!(read(&log), "1\n2\n");
        assert!(began.elapsed() >= Duration::from_millis(2000), "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn a_command_that_fails_or_hangs_is_told_and_ended_with_its_children() {
        let mut hooks = Hooks::new(limits(1, 300), Notes::new(None));
        let failing = Hook::Program("/bin/false".into(), Vec::new());
        let missing = Hook::Program("/nonexistent/x".into(), Vec::new());
        let hanging = Hook::Shell("sleep 600 & sleep 600".into());
        for hook in [&failing, &missing, &hanging] {
            hooks.announce(hook, announcement("/a"), None);
        }
        let began = Instant::now();
        hooks.finish().await;
        assert!(began.elapsed() < Duration::from_secs(30));
        let errors: Vec<String> =
            hooks.board().states().into_iter().map(|state| state.error.unwrap()).collect();
        assert!(errors[0].contains("took longer than 300ms"), "{errors:?}");
        assert!(errors[1].contains("exit status: 1"), "{errors:?}");
        assert!(errors[2].contains("cannot be started"), "{errors:?}");
    }
}
