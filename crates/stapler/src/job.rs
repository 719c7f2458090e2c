//! The work that waits for others: loading a response from the store, asking one responder once.
//!
//! A job publishes what it verifies by itself, so that handshakes have it at once, and tells the
//! worker what became of it. It decides nothing about what comes next.

use std::sync::Arc;
use std::time::Duration;

use certstatus::message::CertStatus;
use certstatus::{Error, Stage, VerifiedResponse};
use rustls_pki_types::UnixTime;
use tokio::task::yield_now;
use tokio::time::Instant;

use crate::StoreError;
use crate::clock::later;
use crate::entry::{Entry, Offered, Origin, is_staple};
use crate::event::EventKind;
use crate::fetch::{self, AttemptError, Caching, HttpError, Query, Reply};
use crate::gate::Ended;
use crate::metrics;
use crate::origin::{presumed, prove};
use crate::shared::Shared;
use crate::snapshot::risk_begins;
use crate::store::{LEASE, Lease, patience_with_others};

/// What became of asking a responder.
#[derive(Debug)]
pub(crate) enum Asked {
    /// It gave a verified statement.
    Answered { status: CertStatus, offered: Offered, caching: Caching },
    /// It has nothing but what is there already.
    NotModified(Caching),
    /// Another member had saved a newer response in the meantime; nobody was asked.
    TakenOver,
    /// Another member is asking; look again after that time.
    LeftToOthers(Duration),
    /// The issuer has to be found first, which must not take a place before the responder.
    NeedsIssuer,
    /// It did not serve.
    Failed {
        reason: String,
        /// What that says about the responder.
        ended: Ended,
        retry_after: Option<Duration>,
    },
}

impl Asked {
    /// It did not even come to a question.
    pub(crate) fn not_asked(reason: String) -> Self {
        Self::Failed { reason, ended: Ended::NotAsked, retry_after: None }
    }

    /// What came of the question, for the responder's gate.
    pub(crate) fn ended(&self) -> Ended {
        match self {
            Self::Answered { .. } | Self::NotModified(_) => Ended::Answered,
            Self::TakenOver | Self::LeftToOthers(_) | Self::NeedsIssuer => Ended::NotAsked,
            Self::Failed { ended, .. } => *ended,
        }
    }
}

/// Loads what the store has of these certificates, in one visit, and publishes what verifies. Returns
/// of each whether it was published.
pub(crate) async fn load_each(shared: &Shared, entries: &[Arc<Entry>]) -> Vec<bool> {
    let ids: Vec<_> = entries.iter().map(|entry| entry.id).collect();
    let mut found = shared.store.load_each(&ids).await.into_iter();
    let mut published = Vec::with_capacity(entries.len());
    for entry in entries {
        let newest = found.next().unwrap_or(Ok(None));
        published.push(loaded(shared, entry, newest).await);
        // A signature takes a tenth of a millisecond; others who live on this thread go between two.
        yield_now().await;
    }
    published
}

/// Loads what the store has of a certificate and publishes it if it verifies. Returns whether it was
/// published.
async fn load(shared: &Shared, entry: &Entry) -> bool {
    let newest = shared.store.load(&entry.id).await;
    loaded(shared, entry, newest).await
}

/// Publishes the newest that the store has, or else the older one, if it verifies.
async fn loaded(
    shared: &Shared,
    entry: &Entry,
    newest: Result<Option<Vec<u8>>, StoreError>,
) -> bool {
    // Without an issuer nothing can be verified.
    let Some(origin) = presumed(entry) else { return false };
    let taken = match take(shared, entry, &origin, newest).await {
        // What only claims to be the newest must not hide what is.
        Taken::Useless => {
            let older = shared.store.load_older(&entry.id).await;
            take(shared, entry, &origin, older).await
        }
        taken => taken,
    };
    // What the store did not prove, the issuer's signature does, or it is not the issuer. Here it is
    // checked on any core, and the worker need not wait.
    let _ = prove(shared, entry, None);
    taken == Taken::Published
}

/// What became of what a store had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Published,
    /// There is nothing, or nothing newer.
    Nothing,
    /// It does not verify, or says nothing.
    Useless,
}

