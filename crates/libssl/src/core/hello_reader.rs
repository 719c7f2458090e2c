//! Reads a ClientHello off a client's records as they arrive, each byte once.
//!
//! A client may send a hello of 64 KiB in records of one byte. Whoever starts over at each record does
//! work that grows with the square of that. So this reader keeps its place, and gives the hello on in
//! as few records as it fits into: TLS authenticates messages and not their division into records.

use super::client_hello::Malformed;

/// Length of a record's header (RFC 8446, 5.1).
const HEADER: usize = 5;
/// The most contents of a record (RFC 8446, 5.1).
const MOST_CONTENTS: usize = 1 << 14;
/// Type, version and one byte of a change_cipher_spec for middleboxes (RFC 8446, D.4).
const CHANGE_CIPHER_SPEC: [u8; 6] = [20, 3, 3, 0, 1, 1];
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
/// The longest message that rustls takes.
const LONGEST: usize = 0xFFFF;

/// A ClientHello as far as it has arrived.
#[derive(Debug, Default)]
pub(crate) struct HelloReader {
    /// The bytes received, from the first record on.
    received: Vec<u8>,
    /// How many of them were read: whole records.
    read: usize,
    /// The contents of those records.
    message: Vec<u8>,
    /// The version in the header of the first record.
    version: [u8; 2],
    /// Whether a change_cipher_spec may come first.
    second: bool,
}

/// A hello that is whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arrived {
    /// The message without its header.
    pub(crate) body: Vec<u8>,
    /// The bytes received, with the hello in as few records as it fits into.
    pub(crate) records: Vec<u8>,
}

impl HelloReader {
    /// A reader for the hello that answers a HelloRetryRequest.
    pub(crate) fn second() -> Self {
        Self { second: true, ..Self::default() }
    }

    /// Takes bytes from the client. Returns the hello once it is whole.
    ///
    /// # Errors
    /// [`Malformed`] when something else begins, or the hello is longer than rustls takes; the bytes
    /// are then in [`take_received`](Self::take_received).
    pub(crate) fn extend(&mut self, bytes: &[u8]) -> Result<Option<Arrived>, Malformed> {
        self.received.extend_from_slice(bytes);
        while let Some(record) = self.record() {
            self.read += record;
            if let Some(arrived) = self.arrived()? {
                return Ok(Some(arrived));
            }
        }
        let unread = self.received.get(self.read..).unwrap_or_default();
        match unread.first() {
            Some(&HANDSHAKE) | None => Ok(None),
            Some(_) if self.expects_change() && CHANGE_CIPHER_SPEC.starts_with(unread) => Ok(None),
            Some(_) => Err(Malformed),
        }
    }

    /// Gives the bytes back as they were received.
    pub(crate) fn take_received(&mut self) -> Vec<u8> {
        std::mem::take(self).received
    }

    fn expects_change(&self) -> bool {
        self.second && self.read == 0
    }

    /// Takes the contents of the next record, if it is whole and of a handshake; its length.
    fn record(&mut self) -> Option<usize> {
        let unread = self.received.get(self.read..)?;
        if self.expects_change() && unread.starts_with(&CHANGE_CIPHER_SPEC) {
            return Some(CHANGE_CIPHER_SPEC.len());
        }
        let &[HANDSHAKE, major, minor, high, low] = unread.first_chunk::<HEADER>()? else {
            return None;
        };
        let length = HEADER + usize::from(u16::from_be_bytes([high, low]));
        let contents = unread.get(HEADER..length)?;
        if self.message.is_empty() {
            self.version = [major, minor];
        }
        self.message.extend_from_slice(contents);
        Some(length)
    }

    fn arrived(&mut self) -> Result<Option<Arrived>, Malformed> {
        let [kind, a, b, c, body @ ..] = self.message.as_slice() else { return Ok(None) };
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        if *kind != CLIENT_HELLO || length > LONGEST {
            return Err(Malformed);
        }
        let Some(body) = body.get(..length).map(<[u8]>::to_vec) else { return Ok(None) };
        let mut records = Vec::with_capacity(self.received.len());
        if self.second && self.received.starts_with(&CHANGE_CIPHER_SPEC) {
            records.extend_from_slice(&CHANGE_CIPHER_SPEC);
        }
        for contents in self.message.chunks(MOST_CONTENTS) {
            let length = u16::try_from(contents.len()).map_err(|_| Malformed)?.to_be_bytes();
            records.push(HANDSHAKE);
            records.extend_from_slice(&self.version);
            records.extend_from_slice(&length);
            records.extend_from_slice(contents);
        }
        records.extend_from_slice(self.received.get(self.read..).unwrap_or_default());
        Ok(Some(Arrived { body, records }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(length: usize) -> Vec<u8> {
        let size = u32::try_from(length).unwrap().to_be_bytes();
        let body = (0..length).map(|at| at as u8);
        [CLIENT_HELLO, size[1], size[2], size[3]].into_iter().chain(body).collect()
    }

    fn records(message: &[u8], size: usize) -> Vec<u8> {
        let record = |part: &[u8]| {
            let length = u16::try_from(part.len()).unwrap().to_be_bytes();
            [&[HANDSHAKE, 3, 1], &length[..], part].concat()
        };
        message.chunks(size).flat_map(record).collect()
    }

    #[test]
    fn hello_arrives_in_any_division() {
        let message = hello(40_000);
        let whole = records(&message, MOST_CONTENTS);
        for size in [1, 2, 5, 4096, MOST_CONTENTS] {
            let sent = records(&message, size);
            for at_once in [1, 3, 4099, sent.len()] {
                let mut reader = HelloReader::default();
                let mut parts = sent.chunks(at_once);
                let arrived = parts.find_map(|part| reader.extend(part).unwrap()).unwrap();
                assert_eq!(arrived.body, message[4..]);
                assert_eq!(arrived.records, whole);
                assert_eq!(parts.next(), None);
            }
        }
    }

    #[test]
    fn bytes_that_follow_are_kept() {
        let sent = [records(&hello(10), 3), vec![21, 3, 3, 0]].concat();
        let arrived = HelloReader::default().extend(&sent).unwrap().unwrap();
        assert_eq!(arrived.records, [records(&hello(10), 100), vec![21, 3, 3, 0]].concat());
    }

    #[test]
    fn second_hello_may_follow_a_change_cipher_spec() {
        let sent = [&CHANGE_CIPHER_SPEC[..], &records(&hello(10), 100)].concat();
        for at in 0..sent.len() {
            let mut reader = HelloReader::second();
            assert_eq!(reader.extend(&sent[..at]), Ok(None), "{at}");
            assert_eq!(reader.extend(&sent[at..]).unwrap().unwrap().records, sent, "{at}");
            assert!(at == 0 || HelloReader::default().extend(&sent[..at]).is_err());
        }
    }

    #[test]
    fn anything_else_is_given_back() {
        for sent in [
            vec![23, 3, 3, 0, 1, 0],
            records(&[2, 0, 0, 1, 0], 5),
            records(&[CLIENT_HELLO, 1, 0, 0], 1),
            [records(&hello(10)[..8], 1), vec![21, 3, 3, 0, 2, 1, 0]].concat(),
        ] {
            let mut reader = HelloReader::default();
            assert_eq!(reader.extend(&sent), Err(Malformed));
            assert_eq!(reader.take_received(), sent);
        }
    }
}
