//! Owned wrappers of libcrypto's objects, the error queue, and the declarations of C functions.
//!
//! `unsafe` is at home here and in [`crate::abi`] only.

// The trampolines, which use all of this, are left out of the unit tests.
#![cfg_attr(test, allow(dead_code))]

pub(crate) mod bio;
pub(crate) mod chain_builder;
pub(crate) mod ecdh;
pub(crate) mod error;
pub(crate) mod ex_data;
pub(crate) mod libcrypto;
pub(crate) mod memory;
pub(crate) mod names;
pub(crate) mod pem;
pub(crate) mod pkey;
pub(crate) mod reasons;
pub(crate) mod stack;
pub(crate) mod static_stack;
pub(crate) mod status_request;
pub(crate) mod ticket_cipher;
pub(crate) mod x509;
