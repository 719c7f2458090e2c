//! The contents of a ticket: a whole session, in a form with a version.
//!
//! ```text
//! format   one byte, [`FORMAT`]
//! session  a session in OpenSSL's DER (see [`super::der`])
//! chain    the peer's certificates after its own, each with its length in three bytes
//! ```
//!
//! A ticket of another format is refused, because a field that it lacks, such as the outcome of
//! the verification, would be taken for its default.

use super::{Reader, Session, der, put_vector};
use crate::core::secret::{self, Secret};

/// The format of this version. The formats before had no first byte of their own: they began with
/// a time in eight bytes, whose first one is 0.
const FORMAT: u8 = 2;

/// Writes the contents of a ticket for a session. None when it cannot be resumed.
pub(crate) fn encode(session: &Session) -> Option<Secret> {
    let mut out = secret::buffer(session.room());
    out.push(FORMAT);
    out.extend_from_slice(&der::encode(session)?);
    for certificate in session.chain.iter().skip(1) {
        put_vector::<3>(&mut out, certificate)?;
    }
    Some(out.into())
}

/// Reads the contents of a ticket. None when they are of another format or malformed.
pub(crate) fn decode(plain: &[u8]) -> Option<Session> {
    let (format, rest) = plain.split_first()?;
    if *format != FORMAT {
        return None;
    }
    let (mut session, length) = der::decode(rest)?;
    let mut chain = Reader(rest.get(length..)?);
    while !chain.0.is_empty() {
        // Certificates of a CA without that of the peer belong to no one.
        if session.chain.is_empty() {
            return None;
        }
        session.chain.push(chain.vector::<3>()?.to_vec());
    }
    Some(session)
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use super::*;
    use crate::core::session::now;

    fn session() -> Session {
        Session {
            version: 0x0304,
            suite: 0x1302,
            secret: vec![9; 48].into(),
            id_context: b"context".to_vec(),
            timeout: 7200,
            chain: vec![vec![0x30, 3, 2, 1, 5], vec![0x30, 0], vec![0x30, 1, 5]],
            verify_result: 19,
            hostname: CString::new("server.test").ok(),
            age_add: 7,
            alpn: b"h2".to_vec(),
            ticket_data: b"data".to_vec(),
            group: 29,
            ..Session::default()
        }
    }

    #[test]
    fn all_fields_come_back() {
        for chain in [0, 1, 2, 3] {
            let mut session = session();
            session.chain.truncate(chain);
            assert_eq!(decode(&encode(&session).unwrap()), Some(session));
        }
        assert_eq!(encode(&Session::default()), None);
    }

    #[test]
    fn truncated_contents_are_refused() {
        let whole = encode(&session()).unwrap();
        let der = 1 + der::encode(&session()).unwrap().len();
        for length in 0..whole.len() {
            // The chain may end after each certificate: the MAC covers its length.
            let ends = length == der || length == der + 5;
            assert_eq!(decode(&whole[..length]).is_some(), ends, "{length}");
        }
        assert_eq!(decode(&[&whole[..], &[0]].concat()), None);
    }

    #[test]
    fn other_formats_are_refused() {
        let value = session().to_server().unwrap();
        let before = [&(now() + 100).to_be_bytes()[..], &[0], &value].concat();
        assert_eq!(decode(&before), None);
        let mut other = encode(&session()).unwrap().to_vec();
        for format in (0..=255).filter(|format| *format != FORMAT) {
            other[0] = format;
            assert_eq!(decode(&other), None);
        }
    }

    #[test]
    fn chain_without_peer_is_refused() {
        let mut alone = encode(&Session { chain: Vec::new(), ..session() }).unwrap().to_vec();
        assert!(decode(&alone).is_some());
        alone.extend([0, 0, 2, 0x30, 0]);
        assert_eq!(decode(&alone), None);
    }
}
