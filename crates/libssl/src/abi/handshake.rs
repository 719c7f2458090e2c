//! Driving a handshake: the engine's steps, the transport, and the program's callbacks in between.
//! `SSL_do_handshake(3)`, `SSL_CTX_set_keylog_callback(3)`. A server's callbacks are in
//! [`super::server`].

use std::ffi::{CStr, CString, c_int, c_long, c_void};
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::abi::arguments::Handle;
use crate::abi::callbacks::KeylogCb;
use crate::abi::certificate::build;
use crate::abi::guard::exported;
use crate::abi::handshake_state::{ClientStage, Want};
use crate::abi::io::{RECEIVED_SHUTDOWN, renew_keys};
use crate::abi::method::Side;
use crate::abi::notify::{self, Event};
use crate::abi::objects::{Ctx, Ssl, SslState};
use crate::abi::session::Peer;
use crate::abi::transport::{self, Blocked};
use crate::abi::verify::Verified;
use crate::abi::{
    client_ca, client_certificate, messages, renegotiation, security, server, session_server,
    session_use, status, verify,
};
use crate::core::client::chain_of;
use crate::core::connection::{Presented, Request, Step};
use crate::core::failure::{Failure, alert};
use crate::core::key_log::CollectedKeys;
use crate::core::settings::{TLS1_3, VERIFY_PEER};
use crate::sys::error;
use crate::sys::reasons;
use crate::sys::stack::Chain;
use crate::sys::x509::Certificate;

/// How far an operation came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// Not finished: [`crate::abi::handshake_state::HandshakeState::want`] says what is waited for.
    Again,
    /// The connection is over; the cause is in the error queue.
    Failed,
}

impl From<Blocked> for Outcome {
    fn from(blocked: Blocked) -> Self {
        match blocked {
            Blocked::Again => Self::Again,
            Blocked::Failed => Self::Failed,
        }
    }
}

/// What a callback made of a request: the engine's next step, or a wait.
pub(crate) type Answered = Result<Step, Outcome>;

/// Runs the handshake as far as it goes. Called with no lock held.
///
/// A callback that gets here again, by reading, writing or running the handshake, gets nowhere.
pub(crate) fn drive(ssl: &Arc<Ssl>, function: &'static CStr) -> Outcome {
    if std::mem::replace(&mut ssl.lock().in_handshake, true) {
        return Outcome::Failed;
    }
    let running = Running(ssl);
    let outcome = run(ssl, function);
    drop(running);
    notify::tell(ssl, Event::Exit(value(outcome)));
    outcome
}

/// Marks a connection as being in its handshake, until it is dropped.
struct Running<'a>(&'a Ssl);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // Runs while a panic unwinds too, when the lock may be poisoned: a second panic would abort.
        if let Some(mut state) = self.0.try_state() {
            state.in_handshake = false;
        }
    }
}

fn run(ssl: &Arc<Ssl>, function: &'static CStr) -> Outcome {
    if !ssl.lock().connection.is_started() {
        if ssl.lock().side.is_some() {
            notify::tell(ssl, Event::HandshakeStart);
        }
        if let Err(failure) = security::allows_start(ssl) {
            return fail(ssl, function, &failure);
        }
        security::settle(ssl);
        let is_client = ssl.lock().side == Some(Side::Client);
        if is_client && let Err(failure) = build::complete(ssl, None) {
            return fail(ssl, function, &failure);
        }
        status::start(ssl);
        if let Err(failure) = start(ssl) {
            return fail(ssl, function, &failure);
        }
        session_use::begin(ssl);
    }
    loop {
        if let Err(blocked) = transport::flush(ssl) {
            return blocked.into();
        }
        let mut step = {
            let mut state = ssl.lock();
            state.connection.asks = client_certificate::is_wanted(&state);
            state.connection.advance()
        };
        while let Step::Call(request) = step {
            log_keys(ssl, false);
            match &request {
                Request::Verify(_) => messages::show_certificate(ssl),
                Request::Hello | Request::Credentials => messages::show(ssl),
            }
            step = match answer(ssl, request) {
                Ok(step) => step,
                Err(outcome) => return outcome,
            };
        }
        log_keys(ssl, matches!(step, Step::Done | Step::Failed(_)));
        messages::show(ssl);
        match step {
            Step::Done => return done(ssl),
            Step::Failed(failure) => return fail(ssl, function, &failure),
            Step::Closed => return closed(ssl),
            Step::Warning(alert) => notify::tell(ssl, Event::AlertRead(notify::WARNING, alert)),
            Step::WantRead | Step::Call(_) => {
                // The peer may wait for what is to be sent.
                if let Err(blocked) = transport::flush(ssl) {
                    return blocked.into();
                }
                messages::rest(ssl);
                if let Err(blocked) = transport::fill(ssl, function) {
                    return blocked.into();
                }
            }
        }
    }
}

