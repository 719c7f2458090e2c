//! A server's first flight, read before the engine reads it: whether it asks for a certificate, and
//! for which (RFC 8446, 4.3.2; RFC 5246, 7.4.4).
//!
//! rustls asks for a client's certificate in the middle of its work on the CertificateRequest, and
//! before it shows the server's. A program is asked by OpenSSL after it has verified the server, may
//! look at both, and may want to be asked again later. So the engine gets the records up to the
//! request at once; those from it on are held back until the flight is whole. Then the program
//! decides, and the engine goes through what was held without a stop.
//!
//! In TLS 1.3 the records are opened a second time, with the server's handshake key, which rustls
//! gives to a key log. Nothing that is read here is believed: the client compares the certificates with
//! those that the engine shows, and the engine gets no certificate for a request that is not
//! understood here.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::KeyLog;
use rustls::crypto::SignatureScheme;
use rustls::crypto::cipher::{
    AeadKey, EncodableVersion, InboundOpaque, Iv, Record, RecordDecrypter,
};
use rustls::crypto::tls13::OkmBlock;
use rustls::enums::{ContentType, ProtocolVersion};

use super::client_hello::{Reader, extension};
use super::connection::Presented;
use super::key_log::CollectedKeys;
use super::records::TLS13_SUITES;
use super::tap::provider::overheard_ahead;

/// Length of a record's header (RFC 8446, 5.1).
const HEADER: usize = 5;
/// The most that is held back: a few messages of the 65,535 bytes that rustls takes of each.
const MOST_HELD: usize = 4 * 65_535;

/// Types of records (RFC 8446, 5.1).
const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// Types of handshake messages (RFC 8446, 4; RFC 5246, 7.4; RFC 6066, 8).
const SERVER_HELLO: u8 = 2;
const ENCRYPTED_EXTENSIONS: u8 = 8;
const CERTIFICATE: u8 = 11;
const SERVER_KEY_EXCHANGE: u8 = 12;
const CERTIFICATE_REQUEST: u8 = 13;
const SERVER_HELLO_DONE: u8 = 14;
const CERTIFICATE_VERIFY: u8 = 15;
const FINISHED: u8 = 20;
const CERTIFICATE_STATUS: u8 = 22;

/// What a server asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CertificateRequest {
    /// `ClientCertificateType`s, in TLS 1.2.
    pub(crate) types: Vec<u8>,
    /// The schemes that the server verifies, in its order.
    pub(crate) schemes: Vec<SignatureScheme>,
    /// The names of CAs that it trusts, in DER.
    pub(crate) authorities: Vec<Vec<u8>>,
}

/// What is to be done with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// The engine takes it.
    Pass,
    /// It is held back.
    Hold,
    /// It is held back, and the program decides: see [`Flight::presented`].
    Ask,
    /// There is nothing to ask. The engine takes it, and all that follows.
    Over,
}

/// A server's flight, as far as it was read.
#[derive(Default)]
pub(crate) struct Flight {
    tls13: bool,
    suite: u16,
    opener: Option<Opener>,
    /// Handshake messages, from the first that is not whole on. It stays in place while it grows: a
    /// message may come in as many records as it has bytes.
    messages: Vec<u8>,
    request: Option<CertificateRequest>,
    presented: Presented,
    holds: bool,
    held: usize,
}

impl Flight {
    /// Looks at the next record, which is whole.
    ///
    /// In TLS 1.3 it needs the secret of the server's handshake traffic; without it, it is over with
    /// the first encrypted record.
    pub(crate) fn look(&mut self, record: &[u8], secret: Option<&[u8]>) -> Look {
        let look = self.read(record, secret).unwrap_or(Look::Over);
        if look == Look::Hold {
            self.held += record.len();
            if self.held > MOST_HELD {
                return Look::Over;
            }
        }
        look
    }

    /// What the server asks for, once that is read.
    pub(crate) fn request(&self) -> Option<&CertificateRequest> {
        self.request.as_ref()
    }

    /// The server's certificates and its staple, once [`Look::Ask`] was there.
    pub(crate) fn presented(&self) -> &Presented {
        &self.presented
    }

    /// None for what does not belong to a flight that asks for a certificate.
    fn read(&mut self, record: &[u8], secret: Option<&[u8]>) -> Option<Look> {
        match record.first().copied()? {
            HANDSHAKE if self.opener.is_none() => {
                self.messages.extend_from_slice(record.get(HEADER..)?);
            }
            // For middleboxes (RFC 8446, D.4). In TLS 1.2 a session is resumed.
            CHANGE_CIPHER_SPEC if self.tls13 => return Some(self.neither()),
            APPLICATION_DATA if self.tls13 => {
                if self.opener.is_none() {
                    self.opener = Opener::new(self.suite, secret?);
                }
                let opened = self.opener.as_mut()?.open(record)?;
                self.messages.extend_from_slice(&opened);
            }
            _ => return None,
        }
        self.read_messages()
    }

