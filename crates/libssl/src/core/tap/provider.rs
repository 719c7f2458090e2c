//! The cryptography of rustls, aws-lc-rs, with an ear to it: each part does what the original does
//! and says to the tap of the thread what is of interest.
//!
//! For a connection that no one watches the keys of records are the originals; the rest costs some
//! copies of a few bytes in a handshake.

use std::fmt;
use std::sync::{Arc, LazyLock};

use rustls::crypto::cipher::{
    AeadKey, InboundOpaque, Iv, KeyBlockShape, OutboundPlain, Record, RecordDecrypter,
    RecordEncrypter, Tls12AeadAlgorithm, Tls13AeadAlgorithm, UnsupportedOperationError,
};
use rustls::crypto::hmac::Tag;
use rustls::crypto::kx::{
    ActiveKeyExchange, CompletedKeyExchange, NamedGroup, SharedSecret, StartedKeyExchange,
    SupportedKxGroup,
};
use rustls::crypto::tls12::{Prf, PrfSecret};
use rustls::crypto::tls13::{Hkdf, HkdfExpander, OkmBlock};
use rustls::crypto::{CryptoProvider, SignatureScheme};
use rustls::enums::{ContentType, ProtocolVersion};
use rustls::error::Error;
use rustls::{CipherSuiteCommon, ConnectionTrafficSecrets, Tls12CipherSuite, Tls13CipherSuite};
use rustls_aws_lc_rs::{ALL_KX_GROUPS, DEFAULT_PROVIDER};

use crate::sys::ecdh::P521;

use super::super::records::{TLS12_SUITES, TLS13_SUITES};
use super::{Exchange, Finished, Opened, Records, hear, watched};

/// All of the engine's suites and groups, overheard.
pub(crate) static PROVIDER: LazyLock<CryptoProvider> = LazyLock::new(|| CryptoProvider {
    tls12_cipher_suites: TLS12_SUITES.iter().map(overheard12).collect(),
    tls13_cipher_suites: TLS13_SUITES.iter().map(overheard13).collect(),
    kx_groups: ALL_KX_GROUPS
        .iter()
        .copied()
        .chain([&P521 as &dyn SupportedKxGroup])
        .map(overheard_group)
        .collect(),
    ..DEFAULT_PROVIDER
});

// What rustls refers to is static: it is made once, for as long as the process runs.

