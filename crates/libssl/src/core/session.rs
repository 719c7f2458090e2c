//! What a session is: the fields of an `SSL_SESSION`, and the forms that rustls keeps sessions in.
//!
//! rustls's values are opaque, but encode to bytes; a session here has the fields of those bytes,
//! so it can be shown to a program, written as OpenSSL's DER ([`der`]), and turned back. Only a
//! client's session of TLS 1.3 cannot be turned back: see [`super::sessions`].

pub(crate) mod der;
pub(crate) mod ticket;

use std::ffi::{CString, c_int};
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::client::{Tls12Session, Tls13Session};
use rustls::pki_types::DnsName;

use super::secret::{self, SESSION_ROOM, Secret};
use super::settings::{TLS1_2, TLS1_3};
use super::tap::provider::PROVIDER;

/// `SSL_SESS_FLAG_EXTMS`: the extended master secret was used (RFC 7627).
pub(crate) const FLAG_EXTENDED_MASTER_SECRET: u64 = 1;
/// How long a session made by `SSL_SESSION_new` lasts, in seconds.
const DEFAULT_TIMEOUT: i64 = 304;

/// The fields of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    /// `TLS1_2_VERSION`, `TLS1_3_VERSION`, or 0.
    pub(crate) version: c_int,
    /// The number of the cipher suite, or 0.
    pub(crate) suite: u16,
    pub(crate) id: Vec<u8>,
    /// The master secret of TLS 1.2, the PSK of TLS 1.3.
    pub(crate) secret: Secret,
    pub(crate) id_context: Vec<u8>,
    /// When it was made, in seconds since 1970.
    pub(crate) time: i64,
    /// How long it lasts, in seconds.
    pub(crate) timeout: i64,
    /// The peer's certificates in DER, its own first.
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) verify_result: i64,
    pub(crate) hostname: Option<CString>,
    /// What the server said of the ticket's life, in seconds.
    pub(crate) lifetime_hint: u64,
    pub(crate) ticket: Vec<u8>,
    pub(crate) flags: u64,
    pub(crate) age_add: u32,
    pub(crate) max_early_data: u32,
    pub(crate) alpn: Vec<u8>,
    pub(crate) ticket_data: Vec<u8>,
    /// The number of the group of the key exchange, or 0.
    pub(crate) group: u16,
}

/// The fields of a server's session that rustls's values do not have. A resumption passes them on,
/// so that it trusts its client no more than the handshake did that the session comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) id_context: Vec<u8>,
    pub(crate) timeout: i64,
    pub(crate) verify_result: i64,
    pub(crate) ticket_data: Vec<u8>,
    pub(crate) group: u16,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            version: 0,
            suite: 0,
            id: Vec::new(),
            secret: Secret::default(),
            id_context: Vec::new(),
            time: now(),
            timeout: DEFAULT_TIMEOUT,
            chain: Vec::new(),
            verify_result: 0,
            hostname: None,
            lifetime_hint: 0,
            ticket: Vec::new(),
            flags: 0,
            age_add: 0,
            max_early_data: 0,
            alpn: Vec::new(),
            ticket_data: Vec::new(),
            group: 0,
        }
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(since).unwrap_or(i64::MAX)
}

/// The id that OpenSSL gives a session with a ticket: the ticket's SHA-256.
pub(crate) fn id_of_ticket(ticket: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, ticket).as_ref().to_vec()
}

impl Session {
    /// Room for it in any of its forms, in bytes.
    pub(crate) fn room(&self) -> usize {
        /// More than tags, lengths and numbers take.
        const FRAMING: usize = 256;
        let parts = [&self.id, &self.id_context, &self.ticket, &self.alpn, &self.ticket_data];
        let name = self.hostname.as_ref().map_or(0, |name| name.count_bytes());
        let chain: usize = self.chain.iter().map(|der| der.len() + 8).sum();
        let parts: usize = parts.into_iter().map(Vec::len).sum();
        FRAMING + parts + self.secret.len() + name + chain
    }

    /// The last second in which it can be resumed, since 1970. None when it never expires, because
    /// its time is beyond what can be counted.
    pub(crate) fn last_second(&self) -> Option<i64> {
        self.time.checked_add(self.timeout.max(0))
    }

    /// Whether its time is over.
    pub(crate) fn has_expired(&self) -> bool {
        self.last_second().is_some_and(|last| now() > last)
    }

    /// The fields that sessions made from it by a resumption have as well.
    pub(crate) fn origin(&self) -> Origin {
        Origin {
            id_context: self.id_context.clone(),
            timeout: self.timeout,
            verify_result: self.verify_result,
            ticket_data: self.ticket_data.clone(),
            group: self.group,
        }
    }

    /// Sets the fields that rustls's values do not have.
    pub(crate) fn set_origin(&mut self, origin: &Origin) {
        let Origin { id_context, timeout, verify_result, ticket_data, group } = origin;
        self.id_context.clone_from(id_context);
        self.timeout = *timeout;
        self.verify_result = *verify_result;
        self.ticket_data.clone_from(ticket_data);
        self.group = *group;
    }

