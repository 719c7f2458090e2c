//! The stapler as its users hold it, and how it is set up.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use certstatus::message::HashAlgorithm;
use certstatus::{Certificate, Freshness};
use rustls::crypto::CryptoProvider;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

use crate::clock::{Clock, SystemClock};
use crate::entry::{Claim, Entry, NewEntry, Source, Unresolved};
use crate::event::Event;
use crate::fetch::{Http, NonceMode, Transport, find_issuer};
use crate::gate::ResponderLimits;
use crate::origin::{CLAIMS, few_claims, only_namesake};
use crate::schedule::REFRESH_MAX;
use crate::shared::{Known, OnEvent, Shared};
use crate::store::{NoStore, Store};
use crate::worker::{Command, Worker};
use crate::{Error, Fingerprint, Snapshot, StapleHandle, Target, metrics};

/// Keeps the staples of any number of certificates fresh, in a task of its own. Cheap to clone; when
/// the last clone is dropped, the work ends.
///
/// ```no_run
/// # async fn serve(chain: Vec<rustls_pki_types::CertificateDer<'static>>)
/// #     -> Result<(), certstatus_stapler::Error> {
/// use std::sync::Arc;
/// use certstatus_stapler::{DiskStore, Stapler, Target};
///
/// let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
/// let stapler = Stapler::builder(provider).store(DiskStore::open("staples")?).start()?;
/// let staple = stapler.add(Target::from_chain(&chain))?;
/// staple.ready().await; // fetched before the first handshake
/// let bytes = staple.current().map(|response| response.shared_der());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Stapler {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    commands: mpsc::UnboundedSender<Command>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

impl Stapler {
    /// Sets a stapler up. Signatures are verified, nonces made and https spoken by that provider.
    pub fn builder(provider: Arc<CryptoProvider>) -> StaplerBuilder {
        StaplerBuilder {
            provider,
            store: None,
            transport: None,
            clock: Arc::new(SystemClock),
            limits: ResponderLimits::default(),
            freshness: Freshness::default(),
            nonce: NonceMode::Off,
            post: false,
            refresh_max: REFRESH_MAX,
            hash: HashAlgorithm::Sha1,
            trusted_responders: Vec::new(),
            any_status: false,
            overrides: HashMap::new(),
            on_event: None,
        }
    }

    /// Keeps a certificate stapled from now on: what the store has of it is loaded, and the responder
    /// is asked if that is due. One that is there already stays as it is, and its handle is returned.
    ///
    /// An issuer that was given, and the right one of several of its name in the chain, are told here
    /// by a signature: a tenth of a millisecond. The only one of its name is proven in the background,
    /// by its signature or by a stored response, before anything is asked or stapled; here too while
    /// very many wait for that. What needs the network comes later; see [`StapleHandle::ready`].
    ///
    /// # Errors
    /// [`Error::EmptyChain`], [`Error::Certificate`] when it cannot be read, [`Error::Issuer`] when
    /// an issuer was given that is none, [`Error::ShutDown`].
    pub fn add(&self, target: Target) -> Result<StapleHandle, Error> {
        let shared = &self.inner.shared;
        let leaf = target.chain.first().ok_or(Error::EmptyChain)?;
        if let Some(handle) = self.handle(&Fingerprint::of(leaf)) {
            return Ok(handle);
        }
        let certificate = Certificate::parse(leaf).map_err(Error::Certificate)?;
        let source = self.source(&target, &certificate)?;
        let entry = Arc::new(Entry::new(NewEntry {
            certificate: &certificate,
            label: target.label,
            source,
            now: shared.clock.now(),
        }));
        let index = shared.index.pin();
        match index.try_insert(entry.id, Arc::clone(&entry)) {
            Ok(_) => {
                if self.inner.commands.send(Command::Add(Arc::clone(&entry))).is_err() {
                    index.remove(&entry.id);
                    // Somebody else may have found it there, and wait for it to be ready.
                    entry.mark_removed();
                    return Err(Error::ShutDown);
                }
                Ok(self.handle_of(entry))
            }
            // Somebody else has added it at the same moment.
            Err(taken) => Ok(self.handle_of(Arc::clone(taken.current))),
        }
    }

    /// Waits until what was added has been loaded from the store, but for a few hundred. Whoever adds
    /// very many calls this after every hundred or so: then those that wait take no memory to speak
    /// of, and of none the issuer's signature is checked without need. Returns at once when the
    /// stapler is shut down.
    pub async fn keep_pace(&self) {
        few_claims(&self.inner.shared).await;
    }

