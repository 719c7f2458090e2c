//! What is kept of a certificate: as little as a refresh needs, since there may be a hundred thousand.
//!
//! Not its DER, but its serial number and fingerprint; issuer and responders are shared with all
//! certificates that have the same. The staple that is handed out stands in a slot that is read
//! without a lock; everything else is the worker's.

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwapOption, Guard};
use certstatus::message::CertStatus;
use certstatus::{Certificate, Error, Issuer, VerifiedResponse};
use rustls_pki_types::UnixTime;
use tokio::sync::{Notify, OwnedSemaphorePermit};

use crate::Fingerprint;
use crate::moment::Moment;
use crate::schedule::Life;

/// A certificate that is kept stapled.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: Fingerprint,
    pub(crate) label: Option<Arc<str>>,
    pub(crate) serial_number: Box<[u8]>,
    /// The last second in which the certificate is valid.
    pub(crate) not_after: UnixTime,
    pub(crate) must_staple: bool,
    /// The newest verified statement about the certificate, be it fit to be stapled or not.
    statement: ArcSwapOption<VerifiedResponse>,
    /// Counts what was put into the slot; 0 when nothing ever was.
    version: AtomicU64,
    /// Whether the first attempt has come to an end.
    settled: AtomicBool,
    removed: AtomicBool,
    /// Told whenever `version`, `settled` or `removed` changes.
    changed: Notify,
    state: Mutex<State>,
}

/// What only the worker and snapshots look at.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) source: Source,
    pub(crate) phase: Phase,
    /// Which of the responders is to be asked next.
    pub(crate) responder: u16,
    /// Whether the one alarm for this staple's end was given.
    pub(crate) alarmed: bool,
    pub(crate) failures: u32,
    /// How many of these were before the last staple ended: from then on the pauses begin anew.
    pub(crate) failures_before: u32,
    /// When the last staple ended, if there is none now.
    pub(crate) ended: Moment,
    pub(crate) attempted: Moment,
    /// When the next attempt is due.
    pub(crate) next: UnixTime,
    /// When the worker looks at the certificate again; what the timer queue has of it.
    pub(crate) wake: Moment,
    pub(crate) fresh_until: Moment,
    /// Until when this member holds the lease of the certificate, as far as it knows; `None` when it
    /// holds none.
    pub(crate) leased_until: Moment,
    /// Since when others were asking whenever this member would have; `None` when it was not kept
    /// waiting, or has a new staple since.
    pub(crate) left_since: Moment,
    /// The entity tag of what is in the slot.
    pub(crate) etag: Option<Box<str>>,
    /// Which of the responders gave it.
    pub(crate) etag_of: u16,
    /// A verified response whose time is still to come.
    pub(crate) upcoming: Option<Arc<VerifiedResponse>>,
    /// What went wrong in the last attempt that failed; `None` after one that did not.
    pub(crate) error: Option<Box<str>>,
}

impl State {
    /// Whether the certificate names a responder beyond the one whose turn it is.
    pub(crate) fn has_another_responder(&self) -> bool {
        usize::from(self.responder) + 1 < self.source.responders().len()
    }

    /// When the next attempt is due; `None` when there will be none.
    pub(crate) fn due(&self) -> Option<UnixTime> {
        (self.phase != Phase::Resting).then_some(self.next)
    }
}

/// From whom a response comes.
#[derive(Debug)]
pub(crate) enum Source {
    /// The issuer is not in the chain: it has to be fetched first. The DER of the certificate is kept
    /// until then.
    Unresolved(Arc<Unresolved>),
    /// One certificate of the chain bears the issuer's name; that it is the issuer is still to be
    /// proven, by [`prove`](crate::origin::prove).
    Claimed(Box<Claim>),
    /// Issuer and responders.
    Known(Arc<Origin>),
}

/// A certificate whose issuer is still to be found, or proven.
#[derive(Debug)]
pub(crate) struct Unresolved {
    pub(crate) certificate: Box<[u8]>,
    pub(crate) responders: Box<[Arc<Responder>]>,
}

/// An issuer that is still to be proven.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) unresolved: Arc<Unresolved>,
    pub(crate) origin: Arc<Origin>,
    /// One of [`CLAIMS`](crate::origin::CLAIMS).
    pub(crate) _place: OwnedSemaphorePermit,
}