    fn neither(&self) -> Look {
        if self.holds { Look::Hold } else { Look::Pass }
    }

    fn read_messages(&mut self) -> Option<Look> {
        let mut messages = std::mem::take(&mut self.messages);
        let mut reader = Reader(&messages);
        while let Some((kind, body)) = next_message(&mut reader) {
            if self.read_message(kind, body)? {
                return Some(Look::Ask);
            }
        }
        // The engine may act on a request as soon as it has all of it.
        self.holds |= self.request.is_some() || reader.0.first() == Some(&CERTIFICATE_REQUEST);
        let whole = messages.len() - reader.0.len();
        messages.drain(..whole);
        self.messages = messages;
        Some(self.neither())
    }

    /// Whether the flight has told all that the program has to know.
    fn read_message(&mut self, kind: u8, body: &[u8]) -> Option<bool> {
        match kind {
            SERVER_HELLO => (self.suite, self.tls13) = suite_and_version(body)?,
            ENCRYPTED_EXTENSIONS if self.tls13 => {}
            SERVER_KEY_EXCHANGE if !self.tls13 => {}
            CERTIFICATE_STATUS if !self.tls13 => self.presented.staple = status(body)?,
            CERTIFICATE if !self.tls13 => self.presented.chain = chain(body)?,
            CERTIFICATE if self.request.is_some() => self.presented = chain_and_staple(body)?,
            CERTIFICATE_REQUEST => {
                self.request = Some(match self.tls13 {
                    true => request_of_tls13(body)?,
                    false => request_of_tls12(body)?,
                });
            }
            SERVER_HELLO_DONE if !self.tls13 && self.may_ask() => return Some(true),
            CERTIFICATE_VERIFY if self.tls13 && self.request.is_some() => {}
            FINISHED if self.tls13 && self.may_ask() => return Some(true),
            _ => return None,
        }
        Some(false)
    }

    /// Returns whether the program may be asked: a server that shows no certificate may not demand one,
    /// and the engine refuses it.
    fn may_ask(&self) -> bool {
        self.request.is_some() && !self.presented.chain.is_empty()
    }
}

fn next_message<'a>(reader: &mut Reader<'a>) -> Option<(u8, &'a [u8])> {
    let mut ahead = Reader(reader.0);
    let message = (ahead.u8()?, ahead.vector24()?);
    reader.0 = ahead.0;
    Some(message)
}

/// The suite that a ServerHello has chosen, and whether it chooses TLS 1.3.
fn suite_and_version(body: &[u8]) -> Option<(u16, bool)> {
    let mut reader = Reader(body);
    reader.take(2 + 32)?;
    reader.vector8()?;
    let suite = reader.u16()?;
    reader.u8()?;
    if reader.0.is_empty() {
        return Some((suite, false));
    }
    let mut extensions = Reader(reader.vector16()?);
    let mut tls13 = false;
    while !extensions.0.is_empty() {
        let kind = extensions.u16()?;
        let contents = extensions.vector16()?;
        tls13 |= kind == extension::SUPPORTED_VERSIONS && contents == [3, 4];
    }
    Some((suite, tls13))
}

fn chain(body: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut list = Reader(Reader(body).vector24()?);
    let mut chain = Vec::new();
    while !list.0.is_empty() {
        chain.push(list.vector24()?.to_vec());
    }
    Some(chain)
}

/// The chain of TLS 1.3, with the staple of its first certificate (RFC 8446, 4.4.2).
fn chain_and_staple(body: &[u8]) -> Option<Presented> {
    let mut reader = Reader(body);
    reader.vector8()?;
    let mut list = Reader(reader.vector24()?);
    let mut presented = Presented::default();
    while !list.0.is_empty() {
        let own = presented.chain.is_empty();
        presented.chain.push(list.vector24()?.to_vec());
        let mut extensions = Reader(list.vector16()?);
        while !extensions.0.is_empty() {
            let kind = extensions.u16()?;
            let contents = extensions.vector16()?;
            if own && kind == extension::STATUS_REQUEST {
                presented.staple = status(contents)?;
            }
        }
    }
    Some(presented)
}

/// The response of a CertificateStatus (RFC 6066, 8).
fn status(body: &[u8]) -> Option<Option<Vec<u8>>> {
    const OCSP: u8 = 1;
    let mut reader = Reader(body);
    let response = (reader.u8()? == OCSP).then(|| reader.vector24())??;
    Some((!response.is_empty()).then(|| response.to_vec()))
}

