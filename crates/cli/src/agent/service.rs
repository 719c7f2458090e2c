//! The agent as a service: one loop, driven by files, news, signals and the clock.
//!
//! systemd is told when it is ready, which is once the first attempt for every certificate has come
//! to an end, so that a server that is ordered after the agent finds its staples; and then, as long
//! as the loop turns, that it is alive. SIGHUP reads the configuration again; a new one that is wrong
//! leaves the old one in place. SIGTERM and SIGINT end it.

mod page;
mod supervisor;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use certstatus_stapler::Stapler;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::certificates::{Looked, Sweep};
use super::config::Config;
use super::keeper::Keeper;
use super::log::Logging;
use crate::failure::Failure;
use crate::outcome::Outcome;

use page::{Facts, Page};
use supervisor::Supervisor;

/// How long the first attempts may keep it from being ready. A responder that is away must not keep
/// servers from starting.
const READY_AT_LATEST: Duration = Duration::from_secs(45);

/// How often everything is looked at, news or not: a staple that has expired is seen at once, and
/// this is for what nobody thought of.
const LOOK_AT_ALL: Duration = Duration::from_secs(30);

/// How long an end may take, for each of its parts.
const FAREWELL: Duration = Duration::from_secs(5);

/// Runs until it is told to end.
pub(super) fn run(path: PathBuf, config: Config) -> Result<Outcome, Failure> {
    let logging = Logging::start(&config.log);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::failed("runtime", format!("The agent cannot start: {e}.")))?;
    let ended =
        runtime.block_on(async { Service::start(path, config, logging).await?.run().await });
    // A file system that hangs must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

struct Service {
    path: PathBuf,
    config: Config,
    logging: Logging,
    keeper: Keeper,
    /// `None` while a look is under way.
    sweep: Option<Sweep>,
    look: Option<Receiver<Looked>>,
    next_look: Instant,
    facts: Arc<Facts>,
    page: Option<Page>,
    supervisor: Supervisor,
    started: Instant,
    looked_once: bool,
    /// The configuration has changed since the look that is under way began.
    hurry: bool,
    /// Every certificate is to be told of again.
    tell_again: bool,
}

/// What woke the loop.
enum Woken {
    Looked(Option<Looked>),
    TimeToLook,
    Tick,
    LookAtAll,
    Reload,
    End,
}

impl Service {
    async fn start(path: PathBuf, config: Config, logging: Logging) -> Result<Self, Failure> {
        let recorder = page::recorder()?;
        let keeper = Keeper::start(&config)?;
        let (view, stapler) = (keeper.view(), keeper.stapler());
        let facts = Arc::new(Facts::new(&path, view, recorder, stapler, config.http.alarm));
        let page = Page::open(config.http.listen, &facts).await?;
        Ok(Self {
            sweep: Some(Sweep::new(config.rules.clone())),
            path,
            config,
            logging,
            keeper,
            look: None,
            next_look: Instant::now(),
            facts,
            page,
            supervisor: Supervisor::new(),
            started: Instant::now(),
            looked_once: false,
            hurry: false,
            tell_again: false,
        })
    }

