//! The sessions of one connection of a server: the one that it resumes, and those that it makes.
//!
//! rustls asks it for both, by tickets and by ids. Its values lack fields of a session, so they are
//! converted here and only here: [`Session`] is what tickets seal and caches keep, and a value of
//! rustls is made from it for a resumption. The session to resume is looked for, opened and judged
//! before the handshake, where the program's callbacks can run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::crypto::TicketProducer;
use rustls::server::{ServerSessionKey, StoresServerSessions};

use super::secret::Secret;
use super::session::{Origin, Session, id_of_ticket, ticket};
use super::tickets::Keys;

/// The longest lifetime of a ticket of TLS 1.3, in seconds: a week (RFC 8446, 4.6.1).
const LONGEST_LIFETIME: i64 = 7 * 24 * 60 * 60;
/// The size of an id of a session, in bytes.
const ID_LENGTH: usize = 32;

/// A session that a client offers and that may be resumed.
#[derive(Clone, Debug)]
pub(crate) struct Offered {
    /// The ticket, or the id when there is none.
    pub(crate) key: Vec<u8>,
    /// Whether the key is a ticket of TLS 1.2, or an identity of TLS 1.3.
    pub(crate) by_ticket: bool,
    /// Whether a resumption of TLS 1.3 sends a new ticket.
    pub(crate) renew: bool,
    pub(crate) session: Session,
}

/// A session that the handshake has made.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) session: Session,
    /// Whether the client has all of it in a ticket.
    pub(crate) sealed: bool,
}

/// What is known before the handshake.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) tls13: bool,
    pub(crate) offered: Option<Offered>,
    /// The keys of tickets; None when there are to be none.
    pub(crate) keys: Option<Keys>,
    /// Whether to give sessions of TLS 1.2 an id.
    pub(crate) gives_ids: bool,
    /// The name that the client asks for, under which a session without a name is resumed too.
    pub(crate) name: Option<Vec<u8>>,
    /// The fields of sessions that a full handshake makes.
    pub(crate) origin: Origin,
}

/// The store of one connection.
#[derive(Debug)]
pub(crate) struct ServerSessions {
    plan: Plan,
    /// Whether the offered session was not resumed.
    declined: AtomicBool,
    /// Whether the tickets of TLS 1.3 are ids of sessions in the cache.
    stateful: AtomicBool,
    /// The fields of new sessions that the engine does not write.
    origin: Mutex<Origin>,
    made: Mutex<Vec<Made>>,
}

impl ServerSessions {
    pub(crate) fn new(plan: Plan) -> Self {
        let offered = plan.offered.as_ref();
        let origin = offered.map_or_else(|| plan.origin.clone(), |o| o.session.origin());
        Self {
            declined: AtomicBool::new(false),
            stateful: AtomicBool::new(plan.keys.is_none()),
            origin: Mutex::new(origin),
            made: Mutex::default(),
            plan,
        }
    }

    /// The session that the engine may resume.
    pub(crate) fn offered(&self) -> Option<&Offered> {
        self.plan.offered.as_ref().filter(|_| !self.declined.load(Ordering::Relaxed))
    }

    /// Whether there are tickets, sealed or as ids.
    pub(crate) fn has_tickets(&self) -> bool {
        self.plan.tls13 || self.plan.keys.is_some()
    }

    /// Notes that the handshake is a full one. With `declined` the engine has passed the offered
    /// session over, and does not get it again.
    pub(crate) fn begin_full(&self, declined: bool, stateful: bool) {
        self.declined.fetch_or(declined, Ordering::Relaxed);
        self.stateful.fetch_or(stateful, Ordering::Relaxed);
        *self.origin() = self.plan.origin.clone();
    }

    /// Notes the outcome of verifying the client, for the sessions that are made from now on.
    pub(crate) fn set_verify_result(&self, result: i64) {
        self.origin().verify_result = result;
    }

