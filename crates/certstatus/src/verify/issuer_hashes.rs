//! The hashes of one issuer, computed once for each hash function that a response names.

use crate::Issuer;
use crate::message::CertId;
use crate::message::HashAlgorithm;

/// A response may have 256 statements with the serial number in question, and an issuer's name may
/// be long: its hash belongs to the response and not to the statement.
pub(super) struct IssuerHashes<'i> {
    issuer: &'i Issuer<'i>,
    known: Vec<(HashAlgorithm, CertId<'i>)>,
}

impl<'i> IssuerHashes<'i> {
    pub(super) fn new(issuer: &'i Issuer<'i>) -> Self {
        Self { issuer, known: Vec::new() }
    }

    /// Whether issuer name hash and issuer key hash are those of the issuer.
    pub(super) fn are_of(&mut self, id: &CertId<'_>) -> bool {
        let Some(hash) = id.hash() else { return false };
        let issuer = self.issuer;
        if !self.known.iter().any(|(known, _)| *known == hash) {
            self.known.push((hash, CertId::for_serial(&[], issuer, hash)));
        }
        self.known.iter().any(|(known, of_issuer)| {
            *known == hash
                && of_issuer.issuer_name_hash == id.issuer_name_hash
                && of_issuer.issuer_key_hash == id.issuer_key_hash
        })
    }
}
