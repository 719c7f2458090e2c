//! The store that rustls asks for a client's sessions, one for each connection. A server's is in
//! [`super::server_sessions`].
//!
//! A store offers the session that was set before the handshake and collects those that the server
//! sends. The program's callbacks for new sessions run outside the engine.
//!
//! A client's session of TLS 1.3 is a value that rustls gives out once and does not copy. It is
//! used up by the handshake that offers it, as RFC 8446, C.4 advises.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

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

/// A client's session of TLS 1.3, until it is offered.
pub(crate) type Slot = Mutex<Option<Tls13Session>>;

/// How many sessions of TLS 1.3 that were written as DER are kept for reading them again.
const REMEMBERED: usize = 1024;

/// The sessions of TLS 1.3 that were written as DER in this process, by id, oldest first.
static WRITTEN: Mutex<VecDeque<(Vec<u8>, Arc<Slot>)>> = Mutex::new(VecDeque::new());

/// Keeps a session for whoever reads its DER in this process.
pub(crate) fn remember(id: &[u8], slot: &Arc<Slot>) {
    let Ok(mut written) = WRITTEN.lock() else { return };
    if written.iter().any(|(known, _)| known == id) {
        return;
    }
    if written.len() == REMEMBERED {
        written.pop_front();
    }
    written.push_back((id.to_vec(), Arc::clone(slot)));
}

/// The session with that id, if it was written in this process.
pub(crate) fn remembered(id: &[u8]) -> Option<Arc<Slot>> {
    let written = WRITTEN.lock().ok()?;
    written.iter().find(|(known, _)| known == id).map(|(_, slot)| Arc::clone(slot))
}
