//! Owned wrappers of libcrypto's objects, and the error queue.

pub(crate) mod error;
pub(crate) mod reasons;
