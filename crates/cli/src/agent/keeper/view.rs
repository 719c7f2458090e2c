//! The certificates as the board shows them: one pass over them, and the facts of those alone that are
//! asked for.

use std::ops::Bound;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use certstatus::message::CertStatus;
use certstatus::time::Rfc3339;
use certstatus_stapler::{Snapshot, Standing, StapleState};
use rustls_pki_types::UnixTime;

use super::unit::{Known, Unit};
use super::{Units, read};
use crate::agent::board::{Brief, Order, Part, Query, Sort, StapleFacts, State, Tally, short_name};
use crate::agent::certificates::Location;
use crate::agent::outputs::{HookBoard, HookState};
use crate::report::facts::{Time, seconds_until, sentence, status_name};

/// So many attempts in a row fail before a staple that holds is called late: a responder that
/// hiccups once is no matter for a person.
const HICCUPS: u32 = 2;

/// How many certificates are looked at under one lock: the keeper waits a millisecond at most.
const STRETCH: usize = 1024;

/// Looks at the certificates while the keeper works. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::agent) struct View {
    units: Arc<RwLock<Units>>,
    hooks: HookBoard,
}

/// Where a certificate stands among those that are shown.
struct Place {
    /// What they are sorted by: a number, or the name.
    number: u64,
    name: Box<str>,
    /// When its staple ends; 0 without one.
    expires: u64,
    path: Location,
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
        let mut staples = Vec::new();
        self.walk(|path, unit| staples.push(facts(path, unit, now)));
        staples
    }

    /// All certificates in numbers.
    pub(in crate::agent) fn tally(&self, now: UnixTime, alarm: Duration) -> Tally {
        let mut tally = Tally::new(now, alarm);
        self.walk(|path, unit| tally.count(&brief(unit, now), || facts(path, unit, now)));
        tally
    }

    /// All certificates in numbers, and those that are asked for. This takes as long as there are
    /// many: for a thread that may.
    pub(in crate::agent) fn part(
        &self,
        query: &Query,
        now: UnixTime,
        alarm: Duration,
    ) -> (Tally, Part) {
        let (words, mut text) = (query.words(), String::new());
        let mut tally = Tally::new(now, alarm);
        let (mut matching, mut found) = (0, Vec::new());
        self.walk(|path, unit| {
            let one = brief(unit, now);
            tally.count(&one, || facts(path, unit, now));
            let wanted = query.state.is_none_or(|state| state == one.state);
            if !wanted || !words.is_empty() && !has_words(path, unit, &words, now, &mut text) {
                return;
            }
            matching += 1;
            if query.after.as_deref().is_none_or(|after| after < path.as_str()) {
                found.push(Place::new(query.sort, path, unit, &one));
            }
        });
        let more = found.len() > query.offset.saturating_add(query.limit);
        let chosen = choose(found, query);
        let next = chosen.last().filter(|_| more && !query.is_sorted());
        let next = next.map(|place| place.path.to_string());
        let units = read(&self.units);
        let staples = chosen.iter().filter_map(|place| {
            // It may have gone meanwhile.
            units.get(&place.path).map(|unit| facts(&place.path, unit, now))
        });
        (tally, Part { matching, next, staples: staples.collect() })
    }

    /// How many certificates there are, and how many of them have come to the end of their first
    /// attempt, whatever that was.
    pub(in crate::agent) fn settled(&self) -> (usize, usize) {
        let (mut all, mut pending) = (0, 0);
        self.walk(|_, unit| {
            let known = unit.known.as_ref();
            let state = known.map(|known| known.handle.state());
            all += 1;
            pending += usize::from(state == Some(StapleState::Pending));
        });
        (all, all - pending)
    }

    /// How many certificates a responder is to be asked about now.
    pub(in crate::agent) fn refreshing(&self, now: UnixTime) -> usize {
        let mut due = 0;
        self.walk(|_, unit| {
            let known = unit.known.as_ref();
            let next = known.and_then(|known| known.handle.standing().next_attempt);
            due += usize::from(next.is_some_and(|next| next <= now));
        });
        due
    }

    /// Shows every certificate, in the order of their paths, and lets the keeper work in between:
    /// of one that comes or goes meanwhile it is open whether it is shown.
    fn walk(&self, mut show: impl FnMut(&Location, &Unit)) {
        let mut last: Option<Location> = None;
        loop {
            let from = last.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
            let units = read(&self.units);
            let mut stretch = 0;
            let mut end = None;
            for (path, unit) in units.range::<Location, _>((from, Bound::Unbounded)).take(STRETCH) {
                show(path, unit);
                (stretch, end) = (stretch + 1, Some(path));
            }
            if stretch < STRETCH {
                return;
            }
            last = end.cloned();
        }
    }
}

impl Place {
    fn new(sort: Sort, path: &Location, unit: &Unit, one: &Brief) -> Self {
        let expires = one.expires.filter(|_| one.stapled).map_or(0, |expires| expires.as_secs());
        let number = match sort {
            Sort::Path | Sort::Name => 0,
            // What needs a human is the greater state.
            Sort::State => u64::from(u8::MAX - one.state as u8),
            Sort::Left => expires,
            Sort::Refresh => one.refresh_at.map_or(u64::MAX, |next| next.as_secs()),
        };
        let name = match sort {
            Sort::Name => {
                let subject = unit.known.as_ref().map_or("", |known| &known.subject);
                short_name(subject, path.path()).to_lowercase().into()
            }
            _ => Box::default(),
        };
        Self { number, name, expires, path: path.clone() }
    }
}