/// The handshake is complete. It ends for the program when what it had to say is sent; a server of
/// TLS 1.3 sends its tickets after that.
fn done(ssl: &Arc<Ssl>) -> Outcome {
    let tickets = {
        let state = ssl.lock();
        let tls13 = state.connection.version() == Some(TLS1_3);
        tls13 && state.side == Some(Side::Server) && !state.connection.output.is_empty()
    };
    if finish(ssl) {
        // Sessions are where they are looked for before the peer can come back with them.
        session_use::finished(ssl);
    }
    if !tickets && let Err(blocked) = transport::flush(ssl) {
        return blocked.into();
    }
    if !std::mem::replace(&mut ssl.lock().handshake.done_told, true) {
        messages::complete(ssl, tickets);
        notify::tell(ssl, Event::HandshakeDone);
    }
    match transport::flush(ssl) {
        Ok(()) => {
            messages::end(ssl);
            Outcome::Done
        }
        Err(blocked) => blocked.into(),
    }
}

/// The peer has closed before its handshake began.
fn closed(ssl: &Arc<Ssl>) -> Outcome {
    let mut state = ssl.lock();
    state.shutdown |= RECEIVED_SHUTDOWN;
    state.handshake.want = Want::Nothing;
    drop(state);
    notify::tell(ssl, Event::AlertRead(notify::WARNING, notify::CLOSE_NOTIFY));
    Outcome::Failed
}

/// Sends what a failed connection has to say, and queues its error, once.
pub(crate) fn fail(ssl: &Arc<Ssl>, function: &'static CStr, failure: &Failure) -> Outcome {
    messages::show(ssl);
    let first = !std::mem::replace(&mut ssl.lock().handshake.reported, true);
    ssl.lock().handshake.hand_failed |= failure.received().is_none();
    server::note_failed_hello(&mut ssl.lock());
    // The alert is sent if the transport takes it now; the failure stands either way.
    let _ = transport::flush(ssl);
    ssl.lock().handshake.want = Want::Nothing;
    if first {
        if let Some(alert) = failure.received() {
            // As in OpenSSL, the peer has closed its direction with a fatal alert.
            let mut state = ssl.lock();
            state.shutdown |= RECEIVED_SHUTDOWN;
            drop(state);
            notify::tell(ssl, Event::AlertRead(notify::FATAL, alert));
            ssl.lock().handshake.hand_failed = true;
        } else if let Some(alert) = failure.sent {
            notify::tell(ssl, Event::AlertWritten(notify::FATAL, alert));
        }
        report(function, failure);
    }
    Outcome::Failed
}

fn report(function: &'static CStr, failure: &Failure) {
    let text = match failure.received() {
        Some(alert) => format!("SSL alert number {alert}"),
        None => failure.text.clone(),
    };
    error::raise(function, failure.reason, (!text.is_empty()).then_some(&text));
}

/// A method of one side does not take the other's part.
fn takes_its_side(state: &SslState) -> Result<(), Failure> {
    match (state.method.side, state.side) {
        (Some(own), Some(chosen)) if own != chosen => Err(Failure::local(
            error::SHOULD_NOT_HAVE_BEEN_CALLED,
            "the method of this connection is of the other side",
        )),
        _ => takes_its_side_again(state),
    }
}

/// As in OpenSSL, a connection that is used again without `SSL_clear` has the method of the version
/// that it agreed on, which does not take every side.
fn takes_its_side_again(state: &SslState) -> Result<(), Failure> {
    let used = state.version_method.filter(|_| !state.connection.is_started());
    match (used, state.side) {
        (Some(method), Some(side)) if method.side != side => {
            Err(Failure::local(error::SHOULD_NOT_HAVE_BEEN_CALLED, String::new()))
        }
        _ => Ok(()),
    }
}

