//! The core against the RFCs, a module per document or section.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where it cannot go on"
)]

mod irregular_responses;
mod policy;
mod rfc6960_3_2_acceptance;
mod rfc6960_4_1_request;
mod rfc6960_4_2_response;
mod rfc7633_must_staple;
mod support;
mod vectors;
