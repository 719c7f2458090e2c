//! The records and messages of a connection as they pass, for who watches it:
//! `SSL_CTX_set_msg_callback(3)`, and the steps of the handshake ([`steps`]).
//!
//! Bytes come in as the transport moves them, and what encrypted records hold comes from the
//! [`Tap`](super::tap::Tap); what comes out are [`Event`]s in OpenSSL's order. A connection that no
//! one watches has no [`Wire`]. Nothing here judges: what the engine refuses it refuses elsewhere.

pub(crate) mod extensions;
pub(crate) mod steps;

use std::collections::VecDeque;
use std::sync::Arc;

use super::client_hello::server_hello_chooses_tls13;
use super::tap::{Opened, Records};

/// Length of a record's header (RFC 8446, 5.1).
const HEADER: usize = 5;
/// Length of a handshake message's header (RFC 8446, 4).
const MESSAGE_HEADER: usize = 4;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

const SERVER_HELLO: u8 = 2;

/// What an event shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// The header of a record.
    Header,
    /// The type in an encrypted record of TLS 1.3.
    InnerType,
    ChangeCipherSpec,
    Alert,
    /// A handshake message with its header.
    Handshake,
}

/// Something that has passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) sent: bool,
    pub(crate) content: Content,
    /// The version on the record for its header, else the one that is spoken, or will be at most.
    pub(crate) version: u16,
    bytes: Bytes,
}

/// The bytes of an event. The many that come with each record are short, and cost no allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Bytes {
    Short([u8; HEADER], usize),
    Long(Vec<u8>),
}

impl Event {
    pub(crate) fn new(sent: bool, content: Content, version: u16, bytes: &[u8]) -> Self {
        let mut short = [0; HEADER];
        let bytes = match short.get_mut(..bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                Bytes::Short(short, bytes.len())
            }
            None => Bytes::Long(bytes.to_vec()),
        };
        Self { sent, content, version, bytes }
    }

    /// What has passed.
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Short(bytes, length) => bytes.get(..*length).unwrap_or_default(),
            Bytes::Long(bytes) => bytes,
        }
    }

    /// The type of a handshake message.
    pub(crate) fn message(&self) -> Option<u8> {
        self.bytes().first().copied().filter(|_| self.content == Content::Handshake)
    }
}

/// What passes on one connection.
#[derive(Debug)]
pub(crate) struct Wire {
    server: bool,
    /// Whether records are of interest, or handshake messages alone.
    whole: bool,
    /// The version that is spoken, or will be at most; OpenSSL's server begins with its highest.
    version: u16,
    tls13: bool,
    complete: bool,
    received: Direction,
    sent: Direction,
    records: Arc<Records>,
    events: VecDeque<Event>,
}

const TLS1_2: u16 = 0x0303;
const TLS1_3: u16 = 0x0304;

impl Wire {
    /// Watches the connection of a server, or of a client that speaks at most `highest`. `whole`
    /// says whether records are of interest too, or the messages of handshakes alone.
    pub(crate) fn new(server: bool, highest: u16, whole: bool, records: Arc<Records>) -> Self {
        Self {
            server,
            whole,
            version: if server { TLS1_3 } else { highest },
            tls13: false,
            complete: false,
            received: Direction::default(),
            sent: Direction::default(),
            records,
            events: VecDeque::new(),
        }
    }

