//! `SSL_CTX_set_tlsext_status_cb(3)`: certificate status, on both sides.
//!
//! The functions of the man page are macros over `SSL_ctrl`, `SSL_CTX_ctrl` and
//! `SSL_CTX_callback_ctrl`; the commands are here, and functions of the macros' names for
//! languages without macros. What the callbacks' integers mean is [`crate::core::status`]'s.

use std::ffi::{c_int, c_long, c_uchar, c_void};
use std::sync::Arc;

use certstatus::handshake::{ClientDecision, ServerDecision};

use crate::abi::arguments::{Handle, Opaque, Out};
use crate::abi::callbacks::StatusCb;
use crate::abi::guard::exported;
use crate::abi::method::Side;
use crate::abi::objects::{Ctx, Ssl, SslState};
use crate::core::client_hello::StatusRequest;
use crate::core::failure::{Failure, alert};
use crate::core::settings::Settings;
use crate::core::status::{self, NOTHING, OCSP};
use crate::sys::memory::Buffer;
use crate::sys::reasons;
use crate::sys::status_request::Stacks;

/// What a connection holds about status.
#[derive(Debug, Default)]
pub(crate) struct Status {
    /// The response: what the server has stapled, or what the program wants to be stapled.
    pub(crate) response: Option<Buffer>,
    /// The length as C gave it, also beside NULL.
    length: c_long,
    /// On a server, what the client asks for.
    asked: Option<StatusRequest>,
    /// On a server, the type of its last hello, which callbacks may change since.
    server_type: Option<c_int>,
    /// Whether the staple of this handshake is in `response`.
    is_noted: bool,
    /// The responder ids and extensions of the request. On a server they are the client's; what a
    /// client sets is kept and given back, but the engine sends none.
    pub(crate) stacks: Stacks,
}

impl Status {
    /// Forgets a client's hello, and that a staple came. The response stays: a program may have set
    /// it, and a client replaces it when it [starts](start).
    pub(crate) fn begin_handshake(&mut self) {
        self.asked = None;
        self.is_noted = false;
    }

    /// Replaces the response. The caller drops the one before with no lock held.
    fn replace(&mut self, response: Option<Buffer>, length: c_long) -> Option<Buffer> {
        self.length = length;
        std::mem::replace(&mut self.response, response)
    }
}

/// `SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB`, through `SSL_CTX_callback_ctrl`.
pub(crate) fn set_callback(ctx: &Ctx, callback: Option<StatusCb>) -> c_long {
    ctx.lock().callbacks.status = callback;
    1
}

/// `SSL_CTRL_GET_TLSEXT_STATUS_REQ_CB`: writes the callback, NULL for none.
pub(crate) fn callback(ctx: &Ctx, _: c_long, out: *mut c_void) -> c_long {
    Out::<Option<StatusCb>>::from_void(out).set(ctx.lock().callbacks.status);
    1
}

/// `SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB_ARG`.
pub(crate) fn set_argument(ctx: &Ctx, _: c_long, argument: *mut c_void) -> c_long {
    ctx.lock().callbacks.status_arg = Opaque(argument);
    1
}

/// `SSL_CTRL_GET_TLSEXT_STATUS_REQ_CB_ARG`: writes the argument.
pub(crate) fn argument(ctx: &Ctx, _: c_long, out: *mut c_void) -> c_long {
    Out::<*mut c_void>::from_void(out).set(ctx.lock().callbacks.status_arg.0);
    1
}

/// `SSL_CTRL_SET_TLSEXT_STATUS_REQ_TYPE` on a context.
pub(crate) fn set_context_type(ctx: &Ctx, kind: c_long, _: *mut c_void) -> c_long {
    let kind = status::type_from(kind);
    Settings::change(&mut ctx.lock().settings, |settings| settings.status_type = kind);
    1
}

/// `SSL_CTRL_GET_TLSEXT_STATUS_REQ_TYPE` on a context.
pub(crate) fn context_type(ctx: &Ctx, _: c_long, _: *mut c_void) -> c_long {
    c_long::from(ctx.lock().settings.status_type)
}

/// `SSL_CTRL_SET_TLSEXT_STATUS_REQ_TYPE` on a connection. On a server that has a hello it changes
/// what the hello has said, and no setting.
pub(crate) fn set_type(ssl: &Ssl, kind: c_long, _: *mut c_void) -> c_long {
    let kind = status::type_from(kind);
    let mut state = ssl.lock();
    match &mut state.status.server_type {
        Some(of_hello) => *of_hello = kind,
        None => Settings::change(&mut state.settings, |settings| settings.status_type = kind),
    }
    1
}

/// `SSL_CTRL_GET_TLSEXT_STATUS_REQ_TYPE` on a connection: on a server in a handshake and after it,
/// whether this client has asked, unless a callback has set another type.
pub(crate) fn kind(ssl: &Ssl, _: c_long, _: *mut c_void) -> c_long {
    c_long::from(type_of(&ssl.lock()))
}

