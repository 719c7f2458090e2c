//! Panics that the tests inject, and what every exported function makes of them.
//!
//! A panic strikes where one could: in a function, and while it has an object locked. Each has to come
//! out as the failure value that `exports.toml` declares, with an entry in the error queue; one that
//! unwound into C would end the test.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_ulong};
use std::panic::resume_unwind;
use std::sync::Arc;

use crate::abi::arguments::Handle;
use crate::abi::info::SSL_in_init;
use crate::abi::method::TLS_method;
use crate::abi::objects::{Ctx, SSL_CTX_new, SSL_free, SSL_new, Ssl};
use crate::sys::error;

thread_local! {
    static FUNCTION: Cell<Option<&'static CStr>> = const { Cell::new(None) };
    static LOCKED: Cell<bool> = const { Cell::new(false) };
    /// Strikes at the lock of this number from now; 0 for none.
    static LATER: Cell<usize> = const { Cell::new(0) };
}

/// Panics when `function` is the one that the test has chosen, once. The hook of panics, which would
/// print, is passed by.
pub(super) fn strike_in(function: &CStr) {
    if FUNCTION.get() == Some(function) {
        FUNCTION.set(None);
        resume_unwind(Box::new("injected"));
    }
}

/// Panics when the test has chosen it, once. Called with an object locked.
pub(super) fn strike_while_locked() {
    let later = LATER.get();
    LATER.set(later.saturating_sub(1));
    if LOCKED.take() || later == 1 {
        resume_unwind(Box::new("injected"));
    }
}

/// An exported function.
struct Function {
    name: &'static CStr,
    /// What it returns when it fails, in the words of `exports.toml`.
    fails: &'static str,
    address: *const (),
}

/// All of them.
fn functions() -> impl Iterator<Item = Function> {
    table::rows().map(|(name, fails, address)| Function { name, fails, address })
}

mod table {
    /// Name, failure value and address.
    pub(super) fn rows() -> impl Iterator<Item = (&'static std::ffi::CStr, &'static str, *const ())>
    {
        include!(concat!(env!("OUT_DIR"), "/functions.rs")).into_iter()
    }
}

impl Function {
    fn is(&self, prefix: &str) -> bool {
        self.name.to_bytes().starts_with(prefix.as_bytes())
    }

    /// Calls the function with `first` and zeros.
    fn call(&self, first: *const ()) -> usize {
        type Any = unsafe extern "C" fn(
            *const (),
            usize,
            usize,
            usize,
            usize,
            usize,
            usize,
            usize,
            usize,
        ) -> usize;
        // SAFETY: in the calling conventions of the targets the caller passes words, in registers and
        // on a stack that is its own, and a function takes as many as it has. Nine are more than any
        // has; the first is an object or NULL as the test has chosen it, and the others are zero,
        // which is NULL for a pointer and 0 for a length. A function that would follow one of them
        // has panicked before.
        unsafe {
            let function: Any = std::mem::transmute(self.address);
            function(first, 0, 0, 0, 0, 0, 0, 0, 0)
        }
    }

    /// Whether `value` is what the function returns when it fails.
    fn has_failed(&self, value: usize) -> bool {
        // Above a narrow value the register has anything.
        let int = match self.name.to_bytes() {
            b"SSL_CIPHER_get_protocol_id" => c_int::from(value as u16),
            b"SSL_SESSION_get_max_fragment_length" => c_int::from(value as u8),
            _ => value as c_int,
        };
        match self.fails {
            "void" => true,
            "null" => value == 0,
            "text" => value != 0,
            number => number.parse() == Ok(int),
        }
    }
}

unsafe extern "C" {
    fn ERR_peek_last_error_func(function: *mut *const c_char) -> c_ulong;
}

/// The function that has left the newest entry in the error queue, when that is of a panic.
fn panicked() -> Option<&'static CStr> {
    let mut function: *const c_char = std::ptr::null();
    // SAFETY: a place for a string, which is one of this library's static names where the entry is.
    unsafe {
        ERR_peek_last_error_func(&mut function);
        (error::last_reason() == Some(error::INTERNAL_ERROR)).then(|| CStr::from_ptr(function))
    }
}