/// Publishes what came from the store if it verifies.
async fn take(
    shared: &Shared,
    entry: &Entry,
    origin: &Origin,
    stored: Result<Option<Vec<u8>>, StoreError>,
) -> Taken {
    let stored = match stored {
        Ok(Some(stored)) => stored,
        Ok(None) => return Taken::Nothing,
        Err(error) => {
            store_failed(shared, entry, &error);
            return Taken::Nothing;
        }
    };
    let verified = verify_stored(shared, entry, origin, &stored);
    // Under another issuer than its own the best response is none: it is left alone until that is
    // known.
    if prove(shared, entry, verified.as_ref().ok()).is_err() {
        return Taken::Nothing;
    }
    match verified {
        // The responder may have learnt of it since, and is asked in any case.
        Ok(response) if response.status() == CertStatus::Unknown => Taken::Useless,
        Ok(response) => {
            let now = shared.clock.now();
            if entry.is_removed() || entry.offer(response.clone(), now) != Offered::Published {
                return Taken::Nothing;
            }
            adopt(shared, entry, &response).await;
            if let Some(news) = news(response, None) {
                shared.tell(entry, news);
            }
            Taken::Published
        }
        // It has expired while nobody was here. That is no damage: a fetch replaces it.
        Err(error) if error.stage() == Stage::Time => Taken::Useless,
        Err(error) => {
            set_aside(shared, entry, &error).await;
            Taken::Useless
        }
    }
}

fn verify_stored(
    shared: &Shared,
    entry: &Entry,
    origin: &Origin,
    stored: &[u8],
) -> Result<VerifiedResponse, Error> {
    let issuer = origin.issuer.issuer()?;
    let now = shared.clock.now();
    shared.verifier().trust_responders(&shared.trusted_responders()).verify_serial(
        stored,
        &entry.serial_number,
        &issuer,
        now,
    )
}

async fn set_aside(shared: &Shared, entry: &Entry, error: &Error) {
    match shared.store.set_aside(&entry.id).await {
        Ok(place) => {
            let place = place.map(Into::into);
            let reason = error.to_string().into();
            shared.tell(entry, EventKind::SetAside { reason, place });
        }
        Err(error) => store_failed(shared, entry, &error),
    }
}

fn store_failed(shared: &Shared, entry: &Entry, error: &StoreError) {
    shared.tell(entry, EventKind::StoreFailed { reason: error.to_string().into() });
}

/// Asks the responder at that place, under a lease where the store is shared.
pub(crate) async fn ask(shared: &Shared, entry: &Entry, responder: usize) -> Asked {
    if shared.store.is_shared() {
        if load(shared, entry).await {
            return Asked::TakenOver;
        }
        match shared.store.acquire(&entry.id, LEASE).await {
            Ok(Lease::Granted) => {
                metrics::lease("granted");
                entry.state().leased_until = later(shared.clock.now(), LEASE).into();
                // Who held it before may have saved since the look into the store.
                if load(shared, entry).await {
                    return Asked::TakenOver;
                }
            }
            Ok(Lease::Held { retry }) => {
                if shared.clock.now() < lease_counts_until(shared, entry) {
                    metrics::lease("held");
                    return Asked::LeftToOthers(retry);
                }
                metrics::lease("overruled");
            }
            // Without the store each member is on its own.
            Err(error) => {
                metrics::lease("failed");
                store_failed(shared, entry, &error);
            }
        }
    }
    let Ok(origin) = prove(shared, entry, None) else { return Asked::NeedsIssuer };
    ask_one(shared, entry, &origin, responder).await
}

/// Until when another's lease keeps this member from asking.
pub(crate) fn lease_counts_until(shared: &Shared, entry: &Entry) -> UnixTime {
    let since = entry.state().left_since.get().unwrap_or_else(|| shared.clock.now());
    let expires = entry.statement().as_ref().map(|statement| statement.expires());
    patience_with_others(since, expires, shared.seed(&entry.id))
}

async fn ask_one(shared: &Shared, entry: &Entry, origin: &Origin, responder: usize) -> Asked {
    let Some(url) = origin.responders.get(responder).map(|responder| &*responder.url) else {
        return Asked::not_asked("the certificate names no responder".to_owned());
    };
    let issuer = match origin.issuer.issuer() {
        Ok(issuer) => issuer,
        Err(e) => return Asked::not_asked(e.to_string()),
    };
    let now = shared.clock.now();
    // Near the end of a staple nobody's word is taken that there is no newer one: a cache that is
    // mistaken would be believed until there is none.
    // And that the certificate is unknown may have changed at any time.
    let has_time =
        entry.statement().as_ref().is_some_and(|s| is_staple(s, now) && now < risk_begins(s));
    let etag = entry.etag(responder).filter(|_| has_time);
    let query = Query {
        serial_number: &entry.serial_number,
        issuer: &issuer,
        provider: &shared.provider,
        post: shared.post,
        nonce: shared.nonce,
        hash: shared.hash,
        trusted_responders: &shared.trusted_responders(),
        freshness: shared.freshness,
        etag: etag.as_deref(),
        now,
    };
    let begun = Instant::now();
    let reply = fetch::ask(&*shared.transport, &query, url).await;
    metrics::fetched(url, outcome_name(&reply), begun.elapsed());
    match reply {
        Ok(Reply::Fetched(fetched)) => {
            publish(shared, entry, fetched.verified, fetched.caching, url).await
        }
        Ok(Reply::NotModified(caching)) => Asked::NotModified(caching),
        Err(error) => {
            let reason = error.describe(url);
            let (ended, retry_after) = match error {
                AttemptError::Http(error) if error.is_outage() => {
                    let asked_for = error.retry_after();
                    (Ended::Outage(asked_for.unwrap_or_default()), asked_for)
                }
                AttemptError::Http(error) => (Ended::Answered, error.retry_after()),
                AttemptError::Untrusted { .. } => (Ended::Answered, None),
                AttemptError::NoRandomness => (Ended::NotAsked, None),
            };
            Asked::Failed { reason, ended, retry_after }
        }
    }
}

