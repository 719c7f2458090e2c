//! A verifier that remembers what it verified: a client that connects often to the same servers
//! verifies each staple once.
//!
//! The key is the bytes themselves, not a digest of them: a fast, randomly keyed hash finds the
//! place, and then response, certificate, issuer name and issuer key are compared whole. So there is
//! no question of collisions, and no digest to pay for on every handshake: comparing a few
//! kilobytes costs less than hashing them with SHA-256 does.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use certstatus::{Certificate, Error, Issuer, VerifiedResponse, Verifier};
use equivalent::Equivalent;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, UnitWeighter};
use rustls::pki_types::UnixTime;

/// A [`Verifier`] with a bounded memory of the responses that it verified.
///
/// Only responses that verified get in. A hit costs one hash and one comparison of the bytes, and
/// allocates nothing; whether the response [is still current](VerifiedResponse::is_current) is asked
/// again each time, and when it is not, the full verification runs and gives its error.
///
/// The memory belongs to one verifier: its algorithms, freshness and limits are the same for every
/// entry. It may be used from many threads at once.
pub struct CachedVerifier<'v> {
    verifier: Verifier<'v>,
    cache: Option<Cache<Key, VerifiedResponse>>,
}

impl<'v> CachedVerifier<'v> {
    /// A verifier that remembers up to `capacity` responses; with 0, none.
    ///
    /// An entry takes the bytes of the response, the certificate and the issuer's name and key: a
    /// few KiB as CAs make them, and never more than 192 KiB under the default limit on responses
    /// and that of rustls on certificates (64 KiB each), whatever a server sends.
    pub fn new(verifier: Verifier<'v>, capacity: usize) -> Self {
        Self { verifier, cache: bounded(capacity) }
    }

    /// Verifies as [`Verifier::verify`] does, or remembers to have done so.
    ///
    /// # Errors
    /// As [`Verifier::verify`].
    pub fn verify(
        &self,
        response: &[u8],
        certificate: &Certificate<'_>,
        issuer: &Issuer<'_>,
        now: UnixTime,
    ) -> Result<VerifiedResponse, Error> {
        let Some(cache) = &self.cache else {
            return self.verifier.verify(response, certificate, issuer, now);
        };
        let parts = Parts {
            response,
            certificate: certificate.der(),
            issuer_name: issuer.subject().contents(),
            issuer_key: issuer.public_key().contents(),
        };
        if let Some(known) = cache.get(&parts).filter(|known| known.is_current(now)) {
            return Ok(known);
        }
        let verified = self.verifier.verify(response, certificate, issuer, now)?;
        cache.insert(parts.to_key(&verified), verified.clone());
        Ok(verified)
    }

    /// How many responses are remembered.
    pub fn len(&self) -> usize {
        self.cache.as_ref().map_or(0, Cache::len)
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for CachedVerifier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedVerifier")
            .field("verifier", &self.verifier)
            .field("remembered", &self.len())
            .finish()
    }
}

/// A cache of exactly that capacity: with one shard, since each would round its share up.
fn bounded(capacity: usize) -> Option<Cache<Key, VerifiedResponse>> {
    let options = OptionsBuilder::new()
        .shards(1)
        .estimated_items_capacity(capacity)
        .weight_capacity(capacity as u64)
        .build()
        .ok()
        .filter(|_| capacity > 0)?;
    let hasher = DefaultHashBuilder::default();
    Some(Cache::with_options(options, UnitWeighter, hasher, DefaultLifecycle::default()))
}

/// What a verification depends on, borrowed from the handshake.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Parts<'a> {
    response: &'a [u8],
    certificate: &'a [u8],
    issuer_name: &'a [u8],
    issuer_key: &'a [u8],
}

impl Parts<'_> {
    /// A copy that lasts, which shares the response's bytes with what was verified.
    fn to_key(self, verified: &VerifiedResponse) -> Key {
        Key {
            response: verified.shared_der(),
            certificate: self.certificate.into(),
            issuer_name: self.issuer_name.into(),
            issuer_key: self.issuer_key.into(),
        }
    }
}

impl Equivalent<Key> for Parts<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self == key.parts()
    }
}

struct Key {
    response: Arc<[u8]>,
    certificate: Box<[u8]>,
    issuer_name: Box<[u8]>,
    issuer_key: Box<[u8]>,
}

impl Key {
    fn parts(&self) -> Parts<'_> {
        Parts {
            response: &self.response,
            certificate: &self.certificate,
            issuer_name: &self.issuer_name,
            issuer_key: &self.issuer_key,
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}
