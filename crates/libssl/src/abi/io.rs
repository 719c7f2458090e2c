//! Application data and the end of a connection: `SSL_read(3)`, `SSL_write(3)`, `SSL_pending(3)`,
//! `SSL_shutdown(3)`. Why a call did not do what it should is told in [`crate::abi::why`].

use std::ffi::{CStr, c_int};
use std::sync::Arc;

use crate::abi::arguments::{Bytes, Handle, Out, Room, int};
use crate::abi::guard::exported;
use crate::abi::handshake::{Outcome, drive, fail};
use crate::abi::handshake_state::{Want, WriteProgress};
use crate::abi::notify::{self, CLOSE_NOTIFY, Event, WARNING};
use crate::abi::objects::{Ssl, SslState};
use crate::abi::renegotiation::Renegotiation;
use crate::abi::transport::{self, Blocked};
use crate::abi::{messages, session_use};
use crate::core::failure::Failure;
use crate::core::settings::{OP_CLEANSE_PLAINTEXT, TLS1_2};
use crate::core::traffic::Received;
use crate::sys::error;
use crate::sys::reasons;

/// `SSL_SENT_SHUTDOWN`.
pub(crate) const SENT_SHUTDOWN: c_int = 1;
/// `SSL_RECEIVED_SHUTDOWN`.
pub(crate) const RECEIVED_SHUTDOWN: c_int = 2;
/// `SSL_MODE_ENABLE_PARTIAL_WRITE`.
const MODE_PARTIAL_WRITE: u32 = 1;
/// `SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER`.
const MODE_MOVING_BUFFER: u32 = 2;

/// `SSL_MODE_AUTO_RETRY`.
const MODE_AUTO_RETRY: u32 = 4;

/// What a function that moves data returns when it does not: 0 or -1.
type Stopped = c_int;

/// Reads, or looks at, what there is; at least one byte. A client's new sessions may come with it.
fn read(
    ssl: &Arc<Ssl>,
    room: &Room,
    size: usize,
    peek: bool,
    function: &'static CStr,
) -> Result<usize, Stopped> {
    let outcome = read_data(ssl, room, size, peek, function);
    messages::show(ssl);
    let received = {
        let state = &mut *ssl.lock();
        state.connection.clean_up(&state.settings);
        session_use::received(state)
    };
    if !received.is_empty() && outcome.is_ok() {
        error::clear();
    }
    session_use::accept(ssl, received);
    outcome
}

fn read_data(
    ssl: &Arc<Ssl>,
    room: &Room,
    size: usize,
    peek: bool,
    function: &'static CStr,
) -> Result<usize, Stopped> {
    complete(ssl, function)?;
    loop {
        let (received, worked, handled, answers) = {
            let mut state = ssl.lock();
            if state.shutdown & RECEIVED_SHUTDOWN != 0 {
                state.handshake.want = Want::Nothing;
                return Err(0);
            }
            if state.handshake.reported {
                state.handshake.want = Want::Nothing;
                return Err(-1);
            }
            let had_some = !state.connection.input.unread().is_empty();
            let cleanses = state.settings.has_option(OP_CLEANSE_PLAINTEXT);
            state.connection.input.cleanses = cleanses;
            let worked = !state.connection.awaits_more();
            let mut count = 0;
            let mut reader = |data: &[u8]| {
                count = room.fill(size, data);
                if peek { 0 } else { count }
            };
            let received = match worked.then(|| state.connection.receive(&mut reader)) {
                Some(Ok(Received::Data)) => {
                    state.handshake.want = Want::Nothing;
                    return Ok(count);
                }
                Some(Ok(Received::Closed)) => {
                    state.shutdown |= RECEIVED_SHUTDOWN;
                    state.handshake.want = Want::Nothing;
                    drop(state);
                    notify::tell(ssl, Event::AlertRead(WARNING, CLOSE_NOTIFY));
                    return Err(0);
                }
                Some(Ok(Received::WantRead)) | None => Ok(()),
                Some(Err(failure)) => Err(failure),
            };
            let handled = had_some && state.connection.input.unread().is_empty();
            (received, worked, handled, !state.connection.output.is_empty())
        };
        if let Err(failure) = received {
            fail(ssl, function, &failure);
            // As in OpenSSL, an alert of the peer is an end and no failure of this call.
            return Err(if failure.received().is_some() { 0 } else { -1 });
        }
        if answers {
            // What receiving has left to send, an answer to a KeyUpdate, may wait for the next write.
            let _ = transport::flush(ssl);
        }
        if worked {
            // The program hears of a session now, not when data has come: that may take long.
            session_use::collect(ssl);
        }
        if handled && without_retry(ssl) {
            return Err(-1);
        }
        if let Err(blocked) = transport::fill(ssl, function) {
            let ended = blocked == Blocked::Failed && ssl.lock().handshake.eof;
            return Err(if ended { 0 } else { -1 });
        }
    }
}

