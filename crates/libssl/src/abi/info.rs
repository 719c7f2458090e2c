//! What programs ask about a connection: version, state, names. `SSL_get_version(3)`,
//! `SSL_get_servername`, `SSL_in_init(3)`.

use std::ffi::{c_char, c_int, c_long, c_uchar, c_uint, c_void};

use crate::abi::arguments::{Handle, Out, int, long, uint};
use crate::abi::guard::exported;
use crate::abi::method::Side;
use crate::abi::objects::{Ssl, SslState};
use crate::abi::renegotiation;
use crate::core::names;
use crate::core::settings::{TLS1_2, TLS1_3};

/// `TLSEXT_NAMETYPE_host_name`.
const HOST_NAME: c_int = 0;

/// The version, or what a connection without one says: a client that has sent its hello the
/// highest that it speaks, others the highest of their method.
pub(crate) fn version(state: &SslState) -> c_int {
    let of_method = || match state.settings.fixed_version {
        0 => TLS1_3,
        fixed => fixed,
    };
    let client = state.connection.is_started() && state.side == Some(Side::Client);
    let offered = || client.then(|| state.settings.highest_version()).flatten();
    let before = || state.version_method.map(|method| method.version);
    state.connection.version().or_else(offered).or_else(before).unwrap_or_else(of_method)
}

/// `SSL_CTRL_GET_RI_SUPPORT`: whether the peer knows secure renegotiation (RFC 5746).
pub(crate) fn secure_renegotiation(ssl: &Ssl, _: c_long, _: *mut c_void) -> c_long {
    long(ssl.lock().connection.agreed().secure_renegotiation)
}

/// `SSL_CTRL_GET_FLAGS`: of OpenSSL's flags of a connection, the one that this engine's can have.
pub(crate) fn flags(ssl: &Ssl, _: c_long, _: *mut c_void) -> c_long {
    /// `TLS1_FLAGS_RECEIVED_EXTMS`.
    const RECEIVED_EXTMS: c_long = 0x200;
    match ssl.lock().connection.agreed().extended_master_secret {
        true => RECEIVED_EXTMS,
        false => 0,
    }
}

/// The version in the ClientHello itself, which is never more than TLS 1.2 (RFC 8446, 4.1.2).
/// Before it was sent, what OpenSSL has of the method.
fn client_version(state: &SslState) -> c_int {
    /// `TLS_ANY_VERSION`.
    const ANY: c_int = 0x10000;
    let of_method = match state.settings.fixed_version {
        0 => ANY,
        fixed => fixed,
    };
    match state.side {
        Some(Side::Client) if state.connection.is_started() => TLS1_2,
        Some(Side::Client) => of_method,
        _ => state.connection.offered().map_or(of_method, |hello| hello.legacy_version.into()),
    }
}

exported! {
    fn SSL_client_version(ssl: Handle<Ssl>) -> c_int => 0, {
        ssl.get().map_or(0, |ssl| client_version(&ssl.lock()))
    }

    fn SSL_version(ssl: Handle<Ssl>) -> c_int => 0, {
        ssl.get().map_or(0, |ssl| version(&ssl.lock()))
    }

    fn SSL_get_version(ssl: Handle<Ssl>) -> *const c_char => std::ptr::null(), {
        names::version(ssl.get().map_or(0, |ssl| version(&ssl.lock()))).as_ptr()
    }

    fn SSL_is_dtls(_ssl: Handle<Ssl>) -> c_int => 0, {
        0
    }

    fn SSL_is_init_finished(ssl: Handle<Ssl>) -> c_int => 0, {
        int(ssl.get().is_some_and(|ssl| renegotiation::is_finished(&ssl.lock())))
    }

    fn SSL_in_init(ssl: Handle<Ssl>) -> c_int => 0, {
        int(ssl.get().is_some_and(|ssl| !renegotiation::is_finished(&ssl.lock())))
    }

    fn SSL_in_before(ssl: Handle<Ssl>) -> c_int => 0, {
        int(ssl.get().is_some_and(|ssl| !ssl.lock().connection.is_started()))
    }

    fn SSL_session_reused(ssl: Handle<Ssl>) -> c_int => 0, {
        int(ssl.get().is_some_and(|ssl| ssl.lock().connection.is_resumed()))
    }

    fn SSL_get_servername(ssl: Handle<Ssl>, kind: c_int) -> *const c_char => std::ptr::null(), {
        let Some(ssl) = ssl.get().filter(|_| kind == HOST_NAME) else { return std::ptr::null() };
        ssl.lock().server_name.as_ref().map_or(std::ptr::null(), |name| name.as_ptr())
    }

    fn SSL_get_servername_type(ssl: Handle<Ssl>) -> c_int => -1, {
        match ssl.get() {
            Some(ssl) if ssl.lock().server_name.is_some() => HOST_NAME,
            _ => -1,
        }
    }

    fn SSL_get0_alpn_selected(
        ssl: Handle<Ssl>,
        out: Out<*const c_uchar>,
        length: Out<c_uint>,
    ) -> () => (), {
        let Some(ssl) = ssl.get() else { return };
        let state = ssl.lock();
        let agreed = state.connection.alpn().or(state.handshake.alpn_selected.as_deref());
        out.set(agreed.map_or(std::ptr::null(), <[u8]>::as_ptr));
        length.set(agreed.map_or(0, |protocol| uint(protocol.len())));
    }
}
