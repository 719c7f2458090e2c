//! A drop-in `libssl.so.3`: the ABI of OpenSSL 3.0's libssl on rustls, with certificate status.
//!
//! - `abi` is the only place with `extern "C"`: one thin file per family of functions. It checks
//!   pointers, holds locks for as long as no C code runs, and calls the C callbacks.
//! - `core` is safe Rust and calls no C: settings, the handshake engine, sessions, status.
//! - `sys` wraps the objects of libcrypto that cross the ABI.
//!
//! `exports.toml` lists every symbol and what it does; `build.rs` turns it into the symbols
//! themselves. `README.md` says how a function is added.

#![deny(unsafe_op_in_unsafe_fn)]
#![warn(clippy::undocumented_unsafe_blocks)]

mod abi;
#[deny(unsafe_code)]
mod core;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
#[deny(unsafe_code)]
pub mod fuzzing;
mod sys;

/// The symbols of C, each a jump to the function in `abi` that has its name.
///
/// They are left out of the unit tests: a test binary must not define `SSL_new` for itself.
#[cfg(not(test))]
mod trampolines {
    include!(concat!(env!("OUT_DIR"), "/trampolines.rs"));
}
