//! Renegotiation (RFC 5246, 7.4.1.1), which is not in the engine: how a program that asks for it
//! hears so at once. `SSL_renegotiate(3)`.
//!
//! Whoever asks is not content with what was agreed: Apache wants a certificate for some directory.
//! Many only look at `SSL_is_init_finished` afterwards, and then wait for the peer. So the connection
//! counts as being in a handshake until the program has run it and has seen it fail. What comes next,
//! a handshake, reading or writing, goes on with the connection as it was: that is how Apache's 403
//! gets to the client.

use std::ffi::{CStr, c_int};

use crate::abi::arguments::Handle;
use crate::abi::guard::exported;
use crate::abi::objects::{Ssl, SslState};
use crate::core::settings::{OP_NO_RENEGOTIATION, TLS1_3};
use crate::sys::error;
use crate::sys::reasons;

/// How far a program is with a renegotiation that it does not get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Renegotiation {
    /// It has not asked for one, or goes on without.
    #[default]
    None,
    /// It has asked; the next handshake fails.
    Asked,
    /// The handshake has failed.
    Failed,
}

/// Whether a handshake is to fail for it now, which it does once.
pub(crate) fn fails(state: &mut SslState) -> bool {
    let before = state.handshake.renegotiation;
    state.handshake.renegotiation = match before {
        Renegotiation::Asked => Renegotiation::Failed,
        Renegotiation::None | Renegotiation::Failed => Renegotiation::None,
    };
    before == Renegotiation::Asked
}

/// Whether the connection is past its handshake, and in none that has not ended.
pub(crate) fn is_finished(state: &SslState) -> bool {
    state.connection.is_complete() && state.handshake.renegotiation == Renegotiation::None
}

/// Puts into the queue why there is none.
pub(crate) fn report(function: &'static CStr) {
    let why = "renegotiation is not in the TLS engine; the connection can go on as it is";
    error::raise(function, reasons::NO_RENEGOTIATION, Some(why));
}

/// As in OpenSSL, neither TLS 1.3 nor `SSL_OP_NO_RENEGOTIATION` touches the connection.
fn refuse(ssl: Handle<Ssl>, function: &'static CStr) -> c_int {
    let Some(ssl) = ssl.get() else { return 0 };
    let mut state = ssl.lock();
    if state.connection.version() == Some(TLS1_3) {
        drop(state);
        error::raise(function, reasons::WRONG_SSL_VERSION, None);
        return 0;
    }
    if state.settings.has_option(OP_NO_RENEGOTIATION) {
        drop(state);
        error::raise(function, reasons::NO_RENEGOTIATION, None);
        return 0;
    }
    if state.handshake.done_told && !state.handshake.reported {
        state.handshake.renegotiation = Renegotiation::Asked;
    }
    drop(state);
    report(function);
    0
}

exported! {
    fn SSL_renegotiate(ssl: Handle<Ssl>) -> c_int => 0, {
        refuse(ssl, c"SSL_renegotiate")
    }

    fn SSL_renegotiate_abbreviated(ssl: Handle<Ssl>) -> c_int => 0, {
        refuse(ssl, c"SSL_renegotiate_abbreviated")
    }

    /// None is ever under way.
    fn SSL_renegotiate_pending(_ssl: Handle<Ssl>) -> c_int => 0, {
        0
    }
}
