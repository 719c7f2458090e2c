//! The stores that rustls asks for sessions, one for each connection.
//!
//! Each store offers what was found for its connection before the handshake and collects what the
//! handshake makes; so the program's callbacks, which look for sessions and are told of new ones,
//! run outside.
//!
//! A client's session of TLS 1.3 is a value that rustls gives out once and does not copy. It is
//! used up by the handshake that offers it, as RFC 8446, C.4 advises.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use rustls::client::{ClientSessionKey, ClientSessionStore, Tls12Session, Tls13Session};
use rustls::crypto::kx::NamedGroup;
use rustls::server::{ServerSessionKey, StoresServerSessions};

use super::secret::Secret;

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

/// What one connection of a server resumes and what it has made: sessions as rustls encodes them.
#[derive(Debug, Default)]
pub(crate) struct ServerSessions {
    /// The session that the client offers, by its id.
    found: Option<(Vec<u8>, Secret)>,
    /// Whether to give sessions of TLS 1.2 an id.
    gives_ids: bool,
    made: Mutex<Vec<(Vec<u8>, Secret)>>,
}

impl ServerSessions {
    /// A store with at most one session.
    pub(crate) fn new(found: Option<(Vec<u8>, Secret)>, gives_ids: bool) -> Self {
        Self { found, gives_ids, made: Mutex::default() }
    }

    /// Whether there is a session to resume.
    pub(crate) fn has_found(&self) -> bool {
        self.found.is_some()
    }

    /// Takes the sessions made so far, with their ids.
    pub(crate) fn take_made(&self) -> Vec<(Vec<u8>, Secret)> {
        self.made.lock().map(|mut made| std::mem::take(&mut *made)).unwrap_or_default()
    }
}

impl StoresServerSessions for ServerSessions {
    /// Says that it was stored even when no cache wants it: like OpenSSL, a server of TLS 1.3
    /// sends its tickets all the same.
    fn put(&self, key: ServerSessionKey<'_>, value: Vec<u8>) -> bool {
        self.made.lock().map(|mut made| made.push((key.as_ref().to_vec(), value.into()))).is_ok()
    }

    fn get(&self, key: ServerSessionKey<'_>) -> Option<Vec<u8>> {
        let (id, value) = self.found.as_ref()?;
        (id == key.as_ref()).then(|| value.to_vec())
    }

    /// Leaves the session: the handshake may be processed twice, and OpenSSL leaves it as well.
    fn take(&self, key: ServerSessionKey<'_>) -> Option<Vec<u8>> {
        self.get(key)
    }

    fn can_cache(&self) -> bool {
        self.gives_ids
    }
}
