//! What the modules share: a lab whose clock follows tokio's, and a network that is a function call.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use certstatus::message::CertStatus;
use certstatus::time::unix;
use certstatus::{Certificate, Issuer, VerifiedResponse, Verifier};
use certstatus_lab::{Fault, Lab, LabBuilder, Leaf};
use certstatus_stapler::fetch::{Answer, Caching, Content, HttpError, Method, Question, Transport};
use certstatus_stapler::{
    BoxFuture, Clock, Event, StapleHandle, Stapler, StaplerBuilder, Target, TokioClock,
};
use rustls::crypto::CryptoProvider;
use rustls_pki_types::UnixTime;

/// 2026-03-01T12:00:00Z.
pub(crate) const NOW: u64 = 1_772_366_400;

pub(crate) const HOUR: u64 = 3600;
pub(crate) const DAY: u64 = 24 * HOUR;

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A network with one responder, whose time and faults a test sets.
#[derive(Clone, Debug)]
pub(crate) struct Net {
    pub(crate) lab: Lab,
    pub(crate) clock: TokioClock,
    fault: Arc<Mutex<Option<Fault>>>,
    asked: Arc<AtomicUsize>,
    times: Arc<Mutex<Vec<u64>>>,
    in_flight: Arc<AtomicUsize>,
    most_in_flight: Arc<AtomicUsize>,
    delay: Duration,
    /// How many seconds the responder's clock is ahead.
    offset: Arc<AtomicU64>,
    /// How often the responder signs; in between it gives what it has.
    signs_every: Arc<AtomicU64>,
}

impl Net {
    /// A responder whose answers live that long. Needs paused time.
    pub(crate) fn new(life: u64) -> Self {
        Self::of(Lab::builder().validity(seconds(life)))
    }

    pub(crate) fn of(lab: LabBuilder) -> Self {
        Self {
            lab: lab.now(unix(NOW)).build().unwrap(),
            clock: TokioClock::starting(unix(NOW)),
            fault: Arc::default(),
            asked: Arc::default(),
            times: Arc::default(),
            in_flight: Arc::default(),
            most_in_flight: Arc::default(),
            delay: Duration::from_millis(50),
            offset: Arc::default(),
            signs_every: Arc::new(AtomicU64::new(1)),
        }
    }

    pub(crate) fn set_fault(&self, fault: Option<Fault>) {
        *self.fault.lock().unwrap() = fault;
    }

    /// Sets the responder's clock so many seconds ahead.
    pub(crate) fn set_offset(&self, seconds: u64) {
        self.offset.store(seconds, Ordering::SeqCst);
    }

    /// Has the responder sign so many seconds apart, and give the same answer in between.
    pub(crate) fn sign_every(&self, seconds: u64) {
        self.signs_every.store(seconds, Ordering::SeqCst);
    }

    /// How many requests the responder has had.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// When it had them, in seconds since [`NOW`].
    pub(crate) fn times(&self) -> Vec<u64> {
        self.times.lock().unwrap().clone()
    }

    pub(crate) fn most_in_flight(&self) -> usize {
        self.most_in_flight.load(Ordering::SeqCst)
    }

    pub(crate) fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// Seconds since [`NOW`].
    pub(crate) fn since(&self) -> u64 {
        self.now().as_secs() - NOW
    }

    pub(crate) fn leaf(&self, name: &str) -> Leaf {
        self.lab.leaf(name).unwrap()
    }

    pub(crate) fn stapler(&self) -> StaplerBuilder {
        // Most modules are about the schedule by the life of a response.
        Stapler::builder(provider())
            .transport(self.clone())
            .clock(self.clock)
            .refresh_max(Duration::MAX)
    }

    fn answer(&self, question: &Question<'_>) -> Result<Vec<u8>, HttpError> {
        let offset = self.offset.load(Ordering::SeqCst);
        let since = self.since() - self.since() % self.signs_every.load(Ordering::SeqCst);
        self.lab.set_now(unix(NOW + since + offset));
        let url = question.responder.to_owned();
        let fault = *self.fault.lock().unwrap();
        let status =
            |status| HttpError::Status { url: url.clone(), status, html: false, retry_after: None };
        match fault {
            None => Ok(self.lab.answer(question.request)),
            Some(Fault::ConnectionReset | Fault::SlowDrip) => {
                Err(HttpError::Broken { url, reason: "reset".into() })
            }
            Some(Fault::Timeout) => Err(HttpError::Timeout { url, timeout: seconds(10) }),
            Some(Fault::Http500) => Err(status(500)),
            Some(Fault::Http503Html) => Err(status(503)),
            Some(Fault::Http200Html) => Err(HttpError::Html { url, wanted: "a response" }),
            Some(Fault::RedirectLoop) => Err(HttpError::Redirects { url }),
            Some(fault) => {
                Ok(self.lab.answer_with(question.request, fault).unwrap().expect("a message"))
            }
        }
    }
}

