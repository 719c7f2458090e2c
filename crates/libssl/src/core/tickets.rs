//! Tickets: sessions that a server gives its clients to keep, sealed (RFC 5077; RFC 8446, 4.6.1).
//!
//! The keys belong to a context and are made with it, so the processes that a program forks
//! afterwards share them. They are used as RFC 5077, 4 recommends: AES-256-CBC, then HMAC-SHA-256
//! over all. With the session comes what separates it from other programs' sessions, and when its
//! time is over.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::cipher::{
    AES_256, AES_CBC_IV_LEN, DecryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::{hmac, iv, rand};
use rustls::crypto::TicketProducer;
use zeroize::Zeroizing;

use super::secret::{self, Secret};
use super::session::{Session, now};
use crate::sys::ticket_cipher::{NAME_LENGTH as KEY_NAME_LENGTH, TicketCipher, VECTOR_LENGTH};

/// `TLSEXT_TICK_KEY_LENGTH`: the size of all keys together, in bytes.
pub(crate) const KEYS_LENGTH: usize = 80;
const NAME_LENGTH: usize = 16;
const MAC_LENGTH: usize = 32;
/// The size of a block of AES, in bytes.
const BLOCK: usize = 16;

/// The keys of a context: a name, a key for the HMAC, a key for AES.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct TicketKeys(Zeroizing<[u8; KEYS_LENGTH]>);

impl std::fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TicketKeys").finish_non_exhaustive()
    }
}

impl TicketKeys {
    /// New keys. None when there is no randomness.
    pub(crate) fn random() -> Option<Self> {
        let mut keys = Zeroizing::new([0; KEYS_LENGTH]);
        rand::fill(&mut *keys).ok()?;
        Some(Self(keys))
    }

    /// A program's keys. None when they are not [`KEYS_LENGTH`] bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|keys| Self(Zeroizing::new(keys)))
    }

    /// The keys, for the program.
    pub(crate) fn bytes(&self) -> &[u8] {
        &*self.0
    }

    fn name(&self) -> &[u8] {
        self.0.get(..NAME_LENGTH).unwrap_or_default()
    }

    fn mac(&self) -> hmac::Key {
        let key = self.0.get(NAME_LENGTH..NAME_LENGTH + MAC_LENGTH).unwrap_or_default();
        hmac::Key::new(hmac::HMAC_SHA256, key)
    }

    fn cipher(&self) -> Option<UnboundCipherKey> {
        UnboundCipherKey::new(&AES_256, self.0.get(NAME_LENGTH + MAC_LENGTH..)?).ok()
    }

    /// Seals `plain`: name, initialization vector, ciphertext, MAC.
    pub(crate) fn seal(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let key = PaddedBlockEncryptingKey::cbc_pkcs7(self.cipher()?).ok()?;
        // Encrypted where it is, with room for the padding.
        let mut sealed = secret::buffer(plain.len() + BLOCK);
        sealed.extend_from_slice(plain);
        let context = key.encrypt(&mut *sealed).ok()?;
        let vector: &[u8] = (&context).try_into().ok()?;
        let mut ticket = [self.name(), vector, &sealed].concat();
        let mac = hmac::sign(&self.mac(), &ticket);
        ticket.extend_from_slice(mac.as_ref());
        Some(ticket)
    }

    /// Opens a ticket. None when it is not one of these keys'.
    pub(crate) fn open(&self, ticket: &[u8]) -> Option<Secret> {
        let (signed, mac) = ticket.split_at_checked(ticket.len().checked_sub(MAC_LENGTH)?)?;
        let sealed = signed.strip_prefix(self.name())?;
        hmac::verify(&self.mac(), signed, mac).ok()?;
        let (vector, sealed) = sealed.split_at_checked(AES_CBC_IV_LEN)?;
        let context = DecryptionContext::Iv128(iv::FixedLength::try_from(vector).ok()?);
        let key = PaddedBlockDecryptingKey::cbc_pkcs7(self.cipher()?).ok()?;
        let mut opened = Zeroizing::new(sealed.to_vec());
        let length = key.decrypt(&mut opened, context).ok()?.len();
        opened.truncate(length);
        Some(opened.into())
    }
}

/// What the program's callback has set up for one ticket.
#[derive(Debug)]
pub(crate) struct Sealer {
    pub(crate) name: [u8; KEY_NAME_LENGTH],
    pub(crate) vector: [u8; VECTOR_LENGTH],
    pub(crate) cipher: TicketCipher,
}

/// Tickets with keys of the program.
#[derive(Debug)]
pub(crate) struct External {
    /// The ticket that the client offers, and what is in it.
    opened: Option<(Vec<u8>, Secret)>,
    sealers: Mutex<Vec<Sealer>>,
}

impl External {
    pub(crate) fn new(opened: Option<(Vec<u8>, Secret)>, sealers: Vec<Sealer>) -> Self {
        Self { opened, sealers: Mutex::new(sealers) }
    }
}

/// Who seals tickets.
#[derive(Debug)]
pub(crate) enum Keys {
    Own(Arc<TicketKeys>),
    External(External),
}