/// Issuer and responders of certificates.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) issuer: Arc<IssuerCertificate>,
    pub(crate) responders: Box<[Arc<Responder>]>,
}

/// A responder: one value for each address.
#[derive(Debug)]
pub(crate) struct Responder {
    pub(crate) url: Box<str>,
    /// Its place among all responders of this stapler.
    pub(crate) index: usize,
}

/// The certificate of an issuer, which could be read when this was made.
#[derive(Debug)]
pub(crate) struct IssuerCertificate {
    der: Box<[u8]>,
    /// Its subject, for people.
    pub(crate) name: String,
}

impl IssuerCertificate {
    pub(crate) fn new(certificate: &Certificate<'_>) -> Self {
        Self { der: certificate.der().into(), name: certificate.subject().to_string() }
    }

    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    /// The issuer. Reading it again takes a microsecond; keeping what was read would borrow.
    pub(crate) fn issuer(&self) -> Result<Issuer<'_>, Error> {
        Certificate::parse(&self.der).map(|certificate| Issuer::from_certificate(&certificate))
    }
}

/// What the worker is doing about a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It waits for its place among those that are loaded from the store.
    Loading,
    /// Nothing, until the next attempt is due.
    Idle,
    /// It waits for its responder.
    Waiting,
    /// A responder is being asked.
    Asking,
    /// Nothing any more: it names no responder, or has expired.
    Resting,
}

/// What became of a response that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offered {
    /// It is the newest statement now.
    Published,
    /// It is kept until its time has come.
    Upcoming,
    /// What is there is as new, or better.
    NotNewer,
}

/// The facts of a new entry.
#[derive(Debug)]
pub(crate) struct NewEntry<'a> {
    pub(crate) certificate: &'a Certificate<'a>,
    pub(crate) label: Option<Arc<str>>,
    pub(crate) source: Source,
    pub(crate) now: UnixTime,
}

