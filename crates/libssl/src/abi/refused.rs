//! Functions that this library does not have, each an honest failure.
//!
//! They take no argument and return one machine word: in the C calling conventions of the targets
//! the caller removes the arguments, and a word of 0 or -1 reads as that `int`, `long`, `size_t`
//! or pointer.

use std::ffi::CStr;

use crate::abi::guard::guard;
use crate::sys::error;

/// Queues the reason why `function` is refused, and returns `failure`.
fn refuse(function: &'static CStr, why: &'static CStr, failure: isize) -> isize {
    guard(function, failure, || {
        error::raise(function, error::UNSUPPORTED, why.to_str().ok());
        failure
    })
}

/// The functions in state `refused` of `exports.toml`.
pub(crate) mod functions {
    include!(concat!(env!("OUT_DIR"), "/refused.rs"));
}
