//! `SSL_CTX_set_max_early_data(3)`: early data of TLS 1.3 (RFC 8446, 2.3) is neither offered nor
//! taken.
//!
//! The sizes are bounds, and no early data keeps to every bound. So they are kept and given back;
//! what would send or read early data is refused.

use std::ffi::c_int;

use crate::abi::arguments::Handle;
use crate::abi::context::HasSettings;
use crate::abi::guard::exported;
use crate::abi::objects::{Ctx, Ssl};
use crate::core::preferences::Preferences;

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

    /// `SSL_EARLY_DATA_NOT_SENT`.
    fn SSL_get_early_data_status(_ssl: Handle<Ssl>) -> c_int => 0, {
        0
    }
}