impl Transport for Net {
    fn ask<'a>(&'a self, question: Question<'a>) -> BoxFuture<'a, Result<Answer, HttpError>> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.times.lock().unwrap().push(self.since());
            let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_in_flight.fetch_max(now, Ordering::SeqCst);
            let slow = *self.fault.lock().unwrap() == Some(Fault::Timeout);
            tokio::time::sleep(if slow { seconds(10) } else { self.delay }).await;
            self.in_flight.fetch_sub(1, Ordering::SeqCst);
            let body = self.answer(&question)?;
            let caching = Caching::default();
            let method = if question.post { Method::Post } else { Method::Get };
            Ok(Answer { content: Content::Response(body), method, caching })
        })
    }

    fn certificates<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Vec<Vec<u8>>, HttpError>> {
        Box::pin(async move {
            match url.ends_with("/ca.der") {
                true => Ok(vec![self.lab.intermediate().to_vec()]),
                false => Err(HttpError::NoCertificate { url: url.to_owned() }),
            }
        })
    }
}

/// Adds a certificate and waits for its first attempt.
pub(crate) async fn add(stapler: &Stapler, leaf: &Leaf) -> StapleHandle {
    let handle = stapler.add(Target::from_chain(leaf.chain()).label(leaf.name())).unwrap();
    handle.ready().await;
    handle
}

/// Whether a client without any tolerance accepts what the handle gives now; `None` when it gives
/// nothing.
pub(crate) fn strict_client(handle: &StapleHandle, leaf: &Leaf, now: UnixTime) -> Option<bool> {
    Some(Strict::default().accepts(handle.current()?.der(), leaf, now))
}

/// A client without any tolerance. It remembers the signature that it verified last.
#[derive(Debug, Default)]
pub(crate) struct Strict {
    last: Option<VerifiedResponse>,
}

impl Strict {
    /// What it makes of what the handle gives now; `None` when that is nothing.
    pub(crate) fn sees(
        &mut self,
        handle: &StapleHandle,
        leaf: &Leaf,
        now: UnixTime,
    ) -> Option<bool> {
        Some(self.accepts(handle.current()?.der(), leaf, now))
    }

    fn accepts(&mut self, staple: &[u8], leaf: &Leaf, now: UnixTime) -> bool {
        if self.last.as_ref().is_none_or(|last| last.der() != staple) {
            self.last = verify(staple, leaf, now);
        }
        // Verified without skew, a response is current exactly while such a client accepts it.
        let good = |r: &VerifiedResponse| r.status() == CertStatus::Good;
        self.last.as_ref().is_some_and(|last| last.is_current(now) && good(last))
    }
}

/// Verifies without any tolerance.
pub(crate) fn verify(staple: &[u8], leaf: &Leaf, now: UnixTime) -> Option<VerifiedResponse> {
    verify_der(staple, leaf.certificate(), leaf.issuer(), now)
}

/// The same, from the DER of certificate and issuer.
pub(crate) fn verify_der(
    staple: &[u8],
    certificate: &[u8],
    issuer: &[u8],
    now: UnixTime,
) -> Option<VerifiedResponse> {
    let certificate = Certificate::parse(certificate).unwrap();
    let issuer = Certificate::parse(issuer).unwrap();
    let strict = certstatus::Policy::default().require_always().tolerate_skew(Duration::ZERO);
    Verifier::new(provider().signature_verification_algorithms.all)
        .freshness(strict.freshness())
        .verify(staple, &certificate, &Issuer::from_certificate(&issuer), now)
        .ok()
}

/// What was told of, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Diary(Arc<Mutex<Vec<Event>>>);

impl Diary {
    pub(crate) fn observer(&self) -> impl Fn(&Event) + Send + Sync + 'static {
        let events = Arc::clone(&self.0);
        move |event| events.lock().unwrap().push(event.clone())
    }

    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().iter().map(Event::name).collect()
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }
}
