//! One file as it was seen last, in few bytes: there may be a hundred thousand.

use std::fs::Metadata;
use std::hash::{BuildHasher, Hash, RandomState};
use std::num::NonZeroU64;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use super::{Change, Loaded, Location};
use crate::agent::config::Rule;
use crate::failure::Failure;

/// What tells a file from the one that was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().map(|metadata| Self::new(&metadata))
    }

    pub(super) fn new(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// What stands for a longer value that is only ever compared with another: its hash, by a key of this
/// process. Two that differ are told apart but for one time in 2^64.
type Mark = NonZeroU64;

fn mark(hasher: &RandomState, value: impl Hash) -> Mark {
    Mark::new(hasher.hash_one(value)).unwrap_or(Mark::MIN)
}

/// The stamps of a certificate's file and of its issuer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamps(Mark);

impl Stamps {
    pub(super) fn new(hasher: &RandomState, own: Option<Stamp>, issuer: Option<Stamp>) -> Self {
        Self(mark(hasher, (own, issuer)))
    }
}

/// A file that is, or was, there.
#[derive(Debug)]
pub(super) struct Seen {
    rule: Arc<Rule>,
    /// The files when they were read; `None` when they have to be read again.
    stamps: Option<Stamps>,
    /// What was told of last: the certificate, or what is wrong with it.
    told: Option<Mark>,
    /// The look that has met it last.
    pub(super) odd: bool,
    missed: bool,
}

impl Seen {
    pub(super) fn new(rule: &Arc<Rule>, odd: bool) -> Self {
        let rule = Arc::clone(rule);
        Self { rule, stamps: None, told: None, odd, missed: false }
    }

    /// Has it told of again, when it is met again.
    pub(super) fn forget(&mut self) {
        (self.stamps, self.told) = (None, None);
    }

    /// It is there in this look, under that rule. Gives whether it has to be read.
    pub(super) fn meet(&mut self, odd: bool, rule: &Arc<Rule>, stamps: Stamps) -> bool {
        (self.odd, self.missed) = (odd, false);
        if !Arc::ptr_eq(&self.rule, rule) {
            let same = *self.rule == **rule;
            self.rule = Arc::clone(rule);
            if !same {
                (self.stamps, self.told) = (None, None);
            }
        }
        self.stamps != Some(stamps)
    }

    /// Whether it was met under that rule.
    pub(super) fn is_under(&self, rule: &Arc<Rule>) -> bool {
        Arc::ptr_eq(&self.rule, rule) || *self.rule == **rule
    }

    /// Whether it is there could not be seen in this look.
    pub(super) fn keep(&mut self, odd: bool) {
        self.odd = odd;
    }

    /// It is not there in this look. Gives whether it was not in the one before either.
    pub(super) fn miss(&mut self, odd: bool) -> bool {
        self.odd = odd;
        std::mem::replace(&mut self.missed, true)
    }

    /// It was read. Gives what is to be told of.
    pub(super) fn read(
        &mut self,
        hasher: &RandomState,
        path: &Location,
        rule: &Arc<Rule>,
        stamps: Stamps,
        loaded: Result<Loaded, Failure>,
    ) -> Option<Change> {
        let loaded = loaded.map_err(|failure| failure.to_string());
        // What cannot be read is read again at each look.
        self.stamps = loaded.is_ok().then_some(stamps);
        let told = mark(hasher, loaded.as_ref().map(|loaded| loaded.digest));
        let new = self.told.replace(told) != Some(told);
        let (path, rule) = (path.clone(), Arc::clone(rule));
        new.then(|| match loaded {
            Ok(loaded) => Change::Found(path, rule, Box::new(loaded)),
            Err(why) => Change::Unreadable(path, rule, why),
        })
    }
}
