//! The bytes received and not yet processed.
//!
//! libssl without read-ahead takes from its BIO one record at a time: first the header, then the
//! body. Programs rely on it: what is left in the socket wakes their poll again. [`Input::missing`]
//! says how many bytes the record at hand still needs, and [`Lent::extend`] makes room for a body
//! while the buffer is with the transport.

use rustls::TlsInputBuffer;
use zeroize::Zeroize;

/// Length of a record's header (RFC 8446, 5.1).
const HEADER: usize = 5;
/// The type of a record with application data, and of every encrypted one of TLS 1.3.
const APPLICATION_DATA: u8 = 23;
/// The longest record that is encrypted (RFC 8446, 5.2): what is announced longer is an error.
const LONGEST: usize = 16 * 1024 + 256;

/// Received bytes, from the start of a record on.
///
/// The buffer grows to the largest record and stays; what lies behind `end` is scrap, so that it is
/// zeroed once and not for every record.
#[derive(Debug, Default)]
pub(crate) struct Input {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Where the first record begins that is not whole, noted as bytes arrive. The engine gathers
    /// fragments of a message in place, over the headers between them, so headers of records that
    /// it has seen are not read again; nor are they gone through once for each record.
    partial: usize,
    closed: bool,
    eof: bool,
    /// Whether what was processed is zeroed: `SSL_OP_CLEANSE_PLAINTEXT`.
    pub(crate) cleanses: bool,
}

/// The buffer while a transport writes into it, during which the connection is not locked.
#[derive(Debug)]
pub(crate) struct Lent {
    bytes: Vec<u8>,
    start: usize,
    /// Where what has come in the meantime begins, and where it ends.
    lent: usize,
    end: usize,
    /// See [`Input::partial`].
    partial: usize,
    size: usize,
}

impl Lent {
    /// Where the transport writes to.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.end..self.end + self.size).unwrap_or_default()
    }

    /// Notes that the transport has written `count` bytes, which leaves so much less room.
    pub(crate) fn wrote(&mut self, count: usize) {
        let count = count.min(self.size);
        self.end += count;
        self.size -= count;
    }

    /// Makes room for what is missing of an encrypted record that has begun; false when none has.
    pub(crate) fn extend(&mut self) -> bool {
        let unread = self.bytes.get(self.start..self.end).unwrap_or_default();
        if unread.is_empty() || !awaits_more(unread) {
            return false;
        }
        self.pass_whole_records();
        self.size = missing(self.bytes.get(self.partial..self.end).unwrap_or_default());
        self.make_room();
        true
    }

    fn pass_whole_records(&mut self) {
        self.partial = partial(self.bytes.get(..self.end).unwrap_or_default(), self.partial);
    }

    /// What the transport has written.
    pub(crate) fn written(&self) -> &[u8] {
        self.bytes.get(self.lent..self.end).unwrap_or_default()
    }

    /// Throws away what the transport has written.
    pub(crate) fn forget(&mut self) {
        self.end = self.lent;
    }

    fn make_room(&mut self) {
        if self.bytes.len() < self.end + self.size {
            self.bytes.resize(self.end + self.size, 0);
        }
    }
}

impl Input {
    /// Gives the buffer away with room for exactly `size` more bytes, until
    /// [`take_back`](Self::take_back).
    pub(crate) fn lend(&mut self, size: usize) -> Lent {
        let bytes = std::mem::take(&mut self.bytes);
        let (start, end) = (std::mem::take(&mut self.start), std::mem::take(&mut self.end));
        let partial = std::mem::take(&mut self.partial);
        let mut lent = Lent { bytes, start, lent: end, end, partial, size };
        lent.make_room();
        lent
    }

    /// Takes the buffer back, with what was written in it. What came in meanwhile, by a transport
    /// that itself reads from this connection, comes after that.
    pub(crate) fn take_back(&mut self, mut lent: Lent) {
        let meanwhile = self.unread().to_vec();
        lent.pass_whole_records();
        self.partial = lent.partial;
        (self.bytes, self.start, self.end) = (lent.bytes, lent.start, lent.end);
        if !meanwhile.is_empty() {
            self.extend(&meanwhile);
        }
        self.rewind();
    }

