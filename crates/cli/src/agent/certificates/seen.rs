//! One file as it was seen last, in few bytes: there may be a hundred thousand.

use std::fs::Metadata;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use certstatus_stapler::Fingerprint;

use super::{Change, Loaded};
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

/// The stamps of a certificate's file and of its issuer's as one hash, by a key of this process: two
/// that differ are told apart but for one time in 2^64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamps(u64);

impl Stamps {
    pub(super) fn new(hasher: &RandomState, own: Option<Stamp>, issuer: Option<Stamp>) -> Self {
        Self(hasher.hash_one((own, issuer)))
    }
}

/// A file that is, or was, there.
#[derive(Debug)]
pub(super) struct Seen {
    rule: Arc<Rule>,
    /// The files when they were read; `None` when they have to be read again.
    stamps: Option<Stamps>,
    /// What was told of last.
    digest: Option<Fingerprint>,
    /// What was told of last that is wrong.
    wrong: Option<Box<str>>,
    /// The look that has met it last.
    pub(super) odd: bool,
    missed: bool,
}

impl Seen {
    pub(super) fn new(rule: &Arc<Rule>, odd: bool) -> Self {
        let rule = Arc::clone(rule);
        Self { rule, stamps: None, digest: None, wrong: None, odd, missed: false }
    }

    /// Has it told of again, when it is met again.
    pub(super) fn forget(&mut self) {
        (self.stamps, self.digest, self.wrong) = (None, None, None);
    }

    /// It is there in this look, under that rule. Gives whether it has to be read.
    pub(super) fn meet(&mut self, odd: bool, rule: &Arc<Rule>, stamps: Stamps) -> bool {
        (self.odd, self.missed) = (odd, false);
        if !Arc::ptr_eq(&self.rule, rule) {
            let same = *self.rule == **rule;
            self.rule = Arc::clone(rule);
            if !same {
                (self.stamps, self.digest) = (None, None);
            }
        }
        self.stamps != Some(stamps)
    }

    /// It is not there in this look. Gives whether it was not in the one before either.
    pub(super) fn miss(&mut self, odd: bool) -> bool {
        self.odd = odd;
        std::mem::replace(&mut self.missed, true)
    }

    /// It was read. Gives what is to be told of.
    pub(super) fn read(
        &mut self,
        path: &Arc<Path>,
        rule: &Arc<Rule>,
        stamps: Stamps,
        loaded: Result<Loaded, Failure>,
    ) -> Option<Change> {
        match loaded {
            Ok(loaded) => {
                self.stamps = Some(stamps);
                let was_wrong = self.wrong.take().is_some();
                let digest = loaded.digest;
                let changed = self.digest.replace(digest) != Some(digest);
                (changed || was_wrong)
                    .then(|| Change::Found(Arc::clone(path), Arc::clone(rule), Box::new(loaded)))
            }
            Err(failure) => {
                self.stamps = None;
                let why = failure.to_string();
                let new = self.wrong.as_deref() != Some(&why);
                self.wrong = Some(why.as_str().into());
                new.then(|| Change::Unreadable(Arc::clone(path), Arc::clone(rule), why))
            }
        }
    }
}
