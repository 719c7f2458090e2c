//! A certified key with a staple that can be swapped while handshakes run.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use certstatus::VerifiedResponse;
use certstatus::message::CertStatus;
use rustls::pki_types::UnixTime;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};

use super::staple_limit;
use crate::StapleError;

/// A certified key and its staple, shared between the handshakes that send it and whoever keeps it
/// fresh.
///
/// A handshake reads it without a lock, and nothing is copied: the key with its staple is made once,
/// when the staple changes. It staples only what is verified, about this very certificate, not
/// expired at the time of the handshake, and (unless told otherwise) good; without such a staple the
/// key is sent without one.
///
/// It is a [`ResolvesServerCert`] for a server with one certificate; a resolver that chooses among
/// several returns [`certified_key`](Self::certified_key) of the one it chose.
///
/// ```
/// # fn serve(key: rustls::sign::CertifiedKey, fresh: certstatus::VerifiedResponse)
/// #     -> Result<(), certstatus_rustls::StapleError> {
/// use std::sync::Arc;
/// use certstatus_rustls::StapledKey;
///
/// let key = Arc::new(StapledKey::new(Arc::new(key)));
/// let config = rustls::ServerConfig::builder()
///     .with_no_client_auth()
///     .with_cert_resolver(key.clone());
/// // and whenever there is a newer one:
/// key.set(fresh)?;
/// # Ok(()) }
/// ```
pub struct StapledKey {
    plain: Arc<CertifiedKey>,
    staple: ArcSwapOption<Stapled>,
    any_status: bool,
    clock: Arc<dyn TimeProvider>,
}

#[derive(Clone)]
struct Stapled {
    key: Arc<CertifiedKey>,
    response: VerifiedResponse,
    /// What is sent until the response's time has come, if that is still to come.
    before: Option<Arc<Stapled>>,
}

impl Stapled {
    /// What may be stapled at `now`: this, or what was there before.
    fn at(&self, now: UnixTime) -> Option<&Self> {
        let before = || self.before.as_deref().filter(|s| may_be_stapled(&s.response, now));
        if may_be_stapled(&self.response, now) { Some(self) } else { before() }
    }
}

impl StapledKey {
    /// A key without a staple. What `key.ocsp` holds is not sent: nobody verified it.
    pub fn new(key: Arc<CertifiedKey>) -> Self {
        Self {
            plain: without_staple(key),
            staple: ArcSwapOption::empty(),
            any_status: false,
            clock: Arc::new(DefaultTimeProvider),
        }
    }

    /// Staples also responses that say *revoked* or *unknown*, so that clients learn it at once.
    #[must_use]
    pub fn staple_any_status(mut self) -> Self {
        self.any_status = true;
        self
    }

    /// Takes the time from that clock in place of the system's.
    #[must_use]
    pub fn with_time_provider(mut self, clock: Arc<dyn TimeProvider>) -> Self {
        self.clock = clock;
        self
    }

    /// Staples this response from the next handshake on, or from its own time on if its responder's
    /// clock is a little ahead; until then the one before it stays. Handshakes that run keep theirs.
    ///
    /// # Errors
    /// Every [`StapleError`]; then the staple that is there stays.
    pub fn set(&self, response: VerifiedResponse) -> Result<(), StapleError> {
        let now = self.clock.current_time().ok_or(StapleError::NoTime)?;
        check(&self.plain, &response, self.any_status, now)?;
        let key = with_staple(&self.plain, response.der());
        let before = match begins(&response) <= now {
            true => None,
            false => self.staple_at(now).map(|s| Arc::new(Stapled { before: None, ..s })),
        };
        self.staple.store(Some(Arc::new(Stapled { key, response, before })));
        Ok(())
    }

    /// Staples nothing from the next handshake on.
    pub fn clear(&self) {
        self.staple.store(None);
    }

    /// The response that a handshake would staple now.
    pub fn current(&self) -> Option<VerifiedResponse> {
        self.staple_at(self.clock.current_time()?).map(|staple| staple.response)
    }

    fn staple_at(&self, now: UnixTime) -> Option<Stapled> {
        self.staple.load().as_ref()?.at(now).cloned()
    }

    /// The key as a handshake sends it now: with the staple if one holds.
    pub fn certified_key(&self) -> Arc<CertifiedKey> {
        let staple = self.staple.load();
        // Never when the clock gives no time.
        let now = || self.clock.current_time();
        let stapled = staple.as_ref().and_then(|staple| staple.at(now()?));
        Arc::clone(stapled.map_or(&self.plain, |staple| &staple.key))
    }
}

impl ResolvesServerCert for StapledKey {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.certified_key())
    }
}

impl fmt::Debug for StapledKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StapledKey")
            .field("staple", &self.staple.load().as_ref().map(|staple| &staple.response))
            .field("any_status", &self.any_status)
            .finish_non_exhaustive()
    }
}

/// Whether a response may be stapled to this key at `now`, or as soon as its time has come.
pub(super) fn check(
    key: &CertifiedKey,
    response: &VerifiedResponse,
    any_status: bool,
    now: UnixTime,
) -> Result<(), StapleError> {
    let certificate = key.cert.first().ok_or(StapleError::NoCertificate)?;
    if !response.is_about(certificate)? {
        return Err(StapleError::OtherCertificate);
    }
    if !response.is_current(now) || response.expires() <= now {
        return Err(StapleError::NotCurrent { expires: response.expires(), now });
    }
    if !any_status && response.status() != CertStatus::Good {
        return Err(StapleError::NotGood(response.status()));
    }
    check_length(key, response.der())
}

/// Whether the bytes fit into a handshake beside the chain.
pub(super) fn check_length(key: &CertifiedKey, response: &[u8]) -> Result<(), StapleError> {
    if response.is_empty() {
        return Err(StapleError::Empty);
    }
    let (length, limit) = (response.len(), staple_limit(&key.cert));
    if length > limit {
        return Err(StapleError::TooLarge { length, limit });
    }
    Ok(())
}

/// Without any skew: a client may be stricter than whoever verified the response here.
pub(super) fn may_be_stapled(response: &VerifiedResponse, now: UnixTime) -> bool {
    response.is_current(now) && begins(response) <= now && now < response.expires()
}

/// The first second in which a client without any tolerance accepts the response.
fn begins(response: &VerifiedResponse) -> UnixTime {
    response.this_update().max(response.produced_at())
}

/// The key with these bytes as its staple. The one place where a chain is copied.
pub(super) fn with_staple(key: &CertifiedKey, response: &[u8]) -> Arc<CertifiedKey> {
    Arc::new(CertifiedKey { ocsp: Some(response.to_vec()), ..key.clone() })
}

pub(super) fn without_staple(key: Arc<CertifiedKey>) -> Arc<CertifiedKey> {
    match key.ocsp {
        Some(_) => Arc::new(CertifiedKey { ocsp: None, ..CertifiedKey::clone(&key) }),
        None => key,
    }
}
