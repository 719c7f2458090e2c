//! The bytes of a connection on their way in and out, shown to who watches it: see
//! [`Wire`](crate::core::wire::Wire).

use super::Connection;
use crate::core::buffer::Lent;
use crate::core::settings::Settings;
use crate::core::wire::{Event, Wire};

impl Connection {
    /// Has the connection watched from its start. `whole` says whether its records are of interest
    /// too, or the messages of its handshakes alone.
    pub(crate) fn watch(&mut self, settings: &Settings, server: bool, whole: bool) {
        let highest = if settings.speaks_tls13() { 0x0304 } else { 0x0303 };
        self.wire = Some(Box::new(Wire::new(server, highest, whole, self.tap.watch())));
    }

    /// The next of what has passed, for who watches.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        let wire = self.wire.as_mut()?;
        wire.processed();
        wire.next()
    }

    /// What the peer has sent and the engine not dealt with will not be shown: the handshake ends
    /// before it.
    pub(crate) fn disregard_received(&mut self) {
        if let Some(wire) = &mut self.wire {
            wire.disregard_received();
        }
    }

    /// All of the handshake has been shown to who watches.
    pub(crate) fn handshake_shown(&mut self) {
        if let Some(wire) = &mut self.wire {
            wire.complete();
        }
    }

    /// Takes the input's buffer back, with what the peer has sent in it.
    pub(crate) fn take_back(&mut self, lent: Lent) {
        if let Some(wire) = &mut self.wire {
            wire.arrive(lent.written());
        }
        self.input.take_back(lent);
    }

    /// Whether the body of a record may be read right after its header: when the engine is sure to
    /// wait for it, and nobody to be shown the header before.
    pub(crate) fn takes_records_whole(&self) -> bool {
        self.is_complete() && self.wire.is_none()
    }

    /// Takes the bytes for the peer.
    pub(crate) fn take_output(&mut self) -> Vec<u8> {
        let shown = std::mem::take(&mut self.shown);
        if let Some(wire) = &mut self.wire {
            // What is sent answers what was received.
            wire.processed();
            wire.leave(self.output.get(shown..).unwrap_or_default());
        }
        std::mem::take(&mut self.output)
    }

    /// Gives back what the transport did not take. What was added meanwhile comes after it.
    pub(crate) fn put_back(&mut self, mut rest: Vec<u8>) {
        self.shown = rest.len();
        rest.append(&mut self.output);
        self.output = rest;
    }
}
