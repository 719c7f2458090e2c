//! Reading recorded bytes of a handshake: whether the client asked for a staple, and, in TLS 1.2,
//! how long the one is that the server sent. From TLS 1.3 on the server's is encrypted.

/// `ContentType` of records (RFC 8446, 5.1).
const HANDSHAKE: u8 = 22;

/// `HandshakeType` (RFC 8446, 4; RFC 6066, 8).
const CLIENT_HELLO: u8 = 1;
const CERTIFICATE_STATUS: u8 = 22;

/// The extension `status_request`, and its `CertificateStatusType` `ocsp` (RFC 6066, 8).
const STATUS_REQUEST: u16 = 5;
const OCSP: u8 = 1;

/// Whether the ClientHello in what a client sent has `status_request` for OCSP. `None` when there
/// is no ClientHello that can be read.
pub(super) fn asks_for_status(sent_by_client: &[u8]) -> Option<bool> {
    let messages = handshake_messages(sent_by_client);
    let mut hello = Reader(message(&messages, CLIENT_HELLO)?);
    hello.take(2 + 32)?;
    hello.vector(1)?;
    hello.vector(2)?;
    hello.vector(1)?;
    let mut extensions = Reader(hello.vector(2)?);
    while !extensions.0.is_empty() {
        let kind = extensions.number(2)?;
        let body = extensions.vector(2)?;
        if kind == usize::from(STATUS_REQUEST) {
            return Some(body.first() == Some(&OCSP));
        }
    }
    Some(false)
}

/// The response in the CertificateStatus message of a TLS 1.2 server; `None` when there is no such
/// message in the clear.
pub(super) fn stapled_in_the_clear(sent_by_server: &[u8]) -> Option<Vec<u8>> {
    let messages = handshake_messages(sent_by_server);
    let mut status = Reader(message(&messages, CERTIFICATE_STATUS)?);
    (status.number(1)? == usize::from(OCSP)).then_some(())?;
    status.vector(3).map(<[u8]>::to_vec)
}

/// The contents of the handshake records at the start, joined. It ends at the first record of
/// another kind: what follows is encrypted.
fn handshake_messages(bytes: &[u8]) -> Vec<u8> {
    let mut reader = Reader(bytes);
    let mut joined = Vec::new();
    while let Some(record) = reader.record() {
        joined.extend_from_slice(record);
    }
    joined
}

/// The body of the first message of that type.
fn message(messages: &[u8], wanted: u8) -> Option<&[u8]> {
    let mut reader = Reader(messages);
    loop {
        let kind = reader.number(1)?;
        let body = reader.vector(3)?;
        if kind == usize::from(wanted) {
            return Some(body);
        }
    }
}

/// What is left to read. Every method gives `None` past the end.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number in so many bytes, big-endian.
    fn number(&mut self, bytes: usize) -> Option<usize> {
        Some(self.take(bytes)?.iter().fold(0, |all, byte| all << 8 | usize::from(*byte)))
    }

    /// A vector whose length stands before it in so many bytes.
    fn vector(&mut self, length_bytes: usize) -> Option<&'a [u8]> {
        let length = self.number(length_bytes)?;
        self.take(length)
    }

    /// The contents of the next record, if it is one of the handshake.
    fn record(&mut self) -> Option<&'a [u8]> {
        let kind = self.number(1)?;
        self.take(2)?;
        self.vector(2).filter(|_| kind == usize::from(HANDSHAKE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ClientHello with those extensions, in records of at most `fragment` bytes.
    fn hello(extensions: &[(u16, &[u8])], fragment: usize) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend([0, 0, 2, 0x13, 1, 1, 0]);
        let list: Vec<u8> = extensions
            .iter()
            .flat_map(|(kind, data)| {
                [&kind.to_be_bytes()[..], &(data.len() as u16).to_be_bytes(), data].concat()
            })
            .collect();
        body.extend((list.len() as u16).to_be_bytes());
        body.extend(list);
        let message = [&[1, 0, 0, body.len() as u8], &body[..]].concat();
        message.chunks(fragment).flat_map(|part| record(22, part)).collect()
    }

    fn record(kind: u8, contents: &[u8]) -> Vec<u8> {
        [&[kind, 3, 1], &(contents.len() as u16).to_be_bytes()[..], contents].concat()
    }

    #[test]
    fn a_client_hello_tells_whether_it_asks() {
        let sni: (u16, &[u8]) = (0, b"name");
        let asks: (u16, &[u8]) = (5, &[1, 0, 0, 0, 0]);
        for fragment in [1, 50, 200] {
            assert_eq!(asks_for_status(&hello(&[sni, asks], fragment)), Some(true));
            assert_eq!(asks_for_status(&hello(&[sni], fragment)), Some(false));
            assert_eq!(asks_for_status(&hello(&[(5, &[2])], fragment)), Some(false));
        }
        let whole = hello(&[sni, asks], 200);
        assert!((0..whole.len()).all(|end| asks_for_status(&whole[..end]).is_none()));
    }

    #[test]
    fn a_certificate_status_message_is_found_before_the_encryption_begins() {
        let status = [22, 0, 0, 7, 1, 0, 0, 3, 9, 8, 7];
        let flight = [record(22, &[2, 0, 0, 0]), record(22, &status)].concat();
        assert_eq!(stapled_in_the_clear(&flight), Some(vec![9, 8, 7]));
        let encrypted = [record(20, &[1]), record(22, &status)].concat();
        assert_eq!(stapled_in_the_clear(&encrypted), None);
    }
}
