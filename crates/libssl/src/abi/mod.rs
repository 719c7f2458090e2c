//! What C sees: the functions of libssl, one file per family.
//!
//! Every function here is entered through [`guard::guard`], so a panic becomes an error. No lock
//! of this crate is held while code of the program runs: callbacks, BIOs. A function is exported
//! when `exports.toml` names it; the names are C's, so they are not in Rust's case.

// The trampolines, which use the functions, are left out of the unit tests.
#![cfg_attr(test, allow(dead_code))]
#![allow(non_snake_case, non_camel_case_types, clippy::missing_safety_doc)]

pub(crate) mod absent;
pub(crate) mod alpn;
pub(crate) mod arguments;
pub(crate) mod callbacks;
pub(crate) mod certificate;
pub(crate) mod checks;
pub(crate) mod cipher;
pub(crate) mod cipher_list;
pub(crate) mod client_ca;
pub(crate) mod client_certificate;
pub(crate) mod client_hello;
pub(crate) mod compression;
pub(crate) mod conf;
pub(crate) mod connection;
pub(crate) mod context;
pub(crate) mod copy;
pub(crate) mod ctrl;
pub(crate) mod declined;
pub(crate) mod default_trust;
pub(crate) mod early_data;
pub(crate) mod exchanged;
pub(crate) mod groups;
pub(crate) mod guard;
pub(crate) mod handshake;
pub(crate) mod handshake_state;
pub(crate) mod hosts;
pub(crate) mod info;
pub(crate) mod init;
#[cfg(test)]
mod injection;
pub(crate) mod io;
pub(crate) mod messages;
pub(crate) mod method;
pub(crate) mod not_resumable;
pub(crate) mod notify;
pub(crate) mod objects;
pub(crate) mod owner;
pub(crate) mod preferences;
pub(crate) mod refused;
pub(crate) mod renegotiation;
pub(crate) mod secrets;
pub(crate) mod security;
pub(crate) mod seen;
pub(crate) mod server;
pub(crate) mod session;
pub(crate) mod session_cache;
pub(crate) mod session_der;
pub(crate) mod session_print;
pub(crate) mod session_server;
pub(crate) mod session_use;
pub(crate) mod signatures;
pub(crate) mod ssl_bio;
pub(crate) mod status;
pub(crate) mod strings;
pub(crate) mod temporary_dh;
pub(crate) mod ticket_keys;
pub(crate) mod transport;
pub(crate) mod verify;
pub(crate) mod why;
