//! The steps of a handshake as OpenSSL's state machine takes them, followed by the messages that
//! pass: the states of `SSL_get_state(3)`, and when an information callback hears of one
//! (`SSL_CB_LOOP`).
//!
//! OpenSSL calls before it changes its state: before each message, and once more when it has no
//! message left to send. The states are those of `OSSL_HANDSHAKE_STATE`.

use std::ffi::c_int;

use super::{Content, Event};

/// `TLS_ST_BEFORE`, `TLS_ST_OK`, `TLS_ST_SW_SESSION_TICKET` and `TLS_ST_EARLY_DATA`.
const BEFORE: c_int = 0;
const OK: c_int = 1;
const WROTE_TICKET: c_int = 33;
const EARLY_DATA: c_int = 46;

/// What an information callback is to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// `SSL_CB_LOOP`: the state is about to change.
    Loop,
    /// The state from here on.
    State(c_int),
    /// `SSL_CB_EXIT` with success: a message after the handshake has been dealt with.
    Exit,
}

/// What is heard of an event, before it is shown and after.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) before: Vec<Heard>,
    pub(crate) after: Vec<Heard>,
}

/// Where a handshake stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    server: bool,
    tls13: bool,
    state: c_int,
    /// Whether the state machine is about to send.
    writing: bool,
    complete: bool,
    /// Whether the step to a server's first ticket has been taken before the ticket was sent.
    ticket_announced: bool,
}

impl Steps {
    /// Before a handshake.
    pub(crate) fn new(server: bool) -> Self {
        Self {
            server,
            tls13: false,
            state: BEFORE,
            writing: true,
            complete: false,
            ticket_announced: false,
        }
    }

    /// The state.
    pub(crate) fn state(&self) -> c_int {
        self.state
    }

    /// Which version is spoken is known.
    pub(crate) fn choose(&mut self, tls13: bool) {
        self.tls13 = tls13;
    }

    /// What is heard of an event.
    pub(crate) fn pass(&mut self, event: &Event) -> Passed {
        match self.state_after(event) {
            Some(state) if self.complete => self.pass_late(event.sent, state),
            Some(state) => self.pass_early(event.sent, state),
            None => Passed::default(),
        }
    }

    /// What is heard when the handshake has nothing to send and waits for the peer.
    pub(crate) fn rest(&mut self) -> Vec<Heard> {
        let mut heard = Vec::new();
        if !self.complete && std::mem::take(&mut self.writing) {
            heard.push(Heard::Loop);
            if self.server && self.tls13 && self.state != BEFORE && self.state != EARLY_DATA {
                self.go(EARLY_DATA, &mut heard);
                heard.push(Heard::Loop);
            }
        }
        heard
    }

    /// What is heard before the end of the handshake is told. `tickets` says whether a server of
    /// TLS 1.3 is going to send some.
    pub(crate) fn complete(&mut self, tickets: bool) -> Vec<Heard> {
        let mut heard = vec![Heard::Loop];
        self.ticket_announced = tickets;
        self.go(if tickets { WROTE_TICKET } else { OK }, &mut heard);
        self.complete = true;
        self.writing = false;
        heard
    }

    /// What is heard when the tickets of a server of TLS 1.3 have been sent, and with them the last
    /// of its handshake.
    pub(crate) fn end(&mut self) -> Vec<Heard> {
        let mut heard = Vec::new();
        if self.state == WROTE_TICKET {
            heard.push(Heard::Loop);
            self.go(OK, &mut heard);
        }
        heard
    }

    fn pass_early(&mut self, sent: bool, state: c_int) -> Passed {
        let mut before = if sent { Vec::new() } else { self.rest() };
        self.writing = sent;
        before.push(Heard::Loop);
        self.go(state, &mut before);
        Passed { before, after: Vec::new() }
    }

    /// After a handshake each message is one of its own.
    fn pass_late(&mut self, sent: bool, state: c_int) -> Passed {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        if self.state == WROTE_TICKET {
            if !std::mem::take(&mut self.ticket_announced) {
                before.push(Heard::Loop);
            }
            return Passed { before, after };
        }
        if !sent {
            before.push(Heard::Loop);
        }
        before.push(Heard::Loop);
        self.go(state, &mut before);
        after.push(Heard::Loop);
        self.go(OK, &mut after);
        after.push(Heard::Exit);
        Passed { before, after }
    }

