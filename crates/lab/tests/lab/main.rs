//! The lab is held to what it says of itself, by the verifier of the core.

mod certificates;
mod faults;
mod http;
mod responses;
mod support;
