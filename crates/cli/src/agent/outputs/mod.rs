//! What is done with a staple: written to files, told to HAProxy, and announced to a command.
//!
//! Files come first: a server that is told to read again must find them. A file that is right
//! already is left alone, and then nobody is told. What fails is tried again by who calls.

mod file;
mod haproxy;
mod hook;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::config::{Hook, Mode, Owner, Rule, Socket};
use haproxy::Told;
pub(super) use hook::{Announcement, HookBoard, HookState, Hooks};

/// The servers that want the staple of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Targets {
    files: Box<[PathBuf]>,
    sockets: Box<[Socket]>,
    mode: Option<Mode>,
    owner: Option<Owner>,
    pub(super) hook: Option<Hook>,
    keep: bool,
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
    pub(super) fn new(rule: &Rule, certificate: &Path) -> Self {
        Self {
            files: rule.outputs().iter().map(|output| output.path_for(certificate)).collect(),
            sockets: rule.haproxy_socket.0.clone().into(),
            mode: rule.mode,
            owner: rule.owner,
            hook: rule.on_change.clone(),
            keep: rule.keep_stale,
        }
    }

    /// The same servers without the files that others write.
    pub(super) fn without(mut self, theirs: &BTreeSet<PathBuf>) -> Self {
        self.files = self.files.iter().filter(|file| !theirs.contains(*file)).cloned().collect();
        self
    }

    /// The files that are written.
    pub(super) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The files and sockets, for people.
    pub(super) fn names(&self) -> Vec<String> {
        let files = self.files.iter().map(|file| file.display().to_string());
        files.chain(self.sockets.iter().map(ToString::to_string)).collect()
    }

    /// Gives a staple to all of them.
    pub(super) async fn deliver(&self, staple: &[u8]) -> Vec<Delivery> {
        let mut deliveries = Vec::with_capacity(self.files.len() + self.sockets.len());
        for path in &self.files {
            let result = file::write(path, staple, self.mode, self.owner).await;
            deliveries.push(Delivery::new("file", path.display().to_string(), result));
        }
        for socket in &self.sockets {
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
        if self.keep {
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