fn request_of_tls12(body: &[u8]) -> Option<CertificateRequest> {
    let mut reader = Reader(body);
    let types = reader.vector8()?.to_vec();
    let schemes = schemes(reader.vector16()?);
    let authorities = names(reader.vector16()?)?;
    Some(CertificateRequest { types, schemes, authorities })
}

fn request_of_tls13(body: &[u8]) -> Option<CertificateRequest> {
    let mut reader = Reader(body);
    reader.vector8()?;
    let mut extensions = Reader(reader.vector16()?);
    let mut request = CertificateRequest::default();
    while !extensions.0.is_empty() {
        let kind = extensions.u16()?;
        let mut contents = Reader(extensions.vector16()?);
        match kind {
            extension::SIGNATURE_ALGORITHMS => request.schemes = schemes(contents.vector16()?),
            extension::CERTIFICATE_AUTHORITIES => {
                request.authorities = names(contents.vector16()?)?;
            }
            _ => {}
        }
    }
    Some(request)
}

fn schemes(list: &[u8]) -> Vec<SignatureScheme> {
    list.as_chunks().0.iter().map(|scheme| u16::from_be_bytes(*scheme).into()).collect()
}

fn names(list: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut list = Reader(list);
    let mut names = Vec::new();
    while !list.0.is_empty() {
        names.push(list.vector16()?.to_vec());
    }
    Some(names)
}

/// Opens the records of a server's handshake in TLS 1.3.
struct Opener {
    decrypter: Box<dyn RecordDecrypter>,
    count: u64,
}

impl Opener {
    /// None for a suite that is not of TLS 1.3.
    fn new(suite: u16, secret: &[u8]) -> Option<Self> {
        let suite = TLS13_SUITES.iter().find(|s| u16::from(s.common.suite) == suite)?;
        let expander = suite.hkdf_provider.expander_for_okm(&OkmBlock::new(secret));
        // HKDF-Expand-Label without a context (RFC 8446, 7.1 and 7.3).
        let expand = |label: &[u8], output: &mut [u8]| {
            let length = u16::try_from(output.len()).ok()?.to_be_bytes();
            let label_length = [u8::try_from(b"tls13 ".len() + label.len()).ok()?];
            expander.expand_slice(&[&length, &label_length, b"tls13 ", label, &[0]], output).ok()
        };
        let key = match suite.aead_alg.key_len() {
            16 => {
                let mut key = [0; 16];
                expand(b"key", &mut key)?;
                AeadKey::from(key)
            }
            32 => {
                let mut key = [0; 32];
                expand(b"key", &mut key)?;
                AeadKey::from(key)
            }
            _ => return None,
        };
        let mut iv = vec![0; suite.aead_alg.iv_len()];
        expand(b"iv", &mut iv)?;
        let decrypter = overheard_ahead(suite.aead_alg.decrypter(key, Iv::new(&iv).ok()?));
        Some(Self { decrypter, count: 0 })
    }

    /// The part of the handshake that a record holds. None for another type of contents.
    fn open(&mut self, record: &[u8]) -> Option<Vec<u8>> {
        let mut body = record.get(HEADER..)?.to_vec();
        let version = EncodableVersion::Legacy(ProtocolVersion::TLSv1_2);
        let sealed = Record::new(ContentType::ApplicationData, version, InboundOpaque(&mut body));
        let opened = self.decrypter.decrypt(sealed, self.count).ok()?;
        self.count += 1;
        (opened.typ == ContentType::Handshake).then(|| opened.payload.to_vec())
    }
}

/// The server's handshake secret, which rustls gives to key logs, on its way to the program's.
#[derive(Default)]
pub(crate) struct HandshakeSecret {
    secret: OnceLock<OkmBlock>,
    program: Option<Arc<CollectedKeys>>,
}

const LABEL: &str = "SERVER_HANDSHAKE_TRAFFIC_SECRET";

impl HandshakeSecret {
    /// Passes on to `program` what it wants to log.
    pub(crate) fn new(program: Option<Arc<CollectedKeys>>) -> Self {
        Self { secret: OnceLock::new(), program }
    }

    /// The secret, once the engine has read the ServerHello of TLS 1.3.
    pub(crate) fn secret(&self) -> Option<&[u8]> {
        self.secret.get().map(AsRef::as_ref)
    }
}

impl fmt::Debug for HandshakeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandshakeSecret").finish_non_exhaustive()
    }
}