fn type_of(state: &SslState) -> c_int {
    state.status.server_type.unwrap_or(state.settings.status_type)
}

/// Prepares a handshake that starts. A client has no response until its server has sent one; and a
/// server that becomes a client asks for the type that it has.
pub(crate) fn start(ssl: &Ssl) {
    let old = {
        let mut state = ssl.lock();
        if state.side != Some(Side::Client) {
            return;
        }
        if let Some(kind) = state.status.server_type.take() {
            Settings::change(&mut state.settings, |settings| settings.status_type = kind);
        }
        state.status.replace(None, 0)
    };
    drop(old);
}

/// `SSL_CTRL_SET_TLSEXT_STATUS_REQ_OCSP_RESP`: takes the buffer over, frees the one before.
pub(crate) fn set_response(ssl: &Ssl, length: c_long, response: *mut c_void) -> c_long {
    // SAFETY: the program gives a buffer of OPENSSL_malloc away that has `length` bytes, or NULL.
    let new = unsafe { Buffer::from_raw(response.cast(), length) };
    let old = ssl.lock().status.replace(new, length);
    drop(old);
    1
}

/// `SSL_CTRL_GET_TLSEXT_STATUS_REQ_OCSP_RESP`: the response stays this library's. As in OpenSSL the
/// pointer is what was set, and a length that is not positive is -1.
pub(crate) fn response(ssl: &Ssl, _: c_long, out: *mut c_void) -> c_long {
    let state = ssl.lock();
    let response = state.status.response.as_ref();
    Out::<*const c_uchar>::from_void(out).set(response.map_or(std::ptr::null(), Buffer::as_ptr));
    if state.status.length > 0 { state.status.length } else { -1 }
}

/// `SSL_CTRL_GET_TLSEXT_STATUS_REQ_IDS`.
pub(crate) fn ids(ssl: &Ssl, _: c_long, out: *mut c_void) -> c_long {
    Out::<*mut c_void>::from_void(out).set(ssl.lock().status.stacks.ids());
    1
}

/// `SSL_CTRL_SET_TLSEXT_STATUS_REQ_IDS`.
pub(crate) fn set_ids(ssl: &Ssl, _: c_long, ids: *mut c_void) -> c_long {
    // SAFETY: the program gives a stack of this type away, or NULL.
    unsafe { ssl.lock().status.stacks.set_ids(ids) };
    1
}

/// `SSL_CTRL_GET_TLSEXT_STATUS_REQ_EXTS`.
pub(crate) fn exts(ssl: &Ssl, _: c_long, out: *mut c_void) -> c_long {
    Out::<*mut c_void>::from_void(out).set(ssl.lock().status.stacks.exts());
    1
}

/// `SSL_CTRL_SET_TLSEXT_STATUS_REQ_EXTS`.
pub(crate) fn set_exts(ssl: &Ssl, _: c_long, exts: *mut c_void) -> c_long {
    // SAFETY: the program gives a stack of this type away, or NULL.
    unsafe { ssl.lock().status.stacks.set_exts(exts) };
    1
}

/// Notes a hello, before the callbacks that see it: so far its client has asked for nothing.
pub(crate) fn note_hello(ssl: &Ssl) {
    ssl.lock().status.server_type = Some(NOTHING);
}

/// Keeps on a server what the client asks for, for the callback to see.
pub(crate) fn note_request(ssl: &Ssl) -> Result<(), Failure> {
    let asked = {
        let state = ssl.lock();
        state.connection.hello().and_then(|hello| hello.status_request().ok().flatten())
    };
    let ids = asked.as_ref().map(|asked| asked.responder_ids.as_slice()).unwrap_or_default();
    let exts = asked.as_ref().map(|asked| asked.extensions.as_slice()).unwrap_or_default();
    let decoded = Stacks::from_der(ids, exts);
    {
        let mut state = ssl.lock();
        if asked.is_some() {
            state.status.server_type = Some(OCSP);
        }
        state.status.asked = asked;
    }
    let stacks = decoded
        .map_err(|_| Failure::new(alert::DECODE_ERROR, reasons::BAD_EXTENSION, String::new()))?;
    let old = std::mem::replace(&mut ssl.lock().status.stacks, stacks);
    drop(old);
    Ok(())
}

/// Notes a hello that was refused, of which OpenSSL has read the type.
pub(crate) fn note_failed(state: &mut SslState) {
    state.status.server_type = Some(OCSP);
}

/// Notes a resumption on a server: a request in it is ignored.
pub(crate) fn note_resumed(state: &mut SslState) {
    state.status.asked = None;
    state.status.server_type = Some(NOTHING);
}