    async fn run(mut self) -> Result<Outcome, Failure> {
        let on = |kind| {
            signal(kind)
                .map_err(|e| Failure::failed("signal", format!("Signals cannot be had: {e}.")))
        };
        let (mut hangup, mut terminate) = (on(SignalKind::hangup())?, on(SignalKind::terminate())?);
        let mut interrupt = on(SignalKind::interrupt())?;
        tracing::info!(config = %self.path.display(), "certstatus agent {}", env!("CARGO_PKG_VERSION"));
        let mut tick = interval(self.supervisor.pulse());
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut all = interval(LOOK_AT_ALL);
        all.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let woken = {
                let (look, next_look) = (&mut self.look, self.next_look);
                let stapler = self.keeper.stapler();
                tokio::select! {
                    () = self.keeper.work() => continue,
                    looked = heard(look, &stapler) => Woken::Looked(looked),
                    () = sleep_until(next_look), if self.sweep.is_some() => Woken::TimeToLook,
                    _ = tick.tick() => Woken::Tick,
                    _ = all.tick() => Woken::LookAtAll,
                    () = received(&mut hangup) => Woken::Reload,
                    () = received(&mut terminate) => Woken::End,
                    () = received(&mut interrupt) => Woken::End,
                }
            };
            match woken {
                Woken::Looked(looked) => self.looked(looked)?,
                Woken::TimeToLook => self.begin_look(),
                Woken::Tick => self.tick(),
                Woken::LookAtAll => {
                    self.keeper.look_at_all();
                    self.facts.upkeep();
                }
                Woken::Reload => self.reload().await,
                Woken::End => break,
            }
        }
        self.end().await;
        Ok(Outcome::Done)
    }

    fn begin_look(&mut self) {
        self.look = self.sweep.take().map(Sweep::look_aside);
    }

    fn looked(&mut self, looked: Option<Looked>) -> Result<(), Failure> {
        let sweep = match looked {
            Some(Looked::Changes(changes)) => {
                self.keeper.apply(changes);
                return Ok(());
            }
            Some(Looked::Done(sweep)) => sweep,
            None => {
                return Err(Failure::failed(
                    "certificates",
                    "The certificates cannot be looked at.",
                ));
            }
        };
        self.keeper.looked();
        self.look = None;
        self.next_look = Instant::now() + sweep.next_in(self.config.watch.interval);
        self.sweep = Some(sweep);
        self.looked_once = true;
        if std::mem::take(&mut self.hurry) {
            self.look_again();
        }
        Ok(())
    }

    /// Looks by the configuration that holds now, as soon as may be.
    fn look_again(&mut self) {
        let Some(sweep) = &mut self.sweep else {
            self.hurry = true;
            return;
        };
        sweep.replace_rules(self.config.rules.clone());
        if std::mem::take(&mut self.tell_again) {
            sweep.tell_again();
        }
        self.next_look = Instant::now();
    }

    /// Tells systemd how it stands.
    fn tick(&mut self) {
        if !self.supervisor.is_ready() {
            let late = self.started.elapsed() >= READY_AT_LATEST;
            // Counting comes last: with very many certificates that is work.
            if self.looked_once && (late || self.keeper.is_idle()) {
                let (all, settled) = self.facts.view().settled();
                // The last of them may have settled just now, and its news be on the way.
                if late || settled == all && self.keeper.has_tried_all() {
                    self.supervisor.ready();
                    tracing::info!(certificates = all, "ready");
                }
            }
        }
        self.supervisor.alive(|| self.facts.summary());
    }

    /// Reads the configuration again and takes what is new in it.
    async fn reload(&mut self) {
        let was_ready = self.supervisor.is_ready();
        if was_ready {
            self.supervisor.reloading();
        }
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || Config::read(&path)).await;
        let failed = |e| Err(Failure::failed("file", format!("It cannot be read: {e}.")));
        match read.unwrap_or_else(failed) {
            Ok(config) => self.take(config).await,
            Err(failure) => {
                tracing::error!("the configuration stays as it was: {failure}");
                self.facts.config_refused(failure.to_string());
            }
        }
        if was_ready {
            self.supervisor.ready();
        }
    }

    async fn take(&mut self, config: Config) {
        if config.http.listen != self.config.http.listen {
            match Page::open(config.http.listen, &self.facts).await {
                Ok(page) => drop(std::mem::replace(&mut self.page, page)),
                Err(failure) => {
                    tracing::error!("the configuration stays as it was: {failure}");
                    self.facts.config_refused(failure.to_string());
                    return;
                }
            }
        }
        let other_stapler = config.store != self.config.store || config.fetch != self.config.fetch;
        if other_stapler && let Err(failure) = self.keeper.restart(&config).await {
            tracing::error!("there is no stapling with the new configuration: {failure}");
            self.facts.config_refused(failure.to_string());
            if let Err(failure) = self.keeper.restart(&self.config).await {
                tracing::error!("and none with the old one: {failure}");
            }
            self.facts.follow(self.keeper.stapler());
            self.tell_again = true;
            self.look_again();
            return;
        }
        self.facts.follow(self.keeper.stapler());
        self.logging.change(&config.log);
        self.keeper.hooks.configure(&config);
        self.facts.config_taken(config.http.alarm);
        self.config = config;
        self.tell_again |= other_stapler;
        self.look_again();
        tracing::info!("the configuration is read again");
    }

    async fn end(mut self) {
        tracing::info!("ending");
        self.supervisor.stopping();
        drop(self.page.take());
        // What is not done in time is left: a staple that is not written today is written tomorrow.
        let _ = timeout(FAREWELL, self.keeper.stop()).await;
        let _ = timeout(FAREWELL, self.keeper.hooks.finish_now()).await;
    }
}

/// Waits for what the look that is under way has to tell; without one, for ever.
///
/// Very many certificates are taken no faster than their staples are loaded.
async fn heard(look: &mut Option<Receiver<Looked>>, stapler: &Stapler) -> Option<Looked> {
    match look {
        Some(look) => {
            stapler.keep_pace().await;
            look.recv().await
        }
        None => std::future::pending().await,
    }
}

/// Waits for that signal; when there will be none any more, for ever.
async fn received(signal: &mut Signal) {
    if signal.recv().await.is_none() {
        std::future::pending::<()>().await;
    }
}
