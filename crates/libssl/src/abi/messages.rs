//! Showing a program what passes on a connection: `SSL_CTX_set_msg_callback(3)`,
//! `SSL_set_tlsext_debug_callback`, and with it the steps of the handshake for the information
//! callback of [`super::notify`].
//!
//! A connection is watched when a callback that needs it is there as its handshake starts; one that
//! is not watched has nothing to do here.

use std::ffi::{c_int, c_long, c_void};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::abi::arguments::{Handle, Opaque};
use crate::abi::callbacks::{Callbacks, ExtensionCb, MsgCb};
use crate::abi::client_hello;
use crate::abi::guard::exported;
use crate::abi::handshake_state::{ClientStage, Want};
use crate::abi::method::Side;
use crate::abi::notify;
use crate::abi::objects::{Ctx, Ssl, SslState};
use crate::core::settings::TLS1_3;
use crate::core::wire::steps::{Heard, Steps};
use crate::core::wire::{Content, Event, extensions};

/// The type of a Certificate message.
const CERTIFICATE: u8 = 11;

/// Has a connection watched that is about to start, when a callback wants it.
pub(crate) fn start(ssl: &Ssl, state: &mut SslState) {
    let of_context = state.ctx.lock().callbacks.info;
    let whole = state.callbacks.msg.is_some();
    let messages = state.callbacks.info.or(of_context).is_some();
    if !whole && !messages && state.callbacks.extension.is_none() {
        return;
    }
    let server = state.side == Some(Side::Server);
    state.connection.watch(&state.settings, server, whole);
    let steps = Steps::new(server);
    state.handshake.hand_state = Some(steps.state());
    state.handshake.steps = Some(steps);
    ssl.watched.store(true, Ordering::Relaxed);
}

/// Shows what has passed and was not shown. Called with no lock held.
pub(crate) fn show(ssl: &Arc<Ssl>) {
    show_until(ssl, |_| false);
}

/// As [`show`], up to the peer's Certificate message: a program that verifies has seen no more.
pub(crate) fn show_certificate(ssl: &Arc<Ssl>) {
    show_until(ssl, |event| !event.sent && event.message() == Some(CERTIFICATE));
}

/// As [`show`], up to the message after which a client is asked for its certificate: in TLS 1.2 the
/// server's request, in TLS 1.3 its CertificateVerify.
pub(crate) fn show_request(ssl: &Arc<Ssl>) {
    const CERTIFICATE_REQUEST: u8 = 13;
    const CERTIFICATE_VERIFY: u8 = 15;
    let tls13 = ssl.lock().connection.version() == Some(TLS1_3);
    let last = if tls13 { CERTIFICATE_VERIFY } else { CERTIFICATE_REQUEST };
    show_until(ssl, |event| !event.sent && event.message() == Some(last));
}

/// Marks a connection as being told of, until it is dropped.
struct Telling<'a>(&'a Ssl);

impl<'a> Telling<'a> {
    /// None while a callback that is told runs: it would be called from within itself.
    fn start(ssl: &'a Ssl) -> Option<Self> {
        (!ssl.telling.swap(true, Ordering::Relaxed)).then_some(Self(ssl))
    }
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        self.0.telling.store(false, Ordering::Relaxed);
    }
}

fn show_until(ssl: &Arc<Ssl>, last: impl Fn(&Event) -> bool) {
    if !ssl.watched.load(Ordering::Relaxed) {
        return;
    }
    let Some(_telling) = Telling::start(ssl) else { return };
    loop {
        let (event, passed, callbacks, tls13) = {
            let mut state = ssl.lock();
            // What comes after the callback that a client waits for is not shown before it.
            if state.handshake.client_stage >= ClientStage::Verified
                && state.handshake.want == Want::X509Lookup
            {
                return;
            }
            let Some(event) = state.connection.next_event() else { return };
            let tls13 = state.connection.version() == Some(TLS1_3);
            let passed = state.handshake.steps.as_mut().map(|steps| {
                steps.choose(tls13);
                steps.pass(&event)
            });
            (event, passed.unwrap_or_default(), state.callbacks, tls13)
        };
        hear(ssl, &passed.before);
        tell(ssl, &event, &callbacks);
        tell_extensions(ssl, &event, &callbacks, tls13);
        hear(ssl, &passed.after);
        if last(&event) {
            return;
        }
    }
}

/// The handshake waits for the peer.
pub(crate) fn rest(ssl: &Arc<Ssl>) {
    step(ssl, Steps::rest);
}

/// The handshake is complete. `tickets` says whether a server of TLS 1.3 is going to send some.
pub(crate) fn complete(ssl: &Arc<Ssl>, tickets: bool) {
    step(ssl, |steps| steps.complete(tickets));
}

/// All of the handshake has been sent.
pub(crate) fn end(ssl: &Arc<Ssl>) {
    step(ssl, Steps::end);
    if ssl.watched.load(Ordering::Relaxed) {
        ssl.lock().connection.handshake_shown();
    }
}