    /// The next event.
    pub(crate) fn next(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Bytes have come from the peer. They are shown when the engine has worked on them.
    pub(crate) fn arrive(&mut self, bytes: &[u8]) {
        if self.sees_records() {
            self.received.push(bytes);
        }
    }

    /// The engine has worked on what has arrived.
    pub(crate) fn processed(&mut self) {
        self.show(false);
    }

    /// Bytes are on their way to the peer.
    pub(crate) fn leave(&mut self, bytes: &[u8]) {
        if self.sees_records() {
            self.sent.push(bytes);
        }
        self.show(true);
    }

    /// A server has chosen its version.
    pub(crate) fn choose(&mut self, tls13: bool) {
        self.tls13 = tls13;
        self.version = if tls13 { TLS1_3 } else { TLS1_2 };
    }

    /// A server refuses the client's versions, and says so in the one of its hello.
    pub(crate) fn answer_in(&mut self, version: u16) {
        self.version = version;
    }

    /// The handshake is complete, and all of it has passed.
    pub(crate) fn complete(&mut self) {
        self.complete = true;
        if !self.whole {
            self.records.leave_data_out();
            (self.received, self.sent) = Default::default();
        }
    }

    /// Nothing encrypted that the engine has written so far will be sent.
    pub(crate) fn start_over(&mut self) {
        self.records.of(true).clear();
    }

    /// The peer's messages that are not told yet will not be: the handshake ends before them.
    pub(crate) fn disregard_received(&mut self) {
        self.events.retain(|event| event.sent);
        self.received = Direction::default();
        self.records.of(false).clear();
    }

    /// After its handshake a connection of whose records nothing is of interest is not parsed: its
    /// messages are all encrypted.
    fn sees_records(&self) -> bool {
        self.whole || !self.complete
    }

    fn show(&mut self, sent: bool) {
        let records = Arc::clone(&self.records);
        let mut opened = records.of(sent);
        if !self.sees_records() {
            for record in opened.drain(..).filter(|record| record.kind == Some(HANDSHAKE)) {
                self.contents(sent, HANDSHAKE, &record.contents);
            }
            return;
        }
        let tls13 = self.tls13;
        let early = sent && tls13 && !self.server && !self.complete;
        while let Some(shown) = self.direction(sent).front(&mut opened, tls13, early) {
            match shown {
                Shown::Header(header) => {
                    let [_, high, low, ..] = header;
                    let version = u16::from_be_bytes([high, low]);
                    self.add(sent, Content::Header, version, &header);
                }
                Shown::Plain(kind, contents) => self.contents(sent, kind, &contents),
                Shown::Sealed(opened) => {
                    let Some(kind) = opened.kind else { continue };
                    if tls13 {
                        // What is sent is shown with the version on its record.
                        let version = if sent { TLS1_2 } else { self.version };
                        self.add(sent, Content::InnerType, version, &[kind]);
                    }
                    self.contents(sent, kind, &opened.contents);
                }
            }
        }
    }

    /// Shows what a record holds.
    fn contents(&mut self, sent: bool, kind: u8, contents: &[u8]) {
        match kind {
            HANDSHAKE => {
                let mut messages = std::mem::take(&mut self.direction(sent).message);
                messages.extend_from_slice(contents);
                let mut rest = messages.as_slice();
                while let Some((message, next)) = split_message(rest) {
                    self.message(sent, message);
                    rest = next;
                }
                let whole = messages.len() - rest.len();
                messages.drain(..whole);
                self.direction(sent).message = messages;
            }
            ALERT => self.add(sent, Content::Alert, self.version, contents),
            CHANGE_CIPHER_SPEC => {
                self.direction(sent).sealed = !self.tls13;
                self.add(sent, Content::ChangeCipherSpec, self.version, contents);
            }
            _ => {}
        }
    }

    fn message(&mut self, sent: bool, message: &[u8]) {
        self.add(sent, Content::Handshake, self.version, message);
        // A client shows the ServerHello with the version that it knew before.
        if !self.server
            && let Some((&[SERVER_HELLO, _, _, _], body)) = message.split_first_chunk()
        {
            self.choose(server_hello_chooses_tls13(body));
        }
    }

    fn add(&mut self, sent: bool, content: Content, version: u16, bytes: &[u8]) {
        let wanted = self.whole || !matches!(content, Content::Header | Content::InnerType);
        if wanted {
            self.events.push_back(Event::new(sent, content, version, bytes));
        }
    }

    fn direction(&mut self, sent: bool) -> &mut Direction {
        if sent { &mut self.sent } else { &mut self.received }
    }
}

/// What passes in one direction.
#[derive(Debug, Default)]
struct Direction {
    /// The beginning of a header.
    header: Vec<u8>,
    records: VecDeque<Record>,
    /// Whether a ChangeCipherSpec of TLS 1.2 has passed.
    sealed: bool,
    /// The beginning of a handshake message.
    message: Vec<u8>,
}

/// A record that is not shown yet, or not in full.
#[derive(Debug)]
struct Record {
    header: [u8; HEADER],
    /// What is in it; for application data, which is encrypted, nothing.
    contents: Vec<u8>,
    /// How much of it has not passed yet.
    missing: usize,
    header_shown: bool,
}

enum Shown {
    Header([u8; HEADER]),
    Plain(u8, Vec<u8>),
    Sealed(Opened),
}

impl Direction {
    fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if let Some(record) = self.records.back_mut().filter(|record| record.missing > 0) {
                let (own, rest) = bytes.split_at(record.missing.min(bytes.len()));
                record.missing -= own.len();
                if record.kind() != APPLICATION_DATA {
                    record.contents.extend_from_slice(own);
                }
                bytes = rest;
                continue;
            }
            let (own, rest) = bytes.split_at((HEADER - self.header.len()).min(bytes.len()));
            self.header.extend_from_slice(own);
            bytes = rest;
            if let Some(&header) = self.header.first_chunk() {
                let missing = Record::length(&header);
                let record = Record { header, contents: Vec::new(), missing, header_shown: false };
                self.records.push_back(record);
                self.header.clear();
            }
        }
    }

    /// The next that can be shown. What is encrypted waits for the engine to have worked on it.
    ///
    /// The engine's client sends the ChangeCipherSpec of TLS 1.3, which means nothing, as `early` as
    /// it can; it is shown where OpenSSL sends it, before the next flight.
    fn front(&mut self, opened: &mut VecDeque<Opened>, tls13: bool, early: bool) -> Option<Shown> {
        loop {
            let last = self.records.len() == 1;
            let record = self.records.front_mut()?;
            if early && last && record.kind() == CHANGE_CIPHER_SPEC {
                return None;
            }
            if !std::mem::replace(&mut record.header_shown, true) {
                return Some(Shown::Header(record.header));
            }
            if record.missing > 0 {
                return None;
            }
            let kind = record.kind();
            let sealed = if tls13 { kind == APPLICATION_DATA } else { self.sealed };
            if !sealed {
                let contents = std::mem::take(&mut record.contents);
                self.records.pop_front();
                return Some(Shown::Plain(kind, contents));
            }
            let own = opened.front()?.length == Record::length(&record.header);
            self.records.pop_front();
            // The engine skips records without opening them, such as early data that it refuses.
            if own {
                return opened.pop_front().map(Shown::Sealed);
            }
        }
    }
}

