//! The callbacks of a server's handshake: `SSL_CTX_set_client_hello_cb(3)`,
//! `SSL_CTX_set_tlsext_servername_callback(3)`, `SSL_CTX_set_alpn_select_cb(3)`,
//! `SSL_CTX_set_cert_cb(3)`.
//!
//! Their order is OpenSSL's: ClientHello, server name, certificate, status, ALPN for TLS 1.2;
//! ClientHello, server name, ALPN, certificate, status for TLS 1.3.

use std::ffi::{CString, c_int, c_uchar, c_void};
use std::sync::Arc;

use rustls::crypto::TicketProducer;

use crate::abi::arguments::{Handle, Opaque, uint};
use crate::abi::callbacks::{AlpnSelectCb, CertCb, ClientHelloCb};
use crate::abi::certificate::build;
use crate::abi::guard::exported;
use crate::abi::handshake::{Answered, Outcome};
use crate::abi::handshake_state::{ServerStage, Want};
use crate::abi::notify::{self, Event};
use crate::abi::objects::{Ctx, Ssl, SslState};
use crate::abi::{client_ca, handshake, not_resumable, security, session_server, status};
use crate::core::client_hello::extension;
use crate::core::connection::Step;
use crate::core::credentials;
use crate::core::failure::{Failure, alert};
use crate::core::server::Choice;
use crate::core::settings::TLS1_2;
use crate::sys::{error, reasons};

/// Ends the handshake from a callback.
fn refuse(ssl: &Ssl, failure: Failure) -> Answered {
    Ok(ssl.lock().connection.refuse(failure))
}

/// Leaves the handshake until a callback is ready.
fn wait(ssl: &Ssl, want: Want) -> Answered {
    ssl.lock().handshake.want = want;
    Err(Outcome::Again)
}

/// The callbacks that see the ClientHello.
pub(crate) fn hello(ssl: &Arc<Ssl>) -> Answered {
    if ssl.lock().handshake.server_stage < ServerStage::ClientHelloDone {
        if ssl.lock().handshake.want != Want::ClientHello {
            status::note_hello(ssl);
        }
        if let Some(answered) = client_hello_callback(ssl) {
            return answered;
        }
        let shared = share_version(&ssl.lock());
        if let Err(failure) = shared {
            return refuse(ssl, failure);
        }
        let mut state = ssl.lock();
        state.handshake.server_stage = ServerStage::ClientHelloDone;
        note_hello(&mut state);
        session_server::note_hello(&mut state);
        drop(state);
        if let Err(failure) = status::note_request(ssl) {
            return refuse(ssl, failure);
        }
    }
    if ssl.lock().handshake.server_stage < ServerStage::ServerNameDone {
        if let Err(failure) = server_name_callback(ssl) {
            return refuse(ssl, failure);
        }
        ssl.lock().handshake.server_stage = ServerStage::ServerNameDone;
    }
    // A callback since the start may have changed what is asked about, or who is asked.
    security::settle(ssl);
    let sessions = match session_server::prepare(ssl) {
        Ok(sessions) => sessions,
        Err(failure) => return refuse(ssl, failure),
    };
    let early_alpn = speaks_tls13(&ssl.lock()) || sessions.offered().is_some();
    if early_alpn && let Err(failure) = select_alpn(ssl) {
        return refuse(ssl, failure);
    }
    // That of ALPN may have as well.
    security::settle(ssl);
    let mut state = ssl.lock();
    client_ca::settle(&mut state);
    handshake::collect_keys(&mut state);
    let choice = Choice {
        settings: Arc::clone(&state.settings),
        alpn: state.handshake.alpn_selected.clone(),
        resumes: sessions.offered().is_some(),
        sessions: Some(sessions.clone()),
        ticketer: sessions.has_tickets().then_some(sessions as Arc<dyn TicketProducer>),
        key_log: state.handshake.key_log.clone(),
    };
    let step = state.connection.choose(choice);
    let step = again(&mut state, step);
    let resumes = state.connection.resumes();
    drop(state);
    if resumes {
        session_server::adopt(ssl);
    }
    Ok(step)
}

/// After a HelloRetryRequest the callbacks run for the second hello as for the first.
fn again(state: &mut SslState, step: Step) -> Step {
    if state.connection.awaits_second_hello() {
        state.handshake.server_stage = ServerStage::Retry;
        state.handshake.alpn_selected = None;
    }
    step
}

/// Whether there is a version that both sides speak.
fn share_version(state: &SslState) -> Result<(), Failure> {
    let offers_tls12 = state.connection.hello().is_some_and(|hello| hello.offers_tls12());
    if speaks_tls13(state) || (offers_tls12 && state.settings.speaks(TLS1_2)) {
        return Ok(());
    }
    let reason = reasons::UNSUPPORTED_PROTOCOL;
    let text = "no version of TLS that the client offers is enabled";
    Err(Failure::new(alert::PROTOCOL_VERSION, reason, text))
}

