//! The lab is held to what it says of itself, by the verifier of the core.

mod responses;
mod support;