#[test]
fn a_panic_in_a_function_is_its_failure() {
    let (mut count, mut wrong) = (0, Vec::new());
    for function in functions() {
        error::clear();
        FUNCTION.set(Some(function.name));
        let value = function.call(std::ptr::null());
        let name = function.name;
        assert_eq!(FUNCTION.take(), None, "{name:?} runs unguarded");
        assert_eq!(panicked(), Some(name));
        if !function.has_failed(value) {
            wrong.push((name, function.fails, value));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{wrong:x?}");
    assert!(count > 518, "{count}");
    error::clear();
}

/// A context and a connection.
struct Objects {
    ctx: Arc<Ctx>,
    ssl: Arc<Ssl>,
}

impl Objects {
    /// They are never freed: a test strikes them, and looks at what is left.
    fn new() -> Self {
        // SAFETY: the method is static, and the context is valid.
        let (ctx, ssl) = unsafe {
            let ctx = SSL_CTX_new(TLS_method());
            (ctx, SSL_new(ctx))
        };
        Self { ctx: ctx.hold().unwrap(), ssl: ssl.hold().unwrap() }
    }
}

/// Prefixes of names whose first argument is no connection.
const OTHERS: &[&str] = &[
    "SSL_CTX_",
    "SSL_SESSION_",
    "SSL_CIPHER_",
    "SSL_CONF_",
    "SSL_COMP_",
    "SSL_SRP_",
    "SSL_alert_",
    "SSL_add_dir",
    "SSL_add_file",
    "SSL_add_store",
    "SSL_dup_CA_list",
    "SSL_load_client_CA",
    "SSL_new",
    "SSL_extension_supported",
    "SSL_get_ex_data_X509_STORE",
    "SSL_select_next_proto",
    "SSL_test_",
];

/// Strikes in each function that locks the object that is its first argument; returns how many did.
fn strike_all(of: impl Fn(&Function) -> bool, object: impl Fn(&Objects) -> *const ()) -> usize {
    let mut struck = 0;
    for function in functions().filter(of) {
        let objects = Objects::new();
        error::clear();
        LOCKED.set(true);
        let value = function.call(object(&objects));
        if LOCKED.take() {
            continue;
        }
        struck += 1;
        let name = function.name;
        assert!(function.has_failed(value), "{name:?} returns {value:x}");
        assert!(panicked().is_some(), "{name:?} leaves no error");
    }
    struck
}

#[test]
fn a_panic_while_a_connection_is_locked_is_a_failure() {
    let frees = c"SSL_free";
    let takes = |function: &Function| {
        function.is("SSL_")
            && !OTHERS.iter().any(|other| function.is(other))
            && function.name != frees
    };
    let struck = strike_all(takes, |objects| Arc::as_ptr(&objects.ssl).cast());
    assert!(struck > 100, "{struck}");
}

#[test]
fn a_panic_while_a_context_is_locked_is_a_failure() {
    let frees = c"SSL_CTX_free";
    let struck = strike_all(
        |function| function.is("SSL_CTX_") && function.name != frees,
        |objects| Arc::as_ptr(&objects.ctx).cast(),
    );
    assert!(struck > 60, "{struck}");
}

#[test]
fn an_object_that_was_struck_fails_from_then_on() {
    let objects = Objects::new();
    let (ctx, ssl) = (Handle::borrowed(&objects.ctx), Handle::borrowed(&objects.ssl));
    LOCKED.set(true);
    // SAFETY: the objects are valid.
    unsafe {
        for _ in 0..3 {
            error::clear();
            assert_eq!((SSL_in_init(ssl), panicked()), (0, Some(c"SSL_in_init")));
        }
        // Its context was not, and makes others.
        let other = SSL_new(ctx);
        error::clear();
        assert_eq!((SSL_in_init(other), panicked()), (1, None));
        SSL_free(other);
    }
}

/// A panic inside of a handshake unwinds through the guard that ends it, which locks the object again.
#[test]
fn a_panic_in_a_handshake_ends_no_process() {
    use crate::abi::handshake::SSL_do_handshake;
    // The first locks are before the handshake has begun.
    for nth in 3..9 {
        let objects = Objects::new();
        let ssl = Handle::borrowed(&objects.ssl);
        // SAFETY: the objects are valid.
        unsafe {
            crate::abi::connection::SSL_set_connect_state(ssl);
            error::clear();
            LATER.set(nth);
            assert_eq!((SSL_do_handshake(ssl), panicked()), (-1, Some(c"SSL_do_handshake")));
            assert_eq!(LATER.take(), 0);
            SSL_free(ssl);
        }
    }
}
