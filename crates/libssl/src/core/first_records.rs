//! The first records of a handshake, before rustls sees them.
//!
//! OpenSSL tells a program that talks to something that is not TLS what it talks to, and sends no
//! alert then: an HTTP server in front of a TLS port answers in words. It also skips records of no
//! length, and takes a close_notify instead of a ServerHello for the end.

use super::buffer::Input;
use super::failure::{Failure, alert};
use crate::sys::reasons;

/// Length of a record's header (RFC 8446, 5.1).
const HEADER: usize = 5;
/// The most that OpenSSL's buffer holds of a record: the contents and what ciphers add.
const LONGEST: usize = 16 * 1024 + 320;
/// How many records are skipped that say nothing.
const MOST_EMPTY: u8 = 32;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const WARNING: u8 = 1;
const CLOSE_NOTIFY: [u8; 2] = [WARNING, 0];

/// What is to be done about the record at hand.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The engine takes it.
    Whole,
    /// More bytes are needed.
    Partial,
    /// The peer closes without a handshake.
    Closed,
    /// An alert of level warning (RFC 5246, 7.2), which changes nothing.
    Warning(u8),
}

/// What has been seen of a peer's first records.
#[derive(Debug, Default)]
pub(crate) struct FirstRecords {
    begun: bool,
    empty: u8,
}

impl FirstRecords {
    /// Looks at what has arrived, and takes records of no length away.
    pub(crate) fn check(&mut self, input: &mut Input, server: bool) -> Result<Seen, Failure> {
        use rustls::TlsInputBuffer;
        loop {
            let unread = input.unread();
            let Some(header @ &[kind, major, _, high, low]) = unread.first_chunk::<HEADER>() else {
                return Ok(Seen::Partial);
            };
            let length = usize::from(u16::from_be_bytes([high, low]));
            if !self.begun && major != 3 {
                return Err(no_tls(header));
            }
            if length > LONGEST {
                let text = "a record announces more than a record may hold";
                let reason = reasons::PACKET_LENGTH_TOO_LONG;
                return Err(Failure::new(alert::RECORD_OVERFLOW, reason, text));
            }
            let Some(contents) = unread.get(HEADER..HEADER + length) else {
                return Ok(Seen::Partial);
            };
            match kind {
                HANDSHAKE if length == 0 => {
                    self.count_empty()?;
                    input.discard(HEADER);
                }
                ALERT if server && !self.begun => {
                    let text = "the connection begins with an alert";
                    let reason = reasons::UNEXPECTED_MESSAGE;
                    return Err(Failure::new(alert::UNEXPECTED_MESSAGE, reason, text));
                }
                ALERT if contents == CLOSE_NOTIFY => {
                    input.discard(HEADER + length);
                    return Ok(Seen::Closed);
                }
                ALERT if let [WARNING, description] = *contents => {
                    self.count_empty()?;
                    input.discard(HEADER + length);
                    return Ok(Seen::Warning(description));
                }
                _ => {
                    self.begun = true;
                    return Ok(Seen::Whole);
                }
            }
        }
    }

    fn count_empty(&mut self) -> Result<(), Failure> {
        self.empty += 1;
        if self.empty > MOST_EMPTY {
            let text = "the peer sends too many records that say nothing";
            let reason = reasons::RECORD_TOO_SMALL;
            return Err(Failure::new(alert::UNEXPECTED_MESSAGE, reason, text));
        }
        Ok(())
    }
}

/// What the peer speaks instead of TLS. It is not sent an alert.
fn no_tls(header: &[u8; HEADER]) -> Failure {
    let reason = match header {
        b"POST " | b"HEAD " | [b'G', b'E', b'T', b' ', _] | [b'P', b'U', b'T', b' ', _] => {
            reasons::HTTP_REQUEST
        }
        b"CONNE" => reasons::HTTPS_PROXY_REQUEST,
        _ => reasons::WRONG_VERSION_NUMBER,
    };
    Failure::local(reason, String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], server: bool) -> Result<Seen, Failure> {
        let mut input = Input::default();
        input.extend(bytes);
        FirstRecords::default().check(&mut input, server)
    }

    fn reason(bytes: &[u8]) -> (Option<u8>, std::ffi::c_int) {
        let failure = check(bytes, true).unwrap_err();
        (failure.alert, failure.reason)
    }

    #[test]
    fn what_is_not_tls_gets_no_alert() {
        assert_eq!(reason(b"GET / HTTP/1.1\r\n"), (None, reasons::HTTP_REQUEST));
        assert_eq!(reason(b"POST /x HTTP/1.1"), (None, reasons::HTTP_REQUEST));
        assert_eq!(reason(b"CONNECT a:1 HTTP"), (None, reasons::HTTPS_PROXY_REQUEST));
        assert_eq!(reason(b"HTTP/1.1 400 Bad"), (None, reasons::WRONG_VERSION_NUMBER));
        assert_eq!(reason(&[0; 8]), (None, reasons::WRONG_VERSION_NUMBER));
    }

    #[test]
    fn a_record_is_awaited_to_its_end() {
        assert_eq!(check(&[22, 3, 1, 0], true), Ok(Seen::Partial));
        assert_eq!(check(&[22, 3, 1, 0, 2, 9], true), Ok(Seen::Partial));
        assert_eq!(check(&[22, 3, 1, 0, 2, 9, 9], true), Ok(Seen::Whole));
        assert_eq!(reason(&[22, 3, 1, 255, 255]).0, Some(alert::RECORD_OVERFLOW));
    }

    #[test]
    fn alerts_before_a_handshake() {
        assert_eq!(check(&[21, 3, 1, 0, 2, 1, 0], false), Ok(Seen::Closed));
        assert_eq!(check(&[21, 3, 1, 0, 2, 2, 40], false), Ok(Seen::Whole));
        assert_eq!(reason(&[21, 3, 1, 0, 2, 1, 0]).0, Some(alert::UNEXPECTED_MESSAGE));
    }

    #[test]
    fn records_of_no_length_are_skipped_but_not_for_ever() {
        let empty = [22, 3, 1, 0, 0];
        assert_eq!(check(&empty.repeat(32), true), Ok(Seen::Partial));
        assert_eq!(reason(&empty.repeat(33)).1, reasons::RECORD_TOO_SMALL);
    }
}
