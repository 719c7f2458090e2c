//! Telling a program what happens in a connection: `SSL_CTX_set_info_callback(3)`.
//!
//! Told are the start and the end of a handshake, its steps, what the function that runs it returns,
//! and alerts in both directions. [`super::messages`] says when a step is taken.

use std::ffi::c_int;
use std::sync::Arc;

use crate::abi::arguments::Handle;
use crate::abi::callbacks::InfoCb;
use crate::abi::guard::exported;
use crate::abi::messages;
use crate::abi::method::Side;
use crate::abi::objects::{Ctx, Ssl};

/// What the callback is told, with the number that C has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// `SSL_CB_HANDSHAKE_START`.
    HandshakeStart,
    /// `SSL_CB_HANDSHAKE_DONE`.
    HandshakeDone,
    /// `SSL_CB_CONNECT_LOOP` or `SSL_CB_ACCEPT_LOOP`.
    Step,
    /// `SSL_CB_CONNECT_EXIT` or `SSL_CB_ACCEPT_EXIT`, with the value returned.
    Exit(c_int),
    /// `SSL_CB_READ_ALERT`: level and description.
    AlertRead(u8, u8),
    /// `SSL_CB_WRITE_ALERT`: level and description.
    AlertWritten(u8, u8),
}

/// Level of the alerts that end a connection, and of those that do not (RFC 8446, 6).
pub(crate) const FATAL: u8 = 2;
/// See [`FATAL`].
pub(crate) const WARNING: u8 = 1;
/// The alert that closes a direction.
pub(crate) const CLOSE_NOTIFY: u8 = 0;

/// Tells the program, if it wants to be told, after all that has passed before. Called with no lock
/// held.
pub(crate) fn tell(ssl: &Arc<Ssl>, event: Event) {
    messages::show(ssl);
    inform(ssl, event);
}

/// Tells of a step of the handshake.
pub(crate) fn step(ssl: &Arc<Ssl>) {
    inform(ssl, Event::Step);
}

/// Tells of the end of a message after the handshake, with the value of what OpenSSL runs for it.
pub(crate) fn exit(ssl: &Arc<Ssl>, value: c_int) {
    inform(ssl, Event::Exit(value));
}

fn inform(ssl: &Arc<Ssl>, event: Event) {
    let (callback, side) = {
        let state = ssl.lock();
        let of_context = state.ctx.lock().callbacks.info;
        (state.callbacks.info.or(of_context), state.side)
    };
    let Some(callback) = callback else { return };
    let alert = |level: u8, description: u8| c_int::from(level) << 8 | c_int::from(description);
    let (what, value) = match event {
        Event::HandshakeStart => (0x10, 1),
        Event::HandshakeDone => (0x20, 1),
        Event::Step if side == Some(Side::Server) => (0x2001, 1),
        Event::Step => (0x1001, 1),
        Event::Exit(value) if side == Some(Side::Server) => (0x2002, value),
        Event::Exit(value) => (0x1002, value),
        Event::AlertRead(level, description) => (0x4004, alert(level, description)),
        Event::AlertWritten(level, description) => (0x4008, alert(level, description)),
    };
    // SAFETY: the program has set this function for this purpose.
    unsafe { callback(Handle::borrowed(ssl), what, value) };
}

exported! {
    fn SSL_CTX_set_info_callback(ctx: Handle<Ctx>, callback: Option<InfoCb>) -> () => (), {
        if let Some(ctx) = ctx.get() {
            ctx.lock().callbacks.info = callback;
        }
    }

    fn SSL_CTX_get_info_callback(ctx: Handle<Ctx>) -> Option<InfoCb> => None, {
        ctx.get().and_then(|ctx| ctx.lock().callbacks.info)
    }

    fn SSL_set_info_callback(ssl: Handle<Ssl>, callback: Option<InfoCb>) -> () => (), {
        if let Some(ssl) = ssl.get() {
            ssl.lock().callbacks.info = callback;
        }
    }

    fn SSL_get_info_callback(ssl: Handle<Ssl>) -> Option<InfoCb> => None, {
        ssl.get().and_then(|ssl| ssl.lock().callbacks.info)
    }
}
