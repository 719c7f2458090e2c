//! The certificates of the configuration, and their changes, by looking at the files.
//!
//! Looking, and not `inotify`: what is behind a path changes by renaming, by links of links (certbot,
//! Kubernetes), on network file systems and under mounts, and of most of that the kernel tells
//! nothing. A look is one `stat` for each certificate. [`Sweep::next_in`] sees to it that looking
//! takes at most a fiftieth of the time, however many there are. What is new is read by several
//! threads, and told of in batches as it is read, so that a hundred thousand certificates are never
//! in memory twice.
//!
//! A file that cannot be read as a certificate is not the end of the one that was there: it may be
//! half written. It is looked at again each time, and told of once. A file that is gone is missed
//! twice before it counts as gone, since some replace a link by taking it away first.

mod expand;
mod load;
mod location;
mod seen;

use std::collections::HashMap;
use std::fs::Metadata;
use std::hash::RandomState;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{Receiver, channel};

use super::config::Rule;
use expand::expand;
pub(super) use load::{Loaded, load};
pub(super) use location::Location;
use seen::{Seen, Stamp, Stamps};

/// How many certificates are told of at a time: some ten for each thread that reads them, and few enough
/// that what was read takes little memory until it is heard.
const BATCH: usize = 64;

/// How many batches wait for who is told.
const AHEAD: usize = 2;

/// What a look at the files brought.
#[derive(Debug)]
pub(super) enum Change {
    /// There is a certificate, new or in place of another.
    Found(Location, Arc<Rule>, Box<Loaded>),
    /// A file is not, or no longer, a certificate. What it was before still counts.
    Unreadable(Location, Arc<Rule>, String),
    /// A file has gone.
    Gone(Location),
}

/// What comes of a look that is under way.
#[derive(Debug)]
pub(super) enum Looked {
    /// So far.
    Changes(Vec<Change>),
    /// That was all.
    Done(Sweep),
}

/// The certificates as they were at the last look.
#[derive(Debug)]
pub(super) struct Sweep {
    rules: Vec<Arc<Rule>>,
    seen: HashMap<Location, Seen>,
    /// Makes stamps of what tells one file from another.
    hasher: RandomState,
    /// Tells what this look has met from what the one before had.
    odd: bool,
    /// How long the last look took, without reading what was new.
    took: Duration,
}

/// A file that has to be read.
#[derive(Debug)]
struct Unread {
    path: Location,
    rule: Arc<Rule>,
    stamps: Stamps,
}

