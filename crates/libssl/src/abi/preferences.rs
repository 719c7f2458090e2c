//! Numbers that are set and read back with commands of `SSL_ctrl` and `SSL_CTX_ctrl`:
//! `SSL_CTX_set_max_send_fragment(3)`, `SSL_CTX_set_max_cert_list(3)`, the counts of
//! renegotiations.

use std::ffi::{c_int, c_long, c_void};

use crate::abi::arguments::{Handle, int, long};
use crate::abi::context::HasSettings;
use crate::abi::guard::exported;
use crate::abi::objects::{Ctx, Ssl};
use crate::core::preferences::Preferences;

/// Sets what `set` sets; whether it was valid.
fn preference(object: &impl HasSettings, set: impl FnOnce(&mut Preferences) -> bool) -> c_long {
    let mut valid = false;
    object.change(|settings| valid = set(&mut settings.preferences));
    long(valid)
}

/// `SSL_CTRL_GET_MAX_CERT_LIST`.
pub(crate) fn max_cert_list(object: &impl HasSettings, _: c_long, _: *mut c_void) -> c_long {
    object.settings().preferences.max_cert_list
}

/// `SSL_CTRL_SET_MAX_CERT_LIST`: returns what was set before; 0 for a negative size.
pub(crate) fn set_max_cert_list(object: &impl HasSettings, to: c_long, _: *mut c_void) -> c_long {
    if to < 0 {
        return 0;
    }
    let old = object.settings().preferences.max_cert_list;
    object.change(|settings| settings.preferences.max_cert_list = to);
    old
}

/// `SSL_CTRL_SET_MAX_SEND_FRAGMENT`.
pub(crate) fn set_max_send_fragment(
    object: &impl HasSettings,
    to: c_long,
    _: *mut c_void,
) -> c_long {
    preference(object, |preferences| preferences.set_max_send_fragment(to))
}

/// `SSL_CTRL_SET_SPLIT_SEND_FRAGMENT`.
pub(crate) fn set_split_send_fragment(
    object: &impl HasSettings,
    to: c_long,
    _: *mut c_void,
) -> c_long {
    preference(object, |preferences| preferences.set_split_send_fragment(to))
}

/// `SSL_CTRL_SET_MAX_PIPELINES`.
pub(crate) fn set_max_pipelines(object: &impl HasSettings, to: c_long, _: *mut c_void) -> c_long {
    preference(object, |preferences| preferences.set_max_pipelines(to))
}

/// `SSL_CTRL_GET_NUM_RENEGOTIATIONS`, `SSL_CTRL_CLEAR_NUM_RENEGOTIATIONS` and
/// `SSL_CTRL_GET_TOTAL_RENEGOTIATIONS`: the engine never renegotiates.
pub(crate) fn renegotiations(_: &Ssl, _: c_long, _: *mut c_void) -> c_long {
    0
}

exported! {
    /// A client permits by this that a server asks for its certificate later (RFC 8446, 4.6.2). The
    /// engine does not offer it, and such a server has to do without; programs permit it by default.
    fn SSL_CTX_set_post_handshake_auth(_ctx: Handle<Ctx>, _permitted: c_int) -> () => (), {}

    /// As for contexts.
    fn SSL_set_post_handshake_auth(_ssl: Handle<Ssl>, _permitted: c_int) -> () => (), {}

    /// Nothing shows the size of a buffer; here buffers are as large as what is in them.
    fn SSL_CTX_set_default_read_buffer_len(_ctx: Handle<Ctx>, _length: usize) -> () => (), {}

    /// As for contexts.
    fn SSL_set_default_read_buffer_len(_ssl: Handle<Ssl>, _length: usize) -> () => (), {}

    /// Buffers come with what is in them.
    fn SSL_alloc_buffers(_ssl: Handle<Ssl>) -> c_int => 0, {
        1
    }

    /// As the man page has it: not while data waits in them, to be read or to be sent.
    fn SSL_free_buffers(ssl: Handle<Ssl>) -> c_int => 0, {
        int(ssl.get().is_some_and(|ssl| {
            let state = ssl.lock();
            let connection = &state.connection;
            connection.pending().is_empty()
                && connection.input.unread().is_empty()
                && connection.output.is_empty()
        }))
    }

    /// A switch that nothing reads, in OpenSSL either.
    fn SSL_set_debug(_ssl: Handle<Ssl>, _on: c_int) -> () => (), {}

    /// The engine has no asynchronous jobs.
    fn SSL_waiting_for_async(_ssl: Handle<Ssl>) -> c_int => 0, {
        0
    }

    /// Seconds: how long a session lives unless something else is set.
    fn SSL_get_default_timeout(_ssl: Handle<Ssl>) -> c_long => 0, {
        7200
    }
}
