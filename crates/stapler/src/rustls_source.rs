//! The stapler as the source of staples of a rustls server.

use std::sync::Arc;

use certstatus::VerifiedResponse;
use certstatus_rustls::StapleSource;
use rustls::sign::CertifiedKey;

use crate::{Fingerprint, StapleHandle, Stapler};

/// For servers of several certificates. The one of the key is looked up by its fingerprint, without
/// a lock; that takes about a microsecond, as long as SHA-256 over a certificate.
impl StapleSource for Stapler {
    fn staple(&self, key: &CertifiedKey) -> Option<Arc<VerifiedResponse>> {
        self.handle(&Fingerprint::of(key.cert.first()?))?.current()
    }
}

/// For servers of one certificate: nothing is looked up. A response for another one than the key's is
/// not stapled; the resolver compares them, once for a response.
impl StapleSource for StapleHandle {
    fn staple(&self, _: &CertifiedKey) -> Option<Arc<VerifiedResponse>> {
        self.current()
    }
}
