//! State that belongs to one handshake of an `SSL`, and to the connection that it makes.
//!
//! `SSL_clear`, `SSL_set_accept_state`, `SSL_set_connect_state` and every new handshake replace it
//! whole, together with the engine's [`Connection`](crate::core::connection::Connection). A field
//! that a later handshake may not see belongs here, and nowhere else in [`SslState`].

use std::ffi::c_int;
use std::sync::Arc;

use crate::abi::cipher_list::Shown;
use crate::abi::method::Side;
use crate::abi::objects::SslState;
use crate::abi::renegotiation::Renegotiation;
use crate::core::connection::Connection;
use crate::core::key_log::CollectedKeys;
use crate::core::settings::{TLS1_2, TLS1_3};
use crate::core::wire::steps::Steps;
use crate::sys::names::Names;
use crate::sys::stack::Chain;
use crate::sys::x509::Certificate;

/// State of one handshake. The default is the state before it.
#[derive(Default)]
pub(crate) struct HandshakeState {
    pub(crate) key_log: Option<Arc<CollectedKeys>>,
    /// The steps of the handshake, when a callback watches them.
    pub(crate) steps: Option<Steps>,
    /// The state that the steps have reached, as far as callbacks have seen it.
    pub(crate) hand_state: Option<c_int>,
    /// Whether the steps have ended in a failure, as far as callbacks have seen it.
    pub(crate) hand_failed: bool,
    /// The event that the last operation waits for.
    pub(crate) want: Want,
    /// Whether an error of this connection is in the queue already.
    pub(crate) reported: bool,
    /// Whether the end of the handshake has been noted.
    pub(crate) finished: bool,
    /// Whether callbacks have seen the end of the handshake, with all of it sent.
    pub(crate) done_told: bool,
    /// Whether the transport has ended.
    pub(crate) eof: bool,
    /// Progress of a write that did not finish.
    pub(crate) write: WriteProgress,
    /// `SSL_KEY_UPDATE_*`, when the keys are to be renewed.
    pub(crate) key_update: Option<c_int>,
    pub(crate) renegotiation: Renegotiation,
    /// The protocol of ALPN that a server has selected, until the handshake is complete.
    pub(crate) alpn_selected: Option<Vec<u8>>,
    /// The peer's certificate, once it was verified.
    pub(crate) peer: Option<Certificate>,
    pub(crate) peer_chain: Option<Arc<Chain>>,
    pub(crate) verified_chain: Option<Chain>,
    /// The names of CAs that the peer has sent, once the program has asked for them.
    pub(crate) peer_ca_names: Option<Names>,
    /// Whether the verification that runs is to be repeated: `SSL_set_retry_verify`.
    pub(crate) retry_verify: bool,
    pub(crate) server_stage: ServerStage,
    pub(crate) client_stage: ClientStage,
    /// The list that `SSL_get_client_ciphers` returns.
    pub(crate) client_ciphers: Shown,
}

/// The event that an unfinished operation waits for: `SSL_want(3)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Want {
    #[default]
    Nothing,
    Reading,
    Writing,
    /// The certificate callback.
    X509Lookup,
    /// The ClientHello callback.
    ClientHello,
    /// The verification callback.
    RetryVerify,
}

/// A write that waits for the transport.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WriteProgress {
    /// Bytes of the program's buffer that are encrypted.
    pub(crate) encrypted: usize,
    /// The address of the program's buffer.
    pub(crate) buffer: usize,
    /// Whether a write is under way.
    pub(crate) active: bool,
}

/// The callbacks of a server's handshake that have run; one that asks to be called again is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ServerStage {
    #[default]
    Start,
    /// All for the first hello; a second one is awaited, for which they run again.
    Retry,
    ClientHelloDone,
    ServerNameDone,
    AlpnDone,
}

/// The callbacks of a client's handshake that have run, where a later one may ask for a wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ClientStage {
    #[default]
    Start,
    /// The server's certificates were verified.
    Verified,
    /// The certificate callback has chosen.
    CertificateDone,
}

/// The method that a connection has changed to when it agreed on a version. Only `SSL_clear` gives
/// back the flexible method that it was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VersionMethod {
    pub(crate) version: c_int,
    /// The one side that OpenSSL's method of this version can still take.
    pub(crate) side: Side,
}

impl VersionMethod {
    /// The method of a connection that has agreed on a version, as OpenSSL 3.0 leaves it: in
    /// TLS 1.2 that of its side, in TLS 1.3 that of the client's.
    fn of(state: &SslState) -> Option<Self> {
        let version = state.connection.version()?;
        let side = match version {
            TLS1_2 => state.side?,
            TLS1_3 => Side::Client,
            _ => return None,
        };
        Some(Self { version, side })
    }
}

/// State of a handshake that was replaced. Drop it with no lock held: freeing certificates may run
/// code of the program.
#[must_use]
pub(crate) struct Replaced(#[allow(dead_code)] (HandshakeState, Connection));

/// Replaces the state of the handshake whole. Settings that were made for the connection stay.
pub(crate) fn replace(state: &mut SslState) -> Replaced {
    if let Some(method) = VersionMethod::of(state) {
        state.version_method = Some(method);
    }
    state.sessions.begin_handshake();
    state.status.begin_handshake();
    let handshake = std::mem::take(&mut state.handshake);
    let connection = std::mem::take(&mut state.connection);
    Replaced((handshake, connection))
}