/// Starts the engine at the first call.
fn start(ssl: &Ssl) -> Result<(), Failure> {
    let mut state = ssl.lock();
    let state = &mut *state;
    if state.connection.is_started() {
        return Ok(());
    }
    takes_its_side(state)?;
    client_ca::settle(state);
    collect_keys(state);
    messages::start(ssl, state);
    let session = session_use::started(state);
    match state.side {
        Some(Side::Client) => state.connection.start_client(
            &state.settings,
            state.server_name.as_deref().and_then(|name| name.to_str().ok()),
            session,
            state.handshake.key_log.clone(),
        ),
        Some(Side::Server) => {
            state.connection.start_server();
            Ok(())
        }
        None => Err(Failure::local(
            reasons::CONNECTION_TYPE_NOT_SET,
            "neither SSL_set_connect_state nor SSL_set_accept_state was called",
        )),
    }
}

/// Has secrets collected when the program wants to see them: the current context says so, which
/// a server's callbacks may have changed.
pub(crate) fn collect_keys(state: &mut SslState) {
    if state.handshake.key_log.is_none() && state.ctx.lock().callbacks.keylog.is_some() {
        let server = state.side == Some(Side::Server);
        state.handshake.key_log = Some(Arc::new(CollectedKeys::new(server)));
    }
}

/// Passes the secrets collected so far to the program.
fn log_keys(ssl: &Arc<Ssl>, over: bool) {
    let (lines, callback) = {
        let state = ssl.lock();
        let Some(key_log) = &state.handshake.key_log else { return };
        (key_log.take(over), state.ctx.lock().callbacks.keylog)
    };
    let Some(callback) = callback else { return };
    for mut line in lines {
        let Ok(line) = CString::new(std::mem::take(&mut *line)).map(Zeroizing::new) else { return };
        // SAFETY: the program has set this function for this purpose; the line lives for the call.
        unsafe { callback(Handle::borrowed(ssl), line.as_ptr()) };
    }
}

fn answer(ssl: &Arc<Ssl>, request: Request) -> Answered {
    match request {
        Request::Verify(presented) => {
            let mut outcome = Ok(());
            if ssl.lock().handshake.client_stage < ClientStage::Verified {
                session_use::not_resumed(ssl);
                let tls13 = ssl.lock().connection.version() == Some(TLS1_3);
                if tls13 && ssl.lock().side == Some(Side::Client) {
                    status::note_staple(ssl, presented.staple.as_deref());
                }
                let verified = fits_cert_list(ssl, &presented)
                    .and_then(|()| verify::verify_peer(ssl, &presented.chain));
                outcome = match verified {
                    Ok(Verified::Accepted) => Ok(()),
                    Ok(Verified::Retry) => {
                        ssl.lock().handshake.want = Want::RetryVerify;
                        return Err(Outcome::Again);
                    }
                    Err(failure) => Err(failure),
                };
            }
            if outcome.is_err() {
                ssl.lock().connection.disregard_received();
            }
            if ssl.lock().side == Some(Side::Client) {
                return of_server(ssl, presented, outcome);
            }
            let mut state = ssl.lock();
            session_server::note_verified(&state);
            Ok(state.connection.verified(outcome, None))
        }
        Request::Hello => server::hello(ssl),
        Request::Credentials => server::authenticate(ssl),
    }
}

/// Refuses certificates that take more than `SSL_CTX_set_max_cert_list(3)` allows.
fn fits_cert_list(ssl: &Ssl, presented: &Presented) -> Result<(), Failure> {
    let (limit, tls13) = {
        let state = ssl.lock();
        (state.settings.preferences.max_cert_list, state.connection.version() == Some(TLS1_3))
    };
    let length = presented.message_length(tls13);
    if c_long::try_from(length).is_ok_and(|length| length <= limit) {
        return Ok(());
    }
    Err(Failure::new(alert::ILLEGAL_PARAMETER, reasons::EXCESSIVE_MESSAGE_SIZE, String::new()))
}

/// Goes on with a server's certificates that were verified: what to show to it when it asks, and
/// what to make of its staple.
fn of_server(ssl: &Arc<Ssl>, presented: Presented, outcome: Result<(), Failure>) -> Answered {
    let mut shown = None;
    let mut outcome = outcome;
    if outcome.is_ok() && presented.asks {
        if ssl.lock().handshake.client_stage < ClientStage::Verified {
            messages::show_request(ssl);
            ssl.lock().handshake.client_stage = ClientStage::Verified;
        }
        match client_certificate::choose(ssl)? {
            Ok(chosen) => shown = chosen,
            Err(failure) => outcome = Err(failure),
        }
    }
    messages::show(ssl);
    if outcome.is_ok() {
        outcome = status::judge(ssl, presented.staple);
    }
    Ok(ssl.lock().connection.verified(outcome, shown))
}

