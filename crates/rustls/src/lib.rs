//! rustls
