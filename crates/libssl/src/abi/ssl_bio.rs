//! A connection as a BIO: `BIO_f_ssl(3)`.
//!
//! The BIO's data is the pointer to its `SSL`, with a reference when the BIO is to close it. The
//! BIO after it in the chain is the connection's transport.

use std::ffi::{c_char, c_int, c_long, c_void};
use std::ptr::null_mut;
use std::sync::OnceLock;

use crate::abi::arguments::{Bytes, Handle, Out, Room};
use crate::abi::connection::{
    SSL_get_rbio, SSL_get_wbio, SSL_set_accept_state, SSL_set_bio, SSL_set_connect_state,
};
use crate::abi::copy::SSL_dup;
use crate::abi::guard::exported;
use crate::abi::handshake::SSL_do_handshake;
use crate::abi::io::{SSL_pending, SSL_read, SSL_shutdown, SSL_write};
use crate::abi::method::Side;
use crate::abi::objects::{Ctx, SSL_free, SSL_new, Ssl};
use crate::abi::session_use::SSL_copy_session_id;
use crate::abi::why::SSL_get_error;
use crate::sys::libcrypto as ffi;

type Bio = *mut ffi::BIO;

/// `BIO_TYPE_SSL`.
const TYPE: c_int = 7 | 0x0200;
/// `BIO_CLOSE`.
const CLOSE: c_long = 1;

/// Commands of `BIO_ctrl`.
const RESET: c_int = 1;
const INFO: c_int = 3;
const PUSH: c_int = 6;
const POP: c_int = 7;
const GET_CLOSE: c_int = 8;
const SET_CLOSE: c_int = 9;
const PENDING: c_int = 10;
const FLUSH: c_int = 11;
const DUP: c_int = 12;
const WPENDING: c_int = 13;
const SET_CALLBACK: c_int = 14;
const DO_STATE_MACHINE: c_int = 101;
const SET_SSL: c_int = 109;
const GET_SSL: c_int = 110;
const SSL_MODE: c_int = 119;
const SET_RENEGOTIATE_BYTES: c_int = 125;
const GET_NUM_RENEGOTIATES: c_int = 126;
const SET_RENEGOTIATE_TIMEOUT: c_int = 127;

/// Flags of a BIO, and why one waits for something special.
const FLAGS_READ: c_int = 0x01;
const FLAGS_WRITE: c_int = 0x02;
const FLAGS_IO_SPECIAL: c_int = 0x04;
const FLAGS_SHOULD_RETRY: c_int = 0x08;
const FLAGS_RETRY: c_int = FLAGS_READ | FLAGS_WRITE | FLAGS_IO_SPECIAL | FLAGS_SHOULD_RETRY;
const REASON_X509_LOOKUP: c_int = 1;
const REASON_CONNECT: c_int = 2;
const REASON_ACCEPT: c_int = 3;

/// A table of functions, which is never freed.
struct Method(*mut ffi::BIO_METHOD);

// SAFETY: the table is complete before it is shared, and only read from then on.
unsafe impl Send for Method {}
// SAFETY: as above.
unsafe impl Sync for Method {}

fn method() -> *const ffi::BIO_METHOD {
    static METHOD: OnceLock<Method> = OnceLock::new();
    METHOD
        .get_or_init(|| {
            // SAFETY: the table is new; the functions have the types that it asks for.
            let table = unsafe {
                let table = ffi::BIO_meth_new(TYPE, c"ssl".as_ptr());
                if !table.is_null() {
                    ffi::BIO_meth_set_write__fixed_rust(table, Some(bio_write));
                    ffi::BIO_meth_set_read__fixed_rust(table, Some(bio_read));
                    ffi::BIO_meth_set_puts__fixed_rust(table, Some(bio_puts));
                    ffi::BIO_meth_set_ctrl__fixed_rust(table, Some(bio_ctrl));
                    ffi::BIO_meth_set_create__fixed_rust(table, Some(bio_create));
                    ffi::BIO_meth_set_destroy__fixed_rust(table, Some(bio_destroy));
                    ffi::BIO_meth_set_callback_ctrl(table, Some(bio_callback_ctrl));
                }
                table
            };
            Method(table)
        })
        .0
}