    /// Reads a client's session of TLS 1.2.
    pub(crate) fn of_client12(session: &Tls12Session) -> Option<Self> {
        let mut bytes = secret::buffer(SESSION_ROOM);
        session.encode(&mut bytes);
        let mut reader = Reader(&bytes);
        let mut own = Self { version: TLS1_2, suite: reader.u16()?, ..Self::default() };
        own.id = reader.vector::<1>()?.to_vec();
        own.secret = reader.take(48)?.into();
        own.flags = u64::from(reader.u8()?) & FLAG_EXTENDED_MASTER_SECRET;
        own.read_client_common(&mut reader)?;
        Some(own)
    }

    /// Reads a client's session of TLS 1.3.
    pub(crate) fn of_client13(session: &Tls13Session) -> Option<Self> {
        let mut bytes = secret::buffer(SESSION_ROOM);
        session.encode(&mut bytes);
        let mut reader = Reader(&bytes);
        let mut own = Self { version: TLS1_3, suite: reader.u16()?, ..Self::default() };
        own.secret = reader.vector::<1>()?.into();
        own.age_add = reader.u32()?;
        own.max_early_data = reader.u32()?;
        own.read_client_common(&mut reader)?;
        Some(own)
    }

    fn read_client_common(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        self.ticket = reader.vector::<2>()?.to_vec();
        self.time = i64::try_from(reader.u64()?).ok()?;
        self.lifetime_hint = reader.u64()?;
        self.chain = reader.identity()?;
        if !self.ticket.is_empty() {
            self.id = id_of_ticket(&self.ticket);
        }
        Some(())
    }

    /// The session as a client of TLS 1.2 offers it. None when it is another's.
    pub(crate) fn to_client12(&self) -> Option<Tls12Session> {
        if self.version != TLS1_2 || self.secret.len() != 48 || self.chain.is_empty() {
            return None;
        }
        let mut bytes = secret::buffer(self.room());
        bytes.extend_from_slice(&self.suite.to_be_bytes());
        // With a ticket the server recognizes a resumption by the echo of any id.
        put_vector::<1>(&mut bytes, &self.id)?;
        bytes.extend_from_slice(&self.secret);
        bytes.push(u8::from(self.flags & FLAG_EXTENDED_MASTER_SECRET != 0));
        put_vector::<2>(&mut bytes, &self.ticket)?;
        bytes.extend_from_slice(&u64::try_from(self.time).ok()?.to_be_bytes());
        bytes.extend_from_slice(&u64::try_from(self.timeout).ok()?.to_be_bytes());
        put_identity(&mut bytes, &self.chain)?;
        Tls12Session::from_slice(&bytes, &PROVIDER).ok()
    }

    /// The session under the name that a client asks for now.
    ///
    /// A session of another name is not resumed (RFC 6066, 3), and rustls sees to that; one
    /// without a name is, as in OpenSSL, whatever the name.
    pub(crate) fn under(mut self, name: Option<&[u8]>) -> Self {
        // rustls takes what is no host name, such as an address, for no name at all.
        let name = name.filter(|name| DnsName::try_from(*name).is_ok());
        if self.hostname.is_none() {
            self.hostname = name.and_then(|name| CString::new(name).ok());
        }
        self
    }

    /// Reads what a server of rustls stores.
    pub(crate) fn of_server(id: &[u8], value: &[u8]) -> Option<Self> {
        let mut reader = Reader(value);
        let mut own = Self { version: reader.u16()?.into(), id: id.to_vec(), ..Self::default() };
        own.time = i64::try_from(reader.u64()?).ok()?;
        if reader.u8()? == 1 {
            own.hostname = CString::new(reader.vector::<1>()?).ok();
        }
        own.suite = reader.u16()?;
        if reader.u8()? == 1 {
            own.chain = reader.identity()?;
        }
        if reader.u8()? == 1 {
            own.alpn = reader.vector::<1>()?.to_vec();
        }
        own.ticket_data = reader.vector::<2>()?.to_vec();
        if own.version == TLS1_2 {
            own.secret = reader.take(48)?.into();
            own.flags = u64::from(reader.u8()?) & FLAG_EXTENDED_MASTER_SECRET;
        } else {
            own.secret = reader.vector::<1>()?.into();
            own.age_add = reader.u32()?;
        }
        Some(own)
    }

