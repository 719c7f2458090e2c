//! One certificate, and what its servers have been given.

use std::sync::Arc;

use certstatus::VerifiedResponse;
use certstatus_stapler::{Fingerprint, StapleHandle, StapleState};

use crate::agent::certificates::{Loaded, Location};
use crate::agent::config::Rule;
use crate::agent::outputs::{Delivered, Delivery, Targets};

/// The certificate at one path.
#[derive(Debug)]
pub(in crate::agent) struct Unit {
    /// What names its servers.
    rule: Arc<Rule>,
    /// The certificate; `None` until its file could be read once.
    pub(super) known: Option<Known>,
    /// What is not as it should be.
    trouble: Option<Box<Trouble>>,
    /// What the servers have.
    given: Given,
    /// Counts the handles that there have been: each counts its versions anew.
    generation: u32,
    /// A delivery is under way.
    busy: bool,
}

/// What few certificates have.
#[derive(Debug, Default, PartialEq)]
struct Trouble {
    /// Why the file cannot be read now.
    wrong: Option<Box<str>>,
    /// How the last delivery went with each server, when it did not go well with all of them.
    unfinished: Box<[Delivery]>,
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

/// What servers were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// Nothing by this process; there may be something from before.
    Nothing,
    /// That version of the staple of that generation's handle.
    Staple(u32, u64),
    /// What they had was taken away, or they had nothing.
    Withdrawn,
    /// The same, because the certificate is revoked.
    Revoked,
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
    pub(super) fn new(rule: &Arc<Rule>) -> Self {
        Self {
            rule: Arc::clone(rule),
            known: None,
            trouble: None,
            given: Given::Nothing,
            generation: 0,
            busy: false,
        }
    }

    /// Whether it is that certificate.
    pub(super) fn is(&self, certificate: &Fingerprint) -> bool {
        self.known.as_ref().is_some_and(|known| known.handle.certificate() == *certificate)
    }

    /// Takes another certificate, or the same from anew, and gives the one before.
    pub(super) fn replace(&mut self, known: Option<Known>) -> Option<Known> {
        self.generation = self.generation.wrapping_add(1);
        std::mem::replace(&mut self.known, known)
    }

    /// Has its servers given again what they should have.
    pub(super) fn deliver_again(&mut self) {
        // A delivery that is under way ends with the generation before, and another one follows.
        self.generation = self.generation.wrapping_add(1);
        if !self.busy {
            self.given = Given::Nothing;
        }
    }

    /// What names its servers.
    pub(super) fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Takes another rule. Other servers have been given nothing yet.
    pub(super) fn follow(&mut self, rule: &Arc<Rule>, at: &Location) {
        if !Arc::ptr_eq(&self.rule, rule) && self.targets(at) != Targets::new(rule, at) {
            self.given = Given::Nothing;
            self.change_trouble(|trouble| trouble.unfinished = Box::default());
        }
        self.rule = Arc::clone(rule);
    }

    /// Whether there is an HAProxy to be told.
    pub(super) fn has_sockets(&self) -> bool {
        !self.rule.haproxy_socket.0.is_empty()
    }

    /// Its servers. They are found anew each time: a hundred thousand paths are not kept twice.
    pub(super) fn targets(&self, at: &Location) -> Targets {
        Targets::new(&self.rule, at)
    }

    /// How the last delivery went with each server.
    pub(super) fn outputs(&self, at: &Location) -> Vec<Delivery> {
        match self.given {
            _ if !self.unfinished().is_empty() => self.unfinished().to_vec(),
            Given::Nothing => Vec::new(),
            Given::Staple(..) => self.targets(at).all_well(true),
            Given::Withdrawn | Given::Revoked => self.targets(at).all_well(false),
        }
    }

    /// What went wrong in the last delivery.
    pub(super) fn failed(&self) -> impl Iterator<Item = &Delivery> {
        self.unfinished().iter().filter(|delivery| delivery.error.is_some())
    }

    /// The last delivery to each server, when there is something left to do.
    pub(super) fn unfinished(&self) -> &[Delivery] {
        self.trouble.as_ref().map_or(&[], |trouble| &trouble.unfinished)
    }

    /// Why the file cannot be read now.
    pub(super) fn wrong(&self) -> Option<&str> {
        self.trouble.as_ref()?.wrong.as_deref()
    }

    /// The file cannot be read, or can be read again.
    pub(super) fn set_wrong(&mut self, wrong: Option<Box<str>>) {
        self.change_trouble(|trouble| trouble.wrong = wrong);
    }

    fn change_trouble<T>(&mut self, change: impl FnOnce(&mut Trouble) -> T) -> T {
        let mut trouble = self.trouble.take().unwrap_or_default();
        let result = change(&mut trouble);
        self.trouble = Some(trouble).filter(|trouble| **trouble != Trouble::default());
        result
    }

    /// Whether servers should have something else than they have.
    pub(super) fn is_due(&self) -> bool {
        !self.busy && self.wanted().is_some_and(|(given, _)| given != self.given)
    }

    /// Whether servers should have something else that they have not been given even once.
    pub(super) fn is_untried(&self) -> bool {
        self.trouble.as_ref().is_none_or(|trouble| trouble.failures == 0) && self.is_due()
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
        match handle.state() {
            StapleState::Pending => None,
            StapleState::Revoked => Some((Given::Revoked, None)),
            _ => Some((Given::Withdrawn, None)),
        }
    }

    /// Whether a server did not take what it was given, and may take it when that is tried again.
    pub(super) fn may_heal(&self) -> bool {
        self.failed().any(|delivery| !delivery.lasting)
    }

    /// A delivery has come to its end.
    pub(super) fn end(&mut self, given: Given, delivered: Delivered) -> Next {
        self.busy = false;
        let before = self.change_trouble(|trouble| {
            trouble.unfinished = delivered.unfinished;
            let failures = match trouble.unfinished.is_empty() {
                true => 0,
                false => trouble.failures.saturating_add(1),
            };
            std::mem::replace(&mut trouble.failures, failures)
        });
        if !self.unfinished().is_empty() {
            return Next::Retry(before);
        }
        self.given = given;
        match self.wanted() {
            Some((wanted, _)) if wanted != given => Next::Again,
            _ => Next::Nothing,
        }
    }
}
