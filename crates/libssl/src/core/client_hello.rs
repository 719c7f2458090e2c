//! The ClientHello as it was sent (RFC 8446, 4.1.2): what `SSL_client_hello_get0_*` show, and what
//! rustls does not tell, `status_request` before all (RFC 6066, 8).

use rustls::crypto::SignatureScheme;

/// Extension numbers (IANA, TLS ExtensionType Values).
pub(crate) mod extension {
    pub(crate) const SERVER_NAME: u16 = 0;
    pub(crate) const STATUS_REQUEST: u16 = 5;
    pub(crate) const SUPPORTED_GROUPS: u16 = 10;
    pub(crate) const EC_POINT_FORMATS: u16 = 11;
    pub(crate) const SIGNATURE_ALGORITHMS: u16 = 13;
    pub(crate) const ALPN: u16 = 16;
    pub(crate) const EXTENDED_MASTER_SECRET: u16 = 23;
    pub(crate) const SESSION_TICKET: u16 = 35;
    pub(crate) const PRE_SHARED_KEY: u16 = 41;
    pub(crate) const SUPPORTED_VERSIONS: u16 = 43;
    pub(crate) const CERTIFICATE_AUTHORITIES: u16 = 47;
    pub(crate) const SIGNATURE_ALGORITHMS_CERT: u16 = 50;
    pub(crate) const RENEGOTIATION_INFO: u16 = 0xFF01;
}

/// A ClientHello, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientHello {
    pub(crate) legacy_version: u16,
    pub(crate) random: Vec<u8>,
    pub(crate) session_id: Vec<u8>,
    /// Two bytes for each suite.
    pub(crate) cipher_suites: Vec<u8>,
    pub(crate) compression_methods: Vec<u8>,
    /// In the order sent.
    pub(crate) extensions: Vec<(u16, Vec<u8>)>,
}

/// What a client asks for with `status_request` of type ocsp.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StatusRequest {
    /// Each ResponderID, in DER.
    pub(crate) responder_ids: Vec<Vec<u8>>,
    /// The request extensions, in DER; empty for none.
    pub(crate) extensions: Vec<u8>,
}

impl ClientHello {
    /// Takes the hello out of the records that a client's first flight begins with.
    ///
    /// None when it is not whole, or malformed.
    pub(crate) fn from_records(records: &[u8]) -> Option<Self> {
        Self::parse(&first_message(records).ok()??)
    }

