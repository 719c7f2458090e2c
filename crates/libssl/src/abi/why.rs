//! Why a call did not do what it should, and what it waits for: `SSL_get_error(3)`, `SSL_want(3)`.

use std::ffi::c_int;

use crate::abi::arguments::Handle;
use crate::abi::guard::exported;
use crate::abi::handshake_state::Want;
use crate::abi::io::RECEIVED_SHUTDOWN;
use crate::abi::objects::Ssl;
use crate::sys::error;

/// `SSL_get_error(3)`.
fn error_of(ssl: &Ssl, value: c_int) -> c_int {
    const NONE: c_int = 0;
    const SSL: c_int = 1;
    const WANT_READ: c_int = 2;
    const WANT_WRITE: c_int = 3;
    const WANT_X509_LOOKUP: c_int = 4;
    const SYSCALL: c_int = 5;
    const ZERO_RETURN: c_int = 6;
    const WANT_CONNECT: c_int = 7;
    const WANT_ACCEPT: c_int = 8;
    const WANT_CLIENT_HELLO_CB: c_int = 11;
    const WANT_RETRY_VERIFY: c_int = 12;
    /// `BIO_RR_CONNECT` and `BIO_RR_ACCEPT`.
    const REASON_CONNECT: c_int = 2;
    const REASON_ACCEPT: c_int = 3;
    if value > 0 {
        return NONE;
    }
    match error::first() {
        Some(error::First::System) => return SYSCALL,
        Some(error::First::Library) => return SSL,
        None => {}
    }
    let (want, bio, closed) = {
        let state = ssl.lock();
        let bio = match state.handshake.want {
            Want::Reading => state.rbio.clone(),
            Want::Writing => state.wbio.clone(),
            _ => None,
        };
        let closed = state.shutdown & RECEIVED_SHUTDOWN != 0;
        (state.handshake.want, bio, closed)
    };
    if let Some(bio) = bio {
        if bio.should_read() && (want == Want::Reading || !bio.should_write()) {
            return WANT_READ;
        }
        if bio.should_write() {
            return WANT_WRITE;
        }
        if bio.should_io_special() {
            return match bio.retry_reason() {
                REASON_CONNECT => WANT_CONNECT,
                REASON_ACCEPT => WANT_ACCEPT,
                _ => SYSCALL,
            };
        }
    }
    match want {
        Want::X509Lookup => WANT_X509_LOOKUP,
        Want::ClientHello => WANT_CLIENT_HELLO_CB,
        Want::RetryVerify => WANT_RETRY_VERIFY,
        _ if closed => ZERO_RETURN,
        _ => SYSCALL,
    }
}

exported! {
    fn SSL_get_error(ssl: Handle<Ssl>, value: c_int) -> c_int => 1, {
        ssl.get().map_or(1, |ssl| error_of(ssl, value))
    }

    fn SSL_want(ssl: Handle<Ssl>) -> c_int => 1, {
        ssl.get().map_or(1, |ssl| match ssl.lock().handshake.want {
            Want::Nothing => 1,
            Want::Writing => 2,
            Want::Reading => 3,
            Want::X509Lookup => 4,
            Want::ClientHello => 7,
            Want::RetryVerify => 8,
        })
    }
}