/// The connection of a BIO of ours.
///
/// # Safety
/// `bio` is a BIO of this type, and its connection is alive.
unsafe fn connection(bio: Bio) -> Handle<Ssl> {
    // SAFETY: the caller promises it: the data is NULL or what SET_SSL was given.
    unsafe { Handle::from_raw(ffi::BIO_get_data(bio).cast()) }
}

/// Says what a connection waits for in the flags of its BIO, after an operation returned `value`.
///
/// # Safety
/// As for [`connection`].
unsafe fn tell_wait(bio: Bio, ssl: Handle<Ssl>, value: c_int) {
    const WANT_READ: c_int = 2;
    const WANT_WRITE: c_int = 3;
    const WANT_X509_LOOKUP: c_int = 4;
    const WANT_CONNECT: c_int = 7;
    const WANT_ACCEPT: c_int = 8;
    // SAFETY: the caller promises it.
    unsafe {
        let (flags, reason) = match SSL_get_error(ssl, value) {
            WANT_READ => (FLAGS_READ, 0),
            WANT_WRITE => (FLAGS_WRITE, 0),
            WANT_X509_LOOKUP => (FLAGS_IO_SPECIAL, REASON_X509_LOOKUP),
            WANT_CONNECT => (FLAGS_IO_SPECIAL, REASON_CONNECT),
            WANT_ACCEPT => (FLAGS_IO_SPECIAL, REASON_ACCEPT),
            _ => (0, 0),
        };
        if flags != 0 {
            ffi::BIO_set_flags(bio, flags | FLAGS_SHOULD_RETRY);
        }
        ffi::BIO_set_retry_reason(bio, reason);
    }
}

/// `BIO_CTRL_RESET`: closes, and begins anew on the same side.
///
/// # Safety
/// As for [`connection`].
unsafe fn reset(bio: Bio, ssl: Handle<Ssl>, number: c_long, pointer: *mut c_void) -> c_long {
    let side = ssl.get().and_then(|ssl| ssl.lock().side);
    // SAFETY: the caller promises it.
    unsafe {
        SSL_shutdown(ssl);
        match side {
            Some(Side::Client) => SSL_set_connect_state(ssl),
            Some(Side::Server) => SSL_set_accept_state(ssl),
            None => {}
        }
        let next = ffi::BIO_next(bio);
        let transport = if next.is_null() { SSL_get_rbio(ssl) } else { next };
        if transport.is_null() {
            return 1;
        }
        ffi::BIO_ctrl(transport, RESET, number, pointer)
    }
}

/// `BIO_C_SET_SSL`: takes a connection, in place of the one before. Its transport comes next in
/// the chain.
///
/// # Safety
/// `bio` is a BIO of this type; `ssl` is a connection, of which a reference is given away when
/// `close` says so.
unsafe fn set_connection(bio: Bio, ssl: *mut c_void, close: c_long) {
    // SAFETY: the caller promises it.
    unsafe {
        if !ffi::BIO_get_data(bio).is_null() {
            bio_destroy(bio);
        }
        ffi::BIO_set_shutdown(bio, c_int::from(close != 0));
        ffi::BIO_set_data(bio, ssl);
        let transport = SSL_get_rbio(connection(bio));
        if !transport.is_null() {
            let next = ffi::BIO_next(bio);
            if !next.is_null() {
                ffi::BIO_push(transport, next);
            }
            ffi::BIO_set_next(bio, transport);
            ffi::BIO_up_ref(transport);
        }
        ffi::BIO_set_init(bio, 1);
    }
}