    /// Takes the body of a ClientHello apart. None when it is malformed.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let mut reader = Reader(body);
        let legacy_version = reader.u16()?;
        let random = reader.take(32)?.to_vec();
        let session_id = reader.vector8()?.to_vec();
        let cipher_suites = reader.vector16()?.to_vec();
        let compression_methods = reader.vector8()?.to_vec();
        let mut extensions = Vec::new();
        if !reader.0.is_empty() {
            let mut list = Reader(reader.vector16()?);
            while !list.0.is_empty() {
                extensions.push((list.u16()?, list.vector16()?.to_vec()));
            }
        }
        Some(Self {
            legacy_version,
            random,
            session_id,
            cipher_suites,
            compression_methods,
            extensions,
        })
    }

    /// The contents of an extension.
    pub(crate) fn extension(&self, kind: u16) -> Option<&[u8]> {
        self.extensions.iter().find(|(k, _)| *k == kind).map(|(_, contents)| contents.as_slice())
    }

    /// The suites, in the client's order.
    pub(crate) fn suites(&self) -> impl Iterator<Item = u16> {
        numbers(&self.cipher_suites)
    }

    /// The groups of `supported_groups`, in the client's order (RFC 8446, 4.2.7).
    pub(crate) fn groups(&self) -> impl Iterator<Item = u16> {
        let extension = self.extension(extension::SUPPORTED_GROUPS);
        numbers(extension.and_then(|contents| Reader(contents).vector16()).unwrap_or_default())
    }

    /// The host name of `server_name` (RFC 6066, 3).
    pub(crate) fn server_name(&self) -> Option<&[u8]> {
        const HOST_NAME: u8 = 0;
        let mut list = Reader(Reader(self.extension(extension::SERVER_NAME)?).vector16()?);
        (list.u8()? == HOST_NAME).then(|| list.vector16())?
    }

    /// The protocols of ALPN in wire format, without the length of the list (RFC 7301, 3.1).
    pub(crate) fn alpn(&self) -> Option<&[u8]> {
        Reader(self.extension(extension::ALPN)?).vector16()
    }

    /// The signature schemes that the client verifies, in its order (RFC 8446, 4.2.3).
    pub(crate) fn signature_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes(extension::SIGNATURE_ALGORITHMS).unwrap_or_default()
    }

    /// The signature schemes of `signature_algorithms_cert` (RFC 8446, 4.2.3), in order. None when
    /// those of the handshake are meant for certificates too.
    pub(crate) fn certificate_schemes(&self) -> Option<Vec<SignatureScheme>> {
        self.schemes(extension::SIGNATURE_ALGORITHMS_CERT)
    }

    fn schemes(&self, kind: u16) -> Option<Vec<SignatureScheme>> {
        let list = Reader(self.extension(kind)?).vector16()?;
        Some(numbers(list).map(SignatureScheme::from).collect())
    }

    /// The formats of `ec_point_formats` (RFC 8422, 5.1.2), in order.
    pub(crate) fn point_formats(&self) -> Option<&[u8]> {
        Reader(self.extension(extension::EC_POINT_FORMATS)?).vector8()
    }

    /// The names of `certificate_authorities`, in DER (RFC 8446, 4.2.4). None without it, and when
    /// it is malformed.
    pub(crate) fn authorities(&self) -> Option<Vec<Vec<u8>>> {
        let mut list =
            Reader(Reader(self.extension(extension::CERTIFICATE_AUTHORITIES)?).vector16()?);
        let mut names = Vec::new();
        while !list.0.is_empty() {
            names.push(list.vector16()?.to_vec());
        }
        Some(names)
    }

    /// Whether the client can speak TLS 1.3.
    pub(crate) fn offers_tls13(&self) -> bool {
        self.extension(extension::SUPPORTED_VERSIONS)
            .and_then(|contents| Reader(contents).vector8())
            .is_some_and(|versions| versions.chunks(2).any(|version| version == [3, 4]))
    }

    /// The identities of `pre_shared_key` (RFC 8446, 4.2.11), up to one that is malformed.
    pub(crate) fn psks(&self) -> impl Iterator<Item = &[u8]> {
        let contents = self.extension(extension::PRE_SHARED_KEY).unwrap_or_default();
        let mut identities = Reader(Reader(contents).vector16().unwrap_or_default());
        std::iter::from_fn(move || {
            let identity = identities.vector16()?;
            // The obfuscated age of the ticket.
            identities.take(4)?;
            Some(identity)
        })
    }

    /// What a server agrees to, as the client offers it. The signal among the suites counts in TLS
    /// 1.3 too, as in OpenSSL.
    pub(crate) fn agreed(&self, tls13: bool) -> Agreed {
        const RENEGOTIATION_SIGNAL: u16 = 0x00FF;
        let has = |kind| !tls13 && self.extension(kind).is_some();
        Agreed {
            secure_renegotiation: has(extension::RENEGOTIATION_INFO)
                || self.suites().any(|suite| suite == RENEGOTIATION_SIGNAL),
            extended_master_secret: has(extension::EXTENDED_MASTER_SECRET),
        }
    }

    /// Whether the client can speak TLS 1.2.
    pub(crate) fn offers_tls12(&self) -> bool {
        match self.extension(extension::SUPPORTED_VERSIONS) {
            Some(contents) => Reader(contents)
                .vector8()
                .is_some_and(|versions| versions.chunks(2).any(|version| version == [3, 3])),
            None => self.legacy_version >= 0x0303,
        }
    }

    /// Whether the client offers a session, for a handshake of TLS 1.3 or of 1.2.
    pub(crate) fn offers_session(&self, tls13: bool) -> bool {
        if tls13 {
            return self.extension(extension::PRE_SHARED_KEY).is_some();
        }
        self.offers_ticket() || !self.session_id.is_empty()
    }

    /// Whether the client offers a ticket of TLS 1.2 (RFC 5077, 3.2).
    pub(crate) fn offers_ticket(&self) -> bool {
        self.extension(extension::SESSION_TICKET).is_some_and(|ticket| !ticket.is_empty())
    }

    /// What the client asks for with `status_request`.
    ///
    /// Ok(None) when it asks for nothing, or for a type that is not ocsp; Err when the extension
    /// is malformed, for which the alert is decode_error.
    pub(crate) fn status_request(&self) -> Result<Option<StatusRequest>, Malformed> {
        match self.extension(extension::STATUS_REQUEST) {
            Some(contents) => StatusRequest::parse(contents).ok_or(Malformed),
            None => Ok(None),
        }
    }
}

