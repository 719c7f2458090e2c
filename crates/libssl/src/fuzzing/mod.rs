//! The parsers of [`core`](crate::core) and its engine, for `fuzz/targets`: what must hold for any
//! bytes that a peer, a file or a program gives them.
//!
//! Compiled with the feature `fuzzing` alone, which the library itself is never built with.

mod handshake;
mod strings;
mod tickets;

use crate::core::client_hello::ClientHello;
use crate::core::flight::{Flight, Look};
use crate::core::hello_reader::HelloReader;
use crate::core::session::der;
use crate::core::wire::extensions;

pub use handshake::{client_handshake, server_handshake};
pub use strings::settings;
pub use tickets::{session_ticket, session_tickets};

/// What a client's first flight begins with. However the message is spread over records, and
/// whatever follows it, it is read the same.
pub fn client_hello(records: &[u8]) {
    let _ = HelloReader::second().extend(records);
    let arrived = HelloReader::default().extend(records).ok().flatten();
    let arrived = arrived.and_then(|arrived| ClientHello::parse(&arrived.body));
    let read = ClientHello::from_records(records);
    assert!(arrived.is_none() || arrived == read, "{arrived:?} as it arrives, {read:?} at once");
    let Some(hello) = read else { return };
    assert_eq!(hello.random.len(), 32);
    assert_eq!(
        ClientHello::from_records(&[records, b"\x17\x03\x03"].concat()),
        Some(hello.clone())
    );
    let message = joined(records);
    assert_eq!(
        ClientHello::from_records(&split(&message, 1 + message.len() % 97)),
        Some(hello.clone())
    );
    if let Ok(Some(request)) = hello.status_request() {
        assert!(request.responder_ids.iter().all(|id| !id.is_empty()));
    }
    assert!(hello.suites().count() <= hello.cipher_suites.len() / 2);
    assert!(hello.server_name().is_none_or(|name| name.len() < records.len()));
    let _ = (hello.groups().count(), hello.alpn(), hello.point_formats(), hello.authorities());
    let _ = (hello.signature_schemes(), hello.certificate_schemes(), hello.psks().count());
    let _ = (hello.agreed(true), hello.agreed(false), hello.offers_tls12(), hello.offers_tls13());
    let _ = (hello.offers_session(true), hello.offers_session(false));
    // What a program is shown of the message is what was read of it.
    let shown = extensions::in_message(&message, false);
    assert!(shown == hello.extensions || hello.extensions.is_empty());
}

/// The handshake messages of the records at the start.
fn joined(mut records: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    while let [22, _, _, high, low, rest @ ..] = records {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some((part, after)) = rest.split_at_checked(length) else { break };
        message.extend_from_slice(part);
        records = after;
    }
    message
}

/// The message in records of that many bytes.
fn split(message: &[u8], size: usize) -> Vec<u8> {
    message
        .chunks(size)
        .flat_map(|part| {
            let length = u16::try_from(part.len()).unwrap_or_default().to_be_bytes();
            [&[22, 3, 1], &length[..], part].concat()
        })
        .collect()
}

/// A server's first flight, as it is read ahead of the engine, and the extensions in its messages.
pub fn server_flight(records: &[u8]) {
    let mut flight = Flight::default();
    let mut rest = records;
    while let [_, _, _, high, low, ..] = rest {
        let length = 5 + usize::from(u16::from_be_bytes([*high, *low]));
        let Some((record, after)) = rest.split_at_checked(length) else { break };
        rest = after;
        match flight.look(record, Some(&[7; 32])) {
            Look::Ask => {
                assert!(flight.request().is_some() && !flight.presented().chain.is_empty());
            }
            Look::Over => break,
            Look::Pass | Look::Hold => {}
        }
    }
    let message = joined(records);
    for tls13 in [true, false] {
        let found = extensions::in_message(&message, tls13);
        assert!(
            found.iter().map(|(_, contents)| 4 + contents.len()).sum::<usize>() <= message.len()
        );
    }
}

/// A session in DER, as `d2i_SSL_SESSION` takes it. Where OpenSSL's have room for so many bytes and
/// no more, so have those that are read here, since programs copy them to arrays of that size.
pub fn session(bytes: &[u8]) {
    let Some((session, length)) = der::decode(bytes) else { return };
    assert!(length <= bytes.len());
    assert!(session.id.len() <= 32 && session.id_context.len() <= 32);
    assert!(session.secret.len() <= 512);
    let _ = (session.has_expired(), session.to_server());
    if let Some(ours) = session.to_client12() {
        let again = crate::core::session::Session::of_client12(&ours);
        assert_eq!(
            again.map(|again| (again.suite, again.secret)),
            Some((session.suite, session.secret.clone()))
        );
    }
    if let Some(der) = der::encode(&session) {
        let (again, all) = der::decode(&der).unwrap_or_default();
        assert_eq!(all, der.len());
        assert_eq!(
            again,
            crate::core::session::Session {
                time: again.time,
                timeout: again.timeout,
                ..session.clone()
            }
        );
        assert!(session.time == 0 || again.time == session.time);
        assert!(session.timeout == 0 || again.timeout == session.timeout);
    }
}
