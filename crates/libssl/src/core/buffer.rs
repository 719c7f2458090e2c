//! The bytes received and not yet processed.
//!
//! libssl without read-ahead takes from its BIO one record at a time: first the header, then the
//! body. Programs rely on it: what is left in the socket wakes their poll again. [`Input::missing`]
//! says how many bytes the record at hand still needs.

use rustls::TlsInputBuffer;

/// Length of a record's header (RFC 8446, 5.1).
const HEADER: usize = 5;

/// Received bytes, from the start of a record on.
#[derive(Debug, Default)]
pub(crate) struct Input {
    bytes: Vec<u8>,
    start: usize,
    closed: bool,
    eof: bool,
}

impl Input {
    /// Appends bytes from the peer.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        if self.start > 0 && self.start == self.bytes.len() {
            self.bytes.clear();
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// What is here and not discarded.
    pub(crate) fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// How many bytes are missing to the end of the last record that has begun; the length of a
    /// header when none has.
    pub(crate) fn missing(&self) -> usize {
        let mut rest = self.unread();
        loop {
            let Some(&[_, _, _, high, low]) = rest.first_chunk::<HEADER>() else {
                return HEADER - rest.len();
            };
            let record = HEADER + usize::from(u16::from_be_bytes([high, low]));
            match rest.get(record..) {
                Some([]) => return HEADER,
                Some(next) => rest = next,
                None => return record - rest.len(),
            }
        }
    }

    /// Notes that the transport has ended.
    pub(crate) fn end(&mut self) {
        self.eof = true;
    }
}

impl TlsInputBuffer for Input {
    fn slice_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..).unwrap_or_default()
    }

    fn discard(&mut self, count: usize) {
        self.start = (self.start + count).min(self.bytes.len());
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.start = 0;
        }
    }

    fn received_close_notify(&mut self) {
        self.closed = true;
    }

    fn has_seen_eof(&self) -> bool {
        self.eof
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_asked_for_header_first_then_body() {
        let mut input = Input::default();
        assert_eq!(input.missing(), 5);
        input.extend(&[22, 3, 1]);
        assert_eq!(input.missing(), 2);
        input.extend(&[0, 4]);
        assert_eq!(input.missing(), 4);
        input.extend(&[1, 2, 3, 4]);
        assert_eq!(input.missing(), 5);
        input.extend(&[23, 3, 3, 1, 0]);
        assert_eq!(input.missing(), 256);
        input.discard(9);
        assert_eq!(input.unread(), [23, 3, 3, 1, 0]);
        assert_eq!(input.missing(), 256);
    }
}