/// Those of the answer, in their order.
fn choose(mut found: Vec<Place>, query: &Query) -> Vec<Place> {
    let end = query.offset.saturating_add(query.limit).min(found.len());
    let compare = |a: &Place, b: &Place| {
        let first = (a.number, &a.name).cmp(&(b.number, &b.name));
        let first = if query.order == Order::Desc { first.reverse() } else { first };
        first.then_with(|| a.expires.cmp(&b.expires)).then_with(|| a.path.cmp(&b.path))
    };
    match (query.sort, query.order) {
        // So they were found.
        (Sort::Path, Order::Asc) => {}
        (Sort::Path, Order::Desc) => found.reverse(),
        _ => {
            if end < found.len() {
                found.select_nth_unstable_by(end, compare);
                found.truncate(end);
            }
            found.sort_unstable_by(compare);
        }
    }
    found.truncate(end);
    found.drain(..query.offset.min(end));
    found
}

/// How it stands with that certificate.
fn brief(unit: &Unit, now: UnixTime) -> Brief {
    let undelivered = unit.failed().next().is_some();
    let Some(known) = &unit.known else {
        return Brief {
            state: State::Unreadable,
            troubled: true,
            stapled: false,
            must_staple: false,
            this_update: None,
            expires: None,
            refresh_at: None,
        };
    };
    let standing = known.handle.standing();
    let state = state(&standing);
    Brief {
        state,
        troubled: state.needs_attention() || unit.wrong().is_some() || undelivered,
        stapled: standing.stapled,
        must_staple: standing.must_staple,
        this_update: standing.this_update,
        expires: standing.expires.filter(|expires| *expires > now),
        refresh_at: standing.next_attempt,
    }
}

/// Whether all those words, which are in small letters, are in what is shown of a certificate. `text`
/// is room to work in.
fn has_words(
    path: &Location,
    unit: &Unit,
    words: &[String],
    now: UnixTime,
    text: &mut String,
) -> bool {
    let has_all = |text: &str| words.iter().all(|word| text.contains(word.as_str()));
    text.clear();
    let mut add = |part: &str| {
        text.push('\n');
        match part.is_ascii() {
            true => text.extend(part.chars().map(|letter| letter.to_ascii_lowercase())),
            false => text.push_str(&part.to_lowercase()),
        }
    };
    add(path.as_str());
    add(unit.known.as_ref().map_or("", |known| &known.subject));
    add(unit.wrong().unwrap_or_default());
    unit.targets(path).files().iter().for_each(|file| add(&file.to_string_lossy()));
    unit.failed().filter_map(|failed| failed.error.as_deref()).for_each(&mut add);
    // Most are found by their names, and the rest costs more.
    let Some(known) = unit.known.as_ref().filter(|_| !has_all(text)) else {
        return has_all(text);
    };
    let snapshot = known.handle.snapshot();
    let note = note(&snapshot, state(&known.handle.standing()), now);
    let mut add = |part: &str| {
        text.push('\n');
        text.push_str(&part.to_lowercase());
    };
    add(&snapshot.serial);
    snapshot.responders.iter().for_each(|responder| add(responder));
    add(note.as_deref().unwrap_or_default());
    add(snapshot.error.as_deref().unwrap_or_default());
    has_all(text)
}

fn facts(path: &Location, unit: &Unit, now: UnixTime) -> StapleFacts {
    let certificate = path.to_string();
    let outputs = unit.outputs(path);
    match &unit.known {
        Some(known) => {
            let facts = stapled(known, now);
            let ignored = || {
                let staple = known.handle.current()?;
                unit.targets(path).ignored_by_haproxy(&staple)
            };
            StapleFacts {
                certificate,
                name: short_name(&known.subject, path.path()),
                note: facts.note.clone().or_else(ignored),
                outputs,
                file_error: unit.wrong().map(str::to_owned),
                ..facts
            }
        }
        None => StapleFacts {
            certificate,
            name: short_name("", path.path()),
            subject: String::new(),
            serial: String::new(),
            not_after: None,
            must_staple: false,
            state: State::Unreadable,
            note: unit.wrong().map(str::to_owned),
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
    let standing = known.handle.standing();
    let state = state(&standing);
    StapleFacts {
        certificate: String::new(),
        name: String::new(),
        subject: known.subject.as_ref().into(),
        note: note(&snapshot, state, now),
        state,
        stapled: standing.stapled,
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

fn state(standing: &Standing) -> State {
    match standing.state {
        StapleState::Good if standing.at_risk || standing.failures > HICCUPS => State::Late,
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

/// Why there is none although no attempt has failed. A responder that fails is asked about one
/// certificate at a time, and the others have not had their turn.
fn without_a_staple(snapshot: &Snapshot) -> &'static str {
    match snapshot.statement {
        Some(_) => "The staple has expired.",
        None => "No staple yet: it waits for its turn with the responder.",
    }
}

/// What is to be said of the state.
fn note(snapshot: &Snapshot, state: State, now: UnixTime) -> Option<String> {
    let failed = || snapshot.error.as_deref().map(said);
    match state {
        State::Fresh | State::Waiting => failed(),
        State::Late => failed().or_else(|| Some("No newer response comes.".to_owned())),
        State::Missing => failed().or_else(|| Some(without_a_staple(snapshot).to_owned())),
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