    /// Appends bytes from the peer.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.bytes.truncate(self.end);
        self.bytes.extend_from_slice(bytes);
        self.end = self.bytes.len();
        self.partial = partial(&self.bytes, self.partial);
    }

    /// What is here and not discarded.
    pub(crate) fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether bytes wait to be processed. A header alone does not count: it was, and its body is
    /// awaited.
    pub(crate) fn has_pending(&self) -> bool {
        !matches!(self.unread().len(), 0 | HEADER)
    }

    /// Takes the first record out of the buffer, when it is whole.
    pub(crate) fn take_record(&mut self) -> Option<Vec<u8>> {
        let unread = self.unread();
        let &[_, _, _, high, low] = unread.first_chunk::<HEADER>()?;
        let length = HEADER + usize::from(u16::from_be_bytes([high, low]));
        let record = unread.get(..length)?.to_vec();
        self.discard(length);
        Some(record)
    }

    /// Gives the memory back when nothing is in it: `SSL_MODE_RELEASE_BUFFERS`.
    pub(crate) fn release(&mut self) {
        if self.start == self.end {
            self.bytes = Vec::new();
        }
    }

    /// Starts again at the beginning of the buffer when nothing is left in it.
    fn rewind(&mut self) {
        if self.start == self.end {
            (self.start, self.end, self.partial) = (0, 0, 0);
        }
    }

    /// How many bytes are missing to the end of the last record that has begun; the length of a
    /// header when none has.
    pub(crate) fn missing(&self) -> usize {
        missing(self.bytes.get(self.partial..self.end).unwrap_or_default())
    }

    /// Whether nothing can be done before more comes: there is nothing, or the beginning of an
    /// encrypted record. All else is for the engine to judge, whole or not.
    pub(crate) fn awaits_more(&self) -> bool {
        awaits_more(self.unread())
    }

    /// Notes that the transport has ended.
    pub(crate) fn end(&mut self) {
        self.eof = true;
    }
}

impl TlsInputBuffer for Input {
    fn slice_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..self.end).unwrap_or_default()
    }

    fn discard(&mut self, count: usize) {
        let processed = self.start..(self.start + count).min(self.end);
        self.start = processed.end;
        self.partial = self.partial.max(self.start);
        if self.cleanses {
            self.bytes.get_mut(processed).unwrap_or_default().zeroize();
        }
        self.rewind();
    }

    fn received_close_notify(&mut self) {
        self.closed = true;
    }

    fn has_seen_eof(&self) -> bool {
        self.eof
    }
}

/// What is missing of a record that is not whole. See [`Input::missing`].
fn missing(record: &[u8]) -> usize {
    match *record {
        [_, _, _, high, low, ref body @ ..] => {
            usize::from(u16::from_be_bytes([high, low])).saturating_sub(body.len())
        }
        _ => HEADER - record.len(),
    }
}

/// Where the first record begins that is not whole, from the start of a record on.
fn partial(bytes: &[u8], mut record: usize) -> usize {
    while let Some([_, _, _, high, low, body @ ..]) = bytes.get(record..)
        && let length = usize::from(u16::from_be_bytes([*high, *low]))
        && body.len() >= length
    {
        record += HEADER + length;
    }
    record
}

