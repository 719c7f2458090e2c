//! The TLS engine: safe Rust over rustls, without a call to C.
