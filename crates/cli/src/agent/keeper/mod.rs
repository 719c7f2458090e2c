//! From changes of files and news of the stapler to staples where servers find them.
//!
//! The [`Keeper`] is driven by one loop (`service` or `once`), which hands it what happens and never
//! waits for a server: deliveries run beside it, each certificate's one at a time. A certificate that
//! is renewed keeps the output of the old one until there is word about the new one, so that a
//! server that reads in between finds no less than before.

mod delivery;
mod paths;
mod stapling;
mod unit;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use certstatus_stapler::{Fingerprint, Stapler};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::certificates::{Change, Loaded, Location};
use super::config::{Config, Rule};
use super::outputs::{Hooks, Notes};
use crate::failure::Failure;

use delivery::{Done, Job, deliver};
use paths::Paths;
use stapling::start_stapler;
use unit::{Given, Known, Next, Unit};
pub(super) use view::View;

/// How many deliveries are under way at a time: enough to hide a slow disk or socket, and few enough
/// to leave it to others.
const DELIVERIES: usize = 8;

/// How many certificates one of them has at most, of those that have files alone.
const TOGETHER: usize = 64;

/// How many news are taken at once.
const NEWS: usize = 256;

/// So many changes at once are told of one by one.
const FEW: usize = 16;

/// After this a delivery that failed is tried again, doubling up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);

/// All certificates by the paths of their files.
pub(super) type Units = BTreeMap<Location, Box<Unit>>;

/// Keeps every certificate's servers supplied.
#[derive(Debug)]
pub(super) struct Keeper {
    stapler: Stapler,
    /// The certificates of which there is news.
    news: UnboundedReceiver<Fingerprint>,
    units: Arc<RwLock<Units>>,
    paths: Paths,
    pub(super) hooks: Hooks,
    /// How many were found in the look that is under way, and not told of one by one.
    found: usize,
    deliveries: JoinSet<Vec<Done>>,
    /// Paths whose turn to be delivered has not come.
    due: BTreeSet<Location>,
    retries: BTreeSet<(Instant, Location)>,
}

/// Nothing that holds the lock can panic halfway through a change.
fn read(units: &RwLock<Units>) -> RwLockReadGuard<'_, Units> {
    units.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(units: &RwLock<Units>) -> RwLockWriteGuard<'_, Units> {
    units.write().unwrap_or_else(PoisonError::into_inner)
}

impl Keeper {
    /// Begins without any certificate. This is to be called in a runtime.
    ///
    /// # Errors
    /// When there can be no stapler with that configuration.
    pub(super) fn start(config: &Config) -> Result<Self, Failure> {
        let (stapler, news) = start_stapler(config)?;
        let mut hooks = Hooks::new(config);
        hooks.resume();
        Ok(Self {
            stapler,
            news,
            units: Arc::default(),
            paths: Paths::default(),
            hooks,
            found: 0,
            deliveries: JoinSet::new(),
            due: BTreeSet::new(),
            retries: BTreeSet::new(),
        })
    }

    /// What others may look at.
    pub(super) fn view(&self) -> View {
        View::new(Arc::clone(&self.units), self.hooks.board())
    }

    /// The stapler that there is now, to keep pace with and to have counted.
    pub(super) fn stapler(&self) -> Stapler {
        self.stapler.clone()
    }

    /// Takes another stapler in place of the one that there is, which is shut down first: they may
    /// have the same store. Every certificate has to be found again.
    ///
    /// # Errors
    /// When the new one cannot be had.
    pub(super) async fn restart(&mut self, config: &Config) -> Result<(), Failure> {
        self.stapler.shut_down().await;
        (self.stapler, self.news) = start_stapler(config)?;
        self.hooks.set_notes(Notes::new(config.store.path.as_deref()));
        self.paths.clear();
        Ok(())
    }

    /// Ends the stapler, and waits for deliveries that are under way.
    pub(super) async fn stop(&mut self) {
        while let Some(done) = self.deliveries.join_next().await {
            self.delivered(done);
        }
        self.stapler.shut_down().await;
    }