/// Whether a program that has turned `SSL_MODE_AUTO_RETRY` off is to come back, now that a record
/// without data, such as a ticket, has been handled. It then sees that reading is to be retried.
fn without_retry(ssl: &Arc<Ssl>) -> bool {
    let bio = {
        let mut state = ssl.lock();
        if state.settings.mode & MODE_AUTO_RETRY != 0 {
            return false;
        }
        state.handshake.want = Want::Reading;
        state.rbio.clone()
    };
    if let Some(bio) = bio {
        bio.ask_to_read_again();
    }
    true
}

/// Completes the handshake first, when that has not been done.
fn complete(ssl: &Arc<Ssl>, function: &'static CStr) -> Result<(), Stopped> {
    let chosen = {
        let mut state = ssl.lock();
        if state.handshake.done_told {
            state.handshake.renegotiation = Renegotiation::None;
            renew_keys(&mut state);
            return Ok(());
        }
        state.side.is_some()
    };
    if !chosen {
        error::raise(function, reasons::UNINITIALIZED, None);
        return Err(-1);
    }
    match drive(ssl, function) {
        Outcome::Done => Ok(()),
        Outcome::Again | Outcome::Failed => Err(-1),
    }
}

/// Renews the keys when `SSL_key_update` has asked for it.
pub(crate) fn renew_keys(state: &mut SslState) {
    if state.handshake.key_update.take().is_some() {
        // An engine that has failed says so at the next write.
        let _ = state.connection.update_keys();
    }
}

/// Writes `data`: all of it, or one record with `SSL_MODE_ENABLE_PARTIAL_WRITE`.
fn write(ssl: &Arc<Ssl>, data: &[u8], function: &'static CStr) -> Result<usize, Stopped> {
    complete(ssl, function)?;
    let mut progress = {
        let mut state = ssl.lock();
        if state.shutdown & SENT_SHUTDOWN != 0 {
            drop(state);
            error::raise(function, reasons::PROTOCOL_IS_SHUTDOWN, None);
            return Err(-1);
        }
        state.handshake.want = Want::Nothing;
        if data.is_empty() && !state.handshake.write.active {
            return Ok(0);
        }
        resume(state.handshake.write, data, state.settings.mode).map_err(|reason| {
            error::raise(function, reason, None);
            -1
        })?
    };
    let (partial, record) = {
        let settings = Arc::clone(&ssl.lock().settings);
        (settings.mode & MODE_PARTIAL_WRITE != 0, settings.preferences.max_send_fragment)
    };
    loop {
        match transport::flush(ssl) {
            Ok(()) => {}
            Err(_) => {
                ssl.lock().handshake.write = progress;
                return Err(-1);
            }
        }
        if progress.active && (progress.encrypted == data.len() || partial) {
            ssl.lock().handshake.write = WriteProgress::default();
            return Ok(progress.encrypted);
        }
        let rest = data.get(progress.encrypted..).unwrap_or_default();
        let part = rest.get(..rest.len().min(record)).unwrap_or_default();
        let sent = ssl.lock().connection.send(part);
        if let Err(failure) = sent {
            fail(ssl, function, &failure);
            return Err(-1);
        }
        progress.encrypted += part.len();
        progress.active = true;
    }
}

