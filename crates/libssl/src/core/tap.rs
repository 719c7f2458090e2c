//! What rustls does not tell of a connection, overheard in the cryptography that this library gives
//! it: the Finished messages (RFC 8446, 4.4.4; RFC 5246, 7.4.9), the keys of the key exchange, and,
//! for who watches the connection, what its encrypted records hold.
//!
//! rustls's cryptography is static and does not know for which connection it works. The engine says
//! so: it takes its steps within [`Tap::listen`], which makes the tap known to the thread for that
//! time. Nothing here is secret: a Finished and the shares of a key exchange are what both ends have
//! sent, and the contents of records are kept only until they are told.
//!
//! [`provider`] is the cryptography itself, the wrappers in which it is overheard.

pub(crate) mod provider;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use rustls::crypto::kx::NamedGroup;

use super::configs::Parts;

thread_local! {
    /// The tap of the connection that the thread works for.
    static LISTENING: RefCell<Option<Tap>> = const { RefCell::new(None) };
}

/// What was overheard of one connection.
#[derive(Debug, Default)]
pub(crate) struct Tap {
    /// The server's Finished and the client's, in the order in which both ends compute them.
    finished: [Finished; 2],
    exchange: Option<Box<Exchange>>,
    /// Where the contents of encrypted records go, when someone watches.
    records: Option<Arc<Records>>,
    /// What the handshake is asked for.
    pub(crate) parts: Parts,
}

/// The `verify_data` of a Finished message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finished {
    bytes: [u8; LONGEST],
    length: usize,
}

/// The longest hash of the engine's suites, SHA-384.
const LONGEST: usize = 48;

impl Default for Finished {
    fn default() -> Self {
        Self { bytes: [0; LONGEST], length: 0 }
    }
}

/// A key exchange: its group, and the public keys as they were sent (RFC 8446, 4.2.8.2).
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) group: NamedGroup,
    pub(crate) own: Vec<u8>,
    pub(crate) peer: Vec<u8>,
}

impl Exchange {
    /// This side's public key as a SubjectPublicKeyInfo (RFC 5280, 4.1.2.7).
    pub(crate) fn own_spki(&self) -> Option<Vec<u8>> {
        spki(self.group, &self.own)
    }

    /// The peer's, as [`own_spki`](Self::own_spki).
    pub(crate) fn peer_spki(&self) -> Option<Vec<u8>> {
        spki(self.group, &self.peer)
    }
}

/// A public key of a group's curve, with the identifiers of RFC 8410, 3 and RFC 5480, 2.1.1.
fn spki(group: NamedGroup, key: &[u8]) -> Option<Vec<u8>> {
    let head: &[u8] = match group {
        NamedGroup::X25519 => b"\x30\x2A\x30\x05\x06\x03\x2B\x65\x6E\x03\x21\x00",
        NamedGroup::secp256r1 => {
            b"\x30\x59\x30\x13\x06\x07\x2A\x86\x48\xCE\x3D\x02\x01\
              \x06\x08\x2A\x86\x48\xCE\x3D\x03\x01\x07\x03\x42\x00"
        }
        NamedGroup::secp384r1 => {
            b"\x30\x76\x30\x10\x06\x07\x2A\x86\x48\xCE\x3D\x02\x01\
              \x06\x05\x2B\x81\x04\x00\x22\x03\x62\x00"
        }
        _ => return None,
    };
    Some([head, key].concat())
}

impl Finished {
    fn new(verify_data: &[u8]) -> Self {
        let mut finished = Self::default();
        for (to, from) in finished.bytes.iter_mut().zip(verify_data) {
            *to = *from;
            finished.length += 1;
        }
        finished
    }

    /// The bytes; none before they are known.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl Tap {
    /// Takes a step of the engine, and listens to it.
    pub(crate) fn listen<T>(&mut self, step: impl FnOnce() -> T) -> T {
        let before = LISTENING
            .try_with(|listening| listening.replace(Some(std::mem::take(self))))
            .unwrap_or_default();
        // What was heard comes back also from a step that panics.
        let _listening = Listening { tap: self, before };
        step()
    }