/// The first handshake message, once it is whole, and what follows it.
fn split_message(messages: &[u8]) -> Option<(&[u8], &[u8])> {
    let [_, a, b, c] = *messages.first_chunk::<MESSAGE_HEADER>()?;
    messages.split_at_checked(MESSAGE_HEADER + u32::from_be_bytes([0, a, b, c]) as usize)
}

impl Record {
    fn kind(&self) -> u8 {
        let [kind, ..] = self.header;
        kind
    }

    fn length(header: &[u8; HEADER]) -> usize {
        let [.., high, low] = *header;
        usize::from(u16::from_be_bytes([high, low]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(server: bool) -> Wire {
        Wire::new(server, TLS1_3, true, Arc::default())
    }

    fn shown(wire: &mut Wire) -> Vec<(bool, Content, u16, usize)> {
        let events = std::iter::from_fn(|| wire.next());
        events
            .map(|event| (event.sent, event.content, event.version, event.bytes().len()))
            .collect()
    }

    #[test]
    fn a_message_is_gathered_from_records_and_taken_out_of_them() {
        let mut wire = wire(true);
        wire.arrive(&[22, 3, 1, 0, 3, 1, 0, 0]);
        wire.processed();
        assert_eq!(shown(&mut wire), [(false, Content::Header, 0x0301, 5)]);
        wire.arrive(&[22, 3, 3, 0, 6, 1, 7, 11, 0, 0, 0]);
        wire.processed();
        assert_eq!(
            shown(&mut wire),
            [
                (false, Content::Header, TLS1_2, 5),
                (false, Content::Handshake, TLS1_3, 5),
                (false, Content::Handshake, TLS1_3, 4),
            ]
        );
    }

    #[test]
    fn what_is_encrypted_waits_until_it_is_opened() {
        let mut wire = wire(true);
        wire.choose(true);
        wire.arrive(&[23, 3, 3, 0, 2, 9, 9, 23, 3, 3, 0, 1, 9]);
        wire.processed();
        assert_eq!(shown(&mut wire), [(false, Content::Header, TLS1_2, 5)]);
        // The first is skipped by the engine; the second holds an alert.
        let opened = Opened { length: 1, kind: Some(ALERT), contents: vec![1, 0] };
        wire.records.of(false).push_back(opened);
        wire.processed();
        assert_eq!(
            shown(&mut wire),
            [
                (false, Content::Header, TLS1_2, 5),
                (false, Content::InnerType, TLS1_3, 1),
                (false, Content::Alert, TLS1_3, 2),
            ]
        );
    }

    #[test]
    fn in_tls12_a_change_cipher_spec_begins_the_encrypted_part() {
        let mut wire = wire(true);
        wire.choose(false);
        let opened = Opened { length: 8, kind: Some(HANDSHAKE), contents: vec![20, 0, 0, 1, 5] };
        wire.records.of(true).push_back(opened);
        wire.leave(&[20, 3, 3, 0, 1, 1, 22, 3, 3, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(
            shown(&mut wire),
            [
                (true, Content::Header, TLS1_2, 5),
                (true, Content::ChangeCipherSpec, TLS1_2, 1),
                (true, Content::Header, TLS1_2, 5),
                (true, Content::Handshake, TLS1_2, 5),
            ]
        );
    }

    #[test]
    fn for_steps_alone_records_are_not_parsed_after_the_handshake() {
        let mut wire = Wire::new(true, TLS1_3, false, Arc::default());
        wire.choose(true);
        wire.complete();
        wire.arrive(&[23, 3, 3, 0, 9]);
        let contents = vec![24, 0, 0, 1, 1];
        let data = Opened { length: 9, kind: Some(APPLICATION_DATA), contents: Vec::new() };
        let update = Opened { length: 22, kind: Some(HANDSHAKE), contents };
        wire.records.of(false).extend([data, update]);
        wire.processed();
        assert_eq!(shown(&mut wire), [(false, Content::Handshake, TLS1_3, 5)]);
        assert!(wire.received.records.is_empty() && wire.records.of(false).is_empty());
    }

    #[test]
    fn a_stream_of_bytes_in_any_pieces_is_the_same() {
        let bytes = [22, 3, 3, 0, 5, 2, 0, 0, 1, 7, 21, 3, 3, 0, 2, 2, 40];
        let mut whole = wire(true);
        whole.arrive(&bytes);
        whole.processed();
        let mut pieces = wire(true);
        for byte in bytes {
            pieces.arrive(&[byte]);
            pieces.processed();
        }
        assert_eq!(shown(&mut whole), shown(&mut pieces));
    }
}
