//! `SSL_METHOD`: which side and which versions a context is for.

use std::ffi::c_int;

use crate::abi::arguments::Handle;
use crate::abi::guard::exported;
use crate::abi::objects::{Ctx, Ssl};
use crate::core::settings::{TLS1_2, TLS1_3};

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

/// The versions a context of this method may speak, as the bounds of its settings.
pub(crate) fn bounds(method: &Method) -> (c_int, c_int) {
    debug_assert!(method.version <= TLS1_3);
    (method.version, method.version)
}

exported! {
    fn SSL_CTX_get_ssl_method(ctx: Handle<Ctx>) -> *const Method => std::ptr::null(), {
        ctx.get().map_or(std::ptr::null(), |ctx| ctx.lock().method)
    }

    fn SSL_get_ssl_method(ssl: Handle<Ssl>) -> *const Method => std::ptr::null(), {
        ssl.get().map_or(std::ptr::null(), |ssl| ssl.lock().method)
    }
}