    /// Takes what a look at the files has brought so far. Of many changes that come together the log has
    /// one line at its usual level, when the look is over.
    pub(super) fn apply(&mut self, changes: Vec<Change>) {
        let many = self.found > 0 || changes.len() > FEW;
        let mut gone = Vec::new();
        for change in changes {
            match change {
                Change::Found(path, rule, loaded) => {
                    let serial = &loaded.serial;
                    if many {
                        tracing::debug!(certificate = %path, serial, "certificate found");
                        self.found += 1;
                    } else {
                        tracing::info!(certificate = %path, serial, "certificate found");
                    }
                    self.found(&path, &rule, &loaded);
                }
                Change::Unreadable(path, rule, why) => self.unreadable(path, &rule, &why),
                Change::Gone(path) => gone.push(path),
            }
        }
        self.gone(&gone);
    }

    /// The look is over.
    pub(super) fn looked(&mut self) {
        match std::mem::take(&mut self.found) {
            0 => {}
            found => tracing::info!(certificates = found, "certificates found"),
        }
    }

    fn found(&mut self, path: &Location, rule: &Arc<Rule>, loaded: &Loaded) {
        self.forget_if_asked_elsewhere(path, rule, loaded);
        let known = self.stapler.add(stapling::target(path, rule, loaded));
        let (known, wrong) = match known {
            Ok(handle) => (Some(Known::new(handle, loaded)), None),
            Err(error) => (None, Some(format!("It cannot be stapled for: {error}.").into())),
        };
        let new = known.as_ref().map(|known| known.handle.certificate());
        let before = {
            let mut units = write(&self.units);
            let unit = units.entry(path.clone()).or_insert_with(|| Box::new(Unit::new(rule)));
            unit.set_wrong(wrong);
            unit.follow(rule, path);
            unit.replace(known)
        };
        if let Some(before) = before.map(|known| known.handle.certificate())
            && Some(before) != new
        {
            self.forget(&before, path);
        }
        if let Some(certificate) = new {
            self.paths.insert(&certificate, path.clone());
        }
        self.due.insert(path.clone());
    }

    /// A certificate that is to be asked about elsewhere is a new one to the stapler.
    fn forget_if_asked_elsewhere(&mut self, path: &Location, rule: &Rule, loaded: &Loaded) {
        let before = read(&self.units).get(path).and_then(|unit| {
            let certificate = unit.known.as_ref()?.handle.certificate();
            let asked = unit.rule();
            let elsewhere = asked.issuer != rule.issuer || asked.responder != rule.responder;
            (elsewhere && loaded.is(&certificate)).then_some(certificate)
        });
        if let Some(certificate) = before {
            self.forget(&certificate, path);
        }
    }

    fn unreadable(&mut self, path: Location, rule: &Arc<Rule>, why: &str) {
        tracing::warn!(certificate = %path, "{why}");
        let mut units = write(&self.units);
        let unit = units.entry(path).or_insert_with(|| Box::new(Unit::new(rule)));
        unit.set_wrong(Some(why.into()));
    }

    /// Certificates that are wanted no more. Their files are taken away, unless another certificate
    /// writes them now: that one's staple is delivered again, because the file may have the staple of
    /// the certificate that has gone.
    fn gone(&mut self, paths: &[Location]) {
        if paths.is_empty() {
            return;
        }
        let mut gone = Vec::new();
        for path in paths {
            tracing::info!(certificate = %path, "certificate gone");
            let Some(unit) = write(&self.units).remove(path) else { continue };
            if let Some(known) = &unit.known {
                self.forget(&known.handle.certificate(), path);
            }
            gone.push((path.clone(), unit.targets(path)));
        }
        let files: BTreeSet<_> = gone.iter().flat_map(|(_, targets)| targets.files()).collect();
        let mut theirs = BTreeSet::new();
        if !files.is_empty() {
            for (path, unit) in write(&self.units).iter_mut() {
                let targets = unit.targets(path);
                let shared = targets.files().iter().filter(|file| files.contains(file));
                theirs.extend(shared.cloned());
                if targets.files().iter().any(|file| theirs.contains(file)) {
                    unit.deliver_again();
                    self.due.insert(path.clone());
                }
            }
        }
        let jobs = gone.iter().map(|(at, targets)| Job {
            at: at.clone(),
            targets: targets.clone().without(&theirs),
            given: Given::Nothing,
            staple: None,
        });
        let jobs: Vec<Job> = jobs.collect();
        self.deliveries.spawn(deliver(jobs, self.hooks.notes()));
    }

