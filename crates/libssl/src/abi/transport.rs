//! Moving bytes between a connection and its BIOs. The BIOs may run the program's code, so the
//! connection is not locked while they work.

use std::ffi::CStr;
use std::sync::Arc;

use crate::abi::handshake::fail;
use crate::abi::handshake_state::Want;
use crate::abi::io::RECEIVED_SHUTDOWN;
use crate::abi::messages;
use crate::abi::objects::Ssl;
use crate::core::failure::{Failure, alert};
use crate::core::settings::OP_IGNORE_UNEXPECTED_EOF;
use crate::sys::bio::Transfer;
use crate::sys::error;
use crate::sys::reasons;

/// Why bytes were not moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blocked {
    /// The transport is not ready: [`crate::abi::handshake_state::HandshakeState::want`] says for what.
    Again,
    /// The transport has failed or ended.
    Failed,
}

/// How much is read at once when read-ahead is on: a record and its header.
const READ_AHEAD: usize = 16 * 1024 + 256 + 5;

/// Writes everything that is to be sent.
pub(crate) fn flush(ssl: &Arc<Ssl>) -> Result<(), Blocked> {
    loop {
        let (bio, bytes) = {
            let mut state = ssl.lock();
            if state.connection.output.is_empty() {
                return Ok(());
            }
            let Some(bio) = state.wbio.clone() else {
                error::raise(c"SSL_write", reasons::BIO_NOT_SET, None);
                return Err(Blocked::Failed);
            };
            state.handshake.want = Want::Writing;
            (bio, state.connection.take_output())
        };
        let mut written = 0;
        let mut blocked = None;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            match bio.write(rest) {
                Transfer::Moved(count) => written += count.min(rest.len()),
                Transfer::Retry => blocked = Some(Blocked::Again),
                Transfer::End | Transfer::Failed => blocked = Some(Blocked::Failed),
            }
            if blocked.is_some() {
                break;
            }
        }
        if blocked.is_none() {
            bio.flush();
        }
        match blocked {
            Some(blocked) => {
                let rest = bytes.get(written..).unwrap_or_default().to_vec();
                ssl.lock().connection.put_back(rest);
                messages::show(ssl);
                return Err(blocked);
            }
            None => ssl.lock().handshake.want = Want::Nothing,
        }
        messages::show(ssl);
    }
}

/// Reads what the record at hand still needs, or more with read-ahead. A record of application data
/// is read to its end, as far as it has come. What comes after the peer has closed is thrown away.
pub(crate) fn fill(ssl: &Arc<Ssl>, function: &'static CStr) -> Result<(), Blocked> {
    let (bio, mut buffer, whole) = {
        let mut state = ssl.lock();
        let Some(bio) = state.rbio.clone() else {
            error::raise(function, reasons::READ_BIO_NOT_SET, None);
            return Err(Blocked::Failed);
        };
        state.handshake.want = Want::Reading;
        let missing = state.connection.input.missing();
        let size = if state.read_ahead != 0 { missing.max(READ_AHEAD) } else { missing };
        let whole = state.connection.takes_records_whole();
        (bio, state.connection.input.lend(size), whole)
    };
    let mut transfer = bio.read(buffer.room());
    while let Transfer::Moved(count) = transfer {
        buffer.wrote(count);
        if !(whole && buffer.extend()) {
            break;
        }
        transfer = bio.read(buffer.room());
    }
    let closed = {
        let mut state = ssl.lock();
        let closed = state.shutdown & RECEIVED_SHUTDOWN != 0;
        if closed {
            buffer.forget();
        }
        state.connection.take_back(buffer);
        if let Transfer::Moved(_) = transfer {
            state.handshake.want = Want::Nothing;
        }
        closed
    };
    match transfer {
        Transfer::Moved(_) if closed => Err(Blocked::Failed),
        Transfer::Moved(_) => Ok(()),
        Transfer::Retry => Err(Blocked::Again),
        Transfer::Failed if !bio.is_at_end() => Err(Blocked::Failed),
        Transfer::End if !bio.is_at_end() => Err(Blocked::Failed),
        Transfer::End | Transfer::Failed => {
            end(ssl, function);
            Err(Blocked::Failed)
        }
    }
}

/// Ends the connection: the transport has ended without a close_notify.
fn end(ssl: &Arc<Ssl>, function: &'static CStr) {
    let failure = {
        let mut state = ssl.lock();
        state.handshake.want = Want::Nothing;
        state.handshake.eof = true;
        state.connection.input.end();
        if state.settings.has_option(OP_IGNORE_UNEXPECTED_EOF) {
            state.shutdown |= RECEIVED_SHUTDOWN;
            return;
        }
        let reason = reasons::UNEXPECTED_EOF_WHILE_READING;
        let failure = Failure::new(alert::DECODE_ERROR, reason, String::new());
        state.connection.end(failure)
    };
    fail(ssl, function, &failure);
}