    fn source(&self, target: &Target, certificate: &Certificate<'_>) -> Result<Source, Error> {
        let shared = &self.inner.shared;
        let responders = match &target.responders {
            Some(urls) => shared.responders(urls.iter().map(String::as_str)),
            None => {
                let urls = certificate.ocsp_urls().map_err(Error::Certificate)?;
                let askable = urls.into_iter().filter(|url| shared.can_ask(url));
                shared.responders(askable.take(crate::fetch::MOST_ADDRESSES))
            }
        };
        let algorithms = shared.algorithms();
        if let Some(issuer) = &target.issuer {
            let given = std::slice::from_ref(issuer);
            let issuer = find_issuer(certificate, given, algorithms).map_err(Error::Issuer)?;
            return Ok(Source::Known(shared.known().origin(&issuer, responders)));
        }
        let rest = target.chain.get(1..).unwrap_or_default();
        let unresolved =
            |responders| Arc::new(Unresolved { certificate: certificate.der().into(), responders });
        if let Some(issuer) = only_namesake(certificate, rest)
            && let Ok(place) = Arc::clone(&shared.claims).try_acquire_owned()
        {
            let origin = shared.known().origin(&issuer, responders.clone());
            let unresolved = unresolved(responders);
            return Ok(Source::Claimed(Box::new(Claim { unresolved, origin, _place: place })));
        }
        Ok(match find_issuer(certificate, rest, algorithms) {
            Ok(issuer) => Source::Known(shared.known().origin(&issuer, responders)),
            Err(_) => Source::Unresolved(unresolved(responders)),
        })
    }

    /// Stops keeping a certificate stapled, and drops its response from the store. Handles to it stay
    /// readable. Returns whether it was there.
    pub fn remove(&self, certificate: &Fingerprint) -> bool {
        let index = self.inner.shared.index.pin();
        let Some(entry) = index.remove(certificate) else { return false };
        entry.mark_removed();
        // A stapler that is shut down leaves its store as it is.
        let _ = self.inner.commands.send(Command::Remove(Arc::clone(entry)));
        true
    }

    /// Asks about a certificate now, whatever the schedule says; the limits of its responder hold.
    /// Returns whether the certificate is there.
    pub fn refresh(&self, certificate: &Fingerprint) -> bool {
        let index = self.inner.shared.index.pin();
        let Some(entry) = index.get(certificate) else { return false };
        self.inner.commands.send(Command::Refresh(Arc::clone(entry))).is_ok()
    }

    /// The handle of a certificate.
    pub fn handle(&self, certificate: &Fingerprint) -> Option<StapleHandle> {
        let index = self.inner.shared.index.pin();
        index.get(certificate).map(|entry| self.handle_of(Arc::clone(entry)))
    }

    /// How many certificates there are.
    pub fn len(&self) -> usize {
        self.inner.shared.index.len()
    }

    /// Whether there is no certificate.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until the first attempt for each certificate that is there now has come to its end,
    /// whatever that is.
    pub async fn ready(&self) {
        let entries: Vec<_> = self.inner.shared.index.pin().values().map(Arc::clone).collect();
        for entry in entries {
            entry.wait_until(Entry::is_settled).await;
        }
    }

    /// How every certificate's staple stands, in no order.
    pub fn snapshot(&self) -> Vec<Snapshot> {
        let shared = &self.inner.shared;
        Snapshot::all(shared.index.pin().values(), shared.clock.now())
    }

    /// Brings the gauges of [`metrics`](mod@crate::metrics) up to date, which otherwise happens
    /// every 15 s: for whoever is about to show them.
    pub fn observe(&self) {
        let shared = &self.inner.shared;
        metrics::staples(shared.index.pin().values(), shared.clock.now());
    }

    /// Ends the work: what is being written is written. Handles stay readable.
    pub async fn shut_down(&self) {
        let _ = self.inner.commands.send(Command::ShutDown);
        let worker = self.inner.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(worker) = worker {
            // It ends with a panic only if a recorder of metrics panics, which has been printed.
            let _ = worker.await;
        }
    }

    fn handle_of(&self, entry: Arc<Entry>) -> StapleHandle {
        StapleHandle { entry, shared: Arc::clone(&self.inner.shared) }
    }
}

impl fmt::Debug for Stapler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stapler").field("shared", &self.inner.shared).finish_non_exhaustive()
    }
}

/// Sets a [`Stapler`] up.
#[must_use]
pub struct StaplerBuilder {
    provider: Arc<CryptoProvider>,
    store: Option<Arc<dyn Store>>,
    transport: Option<Arc<dyn Transport>>,
    clock: Arc<dyn Clock>,
    limits: ResponderLimits,
    freshness: Freshness,
    nonce: NonceMode,
    post: bool,
    refresh_max: Duration,
    hash: HashAlgorithm,
    trusted_responders: Vec<Vec<u8>>,
    any_status: bool,
    overrides: HashMap<String, String>,
    on_event: Option<Box<OnEvent>>,
}

