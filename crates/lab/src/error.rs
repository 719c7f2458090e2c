//! What can go wrong while a lab is set up or used.

use std::path::PathBuf;

/// Why the lab could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// A key could not be made or loaded.
    #[error("a key of the kind {kind} could not be made: {reason}")]
    Key {
        /// The kind of key.
        kind: crate::KeyKind,
        /// What the cryptographic library said.
        reason: String,
    },
    /// A response could not be signed.
    #[error("the response could not be signed with a key of the kind {kind}")]
    Sign {
        /// The kind of key.
        kind: crate::KeyKind,
    },
    /// A certificate or a CRL could not be made.
    #[error("the {what} could not be made: {source}")]
    Certificate {
        /// What was being made.
        what: &'static str,
        /// What rcgen said.
        source: rcgen::Error,
    },
    /// A message or a certificate that the lab made cannot be read back.
    #[error("the lab cannot read what it made: {0}")]
    Core(#[from] certstatus::Error),
    /// The responder could not be started.
    #[error("the responder could not be started on 127.0.0.1: {0}")]
    Start(#[source] std::io::Error),
    /// A file could not be written.
    #[error("{} could not be written: {source}", .path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl LabError {
    pub(crate) fn certificate(what: &'static str) -> impl FnOnce(rcgen::Error) -> Self {
        move |source| Self::Certificate { what, source }
    }
}

/// A name that stands for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no {what} named {given:?}; the names are {known}")]
pub struct UnknownName {
    /// What was to be named.
    pub what: &'static str,
    /// What was given.
    pub given: String,
    /// Every name there is, separated by commas.
    pub known: String,
}

impl UnknownName {
    pub(crate) fn new(
        what: &'static str,
        given: &str,
        known: impl Iterator<Item = &'static str>,
    ) -> Self {
        Self { what, given: given.to_owned(), known: known.collect::<Vec<_>>().join(", ") }
    }
}
