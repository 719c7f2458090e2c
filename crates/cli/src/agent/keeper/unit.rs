//! One certificate, and what its servers have been given.

use std::sync::Arc;

use certstatus::VerifiedResponse;
use certstatus_stapler::{StapleHandle, StapleState};

use crate::agent::certificates::Loaded;
use crate::agent::outputs::{Delivery, Targets};

/// The certificate at one path.
#[derive(Debug)]
pub(in crate::agent) struct Unit {
    pub(super) targets: Targets,
    /// The certificate; `None` until its file could be read once.
    pub(super) known: Option<Known>,
    /// Why the file cannot be read now.
    pub(super) wrong: Option<Box<str>>,
    /// How the last delivery went.
    outputs: Outputs,
    /// What the servers have.
    given: Given,
    /// Counts the handles that there have been: each counts its versions anew.
    generation: u32,
    /// A delivery is under way.
    busy: bool,
    /// How many deliveries in a row have failed, or found nobody.
    failures: u32,
}

/// A certificate that could be read.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) handle: StapleHandle,
    pub(super) subject: Box<str>,
}

impl Known {
    pub(super) fn new(handle: StapleHandle, loaded: &Loaded) -> Self {
        Self { handle, subject: loaded.subject.as_str().into() }
    }
}

/// How the last delivery went: of most there is nothing to remember but that it did.
#[derive(Debug)]
enum Outputs {
    /// There was none.
    None,
    /// Well: a staple was given, or taken away.
    Well { stapled: bool },
    /// Not well with every server, or not done yet.
    Failed(Box<[Delivery]>),
}

/// What servers were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// Nothing by this process; there may be something from before.
    Nothing,
    /// That version of the staple of that generation's handle.
    Staple(u32, u64),
    /// What they had was taken away, or they had nothing.
    Withdrawn,
}

/// What comes after a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Nothing,
    /// Something happened meanwhile.
    Again,
    /// It failed, that often in a row.
    Retry(u32),
}

impl Unit {
    pub(super) fn new(targets: Targets) -> Self {
        Self {
            targets,
            known: None,
            wrong: None,
            outputs: Outputs::None,
            given: Given::Nothing,
            generation: 0,
            busy: false,
            failures: 0,
        }
    }

    /// Takes another certificate, or the same from anew, and gives the one before.
    pub(super) fn replace(&mut self, known: Option<Known>) -> Option<Known> {
        self.generation = self.generation.wrapping_add(1);
        std::mem::replace(&mut self.known, known)
    }

    /// Takes what a rule wants now. Other servers have been given nothing yet.
    pub(super) fn retarget(&mut self, targets: Targets) {
        if self.targets != targets {
            self.given = Given::Nothing;
            self.outputs = Outputs::None;
        }
        self.targets = targets;
    }

    /// How the last delivery went with each server.
    pub(super) fn outputs(&self) -> Vec<Delivery> {
        match &self.outputs {
            Outputs::None => Vec::new(),
            Outputs::Well { stapled } => self.targets.all_well(*stapled),
            Outputs::Failed(deliveries) => deliveries.to_vec(),
        }
    }

    /// What went wrong in the last delivery.
    pub(super) fn failed(&self) -> impl Iterator<Item = &Delivery> {
        self.unfinished().iter().filter(|delivery| delivery.error.is_some())
    }

    /// The last delivery to each server, when there is something left to do.
    pub(super) fn unfinished(&self) -> &[Delivery] {
        match &self.outputs {
            Outputs::Failed(deliveries) => deliveries,
            _ => &[],
        }
    }

    /// Whether servers should have something else than they have.
    pub(super) fn is_due(&self) -> bool {
        !self.busy && self.wanted().is_some_and(|(given, _)| given != self.given)
    }

    /// Whether servers should have something else that they have not been given even once.
    pub(super) fn is_untried(&self) -> bool {
        self.failures == 0 && self.is_due()
    }

    /// What servers should have, if they do not have it: a staple, or none. `None` when there is
    /// nothing to do, or a delivery is under way already.
    pub(super) fn begin(&mut self) -> Option<(Given, Option<Arc<VerifiedResponse>>)> {
        if self.busy {
            return None;
        }
        let (given, staple) = self.wanted()?;
        (given != self.given).then(|| {
            self.busy = true;
            (given, staple)
        })
    }

    /// What servers should have; `None` while that is not known.
    fn wanted(&self) -> Option<(Given, Option<Arc<VerifiedResponse>>)> {
        let handle = &self.known.as_ref()?.handle;
        // The version first: if the staple is a newer one already, it is given twice, and not missed.
        let version = handle.version();
        if let Some(staple) = handle.current() {
            return Some((Given::Staple(self.generation, version), Some(staple)));
        }
        (handle.state() != StapleState::Pending).then_some((Given::Withdrawn, None))
    }

    /// Whether a server did not take what it was given.
    pub(super) fn has_failed(&self) -> bool {
        self.failed().next().is_some()
    }

    /// A delivery has come to its end.
    pub(super) fn end(&mut self, given: Given, deliveries: Vec<Delivery>) -> Next {
        self.busy = false;
        let failed = deliveries.iter().any(|one| one.error.is_some() || one.waiting);
        self.outputs = match failed {
            true => Outputs::Failed(deliveries.into()),
            false => Outputs::Well { stapled: matches!(given, Given::Staple(..)) },
        };
        if failed {
            self.failures = self.failures.saturating_add(1);
            return Next::Retry(self.failures - 1);
        }
        self.failures = 0;
        self.given = given;
        match self.wanted() {
            Some((wanted, _)) if wanted != given => Next::Again,
            _ => Next::Nothing,
        }
    }
}
