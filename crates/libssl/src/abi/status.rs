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
use crate::abi::objects::{Ctx, Ssl};
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
    /// On a server, what the client asks for.
    pub(crate) asked: Option<StatusRequest>,
    /// The responder ids and extensions of the request. On a server they are the client's; what a
    /// client sets is kept and given back, but the engine sends none.
    pub(crate) stacks: Stacks,
}

impl Status {
    /// Keeps settings for a new handshake.
    pub(crate) fn begin_handshake(&mut self) {}
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

/// `SSL_CTRL_SET_TLSEXT_STATUS_REQ_TYPE` on a connection.
pub(crate) fn set_type(ssl: &Ssl, kind: c_long, _: *mut c_void) -> c_long {
    let kind = status::type_from(kind);
    Settings::change(&mut ssl.lock().settings, |settings| settings.status_type = kind);
    1
}

/// `SSL_CTRL_GET_TLSEXT_STATUS_REQ_TYPE` on a connection: on a server in a handshake and after it,
/// whether this client has asked.
pub(crate) fn kind(ssl: &Ssl, _: c_long, _: *mut c_void) -> c_long {
    let state = ssl.lock();
    let kind = match state.side {
        Some(Side::Server) if state.handshake.server_stage > Default::default() => {
            if state.status.asked.is_some() { OCSP } else { NOTHING }
        }
        _ => state.settings.status_type,
    };
    c_long::from(kind)
}

/// `SSL_CTRL_SET_TLSEXT_STATUS_REQ_OCSP_RESP`: takes the buffer over, frees the one before.
pub(crate) fn set_response(ssl: &Ssl, length: c_long, response: *mut c_void) -> c_long {
    // SAFETY: the program gives a buffer of OPENSSL_malloc away that has `length` bytes, or NULL.
    let new = unsafe { Buffer::from_raw(response.cast(), length) };
    let old = std::mem::replace(&mut ssl.lock().status.response, new);
    drop(old);
    1
}

/// `SSL_CTRL_GET_TLSEXT_STATUS_REQ_OCSP_RESP`: the response stays this library's.
pub(crate) fn response(ssl: &Ssl, _: c_long, out: *mut c_void) -> c_long {
    let state = ssl.lock();
    let out = Out::<*const c_uchar>::from_void(out);
    match &state.status.response {
        Some(response) => {
            out.set(response.as_ptr());
            response.length()
        }
        None => {
            out.set(std::ptr::null());
            -1
        }
    }
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

/// Keeps on a server what the client asks for, for the callback to see.
pub(crate) fn note_request(ssl: &Ssl) -> Result<(), Failure> {
    let asked = {
        let state = ssl.lock();
        state.connection.hello().and_then(|hello| hello.status_request().ok().flatten())
    };
    let ids = asked.as_ref().map(|asked| asked.responder_ids.as_slice()).unwrap_or_default();
    let exts = asked.as_ref().map(|asked| asked.extensions.as_slice()).unwrap_or_default();
    let decoded = Stacks::from_der(ids, exts);
    ssl.lock().status.asked = asked;
    let stacks = decoded
        .map_err(|_| Failure::new(alert::DECODE_ERROR, reasons::BAD_EXTENSION, String::new()))?;
    let old = std::mem::replace(&mut ssl.lock().status.stacks, stacks);
    drop(old);
    Ok(())
}

/// Asks a client's callback about what the server has stapled, `staple` or nothing.
///
/// Called after the certificates were verified, with no lock held.
pub(crate) fn judge(ssl: &Arc<Ssl>, staple: Option<Vec<u8>>) -> Result<(), Failure> {
    let (callback, argument, old) = {
        let mut state = ssl.lock();
        let callbacks = state.ctx.lock().callbacks;
        let asked = state.settings.status_type != NOTHING;
        let new = staple.as_deref().and_then(Buffer::copy_of);
        let old = std::mem::replace(&mut state.status.response, new);
        (callbacks.status.filter(|_| asked), callbacks.status_arg, old)
    };
    drop(old);
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
        let asked = state.status.asked.is_some();
        (callbacks.status.filter(|_| asked), callbacks.status_arg)
    };
    let Some(callback) = callback else {
        return status::server_verdict(ServerDecision::NoAck);
    };
    // SAFETY: the program has set this function for this purpose, with its argument.
    let answer = unsafe { callback(Handle::borrowed(ssl), argument.0) };
    let decision = {
        let state = ssl.lock();
        status::server_decision(answer, state.status.response.as_ref().map(Buffer::bytes))
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
