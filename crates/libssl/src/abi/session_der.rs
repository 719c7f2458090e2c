//! Sessions in DER and PEM: `d2i_SSL_SESSION(3)`, `PEM_read_bio_SSL_SESSION(3)`.
//!
//! The form is OpenSSL's. A client's session of TLS 1.3 resumes when it was written in this
//! process; others, as any session that does not fit, are read and do not resume.

use std::ffi::{c_char, c_int, c_long, c_uchar, c_void};

use crate::abi::arguments::{Handle, give};
use crate::abi::guard::exported;
use crate::abi::owner::Owner;
use crate::abi::session::SslSession;
use crate::core::secret::Secret;
use crate::core::session::der;
use crate::core::sessions;
use crate::core::settings::TLS1_3;
use crate::sys::error;
use crate::sys::libcrypto as ffi;
use crate::sys::memory::Buffer;
use crate::sys::reasons;

/// `PEM_STRING_SSL_SESSION`.
const PEM_NAME: *const c_char = c"SSL SESSION PARAMETERS".as_ptr();

/// A session in DER; one of TLS 1.3 is kept for reading it again.
fn write(session: &SslSession) -> Option<Secret> {
    let state = session.lock().clone();
    let der = der::encode(&state.fields)?;
    if let Some(slot) = &state.slot {
        sessions::remember(&state.fields.id, slot);
    }
    Some(der)
}

fn read(der: &[u8]) -> Option<(Owner<SslSession>, usize)> {
    let (fields, length) = der::decode(der)?;
    let slot = match fields.version {
        TLS1_3 => sessions::remembered(&fields.id),
        _ => None,
    };
    Some((SslSession::make(fields, slot, None), length))
}

/// `d2i_of_void` and `i2d_of_void` of `openssl/asn1.h`, for sessions.
pub(crate) type Decode = unsafe extern "C" fn(
    *mut Handle<SslSession>,
    *mut *const c_uchar,
    c_long,
) -> Handle<SslSession>;
pub(crate) type Encode = unsafe extern "C" fn(Handle<SslSession>, *mut *mut c_uchar) -> c_int;

// A session is opaque to libcrypto, which passes it on to the functions above.
#[allow(improper_ctypes)]
unsafe extern "C" {
    fn PEM_ASN1_read_bio(
        decode: Decode,
        name: *const c_char,
        bio: *mut ffi::BIO,
        out: *mut Handle<SslSession>,
        callback: ffi::pem_password_cb,
        argument: *mut c_void,
    ) -> Handle<SslSession>;
    fn PEM_ASN1_read(
        decode: Decode,
        name: *const c_char,
        file: *mut c_void,
        out: *mut Handle<SslSession>,
        callback: ffi::pem_password_cb,
        argument: *mut c_void,
    ) -> Handle<SslSession>;
    fn PEM_ASN1_write_bio(
        encode: Encode,
        name: *const c_char,
        bio: *mut ffi::BIO,
        session: Handle<SslSession>,
        cipher: *const c_void,
        key: *const c_uchar,
        key_length: c_int,
        callback: ffi::pem_password_cb,
        argument: *mut c_void,
    ) -> c_int;
    fn PEM_ASN1_write(
        encode: Encode,
        name: *const c_char,
        file: *mut c_void,
        session: Handle<SslSession>,
        cipher: *const c_void,
        key: *const c_uchar,
        key_length: c_int,
        callback: ffi::pem_password_cb,
        argument: *mut c_void,
    ) -> c_int;
}

exported! {
    /// Writes to `*out` and moves it on; makes a buffer when `*out` is NULL; only gives the
    /// length when `out` is.
    fn i2d_SSL_SESSION(session: Handle<SslSession>, out: *mut *mut c_uchar) -> c_int => 0, {
        let Some(der) = session.get().and_then(write) else { return 0 };
        let Ok(length) = c_int::try_from(der.len()) else { return 0 };
        // SAFETY: the program passes NULL, or a place with NULL or with room for that length,
        // which it has asked for before.
        unsafe {
            let Some(place) = out.as_mut() else { return length };
            if place.is_null() {
                let Some(buffer) = Buffer::copy_of(&der) else { return 0 };
                *place = buffer.into_raw();
            } else {
                std::ptr::copy_nonoverlapping(der.as_ptr(), *place, der.len());
                *place = place.add(der.len());
            }
        }
        length
    }

    /// The session in `*out`, if any, is freed and replaced.
    fn d2i_SSL_SESSION(
        out: *mut Handle<SslSession>,
        input: *mut *const c_uchar,
        length: c_long,
    ) -> Handle<SslSession> => Handle::NULL, {
        let Ok(size) = usize::try_from(length) else { return Handle::NULL };
        // SAFETY: the program passes a place with the start of `length` readable bytes.
        let der = unsafe {
            let Some(start) = input.as_ref().filter(|start| !start.is_null()) else {
                return Handle::NULL;
            };
            std::slice::from_raw_parts(*start, size)
        };
        let Some((session, used)) = read(der) else {
            error::raise(c"d2i_SSL_SESSION", reasons::BAD_DATA, Some("not a session in DER"));
            return Handle::NULL;
        };
        let session = give(session);
        // SAFETY: as above; `out` is NULL or a place with NULL or a session that the program
        // gives back for the new one.
        unsafe {
            *input = der.as_ptr().add(used);
            if let Some(place) = out.as_mut() {
                drop(std::mem::replace(place, session).take());
            }
        }
        session
    }

    fn PEM_read_bio_SSL_SESSION(
        bio: *mut ffi::BIO,
        out: *mut Handle<SslSession>,
        callback: ffi::pem_password_cb,
        argument: *mut c_void,
    ) -> Handle<SslSession> => Handle::NULL, {
        // SAFETY: the arguments are passed on as they came.
        unsafe { PEM_ASN1_read_bio(d2i_SSL_SESSION, PEM_NAME, bio, out, callback, argument) }
    }

    fn PEM_read_SSL_SESSION(
        file: *mut c_void,
        out: *mut Handle<SslSession>,
        callback: ffi::pem_password_cb,
        argument: *mut c_void,
    ) -> Handle<SslSession> => Handle::NULL, {
        // SAFETY: as above.
        unsafe { PEM_ASN1_read(d2i_SSL_SESSION, PEM_NAME, file, out, callback, argument) }
    }

    fn PEM_write_bio_SSL_SESSION(bio: *mut ffi::BIO, session: Handle<SslSession>) -> c_int
        => 0,
    {
        let (null, none) = (std::ptr::null(), std::ptr::null());
        // SAFETY: the BIO and the session are passed on as they came; nothing is encrypted.
        unsafe {
            let write = i2d_SSL_SESSION;
            let no_argument = std::ptr::null_mut();
            PEM_ASN1_write_bio(write, PEM_NAME, bio, session, null, none, 0, None, no_argument)
        }
    }

    fn PEM_write_SSL_SESSION(file: *mut c_void, session: Handle<SslSession>) -> c_int => 0, {
        let (null, none) = (std::ptr::null(), std::ptr::null());
        // SAFETY: as above, for a file.
        unsafe {
            let write = i2d_SSL_SESSION;
            let no_argument = std::ptr::null_mut();
            PEM_ASN1_write(write, PEM_NAME, file, session, null, none, 0, None, no_argument)
        }
    }
}