impl Keys {
    fn seal(&self, plain: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Own(keys) => keys.seal(plain),
            Self::External(external) => {
                let sealer = external.sealers.lock().ok()?.pop()?;
                sealer.cipher.seal(&sealer.name, &sealer.vector, plain)
            }
        }
    }

    fn open(&self, ticket: &[u8]) -> Option<Secret> {
        match self {
            Self::Own(keys) => keys.open(ticket),
            Self::External(external) => {
                let (offered, plain) = external.opened.as_ref()?;
                (offered == ticket).then(|| plain.clone())
            }
        }
    }
}

/// The tickets of one connection.
#[derive(Debug)]
pub(crate) struct Tickets {
    keys: Keys,
    id_context: Arc<[u8]>,
    timeout: u32,
    /// The name that the client asks for.
    name: Option<Vec<u8>>,
    passed: Mutex<Passed>,
}

/// What went through: sessions as rustls's servers store them.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    /// The tickets written, and what is in them.
    pub(crate) sealed: Vec<(Vec<u8>, Secret)>,
    /// What the last ticket that opened holds.
    pub(crate) opened: Option<Secret>,
}

impl Tickets {
    pub(crate) fn new(
        keys: Keys,
        id_context: Arc<[u8]>,
        timeout: u32,
        name: Option<Vec<u8>>,
    ) -> Self {
        Self { keys, id_context, timeout, name, passed: Mutex::default() }
    }

    /// Takes what went through so far.
    pub(crate) fn take_passed(&self) -> Passed {
        self.passed.lock().map(|mut passed| std::mem::take(&mut *passed)).unwrap_or_default()
    }

    fn unwrap(&self, plain: &[u8]) -> Option<Secret> {
        let (expires, rest) = plain.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first()?;
        let (id_context, value) = rest.split_at_checked(usize::from(*length))?;
        let alive = now() <= i64::from_be_bytes(*expires);
        (alive && id_context == &*self.id_context).then(|| value.into())
    }
}

impl TicketProducer for Tickets {
    fn encrypt(&self, value: &[u8]) -> Option<Vec<u8>> {
        let expires = now().saturating_add(i64::from(self.timeout)).to_be_bytes();
        let length = [u8::try_from(self.id_context.len()).ok()?];
        let plain = Zeroizing::new([&expires[..], &length, &self.id_context, value].concat());
        let ticket = self.keys.seal(&plain)?;
        if let Ok(mut passed) = self.passed.lock() {
            passed.sealed.push((ticket.clone(), value.into()));
        }
        Some(ticket)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let value = self.unwrap(&self.keys.open(ticket)?)?;
        if let Ok(mut passed) = self.passed.lock() {
            passed.opened = Some(value.clone());
        }
        let session = Session::of_server(&[], &value)?.under(self.name.as_deref());
        Some(session.to_server()?.to_vec())
    }

    fn lifetime(&self) -> Duration {
        Duration::from_secs(self.timeout.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A session as rustls's server stores it.
    fn session() -> Secret {
        Session { version: 0x0304, suite: 0x1302, secret: vec![7; 48].into(), ..Session::default() }
            .to_server()
            .unwrap()
    }

    fn tickets(keys: &TicketKeys, id_context: &[u8], timeout: u32) -> Tickets {
        Tickets::new(Keys::Own(Arc::new(keys.clone())), id_context.into(), timeout, None)
    }

    #[test]
    fn who_has_the_keys_opens_the_ticket() {
        let keys = TicketKeys::random().unwrap();
        let ticket = tickets(&keys, b"one", 100).encrypt(&session()).unwrap();
        let copy = TicketKeys::from_bytes(keys.bytes()).unwrap();
        let other = tickets(&copy, b"one", 5);
        assert_eq!(other.decrypt(&ticket).as_deref(), Some(&*session()));
        assert_eq!(other.take_passed().opened, Some(session()));
        let stranger = tickets(&TicketKeys::random().unwrap(), b"one", 100);
        assert_eq!(stranger.decrypt(&ticket), None);
        assert_eq!(TicketKeys::from_bytes(b"short"), None);
    }

    #[test]
    fn a_ticket_that_was_changed_does_not_open() {
        let keys = TicketKeys::random().unwrap();
        let tickets = tickets(&keys, b"", 100);
        let ticket = tickets.encrypt(&session()).unwrap();
        for at in 0..ticket.len() {
            let mut changed = ticket.clone();
            changed[at] ^= 1;
            assert_eq!(tickets.decrypt(&changed), None);
            assert_eq!(tickets.decrypt(&ticket[..at]), None);
        }
    }

    #[test]
    fn another_id_context_and_an_old_ticket_are_refused() {
        let keys = TicketKeys::random().unwrap();
        let ticket = tickets(&keys, b"one", 100).encrypt(&session()).unwrap();
        assert_eq!(tickets(&keys, b"two", 100).decrypt(&ticket), None);
        let expired = [&(now() - 1).to_be_bytes()[..], &[0], &session()].concat();
        let expired = keys.seal(&expired).unwrap();
        assert_eq!(tickets(&keys, b"", 100).decrypt(&expired), None);
    }
}