/// Keeps the staple of a server for the program, once. In TLS 1.3 it comes with the certificates,
/// and the verification callback sees it; in TLS 1.2 it comes after them.
pub(crate) fn note_staple(ssl: &Ssl, staple: Option<&[u8]>) {
    let old = {
        let mut state = ssl.lock();
        if std::mem::replace(&mut state.status.is_noted, true) {
            return;
        }
        let new = staple.and_then(Buffer::copy_of);
        let length = new.as_ref().map_or(0, Buffer::length);
        state.status.replace(new, length)
    };
    drop(old);
}

/// Asks a client's callback about what the server has stapled, `staple` or nothing.
///
/// Called after the certificates were verified, with no lock held.
pub(crate) fn judge(ssl: &Arc<Ssl>, staple: Option<Vec<u8>>) -> Result<(), Failure> {
    note_staple(ssl, staple.as_deref());
    let (callback, argument) = {
        let state = ssl.lock();
        let callbacks = state.ctx.lock().callbacks;
        let asked = state.settings.status_type != NOTHING;
        (callbacks.status.filter(|_| asked), callbacks.status_arg)
    };
    let decision = match callback {
        Some(callback) => {
            // SAFETY: the program has set this function for this purpose, with its argument.
            let answer = unsafe { callback(Handle::borrowed(ssl), argument.0) };
            status::client_decision(answer)
        }
        None => ClientDecision::Accept,
    };
    status::client_verdict(decision)
}

/// Asks a server's callback what to staple. None for nothing.
///
/// Called when the client has asked and the handshake is a full one, with no lock held.
pub(crate) fn decide(ssl: &Arc<Ssl>) -> Result<Option<Arc<[u8]>>, Failure> {
    let (callback, argument) = {
        let state = ssl.lock();
        let callbacks = state.ctx.lock().callbacks;
        let asked = type_of(&state) != NOTHING;
        (callbacks.status.filter(|_| asked), callbacks.status_arg)
    };
    let Some(callback) = callback else {
        return status::server_verdict(ServerDecision::NoAck);
    };
    // SAFETY: the program has set this function for this purpose, with its argument.
    let answer = unsafe { callback(Handle::borrowed(ssl), argument.0) };
    let decision = {
        let state = ssl.lock();
        let decision =
            status::server_decision(answer, state.status.response.as_ref().map(Buffer::bytes));
        match decision {
            // As in OpenSSL, a response of no type cannot be sent.
            ServerDecision::Staple(_) if type_of(&state) != OCSP => return Err(status::no_type()),
            // Nothing is sent to a client that has not asked, whatever a callback has set.
            ServerDecision::Staple(_) if state.status.asked.is_none() => ServerDecision::NoAck,
            decision => decision,
        }
    };
    status::server_verdict(decision)
}

/// A function of a macro's name, over a command of this file.
macro_rules! over {
    ($object:ident, $command:path, $long:expr, $pointer:expr) => {
        $object.get().map_or(0, |object| $command(object, $long, $pointer))
    };
}

exported! {
    fn SSL_CTX_set_tlsext_status_cb(ctx: Handle<Ctx>, callback: Option<StatusCb>) -> c_long => 0, {
        ctx.get().map_or(0, |ctx| set_callback(ctx, callback))
    }

    fn SSL_CTX_get_tlsext_status_cb(ctx: Handle<Ctx>, out: *mut c_void) -> c_long => 0, {
        over!(ctx, callback, 0, out)
    }

    fn SSL_CTX_set_tlsext_status_arg(ctx: Handle<Ctx>, value: *mut c_void) -> c_long => 0, {
        over!(ctx, set_argument, 0, value)
    }

    fn SSL_CTX_get_tlsext_status_arg(ctx: Handle<Ctx>, out: *mut c_void) -> c_long => 0, {
        over!(ctx, argument, 0, out)
    }

    fn SSL_CTX_set_tlsext_status_type(ctx: Handle<Ctx>, value: c_int) -> c_long => 0, {
        over!(ctx, set_context_type, c_long::from(value), std::ptr::null_mut())
    }

    fn SSL_CTX_get_tlsext_status_type(ctx: Handle<Ctx>) -> c_long => 0, {
        over!(ctx, context_type, 0, std::ptr::null_mut())
    }

    fn SSL_set_tlsext_status_type(ssl: Handle<Ssl>, value: c_int) -> c_long => 0, {
        over!(ssl, set_type, c_long::from(value), std::ptr::null_mut())
    }

    fn SSL_get_tlsext_status_type(ssl: Handle<Ssl>) -> c_long => 0, {
        over!(ssl, kind, 0, std::ptr::null_mut())
    }

    fn SSL_get_tlsext_status_ocsp_resp(ssl: Handle<Ssl>, out: *mut c_void) -> c_long => -1, {
        ssl.get().map_or(-1, |ssl| response(ssl, 0, out))
    }

    fn SSL_set_tlsext_status_ocsp_resp(
        ssl: Handle<Ssl>,
        buffer: *mut c_void,
        length: c_int,
    ) -> c_long => 0, {
        over!(ssl, set_response, c_long::from(length), buffer)
    }
}