fn step(ssl: &Arc<Ssl>, take: impl FnOnce(&mut Steps) -> Vec<Heard>) {
    if !ssl.watched.load(Ordering::Relaxed) {
        return;
    }
    show(ssl);
    let Some(_telling) = Telling::start(ssl) else { return };
    let heard = ssl.lock().handshake.steps.as_mut().map(take);
    hear(ssl, &heard.unwrap_or_default());
}

/// Tells the information callback of steps; in between the state changes.
fn hear(ssl: &Arc<Ssl>, heard: &[Heard]) {
    for heard in heard {
        match heard {
            Heard::Loop => notify::step(ssl),
            Heard::State(state) => ssl.lock().handshake.hand_state = Some(*state),
            Heard::Exit => notify::exit(ssl, 1),
        }
    }
}

fn tell(ssl: &Arc<Ssl>, event: &Event, callbacks: &Callbacks) {
    let Some(callback) = callbacks.msg else { return };
    let (content, version) = match event.content {
        Content::Header => (256, event.version),
        Content::InnerType => (257, event.version),
        // OpenSSL does not show one that is received.
        Content::ChangeCipherSpec if !event.sent => return,
        Content::ChangeCipherSpec => (20, event.version),
        Content::Alert => (21, event.version),
        Content::Handshake => (22, event.version),
    };
    let bytes = event.bytes().as_ptr().cast();
    // SAFETY: the program has set this function for this purpose, with its argument; the bytes live
    // for the call.
    unsafe {
        callback(
            c_int::from(event.sent),
            c_int::from(version),
            content,
            bytes,
            event.bytes().len(),
            Handle::borrowed(ssl),
            callbacks.msg_arg.0,
        );
    }
}

/// Tells of the extensions in a message of the peer's that OpenSSL knows.
fn tell_extensions(ssl: &Arc<Ssl>, event: &Event, callbacks: &Callbacks, tls13: bool) {
    let Some(callback) = callbacks.extension else { return };
    if event.sent || event.message().is_none() {
        return;
    }
    let client = ssl.lock().side == Some(Side::Client);
    let known = |(kind, _): &(u16, Vec<u8>)| client_hello::is_known(*kind);
    for (kind, contents) in extensions::in_message(event.bytes(), tls13).iter().filter(|e| known(e))
    {
        // SAFETY: the program has set this function for this purpose, with its argument; the
        // contents live for the call.
        unsafe {
            callback(
                Handle::borrowed(ssl),
                c_int::from(client),
                c_int::from(*kind),
                contents.as_ptr(),
                c_int::try_from(contents.len()).unwrap_or(c_int::MAX),
                callbacks.extension_arg.0,
            );
        }
    }
}

/// `SSL_CTRL_SET_TLSEXT_DEBUG_CB`.
pub(crate) fn set_extension_callback(ssl: &Ssl, callback: Option<ExtensionCb>) -> c_long {
    ssl.lock().callbacks.extension = callback;
    1
}

/// `SSL_CTRL_SET_TLSEXT_DEBUG_ARG`.
pub(crate) fn set_extension_argument(ssl: &Ssl, _: c_long, argument: *mut c_void) -> c_long {
    ssl.lock().callbacks.extension_arg = Opaque(argument);
    1
}

/// `SSL_CTRL_SET_MSG_CALLBACK_ARG` on a connection.
pub(crate) fn set_argument(ssl: &Ssl, _: c_long, argument: *mut c_void) -> c_long {
    ssl.lock().callbacks.msg_arg = Opaque(argument);
    1
}

/// `SSL_CTRL_SET_MSG_CALLBACK_ARG` on a context.
pub(crate) fn set_context_argument(ctx: &Ctx, _: c_long, argument: *mut c_void) -> c_long {
    ctx.lock().callbacks.msg_arg = Opaque(argument);
    1
}

/// `SSL_CTRL_SET_MSG_CALLBACK` on a connection.
pub(crate) fn set(ssl: &Ssl, callback: Option<MsgCb>) -> c_long {
    ssl.lock().callbacks.msg = callback;
    1
}

/// `SSL_CTRL_SET_MSG_CALLBACK` on a context.
pub(crate) fn set_on_context(ctx: &Ctx, callback: Option<MsgCb>) -> c_long {
    ctx.lock().callbacks.msg = callback;
    1
}

exported! {
    fn SSL_CTX_set_msg_callback(ctx: Handle<Ctx>, callback: Option<MsgCb>) -> () => (), {
        if let Some(ctx) = ctx.get() {
            set_on_context(ctx, callback);
        }
    }

    fn SSL_set_msg_callback(ssl: Handle<Ssl>, callback: Option<MsgCb>) -> () => (), {
        if let Some(ssl) = ssl.get() {
            set(ssl, callback);
        }
    }
}
