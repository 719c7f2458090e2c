//! The certificates of the configuration, and their changes, by looking at the files.
//!
//! Looking, and not `inotify`: what is behind a path changes by renaming, by links of links (certbot,
//! Kubernetes), on network file systems and under mounts, and of most of that the kernel tells
//! nothing. A look is one `stat` for each certificate. [`Sweep::next_in`] sees to it that looking
//! takes at most a fiftieth of the time, however many there are.
//!
//! A file that cannot be read as a certificate is not the end of the one that was there: it may be
//! half written. It is looked at again each time, and told of once. A file that is gone is missed
//! twice before it counts as gone, since some replace a link by taking it away first.

mod load;

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use certstatus_stapler::Fingerprint;

use super::config::Rule;
pub(super) use load::{Loaded, load};

/// What a look at the files brought.
#[derive(Debug)]
pub(super) enum Change {
    /// There is a certificate, new or in place of another.
    Found(PathBuf, Arc<Rule>, Box<Loaded>),
    /// A file is not, or no longer, a certificate. What it was before still counts.
    Unreadable(PathBuf, Arc<Rule>, String),
    /// A file has gone.
    Gone(PathBuf),
}

/// The certificates as they were at the last look.
#[derive(Debug)]
pub(super) struct Sweep {
    rules: Vec<Arc<Rule>>,
    seen: BTreeMap<PathBuf, Seen>,
    took: Duration,
}

#[derive(Debug)]
struct Seen {
    rule: Arc<Rule>,
    /// The files when they were read; `None` when they have to be read again.
    stamps: Option<[Option<Stamp>; 2]>,
    /// What was told of last.
    digest: Option<Fingerprint>,
    /// What was told of last that is wrong.
    wrong: Option<String>,
    missed: bool,
}

/// What tells a file from the one that was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().map(|metadata| Self::new(&metadata))
    }

    fn new(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Sweep {
    /// Nothing has been seen yet.
    pub(super) fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self {
            rules: rules.into_iter().map(Arc::new).collect(),
            seen: BTreeMap::new(),
            took: Duration::ZERO,
        }
    }

    /// Takes other rules. Certificates that are under a rule as before are not told of again.
    pub(super) fn replace_rules(&mut self, rules: impl IntoIterator<Item = Rule>) {
        self.rules = rules.into_iter().map(Arc::new).collect();
    }

    /// Has every certificate told of again at the next look.
    pub(super) fn tell_again(&mut self) {
        for seen in self.seen.values_mut() {
            (seen.stamps, seen.digest, seen.wrong) = (None, None, None);
        }
    }

    /// How long to wait before the next look, when `interval` is wanted.
    pub(super) fn next_in(&self, interval: Duration) -> Duration {
        interval.max(self.took.saturating_mul(50))
    }

    /// Looks at all files. This blocks.
    pub(super) fn look(&mut self) -> Vec<Change> {
        let began = Instant::now();
        let mut changes = Vec::new();
        let paths = self.paths();
        self.seen.retain(|path, seen| {
            let gone = !paths.contains_key(path) && std::mem::replace(&mut seen.missed, true);
            if gone {
                changes.push(Change::Gone(path.clone()));
            }
            !gone
        });
        for (path, rule) in paths {
            let seen = self.seen.entry(path.clone()).or_insert_with(|| Seen::new(&rule));
            changes.extend(seen.look(path, rule));
        }
        self.took = began.elapsed();
        changes
    }

    /// The paths that the rules mean now. The first rule that means a path has it. A path without
    /// wildcards is meant whether there is a file or not.
    fn paths(&self) -> BTreeMap<PathBuf, Arc<Rule>> {
        let mut paths = BTreeMap::new();
        let mut mean = |path: PathBuf, rule: &Arc<Rule>| {
            paths.entry(path).or_insert_with(|| Arc::clone(rule));
        };
        for rule in &self.rules {
            if rule.path.is_glob() {
                // A pattern was checked when the configuration was read; what cannot be looked into
                // has nothing that could be read.
                let found =
                    glob::glob_with(rule.path.as_str(), SHELL).into_iter().flatten().flatten();
                found.filter(|path| !path.is_dir()).for_each(|path| mean(path, rule));
            } else {
                mean(PathBuf::from(rule.path.as_str()), rule);
            }
        }
        paths
    }
}

/// Wildcards as a shell has them: not for a leading dot, and not over a slash.
const SHELL: glob::MatchOptions = glob::MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

impl Seen {
    fn new(rule: &Arc<Rule>) -> Self {
        Self { rule: Arc::clone(rule), stamps: None, digest: None, wrong: None, missed: false }
    }

    fn look(&mut self, path: PathBuf, rule: Arc<Rule>) -> Option<Change> {
        self.missed = false;
        if *self.rule != *rule {
            (self.rule, self.stamps, self.digest) = (Arc::clone(&rule), None, None);
        }
        // The issuer's file counts: with another one the certificate has another issuer. Stamps are
        // taken before reading, so that what changes in between is read again.
        let stamps = [Stamp::of(&path), rule.issuer.as_deref().and_then(Stamp::of)];
        if self.stamps == Some(stamps) {
            return None;
        }
        match load(&path, rule.issuer.as_deref()) {
            Ok(loaded) => {
                self.stamps = Some(stamps);
                let was_wrong = self.wrong.take().is_some();
                let digest = loaded.digest;
                let changed = self.digest.replace(digest) != Some(digest);
                (changed || was_wrong).then(|| Change::Found(path, rule, Box::new(loaded)))
            }
            Err(failure) => {
                self.stamps = None;
                let why = failure.to_string();
                let new = self.wrong.as_ref() != Some(&why);
                self.wrong = Some(why.clone());
                new.then_some(Change::Unreadable(path, rule, why))
            }
        }
    }
}

#[cfg(test)]
mod tests;
