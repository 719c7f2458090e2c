//! What all peers need: child processes, the lab's certificates in memory and in files, and our own
//! server, client and command to set against them.

pub(crate) mod client;
pub(crate) mod command;
pub(crate) mod files;
pub(crate) mod libssl;
pub(crate) mod pki;
pub(crate) mod process;
pub(crate) mod server;
