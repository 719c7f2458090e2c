//! Tickets: sessions that a server gives its clients to keep, sealed (RFC 5077; RFC 8446, 4.6.1).
//!
//! The keys belong to a context and are made with it, so the processes that a program forks
//! afterwards share them. They are used as RFC 5077, 4 recommends: AES-256-CBC, then HMAC-SHA-256
//! over all. The contents are in [`super::session::ticket`], and the connection's use of tickets in
//! [`super::server_sessions`].

use std::sync::{Arc, Mutex};

use aws_lc_rs::cipher::{
    AES_256, AES_CBC_IV_LEN, DecryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::{hmac, iv, rand};
use zeroize::Zeroizing;

use super::secret::{self, Secret};
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

/// The keys that seal a connection's tickets.
#[derive(Debug)]
pub(crate) enum Keys {
    Own(Arc<TicketKeys>),
    /// Those of the program, one for each ticket.
    External(Mutex<Vec<Sealer>>),
}

impl Keys {
    /// Seals the contents of a ticket. None when there is no key.
    pub(crate) fn seal(&self, plain: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Own(keys) => keys.seal(plain),
            Self::External(sealers) => {
                let sealer = sealers.lock().ok()?.pop()?;
                sealer.cipher.seal(&sealer.name, &sealer.vector, plain)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_keys_open_a_ticket() {
        let keys = TicketKeys::random().unwrap();
        let ticket = keys.seal(b"contents").unwrap();
        let copy = TicketKeys::from_bytes(keys.bytes()).unwrap();
        assert_eq!(copy.open(&ticket).as_deref(), Some(&b"contents"[..]));
        assert_eq!(TicketKeys::random().unwrap().open(&ticket), None);
        assert_eq!(TicketKeys::from_bytes(b"short"), None);
    }

    #[test]
    fn changed_ticket_does_not_open() {
        let keys = TicketKeys::random().unwrap();
        let ticket = keys.seal(b"contents").unwrap();
        for at in 0..ticket.len() {
            let mut changed = ticket.clone();
            changed[at] ^= 1;
            assert_eq!(keys.open(&changed), None);
            assert_eq!(keys.open(&ticket[..at]), None);
        }
    }
}
