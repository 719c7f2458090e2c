//! The wall between Rust's panics and C.
//!
//! A panic must not unwind into C. [`guard`] catches it, leaves an entry in the error queue and
//! gives the function's failure value. An object whose lock was held meanwhile is poisoned by the
//! standard library's mutex; from then on every function that takes the lock fails the same way.

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::sys::error;

/// Runs `body`; when it panics, queues an internal error for `function` and returns `failure`.
pub(crate) fn guard<T>(function: &'static CStr, failure: T, body: impl FnOnce() -> T) -> T {
    // AssertUnwindSafe: what a panic leaves half changed is behind a mutex, which it poisons.
    match catch_unwind(AssertUnwindSafe(|| {
        #[cfg(test)]
        crate::abi::injection::strike_in(function);
        body()
    })) {
        Ok(value) => value,
        Err(_) => {
            error::raise(function, error::INTERNAL_ERROR, Some("a panic was caught"));
            failure
        }
    }
}

/// Defines functions of the C ABI that run under [`guard`].
///
/// `=> value` is what the function returns when it panics: its failure value in `exports.toml`.
macro_rules! exported {
    ($(
        $(#[$meta:meta])*
        fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? => $failure:expr, $body:block
    )*) => {$(
        $(#[$meta])*
        pub(crate) unsafe extern "C" fn $name($($arg: $ty),*) $(-> $ret)? {
            const NAME: &std::ffi::CStr = match std::ffi::CStr::from_bytes_with_nul(
                concat!(stringify!($name), "\0").as_bytes(),
            ) {
                Ok(name) => name,
                Err(_) => c"?",
            };
            $crate::abi::guard::guard(NAME, $failure, || $body)
        }
    )*};
}
pub(crate) use exported;