    fn go(&mut self, state: c_int, heard: &mut Vec<Heard>) {
        self.state = state;
        heard.push(Heard::State(state));
    }

    /// The state that a message leads to.
    fn state_after(&self, event: &Event) -> Option<c_int> {
        if event.content == Content::ChangeCipherSpec {
            return match (self.server, event.sent) {
                (false, true) => Some(16),
                (true, true) => Some(35),
                // In TLS 1.3 it is skipped.
                _ if self.tls13 => None,
                (false, false) => Some(10),
                (true, false) => Some(31),
            };
        }
        let state = match (self.server, event.sent, event.message()?) {
            (false, true, 1) => 12,
            (false, true, 11) => 13,
            (false, true, 16) => 14,
            (false, true, 15) => 15,
            (false, true, 20) => 18,
            (false, true, 24) => 43,
            (false, false, 0) => 41,
            (false, false, 2) => 3,
            (false, false, 11) => 4,
            (false, false, 22) => 5,
            (false, false, 12) => 6,
            (false, false, 13) => 7,
            (false, false, 14) => 8,
            (false, false, 4) => 9,
            (false, false, 20) => 11,
            (false, false, 8) => 38,
            (false, false, 15) => 39,
            (false, false, 24) => 45,
            (true, true, 0) => 19,
            (true, true, 2) => 22,
            (true, true, 11) => 23,
            (true, true, 12) => 24,
            (true, true, 13) => 25,
            (true, true, 14) => 26,
            (true, true, 4) => WROTE_TICKET,
            (true, true, 22) => 34,
            (true, true, 20) => 36,
            (true, true, 8) => 37,
            (true, true, 15) => 40,
            (true, true, 24) => 42,
            (true, false, 1) => 20,
            (true, false, 11) => 27,
            (true, false, 16) => 28,
            (true, false, 15) => 29,
            (true, false, 20) => 32,
            (true, false, 24) => 44,
            _ => return None,
        };
        Some(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(sent: bool, message: u8) -> Event {
        Event::new(sent, Content::Handshake, 0x0304, &[message, 0, 0, 0])
    }

    fn loops(heard: &[Heard]) -> usize {
        heard.iter().filter(|heard| **heard == Heard::Loop).count()
    }

    #[test]
    fn a_server_of_tls13() {
        let mut steps = Steps::new(true);
        assert_eq!(loops(&steps.rest()), 1);
        assert_eq!(steps.pass(&event(false, 1)).before, [Heard::Loop, Heard::State(20)]);
        steps.choose(true);
        for (message, state) in [(2, 22), (8, 37), (11, 23), (15, 40), (20, 36)] {
            let passed = steps.pass(&event(true, message));
            assert_eq!(passed.before, [Heard::Loop, Heard::State(state)]);
            assert!(passed.after.is_empty());
        }
        assert_eq!(steps.rest(), [Heard::Loop, Heard::State(EARLY_DATA), Heard::Loop]);
        assert!(steps.rest().is_empty());
        assert_eq!(steps.pass(&event(false, 20)).before, [Heard::Loop, Heard::State(32)]);
        assert_eq!(steps.complete(true), [Heard::Loop, Heard::State(WROTE_TICKET)]);
        assert_eq!(steps.pass(&event(true, 4)), Passed::default());
        assert_eq!(steps.pass(&event(true, 4)).before, [Heard::Loop]);
        assert_eq!(steps.end(), [Heard::Loop, Heard::State(OK)]);
        assert!(steps.end().is_empty());
        let update = steps.pass(&event(true, 24));
        assert_eq!(update.before, [Heard::Loop, Heard::State(42)]);
        assert_eq!(update.after, [Heard::Loop, Heard::State(OK), Heard::Exit]);
    }

    #[test]
    fn a_client_that_reads_ends_its_flight_first() {
        let mut steps = Steps::new(false);
        assert_eq!(loops(&steps.pass(&event(true, 1)).before), 1);
        assert_eq!(loops(&steps.pass(&event(false, 2)).before), 2);
        assert_eq!(steps.state(), 3);
    }
}
