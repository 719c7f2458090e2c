//! A resolver that wraps any other and staples to the keys that it chooses.

use std::fmt;
use std::sync::Arc;

use certstatus::VerifiedResponse;
use certstatus::handshake::ServerDecision;
use certstatus::time::Rfc3339;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};

use super::Hello;
use super::memo::Memo;
use super::stapled_key::{check, check_length, may_be_stapled, with_staple, without_staple};
use crate::StapleError;

/// Where verified responses come from: a stapler that keeps them fresh, or a table.
pub trait StapleSource: Send + Sync {
    /// The response to staple to this key, if there is one now. It is asked in every handshake, and
    /// should answer at once: what takes long is done elsewhere, before.
    fn staple(&self, key: &CertifiedKey) -> Option<Arc<VerifiedResponse>>;
}

/// Wraps a resolver and staples to the key that it chooses: what a [`StapleSource`] holds, or what a
/// callback says.
///
/// The key with its staple is made once for a key and a response and then shared, if the inner
/// resolver returns the same `Arc` each time, as rustls's own do: there is no copy of the chain per
/// handshake.
///
/// # What rustls 0.23 does not tell
///
/// A [`ClientHello`] there does not say whether the client asked for a staple, and the resolver is
/// called on resumptions too. So the callback is called more often than the one of OpenSSL: also when
/// nobody asked. What it returns is then not sent: rustls staples only when asked, and never when a
/// session is resumed.
pub struct StaplingResolver {
    inner: Arc<dyn ResolvesServerCert>,
    source: Source,
    any_status: bool,
    clock: Arc<dyn TimeProvider>,
    memo: Memo,
    nothing: Arc<[u8]>,
}

type OnStatus = dyn Fn(&Hello<'_>, &CertifiedKey) -> ServerDecision + Send + Sync;

enum Source {
    Verified(Arc<dyn StapleSource>),
    Callback(Box<OnStatus>),
}

impl StaplingResolver {
    /// Staples the verified responses of a source.
    ///
    /// Never stapled, so that the handshake goes on without: what has expired at the time of the
    /// handshake or is for a later one, what is about another certificate, what does not fit beside the chain
    /// ([`crate::staple_limit`]), and, unless [`staple_any_status`](Self::staple_any_status) is
    /// called, what says *revoked* or *unknown*.
    pub fn new(inner: Arc<dyn ResolvesServerCert>, source: Arc<dyn StapleSource>) -> Self {
        Self::with_source(inner, Source::Verified(source))
    }

    /// Staples what a callback says: the server callback of `SSL_CTX_set_tlsext_status_cb(3)`.
    ///
    /// The callback gets the key with the certificate that will be sent. The bytes that it gives to
    /// [`ServerDecision::Staple`] are sent as they are, verified by nobody; only what is empty or
    /// does not fit beside the chain ([`crate::staple_limit`]) is not sent, and the handshake goes on
    /// without. [`ServerDecision::Fatal`] fails the handshake: OpenSSL sends the alert
    /// `internal_error` then, rustls 0.23 sends `access_denied`, and gives a resolver no other.
    ///
    /// ```
    /// # fn wrap(inner: std::sync::Arc<dyn rustls::server::ResolvesServerCert>,
    /// #         staple: std::sync::Arc<[u8]>) -> certstatus_rustls::StaplingResolver {
    /// use certstatus_rustls::{ServerDecision, StaplingResolver};
    ///
    /// StaplingResolver::on_status(inner, move |hello, _key| match hello.server_name() {
    ///     Some("www.example.org") => ServerDecision::Staple(staple.clone()),
    ///     _ => ServerDecision::NoAck,
    /// })
    /// # }
    /// ```
    pub fn on_status<F>(inner: Arc<dyn ResolvesServerCert>, callback: F) -> Self
    where
        F: Fn(&Hello<'_>, &CertifiedKey) -> ServerDecision + Send + Sync + 'static,
    {
        Self::with_source(inner, Source::Callback(Box::new(callback)))
    }

    fn with_source(inner: Arc<dyn ResolvesServerCert>, source: Source) -> Self {
        let clock = Arc::new(DefaultTimeProvider);
        let nothing = Arc::from([]);
        Self { inner, source, any_status: false, clock, memo: Memo::new(), nothing }
    }

    /// Staples also responses of the source that say *revoked* or *unknown*, so that clients learn
    /// it at once. What a callback says is stapled in any case.
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

    /// The key with the source's response, or without when it has none that may be stapled.
    fn staple(&self, source: &dyn StapleSource, key: Arc<CertifiedKey>) -> Arc<CertifiedKey> {
        let Some(response) = source.staple(&key) else { return self.plain(key) };
        // Outside of what is remembered: this alone changes while key and response stay the same.
        let Some(now) = self.clock.current_time().filter(|now| may_be_stapled(&response, *now))
        else {
            tracing::debug!(expires = %Rfc3339(response.expires()), "not stapled: not current");
            return self.plain(key);
        };
        let der = response.shared_der();
        self.memo.made(&key, &der, Some(&response), || {
            let checked = check(&key, &response, self.any_status, now);
            with_staple_if(checked, &key, &der)
        })
    }

    /// The key with the bytes of the callback, or without when they cannot be sent.
    fn staple_unverified(&self, key: Arc<CertifiedKey>, response: &Arc<[u8]>) -> Arc<CertifiedKey> {
        self.memo.made(&key, response, None, || {
            with_staple_if(check_length(&key, response), &key, response)
        })
    }

    /// The key without a staple. One that the inner resolver put there is removed: nobody verified
    /// it, or the callback does not want it.
    fn plain(&self, key: Arc<CertifiedKey>) -> Arc<CertifiedKey> {
        if key.ocsp.is_none() {
            return key;
        }
        self.memo.made(&key, &self.nothing, None, || without_staple(Arc::clone(&key)))
    }
}

impl ResolvesServerCert for StaplingResolver {
    fn resolve(&self, client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        match &self.source {
            Source::Verified(source) => {
                let key = self.inner.resolve(client_hello)?;
                Some(self.staple(&**source, key))
            }
            Source::Callback(callback) => {
                let hello = Hello::copy(&client_hello);
                let key = self.inner.resolve(client_hello)?;
                match callback(&hello, &key) {
                    ServerDecision::Staple(response) => {
                        Some(self.staple_unverified(key, &response))
                    }
                    ServerDecision::NoAck => Some(self.plain(key)),
                    ServerDecision::Fatal => None,
                }
            }
        }
    }

    fn only_raw_public_keys(&self) -> bool {
        self.inner.only_raw_public_keys()
    }
}

impl fmt::Debug for StaplingResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaplingResolver")
            .field("inner", &self.inner)
            .field("any_status", &self.any_status)
            .field("remembered", &self.memo.len())
            .finish_non_exhaustive()
    }
}

/// The key with the staple, or without and a word on why; both are remembered, so that it is said
/// once and not in every handshake.
fn with_staple_if(
    checked: Result<(), StapleError>,
    key: &Arc<CertifiedKey>,
    response: &[u8],
) -> Arc<CertifiedKey> {
    match checked {
        Ok(()) => with_staple(key, response),
        Err(error) => {
            tracing::warn!(%error, "not stapled");
            without_staple(Arc::clone(key))
        }
    }
}