    /// That path has no longer that certificate. The last one that has it ends it.
    fn forget(&mut self, certificate: &Fingerprint, path: &Location) {
        self.paths.remove(certificate, path);
        let units = read(&self.units);
        let has_it = |path: &Location| units.get(path).is_some_and(|unit| unit.is(certificate));
        if !self.paths.of(certificate).any(has_it) {
            self.stapler.remove(certificate);
        }
    }

    /// Waits until there is something to do, and does it.
    pub(super) async fn work(&mut self) {
        self.deliver_due();
        let retry = self.retries.first().map(|(at, _)| *at);
        let mut news = Vec::new();
        tokio::select! {
            1.. = self.news.recv_many(&mut news, NEWS) => {
                for certificate in &news {
                    self.due.extend(self.paths.of(certificate).cloned());
                }
            }
            Some(done) = self.deliveries.join_next() => self.delivered(done),
            () = at(retry) => self.retry(),
        }
    }

    /// Whether nothing is left to deliver.
    pub(super) fn is_idle(&self) -> bool {
        self.due.is_empty() && self.deliveries.is_empty()
    }

    /// Whether, beyond that, every server has been given at least once what it should have.
    pub(super) fn has_tried_all(&self) -> bool {
        self.is_idle() && !read(&self.units).values().any(|unit| unit.is_untried())
    }

    /// Whether, beyond that, there is no server that did not take its staple and may yet do so.
    pub(super) fn is_done(&self) -> bool {
        self.is_idle() && !read(&self.units).values().any(|unit| unit.may_heal())
    }

    /// Sees whether every server has what it should have, also where no news told so.
    pub(super) fn look_at_all(&mut self) {
        let units = read(&self.units);
        let due = units.iter().filter(|(_, unit)| unit.is_due());
        self.due.extend(due.map(|(path, _)| path.clone()));
    }

    fn retry(&mut self) {
        let now = Instant::now();
        while self.retries.first().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, path)) = self.retries.pop_first() {
                self.due.insert(path);
            }
        }
    }

    fn deliver_due(&mut self) {
        while self.deliveries.len() < DELIVERIES && !self.due.is_empty() {
            let jobs = self.next_jobs();
            if !jobs.is_empty() {
                self.deliveries.spawn(deliver(jobs, self.hooks.notes()));
            }
        }
    }

    /// The first of what is due: many certificates, as long as nobody but the disk is waited for.
    fn next_jobs(&mut self) -> Vec<Job> {
        let mut jobs = Vec::new();
        let mut units = write(&self.units);
        while jobs.len() < TOGETHER
            && let Some(at) = self.due.pop_first()
        {
            let Some(unit) = units.get_mut(&at) else { continue };
            let alone = unit.has_sockets();
            if alone && !jobs.is_empty() {
                self.due.insert(at);
                break;
            }
            let Some((given, staple)) = unit.begin() else { continue };
            jobs.push(Job { targets: unit.targets(&at), at, given, staple });
            if alone {
                break;
            }
        }
        jobs
    }

    fn delivered(&mut self, done: Result<Vec<Done>, tokio::task::JoinError>) {
        match done {
            Ok(done) => done.into_iter().for_each(|done| self.done(done)),
            Err(error) => tracing::error!(%error, "a delivery ended early"),
        }
    }

    fn done(&mut self, done: Done) {
        let Done { at: path, given, delivered, announcement } = done;
        if let Some((hook, announcement, note)) = announcement {
            self.hooks.announce(&hook, announcement, note);
        }
        let mut units = write(&self.units);
        let Some(unit) = units.get_mut(&path) else { return };
        for one in &delivered.unfinished {
            // What is tried again and fails again is told once.
            if unit.unfinished().contains(one) {
                continue;
            }
            if let Some(error) = &one.error {
                tracing::error!(certificate = %path, "{error}");
            } else if one.waiting {
                tracing::info!(certificate = %path, "nobody listens at {} yet", one.target);
            }
        }
        match unit.end(given, delivered) {
            Next::Nothing => {}
            Next::Again => {
                self.due.insert(path);
            }
            Next::Retry(failures) => {
                let pause = RETRY_MIN.saturating_mul(1 << failures.min(6)).min(RETRY_MAX);
                self.retries.insert((Instant::now() + pause, path));
            }
        }
    }
}

/// Waits for that time; without one, for ever.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