/// See [`Input::awaits_more`].
fn awaits_more(unread: &[u8]) -> bool {
    match unread {
        [] => true,
        [APPLICATION_DATA, 3, 3, high, low, body @ ..] => {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            length <= LONGEST && body.len() < length
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lent_buffer_comes_back_with_what_was_written_and_what_came_meanwhile() {
        let mut input = Input::default();
        input.extend(&[1, 2]);
        input.discard(1);
        let mut lent = input.lend(4);
        lent.room().copy_from_slice(&[3, 4, 5, 6]);
        lent.wrote(3);
        assert_eq!(lent.written(), [3, 4, 5]);
        assert_eq!(lent.room().len(), 1);
        assert!(input.unread().is_empty());
        input.extend(&[9]);
        input.take_back(lent);
        assert_eq!(input.unread(), [2, 3, 4, 5, 9]);
        input.discard(5);
        let mut lent = input.lend(2);
        assert_eq!(lent.room().len(), 2);
        lent.room().copy_from_slice(&[7, 8]);
        lent.wrote(9);
        input.take_back(lent);
        assert_eq!(input.unread(), [7, 8]);
        let lent = input.lend(5);
        input.take_back(lent);
        assert_eq!(input.unread(), [7, 8]);
    }

    #[test]
    fn a_lent_buffer_gets_room_for_the_body_of_an_encrypted_record_and_for_no_more() {
        let write = |lent: &mut Lent, bytes: &[u8]| {
            lent.room()[..bytes.len()].copy_from_slice(bytes);
            lent.wrote(bytes.len());
        };
        let mut input = Input::default();
        let mut lent = input.lend(input.missing());
        assert!(!lent.extend());
        write(&mut lent, &[23, 3, 3]);
        assert!(!lent.extend());
        write(&mut lent, &[0, 4]);
        assert!(lent.extend());
        assert_eq!(lent.room().len(), 4);
        write(&mut lent, &[5]);
        assert!(lent.extend());
        assert_eq!(lent.room().len(), 3);
        write(&mut lent, &[6, 7, 8]);
        assert!(!lent.extend());
        assert!(lent.room().is_empty());
        input.take_back(lent);
        assert_eq!(input.unread(), [23, 3, 3, 0, 4, 5, 6, 7, 8]);
        let mut lent = input.lend(input.missing());
        write(&mut lent, &[21, 3, 3, 0, 2]);
        assert!(!lent.extend());
        lent.forget();
        input.take_back(lent);
        assert_eq!(input.unread(), [23, 3, 3, 0, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn what_was_processed_is_zeroed_and_given_back_when_that_is_wished() {
        let mut input = Input { cleanses: true, ..Input::default() };
        input.extend(&[1, 2, 3]);
        input.discard(2);
        assert_eq!(input.bytes, [0, 0, 3]);
        input.release();
        assert_eq!(input.unread(), [3]);
        input.discard(1);
        assert_eq!(input.bytes, [0, 0, 0]);
        input.release();
        assert_eq!(input.bytes.capacity(), 0);
    }

    #[test]
    fn an_encrypted_record_is_awaited_whole_and_all_else_is_judged_at_once() {
        let awaits = |bytes: &[u8]| {
            let mut input = Input::default();
            input.extend(bytes);
            input.awaits_more()
        };
        assert!(awaits(&[]));
        assert!(awaits(&[23, 3, 3, 0, 2]) && awaits(&[23, 3, 3, 0, 2, 0]));
        assert!(!awaits(&[23, 3, 3, 0, 2, 0, 0]) && !awaits(&[23, 3, 3, 0, 0]));
        assert!(awaits(&[23, 3, 3, 0x41, 0]) && !awaits(&[23, 3, 3, 0x41, 1]));
        assert!(!awaits(&[21, 3, 3, 0, 26]) && !awaits(b"HTTP/") && !awaits(&[23, 3]));
    }

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

    #[test]
    fn fragments_that_are_gathered_over_headers_do_not_change_what_is_missing() {
        let mut input = Input::default();
        let fragment = [22, 3, 3, 0, 2, 0xFF, 0xFF];
        input.extend(&fragment.repeat(3));
        // The engine moves the second and the third to the first.
        input.slice_mut()[5..].fill(0xFF);
        assert_eq!(input.missing(), HEADER);
        let mut lent = input.lend(input.missing());
        lent.room().copy_from_slice(&[22, 3, 3, 0, 9]);
        lent.wrote(5);
        input.take_back(lent);
        assert_eq!(input.missing(), 9);
        input.extend(&[1; 9]);
        assert_eq!(input.missing(), HEADER);
        input.discard(3 * fragment.len());
        assert_eq!(input.missing(), HEADER);
        input.extend(&[22, 3]);
        assert_eq!(input.missing(), 3);
    }
}
