//! The real binary against the lab: every command, every exit code, both forms of output.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "in a test a panic is how a failure is told"
)]

mod agent;
mod check;
mod check_connect;
mod check_fetch;
mod check_key_type;
mod check_many;
mod check_starttls;
mod demo;
mod documents;
mod elf;
mod exec;
mod fetch;
mod net;
mod output;
mod pages;
mod readme;
mod server;
mod show;
mod support;
mod verify;
