//! The core against the RFCs, a module per document or section.

mod policy;
mod rfc6960_4_1_request;
mod rfc6960_4_2_response;
