//! What handles, jobs and the worker share: how staples are come by, and the table of certificates.

use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasher;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use certstatus::message::{CertStatus, HashAlgorithm};
use certstatus::{Certificate, Freshness, VerifiedResponse, Verifier};
use rustls::crypto::CryptoProvider;
use rustls_pki_types::SignatureVerificationAlgorithm;
use tokio::sync::Semaphore;

use crate::Fingerprint;
use crate::clock::Clock;
use crate::entry::{Entry, IssuerCertificate, Origin, Responder};
use crate::event::{Event, EventKind, Severity};
use crate::fetch::{NonceMode, Transport, is_http};
use crate::store::Store;

/// What an observer of events is.
pub(crate) type OnEvent = dyn Fn(&Event) + Send + Sync;

pub(crate) struct Shared {
    pub(crate) provider: Arc<CryptoProvider>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) freshness: Freshness,
    pub(crate) nonce: NonceMode,
    pub(crate) post: bool,
    pub(crate) refresh_max: Duration,
    pub(crate) hash: HashAlgorithm,
    /// The DER of responders that are trusted by configuration.
    pub(crate) responders: Vec<Vec<u8>>,
    pub(crate) any_status: bool,
    /// Addresses of responders, and what is asked in their place.
    pub(crate) overrides: HashMap<String, String>,
    pub(crate) on_event: Option<Box<OnEvent>>,
    /// Sets this process apart from the other members of its fleet.
    pub(crate) member: std::hash::RandomState,
    pub(crate) index: papaya::HashMap<Fingerprint, Arc<Entry>>,
    pub(crate) known: Mutex<Known>,
    /// Visits to the store that are under way at the same time at most.
    pub(crate) loads: usize,
    /// The places of claims that are still to be proven.
    pub(crate) claims: Arc<Semaphore>,
}

/// What many certificates have in common, each once.
#[derive(Debug, Default)]
pub(crate) struct Known {
    responders: HashMap<Box<str>, Arc<Responder>>,
    issuers: HashMap<Fingerprint, Weak<IssuerCertificate>>,
    origins: HashMap<(Fingerprint, Box<[usize]>), Weak<Origin>>,
}

impl Known {
    pub(crate) fn responder(&mut self, url: &str) -> Arc<Responder> {
        if let Some(known) = self.responders.get(url) {
            return Arc::clone(known);
        }
        let index = self.responders.len();
        let responder = Arc::new(Responder { url: url.into(), index });
        self.responders.insert(url.into(), Arc::clone(&responder));
        responder
    }

    /// The certificates of the issuer's name that are known; by which of them it was signed is still to
    /// be told.
    pub(crate) fn issuers_of(&self, certificate: &Certificate<'_>) -> Vec<Box<[u8]>> {
        let name = certificate.issuer().to_string();
        let known = self.issuers.values().filter_map(Weak::upgrade);
        known.filter(|issuer| issuer.name == name).map(|issuer| issuer.der().into()).collect()
    }

    pub(crate) fn origin(
        &mut self,
        issuer: &Certificate<'_>,
        responders: Box<[Arc<Responder>]>,
    ) -> Arc<Origin> {
        let id = Fingerprint::of(issuer.der());
        let key = (id, responders.iter().map(|responder| responder.index).collect());
        if let Some(known) = self.origins.get(&key).and_then(Weak::upgrade) {
            return known;
        }
        let issuer = self.issuers.get(&id).and_then(Weak::upgrade).unwrap_or_else(|| {
            let made = Arc::new(IssuerCertificate::new(issuer));
            self.issuers.insert(id, Arc::downgrade(&made));
            made
        });
        // As new ones come, those that nobody uses any more go.
        self.issuers.retain(|_, issuer| issuer.strong_count() > 0);
        self.origins.retain(|_, origin| origin.strong_count() > 0);
        let origin = Arc::new(Origin { issuer, responders });
        self.origins.insert(key, Arc::downgrade(&origin));
        origin
    }
}

impl Shared {
    pub(crate) fn algorithms(&self) -> &'static [&'static dyn SignatureVerificationAlgorithm] {
        self.provider.signature_verification_algorithms.all
    }

    pub(crate) fn verifier(&self) -> Verifier<'static> {
        Verifier::new(self.algorithms()).freshness(self.freshness)
    }

    /// The responders that are trusted by configuration.
    pub(crate) fn trusted_responders(&self) -> Vec<Certificate<'_>> {
        self.responders.iter().filter_map(|der| Certificate::parse(der).ok()).collect()
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a response may lie in the store.
    pub(crate) fn is_kept(&self, response: &VerifiedResponse) -> bool {
        response.status() == CertStatus::Good || self.any_status
    }

    /// The seed of a certificate in this process.
    pub(crate) fn seed(&self, id: &Fingerprint) -> u64 {
        self.member.hash_one(id)
    }

    /// The responders to ask for these addresses.
    pub(crate) fn responders<'a>(
        &self,
        urls: impl Iterator<Item = &'a str>,
    ) -> Box<[Arc<Responder>]> {
        let mut known = self.known();
        urls.map(str::trim)
            .map(|url| self.overrides.get(url).map_or(url, String::as_str))
            .filter(|url| !url.is_empty())
            .map(|url| known.responder(url))
            .collect()
    }

    /// Whether an address that a certificate names can be asked, or another one is to be asked in its
    /// place. Some certificates name directories (`ldap://`), which no attempt would ever reach.
    pub(crate) fn can_ask(&self, url: &str) -> bool {
        // Some have blanks around them too.
        let url = url.trim();
        is_http(url) || self.overrides.contains_key(url)
    }

    /// Tells that something happened.
    pub(crate) fn tell(&self, entry: &Entry, kind: EventKind) {
        let event = Event {
            certificate: entry.id,
            label: entry.label.clone(),
            serial: certstatus::hex(&entry.serial_number),
            must_staple: entry.must_staple,
            at: self.clock.now(),
            kind,
        };
        trace(entry, &event);
        if let Some(on_event) = &self.on_event {
            // What it panics with has been printed; its defect must not end the work.
            let told = catch_unwind(AssertUnwindSafe(|| on_event(&event)));
            if told.is_err() {
                tracing::error!(event = event.name(), "the observer of events has panicked");
            }
        }
    }
}

fn trace(entry: &Entry, event: &Event) {
    let outcome = event.name();
    let Event { serial, kind, .. } = event;
    let label = event.label.as_deref().unwrap_or_default();
    let issuer = entry.issuer_name().unwrap_or_default();
    let left = entry
        .statement()
        .as_ref()
        .map_or(0, |statement| statement.expires().as_secs().saturating_sub(event.at.as_secs()));
    match event.severity() {
        // What was there already, for a hundred thousand certificates at each start, is no news.
        Severity::Info if matches!(kind, EventKind::Stapled { responder: None, .. }) => {
            tracing::debug!(label, serial, issuer, outcome, time_left = left, "{kind}");
        }
        Severity::Info => {
            tracing::info!(label, serial, issuer, outcome, time_left = left, "{kind}");
        }
        Severity::Warning => {
            tracing::warn!(label, serial, issuer, outcome, time_left = left, "{kind}");
        }
        Severity::Alert => {
            tracing::error!(label, serial, issuer, outcome, time_left = left, "{kind}");
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("clock", &self.clock)
            .field("transport", &self.transport)
            .field("store", &self.store)
            .field("certificates", &self.index.len())
            .finish_non_exhaustive()
    }
}
