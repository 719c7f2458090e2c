//! The certificate of a client: who is asked for it when a server wants one, and what that server
//! has said. `SSL_CTX_set_client_cert_cb(3)`, `SSL_CTX_set_cert_cb(3)` on a client.
//!
//! As in OpenSSL the server's certificates are verified before; the certificate callback is asked
//! first, and when nothing fits the server's request after it, the client certificate callback. Each
//! may ask to be called again later (`SSL_ERROR_WANT_X509_LOOKUP`), and is then the only one to be.

use std::ffi::{c_long, c_uchar, c_void};
use std::sync::Arc;

use crate::abi::arguments::{Handle, Out, long};
use crate::abi::callbacks::ClientCertCb;
use crate::abi::certificate::{Certificates, Holder, answer, build};
use crate::abi::guard::exported;
use crate::abi::handshake::Outcome;
use crate::abi::handshake_state::{ClientStage, Want};
use crate::abi::method::Side;
use crate::abi::objects::{Ctx, Ssl, SslState};
use crate::core::credentials::{self, Credential};
use crate::core::failure::{Failure, alert};
use crate::core::settings::TLS1_3;
use crate::sys::error;
use crate::sys::pkey::Key;
use crate::sys::reasons;
use crate::sys::x509::Certificate;

/// Whether the program wants to choose when a server asks.
pub(crate) fn is_wanted(state: &SslState) -> bool {
    state.side == Some(Side::Client)
        && (state.callbacks.cert.is_some() || state.ctx.lock().callbacks.client_cert.is_some())
}

/// Asks the program for the certificate to show, which may be none. `Err` when it wants to be asked
/// again; called with no lock held.
pub(crate) fn choose(ssl: &Arc<Ssl>) -> Result<Result<Option<Arc<Credential>>, Failure>, Outcome> {
    if ssl.lock().handshake.client_stage < ClientStage::CertificateDone {
        match certificate_callback(ssl) {
            Answer::Done => {
                let mut state = ssl.lock();
                state.handshake.client_stage = ClientStage::CertificateDone;
                state.handshake.want = Want::Nothing;
            }
            Answer::Wait => {
                ssl.lock().handshake.want = Want::X509Lookup;
                return Err(Outcome::Again);
            }
            Answer::Failed => {
                let text = "the certificate callback failed";
                let failure = Failure::new(alert::INTERNAL_ERROR, reasons::CALLBACK_FAILED, text);
                return Ok(Err(failure));
            }
        }
    }
    if let Err(failure) = build::complete(ssl, None) {
        return Ok(Err(failure));
    }
    if let Some(chosen) = fitting(&mut ssl.lock()) {
        return Ok(Ok(Some(chosen)));
    }
    let answer = client_certificate_callback(ssl);
    if matches!(answer, Answer::Done)
        && let Err(failure) = build::complete(ssl, None)
    {
        return Ok(Err(failure));
    }
    let mut state = ssl.lock();
    state.handshake.want = Want::Nothing;
    match answer {
        Answer::Done => Ok(Ok(fitting(&mut state))),
        Answer::Wait => {
            state.handshake.want = Want::X509Lookup;
            Err(Outcome::Again)
        }
        Answer::Failed => Ok(Ok(None)),
    }
}

/// What a callback has answered.
enum Answer {
    Done,
    Wait,
    Failed,
}

fn certificate_callback(ssl: &Arc<Ssl>) -> Answer {
    let (callback, argument) = {
        let state = ssl.lock();
        (state.callbacks.cert, state.callbacks.cert_arg)
    };
    let Some(callback) = callback else { return Answer::Done };
    // SAFETY: the program has set this function for this purpose, with its argument.
    match unsafe { callback(Handle::borrowed(ssl), argument.0) } {
        1.. => Answer::Done,
        0 => Answer::Failed,
        _ => Answer::Wait,
    }
}