impl StaplerBuilder {
    /// Keeps responses in this store, so that they outlive the process. If nothing is said, they do
    /// not.
    pub fn store(self, store: impl Store) -> Self {
        self.shared_store(Arc::new(store))
    }

    /// Keeps responses in this store, which others have as well.
    pub fn shared_store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Asks responders through this transport: [`Http`] with settings of its own, or another one. If
    /// nothing is said, it is `Http` with its defaults.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Takes the time from that clock; if nothing is said, from the system's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets how much may be asked of one responder.
    pub fn responder_limits(mut self, limits: ResponderLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how far the responders' clocks may be off when their answers are verified, and how old a
    /// response without `nextUpdate` may be. What is stapled knows no tolerance in any case.
    pub fn freshness(mut self, freshness: Freshness) -> Self {
        self.freshness = freshness;
        self
    }

    /// Sets whether a nonce is sent; if nothing is said, none is: caches can then answer.
    pub fn nonce(mut self, nonce: NonceMode) -> Self {
        self.nonce = nonce;
        self
    }

    /// Sends every request by POST. If nothing is said, GET is used, which caches can answer, and
    /// POST where a GET would be too long or brings no response.
    pub fn always_post(mut self) -> Self {
        self.post = true;
        self
    }

    /// Sets the hash by which requests name the issuer; SHA-1 by default, for which responders sign in
    /// advance. HAProxy staples no response with another one.
    pub fn hash(mut self, hash: HashAlgorithm) -> Self {
        self.hash = hash;
        self
    }

    /// Trusts the responder with that certificate beside each issuer and its delegates (RFC 6960,
    /// 4.2.2.2): a validation authority for several CAs. Clients have to trust it too, or they reject
    /// what is stapled.
    ///
    /// # Errors
    /// [`Error::Certificate`] when the certificate cannot be read.
    pub fn trust_responder(mut self, certificate: Vec<u8>) -> Result<Self, Error> {
        Certificate::parse(&certificate).map_err(Error::Certificate)?;
        self.trusted_responders.push(certificate);
        Ok(self)
    }

    /// Sets the longest pause between two questions about one certificate, however far `nextUpdate` is:
    /// a revocation is seen within that time. A day by default.
    pub fn refresh_max(mut self, pause: Duration) -> Self {
        self.refresh_max = pause;
        self
    }

    /// Asks `to` wherever a certificate names the responder `from`; if `to` is empty, nobody is
    /// asked in place of `from`.
    pub fn map_responder(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.overrides.insert(from.into(), to.into());
        self
    }

    /// Hands out, and keeps in the store, also responses that say *revoked* or *unknown*, so that
    /// clients learn it at once.
    pub fn staple_any_status(mut self) -> Self {
        self.any_status = true;
        self
    }

    /// Has every [`Event`] told to that function, which must return at once: it is called from the
    /// tasks that do the work. Should it panic, the work goes on.
    pub fn on_event(mut self, on_event: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.on_event = Some(Box::new(on_event));
        self
    }

    /// Starts the work, in the tokio runtime in which this is called.
    ///
    /// # Errors
    /// [`Error::NoRuntime`] outside of one, [`Error::Client`] when the HTTP client cannot be set up.
    pub fn start(self) -> Result<Stapler, Error> {
        let runtime = Handle::try_current().map_err(|_| Error::NoRuntime)?;
        let transport = match self.transport {
            Some(transport) => transport,
            None => Arc::new(Http::builder(Arc::clone(&self.provider)).build()?),
        };
        metrics::describe();
        let shared = Arc::new(Shared {
            provider: self.provider,
            clock: self.clock,
            transport,
            store: self.store.unwrap_or_else(|| Arc::new(NoStore)),
            freshness: self.freshness,
            nonce: self.nonce,
            post: self.post,
            refresh_max: self.refresh_max,
            hash: self.hash,
            responders: self.trusted_responders,
            any_status: self.any_status,
            overrides: self.overrides,
            on_event: self.on_event,
            member: std::hash::RandomState::new(),
            index: papaya::HashMap::new(),
            known: Mutex::new(Known::default()),
            loads: loads_at_once(),
            claims: Arc::new(Semaphore::new(CLAIMS)),
        });
        let (commands, received) = mpsc::unbounded_channel();
        let worker = Worker::new(Arc::clone(&shared), received, self.limits);
        let worker = Mutex::new(Some(runtime.spawn(worker.run())));
        Ok(Stapler { inner: Arc::new(Inner { shared, commands, worker }) })
    }
}

/// Twice the cores: one half goes to the store while the other half verifies.
fn loads_at_once() -> usize {
    2 * available_parallelism().map_or(2, NonZero::get)
}

impl fmt::Debug for StaplerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaplerBuilder")
            .field("store", &self.store)
            .field("transport", &self.transport)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
