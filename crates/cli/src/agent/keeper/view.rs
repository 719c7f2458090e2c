//! The certificates as the board shows them.

use std::path::Path;
use std::sync::{Arc, RwLock};

use certstatus::message::CertStatus;
use certstatus::time::Rfc3339;
use certstatus_stapler::{Snapshot, StapleState};
use rustls_pki_types::UnixTime;

use super::unit::{Known, Unit};
use super::{Units, read};
use crate::agent::board::{StapleFacts, State};
use crate::agent::outputs::{HookBoard, HookState};
use crate::report::facts::{Time, seconds_until, sentence, status_name};

/// So many attempts in a row fail before a staple that holds is called late: a responder that
/// hiccups once is no matter for a person.
const HICCUPS: u32 = 2;

/// Looks at the certificates while the keeper works. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::agent) struct View {
    units: Arc<RwLock<Units>>,
    hooks: HookBoard,
}

impl View {
    pub(super) fn new(units: Arc<RwLock<Units>>, hooks: HookBoard) -> Self {
        Self { units, hooks }
    }

    /// How the commands went.
    pub(in crate::agent) fn hooks(&self) -> Vec<HookState> {
        self.hooks.states()
    }

    /// Every certificate, by its path.
    pub(in crate::agent) fn staples(&self, now: UnixTime) -> Vec<StapleFacts> {
        read(&self.units).iter().map(|(path, unit)| facts(path, unit, now)).collect()
    }

    /// How many certificates there are, and how many of them have come to the end of their first
    /// attempt, whatever that was.
    pub(in crate::agent) fn settled(&self) -> (usize, usize) {
        let units = read(&self.units);
        let pending = |unit: &&Unit| {
            unit.known.as_ref().is_some_and(|known| known.handle.state() == StapleState::Pending)
        };
        (units.len(), units.len() - units.values().filter(pending).count())
    }

    /// How many certificates a responder is to be asked about now.
    pub(in crate::agent) fn refreshing(&self, now: UnixTime) -> usize {
        let due = |unit: &&Unit| {
            let next = unit.known.as_ref().and_then(|known| known.handle.snapshot().next_attempt);
            next.is_some_and(|next| next <= now)
        };
        read(&self.units).values().filter(due).count()
    }
}

fn facts(path: &Path, unit: &Unit, now: UnixTime) -> StapleFacts {
    let certificate = path.display().to_string();
    let outputs = unit.outputs.to_vec();
    match &unit.known {
        Some(known) => StapleFacts {
            certificate,
            outputs,
            file_error: unit.wrong.clone(),
            ..stapled(known, now)
        },
        None => StapleFacts {
            certificate,
            subject: String::new(),
            serial: String::new(),
            not_after: None,
            must_staple: false,
            state: State::Unreadable,
            note: unit.wrong.clone(),
            stapled: false,
            status: None,
            this_update: None,
            next_update: None,
            expires: None,
            seconds_left: None,
            refresh_at: None,
            responders: Vec::new(),
            failures: 0,
            error: None,
            file_error: None,
            outputs,
        },
    }
}

fn stapled(known: &Known, now: UnixTime) -> StapleFacts {
    let snapshot = known.handle.snapshot();
    let statement = snapshot.statement.filter(|statement| statement.expires > now);
    let state = state(&snapshot);
    StapleFacts {
        certificate: String::new(),
        subject: known.subject.as_ref().into(),
        note: note(&snapshot, state, now),
        state,
        stapled: known.handle.current().is_some(),
        status: statement.map(|statement| status_name(statement.status)),
        this_update: statement.map(|statement| Time(statement.this_update)),
        next_update: statement.and_then(|statement| statement.next_update).map(Time),
        expires: statement.map(|statement| Time(statement.expires)),
        seconds_left: statement.map(|statement| seconds_until(statement.expires, now)),
        refresh_at: snapshot.next_attempt.map(Time),
        responders: snapshot.responders.iter().map(ToString::to_string).collect(),
        failures: snapshot.failures,
        error: snapshot.error.as_deref().map(said),
        serial: snapshot.serial,
        not_after: Some(Time(snapshot.not_after)),
        must_staple: snapshot.must_staple,
        file_error: None,
        outputs: Vec::new(),
    }
}

fn state(snapshot: &Snapshot) -> State {
    match snapshot.state {
        StapleState::Good if snapshot.at_risk || snapshot.failures > HICCUPS => State::Late,
        StapleState::Good => State::Fresh,
        StapleState::Pending => State::Waiting,
        StapleState::Revoked => State::Revoked,
        StapleState::Unknown => State::Unknown,
        StapleState::NoResponder => State::NoResponder,
        StapleState::CertificateExpired => State::Expired,
        // Also what a later version of the stapler may tell apart.
        _ => State::Missing,
    }
}

/// What went wrong, as a sentence. One that begins with an address keeps its first letter.
fn said(error: &str) -> String {
    let begins_with_address = error.split(' ').next().is_some_and(|word| word.contains("://"));
    if begins_with_address { format!("{error}.") } else { sentence(error) }
}

/// What is to be said of the state.
fn note(snapshot: &Snapshot, state: State, now: UnixTime) -> Option<String> {
    let failed = || snapshot.error.as_deref().map(said);
    match state {
        State::Fresh | State::Waiting => failed(),
        State::Late => failed().or_else(|| Some("No newer response comes.".to_owned())),
        State::Missing => failed().or_else(|| Some("The staple has expired.".to_owned())),
        State::Revoked => Some(match snapshot.statement.map(|statement| statement.status) {
            Some(CertStatus::Revoked(info)) => {
                let reason = info.revocation_reason;
                let reason = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
                format!("Revoked at {}{reason}.", Rfc3339(info.revocation_time))
            }
            _ => "Revoked.".to_owned(),
        }),
        State::Unknown => Some("The responder does not know the certificate.".to_owned()),
        State::NoResponder => Some("The certificate names no responder.".to_owned()),
        State::Expired => {
            let ended = Rfc3339(snapshot.not_after);
            (now > snapshot.not_after).then(|| format!("The certificate expired at {ended}."))
        }
        State::Unreadable => None,
    }
}