fn speaks_tls13(state: &SslState) -> bool {
    state.connection.hello().is_some_and(|hello| hello.offers_tls13())
        && state.settings.speaks_tls13()
}

/// Keeps what the hello says for the program to ask.
fn note_hello(state: &mut SslState) {
    let Some(hello) = state.connection.hello() else { return };
    state.server_name = hello.server_name().and_then(|name| CString::new(name).ok());
}

/// Keeps from a hello that was refused what OpenSSL has read by then: the type asked for.
pub(crate) fn note_failed_hello(state: &mut SslState) {
    if state.handshake.server_stage > ServerStage::Start {
        return;
    }
    let request = state.connection.offered().and_then(|h| h.extension(extension::STATUS_REQUEST));
    if request.is_some_and(|contents| contents.first() == Some(&1)) {
        status::note_failed(state);
        state.handshake.server_stage = ServerStage::ClientHelloDone;
    }
}

/// Some when the handshake does not go on from here.
fn client_hello_callback(ssl: &Arc<Ssl>) -> Option<Answered> {
    const CLIENT_HELLO_RETRY: c_int = -1;
    const CLIENT_HELLO_SUCCESS: c_int = 1;
    let callbacks = ssl.lock().ctx.lock().callbacks;
    let callback = callbacks.client_hello?;
    let mut alert = c_int::from(alert::INTERNAL_ERROR);
    // SAFETY: the program has set this function for this purpose, with its argument.
    match unsafe { callback(Handle::borrowed(ssl), &mut alert, callbacks.client_hello_arg.0) } {
        CLIENT_HELLO_SUCCESS => None,
        CLIENT_HELLO_RETRY => Some(wait(ssl, Want::ClientHello)),
        _ => {
            let text = "the ClientHello callback failed";
            Some(refuse(ssl, Failure::new(byte(alert), reasons::CALLBACK_FAILED, text)))
        }
    }
}

/// May change the context.
fn server_name_callback(ssl: &Arc<Ssl>) -> Result<(), Failure> {
    const ALERT_WARNING: c_int = 1;
    const ALERT_FATAL: c_int = 2;
    let callbacks = {
        let state = ssl.lock();
        let own = state.ctx.lock().callbacks;
        if own.servername.is_some() { own } else { state.session_ctx.lock().callbacks }
    };
    let Some(callback) = callbacks.servername else { return Ok(()) };
    let mut alert = c_int::from(alert::UNRECOGNIZED_NAME);
    // SAFETY: the program has set this function for this purpose, with its argument.
    match unsafe { callback(Handle::borrowed(ssl), &mut alert, callbacks.servername_arg.0) } {
        ALERT_FATAL => Err(Failure::new(
            byte(alert),
            reasons::CALLBACK_FAILED,
            "the server name callback refuses the name",
        )),
        ALERT_WARNING => {
            {
                let mut state = ssl.lock();
                if speaks_tls13(&state) {
                    return Ok(());
                }
                state.connection.warn(byte(alert));
            }
            notify::tell(ssl, Event::AlertWritten(notify::WARNING, byte(alert)));
            Ok(())
        }
        // NOACK too: SSL_get_servername still returns the name that the client asked for.
        _ => Ok(()),
    }
}

/// Asks for the protocol, once.
fn select_alpn(ssl: &Arc<Ssl>) -> Result<(), Failure> {
    const OK: c_int = 0;
    const NOACK: c_int = 3;
    let (callbacks, offered) = {
        let mut state = ssl.lock();
        if state.handshake.server_stage >= ServerStage::AlpnDone {
            return Ok(());
        }
        state.handshake.server_stage = ServerStage::AlpnDone;
        let offered = state.connection.hello().and_then(|hello| hello.alpn()).map(<[u8]>::to_vec);
        (state.ctx.lock().callbacks, offered)
    };
    let (Some(callback), Some(offered)) = (callbacks.alpn_select, offered) else { return Ok(()) };
    let mut selected: *const c_uchar = std::ptr::null();
    let mut length: c_uchar = 0;
    // SAFETY: the program has set this function for this purpose; the list lives for the call, and
    // what is selected is in it or in the program's memory, valid until it is copied below.
    let outcome = unsafe {
        callback(
            Handle::borrowed(ssl),
            &mut selected,
            &mut length,
            offered.as_ptr(),
            uint(offered.len()),
            callbacks.alpn_select_arg.0,
        )
    };
    match outcome {
        OK if selected.is_null() || length == 0 => {
            // A protocol cannot be empty (RFC 7301, 3.1), and NOACK is the answer for none.
            let text = "the ALPN callback returned SSL_TLSEXT_ERR_OK without a protocol";
            Err(Failure::new(alert::INTERNAL_ERROR, error::INTERNAL_ERROR, text))
        }
        OK => {
            // SAFETY: as above.
            let protocol = unsafe { std::slice::from_raw_parts(selected, length.into()) };
            ssl.lock().handshake.alpn_selected = Some(protocol.to_vec());
            Ok(())
        }
        NOACK => Ok(()),
        _ => Err(Failure::new(
            alert::NO_APPLICATION_PROTOCOL,
            reasons::NO_APPLICATION_PROTOCOL,
            "no protocol of the client's is spoken here",
        )),
    }
}