impl Entry {
    pub(crate) fn new(new: NewEntry<'_>) -> Self {
        let NewEntry { certificate, label, source, now } = new;
        Self {
            id: Fingerprint::of(certificate.der()),
            label,
            serial_number: certificate.serial_number().into(),
            not_after: certificate.not_after(),
            // An extension that cannot be read may have been the mark.
            must_staple: certificate.must_staple().unwrap_or(true),
            statement: ArcSwapOption::empty(),
            version: AtomicU64::new(0),
            settled: AtomicBool::new(false),
            removed: AtomicBool::new(false),
            changed: Notify::new(),
            state: Mutex::new(State {
                source,
                phase: Phase::Loading,
                responder: 0,
                alarmed: false,
                failures: 0,
                failures_before: 0,
                ended: Moment::NONE,
                attempted: Moment::NONE,
                next: now,
                wake: Moment::NONE,
                fresh_until: Moment::NONE,
                leased_until: Moment::NONE,
                left_since: Moment::NONE,
                etag: None,
                etag_of: 0,
                upcoming: None,
                error: None,
            }),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest statement, whatever it says and whether it holds or not.
    pub(crate) fn statement(&self) -> Guard<Option<Arc<VerifiedResponse>>> {
        self.statement.load()
    }

    /// Offers a verified response: what is newer takes the place of what is older. One whose time is
    /// still to come, by this clock, waits for it, unless the certificate is revoked meanwhile; and a
    /// staple that holds stays while the responder says that it does not know the certificate.
    pub(crate) fn offer(&self, response: VerifiedResponse, now: UnixTime) -> Offered {
        let mut state = self.state();
        let current = self.statement.load();
        if let Some(current) = current.as_ref().filter(|c| c.is_current(now) && now < c.expires()) {
            // Of two that are as new and disagree, the stricter one.
            let revoked = matches!(current.status(), CertStatus::Revoked(_));
            // A revocation with times that cannot be read is never too old: strictness hides none.
            let odd = !response.irregularities().is_empty() && !revoked;
            let enough = revoked || current.status() == response.status();
            let order = rank(&response).cmp(&rank(current));
            if !odd && (order.is_lt() || enough && order.is_eq()) {
                return Offered::NotNewer;
            }
            if response.status() == CertStatus::Unknown && is_staple(current, now) {
                return Offered::NotNewer;
            }
        }
        let status = response.status();
        if status == CertStatus::Good && begins(&response) > now {
            if state.upcoming.as_ref().is_none_or(|upcoming| rank(upcoming) < rank(&response)) {
                state.upcoming = Some(Arc::new(response));
            }
            return Offered::Upcoming;
        }
        state.upcoming.take_if(|upcoming| match status {
            CertStatus::Good => rank(upcoming) <= rank(&response),
            CertStatus::Revoked(_) => true,
            CertStatus::Unknown => false,
        });
        self.put(Some(Arc::new(response)), &mut state);
        Offered::Published
    }

    /// Puts the response whose time has come into the slot, if there is one, and returns it.
    pub(crate) fn promote(&self, now: UnixTime) -> Option<Arc<VerifiedResponse>> {
        let mut state = self.state();
        let response = state.upcoming.take_if(|response| begins(response) <= now)?;
        (state.alarmed, state.etag) = (false, None);
        self.put(Some(Arc::clone(&response)), &mut state);
        Some(response)
    }

    /// The entity tag of what is in the slot, if it came from that responder.
    pub(crate) fn etag(&self, responder: usize) -> Option<Box<str>> {
        let state = self.state();
        state.etag.clone().filter(|_| usize::from(state.etag_of) == responder)
    }

    /// Empties the slot if what is in it has expired, and returns that.
    pub(crate) fn expire(&self, now: UnixTime) -> Option<Arc<VerifiedResponse>> {
        let mut state = self.state();
        let expired = self.statement.load_full().filter(|s| s.expires() <= now)?;
        (state.etag, state.ended) = (None, expired.expires().into());
        (state.failures_before, state.left_since) = (state.failures, Moment::NONE);
        self.put(None, &mut state);
        Some(expired)
    }

    /// Who puts something into the slot has looked at what is there, and holds the state since then:
    /// nobody else's is lost in between.
    fn put(&self, statement: Option<Arc<VerifiedResponse>>, _: &mut State) {
        self.statement.store(statement);
        self.version.fetch_add(1, Ordering::Release);
        self.changed.notify_waiters();
    }

    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    pub(crate) fn settle(&self) {
        if !self.settled.swap(true, Ordering::AcqRel) {
            self.changed.notify_waiters();
        }
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Acquire) || self.is_removed()
    }

    pub(crate) fn mark_removed(&self) {
        self.removed.store(true, Ordering::Release);
        self.changed.notify_waiters();
    }

    pub(crate) fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Acquire)
    }

    /// Waits until `done` says so; it is asked again at every change.
    pub(crate) async fn wait_until(&self, done: impl Fn(&Self) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            if done(self) {
                return;
            }
            changed.await;
        }
    }

    /// The issuer's name, if it is known.
    pub(crate) fn issuer_name(&self) -> Option<String> {
        match &self.state().source {
            Source::Known(origin) => Some(origin.issuer.name.clone()),
            Source::Unresolved(_) | Source::Claimed(..) => None,
        }
    }
}

impl Source {
    pub(crate) fn responders(&self) -> &[Arc<Responder>] {
        match self {
            Self::Unresolved(unresolved) => &unresolved.responders,
            Self::Claimed(claim) => &claim.origin.responders,
            Self::Known(origin) => &origin.responders,
        }
    }
}

/// Whether the response may be stapled at `now` to a client without any tolerance, its status apart.
pub(crate) fn holds(response: &VerifiedResponse, now: UnixTime) -> bool {
    response.is_current(now) && begins(response) <= now && now < response.expires()
}

/// Whether it holds, and says that the certificate is good.
pub(crate) fn is_staple(response: &VerifiedResponse, now: UnixTime) -> bool {
    response.status() == CertStatus::Good && holds(response, now)
}

/// The first second in which a client without any tolerance accepts the response.
pub(crate) fn begins(response: &VerifiedResponse) -> UnixTime {
    response.this_update().max(response.produced_at())
}

/// What tells which of two responses is the newer one.
fn rank(response: &VerifiedResponse) -> (UnixTime, UnixTime) {
    (response.this_update(), response.expires())
}

/// The life of a response, for the schedule.
pub(crate) fn life(response: &VerifiedResponse) -> Life {
    Life { this_update: response.this_update(), expires: response.expires() }
}
