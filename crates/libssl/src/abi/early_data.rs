//! `SSL_CTX_set_max_early_data(3)`: early data of TLS 1.3 (RFC 8446, 2.3) is neither offered nor
//! taken.
//!
//! The sizes are bounds, and no early data keeps to every bound. So they are kept and given back. A
//! server that would read early data completes its handshake and reads none, as where no client
//! sends any; no ticket of its own allows to. What would send early data is refused.

use std::ffi::c_int;

use crate::abi::arguments::{Handle, Out, Room};
use crate::abi::context::HasSettings;
use crate::abi::guard::exported;
use crate::abi::handshake;
use crate::abi::method::Side;
use crate::abi::objects::{Ctx, Ssl};
use crate::core::preferences::Preferences;
use crate::sys::error;

/// `SSL_READ_EARLY_DATA_ERROR`.
const READ_ERROR: c_int = 0;
/// `SSL_READ_EARLY_DATA_FINISH`.
const READ_FINISH: c_int = 2;

fn get(object: Option<&impl HasSettings>, size: impl FnOnce(&Preferences) -> u32) -> u32 {
    object.map_or(0, |object| size(&object.settings().preferences))
}

fn set(object: Option<&impl HasSettings>, change: impl FnOnce(&mut Preferences)) -> c_int {
    let Some(object) = object else { return 0 };
    object.change(|settings| change(&mut settings.preferences));
    1
}

exported! {
    fn SSL_CTX_get_max_early_data(ctx: Handle<Ctx>) -> u32 => 0, {
        get(ctx.get(), |own| own.max_early_data)
    }

    fn SSL_CTX_set_max_early_data(ctx: Handle<Ctx>, size: u32) -> c_int => 0, {
        set(ctx.get(), |own| own.max_early_data = size)
    }

    fn SSL_get_max_early_data(ssl: Handle<Ssl>) -> u32 => 0, {
        get(ssl.get(), |own| own.max_early_data)
    }

    fn SSL_set_max_early_data(ssl: Handle<Ssl>, size: u32) -> c_int => 0, {
        set(ssl.get(), |own| own.max_early_data = size)
    }

    fn SSL_CTX_get_recv_max_early_data(ctx: Handle<Ctx>) -> u32 => 0, {
        get(ctx.get(), |own| own.recv_max_early_data)
    }

    fn SSL_CTX_set_recv_max_early_data(ctx: Handle<Ctx>, size: u32) -> c_int => 0, {
        set(ctx.get(), |own| own.recv_max_early_data = size)
    }

    fn SSL_get_recv_max_early_data(ssl: Handle<Ssl>) -> u32 => 0, {
        get(ssl.get(), |own| own.recv_max_early_data)
    }

    fn SSL_set_recv_max_early_data(ssl: Handle<Ssl>, size: u32) -> c_int => 0, {
        set(ssl.get(), |own| own.recv_max_early_data = size)
    }

    /// Completes the handshake, as OpenSSL does when the client sends no early data. OpenSSL is done
    /// when the server's own flight is sent; the engine when the client's Finished is there.
    fn SSL_read_early_data(
        ssl: Handle<Ssl>,
        _out: Room,
        _size: usize,
        read: Out<usize>,
    ) -> c_int => READ_ERROR, {
        let function = c"SSL_read_early_data";
        let due = ssl.get().is_some_and(|ssl| {
            let state = ssl.lock();
            state.side != Some(Side::Client) && !state.connection.is_complete()
        });
        if !due {
            error::raise(function, error::SHOULD_NOT_HAVE_BEEN_CALLED, None);
            return READ_ERROR;
        }
        if handshake::handshake(ssl, Some(Side::Server), function) <= 0 {
            return READ_ERROR;
        }
        read.set(0);
        READ_FINISH
    }

    /// `SSL_EARLY_DATA_NOT_SENT`.
    fn SSL_get_early_data_status(_ssl: Handle<Ssl>) -> c_int => 0, {
        0
    }
}