exported! {
    fn bio_create(bio: Bio) -> c_int => 0, {
        // SAFETY: libcrypto passes a new BIO.
        unsafe {
            ffi::BIO_set_init(bio, 0);
            ffi::BIO_set_data(bio, null_mut());
            ffi::BIO_clear_flags(bio, !0);
        }
        1
    }

    fn bio_destroy(bio: Bio) -> c_int => 0, {
        if bio.is_null() {
            return 0;
        }
        // SAFETY: libcrypto passes a BIO of this type; when it is to close the connection, it has
        // a reference to it.
        unsafe {
            if ffi::BIO_get_shutdown(bio) != 0 {
                let ssl = connection(bio);
                if ssl.get().is_some_and(|ssl| ssl.lock().connection.is_complete()) {
                    SSL_shutdown(ssl);
                }
                ffi::BIO_set_data(bio, null_mut());
                SSL_free(ssl);
                ffi::BIO_clear_flags(bio, !0);
                ffi::BIO_set_init(bio, 0);
            }
        }
        1
    }

    fn bio_read(bio: Bio, buffer: *mut c_char, size: c_int) -> c_int => -1, {
        if buffer.is_null() {
            return 0;
        }
        // SAFETY: libcrypto passes a BIO of this type with its connection, and room for `size`.
        unsafe {
            let ssl = connection(bio);
            ffi::BIO_clear_flags(bio, FLAGS_RETRY);
            let count = SSL_read(ssl, Room::from_raw(buffer.cast()), size);
            tell_wait(bio, ssl, count);
            count
        }
    }

    fn bio_write(bio: Bio, data: *const c_char, size: c_int) -> c_int => -1, {
        if data.is_null() {
            return 0;
        }
        // SAFETY: as above, with `size` bytes to read.
        unsafe {
            let ssl = connection(bio);
            ffi::BIO_clear_flags(bio, FLAGS_RETRY);
            let count = SSL_write(ssl, Bytes::from_raw(data.cast()), size);
            tell_wait(bio, ssl, count);
            count
        }
    }

    fn bio_puts(bio: Bio, text: *const c_char) -> c_int => -1, {
        // SAFETY: libcrypto passes a string of C.
        unsafe {
            let length = std::ffi::CStr::from_ptr(text).count_bytes();
            ffi::BIO_write(bio, text.cast(), c_int::try_from(length).unwrap_or(c_int::MAX))
        }
    }

    fn bio_ctrl(bio: Bio, command: c_int, number: c_long, pointer: *mut c_void) -> c_long => 0, {
        // SAFETY: libcrypto passes a BIO of this type; what the pointer is, the command says.
        unsafe {
            let ssl = connection(bio);
            if ssl.get().is_none() && command != SET_SSL {
                return 0;
            }
            let next = ffi::BIO_next(bio);
            match command {
                RESET => reset(bio, ssl, number, pointer),
                INFO | SET_CALLBACK => 0,
                SSL_MODE => {
                    if number != 0 {
                        SSL_set_connect_state(ssl);
                    } else {
                        SSL_set_accept_state(ssl);
                    }
                    1
                }
                // The engine never renegotiates: there is nothing to count, and nothing was set.
                SET_RENEGOTIATE_BYTES | SET_RENEGOTIATE_TIMEOUT | GET_NUM_RENEGOTIATES => 0,
                SET_SSL => {
                    set_connection(bio, pointer, number);
                    1
                }
                GET_SSL => c_long::from(Out::from_void(pointer).set(ssl)),
                GET_CLOSE => c_long::from(ffi::BIO_get_shutdown(bio)),
                SET_CLOSE => {
                    ffi::BIO_set_shutdown(bio, number as c_int);
                    1
                }
                WPENDING => ffi::BIO_ctrl(SSL_get_wbio(ssl), command, number, pointer),
                PENDING => match SSL_pending(ssl) {
                    0 => ffi::BIO_ctrl(SSL_get_rbio(ssl), PENDING, 0, null_mut()),
                    pending => c_long::from(pending),
                },
                FLUSH => {
                    ffi::BIO_clear_flags(bio, FLAGS_RETRY);
                    let flushed = ffi::BIO_ctrl(SSL_get_wbio(ssl), command, number, pointer);
                    ffi::BIO_copy_next_retry(bio);
                    flushed
                }
                PUSH => {
                    if !next.is_null() && next != SSL_get_rbio(ssl) {
                        ffi::BIO_up_ref(next);
                        SSL_set_bio(ssl, next, next);
                    }
                    1
                }
                POP => {
                    if pointer == bio.cast() {
                        SSL_set_bio(ssl, null_mut(), null_mut());
                    }
                    1
                }
                DO_STATE_MACHINE => {
                    ffi::BIO_clear_flags(bio, FLAGS_RETRY);
                    let done = SSL_do_handshake(ssl);
                    tell_wait(bio, ssl, done);
                    c_long::from(done)
                }
                DUP => {
                    // The copy of this BIO, which libcrypto has just made with `bio_create`.
                    let copy: Bio = pointer.cast();
                    let connection = SSL_dup(ssl);
                    ffi::BIO_set_data(copy, connection.as_ptr());
                    c_long::from(connection.get().is_some())
                }
                _ => ffi::BIO_ctrl(SSL_get_rbio(ssl), command, number, pointer),
            }
        }
    }

    fn bio_callback_ctrl(bio: Bio, command: c_int, callback: ffi::bio_info_cb) -> c_long => 0, {
        // SAFETY: libcrypto passes a BIO of this type.
        unsafe {
            match connection(bio) {
                ssl if command == SET_CALLBACK && ssl.get().is_some() => {
                    ffi::BIO_callback_ctrl(SSL_get_rbio(ssl), command, callback)
                }
                _ => 0,
            }
        }
    }

    fn BIO_f_ssl() -> *const ffi::BIO_METHOD => std::ptr::null(), {
        method()
    }

    fn BIO_new_ssl(ctx: Handle<Ctx>, client: c_int) -> Bio => null_mut(), {
        // SAFETY: the connection and the BIO are new; the BIO takes the connection over.
        unsafe {
            let bio = ffi::BIO_new(method());
            if bio.is_null() {
                return bio;
            }
            let ssl = SSL_new(ctx);
            let Some(held) = ssl.hold() else {
                ffi::BIO_free_all(bio);
                return null_mut();
            };
            if client != 0 {
                SSL_set_connect_state(ssl);
            } else {
                SSL_set_accept_state(ssl);
            }
            let pointer = std::sync::Arc::as_ptr(&held).cast_mut().cast();
            set_connection(bio, pointer, CLOSE);
            bio
        }
    }

    fn BIO_new_ssl_connect(ctx: Handle<Ctx>) -> Bio => null_mut(), {
        // SAFETY: the BIOs are new, and owned by the chain that is returned.
        unsafe {
            let transport = ffi::BIO_new(ffi::BIO_s_connect());
            if transport.is_null() {
                return transport;
            }
            let bio = BIO_new_ssl(ctx, 1);
            if bio.is_null() {
                ffi::BIO_free_all(transport);
                return bio;
            }
            ffi::BIO_push(bio, transport)
        }
    }

    fn BIO_new_buffer_ssl_connect(ctx: Handle<Ctx>) -> Bio => null_mut(), {
        // SAFETY: as above.
        unsafe {
            let buffer = ffi::BIO_new(ffi::BIO_f_buffer());
            if buffer.is_null() {
                return buffer;
            }
            let bio = BIO_new_ssl_connect(ctx);
            if bio.is_null() {
                ffi::BIO_free_all(buffer);
                return bio;
            }
            ffi::BIO_push(buffer, bio)
        }
    }

    fn BIO_ssl_copy_session_id(to: Bio, from: Bio) -> c_int => 0, {
        // SAFETY: the program passes chains of BIOs; what is found of this type is of this library.
        unsafe {
            let (to, from) = (ffi::BIO_find_type(to, TYPE), ffi::BIO_find_type(from, TYPE));
            if to.is_null() || from.is_null() {
                return 0;
            }
            let (to, from) = (connection(to), connection(from));
            if to.get().is_none() || from.get().is_none() {
                return 0;
            }
            SSL_copy_session_id(to, from)
        }
    }

    fn BIO_ssl_shutdown(bio: Bio) -> () => (), {
        let mut bio = bio;
        // SAFETY: as above, for each BIO of the chain.
        unsafe {
            while !bio.is_null() {
                if ffi::BIO_method_type(bio) == TYPE && connection(bio).get().is_some() {
                    SSL_shutdown(connection(bio));
                }
                bio = ffi::BIO_next(bio);
            }
        }
    }
}
