//! Who issued a certificate, and when that is beyond doubt: the one place where a claim becomes a fact.
//!
//! A chain with one certificate of the issuer's name claims that this is the issuer. Two facts prove
//! it, and one of them is needed before a responder is asked or anything is stapled:
//!
//! * a verified response from the store that says *good* or *revoked*: its `CertID` (RFC 6960, 4.1.1)
//!   has the hash of the claimed issuer's key beside the serial number, and it is signed by that key,
//!   or by a delegate of it. So who holds the key says that it issued the certificate;
//! * the issuer's signature over the certificate.
//!
//! At a warm start the first comes with the verification that is needed in any case, and saves a
//! public-key operation for each certificate. *Unknown* says that the certificate is not known there,
//! and proves nothing. Where neither proves it, the claim is dropped, nothing in the store is touched,
//! and the issuer is fetched from where the certificate says it is.

use std::sync::Arc;

use certstatus::message::CertStatus;
use certstatus::{Certificate, VerifiedResponse};

use crate::entry::{Entry, Origin, Source, Unresolved};
use crate::fetch;
use crate::shared::Shared;
use crate::worker::TOGETHER;

/// How many claims there are at the same time. Each keeps the DER of its certificate, which a stapler of a
/// hundred thousand must not have all at once; of those beyond it the signature is checked at once.
pub(crate) const CLAIMS: usize = 32_768;

/// Waits until few claims are left: twice as many as are loaded at the same time, so that loading never
/// runs dry. Returns at once when the worker is gone and will prove none.
pub(crate) async fn few_claims(shared: &Shared) {
    let few = 2 * shared.loads * TOGETHER;
    let others = u32::try_from(CLAIMS.saturating_sub(few)).unwrap_or(u32::MAX);
    let _ = shared.claims.acquire_many(others).await;
}

/// Gives up the claim of a certificate that is no longer wanted, with its place among the others: a
/// handle may be kept for long.
pub(crate) fn withdraw(entry: &Entry) {
    let source = &mut entry.state().source;
    if let Source::Claimed(claim) = source {
        *source = Source::Unresolved(Arc::clone(&claim.unresolved));
    }
}

/// The one among `candidates` that bears the issuer's name; `None` if there are none or several, so
/// that the signature has to choose.
pub(crate) fn only_namesake<'a, T: AsRef<[u8]>>(
    certificate: &Certificate<'_>,
    candidates: &'a [T],
) -> Option<Certificate<'a>> {
    let mut namesakes = candidates
        .iter()
        .filter_map(|der| Certificate::parse(der.as_ref()).ok())
        .filter(|candidate| candidate.subject() == certificate.issuer());
    let only = namesakes.next();
    only.filter(|_| namesakes.next().is_none())
}

/// The issuer and the responders by which something from the store is verified: known, or claimed
/// only. `None` where there is not even a claim.
pub(crate) fn presumed(entry: &Entry) -> Option<Arc<Origin>> {
    match &entry.state().source {
        Source::Known(origin) => Some(Arc::clone(origin)),
        Source::Claimed(claim) => Some(Arc::clone(&claim.origin)),
        Source::Unresolved(_) => None,
    }
}

/// Issuer and responders, proven: by a response that has verified under a claim, or else by the
/// issuer's signature over the certificate.
///
/// # Errors
/// When the issuer has to be found first: what is known of the certificate. A claim that does not hold
/// is gone then.
pub(crate) fn prove(
    shared: &Shared,
    entry: &Entry,
    response: Option<&VerifiedResponse>,
) -> Result<Arc<Origin>, Arc<Unresolved>> {
    let (unresolved, origin) = match &entry.state().source {
        Source::Known(origin) => return Ok(Arc::clone(origin)),
        Source::Unresolved(unresolved) => return Err(Arc::clone(unresolved)),
        Source::Claimed(claim) => (Arc::clone(&claim.unresolved), Arc::clone(&claim.origin)),
    };
    let vouched = response.is_some_and(|response| response.status() != CertStatus::Unknown);
    if vouched || has_signed(shared, &origin, &unresolved) {
        entry.state().source = Source::Known(Arc::clone(&origin));
        Ok(origin)
    } else {
        entry.state().source = Source::Unresolved(Arc::clone(&unresolved));
        Err(unresolved)
    }
}

fn has_signed(shared: &Shared, origin: &Origin, unresolved: &Unresolved) -> bool {
    let certificate = Certificate::parse(&unresolved.certificate);
    let (Ok(certificate), Ok(issuer)) = (certificate, origin.issuer.issuer()) else { return false };
    certificate.verify_issued_by(&issuer, shared.algorithms()).is_ok()
}

/// Issuer and responders of the certificate; the issuer is fetched if no other certificate has brought
/// it already.
///
/// # Errors
/// When it cannot be had, and why.
pub(crate) async fn resolve(shared: &Shared, entry: &Entry) -> Result<Arc<Origin>, String> {
    let unresolved = match prove(shared, entry, None) {
        Ok(origin) => return Ok(origin),
        Err(unresolved) => unresolved,
    };
    let certificate = Certificate::parse(&unresolved.certificate).map_err(|e| e.to_string())?;
    let known = shared.known().issuers_of(&certificate);
    let fetched;
    let issuer = match fetch::find_issuer(&certificate, &known, shared.algorithms()) {
        Ok(issuer) => issuer,
        Err(_) => {
            let algorithms = shared.algorithms();
            let found = fetch::fetch_issuer(&*shared.transport, &certificate, algorithms).await;
            (fetched, _) = found.map_err(|e| e.to_string())?;
            Certificate::parse(&fetched).map_err(|e| e.to_string())?
        }
    };
    let origin = shared.known().origin(&issuer, unresolved.responders.clone());
    entry.state().source = Source::Known(Arc::clone(&origin));
    Ok(origin)
}