/// The callbacks of a full handshake: the certificate, its status, and ALPN for TLS 1.2.
pub(crate) fn authenticate(ssl: &Arc<Ssl>) -> Answered {
    let (callback, argument) = {
        let state = ssl.lock();
        (state.callbacks.cert, state.callbacks.cert_arg)
    };
    if let Some(callback) = callback {
        // SAFETY: the program has set this function for this purpose, with its argument.
        match unsafe { callback(Handle::borrowed(ssl), argument.0) } {
            1.. => {}
            0 => {
                let text = "the certificate callback failed";
                let failure = Failure::new(alert::INTERNAL_ERROR, reasons::CERT_CB_ERROR, text);
                return refuse(ssl, failure);
            }
            _ => return wait(ssl, Want::X509Lookup),
        }
    }
    // The lock is released before the failure locks again.
    let chosen = choose_certificate(&mut ssl.lock());
    let current = ssl.lock().certificates.current_index();
    if let Err(failure) = chosen.and_then(|()| build::complete(ssl, Some(current))) {
        return refuse(ssl, failure);
    }
    not_resumable::ask(ssl);
    let staple = match status::decide(ssl) {
        Ok(staple) => staple,
        Err(failure) => return refuse(ssl, failure),
    };
    if let Err(failure) = select_alpn(ssl) {
        return refuse(ssl, failure);
    }
    let mut state = ssl.lock();
    client_ca::settle(&mut state);
    let (settings, alpn) = (Arc::clone(&state.settings), state.handshake.alpn_selected.clone());
    let resumable = !state.sessions.not_resumable;
    session_server::begin_full(&state);
    let step = state.connection.authenticate(settings, alpn, staple, resumable);
    Ok(again(&mut state, step))
}

/// Makes the certificate that will be sent the current one.
fn choose_certificate(state: &mut SslState) -> Result<(), Failure> {
    let tls13 = speaks_tls13(state);
    let hello = state.connection.hello();
    let chosen = hello.and_then(|hello| credentials::for_client(&state.settings, hello, tls13));
    match chosen {
        Some(credential) => {
            let slot = credential.slot;
            state.certificates.make_current(slot);
            Ok(())
        }
        None if tls13 && state.settings.credentials.is_empty() => Err(Failure::new(
            alert::PROTOCOL_VERSION,
            reasons::UNSUPPORTED_PROTOCOL,
            "no certificate and key are set",
        )),
        None if tls13 => Err(Failure::new(
            alert::HANDSHAKE_FAILURE,
            reasons::NO_SUITABLE_SIGNATURE_ALGORITHM,
            "no certificate here signs as the client verifies",
        )),
        None => Err(Failure::new(
            alert::HANDSHAKE_FAILURE,
            reasons::NO_SHARED_CIPHER,
            "no certificate here fits the client's ciphers",
        )),
    }
}

fn byte(alert: c_int) -> u8 {
    u8::try_from(alert).unwrap_or(alert::INTERNAL_ERROR)
}

exported! {
    fn SSL_CTX_set_cert_cb(
        ctx: Handle<Ctx>,
        callback: Option<CertCb>,
        argument: *mut c_void,
    ) -> () => (), {
        if let Some(ctx) = ctx.get() {
            let mut state = ctx.lock();
            state.callbacks.cert = callback;
            state.callbacks.cert_arg = Opaque(argument);
        }
    }

    fn SSL_set_cert_cb(
        ssl: Handle<Ssl>,
        callback: Option<CertCb>,
        argument: *mut c_void,
    ) -> () => (), {
        if let Some(ssl) = ssl.get() {
            let mut state = ssl.lock();
            state.callbacks.cert = callback;
            state.callbacks.cert_arg = Opaque(argument);
        }
    }

    fn SSL_CTX_set_client_hello_cb(
        ctx: Handle<Ctx>,
        callback: Option<ClientHelloCb>,
        argument: *mut c_void,
    ) -> () => (), {
        if let Some(ctx) = ctx.get() {
            let mut state = ctx.lock();
            state.callbacks.client_hello = callback;
            state.callbacks.client_hello_arg = Opaque(argument);
        }
    }

    fn SSL_CTX_set_alpn_select_cb(
        ctx: Handle<Ctx>,
        callback: Option<AlpnSelectCb>,
        argument: *mut c_void,
    ) -> () => (), {
        if let Some(ctx) = ctx.get() {
            let mut state = ctx.lock();
            state.callbacks.alpn_select = callback;
            state.callbacks.alpn_select_arg = Opaque(argument);
        }
    }
}
