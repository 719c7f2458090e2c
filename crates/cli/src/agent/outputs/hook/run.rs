//! One run of a command: what it is told, how long it may take, and how it is ended.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::Changes;
use crate::agent::config::Hook;
use crate::agent::outputs::notes::lines;

/// Runs the command once.
pub(super) async fn run(hook: &Hook, changes: &Changes, limit: Duration) -> Result<(), String> {
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