/// An extension that does not follow its syntax.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl StatusRequest {
    /// `Some(None)` is a request of another type than ocsp.
    fn parse(contents: &[u8]) -> Option<Option<Self>> {
        const OCSP: u8 = 1;
        let mut reader = Reader(contents);
        if reader.u8()? != OCSP {
            return Some(None);
        }
        let mut list = Reader(reader.vector16()?);
        let mut responder_ids = Vec::new();
        while !list.0.is_empty() {
            let id = list.vector16()?;
            if id.is_empty() {
                return None;
            }
            responder_ids.push(id.to_vec());
        }
        let extensions = reader.vector16()?.to_vec();
        reader.0.is_empty().then_some(Some(Self { responder_ids, extensions }))
    }
}

/// The body of the ClientHello at the start of `records`, gathered from as many as it takes. None
/// when it is not whole, an error when there is something else.
fn first_message(records: &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
    const HANDSHAKE: u8 = 22;
    const CLIENT_HELLO: u8 = 1;
    /// What rustls takes of a handshake message.
    const LONGEST: usize = 0xFFFF;
    let mut reader = Reader(records);
    let mut message = Vec::new();
    loop {
        if let [CLIENT_HELLO, a, b, c, body @ ..] = message.as_slice() {
            let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            if let Some(body) = body.get(..length) {
                return Ok(Some(body.to_vec()));
            }
            if length > LONGEST {
                return Err(Malformed);
            }
        } else if message.len() >= 4 {
            return Err(Malformed);
        }
        match reader.u8() {
            Some(HANDSHAKE) => {}
            Some(_) => return Err(Malformed),
            None => return Ok(None),
        }
        reader.take(2);
        let Some(part) = reader.vector16() else { return Ok(None) };
        message.extend_from_slice(part);
    }
}

/// Whether a server's first record holds a ServerHello of TLS 1.3 (or a HelloRetryRequest).
///
/// None when no ServerHello is there, whole, in one record.
pub(crate) fn server_speaks_tls13(records: &[u8]) -> Option<bool> {
    Some(server_hello(records)?.chooses_tls13())
}

/// As [`server_speaks_tls13`], of the body of a ServerHello; false also when it is malformed.
pub(crate) fn server_hello_chooses_tls13(body: &[u8]) -> bool {
    ServerHello::parse(body).is_some_and(|hello| hello.chooses_tls13())
}

/// The random of the ServerHello at the start of a server's records. None for a
/// HelloRetryRequest, whose random says just that it is one.
pub(crate) fn server_random(records: &[u8]) -> Option<[u8; 32]> {
    if is_hello_retry_request(records) {
        return None;
    }
    server_hello(records)?.random.try_into().ok()
}

/// What both sides agree on for TLS 1.2 without a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// RFC 5746.
    pub(crate) secure_renegotiation: bool,
    /// RFC 7627.
    pub(crate) extended_master_secret: bool,
}

/// What the ServerHello at the start of a server's records agrees to.
pub(crate) fn server_agrees(records: &[u8]) -> Agreed {
    let hello = server_hello(records);
    let has = |kind| hello.as_ref().is_some_and(|hello| hello.extension(kind).is_some());
    Agreed {
        secure_renegotiation: has(extension::RENEGOTIATION_INFO),
        extended_master_secret: has(extension::EXTENDED_MASTER_SECRET),
    }
}

/// The protocol that the ServerHello of TLS 1.2 at the start of a server's records selects
/// (RFC 7301, 3.1).
pub(crate) fn server_alpn(records: &[u8]) -> Option<Vec<u8>> {
    let contents = server_hello(records)?.extension(extension::ALPN)?;
    Reader(Reader(contents).vector16()?).vector8().map(<[u8]>::to_vec)
}

/// Whether the record that a server sends is a HelloRetryRequest (RFC 8446, 4.1.3).
pub(crate) fn is_hello_retry_request(records: &[u8]) -> bool {
    /// SHA-256 of "HelloRetryRequest".
    const RANDOM: [u8; 32] = [
        0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8,
        0x91, 0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8,
        0x33, 0x9C,
    ];
    server_hello(records).is_some_and(|hello| hello.random == RANDOM)
}

struct ServerHello<'a> {
    random: &'a [u8],
    extensions: Option<&'a [u8]>,
}

impl<'a> ServerHello<'a> {
    fn parse(body: &'a [u8]) -> Option<Self> {
        let mut body = Reader(body);
        body.u16()?;
        let random = body.take(32)?;
        body.vector8()?;
        body.take(3)?;
        let extensions = if body.0.is_empty() { None } else { Some(body.vector16()?) };
        Some(Self { random, extensions })
    }