/// How far a write has come that is called again.
fn resume(before: WriteProgress, data: &[u8], mode: u32) -> Result<WriteProgress, c_int> {
    let buffer = data.as_ptr().addr();
    if !before.active {
        return Ok(WriteProgress { encrypted: 0, buffer, active: false });
    }
    let moved = before.buffer != buffer && mode & MODE_MOVING_BUFFER == 0;
    if data.len() < before.encrypted {
        return Err(reasons::BAD_LENGTH);
    }
    if moved {
        return Err(reasons::BAD_WRITE_RETRY);
    }
    Ok(before)
}

/// One step of closing: 1 when both directions are closed, 0 when this one is, -1 otherwise.
fn shutdown(ssl: &Arc<Ssl>, function: &'static CStr) -> c_int {
    {
        let mut state = ssl.lock();
        if state.side.is_none() {
            drop(state);
            error::raise(function, reasons::UNINITIALIZED, None);
            return -1;
        }
        if state.quiet_shutdown != 0 {
            state.shutdown = SENT_SHUTDOWN | RECEIVED_SHUTDOWN;
            return 1;
        }
        if !state.connection.is_complete() || state.handshake.reported {
            drop(state);
            error::raise(function, reasons::SHUTDOWN_WHILE_IN_INIT, None);
            return -1;
        }
    }
    let first = ssl.lock().shutdown & SENT_SHUTDOWN == 0;
    if first {
        let mut state = ssl.lock();
        state.shutdown |= SENT_SHUTDOWN;
        if let Err(failure) = state.connection.close() {
            drop(state);
            fail(ssl, function, &failure);
            return -1;
        }
    }
    if transport::flush(ssl).is_err() {
        return -1;
    }
    if first {
        notify::tell(ssl, Event::AlertWritten(WARNING, CLOSE_NOTIFY));
    }
    if !first && ssl.lock().shutdown & RECEIVED_SHUTDOWN == 0 {
        match await_close(ssl, function) {
            Ok(()) => {}
            Err(value) => return value,
        }
    }
    int(ssl.lock().shutdown & RECEIVED_SHUTDOWN != 0)
}

/// Reads until the peer's close_notify. Data that comes instead is an error, as in OpenSSL.
fn await_close(ssl: &Arc<Ssl>, function: &'static CStr) -> Result<(), Stopped> {
    loop {
        let received = ssl.lock().connection.receive(&mut |_| 0);
        session_use::collect(ssl);
        match received {
            Ok(Received::Closed) => {
                let mut state = ssl.lock();
                state.shutdown |= RECEIVED_SHUTDOWN;
                drop(state);
                notify::tell(ssl, Event::AlertRead(WARNING, CLOSE_NOTIFY));
                return Ok(());
            }
            Ok(Received::Data) => {
                let reason = reasons::APPLICATION_DATA_AFTER_CLOSE_NOTIFY;
                let failure = Failure::local(reason, "data arrived after this side has closed");
                fail(ssl, function, &failure);
                return Err(-1);
            }
            Ok(Received::WantRead) => {
                if transport::fill(ssl, function).is_err() {
                    let received = ssl.lock().shutdown & RECEIVED_SHUTDOWN != 0;
                    return if received { Ok(()) } else { Err(-1) };
                }
            }
            Err(failure) => {
                fail(ssl, function, &failure);
                return Err(-1);
            }
        }
    }
}

/// A length of C's `int`, or an error.
fn length(count: c_int, function: &'static CStr) -> Result<usize, Stopped> {
    usize::try_from(count).map_err(|_| {
        error::raise(function, reasons::BAD_LENGTH, None);
        -1
    })
}

/// What `SSL_read` and `SSL_write` return.
fn count(outcome: Result<usize, Stopped>) -> c_int {
    match outcome {
        Ok(count) => c_int::try_from(count).unwrap_or(c_int::MAX),
        Err(stopped) => stopped,
    }
}

/// What `SSL_read_ex` and `SSL_write_ex` return, with the count in its place.
fn success(outcome: Result<usize, Stopped>, out: &Out<usize>) -> c_int {
    match outcome {
        Ok(count) => {
            out.set(count);
            1
        }
        Err(_) => 0,
    }
}

