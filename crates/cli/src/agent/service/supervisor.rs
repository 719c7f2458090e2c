//! What systemd is told (`sd_notify(3)`): ready, alive, reloading, ending, and how it stands.
//!
//! Without systemd all of it goes nowhere.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// How often it is looked whether it is ready, at least.
const PULSE: Duration = Duration::from_millis(200);

/// How often systemd is told how it stands.
const STATUS: Duration = Duration::from_secs(10);

/// The service manager, if there is one.
#[derive(Debug)]
pub(super) struct Supervisor {
    watchdog: Option<Duration>,
    ready: bool,
    told_alive: Option<Instant>,
    told_status: Option<Instant>,
}

impl Supervisor {
    pub(super) fn new() -> Self {
        Self {
            watchdog: sd_notify::watchdog_enabled(),
            ready: false,
            told_alive: None,
            told_status: None,
        }
    }

    /// How often [`Self::alive`] is to be called.
    pub(super) fn pulse(&self) -> Duration {
        self.watchdog.map_or(PULSE, |watchdog| PULSE.min(watchdog / 4))
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    /// It is ready, for the first time or after a reload.
    pub(super) fn ready(&mut self) {
        self.ready = true;
        self.told_status = None;
        tell(&[NotifyState::Ready]);
    }

    /// The loop turns. `status` says how it stands, and is asked now and then.
    pub(super) fn alive(&mut self, status: impl FnOnce() -> String) {
        let due =
            |told: Option<Instant>, every| told.is_none_or(|told: Instant| told.elapsed() >= every);
        if let Some(watchdog) = self.watchdog
            && due(self.told_alive, watchdog / 3)
        {
            self.told_alive = Some(Instant::now());
            tell(&[NotifyState::Watchdog]);
        }
        if due(self.told_status, STATUS) && std::env::var_os("NOTIFY_SOCKET").is_some() {
            self.told_status = Some(Instant::now());
            tell(&[NotifyState::Status(&status())]);
        }
    }

    /// The configuration is read again. [`Self::ready`] ends this.
    pub(super) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(_) => tell(&[NotifyState::Reloading]),
        }
    }

    pub(super) fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }
}

/// A service manager that cannot be told is not there.
fn tell(states: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(states);
}
