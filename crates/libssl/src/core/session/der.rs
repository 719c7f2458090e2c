//! Sessions in DER, in OpenSSL's form (`SSL_SESSION_ASN1` of its `ssl_asn1.c`), so that either
//! library reads what the other has written.
//!
//! ```text
//! SEQUENCE {
//!   version INTEGER (1), sslVersion INTEGER, cipher OCTET STRING, sessionId OCTET STRING,
//!   secret OCTET STRING, time [1] INTEGER, timeout [2] INTEGER, peer [3] Certificate,
//!   idContext [4] OCTET STRING, verifyResult [5] INTEGER, hostname [6] OCTET STRING,
//!   lifetimeHint [9] INTEGER, ticket [10] OCTET STRING, flags [13] INTEGER,
//!   ageAdd [14] INTEGER, maxEarlyData [15] INTEGER, alpn [16] OCTET STRING,
//!   ticketData [18] OCTET STRING, group [19] INTEGER }
//! ```
//!
//! All tags are explicit, and what has one is optional. A field that is not listed is skipped,
//! and so is a group whose number is OpenSSL's own.

use std::ffi::CString;

use super::Session;
use crate::core::secret::{self, Secret};

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
/// Context-specific and constructed.
const EXPLICIT: u8 = 0xA0;
/// The version of the form.
const FORM: i64 = 1;
/// `SSL_MAX_SSL_SESSION_ID_LENGTH`, `SSL_MAX_SID_CTX_LENGTH` and `TLS13_MAX_RESUMPTION_PSK_LENGTH`:
/// what OpenSSL's sessions have room for. Programs copy them to arrays of these sizes.
const LONGEST_ID: usize = 32;
const LONGEST_ID_CONTEXT: usize = 32;
const LONGEST_SECRET: usize = 512;

/// Writes a session. None when it has no cipher suite, and so nothing to resume.
pub(crate) fn encode(session: &Session) -> Option<Secret> {
    if session.suite == 0 {
        return None;
    }
    let mut out = secret::buffer(session.room());
    put(&mut out, INTEGER, &integer(FORM));
    put(&mut out, INTEGER, &integer(session.version.into()));
    put(&mut out, OCTET_STRING, &session.suite.to_be_bytes());
    put(&mut out, OCTET_STRING, &session.id);
    put(&mut out, OCTET_STRING, &session.secret);
    put_number(&mut out, 1, session.time);
    put_number(&mut out, 2, session.timeout);
    if let Some(peer) = session.chain.first() {
        put(&mut out, EXPLICIT | 3, peer);
    }
    // OpenSSL writes this one also when it is empty.
    put_explicit(&mut out, 4, OCTET_STRING, &session.id_context);
    put_number(&mut out, 5, session.verify_result);
    // An empty name is a name: a session without one resumes under any.
    if let Some(name) = &session.hostname {
        put_explicit(&mut out, 6, OCTET_STRING, name.as_bytes());
    }
    put_number(&mut out, 9, i64::try_from(session.lifetime_hint).ok()?);
    put_bytes(&mut out, 10, &session.ticket);
    put_number(&mut out, 13, i64::try_from(session.flags).ok()?);
    put_number(&mut out, 14, session.age_add.into());
    put_number(&mut out, 15, session.max_early_data.into());
    put_bytes(&mut out, 16, &session.alpn);
    put_bytes(&mut out, 18, &session.ticket_data);
    put_number(&mut out, 19, session.group.into());
    let mut der = secret::buffer(session.room());
    put(&mut der, SEQUENCE, &out);
    Some(der.into())
}

/// Reads the session at the start of `der`. Also gives how many bytes it takes.
pub(crate) fn decode(der: &[u8]) -> Option<(Session, usize)> {
    let mut rest = der;
    let mut body = expect(&mut rest, SEQUENCE)?;
    let length = der.len() - rest.len();
    if number(expect(&mut body, INTEGER)?)? != FORM {
        return None;
    }
    let mut session = Session {
        version: number(expect(&mut body, INTEGER)?)?.try_into().ok()?,
        suite: u16::from_be_bytes(expect(&mut body, OCTET_STRING)?.try_into().ok()?),
        id: at_most(LONGEST_ID, expect(&mut body, OCTET_STRING)?)?.to_vec(),
        secret: at_most(LONGEST_SECRET, expect(&mut body, OCTET_STRING)?)?.into(),
        ..Session::default()
    };
    while !body.is_empty() {
        let (tag, mut field) = next(&mut body)?;
        if tag == EXPLICIT | 3 {
            session.chain = vec![field.to_vec()];
            continue;
        }
        let (_, value) = next(&mut field)?;
        match tag.wrapping_sub(EXPLICIT) {
            1 => session.time = number(value)?,
            2 => session.timeout = number(value)?,
            4 => session.id_context = at_most(LONGEST_ID_CONTEXT, value)?.to_vec(),
            5 => session.verify_result = number(value)?,
            6 => session.hostname = Some(CString::new(value).ok()?),
            9 => session.lifetime_hint = number(value)?.try_into().ok()?,
            10 => session.ticket = value.to_vec(),
            13 => session.flags = number(value)?.try_into().ok()?,
            14 => session.age_add = number(value)?.try_into().ok()?,
            15 => session.max_early_data = number(value)?.try_into().ok()?,
            16 => session.alpn = value.to_vec(),
            18 => session.ticket_data = value.to_vec(),
            19 => session.group = number(value)?.try_into().unwrap_or(0),
            _ => {}
        }
    }
    Some((session, length))
}

