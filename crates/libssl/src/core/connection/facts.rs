//! What is known of a connection: what its hellos have said, and what both sides agree on.

use std::ffi::c_int;

use rustls::crypto::kx::NamedGroup;

use super::{Connection, Randoms, State};
use crate::core::client_hello::{Agreed, ClientHello};
use crate::core::settings::{TLS1_2, TLS1_3};
use crate::core::tap::{Exchange, Finished};

impl Connection {
    /// The protocol of ALPN, once it is known.
    pub(crate) fn alpn(&self) -> Option<&[u8]> {
        match &self.state {
            State::Client(client) => client.alpn.as_deref(),
            State::Traffic(traffic) => traffic.outputs.alpn_protocol().map(AsRef::as_ref),
            _ => self.alpn.as_deref(),
        }
    }

    /// The randoms of both hellos.
    pub(crate) fn randoms(&self) -> Randoms {
        let mut randoms = self.randoms;
        match &self.state {
            State::Client(client) => randoms.server = client.random.unwrap_or_default(),
            State::Server(server) => {
                randoms.client = server.hello().random.as_slice().try_into().unwrap_or_default();
                randoms.server = server.random.unwrap_or_default();
            }
            _ => {}
        }
        randoms
    }

    /// What both sides agree on, once the hellos have passed.
    pub(crate) fn agreed(&self) -> Agreed {
        match &self.state {
            State::Client(client) => client.agreed,
            State::Server(server) => match self.tls13 {
                Some(tls13) => server.hello().agreed(tls13),
                None => Agreed::default(),
            },
            _ => self.agreed,
        }
    }

    /// `TLS1_2_VERSION` or `TLS1_3_VERSION`, once it is chosen.
    pub(crate) fn version(&self) -> Option<c_int> {
        self.tls13.map(|tls13| if tls13 { TLS1_3 } else { TLS1_2 })
    }

    /// The number of the cipher suite, once the handshake is complete.
    pub(crate) fn suite(&self) -> Option<u16> {
        Some(self.traffic()?.outputs.negotiated_cipher_suite()?.suite().into())
    }

    /// The group of the key exchange, once the handshake is complete. None after a resumption
    /// without one.
    pub(crate) fn group(&self) -> Option<NamedGroup> {
        Some(self.traffic()?.outputs.negotiated_key_exchange_group()?.name())
    }

    /// The ClientHello that a server has received, also when its handshake is complete.
    pub(crate) fn offered(&self) -> Option<&ClientHello> {
        self.hello().or(self.offered.as_ref())
    }

    /// The Finished that the client or the server has sent, once the handshake is complete.
    pub(crate) fn finished(&self, of_client: bool) -> Option<&Finished> {
        self.traffic()?;
        let tap = &self.tap;
        Some(if of_client { tap.client_finished() } else { tap.server_finished() })
    }

    /// The key exchange, as soon as both keys are known. None for a resumption without one.
    pub(crate) fn exchange(&self) -> Option<&Exchange> {
        self.tap.exchange()
    }

    /// Whether the handshake has resumed a session.
    pub(crate) fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// Whether a server's handshake resumes the session that the client offers, as soon as that is
    /// decided.
    pub(crate) fn resumes(&self) -> bool {
        match &self.state {
            State::Server(server) => server.resumes,
            _ => self.resumed,
        }
    }

    /// Whether a server has passed over the session that the client offers.
    pub(crate) fn has_declined(&self) -> bool {
        matches!(&self.state, State::Server(server) if server.declined)
    }
}
