//! What is done with a staple: written to files, told to HAProxy, and announced to a command.
//!
//! Files come first: a server that is told to read again must find them. A file that is right
//! already is left alone, and then nobody is told. What fails is tried again by who calls.

mod file;
mod haproxy;
mod hook;
mod notes;

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use certstatus::VerifiedResponse;
use serde::Serialize;

use super::certificates::Location;
use super::config::{Hook, Rule};
use crate::failure::reason;
use haproxy::Told;
pub(super) use hook::{Announcement, HookBoard, HookState, Hooks};
pub(super) use notes::{Note, Notes};

/// The servers that want the staple of one certificate.
#[derive(Clone, Debug)]
pub(super) struct Targets {
    files: Box<[Box<Path>]>,
    /// What is the same for all certificates of the rule.
    rule: Arc<Rule>,
}

impl PartialEq for Targets {
    fn eq(&self, other: &Self) -> bool {
        let same = |a: &Rule, b: &Rule| {
            a.haproxy_socket == b.haproxy_socket
                && (a.mode, a.owner, a.keep_stale) == (b.mode, b.owner, b.keep_stale)
                && a.on_change == b.on_change
        };
        self.files == other.files
            && (Arc::ptr_eq(&self.rule, &other.rule) || same(&self.rule, &other.rule))
    }
}

/// How it went with one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Delivery {
    /// `file` or `haproxy`.
    pub(super) kind: &'static str,
    /// The path or the socket.
    pub(super) target: String,
    /// Whether a staple is there.
    pub(super) stapled: bool,
    /// Why what should be there, or gone, is not; null when it is as it should be.
    pub(super) error: Option<String>,
    /// Whether the server does not run: it reads the file when it starts.
    pub(super) waiting: bool,
    /// Whether somebody has to do something about the error: another try would end as this one.
    #[serde(skip)]
    pub(super) lasting: bool,
}

/// Why a server did not get what it was to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// As a sentence without its full stop.
    pub(super) why: String,
    /// Whether another try would end the same, as long as nobody does anything about it.
    pub(super) lasting: bool,
}

impl Refusal {
    /// What became of that.
    fn new(error: &io::Error, what: fmt::Arguments<'_>) -> Self {
        Self { why: format!("{what}: {}", reason(error)), lasting: is_lasting(error.kind()) }
    }
}

/// Whether a path, or who may do what with it, has to be put right. A disk that is full, a server that
/// is away or one that is slow may come round by itself, and so may what is not known here.
fn is_lasting(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::InvalidFilename
            | ErrorKind::InvalidInput
            | ErrorKind::IsADirectory
            | ErrorKind::NotADirectory
            | ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::Unsupported
    )
}

/// How it went with all servers of a certificate.
#[derive(Debug)]
pub(super) struct Delivered {
    /// Whether something is there now that was not there before.
    pub(super) changed: bool,
    /// How it went with each of them; nothing when it went well with all.
    pub(super) unfinished: Box<[Delivery]>,
}

/// How it went with each of the files: whether something is there that was not there before.
pub(super) type Written = Vec<Result<bool, Refusal>>;

impl Targets {
    /// What a rule wants for the certificate at that path.
    pub(super) fn new(rule: &Arc<Rule>, at: &Location) -> Self {
        let files = rule.outputs().iter().map(|output| output.path_for(at.path()).into());
        Self { files: files.collect(), rule: Arc::clone(rule) }
    }

    /// The same servers without the files that others write.
    pub(super) fn without(mut self, theirs: &BTreeSet<Box<Path>>) -> Self {
        self.files = self.files.iter().filter(|file| !theirs.contains(*file)).cloned().collect();
        self
    }

    /// The command that is told.
    pub(super) fn hook(&self) -> Option<&Hook> {
        self.rule.on_change.as_ref()
    }

    /// The files that are written.
    pub(super) fn files(&self) -> &[Box<Path>] {
        &self.files
    }

    /// Why HAProxy ignores a staple that it is given; `None` where HAProxy is not given it, or takes it.
    pub(super) fn ignored_by_haproxy(&self, staple: &VerifiedResponse) -> Option<String> {
        let is_haproxys = |file: &Path| file.extension().is_some_and(|end| end == "ocsp");
        let is_given = !self.rule.haproxy_socket.0.is_empty()
            || self.files.iter().any(|file| is_haproxys(file));
        is_given.then(|| haproxy::ignored(staple)).flatten()
    }