    /// The contents of an extension.
    fn extension(&self, kind: u16) -> Option<&'a [u8]> {
        let mut list = Reader(self.extensions?);
        while !list.0.is_empty() {
            let own = list.u16()? == kind;
            let contents = list.vector16()?;
            if own {
                return Some(contents);
            }
        }
        None
    }

    fn chooses_tls13(&self) -> bool {
        self.extension(extension::SUPPORTED_VERSIONS) == Some(&[3, 4])
    }
}

fn server_hello(records: &[u8]) -> Option<ServerHello<'_>> {
    const HANDSHAKE: u8 = 22;
    const SERVER_HELLO: u8 = 2;
    let mut reader = Reader(records);
    if reader.u8()? != HANDSHAKE {
        return None;
    }
    reader.u16()?;
    let mut record = Reader(reader.vector16()?);
    if record.u8()? != SERVER_HELLO {
        return None;
    }
    let length = (usize::from(record.u8()?) << 16) | usize::from(record.u16()?);
    ServerHello::parse(record.take(length)?)
}

/// Reads the presentation language of RFC 8446, 3.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.take(2)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
    }

    pub(crate) fn vector8(&mut self) -> Option<&'a [u8]> {
        let length = self.u8()?;
        self.take(usize::from(length))
    }

    pub(crate) fn vector16(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    pub(crate) fn vector24(&mut self) -> Option<&'a [u8]> {
        let (high, low) = (self.u8()?, self.u16()?);
        self.take((usize::from(high) << 16) | usize::from(low))
    }
}

/// Two bytes for each number.
fn numbers(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes.as_chunks().0.iter().map(|pair| u16::from_be_bytes(*pair))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(status_request: &[u8]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend([0, 0, 2, 0x13, 0x01, 1, 0]);
        let length = u16::try_from(status_request.len()).unwrap().to_be_bytes();
        let list = u16::try_from(status_request.len() + 4).unwrap().to_be_bytes();
        body.extend(list);
        body.extend([0, 5]);
        body.extend(length);
        body.extend(status_request);
        let mut message = vec![1, 0, 0, u8::try_from(body.len()).unwrap()];
        message.extend(body);
        message
    }

    fn records(message: &[u8], size: usize) -> Vec<u8> {
        let mut records = Vec::new();
        for part in message.chunks(size) {
            records.extend([22, 3, 1]);
            records.extend(u16::try_from(part.len()).unwrap().to_be_bytes());
            records.extend(part);
        }
        records
    }

    #[test]
    fn a_hello_across_records() {
        let message = hello(&[1, 0, 0, 0, 0]);
        let whole = ClientHello::from_records(&records(&message, 1000)).unwrap();
        let split = ClientHello::from_records(&records(&message, 3)).unwrap();
        assert_eq!(whole, split);
        assert_eq!(whole.status_request(), Ok(Some(StatusRequest::default())));
        let cut = records(&message, 1000);
        assert_eq!(ClientHello::from_records(&cut[..cut.len() - 1]), None);
    }

    #[test]
    fn status_requests_well_formed_and_not() {
        let parse = |contents: &[u8]| {
            ClientHello::from_records(&records(&hello(contents), 1000)).unwrap().status_request()
        };
        let asked = parse(&[1, 0, 4, 0, 2, 0x30, 0, 0, 1, 9]).unwrap().unwrap();
        assert_eq!(asked.responder_ids, [[0x30, 0]]);
        assert_eq!(asked.extensions, [9]);
        assert_eq!(parse(&[2, 1, 2, 3]), Ok(None));
        for malformed in [&[][..], &[1], &[1, 0, 0], &[1, 0, 2, 0, 0, 0, 0], &[1, 0, 0, 0, 0, 0]] {
            assert_eq!(parse(malformed), Err(Malformed), "{malformed:?}");
        }
    }

    #[test]
    fn authorities_are_names_with_their_lengths() {
        let with = |contents: &[u8]| {
            let extensions = vec![(extension::CERTIFICATE_AUTHORITIES, contents.to_vec())];
            ClientHello { extensions, ..ClientHello::default() }.authorities()
        };
        assert_eq!(with(b"\x00\x07\x00\x02ab\x00\x01c"), Some(vec![b"ab".to_vec(), b"c".to_vec()]));
        assert_eq!(with(b"\x00\x05\x00\x04ab"), None);
        assert_eq!(ClientHello::default().authorities(), None);
    }
}