fn outcome_name(reply: &Result<Reply, AttemptError>) -> &'static str {
    match reply {
        Ok(Reply::Fetched(fetched)) => match fetched.verified.status() {
            CertStatus::Good => "good",
            CertStatus::Revoked(_) => "revoked",
            CertStatus::Unknown => "unknown",
        },
        Ok(Reply::NotModified(_)) => "not_modified",
        Err(AttemptError::Http(HttpError::Timeout { .. })) => "timeout",
        Err(AttemptError::Http(_) | AttemptError::NoRandomness) => "unreachable",
        Err(AttemptError::Untrusted { error: Error::Unsuccessful(_), .. }) => "refused",
        Err(AttemptError::Untrusted { .. }) => "untrusted",
    }
}

async fn publish(
    shared: &Shared,
    entry: &Entry,
    response: VerifiedResponse,
    caching: Caching,
    url: &str,
) -> Asked {
    let now = shared.clock.now();
    let status = response.status();
    if response.expires() <= now {
        let reason = format!("{url}: the response expires with its arrival");
        return Asked::Failed { reason, ended: Ended::Answered, retry_after: None };
    }
    if entry.is_removed() {
        return Asked::Answered { status, offered: Offered::NotNewer, caching };
    }
    let offered = entry.offer(response.clone(), now);
    if offered == Offered::Published {
        keep(shared, entry, &response).await;
        if let Some(news) = news(response, Some(url)) {
            shared.tell(entry, news);
        }
    }
    Asked::Answered { status, offered, caching }
}

/// What there is to tell of a response that has just taken its place, from that responder or from the
/// store. That the certificate is unknown is told at each attempt, and not here.
fn news(response: VerifiedResponse, responder: Option<&str>) -> Option<EventKind> {
    let (status, response) = (response.status(), Arc::new(response));
    match status {
        CertStatus::Good => {
            Some(EventKind::Stapled { response, responder: responder.map(Into::into) })
        }
        CertStatus::Revoked(_) => Some(EventKind::Revoked { response }),
        CertStatus::Unknown => None,
    }
}

/// Drops what the store has of a certificate that has expired or been removed, unless there is a new
/// staple by now.
pub(crate) async fn forget(shared: &Shared, entry: &Entry) {
    let newest = || {
        let entry = shared.index.pin().get(&entry.id).map(Arc::clone);
        entry.and_then(|entry| entry.statement().as_ref().map(Arc::clone))
    };
    if newest().is_some() {
        return;
    }
    if let Err(error) = shared.store.remove(&entry.id).await {
        store_failed(shared, entry, &error);
    }
    // One that has come in this very moment was saved before that, perhaps.
    if let Some(response) = newest() {
        keep(shared, entry, &response).await;
    }
}

/// Puts a response into the store, or drops the one there: what lies in the store may be read by a
/// server that staples whatever it finds.
pub(crate) async fn keep(shared: &Shared, entry: &Entry, response: &VerifiedResponse) {
    let kept = match shared.is_kept(response) {
        true => shared.store.save(&entry.id, response).await,
        false => shared.store.remove(&entry.id).await,
    };
    if let Err(error) = kept {
        store_failed(shared, entry, &error);
    }
}

/// The same for a response that comes from the store.
async fn adopt(shared: &Shared, entry: &Entry, response: &VerifiedResponse) {
    let adopted = match shared.is_kept(response) {
        true => shared.store.adopt(&entry.id, response).await,
        false => shared.store.remove(&entry.id).await,
    };
    if let Err(error) = adopted {
        store_failed(shared, entry, &error);
    }
}
