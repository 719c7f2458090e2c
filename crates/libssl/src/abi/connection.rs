//! Connections: their side, their BIOs, their context. `SSL_set_fd(3)`, `SSL_set_bio(3)`,
//! `SSL_set_connect_state(3)`, `SSL_set_SSL_CTX`.

use std::ffi::c_int;
use std::sync::Arc;

use crate::abi::arguments::{Handle, int};
use crate::abi::guard::exported;
use crate::abi::method::Side;
use crate::abi::objects::{Ctx, Ssl};
use crate::abi::owner::Owner;
use crate::abi::{handshake_state, session_use};
use crate::core::settings::Settings;
use crate::sys::bio::Bio;
use crate::sys::libcrypto as ffi;

/// `BIO_TYPE_DESCRIPTOR`.
const TYPE_DESCRIPTOR: c_int = 0x0100;
/// `BIO_C_SET_FD` and `BIO_C_GET_FD`.
const SET_FD: c_int = 104;
const GET_FD: c_int = 105;

/// A BIO over a socket, which stays the program's to close.
fn socket(fd: c_int) -> Option<Bio> {
    // SAFETY: the BIO is new; the command copies the descriptor's number from the pointer.
    unsafe {
        let bio = Bio::from_raw(ffi::BIO_new(ffi::BIO_s_socket()))?;
        let mut number = fd;
        ffi::BIO_ctrl(bio.as_ptr(), SET_FD, 0, (&raw mut number).cast());
        Some(bio)
    }
}

/// The BIO of the other direction, when it is over the same socket: one for both is enough.
fn shared(other: Option<Bio>, fd: c_int) -> Option<Bio> {
    /// `BIO_TYPE_SOCKET`.
    const TYPE_SOCKET: c_int = 0x0505;
    let other = other?;
    // SAFETY: the BIO is held here.
    let of_socket = unsafe { ffi::BIO_method_type(other.as_ptr()) } == TYPE_SOCKET;
    (of_socket && descriptor(Some(other.clone())) == fd).then_some(other)
}

/// The descriptor of a BIO, or of the first that has one in its chain; -1 for none.
fn descriptor(bio: Option<Bio>) -> c_int {
    let raw = bio.as_ref().map_or(std::ptr::null_mut(), Bio::as_ptr);
    // SAFETY: the BIO is held here; what is found in its chain lives as long. libcrypto takes NULL,
    // and queues an error, which OpenSSL's functions leave as well.
    unsafe {
        let found = ffi::BIO_find_type(raw, TYPE_DESCRIPTOR);
        if found.is_null() {
            return -1;
        }
        let mut number: c_int = -1;
        ffi::BIO_ctrl(found, GET_FD, 0, (&raw mut number).cast());
        number
    }
}

/// Puts BIOs in place. The ones before are freed after the lock is released: freeing may run code
/// of the program.
fn replace(ssl: &Ssl, rbio: Option<Option<Bio>>, wbio: Option<Option<Bio>>) {
    let old = {
        let mut state = ssl.lock();
        let old_rbio = rbio.map(|new| std::mem::replace(&mut state.rbio, new));
        let old_wbio = wbio.map(|new| std::mem::replace(&mut state.wbio, new));
        (old_rbio, old_wbio)
    };
    drop(old);
}

fn same(bio: &Option<Bio>, raw: *mut ffi::BIO) -> bool {
    bio.as_ref().map_or(std::ptr::null_mut(), Bio::as_ptr) == raw
}

