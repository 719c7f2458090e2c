//! `SSL_METHOD`: which side and which versions a context is for.

use std::ffi::c_int;

use crate::abi::arguments::Handle;
use crate::abi::guard::exported;
use crate::abi::handshake_state;
use crate::abi::objects::{Ctx, Ssl};
use crate::core::settings::{Settings, TLS1_2};

/// The side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// What a method function returns a pointer to.
#[derive(Debug)]
pub(crate) struct Method {
    /// The one version, or 0 for all.
    pub(crate) version: c_int,
    /// The one side, or None for both.
    pub(crate) side: Option<Side>,
}

/// `TLS1_VERSION`.
const TLS1: c_int = 0x0301;
/// `TLS1_1_VERSION`.
const TLS1_1: c_int = 0x0302;

macro_rules! methods {
    ($($name:ident: $version:expr, $side:expr;)*) => {
        exported! {$(
            fn $name() -> *const Method => std::ptr::null(), {
                static METHOD: Method = Method { version: $version, side: $side };
                &raw const METHOD
            }
        )*}
    };
}

methods! {
    TLS_method: 0, None;
    TLS_client_method: 0, Some(Side::Client);
    TLS_server_method: 0, Some(Side::Server);
    TLSv1_2_method: TLS1_2, None;
    TLSv1_2_client_method: TLS1_2, Some(Side::Client);
    TLSv1_2_server_method: TLS1_2, Some(Side::Server);
    TLSv1_1_method: TLS1_1, None;
    TLSv1_1_client_method: TLS1_1, Some(Side::Client);
    TLSv1_1_server_method: TLS1_1, Some(Side::Server);
    TLSv1_method: TLS1, None;
    TLSv1_client_method: TLS1, Some(Side::Client);
    TLSv1_server_method: TLS1, Some(Side::Server);
}

exported! {
    fn SSL_CTX_get_ssl_method(ctx: Handle<Ctx>) -> *const Method => std::ptr::null(), {
        ctx.get().map_or(std::ptr::null(), |ctx| ctx.lock().method)
    }

    fn SSL_get_ssl_method(ssl: Handle<Ssl>) -> *const Method => std::ptr::null(), {
        ssl.get().map_or(std::ptr::null(), |ssl| ssl.lock().method)
    }

    /// Suites go back to the default ones, as in OpenSSL; bounds of the versions stay.
    fn SSL_CTX_set_ssl_version(ctx: Handle<Ctx>, method: *const Method) -> c_int => 0, {
        // SAFETY: the program passes NULL or what a method function returned, which is static.
        let (Some(ctx), Some(method)) = (ctx.get(), unsafe { method.as_ref() }) else { return 0 };
        let mut state = ctx.lock();
        state.method = method;
        Settings::change(&mut state.settings, |settings| {
            settings.fixed_version = method.version;
            settings.reset_suites();
        });
        1
    }

    /// Another version begins anew. The side that was chosen stays. Not from a callback of the
    /// handshake, which goes on afterwards.
    fn SSL_set_ssl_method(ssl: Handle<Ssl>, method: *const Method) -> c_int => 0, {
        // SAFETY: as above.
        let (Some(ssl), Some(method)) = (ssl.get(), unsafe { method.as_ref() }) else { return 0 };
        let mut state = ssl.lock();
        let mut replaced = None;
        if state.method.version != method.version {
            if state.in_handshake {
                return 0;
            }
            replaced = Some(handshake_state::replace(&mut state));
            state.version_method = None;
            Settings::change(&mut state.settings, |s| s.fixed_version = method.version);
        }
        state.method = method;
        drop(state);
        drop(replaced);
        1
    }
}