/// `Failed` when no certificate comes of it, which is no error.
fn client_certificate_callback(ssl: &Arc<Ssl>) -> Answer {
    let callback = {
        let state = ssl.lock();
        state.ctx.lock().callbacks.client_cert
    };
    let Some(callback) = callback else { return Answer::Failed };
    let (mut certificate, mut key) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: the program has set this function for this purpose; it writes objects, of which it
    // gives a reference away, or leaves NULL.
    let (answer, certificate, key) = unsafe {
        let answer = callback(Handle::borrowed(ssl), &mut certificate, &mut key);
        (answer, Certificate::from_raw(certificate), Key::from_raw(key))
    };
    match (answer, certificate, key) {
        (1, Some(certificate), Some(key)) => use_both(ssl, certificate, key),
        (1, ..) => {
            let reason = reasons::BAD_DATA_RETURNED_BY_CALLBACK;
            error::raise(c"SSL_do_handshake", reason, None);
            Answer::Failed
        }
        (0.., ..) => Answer::Failed,
        _ => Answer::Wait,
    }
}

fn use_both(ssl: &Ssl, certificate: Certificate, key: Key) -> Answer {
    let set = |certificates: &mut Certificates| {
        certificates.use_certificate(certificate)?;
        certificates.use_key(key)
    };
    match answer(c"SSL_do_handshake", ssl.change(set)) {
        1 => Answer::Done,
        _ => Answer::Failed,
    }
}

/// The certificate that fits the server's request; it becomes the current one.
fn fitting(state: &mut SslState) -> Option<Arc<Credential>> {
    let tls13 = state.connection.version() == Some(TLS1_3);
    let request = state.connection.signatures.request()?;
    let current = state.certificates.current_index();
    let chosen = credentials::for_server(&state.settings, request, tls13, current)?;
    let chosen = Arc::clone(chosen);
    state.certificates.make_current(chosen.slot);
    Some(chosen)
}

/// `SSL_CTRL_GET_CLIENT_CERT_TYPES`: writes the types that a server of TLS 1.2 asks for, and returns
/// how many they are.
pub(crate) fn types(ssl: &Ssl, _: c_long, out: *mut c_void) -> c_long {
    let state = ssl.lock();
    if state.side == Some(Side::Server) {
        return 0;
    }
    let Some(request) = state.connection.signatures.request() else { return 0 };
    let start = if request.types.is_empty() { std::ptr::null() } else { request.types.as_ptr() };
    Out::<*const c_uchar>::from_void(out).set(start);
    c_long::try_from(request.types.len()).unwrap_or_default()
}

/// `SSL_CTRL_SET_CLIENT_CERT_TYPES` on a connection, which has to be a server's.
pub(crate) fn set_types(ssl: &Ssl, count: c_long, types: *mut c_void) -> c_long {
    long(ssl.lock().side == Some(Side::Server) && can_be_types(count, types))
}

/// `SSL_CTRL_SET_CLIENT_CERT_TYPES` on a context.
pub(crate) fn set_types_of_context(_: &Ctx, count: c_long, types: *mut c_void) -> c_long {
    long(can_be_types(count, types))
}

/// The engine sends a list of its own, which is the one of all types that it verifies; a client
/// reads what it may sign with from the schemes beside it (RFC 5246, 7.4.4).
fn can_be_types(count: c_long, types: *mut c_void) -> bool {
    const MOST: c_long = 255;
    types.is_null() || (0..=MOST).contains(&count)
}

exported! {
    fn SSL_CTX_set_client_cert_cb(ctx: Handle<Ctx>, callback: Option<ClientCertCb>) -> () => (), {
        if let Some(ctx) = ctx.get() {
            ctx.lock().callbacks.client_cert = callback;
        }
    }

    fn SSL_CTX_get_client_cert_cb(ctx: Handle<Ctx>) -> Option<ClientCertCb> => None, {
        ctx.get().and_then(|ctx| ctx.lock().callbacks.client_cert)
    }
}
