//! Sessions of the client side, one connection at a time.
//!
//! rustls asks a store for a session and puts new ones there. Here each connection has a store of
//! its own: it offers the session that `SSL_set_session` gave and collects what the server sends,
//! for `SSL_get1_session` and the new-session callback.

use std::sync::Mutex;

use rustls::client::{ClientSessionKey, ClientSessionStore, Tls12Session, Tls13Session};
use rustls::crypto::kx::NamedGroup;

/// A session that a client can offer.
#[derive(Debug)]
pub(crate) enum ClientSession {
    Tls12(Tls12Session),
    Tls13(Tls13Session),
}

/// What one connection offers and what it has received.
#[derive(Debug, Default)]
pub(crate) struct ConnectionSessions {
    offered: Mutex<Option<ClientSession>>,
    received: Mutex<Vec<ClientSession>>,
}

impl ConnectionSessions {
    /// A store that offers `session`.
    pub(crate) fn offering(session: Option<ClientSession>) -> Self {
        Self { offered: Mutex::new(session), received: Mutex::default() }
    }

    /// Takes the sessions received so far.
    pub(crate) fn take_received(&self) -> Vec<ClientSession> {
        self.received.lock().map(|mut received| std::mem::take(&mut *received)).unwrap_or_default()
    }

    fn receive(&self, session: ClientSession) {
        if let Ok(mut received) = self.received.lock() {
            received.push(session);
        }
    }
}

impl ClientSessionStore for ConnectionSessions {
    fn set_kx_hint(&self, _: ClientSessionKey<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ClientSessionKey<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ClientSessionKey<'static>, session: Tls12Session) {
        self.receive(ClientSession::Tls12(session));
    }

    fn tls12_session(&self, _: &ClientSessionKey<'_>) -> Option<Tls12Session> {
        match &*self.offered.lock().ok()? {
            Some(ClientSession::Tls12(session)) => Some(session.clone()),
            _ => None,
        }
    }

    fn remove_tls12_session(&self, _: &ClientSessionKey<'static>) {
        if let Ok(mut offered) = self.offered.lock() {
            *offered = None;
        }
    }

    fn insert_tls13_ticket(&self, _: ClientSessionKey<'static>, session: Tls13Session) {
        self.receive(ClientSession::Tls13(session));
    }

    fn take_tls13_ticket(&self, _: &ClientSessionKey<'static>) -> Option<Tls13Session> {
        let mut offered = self.offered.lock().ok()?;
        match offered.take() {
            Some(ClientSession::Tls13(session)) => Some(session),
            other => {
                *offered = other;
                None
            }
        }
    }
}