    /// Watches the contents of encrypted records from now on, under keys that are made from now on.
    pub(crate) fn watch(&mut self) -> Arc<Records> {
        Arc::clone(self.records.get_or_insert_default())
    }

    /// The Finished of the client. It is the right one when the handshake is complete.
    pub(crate) fn client_finished(&self) -> &Finished {
        let [_, client] = &self.finished;
        client
    }

    /// The Finished of the server, as [`client_finished`](Self::client_finished).
    pub(crate) fn server_finished(&self) -> &Finished {
        let [server, _] = &self.finished;
        server
    }

    /// The key exchange, when there was one in a group of one curve.
    pub(crate) fn exchange(&self) -> Option<&Exchange> {
        self.exchange.as_deref()
    }
}

struct Listening<'a> {
    tap: &'a mut Tap,
    before: Option<Tap>,
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        let heard = LISTENING.try_with(|listening| listening.replace(self.before.take()));
        *self.tap = heard.ok().flatten().unwrap_or_default();
    }
}

/// Notes something for the connection that the thread works for, if it works for one.
pub(crate) fn hear(note: impl FnOnce(&mut Tap)) {
    let _ = LISTENING.try_with(|listening| {
        if let Some(tap) = listening.borrow_mut().as_mut() {
            note(tap);
        }
    });
}

/// Where the connection that the thread works for wants the contents of its records.
fn watched() -> Option<Arc<Records>> {
    let mut records = None;
    hear(|tap| records.clone_from(&tap.records));
    records
}

/// The contents of encrypted records, in order, until they are told.
#[derive(Debug, Default)]
pub(crate) struct Records {
    no_data: AtomicBool,
    /// How many received records are here and will be opened again.
    ahead: AtomicUsize,
    sent: Mutex<VecDeque<Opened>>,
    received: Mutex<VecDeque<Opened>>,
}

/// What an encrypted record holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    /// The length of what is encrypted, by which record and contents are held together.
    pub(crate) length: usize,
    /// The type of the contents; None when the record could not be decrypted.
    pub(crate) kind: Option<u8>,
    /// The contents. Of application data none are kept.
    pub(crate) contents: Vec<u8>,
}

impl Records {
    /// Records of application data are of no interest any more.
    pub(crate) fn leave_data_out(&self) {
        self.no_data.store(true, Ordering::Relaxed);
    }

    fn note_ahead(&self) {
        self.ahead.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the next record that is opened was heard before.
    fn was_ahead(&self) -> bool {
        let less = |count: usize| count.checked_sub(1);
        self.ahead.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    fn take_data(&self) -> bool {
        !self.no_data.load(Ordering::Relaxed)
    }

    /// The contents of the records of a direction that are not told yet.
    pub(crate) fn of(&self, sent: bool) -> MutexGuard<'_, VecDeque<Opened>> {
        let records = if sent { &self.sent } else { &self.received };
        records.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_hears_for_the_connection_that_it_works_for() {
        let (mut outer, mut inner) = (Tap::default(), Tap::default());
        hear(|_| panic!("no connection is worked for"));
        outer.listen(|| {
            hear(|tap| tap.finished[0] = Finished::new(&[1; 12]));
            inner.listen(|| hear(|tap| tap.finished[1] = Finished::new(&[2; 99])));
            hear(|tap| tap.finished[1] = Finished::new(&[3; 32]));
        });
        assert_eq!(outer.server_finished().bytes(), [1; 12]);
        assert_eq!(outer.client_finished().bytes(), [3; 32]);
        assert!(inner.server_finished().bytes().is_empty());
        assert_eq!(inner.client_finished().bytes(), [2; LONGEST]);
    }

    #[test]
    fn a_panic_ends_the_listening() {
        let mut tap = Tap::default();
        let step = std::panic::AssertUnwindSafe(|| {
            tap.listen(|| {
                hear(|tap| tap.finished[0] = Finished::new(&[1; 12]));
                panic!("on purpose");
            })
        });
        assert!(std::panic::catch_unwind(step).is_err());
        assert_eq!(tap.server_finished().bytes(), [1; 12]);
        assert!(watched().is_none());
        hear(|_| panic!("no connection is worked for"));
    }
}
