//! Settings of contexts and, where they have the same ones, of connections: versions, options,
//! modes, groups, ALPN. `SSL_CTX_set_options(3)`, `SSL_CTX_set_min_proto_version(3)`,
//! `SSL_CTX_set_alpn_protos(3)`. Cipher lists are [`crate::abi::cipher_list`]'s.

use std::ffi::{CStr, c_int, c_long, c_uint, c_void};
use std::sync::Arc;

use crate::abi::arguments::{Bytes, Handle, Opaque, int, long};
use crate::abi::guard::exported;
use crate::abi::objects::{Ctx, Ssl};
use crate::core::settings::{Settings, TLS1_3, split_protocols};
use crate::sys::error;
use crate::sys::libcrypto as ffi;
use crate::sys::reasons;

/// A context or a connection: whoever has settings.
pub(crate) trait HasSettings {
    /// Reads the settings.
    fn settings(&self) -> Arc<Settings>;
    /// Changes the settings.
    fn change(&self, change: impl FnOnce(&mut Settings));
}

macro_rules! has_settings {
    ($object:ty) => {
        impl HasSettings for $object {
            fn settings(&self) -> Arc<Settings> {
                Arc::clone(&self.lock().settings)
            }

            fn change(&self, change: impl FnOnce(&mut Settings)) {
                Settings::change(&mut self.lock().settings, change);
            }
        }
    };
}
has_settings!(Ctx);
has_settings!(Ssl);

/// `SSL_CTRL_MODE` : adds modes; returns all.
pub(crate) fn mode(object: &impl HasSettings, mode: c_long, _: *mut c_void) -> c_long {
    object.change(|settings| settings.mode |= mode as u32);
    c_long::from(object.settings().mode)
}

/// `SSL_CTRL_CLEAR_MODE`: removes modes; returns the rest.
pub(crate) fn clear_mode(object: &impl HasSettings, mode: c_long, _: *mut c_void) -> c_long {
    object.change(|settings| settings.mode &= !(mode as u32));
    c_long::from(object.settings().mode)
}

/// `SSL_CTRL_SET_MIN_PROTO_VERSION`.
pub(crate) fn set_min_version(object: &impl HasSettings, to: c_long, _: *mut c_void) -> c_long {
    let Some(version) = version(to) else { return 0 };
    object.change(|settings| settings.set_bound(|settings| &mut settings.min_version, version));
    1
}

/// `SSL_CTRL_SET_MAX_PROTO_VERSION`.
pub(crate) fn set_max_version(object: &impl HasSettings, to: c_long, _: *mut c_void) -> c_long {
    let Some(version) = version(to) else { return 0 };
    object.change(|settings| settings.set_bound(|settings| &mut settings.max_version, version));
    1
}

/// `SSL_CTRL_GET_MIN_PROTO_VERSION`.
pub(crate) fn min_version(object: &impl HasSettings, _: c_long, _: *mut c_void) -> c_long {
    c_long::from(object.settings().min_version)
}

/// `SSL_CTRL_GET_MAX_PROTO_VERSION`.
pub(crate) fn max_version(object: &impl HasSettings, _: c_long, _: *mut c_void) -> c_long {
    c_long::from(object.settings().max_version)
}

/// 0, or `SSL3_VERSION` to `TLS1_3_VERSION`. The versions before TLS 1.2 are bounds like others,
/// though no connection speaks them.
fn version(value: c_long) -> Option<c_int> {
    const SSL3: c_int = 0x0300;
    let value = c_int::try_from(value).ok()?;
    (value == 0 || (SSL3..=TLS1_3).contains(&value)).then_some(value)
}

/// `SSL_CTRL_GET_READ_AHEAD` and `SSL_CTRL_SET_READ_AHEAD` of a context.
pub(crate) fn read_ahead(ctx: &Ctx, _: c_long, _: *mut c_void) -> c_long {
    c_long::from(ctx.lock().read_ahead)
}

