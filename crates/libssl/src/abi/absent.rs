//! What no connection of this library has, and programs ask for all the same, and callbacks that
//! are therefore never called.
//!
//! The answers are those of an OpenSSL in which it is not switched on, and leave no error behind:
//! one in the queue would make `SSL_get_error(3)` call the next retry a failure. What switches it
//! on is refused.

use std::ffi::{c_char, c_int, c_long, c_uchar, c_uint, c_ulong, c_void};
use std::ptr;

use crate::abi::arguments::{Handle, Opaque, Out};
use crate::abi::guard::exported;
use crate::abi::objects::{Ctx, Ssl};
use crate::abi::session::SslSession;

/// Getters whose answer is always the same.
macro_rules! always {
    ($($name:ident($object:ty) -> $type:ty = $value:expr;)*) => {
        exported! {$(
            fn $name(_object: Handle<$object>) -> $type => $value, {
                $value
            }
        )*}
    };
}

always! {
    // Certificate Transparency.
    SSL_ct_is_enabled(Ssl) -> c_int = 0;
    SSL_CTX_ct_is_enabled(Ctx) -> c_int = 0;
    SSL_get0_peer_scts(Ssl) -> *const c_void = ptr::null();
    SSL_CTX_get0_ctlog_store(Ctx) -> *const c_void = ptr::null();
    // DANE.
    SSL_get0_dane(Ssl) -> *mut c_void = ptr::null_mut();
    // DTLS.
    SSL_get_selected_srtp_profile(Ssl) -> *const c_void = ptr::null();
    SSL_get_srtp_profiles(Ssl) -> *const c_void = ptr::null();
    DTLS_get_data_mtu(Ssl) -> usize = 0;
    // External PSK and SRP.
    SSL_get_psk_identity(Ssl) -> *const c_char = ptr::null();
    SSL_get_psk_identity_hint(Ssl) -> *const c_char = ptr::null();
    SSL_get_srp_N(Ssl) -> *const c_void = ptr::null();
    SSL_get_srp_g(Ssl) -> *const c_void = ptr::null();
    SSL_get_srp_username(Ssl) -> *const c_char = ptr::null();
    SSL_get_srp_userinfo(Ssl) -> *const c_char = ptr::null();
}

/// Setters of callbacks that nothing calls.
macro_rules! never_called {
    ($($name:ident($object:ty);)*) => {
        exported! {$(
            fn $name(_object: Handle<$object>, _callback: *const c_void) -> () => (), {}
        )*}
    };
}

never_called! {
    // No early data is taken, so no one has to allow it.
    SSL_CTX_set_allow_early_data_cb(Ctx);
    SSL_set_allow_early_data_cb(Ssl);
    // For SSL_stateless and DTLSv1_listen, which are refused.
    SSL_CTX_set_cookie_generate_cb(Ctx);
    SSL_CTX_set_cookie_verify_cb(Ctx);
    SSL_CTX_set_stateless_cookie_generate_cb(Ctx);
    SSL_CTX_set_stateless_cookie_verify_cb(Ctx);
    // Peers without NPN do not have it either.
    SSL_CTX_set_next_proto_select_cb(Ctx);
    SSL_CTX_set_next_protos_advertised_cb(Ctx);
}

exported! {
    /// There is nothing to free.
    fn SSL_SRP_CTX_free(_ssl: Handle<Ssl>) -> c_int => 0, {
        1
    }

    /// As for connections.
    fn SSL_CTX_SRP_CTX_free(_ctx: Handle<Ctx>) -> c_int => 0, {
        1
    }

    /// No TLSA record has matched.
    fn SSL_get0_dane_authority(_ssl: Handle<Ssl>, _cert: Opaque, _key: Opaque) -> c_int => -1, {
        -1
    }

    /// As for `SSL_get0_dane_authority`.
    fn SSL_get0_dane_tlsa(
        _ssl: Handle<Ssl>,
        _usage: Opaque,
        _selector: Opaque,
        _type: Opaque,
        _data: Opaque,
        _length: Opaque,
    ) -> c_int => -1, {
        -1
    }

    /// The flags before; none has an effect without DANE, and none is kept.
    fn SSL_dane_set_flags(_ssl: Handle<Ssl>, _flags: c_ulong) -> c_ulong => 0, {
        0
    }

    /// As for connections.
    fn SSL_CTX_dane_set_flags(_ctx: Handle<Ctx>, _flags: c_ulong) -> c_ulong => 0, {
        0
    }

    /// As above.
    fn SSL_dane_clear_flags(_ssl: Handle<Ssl>, _flags: c_ulong) -> c_ulong => 0, {
        0
    }

    /// As above.
    fn SSL_CTX_dane_clear_flags(_ctx: Handle<Ctx>, _flags: c_ulong) -> c_ulong => 0, {
        0
    }

    fn SSL_CTX_has_client_custom_ext(_ctx: Handle<Ctx>, _type: c_uint) -> c_int => 0, {
        0
    }

    /// There is no asynchronous job, and so no descriptor.
    fn SSL_get_all_async_fds(_ssl: Handle<Ssl>, _fds: Opaque, _count: Opaque) -> c_int => 0, {
        0
    }

    /// As above.
    fn SSL_get_changed_async_fds(
        _ssl: Handle<Ssl>,
        _added: Opaque,
        _count_added: Opaque,
        _removed: Opaque,
        _count_removed: Opaque,
    ) -> c_int => 0, {
        0
    }

    /// As above.
    fn SSL_get_async_status(_ssl: Handle<Ssl>, _status: Opaque) -> c_int => 0, {
        0
    }

    /// No session has data of the program's.
    fn SSL_SESSION_get0_ticket_appdata(
        _session: Handle<SslSession>,
        data: Out<*mut c_void>,
        length: Out<usize>,
    ) -> c_int => 0, {
        data.set(ptr::null_mut());
        length.set(0);
        1
    }

    fn SSL_get0_next_proto_negotiated(
        _ssl: Handle<Ssl>,
        protocol: Out<*const c_uchar>,
        length: Out<c_uint>,
    ) -> () => (), {
        protocol.set(ptr::null());
        length.set(0);
    }
}

/// A command that asks for what the engine does not show: 0, as where there is none.
pub(crate) fn not_shown(_: &Ssl, _: c_long, _: *mut c_void) -> c_long {
    0
}
