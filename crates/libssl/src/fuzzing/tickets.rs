//! The contents of tickets, as they are when a ticket was opened. Only who has the keys can write
//! them, which may be another version of this library, another program, or a thief.

use std::sync::Arc;

use rustls::crypto::TicketProducer;

use crate::core::server_sessions::{Offered, Plan, ServerSessions};
use crate::core::session::{Origin, Session, ticket};
use crate::core::tickets::{KEYS_LENGTH, Keys, TicketKeys};

/// A ticket that was opened. Its session fits OpenSSL's room, is written again as it was read, and a
/// resumption makes sessions with the verify result, the id context, the peer and the end of life
/// that it has; without its keys it does not open.
pub fn session_ticket(bytes: &[u8]) {
    let Some(keys) = TicketKeys::from_bytes(&[7; KEYS_LENGTH]) else { return };
    assert!(keys.open(bytes).is_none(), "a ticket opens without its keys");
    let Some(session) = ticket::decode(bytes) else { return };
    assert_eq!(bytes.first(), Some(&2), "another format was read");
    assert!(session.id.len() <= 32 && session.id_context.len() <= 32);
    assert!(session.secret.len() <= 512);
    assert!(session.chain.iter().map(Vec::len).sum::<usize>() <= bytes.len());
    if let Some(written) = ticket::encode(&session) {
        let again = ticket::decode(&written).unwrap_or_default();
        assert_eq!(
            again,
            Session { time: again.time, timeout: again.timeout, ..session.clone() },
            "a ticket is written as it was not read"
        );
    }
    resume(session, keys);
}

/// Resumes a session, if the engine can, and looks at the session that comes of it.
fn resume(session: Session, keys: TicketKeys) {
    let keys = Arc::new(keys);
    let tls13 = session.version == 0x0304;
    let name = session.hostname.as_ref().map(|name| name.as_bytes().to_vec());
    let store = ServerSessions::new(Plan {
        tls13,
        offered: Some(Offered {
            key: b"ticket".to_vec(),
            by_ticket: true,
            renew: true,
            session: session.clone(),
        }),
        keys: Some(Keys::Own(Arc::clone(&keys))),
        gives_ids: true,
        name,
        origin: Origin { timeout: 7200, ..Origin::default() },
    });
    // The engine writes what it has read, with a new secret.
    let Some(value) = store.decrypt(b"ticket") else { return };
    assert_eq!(store.decrypt(b"another"), None);
    let Some(sealed) = store.encrypt(&value) else { return };
    let contents = keys.open(&sealed).and_then(|plain| ticket::decode(&plain));
    let made = store.take_made();
    let (Some(contents), Some(made)) = (contents, made.first()) else {
        assert!(session.suite == 0, "a ticket was sealed that does not open");
        return;
    };
    assert_eq!(contents.verify_result, session.verify_result, "more trusted than before");
    assert_eq!(contents.id_context, session.id_context);
    assert_eq!(contents.chain, session.chain);
    assert_eq!(contents.ticket_data, session.ticket_data);
    assert_eq!(made.session.verify_result, session.verify_result);
    if !tls13 && session.time != 0 && session.timeout != 0 {
        assert_eq!(contents.last_second(), session.last_second(), "a longer life than before");
    }
    // A full handshake has nothing of it.
    store.begin_full(true, false);
    assert_eq!(store.decrypt(b"ticket"), None);
    if store.encrypt(&value).is_some() {
        let made = store.take_made();
        assert!(made.iter().all(|made| made.session.verify_result == 0));
    }
}

/// Tickets from which a run begins.
#[must_use]
pub fn session_tickets() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (version, suite) in [(0x0303, 0xC02F), (0x0304, 0x1302)] {
        for certificates in 0..3 {
            let session = Session {
                version,
                suite,
                secret: vec![9; 48].into(),
                id_context: b"context".to_vec(),
                time: 1_790_000_000,
                timeout: 7200,
                chain: vec![vec![0x30, 3, 2, 1, 5]; certificates],
                verify_result: 18,
                hostname: Some(c"server.test".to_owned()).filter(|_| certificates > 0),
                flags: 1,
                age_add: 7,
                alpn: b"h2".to_vec(),
                ..Session::default()
            };
            all.extend(ticket::encode(&session).map(|ticket| ticket.to_vec()));
        }
    }
    all
}