    /// Takes the sessions made so far.
    pub(crate) fn take_made(&self) -> Vec<Made> {
        std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds the fields that the engine does not know to a session that it has made.
    pub(crate) fn complete(&self, session: &mut Session) {
        session.set_origin(&self.origin());
        // In TLS 1.2 a resumption lengthens no life; in TLS 1.3 it does, as in OpenSSL.
        if let Some(offered) = self.offered().filter(|_| !self.plan.tls13) {
            session.time = offered.session.time;
        }
    }

    fn origin(&self) -> MutexGuard<'_, Origin> {
        self.origin.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, session: Session, sealed: bool) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.push(Made { session, sealed });
    }

    /// Takes a session with an id that the engine has made. False when it is malformed.
    fn receive(&self, id: &[u8], value: &[u8]) -> bool {
        let Some(mut session) = Session::of_server(id, value) else { return false };
        self.complete(&mut session);
        self.keep(session, false);
        true
    }

    /// The offered session as rustls stores it, when this is its key.
    fn value(&self, key: &[u8], by_ticket: bool) -> Option<Vec<u8>> {
        let offered = self.offered().filter(|offered| offered.by_ticket == by_ticket)?;
        if offered.key != key {
            return None;
        }
        let session = offered.session.clone().under(self.plan.name.as_deref());
        Some(session.to_server()?.to_vec())
    }
}

impl StoresServerSessions for ServerSessions {
    /// Returns true even when no cache keeps it: the session is the connection's in any case.
    fn put(&self, key: ServerSessionKey<'_>, value: Vec<u8>) -> bool {
        self.receive(key.as_ref(), &Secret::from(value))
    }

    fn get(&self, key: ServerSessionKey<'_>) -> Option<Vec<u8>> {
        self.value(key.as_ref(), false)
    }

    /// Leaves the session: the handshake may be processed twice, and OpenSSL leaves it as well.
    fn take(&self, key: ServerSessionKey<'_>) -> Option<Vec<u8>> {
        self.get(key)
    }

    fn can_cache(&self) -> bool {
        self.plan.gives_ids
    }
}

impl TicketProducer for ServerSessions {
    /// None in TLS 1.3 sends no ticket. The engine has announced one of TLS 1.2 by now.
    fn encrypt(&self, value: &[u8]) -> Option<Vec<u8>> {
        if self.plan.tls13 && self.offered().is_some_and(|offered| !offered.renew) {
            return None;
        }
        let mut session = Session::of_server(&[], value)?;
        self.complete(&mut session);
        let stateful = self.stateful.load(Ordering::Relaxed);
        let ticket = match &self.plan.keys {
            Some(keys) if !stateful => keys.seal(&ticket::encode(&session)?)?,
            _ => {
                let mut id = vec![0; ID_LENGTH];
                aws_lc_rs::rand::fill(&mut id).ok()?;
                id
            }
        };
        if self.plan.tls13 {
            session.id = if stateful { ticket.clone() } else { id_of_ticket(&ticket) };
        }
        self.keep(session, !stateful);
        Some(ticket)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.value(ticket, true)
    }

