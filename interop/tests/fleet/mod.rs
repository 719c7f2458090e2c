//! A fleet of staplers around one real Redis, each with a disk of its own.
//!
//! Time is real here, since Redis has no other: responses live some seconds, and are refreshed before
//! the half of them.

mod cluster;
mod contract;
mod leases;
mod members;
mod reach;
pub(crate) mod server;