/// Writes one value with its tag.
fn put(out: &mut Vec<u8>, tag: u8, contents: &[u8]) {
    out.push(tag);
    match u8::try_from(contents.len()) {
        Ok(short @ 0..=127) => out.push(short),
        _ => {
            let bytes = contents.len().to_be_bytes();
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            out.push(0x80 | (bytes.len() - zeros) as u8);
            out.extend(bytes.iter().skip(zeros));
        }
    }
    out.extend_from_slice(contents);
}

fn put_explicit(out: &mut Vec<u8>, number: u8, tag: u8, contents: &[u8]) {
    let mut inner = Vec::new();
    put(&mut inner, tag, contents);
    put(out, EXPLICIT | number, &inner);
}

/// Nothing is written for 0.
fn put_number(out: &mut Vec<u8>, tag: u8, value: i64) {
    if value != 0 {
        put_explicit(out, tag, INTEGER, &integer(value));
    }
}

/// Nothing is written for no bytes.
fn put_bytes(out: &mut Vec<u8>, tag: u8, value: &[u8]) {
    if !value.is_empty() {
        put_explicit(out, tag, OCTET_STRING, value);
    }
}

/// The contents of an INTEGER: as few bytes as keep the sign.
fn integer(value: i64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let redundant = |pair: &&[u8]| {
        matches!(pair, [0, next, ..] if next & 0x80 == 0)
            || matches!(pair, [0xFF, next, ..] if next & 0x80 != 0)
    };
    let skipped = bytes.windows(2).take_while(redundant).count();
    bytes.get(skipped..).unwrap_or_default().to_vec()
}

fn number(contents: &[u8]) -> Option<i64> {
    let (first, rest) = contents.split_first()?;
    // A number of 64 bits without a sign may have a zero before it.
    if contents.len() > 8 && !(contents.len() == 9 && *first == 0) {
        return None;
    }
    let start = i64::from(first.cast_signed());
    Some(rest.iter().fold(start, |number, byte| (number << 8) | i64::from(*byte)))
}

/// Takes the next value off, with its tag.
fn next<'a>(input: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let [tag, first, rest @ ..] = *input else { return None };
    let (length, rest) = match first {
        0..=127 => (usize::from(*first), rest),
        _ => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
            if bytes.is_empty() || bytes.len() > 4 {
                return None;
            }
            (bytes.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte)), rest)
        }
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    *input = rest;
    Some((*tag, contents))
}

/// The bytes, when they are not more.
fn at_most(longest: usize, bytes: &[u8]) -> Option<&[u8]> {
    (bytes.len() <= longest).then_some(bytes)
}

fn expect<'a>(input: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (found, contents) = next(input)?;
    (found == tag).then_some(contents)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session {
            version: 0x0303,
            suite: 0xC02B,
            id: vec![7; 32],
            secret: vec![9; 48].into(),
            id_context: b"context".to_vec(),
            timeout: 7200,
            chain: vec![vec![0x30, 3, 2, 1, 5]],
            verify_result: -1,
            hostname: CString::new("server.test").ok(),
            lifetime_hint: 300,
            ticket: vec![1; 200],
            flags: 1,
            age_add: u32::MAX,
            alpn: b"h2".to_vec(),
            group: 29,
            ..Session::default()
        }
    }

    #[test]
    fn there_and_back() {
        let der = encode(&session()).unwrap();
        assert_eq!(decode(&der), Some((session(), der.len())));
        assert_eq!(encode(&Session::default()), None);
    }

    #[test]
    fn what_is_cut_short_is_no_session() {
        let der = encode(&session()).unwrap();
        for length in 0..der.len() {
            assert_eq!(decode(&der[..length]), None, "{length}");
        }
    }

    #[test]
    fn no_more_is_read_than_openssl_has_room_for() {
        let is_read = |change: &dyn Fn(&mut Session)| {
            let mut session = session();
            change(&mut session);
            decode(&encode(&session).unwrap()).is_some()
        };
        assert!(is_read(&|session| session.id = vec![7; 32]));
        assert!(!is_read(&|session| session.id = vec![7; 33]));
        assert!(is_read(&|session| session.id_context = vec![7; 32]));
        assert!(!is_read(&|session| session.id_context = vec![7; 33]));
        assert!(is_read(&|session| session.secret = vec![7; 512].into()));
        assert!(!is_read(&|session| session.secret = vec![7; 513].into()));
    }

    #[test]
    fn an_empty_name_is_no_absent_one() {
        for hostname in [None, CString::new("").ok()] {
            let session = Session { hostname, ..session() };
            let der = encode(&session).unwrap();
            assert_eq!(decode(&der), Some((session, der.len())));
        }
    }

    #[test]
    fn integers() {
        for value in [0, 1, 127, 128, 255, 256, -1, -128, -129, i64::MAX, i64::MIN] {
            assert_eq!(number(&integer(value)), Some(value));
        }
        assert_eq!(integer(128), [0, 128]);
        assert_eq!(integer(-1), [0xFF]);
    }
}