/// `SSL_CTRL_SET_RETRY_VERIFY`: a client's verification callback that returns success is called
/// again, and the handshake waits until then.
pub(crate) fn set_retry_verify(ssl: &Ssl, _: c_long, _: *mut c_void) -> c_long {
    let mut state = ssl.lock();
    state.handshake.want = Want::RetryVerify;
    state.handshake.retry_verify = true;
    1
}

/// Keeps what a resumed session says of the peer. Whether this is the first time.
fn finish(ssl: &Ssl) -> bool {
    let mut state = ssl.lock();
    state.handshake.want = Want::Nothing;
    let first = !std::mem::replace(&mut state.handshake.finished, true);
    if state.handshake.peer.is_some() {
        return first;
    }
    let chain = state
        .connection
        .traffic()
        .and_then(|traffic| traffic.outputs.peer_identity())
        .and_then(|identity| chain_of(identity.identity()).ok())
        .unwrap_or_default();
    let known = state.sessions.current.as_ref().and_then(|session| session.peer_of(&chain));
    let server = state.side == Some(Side::Server);
    if let Some(peer) = known.or_else(|| Peer::parse(chain.first()?)) {
        state.handshake.peer_chain = peer.chain.or_else(|| {
            let rest = chain.iter().skip(1).filter_map(|der| Certificate::from_der(der));
            let own = (!server).then(|| peer.certificate.clone());
            let all: Vec<Certificate> = own.into_iter().chain(rest).collect();
            Chain::new(&all).map(Arc::new)
        });
        state.handshake.peer = Some(peer.certificate);
    } else if server && !state.connection.is_resumed() && asks_for_certificate(&state) {
        // As in OpenSSL, a client that was asked and has shown nothing has an empty chain.
        state.handshake.peer_chain = Chain::new(&[] as &[Certificate]).map(Arc::new);
    }
    first
}

/// Whether a server asks its client for a certificate.
fn asks_for_certificate(state: &SslState) -> bool {
    state.settings.verify_mode & VERIFY_PEER != 0
}

/// The value of `SSL_do_handshake` and its like.
fn value(outcome: Outcome) -> c_int {
    match outcome {
        Outcome::Done => 1,
        Outcome::Again | Outcome::Failed => -1,
    }
}

/// Runs the handshake for a function of C, on that side if none was chosen.
pub(crate) fn handshake(ssl: Handle<Ssl>, side: Option<Side>, function: &'static CStr) -> c_int {
    let Some(ssl) = ssl.hold() else { return -1 };
    {
        let mut state = ssl.lock();
        state.side = state.side.or(side);
        if let Err(failure) = takes_its_side(&state) {
            drop(state);
            report(function, &failure);
            return 0;
        }
        renew_keys(&mut state);
        if renegotiation::fails(&mut state) {
            state.handshake.want = Want::Nothing;
            drop(state);
            error::clear();
            renegotiation::report(function);
            return -1;
        }
        if state.handshake.done_told && state.connection.output.is_empty() {
            return 1;
        }
    }
    error::clear();
    value(drive(&ssl, function))
}

exported! {
    fn SSL_do_handshake(ssl: Handle<Ssl>) -> c_int => -1, {
        handshake(ssl, None, c"SSL_do_handshake")
    }

    fn SSL_connect(ssl: Handle<Ssl>) -> c_int => -1, {
        handshake(ssl, Some(Side::Client), c"SSL_connect")
    }

    fn SSL_accept(ssl: Handle<Ssl>) -> c_int => -1, {
        handshake(ssl, Some(Side::Server), c"SSL_accept")
    }

    fn SSL_CTX_set_keylog_callback(ctx: Handle<Ctx>, callback: Option<KeylogCb>) -> () => (), {
        if let Some(ctx) = ctx.get() {
            ctx.lock().callbacks.keylog = callback;
        }
    }

    fn SSL_CTX_get_keylog_callback(ctx: Handle<Ctx>) -> Option<KeylogCb> => None, {
        ctx.get().and_then(|ctx| ctx.lock().callbacks.keylog)
    }
}
