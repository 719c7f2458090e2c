//! `certstatus agent`: a real process, real files, and the lab's responder.

mod config;
mod fetching;
mod figures;
mod killed;
mod once;
mod outputs;
mod parts;
mod process;
mod service;
mod stopping;
mod systemd;
mod terminal;
mod untold;
