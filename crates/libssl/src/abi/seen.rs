//! Certificates that peers have shown lately, as libcrypto's objects.
//!
//! libcrypto takes as long to parse a certificate as to verify its signature, and peers show the
//! same ones again: a proxy's servers, everyone's intermediates. So a context keeps some. They are
//! found by all of their bytes; nothing about their verification is kept.
//!
//! Connections share these objects with each other and with the program. A program may add trust to
//! one that it was shown (`X509_add1_trust_object`); such a one is not given to another connection.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::sys::x509::Certificate;

/// How many are kept: the chains of a few servers. An object has some kilobytes.
const KEPT: usize = 16;

/// Certificates in DER with their objects, the last that was shown first.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<VecDeque<(Box<[u8]>, Certificate)>>);

impl Seen {
    /// The certificate with these bytes. None when they are malformed.
    pub(crate) fn certificate(&self, der: &[u8]) -> Option<Certificate> {
        if let Some(known) = self.find(der) {
            return Some(known);
        }
        let certificate = Certificate::from_der(der)?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_front((der.into(), certificate.clone()));
        // The last is freed when the others can be used again.
        let last = if kept.len() > KEPT { kept.pop_back() } else { None };
        drop(kept);
        drop(last);
        Some(certificate)
    }

    fn find(&self, der: &[u8]) -> Option<Certificate> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(known, _)| **known == *der)?;
        let found = kept.remove(at)?;
        let unchanged = found.1.is_still(der).then(|| found.1.clone());
        if unchanged.is_some() {
            kept.push_front(found);
        } else {
            drop(kept);
            drop(found);
        }
        unchanged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str) -> Vec<u8> {
        let key = rcgen::KeyPair::generate().unwrap();
        let parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        parameters.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_same_bytes_are_the_same_object_until_others_take_its_place() {
        let seen = Seen::default();
        let der = shown("first.test");
        let first = seen.certificate(&der).unwrap();
        assert_eq!(first.to_der(), der);
        for number in 0..KEPT {
            assert_eq!(seen.certificate(&der).unwrap().as_ptr(), first.as_ptr());
            seen.certificate(&shown(&format!("{number}.test"))).unwrap();
        }
        assert_eq!(seen.certificate(&der).unwrap().as_ptr(), first.as_ptr());
        for number in 0..KEPT {
            seen.certificate(&shown(&format!("{number}.test"))).unwrap();
        }
        assert_ne!(seen.certificate(&der).unwrap().as_ptr(), first.as_ptr());
        assert_eq!(seen.0.lock().unwrap().len(), KEPT);
        assert!(seen.certificate(b"\x30\x03\x02\x01").is_none());
    }

    #[test]
    fn what_a_program_has_put_its_trust_in_is_not_given_to_another_connection() {
        let seen = Seen::default();
        let der = shown("first.test");
        let first = seen.certificate(&der).unwrap();
        first.trust();
        let second = seen.certificate(&der).unwrap();
        assert_ne!(second.as_ptr(), first.as_ptr());
        assert_eq!(seen.certificate(&der).unwrap().as_ptr(), second.as_ptr());
        assert_eq!(seen.0.lock().unwrap().len(), 1);
    }
}
