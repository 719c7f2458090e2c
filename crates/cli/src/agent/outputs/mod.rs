//! What is done with a staple: written to files, told to HAProxy, and announced to a command.
//!
//! Files come first: a server that is told to read again must find them. A file that is right
//! already is left alone, and then nobody is told. What fails is tried again by who calls.

mod file;
mod haproxy;
mod hook;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::config::{Hook, Rule};
use haproxy::Told;
pub(super) use hook::{Announcement, HookBoard, HookState, Hooks};

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
    /// Whether something is there now that was not there before.
    #[serde(skip)]
    pub(super) changed: bool,
}

impl Targets {
    /// What a rule wants for the certificate at that path.
    pub(super) fn new(rule: &Arc<Rule>, certificate: &Path) -> Self {
        let files = rule.outputs().iter().map(|output| output.path_for(certificate).into());
        Self { files: files.collect(), rule: Arc::clone(rule) }
    }

    /// The same servers without the files that others write.
    pub(super) fn without(mut self, theirs: &BTreeSet<Box<Path>>) -> Self {
        self.files = self.files.iter().filter(|file| !theirs.contains(*file)).cloned().collect();
        self
    }

    /// The rule that wants it.
    pub(super) fn rule(&self) -> &Rule {
        &self.rule
    }

    /// The command that is told.
    pub(super) fn hook(&self) -> Option<&Hook> {
        self.rule.on_change.as_ref()
    }

    /// The files that are written.
    pub(super) fn files(&self) -> &[Box<Path>] {
        &self.files
    }

    /// The files and sockets, for people.
    pub(super) fn names(&self) -> Vec<String> {
        let files = self.files.iter().map(|file| file.display().to_string());
        files.chain(self.rule.haproxy_socket.0.iter().map(ToString::to_string)).collect()
    }

    /// How it went when everything went well: a staple was given to all of them, or taken away.
    pub(super) fn all_well(&self, stapled: bool) -> Vec<Delivery> {
        let (error, waiting, changed) = (None::<String>, false, false);
        let well = |kind, target| Delivery {
            kind,
            target,
            stapled,
            error: error.clone(),
            waiting,
            changed,
        };
        let files = self.files.iter().map(|file| well("file", file.display().to_string()));
        let sockets = self.rule.haproxy_socket.0.iter().map(|s| well("haproxy", s.to_string()));
        match (stapled, self.rule.keep_stale) {
            (true, _) => files.chain(sockets).collect(),
            (false, false) => files.collect(),
            (false, true) => Vec::new(),
        }
    }

    /// Gives a staple to all of them.
    pub(super) async fn deliver(&self, staple: &[u8]) -> Vec<Delivery> {
        let Rule { mode, owner, haproxy_socket, .. } = &*self.rule;
        let mut deliveries = Vec::with_capacity(self.files.len() + haproxy_socket.0.len());
        for path in &self.files {
            let result = file::write(path, staple, *mode, *owner).await;
            deliveries.push(Delivery::new("file", path.display().to_string(), result));
        }
        for socket in &haproxy_socket.0 {
            let (result, socket) = (haproxy::update(socket, staple).await, socket.to_string());
            deliveries.push(match result {
                Ok(Told::Taken) => Delivery::new("haproxy", socket, Ok(true)),
                Ok(Told::NobodyThere) if !self.files.is_empty() => Delivery::waiting(socket),
                Ok(Told::NobodyThere) => {
                    let error = format!("nobody listens at {socket}: does HAProxy run?");
                    Delivery::new("haproxy", socket, Err(error))
                }
                Err(error) => Delivery::new("haproxy", socket, Err(error)),
            });
        }
        deliveries
    }

    /// Takes the staple away, unless it is to be kept: it has expired, or the certificate is
    /// revoked. A running HAProxy needs no telling, for it does not staple what has expired, and has
    /// no word for anything else.
    pub(super) async fn withdraw(&self) -> Vec<Delivery> {
        let mut deliveries = Vec::with_capacity(self.files.len());
        if self.rule.keep_stale {
            return deliveries;
        }
        for path in &self.files {
            let result = file::remove(path).await;
            let withdrawn = Delivery::new("file", path.display().to_string(), result);
            deliveries.push(Delivery { stapled: false, ..withdrawn });
        }
        deliveries
    }
}

impl Delivery {
    fn new(kind: &'static str, target: String, result: Result<bool, String>) -> Self {
        let changed = result == Ok(true);
        let (stapled, error) = (result.is_ok(), result.err());
        Self { kind, target, stapled, error, waiting: false, changed }
    }

    /// An HAProxy that does not run.
    fn waiting(target: String) -> Self {
        Self { waiting: true, stapled: false, ..Self::new("haproxy", target, Ok(false)) }
    }
}