fn overheard12(suite: &'static Tls12CipherSuite) -> &'static Tls12CipherSuite {
    Box::leak(Box::new(Tls12CipherSuite {
        common: common(&suite.common),
        prf_provider: Box::leak(Box::new(Overheard(suite.prf_provider))),
        aead_alg: Box::leak(Box::new(Overheard(suite.aead_alg))),
        sign: schemes(suite.sign),
        ..*suite
    }))
}

/// The schemes of a suite of TLS 1.2, with the one that libcrypto signs and verifies for the engine.
fn schemes(of_engine: &'static [SignatureScheme]) -> &'static [SignatureScheme] {
    match of_engine.contains(&SignatureScheme::ED25519) {
        true => Box::leak([of_engine, &[SignatureScheme::ED448]].concat().into()),
        false => of_engine,
    }
}

fn overheard13(suite: &'static Tls13CipherSuite) -> &'static Tls13CipherSuite {
    Box::leak(Box::new(Tls13CipherSuite {
        common: common(&suite.common),
        hkdf_provider: Box::leak(Box::new(Overheard(suite.hkdf_provider))),
        aead_alg: Box::leak(Box::new(Overheard(suite.aead_alg))),
        ..*suite
    }))
}

fn common(suite: &CipherSuiteCommon) -> CipherSuiteCommon {
    CipherSuiteCommon { ..*suite }
}

/// The groups of one curve are overheard. The public keys of hybrids are nothing that OpenSSL 3.0
/// has an object for.
fn overheard_group(group: &'static dyn SupportedKxGroup) -> &'static dyn SupportedKxGroup {
    match group.name() {
        NamedGroup::X25519
        | NamedGroup::secp256r1
        | NamedGroup::secp384r1
        | NamedGroup::secp521r1 => Box::leak(Box::new(Overheard(group))),
        _ => group,
    }
}

/// A part of rustls's cryptography that is overheard.
struct Overheard<T: ?Sized + 'static>(&'static T);

impl fmt::Debug for Overheard<dyn SupportedKxGroup> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

// --- the Finished messages -------------------------------------------------------------------

impl Prf for Overheard<dyn Prf> {
    fn for_key_exchange(
        &self,
        output: &mut [u8; 48],
        kx: Box<dyn ActiveKeyExchange>,
        peer_pub_key: &[u8],
        label: &[u8],
        seed: &[u8],
    ) -> Result<(), Error> {
        self.0.for_key_exchange(output, kx, peer_pub_key, label, seed)
    }

    fn new_secret(&self, master_secret: &[u8; 48]) -> Box<dyn PrfSecret> {
        Box::new(OverheardSecret(self.0.new_secret(master_secret)))
    }
}

struct OverheardSecret(Box<dyn PrfSecret>);

impl PrfSecret for OverheardSecret {
    fn prf(&self, output: &mut [u8], label: &[u8], seed: &[u8]) {
        self.0.prf(output, label, seed);
        let which = match label {
            b"server finished" => 0,
            b"client finished" => 1,
            _ => return,
        };
        hear(|tap| {
            if let Some(finished) = tap.finished.get_mut(which) {
                *finished = Finished::new(output);
            }
        });
    }
}

impl Hkdf for Overheard<dyn Hkdf> {
    fn extract_from_zero_ikm(&self, salt: Option<&[u8]>) -> Box<dyn HkdfExpander> {
        self.0.extract_from_zero_ikm(salt)
    }

    fn extract_from_secret(&self, salt: Option<&[u8]>, secret: &[u8]) -> Box<dyn HkdfExpander> {
        self.0.extract_from_secret(salt, secret)
    }

    fn extract_from_kx_shared_secret(
        &self,
        salt: Option<&[u8]>,
        kx: Box<dyn ActiveKeyExchange>,
        peer_pub_key: &[u8],
    ) -> Result<Box<dyn HkdfExpander>, Error> {
        self.0.extract_from_kx_shared_secret(salt, kx, peer_pub_key)
    }

    fn expander_for_okm(&self, okm: &OkmBlock) -> Box<dyn HkdfExpander> {
        self.0.expander_for_okm(okm)
    }

    /// Signs binders, then the server's Finished, then the client's: on both sides the last two are
    /// the Finished.
    fn hmac_sign(&self, key: &OkmBlock, message: &[u8]) -> Tag {
        let tag = self.0.hmac_sign(key, message);
        hear(|tap| {
            tap.finished.rotate_left(1);
            let [_, last] = &mut tap.finished;
            *last = Finished::new(tag.as_ref());
        });
        tag
    }
}

// --- the key exchange ------------------------------------------------------------------------

impl SupportedKxGroup for Overheard<dyn SupportedKxGroup> {
    fn start(&self) -> Result<StartedKeyExchange, Error> {
        Ok(match self.0.start()? {
            StartedKeyExchange::Single(exchange) => {
                StartedKeyExchange::Single(Box::new(OverheardExchange(exchange)))
            }
            hybrid => hybrid,
        })
    }

    fn start_and_complete(&self, peer_pub_key: &[u8]) -> Result<CompletedKeyExchange, Error> {
        let completed = self.0.start_and_complete(peer_pub_key)?;
        hear_exchange(completed.group, &completed.pub_key, peer_pub_key);
        Ok(completed)
    }

    fn name(&self) -> NamedGroup {
        self.0.name()
    }
}

struct OverheardExchange(Box<dyn ActiveKeyExchange>);

impl ActiveKeyExchange for OverheardExchange {
    fn complete(self: Box<Self>, peer_pub_key: &[u8]) -> Result<SharedSecret, Error> {
        hear_exchange(self.0.group(), self.0.pub_key(), peer_pub_key);
        self.0.complete(peer_pub_key)
    }

    fn complete_for_tls_version(
        self: Box<Self>,
        peer_pub_key: &[u8],
        tls_version: ProtocolVersion,
    ) -> Result<SharedSecret, Error> {
        hear_exchange(self.0.group(), self.0.pub_key(), peer_pub_key);
        self.0.complete_for_tls_version(peer_pub_key, tls_version)
    }

    fn pub_key(&self) -> &[u8] {
        self.0.pub_key()
    }

    fn group(&self) -> NamedGroup {
        self.0.group()
    }
}

fn hear_exchange(group: NamedGroup, own: &[u8], peer: &[u8]) {
    let exchange = Exchange { group, own: own.to_vec(), peer: peer.to_vec() };
    hear(|tap| tap.exchange = Some(Box::new(exchange)));
}

// --- records ---------------------------------------------------------------------------------

impl Tls12AeadAlgorithm for Overheard<dyn Tls12AeadAlgorithm> {
    fn encrypter(&self, key: AeadKey, iv: &[u8], extra: &[u8]) -> Box<dyn RecordEncrypter> {
        overheard_encrypter(self.0.encrypter(key, iv, extra))
    }

    fn decrypter(&self, key: AeadKey, iv: &[u8]) -> Box<dyn RecordDecrypter> {
        overheard_decrypter(self.0.decrypter(key, iv))
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        self.0.key_block_shape()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: &[u8],
        explicit: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv, explicit)
    }
}

impl Tls13AeadAlgorithm for Overheard<dyn Tls13AeadAlgorithm> {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn RecordEncrypter> {
        overheard_encrypter(self.0.encrypter(key, iv))
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn RecordDecrypter> {
        overheard_decrypter(self.0.decrypter(key, iv))
    }

    fn key_len(&self) -> usize {
        self.0.key_len()
    }

    fn iv_len(&self) -> usize {
        self.0.iv_len()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv)
    }
}

fn overheard_encrypter(original: Box<dyn RecordEncrypter>) -> Box<dyn RecordEncrypter> {
    match watched() {
        Some(records) => Box::new(OverheardEncrypter { original, records }),
        None => original,
    }
}

fn overheard_decrypter(original: Box<dyn RecordDecrypter>) -> Box<dyn RecordDecrypter> {
    match watched() {
        Some(records) => Box::new(OverheardDecrypter { original, records, ahead: false }),
        None => original,
    }
}

/// Overhears records that are opened before the engine opens them; those are then not heard again.
pub(crate) fn overheard_ahead(original: Box<dyn RecordDecrypter>) -> Box<dyn RecordDecrypter> {
    match watched() {
        Some(records) => Box::new(OverheardDecrypter { original, records, ahead: true }),
        None => original,
    }
}

struct OverheardEncrypter {
    original: Box<dyn RecordEncrypter>,
    records: Arc<Records>,
}

impl RecordEncrypter for OverheardEncrypter {
    fn encrypt<'a>(
        &mut self,
        record: Record<OutboundPlain<'_>>,
        seq: u64,
        out: &'a mut [u8],
    ) -> Result<Record<&'a [u8]>, Error> {
        let kind = record.typ;
        let is_data = kind == ContentType::ApplicationData;
        if is_data && !self.records.take_data() {
            return self.original.encrypt(record, seq, out);
        }
        let contents = if is_data { Vec::new() } else { record.payload.to_vec() };
        let encrypted = self.original.encrypt(record, seq, out)?;
        let length = encrypted.payload.len();
        self.records.of(true).push_back(Opened { length, kind: Some(kind.into()), contents });
        Ok(encrypted)
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        self.original.encrypted_payload_len(payload_len)
    }
}

struct OverheardDecrypter {
    original: Box<dyn RecordDecrypter>,
    records: Arc<Records>,
    /// Whether the engine will open the records again.
    ahead: bool,
}

impl RecordDecrypter for OverheardDecrypter {
    fn decrypt<'a>(
        &mut self,
        record: Record<InboundOpaque<'a>>,
        seq: u64,
    ) -> Result<Record<&'a [u8]>, Error> {
        let length = record.payload.len();
        let decrypted = self.original.decrypt(record, seq);
        if self.ahead {
            self.records.note_ahead();
        } else if self.records.was_ahead() {
            return decrypted;
        }
        let (kind, contents) = match &decrypted {
            Ok(plain) if plain.typ == ContentType::ApplicationData => {
                if !self.records.take_data() {
                    return decrypted;
                }
                (Some(plain.typ.into()), Vec::new())
            }
            Ok(plain) => (Some(plain.typ.into()), plain.payload.to_vec()),
            Err(_) => (None, Vec::new()),
        };
        self.records.of(false).push_back(Opened { length, kind, contents });
        decrypted
    }
}