/// Returns what was set before.
pub(crate) fn set_read_ahead(ctx: &Ctx, to: c_long, _: *mut c_void) -> c_long {
    let new = int(to != 0);
    c_long::from(std::mem::replace(&mut ctx.lock().read_ahead, new))
}

/// `SSL_CTRL_SET_TLSEXT_SERVERNAME_ARG`.
pub(crate) fn set_servername_arg(ctx: &Ctx, _: c_long, argument: *mut c_void) -> c_long {
    ctx.lock().callbacks.servername_arg = Opaque(argument);
    1
}

/// `SSL_CTRL_SET_SESS_CACHE_MODE`: returns what was set before.
pub(crate) fn set_session_cache_mode(ctx: &Ctx, mode: c_long, _: *mut c_void) -> c_long {
    let old = ctx.settings().session_cache_mode;
    ctx.change(|settings| settings.session_cache_mode = mode as c_int);
    c_long::from(old)
}

/// `SSL_CTRL_GET_SESS_CACHE_MODE`.
pub(crate) fn session_cache_mode(ctx: &Ctx, _: c_long, _: *mut c_void) -> c_long {
    c_long::from(ctx.settings().session_cache_mode)
}

/// Sets the options. Servers set the same ones in each name callback: the settings, and what was made
/// for them, then stay shared.
fn replace_options(object: &impl HasSettings, options: u64) -> u64 {
    if object.settings().options != options {
        object.change(|settings| settings.options = options);
    }
    options
}

fn set_options(object: Option<&impl HasSettings>, options: u64) -> u64 {
    object.map_or(0, |object| replace_options(object, object.settings().options | options))
}

fn clear_options(object: Option<&impl HasSettings>, options: u64) -> u64 {
    object.map_or(0, |object| replace_options(object, object.settings().options & !options))
}

/// Returns 0 for success, unlike others.
fn set_alpn(object: Option<&impl HasSettings>, protocols: Option<&[u8]>) -> c_int {
    let Some(object) = object else { return 1 };
    // NULL and an empty list both remove the list.
    let protocols = protocols.unwrap_or_default();
    if split_protocols(protocols).is_none() {
        return 1;
    }
    object.change(|settings| settings.alpn = protocols.into());
    0
}