impl KeyLog for HandshakeSecret {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        if label == LABEL {
            self.secret.get_or_init(|| OkmBlock::new(secret));
        }
        if let Some(program) = &self.program {
            program.log(label, client_random, secret);
        }
    }

    fn will_log(&self, label: &str) -> bool {
        label == LABEL || self.program.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[kind], &length[1..], body].concat()
    }

    fn record(contents: &[u8]) -> Vec<u8> {
        let length = u16::try_from(contents.len()).unwrap().to_be_bytes();
        [&[HANDSHAKE, 3, 3], &length[..], contents].concat()
    }

    fn hello() -> Vec<u8> {
        message(SERVER_HELLO, &[&[3, 3][..], &[7; 32], &[0, 0xC0, 0x2B, 0]].concat())
    }

    fn certificate() -> Vec<u8> {
        message(CERTIFICATE, b"\0\0\x07\0\0\x01A\0\0\0")
    }

    fn request() -> Vec<u8> {
        message(CERTIFICATE_REQUEST, b"\x02\x01\x40\0\x04\x04\x03\x08\x04\0\x04\0\x02ab")
    }

    #[test]
    fn what_comes_before_the_request_is_passed_and_the_rest_is_held() {
        let mut flight = Flight::default();
        let request = request();
        let (start, rest) = request.split_at(3);
        assert_eq!(flight.look(&record(&hello()), None), Look::Pass);
        let certificate = [certificate(), message(SERVER_KEY_EXCHANGE, b"key")].concat();
        assert_eq!(flight.look(&record(&certificate), None), Look::Pass);
        assert_eq!(flight.look(&record(start), None), Look::Hold);
        assert_eq!(flight.look(&record(rest), None), Look::Hold);
        assert_eq!(flight.look(&record(&message(SERVER_HELLO_DONE, b"")), None), Look::Ask);
        assert_eq!(flight.presented().chain, [b"A".to_vec(), Vec::new()]);
        let request = flight.request().unwrap();
        assert_eq!(request.types, [1, 0x40]);
        assert_eq!(request.authorities, [b"ab"]);
        let (ecdsa, pss) =
            (SignatureScheme::ECDSA_NISTP256_SHA256, SignatureScheme::RSA_PSS_SHA256);
        assert_eq!(request.schemes, [ecdsa, pss]);
    }

    #[test]
    fn a_message_in_many_records_is_not_copied_for_each() {
        for kind in [CERTIFICATE, CERTIFICATE_REQUEST] {
            let mut flight = Flight::default();
            flight.look(&record(&hello()), None);
            let mut sizes = Vec::new();
            for byte in message(kind, &[0; 20_000]).into_iter().take(20_000) {
                assert_ne!(flight.look(&record(&[byte]), None), Look::Over);
                sizes.push(flight.messages.capacity());
            }
            sizes.dedup();
            assert!(sizes.len() < 32, "the buffer was made {} times", sizes.len());
        }
    }

    #[test]
    fn a_flight_in_one_record_is_held_whole() {
        let mut flight = Flight::default();
        let whole = [hello(), certificate(), request(), message(SERVER_HELLO_DONE, b"")].concat();
        assert_eq!(flight.look(&record(&whole), None), Look::Ask);
    }

    #[test]
    fn request_without_certificate_is_not_asked() {
        let empty = message(CERTIFICATE, &[0, 0, 0]);
        for certificate in [vec![], empty] {
            let mut flight = Flight::default();
            let whole = [hello(), certificate, request(), message(SERVER_HELLO_DONE, b"")].concat();
            assert_eq!(flight.look(&record(&whole), None), Look::Over);
        }
    }

    #[test]
    fn without_a_request_there_is_nothing_to_ask() {
        let mut flight = Flight::default();
        let whole = [hello(), certificate(), message(SERVER_HELLO_DONE, b"")].concat();
        assert_eq!(flight.look(&record(&whole), None), Look::Over);
        // A resumption, an alert, and what is malformed.
        for other in [vec![CHANGE_CIPHER_SPEC, 3, 3, 0, 1, 1], vec![21, 3, 3, 0, 2, 2, 40]] {
            let mut flight = Flight::default();
            assert_eq!(flight.look(&record(&hello()), None), Look::Pass);
            assert_eq!(flight.look(&other, None), Look::Over);
        }
        let cut = message(CERTIFICATE_REQUEST, b"\x05\x01");
        assert_eq!(Flight::default().look(&record(&cut), None), Look::Over);
    }

    #[test]
    fn no_more_is_held_than_a_flight_needs() {
        let mut flight = Flight::default();
        let mut endless = vec![CERTIFICATE_REQUEST, 0xFF, 0xFF, 0xFF];
        endless.extend([0; 16_000]);
        let looks: Vec<_> = (0..20).map(|_| flight.look(&record(&endless), None)).collect();
        assert_eq!(looks.first(), Some(&Look::Hold));
        assert_eq!(looks.last(), Some(&Look::Over));
    }
}
