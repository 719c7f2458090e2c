//! What the ends have sent each other to come to their keys: `SSL_get_finished(3)`, which makes
//! channel bindings (RFC 5929, 3), and `SSL_get_peer_tmp_key(3)`.

use std::ffi::{c_long, c_void};

use crate::abi::arguments::{Handle, Out, Room, long};
use crate::abi::guard::exported;
use crate::abi::method::Side;
use crate::abi::objects::{Ssl, SslState};
use crate::core::settings::TLS1_3;
use crate::core::tap::Exchange;
use crate::sys::libcrypto as ffi;
use crate::sys::pkey::Key;

/// Copies what fits of a Finished. Its whole length; 0 before the handshake is complete.
fn copy_finished(ssl: Handle<Ssl>, out: &Room, size: usize, own: bool) -> usize {
    let Some(ssl) = ssl.get() else { return 0 };
    let state = ssl.lock();
    let of_client = (state.side == Some(Side::Client)) == own;
    let Some(finished) = state.connection.finished(of_client) else { return 0 };
    out.fill(size, finished.bytes());
    finished.bytes().len()
}

/// `SSL_CTRL_GET_PEER_TMP_KEY`: the peer's key of the key exchange. OpenSSL's server keeps none in
/// TLS 1.2.
pub(crate) fn peer_key(ssl: &Ssl, _: c_long, out: *mut c_void) -> c_long {
    let shown = |state: &SslState| state.side == Some(Side::Client) || is_tls13(state);
    long(show(ssl, out, shown, Exchange::peer_spki))
}

/// `SSL_CTRL_GET_TMP_KEY`: the key of this side. OpenSSL keeps none in TLS 1.2.
pub(crate) fn own_key(ssl: &Ssl, _: c_long, out: *mut c_void) -> c_long {
    long(show(ssl, out, is_tls13, Exchange::own_spki))
}

fn is_tls13(state: &SslState) -> bool {
    state.connection.version() == Some(TLS1_3)
}

/// Gives the program a key of its own. False when there is none.
fn show(
    ssl: &Ssl,
    out: *mut c_void,
    shown: impl FnOnce(&SslState) -> bool,
    spki: impl FnOnce(&Exchange) -> Option<Vec<u8>>,
) -> bool {
    let spki = {
        let state = ssl.lock();
        state.connection.exchange().filter(|_| shown(&state)).and_then(spki)
    };
    let Some(key) = spki.and_then(|spki| Key::from_spki(&spki)) else { return false };
    let out: Out<*mut ffi::EVP_PKEY> = Out::from_void(out);
    out.is_wanted() && out.set(key.to_raw())
}

exported! {
    fn SSL_get_finished(ssl: Handle<Ssl>, out: Room, size: usize) -> usize => 0, {
        copy_finished(ssl, &out, size, true)
    }

    fn SSL_get_peer_finished(ssl: Handle<Ssl>, out: Room, size: usize) -> usize => 0, {
        copy_finished(ssl, &out, size, false)
    }
}