    /// The session as a server of rustls stores it.
    pub(crate) fn to_server(&self) -> Option<Secret> {
        let mut bytes = secret::buffer(self.room());
        bytes.extend_from_slice(&u16::try_from(self.version).ok()?.to_be_bytes());
        bytes.extend_from_slice(&u64::try_from(self.time).ok()?.to_be_bytes());
        match &self.hostname {
            Some(name) => {
                bytes.push(1);
                put_vector::<1>(&mut bytes, name.as_bytes())?;
            }
            None => bytes.push(0),
        }
        bytes.extend_from_slice(&self.suite.to_be_bytes());
        bytes.push(u8::from(!self.chain.is_empty()));
        if !self.chain.is_empty() {
            put_identity(&mut bytes, &self.chain)?;
        }
        bytes.push(u8::from(!self.alpn.is_empty()));
        if !self.alpn.is_empty() {
            put_vector::<1>(&mut bytes, &self.alpn)?;
        }
        put_vector::<2>(&mut bytes, &self.ticket_data)?;
        match self.version {
            TLS1_2 if self.secret.len() == 48 => {
                bytes.extend_from_slice(&self.secret);
                bytes.push(u8::from(self.flags & FLAG_EXTENDED_MASTER_SECRET != 0));
            }
            TLS1_3 if !self.secret.is_empty() => {
                put_vector::<1>(&mut bytes, &self.secret)?;
                bytes.extend_from_slice(&self.age_add.to_be_bytes());
            }
            _ => return None,
        }
        Some(bytes.into())
    }
}

/// Writes bytes with their length in `N` bytes before them. None when they are too many.
fn put_vector<const N: usize>(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    let length = u64::try_from(bytes.len()).ok()?.to_be_bytes();
    let (high, low) = length.split_last_chunk::<N>()?;
    if high.iter().any(|byte| *byte != 0) {
        return None;
    }
    out.extend_from_slice(low);
    out.extend_from_slice(bytes);
    Some(())
}

/// Writes certificates as rustls writes an identity.
fn put_identity(out: &mut Vec<u8>, chain: &[Vec<u8>]) -> Option<()> {
    let (own, others) = chain.split_first()?;
    out.push(0);
    put_vector::<3>(out, own)?;
    let mut list = Vec::new();
    for other in others {
        put_vector::<3>(&mut list, other)?;
    }
    put_vector::<3>(out, &list)
}

/// Reads from the start of bytes.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, size: usize) -> Option<u64> {
        Some(self.take(size)?.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }

    fn u8(&mut self) -> Option<u8> {
        u8::try_from(self.number(1)?).ok()
    }

    fn u16(&mut self) -> Option<u16> {
        u16::try_from(self.number(2)?).ok()
    }

    fn u32(&mut self) -> Option<u32> {
        u32::try_from(self.number(4)?).ok()
    }

    fn u64(&mut self) -> Option<u64> {
        self.number(8)
    }

    /// Bytes with their length in `N` bytes before them.
    fn vector<const N: usize>(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number(N)?).ok()?;
        self.take(length)
    }

    /// The certificates of an identity.
    fn identity(&mut self) -> Option<Vec<Vec<u8>>> {
        if self.u8()? != 0 {
            return None;
        }
        let mut chain = vec![self.vector::<3>()?.to_vec()];
        let mut list = Reader(self.vector::<3>()?);
        while !list.0.is_empty() {
            chain.push(list.vector::<3>()?.to_vec());
        }
        Some(chain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_put_under_host_names_only() {
        let under = |name: &[u8]| Session::default().under(Some(name)).hostname;
        assert_eq!(under(b"example.com").as_deref(), Some(c"example.com"));
        assert_eq!(under(b"127.0.0.1"), None);
        let named = Session { hostname: Some(c"first.test".to_owned()), ..Session::default() };
        assert_eq!(named.under(Some(b"second.test")).hostname.as_deref(), Some(c"first.test"));
    }

    #[test]
    fn a_servers_session_there_and_back() {
        for (version, suite, secret) in [(TLS1_2, 0xC02B, 48), (TLS1_3, 0x1302, 48)] {
            let session = Session {
                version,
                suite,
                id: vec![7; 32],
                secret: vec![9; secret].into(),
                hostname: CString::new("server.test").ok(),
                chain: vec![vec![1, 2, 3], vec![4, 5]],
                alpn: b"h2".to_vec(),
                ..Session::default()
            };
            let value = session.to_server().unwrap();
            assert_eq!(Session::of_server(&[7; 32], &value), Some(session));
            assert_eq!(Session::of_server(&[], value.get(..30).unwrap()), None);
        }
    }

    #[test]
    fn a_clients_session_there_and_back() {
        let session = Session {
            version: TLS1_2,
            suite: 0xC02B,
            id: id_of_ticket(b"ticket"),
            secret: vec![9; 48].into(),
            chain: vec![vec![1, 2, 3]],
            ticket: b"ticket".to_vec(),
            timeout: 100,
            lifetime_hint: 100,
            flags: FLAG_EXTENDED_MASTER_SECRET,
            ..Session::default()
        };
        let again = Session::of_client12(&session.to_client12().unwrap()).unwrap();
        assert_eq!(again, Session { timeout: DEFAULT_TIMEOUT, ..session });
    }
}