exported! {
    fn SSL_set_connect_state(ssl: Handle<Ssl>) -> () => (), {
        if let Some(ssl) = ssl.get() {
            set_side(ssl, Side::Client);
        }
    }

    fn SSL_set_accept_state(ssl: Handle<Ssl>) -> () => (), {
        if let Some(ssl) = ssl.get() {
            set_side(ssl, Side::Server);
        }
    }

    /// Not from a callback of the handshake, which goes on afterwards.
    fn SSL_clear(ssl: Handle<Ssl>) -> c_int => 0, {
        let Some(ssl) = ssl.get() else { return 0 };
        let (bad, replaced) = {
            let mut state = ssl.lock();
            if state.in_handshake {
                return 0;
            }
            let bad = session_use::take_bad(&mut state);
            state.shutdown = 0;
            let replaced = handshake_state::replace(&mut state);
            state.version_method = None;
            (bad, replaced)
        };
        drop(replaced);
        session_use::discard(bad);
        1
    }

    fn SSL_set_fd(ssl: Handle<Ssl>, fd: c_int) -> c_int => 0, {
        let (Some(ssl), Some(bio)) = (ssl.get(), socket(fd)) else { return 0 };
        replace(ssl, Some(Some(bio.clone())), Some(Some(bio)));
        1
    }

    fn SSL_set_rfd(ssl: Handle<Ssl>, fd: c_int) -> c_int => 0, {
        let Some(ssl) = ssl.get() else { return 0 };
        let other = ssl.lock().wbio.clone();
        let Some(bio) = shared(other, fd).or_else(|| socket(fd)) else { return 0 };
        replace(ssl, Some(Some(bio)), None);
        1
    }

    fn SSL_set_wfd(ssl: Handle<Ssl>, fd: c_int) -> c_int => 0, {
        let Some(ssl) = ssl.get() else { return 0 };
        let other = ssl.lock().rbio.clone();
        let Some(bio) = shared(other, fd).or_else(|| socket(fd)) else { return 0 };
        replace(ssl, None, Some(Some(bio)));
        1
    }

    fn SSL_get_fd(ssl: Handle<Ssl>) -> c_int => -1, {
        ssl.get().map_or(-1, |ssl| { let bio = ssl.lock().rbio.clone(); descriptor(bio) })
    }

    fn SSL_get_rfd(ssl: Handle<Ssl>) -> c_int => -1, {
        ssl.get().map_or(-1, |ssl| { let bio = ssl.lock().rbio.clone(); descriptor(bio) })
    }

    fn SSL_get_wfd(ssl: Handle<Ssl>) -> c_int => -1, {
        ssl.get().map_or(-1, |ssl| { let bio = ssl.lock().wbio.clone(); descriptor(bio) })
    }

    fn SSL_set0_rbio(ssl: Handle<Ssl>, bio: *mut ffi::BIO) -> () => (), {
        // SAFETY: the program gives a reference to a valid BIO away, or passes NULL.
        let bio = unsafe { Bio::from_raw(bio) };
        if let Some(ssl) = ssl.get() {
            replace(ssl, Some(bio), None);
        }
    }

    fn SSL_set0_wbio(ssl: Handle<Ssl>, bio: *mut ffi::BIO) -> () => (), {
        // SAFETY: as above.
        let bio = unsafe { Bio::from_raw(bio) };
        if let Some(ssl) = ssl.get() {
            replace(ssl, None, Some(bio));
        }
    }

    /// The rules of ownership are those of the man page: what is set already is not taken again,
    /// and one BIO for both directions comes with one reference.
    fn SSL_set_bio(ssl: Handle<Ssl>, rbio: *mut ffi::BIO, wbio: *mut ffi::BIO) -> () => (), {
        let Some(ssl) = ssl.get() else { return };
        let (same_r, same_w, shared) = {
            let state = ssl.lock();
            let own_w = state.wbio.as_ref().map_or(std::ptr::null_mut(), Bio::as_ptr);
            (same(&state.rbio, rbio), own_w == wbio, same(&state.rbio, own_w))
        };
        if same_r && same_w {
            return;
        }
        // SAFETY: the program passes NULL or valid BIOs, and gives references away as the man page
        // says: one for each BIO that is new in its place, and one for both when they are equal.
        unsafe {
            if rbio == wbio && !rbio.is_null() {
                // A reference of our own: the calls below consume one for each direction.
                ffi::BIO_up_ref(rbio);
            }
            if same_r {
                replace(ssl, None, Some(Bio::from_raw(wbio)));
            } else if same_w && !shared {
                replace(ssl, Some(Bio::from_raw(rbio)), None);
            } else {
                replace(ssl, Some(Bio::from_raw(rbio)), Some(Bio::from_raw(wbio)));
            }
        }
    }

    fn SSL_get_rbio(ssl: Handle<Ssl>) -> *mut ffi::BIO => std::ptr::null_mut(), {
        ssl.get().map_or(std::ptr::null_mut(), |ssl| {
            ssl.lock().rbio.as_ref().map_or(std::ptr::null_mut(), Bio::as_ptr)
        })
    }

    fn SSL_get_wbio(ssl: Handle<Ssl>) -> *mut ffi::BIO => std::ptr::null_mut(), {
        ssl.get().map_or(std::ptr::null_mut(), |ssl| {
            ssl.lock().wbio.as_ref().map_or(std::ptr::null_mut(), Bio::as_ptr)
        })
    }

    /// NULL means the context that the connection was made from. Certificates, and what goes with
    /// them, are the new context's from here on; what was set on the connection itself stays.
    fn SSL_set_SSL_CTX(ssl: Handle<Ssl>, ctx: Handle<Ctx>) -> Handle<Ctx> => Handle::NULL, {
        let Some(ssl) = ssl.get() else { return Handle::NULL };
        let Some(new) = ctx.hold().or_else(|| Some(Arc::clone(&ssl.lock().session_ctx))) else {
            return Handle::NULL;
        };
        let before: Arc<Ctx> = Arc::clone(&ssl.lock().ctx);
        if Arc::ptr_eq(&before, &new) {
            return Handle::borrowed(&new);
        }
        let from = Arc::clone(&before.lock().settings);
        let own = Arc::clone(&ssl.lock().settings);
        let (certificates, callbacks, settings) = {
            let mut state = new.lock();
            let to = Arc::clone(&state.settings);
            let settings = Settings::switched(&own, &from, &to, &mut state.switched);
            (state.certificates.clone(), state.callbacks, settings)
        };
        let old = {
            let mut state = ssl.lock();
            let certificates = std::mem::replace(&mut state.certificates, certificates);
            state.callbacks.cert = callbacks.cert;
            state.callbacks.cert_arg = callbacks.cert_arg;
            state.callbacks.security = callbacks.security;
            state.callbacks.security_data = callbacks.security_data;
            let settings = std::mem::replace(&mut state.settings, settings);
            let before = std::mem::replace(&mut state.ctx, Owner::new(new.clone()));
            (certificates, settings, before)
        };
        drop(old);
        Handle::borrowed(&new)
    }

    fn SSL_set_quiet_shutdown(ssl: Handle<Ssl>, mode: c_int) -> () => (), {
        if let Some(ssl) = ssl.get() {
            ssl.lock().quiet_shutdown = mode;
        }
    }

    fn SSL_get_quiet_shutdown(ssl: Handle<Ssl>) -> c_int => 0, {
        ssl.get().map_or(0, |ssl| ssl.lock().quiet_shutdown)
    }

    fn SSL_set_read_ahead(ssl: Handle<Ssl>, yes: c_int) -> () => (), {
        if let Some(ssl) = ssl.get() {
            ssl.lock().read_ahead = yes;
        }
    }

    fn SSL_get_read_ahead(ssl: Handle<Ssl>) -> c_int => 0, {
        ssl.get().map_or(0, |ssl| ssl.lock().read_ahead)
    }

    /// As long as no side is chosen, true unless the method is of clients, as in OpenSSL.
    fn SSL_is_server(ssl: Handle<Ssl>) -> c_int => 0, {
        int(ssl.get().is_some_and(|ssl| {
            let state = ssl.lock();
            state.side.unwrap_or(state.supposed_side) == Side::Server
        }))
    }

    fn SSL_set_num_tickets(ssl: Handle<Ssl>, count: usize) -> c_int => 0, {
        let Some(ssl) = ssl.get() else { return 0 };
        Settings::change(&mut ssl.lock().settings, |settings| settings.tickets = count);
        1
    }

    fn SSL_get_num_tickets(ssl: Handle<Ssl>) -> usize => 0, {
        ssl.get().map_or(0, |ssl| ssl.lock().settings.tickets)
    }
}

/// Sets the side. A connection that has been used is one to be made again.
pub(crate) fn set_side(ssl: &Ssl, side: Side) {
    let replaced = {
        let mut state = ssl.lock();
        let used = state.connection.is_started();
        let replaced = used.then(|| handshake_state::replace(&mut state));
        state.side = Some(side);
        state.shutdown = 0;
        replaced
    };
    drop(replaced);
}
