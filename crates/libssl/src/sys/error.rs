//! libcrypto's error queue, and the texts of libssl's reasons in it.

use std::ffi::{CStr, CString, c_int};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::AtomicPtr;

use super::libcrypto as ffi;

use super::reasons::REASONS;

/// `ERR_LIB_SSL` of `openssl/err.h`.
pub(crate) const LIB_SSL: c_int = 20;
/// `ERR_R_INTERNAL_ERROR` of `openssl/err.h`.
pub(crate) const INTERNAL_ERROR: c_int = 259 | FATAL | COMMON;
/// `ERR_R_UNSUPPORTED` of `openssl/err.h`.
pub(crate) const UNSUPPORTED: c_int = 268 | COMMON;

/// `ERR_R_PASSED_NULL_PARAMETER` of `openssl/err.h`.
pub(crate) const PASSED_NULL_PARAMETER: c_int = 258 | FATAL | COMMON;
/// `ERR_R_PASSED_INVALID_ARGUMENT` of `openssl/err.h`.
pub(crate) const PASSED_INVALID_ARGUMENT: c_int = 262 | COMMON;
/// `ERR_R_SHOULD_NOT_HAVE_BEEN_CALLED` of `openssl/err.h`.
pub(crate) const SHOULD_NOT_HAVE_BEEN_CALLED: c_int = 257 | FATAL | COMMON;
/// `ERR_R_PEM_LIB` of `openssl/err.h`.
pub(crate) const PEM_LIB: c_int = 9 | COMMON;
/// `ERR_R_ASN1_LIB` of `openssl/err.h`.
pub(crate) const ASN1_LIB: c_int = 13 | COMMON;

// ERR_RFLAGS_OFFSET is 18: the flags of reasons that all libraries share.
/// `ERR_R_SYS_LIB`.
pub(crate) const SYS_LIB: c_int = 2 | COMMON;

const FATAL: c_int = 1 << 18;
const COMMON: c_int = 2 << 18;

unsafe extern "C" {
    fn ERR_load_strings(library: c_int, table: *mut ErrorString) -> c_int;
}

/// `ERR_STRING_DATA` of `openssl/err.h`.
#[repr(C)]
struct ErrorString {
    error: std::ffi::c_ulong,
    string: *const std::ffi::c_char,
}

/// Gives libcrypto the texts of libssl's reasons, once.
pub(crate) fn load_strings() {
    // Kept here so that leak checkers find it: at exit libcrypto's own pointers are gone.
    static LOADED: OnceLock<AtomicPtr<ErrorString>> = OnceLock::new();
    LOADED.get_or_init(|| {
        let mut table: Vec<ErrorString> = REASONS
            .iter()
            .map(|(number, text)| ErrorString { error: packed(*number), string: text.as_ptr() })
            .collect();
        table.push(ErrorString { error: 0, string: ptr::null() });
        let table = Vec::leak(table).as_mut_ptr();
        // SAFETY: the table ends with a zero entry. libcrypto keeps pointers into it for as long
        // as the process lives, and so does the leaked allocation; the texts are static.
        unsafe { ERR_load_strings(LIB_SSL, table) };
        AtomicPtr::new(table)
    });
}

/// `ERR_PACK(ERR_LIB_SSL, 0, reason)`.
fn packed(reason: c_int) -> std::ffi::c_ulong {
    const LIBRARY_OFFSET: u32 = 23;
    ((LIB_SSL as std::ffi::c_ulong) << LIBRARY_OFFSET) | reason as std::ffi::c_ulong
}

/// Puts an error of libssl into the thread's queue, with `data` as its free text.
pub(crate) fn raise(function: &'static CStr, reason: c_int, data: Option<&str>) {
    load_strings();
    let data = data.and_then(|text| CString::new(text).ok());
    // SAFETY: the file and function names are static strings; the format has one %s for the one
    // string argument, which lives until the call returns (libcrypto copies it).
    unsafe {
        ffi::ERR_new();
        ffi::ERR_set_debug(c"certstatus-libssl".as_ptr(), 0, function.as_ptr());
        match &data {
            Some(data) => {
                ffi::ERR_set_error(LIB_SSL, reason, c"%s".as_ptr(), data.as_ptr());
            }
            None => ffi::ERR_set_error(LIB_SSL, reason, ptr::null()),
        }
    }
}

/// Runs a function of libcrypto whose failures are no errors of the program: the queue stays as it
/// was.
pub(crate) fn unchanged<T>(run: impl FnOnce() -> T) -> T {
    // SAFETY: the marks are in the queue of this thread.
    unsafe { ffi::ERR_set_mark() };
    let value = run();
    // SAFETY: as above; the mark was set here.
    unsafe { ffi::ERR_pop_to_mark() };
    value
}

/// Empties the thread's queue.
pub(crate) fn clear() {
    // SAFETY: takes nothing and touches only the calling thread's queue.
    unsafe { ffi::ERR_clear_error() };
}

/// Where the oldest error in the thread's queue comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    System,
    Library,
}

/// The oldest error in the thread's queue.
pub(crate) fn first() -> Option<First> {
    const SYSTEM_FLAG: std::ffi::c_ulong = 0x8000_0000;
    // SAFETY: takes nothing and reads only the calling thread's queue.
    match unsafe { ffi::ERR_peek_error() } {
        0 => None,
        code if code & SYSTEM_FLAG != 0 => Some(First::System),
        _ => Some(First::Library),
    }
}

/// The reason of the newest entry in the thread's queue.
#[cfg(test)]
pub(crate) fn last_reason() -> Option<c_int> {
    // SAFETY: takes nothing and reads only the calling thread's queue.
    let code = unsafe { ffi::ERR_peek_last_error() };
    (code != 0).then_some((code & 0x7F_FFFF) as c_int)
}
