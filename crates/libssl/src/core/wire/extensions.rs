//! The extensions in a handshake message (RFC 8446, 4.2; RFC 5246, 7.4.1.4), for the callback of
//! `SSL_set_tlsext_debug_callback`.

use crate::core::client_hello::Reader;

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const NEW_SESSION_TICKET: u8 = 4;
const ENCRYPTED_EXTENSIONS: u8 = 8;
const CERTIFICATE: u8 = 11;
const CERTIFICATE_REQUEST: u8 = 13;

/// Those of a message with its header, in order. Before TLS 1.3 only hellos have extensions. Of a
/// message that is malformed there are none: the engine refuses it.
pub(crate) fn in_message(message: &[u8], tls13: bool) -> Vec<(u16, Vec<u8>)> {
    let Some((&[kind, ..], body)) = message.split_first_chunk::<4>() else { return Vec::new() };
    let found = match kind {
        CLIENT_HELLO => of_client_hello(body),
        SERVER_HELLO => of_server_hello(body),
        NEW_SESSION_TICKET if tls13 => of_ticket(body),
        ENCRYPTED_EXTENSIONS if tls13 => list(&mut Reader(body)),
        CERTIFICATE if tls13 => of_certificates(body),
        CERTIFICATE_REQUEST if tls13 => of_request(body),
        _ => None,
    };
    found.unwrap_or_default()
}

fn list(reader: &mut Reader<'_>) -> Option<Vec<(u16, Vec<u8>)>> {
    let mut list = Reader(reader.vector16()?);
    let mut extensions = Vec::new();
    while !list.0.is_empty() {
        extensions.push((list.u16()?, list.vector16()?.to_vec()));
    }
    Some(extensions)
}

fn of_client_hello(body: &[u8]) -> Option<Vec<(u16, Vec<u8>)>> {
    let mut reader = Reader(body);
    reader.take(2 + 32)?;
    reader.vector8()?;
    reader.vector16()?;
    reader.vector8()?;
    list(&mut reader)
}

fn of_server_hello(body: &[u8]) -> Option<Vec<(u16, Vec<u8>)>> {
    let mut reader = Reader(body);
    reader.take(2 + 32)?;
    reader.vector8()?;
    reader.take(3)?;
    list(&mut reader)
}

fn of_ticket(body: &[u8]) -> Option<Vec<(u16, Vec<u8>)>> {
    let mut reader = Reader(body);
    reader.take(4 + 4)?;
    reader.vector8()?;
    reader.vector16()?;
    list(&mut reader)
}

fn of_certificates(body: &[u8]) -> Option<Vec<(u16, Vec<u8>)>> {
    let mut reader = Reader(body);
    reader.vector8()?;
    let mut certificates = Reader(reader.vector24()?);
    let mut extensions = Vec::new();
    while !certificates.0.is_empty() {
        certificates.vector24()?;
        extensions.extend(list(&mut certificates)?);
    }
    Some(extensions)
}

fn of_request(body: &[u8]) -> Option<Vec<(u16, Vec<u8>)>> {
    let mut reader = Reader(body);
    reader.vector8()?;
    list(&mut reader)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_certificate_has_its_own() {
        let body = b"\0\0\0\x11\0\0\x01A\0\x05\0\x05\0\x01s\0\0\x01B\0\0";
        let certificates = [&[CERTIFICATE, 0, 0, 21], &body[..]].concat();
        assert_eq!(in_message(&certificates, true), [(5, b"s".to_vec())]);
        assert_eq!(in_message(&certificates, false), []);
    }

    #[test]
    fn encrypted_extensions_and_what_is_cut() {
        let message = b"\x08\0\0\x0A\0\x08\0\x10\0\0\0\0\0\0";
        assert_eq!(in_message(message, true), [(16, vec![]), (0, vec![])]);
        assert_eq!(in_message(&message[..12], true), []);
        assert_eq!(in_message(&[], true), []);
    }
}
