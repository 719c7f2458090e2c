//! The stapler as the source of staples of a rustls server.

use std::sync::Arc;

use certstatus::VerifiedResponse;
use certstatus_rustls::StapleSource;
use rustls::sign::CertifiedKey;

use crate::{Fingerprint, Stapler};

/// The certificate of the key is looked up by its fingerprint, without a lock; that takes about a
/// microsecond, as long as SHA-256 over a certificate.
impl StapleSource for Stapler {
    fn staple(&self, key: &CertifiedKey) -> Option<Arc<VerifiedResponse>> {
        self.handle(&Fingerprint::of(key.cert.first()?))?.current()
    }
}