impl Sweep {
    /// Nothing has been seen yet.
    pub(super) fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self {
            rules: rules.into_iter().map(Arc::new).collect(),
            seen: HashMap::new(),
            hasher: RandomState::new(),
            odd: false,
            took: Duration::ZERO,
        }
    }

    /// Takes other rules. Certificates that are under a rule as before are not told of again.
    pub(super) fn replace_rules(&mut self, rules: impl IntoIterator<Item = Rule>) {
        self.rules = rules.into_iter().map(Arc::new).collect();
    }

    /// Has every certificate told of again at the next look.
    pub(super) fn tell_again(&mut self) {
        self.seen.values_mut().for_each(Seen::forget);
    }

    /// How long to wait before the next look, when `interval` is wanted.
    pub(super) fn next_in(&self, interval: Duration) -> Duration {
        interval.max(self.took.saturating_mul(50))
    }

    /// Looks at all files in a thread of its own. The sweep comes back when that is done. This is to be
    /// called in a runtime; who drops the receiver ends the look.
    pub(super) fn look_aside(mut self) -> Receiver<Looked> {
        let (tell, looked) = channel(AHEAD);
        tokio::task::spawn_blocking(move || {
            self.look(&mut |changes| tell.blocking_send(Looked::Changes(changes)).is_ok());
            // Nobody waits for it any more when this fails.
            let _ = tell.blocking_send(Looked::Done(self));
        });
        looked
    }

    /// Looks at all files, and tells of changes in batches until `tell` says that it has heard enough.
    /// This blocks.
    pub(super) fn look(&mut self, tell: &mut dyn FnMut(Vec<Change>) -> bool) {
        let began = Instant::now();
        self.odd = !self.odd;
        let mut unread = Vec::new();
        for rule in self.rules.clone() {
            // The issuer's file counts: with another one the certificate has another issuer.
            let issuer = rule.issuer.as_deref().and_then(Stamp::of);
            if rule.path.is_glob() {
                let whole = expand(rule.path.as_str(), &mut |path| {
                    unread.extend(self.meet(path, &rule, issuer));
                });
                if !whole {
                    self.keep(&rule);
                }
            } else {
                // It is meant whether there is a file or not.
                unread.extend(self.meet(Path::new(rule.path.as_str()), &rule, issuer));
            }
        }
        // By their names, so that what is told does not hang on how a directory is laid out.
        unread.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let gone = self.gone();
        self.took = began.elapsed();
        if !gone.is_empty() && !tell(gone) {
            return;
        }
        for batch in unread.chunks(BATCH) {
            let changes: Vec<_> = self.read(batch);
            if !changes.is_empty() && !tell(changes) {
                return;
            }
        }
    }

    /// A path that a rule means. The first rule that means a path has it. Gives it when it has to be
    /// read.
    fn meet(&mut self, path: &Path, rule: &Arc<Rule>, issuer: Option<Stamp>) -> Option<Unread> {
        let name = path.to_string_lossy();
        let known = self.seen.get(&*name);
        let was_known = known.is_some();
        if known.is_some_and(|seen| seen.odd == self.odd) {
            return None;
        }
        // Stamps are taken before reading, so that what changes in between is read again.
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => Some(metadata),
            Err(error) => {
                let gone = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
                if !gone && let Some(seen) = self.seen.get_mut(&*name) {
                    seen.keep(self.odd);
                    return None;
                }
                None
            }
        };
        if rule.path.is_glob() && !is_file(path, metadata.as_ref(), was_known) {
            return None;
        }
        let stamps = Stamps::new(&self.hasher, metadata.as_ref().map(Stamp::new), issuer);
        let changed = match self.seen.get_mut(&*name) {
            Some(seen) => seen.meet(self.odd, rule, stamps),
            None => self.seen.insert(name.clone().into(), Seen::new(rule, self.odd)).is_none(),
        };
        // The copy of the path is the one that is kept.
        let (path, _) = changed.then(|| self.seen.get_key_value(&*name)).flatten()?;
        Some(Unread { path: path.clone(), rule: Arc::clone(rule), stamps })
    }

    /// Keeps the certificates of a rule that could not be looked up whole: a directory that cannot be read,
    /// or too many open files, says nothing about what is there.
    fn keep(&mut self, rule: &Arc<Rule>) {
        let odd = self.odd;
        let of_rule = self.seen.values_mut().filter(|seen| seen.is_under(rule));
        of_rule.for_each(|seen| seen.keep(odd));
    }

    /// Takes note of what was not met, and gives what has gone for good.
    fn gone(&mut self) -> Vec<Change> {
        let mut gone: Vec<Location> = Vec::new();
        self.seen.retain(|path, seen| {
            let stays = seen.odd == self.odd || !seen.miss(self.odd);
            if !stays {
                gone.push(path.clone());
            }
            stays
        });
        gone.sort_unstable();
        gone.into_iter().map(Change::Gone).collect()
    }

    /// Reads these files, by as many threads as there are cores, and gives what has changed.
    fn read(&mut self, batch: &[Unread]) -> Vec<Change> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let load = |one: &Unread| load(one.path.path(), one.rule.issuer.as_deref());
        let read: Vec<_> = std::thread::scope(|scope| {
            let parts = batch.chunks(batch.len().div_ceil(threads).max(1));
            let parts = parts
                .map(|part| scope.spawn(move || part.iter().map(|one| (one, load(one))).collect()));
            let parts: Vec<ScopedJoinHandle<'_, Vec<_>>> = parts.collect();
            // A thread that panicked has said so, and its files are read again at the next look.
            parts.into_iter().flat_map(|part| part.join().unwrap_or_default()).collect()
        });
        let mut changes = Vec::with_capacity(batch.len());
        for (Unread { path, rule, stamps }, loaded) in read {
            if let Some(seen) = self.seen.get_mut(path) {
                changes.extend(seen.read(&self.hasher, path, rule, *stamps, loaded));
            }
        }
        changes
    }
}

/// Whether a path that a pattern means is to be read as a certificate: what is there, be it a link that
/// leads nowhere, but no directory, unless it was a certificate once.
fn is_file(path: &Path, metadata: Option<&Metadata>, was: bool) -> bool {
    match metadata {
        Some(metadata) => was || !metadata.is_dir(),
        None => path.is_symlink(),
    }
}

#[cfg(test)]
mod tests;
