//! From changes of files and news of the stapler to staples where servers find them.
//!
//! The [`Keeper`] is driven by one loop (`service` or `once`), which hands it what happens and never
//! waits for a server: deliveries run beside it, each certificate's one at a time. A certificate that
//! is renewed keeps the output of the old one until there is word about the new one, so that a
//! server that reads in between finds no less than before.

mod stapling;
mod unit;
mod view;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use certstatus_stapler::{Fingerprint, Stapler};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::certificates::{Change, Loaded};
use super::config::{Config, Rule};
use super::outputs::{Announcement, Delivery, Hooks, Targets};
use crate::failure::Failure;
use crate::report::facts::Time;

use stapling::start_stapler;
use unit::{Given, Known, Origin, Unit};
pub(super) use view::View;

/// How many deliveries are under way at a time: enough to hide a slow disk or socket, and few enough
/// to leave it to others.
const DELIVERIES: usize = 32;

/// After this a delivery that failed is tried again, doubling up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);

/// All certificates by the paths of their files.
pub(super) type Units = BTreeMap<PathBuf, Unit>;

/// Keeps every certificate's servers supplied.
#[derive(Debug)]
pub(super) struct Keeper {
    stapler: Stapler,
    /// The certificates of which there is news.
    news: UnboundedReceiver<Fingerprint>,
    units: Arc<RwLock<Units>>,
    /// Which paths have a certificate: a renewed one may be in two places for a while.
    paths: HashMap<Fingerprint, BTreeSet<PathBuf>>,
    pub(super) hooks: Hooks,
    deliveries: JoinSet<Done>,
    /// Paths whose turn to be delivered has not come.
    due: BTreeSet<PathBuf>,
    retries: BTreeSet<(Instant, PathBuf)>,
}