exported! {
    fn SSL_read(ssl: Handle<Ssl>, buffer: Room, size: c_int) -> c_int => -1, {
        let Some(ssl) = ssl.hold() else { return -1 };
        let name = c"SSL_read";
        count(length(size, name).and_then(|size| read(&ssl, &buffer, size, false, name)))
    }

    fn SSL_read_ex(
        ssl: Handle<Ssl>,
        buffer: Room,
        size: usize,
        out: Out<usize>,
    ) -> c_int => 0, {
        let Some(ssl) = ssl.hold() else { return 0 };
        success(read(&ssl, &buffer, size, false, c"SSL_read_ex"), &out)
    }

    fn SSL_peek(ssl: Handle<Ssl>, buffer: Room, size: c_int) -> c_int => -1, {
        let Some(ssl) = ssl.hold() else { return -1 };
        let name = c"SSL_peek";
        count(length(size, name).and_then(|size| read(&ssl, &buffer, size, true, name)))
    }

    fn SSL_peek_ex(
        ssl: Handle<Ssl>,
        buffer: Room,
        size: usize,
        out: Out<usize>,
    ) -> c_int => 0, {
        let Some(ssl) = ssl.hold() else { return 0 };
        success(read(&ssl, &buffer, size, true, c"SSL_peek_ex"), &out)
    }

    fn SSL_write(ssl: Handle<Ssl>, data: Bytes, size: c_int) -> c_int => -1, {
        let Some(ssl) = ssl.hold() else { return -1 };
        let name = c"SSL_write";
        count(length(size, name).and_then(|size| write(&ssl, data.get(size).ok_or(-1)?, name)))
    }

    fn SSL_write_ex(ssl: Handle<Ssl>, data: Bytes, size: usize, out: Out<usize>) -> c_int => 0, {
        let Some(ssl) = ssl.hold() else { return 0 };
        let outcome =
            data.get(size).ok_or(-1).and_then(|data| write(&ssl, data, c"SSL_write_ex"));
        success(outcome, &out)
    }

    fn SSL_pending(ssl: Handle<Ssl>) -> c_int => 0, {
        let pending = ssl.get().map_or(0, |ssl| ssl.lock().connection.pending().len());
        c_int::try_from(pending).unwrap_or(c_int::MAX)
    }

    fn SSL_has_pending(ssl: Handle<Ssl>) -> c_int => 0, {
        int(ssl.get().is_some_and(|ssl| {
            let state = ssl.lock();
            !state.connection.pending().is_empty() || state.connection.input.has_pending()
        }))
    }

    fn SSL_shutdown(ssl: Handle<Ssl>) -> c_int => -1, {
        ssl.hold().map_or(-1, |ssl| shutdown(&ssl, c"SSL_shutdown"))
    }

    fn SSL_get_shutdown(ssl: Handle<Ssl>) -> c_int => 0, {
        ssl.get().map_or(0, |ssl| ssl.lock().shutdown)
    }

    fn SSL_set_shutdown(ssl: Handle<Ssl>, mode: c_int) -> () => (), {
        if let Some(ssl) = ssl.get() {
            ssl.lock().shutdown = mode;
        }
    }

    /// `SSL_KEY_UPDATE_NOT_REQUESTED` (0) and `SSL_KEY_UPDATE_REQUESTED` (1): the engine always
    /// asks the peer to renew its keys too.
    fn SSL_key_update(ssl: Handle<Ssl>, kind: c_int) -> c_int => 0, {
        let Some(ssl) = ssl.hold() else { return 0 };
        let name = c"SSL_key_update";
        let reason = {
            let mut state = ssl.lock();
            if state.connection.version() == Some(TLS1_2) {
                reasons::WRONG_SSL_VERSION
            } else if !matches!(kind, 0 | 1) {
                reasons::INVALID_KEY_UPDATE_TYPE
            } else if !state.connection.is_complete() {
                reasons::STILL_IN_INIT
            } else if state.handshake.write.active {
                reasons::BAD_WRITE_RETRY
            } else {
                state.handshake.key_update = Some(kind);
                return 1;
            }
        };
        error::raise(name, reason, None);
        0
    }

    /// The update that waits for the next read or write; -1 for none.
    fn SSL_get_key_update_type(ssl: Handle<Ssl>) -> c_int => -1, {
        ssl.get().and_then(|ssl| ssl.lock().handshake.key_update).unwrap_or(-1)
    }
}
