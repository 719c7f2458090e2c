//! The TLS engine: safe Rust over rustls, without a call to C.
//!
//! [`connection::Connection`] is fed bytes and gives bytes; where a decision is needed that only
//! the program can take, it stops with a [`connection::Request`] and goes on with the answer. So
//! no callback ever runs inside it.

// The trampolines, which use all of this, are left out of the unit tests.
#![cfg_attr(test, allow(dead_code))]

pub(crate) mod buffer;
pub(crate) mod ciphers;
pub(crate) mod client;
pub(crate) mod client_hello;
pub(crate) mod conf;
pub(crate) mod configs;
pub(crate) mod connection;
pub(crate) mod credentials;
pub(crate) mod failure;
pub(crate) mod first_records;
pub(crate) mod flight;
pub(crate) mod groups;
pub(crate) mod hello_reader;
pub(crate) mod key_log;
pub(crate) mod names;
pub(crate) mod preferences;
pub(crate) mod properties;
pub(crate) mod records;
pub(crate) mod secret;
pub(crate) mod server;
pub(crate) mod server_sessions;
pub(crate) mod session;
pub(crate) mod session_cache;
pub(crate) mod sessions;
pub(crate) mod settings;
pub(crate) mod signatures;
pub(crate) mod status;
pub(crate) mod tap;
pub(crate) mod tickets;
pub(crate) mod traffic;
pub(crate) mod verify;
pub(crate) mod wire;

#[cfg(test)]
mod tests;