exported! {
    fn SSL_CTX_set_options(ctx: Handle<Ctx>, options: u64) -> u64 => 0, {
        set_options(ctx.get(), options)
    }

    fn SSL_set_options(ssl: Handle<Ssl>, options: u64) -> u64 => 0, {
        set_options(ssl.get(), options)
    }

    fn SSL_CTX_clear_options(ctx: Handle<Ctx>, options: u64) -> u64 => 0, {
        clear_options(ctx.get(), options)
    }

    fn SSL_clear_options(ssl: Handle<Ssl>, options: u64) -> u64 => 0, {
        clear_options(ssl.get(), options)
    }

    fn SSL_CTX_get_options(ctx: Handle<Ctx>) -> u64 => 0, {
        ctx.get().map_or(0, |ctx| ctx.settings().options)
    }

    fn SSL_get_options(ssl: Handle<Ssl>) -> u64 => 0, {
        ssl.get().map_or(0, |ssl| ssl.settings().options)
    }

    fn SSL_CTX_set_alpn_protos(ctx: Handle<Ctx>, protocols: Bytes, length: c_uint) -> c_int
        => 1,
    {
        set_alpn(ctx.get(), protocols.get(length))
    }

    fn SSL_set_alpn_protos(ssl: Handle<Ssl>, protocols: Bytes, length: c_uint) -> c_int => 1, {
        set_alpn(ssl.get(), protocols.get(length))
    }

    fn SSL_CTX_set_default_passwd_cb(ctx: Handle<Ctx>, callback: ffi::pem_password_cb) -> ()
        => (),
    {
        if let Some(ctx) = ctx.get() {
            ctx.lock().callbacks.passwd = callback;
        }
    }

    fn SSL_CTX_set_default_passwd_cb_userdata(ctx: Handle<Ctx>, data: *mut c_void) -> () => (), {
        if let Some(ctx) = ctx.get() {
            ctx.lock().callbacks.passwd_arg = Opaque(data);
        }
    }

    fn SSL_CTX_get_default_passwd_cb(ctx: Handle<Ctx>) -> ffi::pem_password_cb => None, {
        ctx.get().and_then(|ctx| ctx.lock().callbacks.passwd)
    }

    fn SSL_CTX_get_default_passwd_cb_userdata(ctx: Handle<Ctx>) -> *mut c_void
        => std::ptr::null_mut(),
    {
        ctx.get().map_or(std::ptr::null_mut(), |ctx| ctx.lock().callbacks.passwd_arg.0)
    }

    fn SSL_CTX_set_quiet_shutdown(ctx: Handle<Ctx>, mode: c_int) -> () => (), {
        if let Some(ctx) = ctx.get() {
            ctx.lock().quiet_shutdown = mode;
        }
    }

    fn SSL_CTX_get_quiet_shutdown(ctx: Handle<Ctx>) -> c_int => 0, {
        ctx.get().map_or(0, |ctx| ctx.lock().quiet_shutdown)
    }

    fn SSL_CTX_set_num_tickets(ctx: Handle<Ctx>, count: usize) -> c_int => 0, {
        ctx.get().map_or(0, |ctx| { ctx.change(|settings| settings.tickets = count); 1 })
    }

    fn SSL_CTX_get_num_tickets(ctx: Handle<Ctx>) -> usize => 0, {
        ctx.get().map_or(0, |ctx| ctx.settings().tickets)
    }

    fn SSL_CTX_set_session_id_context(ctx: Handle<Ctx>, id: Bytes, length: c_uint) -> c_int
        => 0,
    {
        set_session_id_context(ctx.get(), id.get(length), c"SSL_CTX_set_session_id_context")
    }

    fn SSL_set_session_id_context(ssl: Handle<Ssl>, id: Bytes, length: c_uint) -> c_int => 0, {
        set_session_id_context(ssl.get(), id.get(length), c"SSL_set_session_id_context")
    }

    fn SSL_CTX_set_timeout(ctx: Handle<Ctx>, seconds: c_long) -> c_long => 0, {
        let Some(ctx) = ctx.get() else { return 0 };
        let old = ctx.settings().session_timeout;
        ctx.change(|settings| settings.session_timeout = seconds);
        old
    }

    fn SSL_CTX_get_timeout(ctx: Handle<Ctx>) -> c_long => 0, {
        ctx.get().map_or(0, |ctx| ctx.settings().session_timeout)
    }
}

fn set_session_id_context(
    object: Option<&impl HasSettings>,
    id: Option<&[u8]>,
    name: &'static CStr,
) -> c_int {
    /// `SSL_MAX_SID_CTX_LENGTH`.
    const LONGEST: usize = 32;
    let (Some(object), Some(id)) = (object, id) else { return 0 };
    if id.len() > LONGEST {
        error::raise(name, reasons::SSL_SESSION_ID_CONTEXT_TOO_LONG, None);
        return 0;
    }
    object.change(|settings| settings.session_id_context = id.into());
    1
}

/// `SSL_CTRL_SET_TLSEXT_HOSTNAME`: NULL removes the name.
pub(crate) fn set_hostname(ssl: &Ssl, kind: c_long, name: *mut c_void) -> c_long {
    const HOST_NAME: c_long = 0;
    const LONGEST: usize = 255;
    if kind != HOST_NAME {
        error::raise(c"SSL_ctrl", reasons::SSL3_EXT_INVALID_SERVERNAME_TYPE, None);
        return 0;
    }
    // SAFETY: the program passes NULL or a string of C with this command.
    let name = (!name.is_null()).then(|| unsafe { CStr::from_ptr(name.cast()) });
    if name.is_some_and(|name| name.is_empty() || name.to_bytes().len() > LONGEST) {
        error::raise(c"SSL_ctrl", reasons::SSL3_EXT_INVALID_SERVERNAME, None);
        return 0;
    }
    ssl.lock().server_name = name.map(CStr::to_owned);
    long(true)
}
