//! Sessions as text: `SSL_SESSION_print(3)`, and the line of a key log for one.

use std::ffi::{c_int, c_long, c_void};
use std::fmt::Write as _;

use crate::abi::arguments::{Handle, int};
use crate::abi::guard::exported;
use crate::abi::session::{SessionState, SslSession};
use crate::core::session::Session;
use crate::core::settings::TLS1_3;
use crate::core::{ciphers, names};
use crate::sys::libcrypto as ffi;

/// `SSL_SESS_FLAG_EXTMS`.
const EXTENDED_MASTER_SECRET: u64 = 1;

unsafe extern "C" {
    fn BIO_new_fp(file: *mut c_void, close: c_int) -> *mut ffi::BIO;
    fn X509_verify_cert_error_string(error: c_long) -> *const std::ffi::c_char;
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Bytes in rows of sixteen, as `BIO_dump_indent` writes them with an indent of four.
fn dump(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (row, chunk) in bytes.chunks(16).enumerate() {
        let _ = write!(out, "    {:04x} - ", row * 16);
        for at in 0..16 {
            let _ = match chunk.get(at) {
                Some(byte) => write!(out, "{byte:02x}{}", if at == 7 { '-' } else { ' ' }),
                None => write!(out, "   "),
            };
        }
        let shown = |byte: &u8| if (b' '..=b'~').contains(byte) { char::from(*byte) } else { '.' };
        out.push_str("  ");
        out.extend(chunk.iter().map(shown));
        out.push('\n');
    }
    out
}

/// What OpenSSL prints of a session. The lines of what this library has not, PSK and SRP, are
/// printed as for a session without.
fn describe(state: &SessionState) -> String {
    let session: &Session = &state.fields;
    let tls13 = session.version == TLS1_3;
    let cipher = ciphers::by_id(session.suite).map_or(c"unknown", |cipher| cipher.name);
    let mut out = String::from("SSL-Session:\n");
    let _ = writeln!(out, "    Protocol  : {}", names::version(session.version).to_string_lossy());
    let _ = writeln!(out, "    Cipher    : {}", cipher.to_string_lossy());
    let _ = writeln!(out, "    Session-ID: {}", hex(&session.id));
    let _ = writeln!(out, "    Session-ID-ctx: {}", hex(&session.id_context));
    let secret = if tls13 { "Resumption PSK" } else { "Master-Key" };
    let _ = writeln!(out, "    {secret}: {}", hex(&session.secret));
    out.push_str("    PSK identity: None\n    PSK identity hint: None\n    SRP username: None\n");
    if session.lifetime_hint != 0 {
        let hint = session.lifetime_hint;
        let _ = writeln!(out, "    TLS session ticket lifetime hint: {hint} (seconds)");
    }
    if !session.ticket.is_empty() {
        let _ = writeln!(out, "    TLS session ticket:\n{}", dump(&session.ticket));
    }
    let _ = writeln!(out, "    Start Time: {}", session.time);
    let _ = writeln!(out, "    Timeout   : {} (sec)", session.timeout);
    // SAFETY: the text is static.
    let verified =
        unsafe { std::ffi::CStr::from_ptr(X509_verify_cert_error_string(session.verify_result)) };
    let result = session.verify_result;
    let _ = writeln!(out, "    Verify return code: {result} ({})", verified.to_string_lossy());
    let extended = if session.flags & EXTENDED_MASTER_SECRET != 0 { "yes" } else { "no" };
    let _ = writeln!(out, "    Extended master secret: {extended}");
    if tls13 {
        let _ = writeln!(out, "    Max Early Data: {}", session.max_early_data);
    }
    out
}

/// Writes text to a BIO, which may run code of the program.
///
/// # Safety
/// `bio` is a valid BIO.
unsafe fn write(bio: *mut ffi::BIO, text: &str) -> bool {
    let Ok(length) = c_int::try_from(text.len()) else { return false };
    // SAFETY: the caller passes a valid BIO; the text lives for the call.
    unsafe { ffi::BIO_write(bio, text.as_ptr().cast(), length) == length }
}

exported! {
    fn SSL_SESSION_print(bio: *mut ffi::BIO, session: Handle<SslSession>) -> c_int => 0, {
        let Some(session) = session.hold() else { return 0 };
        let text = describe(&session.lock());
        // SAFETY: the program passes a valid BIO.
        int(unsafe { write(bio, &text) })
    }

    fn SSL_SESSION_print_fp(file: *mut c_void, session: Handle<SslSession>) -> c_int => 0, {
        // SAFETY: the program passes an open file, which stays its own; the BIO is freed here.
        unsafe {
            let bio = BIO_new_fp(file, 0);
            if bio.is_null() {
                return 0;
            }
            let printed = SSL_SESSION_print(bio, session);
            ffi::BIO_free_all(bio);
            printed
        }
    }

    /// As OpenSSL, only for sessions with an id and a secret.
    fn SSL_SESSION_print_keylog(bio: *mut ffi::BIO, session: Handle<SslSession>) -> c_int => 0, {
        let Some(session) = session.hold() else { return 0 };
        let text = {
            let state = session.lock();
            if state.fields.id.is_empty() || state.fields.secret.is_empty() {
                return 0;
            }
            let (id, secret) = (hex(&state.fields.id), hex(&state.fields.secret));
            format!("RSA Session-ID:{id} Master-Key:{secret}\n")
        };
        // SAFETY: as above.
        int(unsafe { write(bio, &text) })
    }
}