/// A delivery that has come to its end.
#[derive(Debug)]
struct Done {
    path: PathBuf,
    given: Given,
    deliveries: Vec<Delivery>,
    announcement: Announcement,
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
        Ok(Self {
            stapler,
            news,
            units: Arc::default(),
            paths: HashMap::new(),
            hooks: Hooks::new(config.hook.clone()),
            deliveries: JoinSet::new(),
            due: BTreeSet::new(),
            retries: BTreeSet::new(),
        })
    }

    /// What others may look at.
    pub(super) fn view(&self) -> View {
        View::new(Arc::clone(&self.units), self.hooks.board())
    }

    /// Takes another stapler in place of the one that there is, which is shut down first: they may
    /// have the same store. Every certificate has to be found again.
    ///
    /// # Errors
    /// When the new one cannot be had.
    pub(super) async fn restart(&mut self, config: &Config) -> Result<(), Failure> {
        self.stapler.shut_down().await;
        (self.stapler, self.news) = start_stapler(config)?;
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

    /// Takes what a look at the files brought.
    pub(super) fn apply(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Found(path, rule, loaded) => self.found(path, rule, *loaded),
                Change::Unreadable(path, rule, why) => self.unreadable(path, &rule, why),
                Change::Gone(path) => self.gone(&path),
            }
        }
    }

    fn found(&mut self, path: PathBuf, rule: Arc<Rule>, loaded: Loaded) {
        let targets = Targets::new(&rule, &path);
        let origin = Origin::new(&rule);
        self.forget_if_asked_elsewhere(&path, &origin, &loaded);
        let known = self.stapler.add(stapling::target(&path, &rule, &loaded));
        let known = known.map(|handle| Known::new(handle, &loaded, origin));
        let (known, wrong) = match known {
            Ok(known) => (Some(known), None),
            Err(error) => (None, Some(format!("It cannot be stapled for: {error}."))),
        };
        tracing::info!(
            certificate = %path.display(), serial = loaded.serial, "certificate found"
        );
        let new = known.as_ref().map(|known| known.handle.certificate());
        let before = {
            let mut units = write(&self.units);
            let unit = units.entry(path.clone()).or_insert_with(|| Unit::new(targets.clone()));
            unit.wrong = wrong;
            if unit.targets != targets {
                unit.retarget(targets);
            }
            unit.replace(known)
        };
        if let Some(before) = before.map(|known| known.handle.certificate())
            && Some(before) != new
        {
            self.forget(&before, &path);
        }
        if let Some(certificate) = new {
            self.paths.entry(certificate).or_default().insert(path.clone());
        }
        self.due.insert(path);
    }

    /// A certificate that is to be asked about elsewhere is a new one to the stapler.
    fn forget_if_asked_elsewhere(&mut self, path: &Path, origin: &Origin, loaded: &Loaded) {
        let before = read(&self.units).get(path).and_then(|unit| {
            let known = unit.known.as_ref()?;
            let same = loaded.is(&known.handle.certificate());
            (same && known.origin != *origin).then(|| known.handle.certificate())
        });
        if let Some(certificate) = before {
            self.forget(&certificate, path);
        }
    }

    fn unreadable(&mut self, path: PathBuf, rule: &Rule, why: String) {
        tracing::warn!(certificate = %path.display(), "{why}");
        let mut units = write(&self.units);
        let targets = Targets::new(rule, &path);
        let unit = units.entry(path).or_insert_with(|| Unit::new(targets));
        unit.wrong = Some(why);
    }

    /// A certificate that is wanted no more. Its files are taken away, unless another certificate
    /// writes them now.
    fn gone(&mut self, path: &Path) {
        tracing::info!(certificate = %path.display(), "certificate gone");
        let Some(unit) = write(&self.units).remove(path) else { return };
        if let Some(known) = &unit.known {
            self.forget(&known.handle.certificate(), path);
        }
        let theirs: BTreeSet<PathBuf> = read(&self.units)
            .values()
            .flat_map(|unit| unit.targets.files().iter().cloned())
            .collect();
        let targets = unit.targets.without(&theirs);
        let path = path.to_owned();
        self.deliveries.spawn(async move {
            let deliveries = targets.withdraw().await;
            let announcement = announcement(&path, &targets, None);
            Done { path, given: Given::Nothing, deliveries, announcement }
        });
    }

    /// That path has no longer that certificate. The last one that has it ends it.
    fn forget(&mut self, certificate: &Fingerprint, path: &Path) {
        let Some(paths) = self.paths.get_mut(certificate) else { return };
        paths.remove(path);
        if paths.is_empty() {
            self.paths.remove(certificate);
            self.stapler.remove(certificate);
        }
    }

    /// Waits until there is something to do, and does it.
    pub(super) async fn work(&mut self) {
        self.deliver_due();
        let retry = self.retries.first().map(|(at, _)| *at);
        tokio::select! {
            Some(certificate) = self.news.recv() => {
                if let Some(paths) = self.paths.get(&certificate) {
                    self.due.extend(paths.iter().cloned());
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

    /// Whether, beyond that, no server failed to take its staple.
    pub(super) fn is_done(&self) -> bool {
        self.is_idle() && !read(&self.units).values().any(Unit::has_failed)
    }

    /// Sees whether every server has what it should have, also where no news told so.
    pub(super) fn look_at_all(&mut self) {
        self.due.extend(read(&self.units).keys().cloned());
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
        while self.deliveries.len() < DELIVERIES
            && let Some(path) = self.due.pop_first()
        {
            let mut units = write(&self.units);
            let Some(unit) = units.get_mut(&path) else { continue };
            let Some((given, staple)) = unit.begin() else { continue };
            let targets = unit.targets.clone();
            drop(units);
            self.deliveries.spawn(async move {
                let deliveries = match &staple {
                    Some(staple) => targets.deliver(staple.der()).await,
                    None => targets.withdraw().await,
                };
                let announcement = announcement(&path, &targets, staple.as_deref());
                Done { path, given, deliveries, announcement }
            });
        }
    }

    fn delivered(&mut self, done: Result<Done, tokio::task::JoinError>) {
        let Done { path, given, deliveries, announcement } = match done {
            Ok(done) => done,
            Err(error) => {
                tracing::error!(%error, "a delivery ended early");
                return;
            }
        };
        let changed = deliveries.iter().any(|delivery| delivery.changed);
        let mut units = write(&self.units);
        let Some(unit) = units.get_mut(&path) else { return };
        for failed in &deliveries {
            // What is tried again and fails again is told once.
            if let Some(error) = &failed.error
                && !unit.outputs.contains(failed)
            {
                tracing::error!(certificate = %path.display(), "{error}");
            }
            if failed.waiting && !unit.outputs.contains(failed) {
                let target = &failed.target;
                tracing::info!(certificate = %path.display(), "nobody listens at {target} yet");
            }
        }
        match unit.end(given, deliveries) {
            unit::Next::Nothing => {}
            unit::Next::Again => {
                self.due.insert(path.clone());
            }
            unit::Next::Retry(failures) => {
                let pause = RETRY_MIN.saturating_mul(1 << failures.min(6)).min(RETRY_MAX);
                self.retries.insert((Instant::now() + pause, path.clone()));
            }
        }
        if let Some(hook) = unit.targets.hook.as_ref().filter(|_| changed) {
            self.hooks.announce(hook, announcement);
        }
    }
}

fn announcement(
    path: &Path,
    targets: &Targets,
    staple: Option<&certstatus::VerifiedResponse>,
) -> Announcement {
    Announcement {
        certificate: path.display().to_string(),
        outputs: targets.files().iter().map(|file| file.display().to_string()).collect(),
        status: staple.map_or("none", |s| crate::report::facts::status_name(s.status())),
        expires: staple.map(|staple| Time(staple.expires())),
    }
}

/// Waits for that time; without one, for ever.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