    /// As in OpenSSL: of TLS 1.2 as it was set, and 0, which says nothing, on a resumption; of TLS
    /// 1.3 at most a week.
    fn lifetime(&self) -> Duration {
        let timeout = self.origin().timeout.max(0);
        let seconds = match self.plan.tls13 {
            true => timeout.min(LONGEST_LIFETIME),
            false if self.offered().is_some() => 0,
            false => timeout & i64::from(u32::MAX),
        };
        Duration::from_secs(seconds.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::core::session::now;
    use crate::core::tickets::TicketKeys;

    fn origin() -> Origin {
        Origin {
            id_context: b"context".to_vec(),
            timeout: 100,
            verify_result: 0,
            ticket_data: Vec::new(),
            group: 0,
        }
    }

    fn plan(tls13: bool, keys: Option<&TicketKeys>, offered: Option<Offered>) -> Plan {
        let keys = keys.map(|keys| Keys::Own(Arc::new(keys.clone())));
        Plan { tls13, offered, keys, gives_ids: true, name: None, origin: origin() }
    }

    /// A session as rustls's server stores it.
    fn value(tls13: bool) -> Secret {
        let (version, suite) = if tls13 { (0x0304, 0x1302) } else { (0x0303, 0xC02F) };
        let chain = vec![vec![0x30, 0], vec![0x30, 1, 5]];
        Session { version, suite, secret: vec![7; 48].into(), chain, ..Session::default() }
            .to_server()
            .unwrap()
    }

    #[test]
    fn sessions_carry_the_verify_result() {
        let keys = TicketKeys::random().unwrap();
        for tls13 in [false, true] {
            for keys in [None, Some(&keys)] {
                let first = ServerSessions::new(plan(tls13, keys, None));
                first.begin_full(false, false);
                first.set_verify_result(19);
                let ticket = if keys.is_some() || tls13 {
                    first.encrypt(&value(tls13)).unwrap()
                } else {
                    assert!(first.receive(&[5; 32], &value(tls13)));
                    vec![5; 32]
                };
                let made = first.take_made().remove(0);
                assert_eq!(made.sealed, keys.is_some());
                let session = match keys {
                    Some(keys) => ticket::decode(&keys.open(&ticket).unwrap()).unwrap(),
                    None => made.session.clone(),
                };
                assert_eq!(session.verify_result, 19);
                assert_eq!(session.id_context, b"context");
                assert_eq!(session.timeout, 100);
                assert_eq!(session.chain.len(), 2);
                assert_eq!(
                    Session { id: Vec::new(), ..made.session.clone() },
                    Session { id: Vec::new(), ..session.clone() }
                );

                // What a resumption makes is not trusted more.
                let by_ticket = keys.is_some() || tls13;
                let offered = Offered { key: ticket.clone(), by_ticket, renew: true, session };
                let second = ServerSessions::new(plan(tls13, keys, Some(offered)));
                assert_eq!(second.decrypt(&ticket).is_some(), by_ticket);
                assert_eq!(second.value(&ticket, false).is_some(), !by_ticket);
                assert_eq!(second.decrypt(b"another"), None);
                second.encrypt(&value(tls13)).unwrap();
                assert_eq!(second.take_made().remove(0).session.verify_result, 19);
            }
        }
    }

    #[test]
    fn declined_session_leaves_nothing_behind() {
        let keys = TicketKeys::random().unwrap();
        let session =
            Session { verify_result: 19, ..Session::of_server(&[], &value(true)).unwrap() };
        let offered = Offered { key: b"key".to_vec(), by_ticket: true, renew: true, session };
        let own = ServerSessions::new(plan(true, Some(&keys), Some(offered)));
        assert!(own.decrypt(b"key").is_some() && own.offered().is_some());
        own.begin_full(true, false);
        assert!(own.decrypt(b"key").is_none() && own.offered().is_none());
        own.encrypt(&value(true)).unwrap();
        assert_eq!(own.take_made().remove(0).session.verify_result, 0);
    }

    #[test]
    fn lifetimes_are_those_of_openssl() {
        let lifetime = |tls13, timeout, resumes: bool| {
            let session = Session { timeout, ..Session::of_server(&[], &value(tls13)).unwrap() };
            let offered =
                resumes.then(|| Offered { key: vec![1], by_ticket: true, renew: true, session });
            let mut plan = plan(tls13, None, offered);
            plan.origin.timeout = timeout;
            ServerSessions::new(plan).lifetime().as_secs()
        };
        assert_eq!(lifetime(true, 300, false), 300);
        assert_eq!(lifetime(true, 300, true), 300);
        assert_eq!(lifetime(true, 1 << 40, false), 7 * 24 * 3600);
        assert_eq!(lifetime(true, -5, false), 0);
        assert_eq!(lifetime(false, 300, false), 300);
        assert_eq!(lifetime(false, 300, true), 0);
        assert_eq!(lifetime(false, (1 << 40) + 5, false), 5);
    }

    #[test]
    fn sessions_expire_at_the_second_after() {
        let at = |time, timeout| Session { time, timeout, ..Session::default() }.has_expired();
        assert!(!at(now() - 100, 101) && at(now() - 100, 98));
        assert!(at(now() - 100, -1) && !at(now() + 100, 0));
        assert!(!at(now() - 100, i64::MAX) && !at(i64::MAX, i64::MAX));
    }
}