    /// The files and sockets, for people.
    pub(super) fn names(&self) -> Vec<String> {
        let files = self.files.iter().map(|file| file.display().to_string());
        files.chain(self.rule.haproxy_socket.0.iter().map(ToString::to_string)).collect()
    }

    /// How it went when everything went well: a staple was given to all of them, or taken away.
    pub(super) fn all_well(&self, stapled: bool) -> Vec<Delivery> {
        match (stapled, self.rule.keep_stale) {
            (true, _) => self.to_files(true).chain(self.to_sockets()).collect(),
            (false, false) => self.to_files(false).collect(),
            (false, true) => Vec::new(),
        }
    }

    fn to_files(&self, stapled: bool) -> impl Iterator<Item = Delivery> {
        self.files.iter().map(move |file| Delivery::well("file", file.display(), stapled))
    }

    fn to_sockets(&self) -> impl Iterator<Item = Delivery> {
        self.rule.haproxy_socket.0.iter().map(|socket| Delivery::well("haproxy", socket, true))
    }

    /// Whether the files are as [`Self::write`] would leave them. This waits for the disk.
    pub(super) fn is_in_place(&self, staple: Option<&[u8]>) -> bool {
        let Rule { mode, owner, keep_stale, .. } = &*self.rule;
        self.files.iter().all(|path| match staple {
            Some(staple) => file::is_right(path, staple, *mode, *owner),
            None => *keep_stale || !file::is_there(path),
        })
    }

    /// The first of the files that cannot be written as the directories are now.
    pub(super) fn problem(&self) -> Option<Refusal> {
        self.files.iter().find_map(|path| file::problem(path))
    }

    /// What [`Self::write`] gives when all is in place.
    pub(super) fn nothing_written(&self) -> Written {
        vec![Ok(false); self.files.len()]
    }

    /// Writes the staple to the files; without one, takes away what is there, unless it is to be kept:
    /// it has expired, or the certificate is revoked. This waits for the disk.
    pub(super) fn write(&self, staple: Option<&[u8]>) -> Written {
        let Rule { mode, owner, keep_stale, .. } = &*self.rule;
        let files = self.files.iter();
        match staple {
            Some(staple) => files.map(|path| file::write(path, staple, *mode, *owner)).collect(),
            None if *keep_stale => Vec::new(),
            None => files.map(|path| file::remove(path)).collect(),
        }
    }

    /// Tells each HAProxy of the staple, after the files were written, and gives how it all went. One
    /// that runs needs no telling that there is no staple any more, for it does not staple what has
    /// expired, and has no word for anything else.
    pub(super) async fn tell(&self, staple: Option<&[u8]>, written: Written) -> Delivered {
        let mut told = Vec::new();
        if let Some(staple) = staple {
            for socket in &self.rule.haproxy_socket.0 {
                told.push(haproxy::update(socket, staple).await);
            }
        }
        self.delivered(staple.is_some(), written, told)
    }

    fn delivered(
        &self,
        stapled: bool,
        written: Written,
        told: Vec<Result<Told, Refusal>>,
    ) -> Delivered {
        let is_done = |told: &Result<Told, Refusal>| matches!(told, Ok(Told::Taken));
        let changed = written.contains(&Ok(true)) || told.iter().any(is_done);
        if written.iter().all(Result::is_ok) && told.iter().all(is_done) {
            return Delivered { changed, unfinished: Box::default() };
        }
        let files = self.to_files(stapled).zip(written);
        let files = files.map(|(one, result)| match result {
            Ok(_) => one,
            Err(refusal) => one.failed(refusal),
        });
        let sockets = self.to_sockets().zip(told);
        let sockets = sockets.map(|(one, result)| match result {
            Ok(Told::Taken) => one,
            Ok(Told::NobodyThere) if !self.files.is_empty() => one.waiting(),
            Ok(Told::NobodyThere) => {
                let why = format!("nobody listens at {}: does HAProxy run?", one.target);
                one.failed(Refusal { why, lasting: false })
            }
            Err(refusal) => one.failed(refusal),
        });
        Delivered { changed, unfinished: files.chain(sockets).collect() }
    }
}

impl Delivery {
    fn well(kind: &'static str, target: impl ToString, stapled: bool) -> Self {
        let target = target.to_string();
        Self { kind, target, stapled, error: None, waiting: false, lasting: false }
    }

    fn failed(self, Refusal { why, lasting }: Refusal) -> Self {
        Self { stapled: false, error: Some(why), lasting, ..self }
    }

    /// Of an HAProxy that does not run.
    fn waiting(self) -> Self {
        Self { stapled: false, waiting: true, ..self }
    }
}
