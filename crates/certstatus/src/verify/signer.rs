//! Who signed a response, and whether it may (RFC 6960, 4.2.2.2): the issuer itself, or a delegate
//! whose certificate that same issuer signed for `id-kp-OCSPSigning`.

use std::fmt;

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};

use crate::message::{
    AlgorithmIdentifier, BasicOcspResponse, HashAlgorithm, Name, ResponderId, SubjectPublicKeyInfo,
};
use crate::{Certificate, Issuer, Limits, SignerError};

/// `id-kp-OCSPSigning`, 1.3.6.1.5.5.7.3.9, as webpki takes it.
const OCSP_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 9];

/// Who signed a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signer {
    /// The issuer of the certificate.
    Issuer,
    /// A delegate of the issuer (RFC 6960, 4.2.2.2), whose certificate is in the response.
    Delegate,
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Issuer => "the issuer",
            Self::Delegate => "a delegated responder",
        })
    }
}

/// The validity of a delegate's certificate, both ends inclusive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delegation {
    pub(super) not_before: UnixTime,
    pub(super) not_after: UnixTime,
}

type Algorithms<'a> = &'a [&'a dyn SignatureVerificationAlgorithm];

/// Finds who signed the response: the first candidate that passes all checks. When none does, the
/// error is that of the last one that was tried.
pub(super) fn find(
    basic: &BasicOcspResponse<'_>,
    issuer: &Issuer<'_>,
    algorithms: Algorithms<'_>,
    limits: &Limits,
    now: UnixTime,
) -> Result<(Signer, Option<Delegation>), SignerError> {
    let responder_id = &basic.data().responder_id;
    let mut refused = None;
    if names(responder_id, issuer.subject(), issuer.public_key()) {
        match verify_signature(basic, issuer.public_key(), issuer.subject(), algorithms) {
            Ok(()) => return Ok((Signer::Issuer, None)),
            Err(error) => refused = Some(error),
        }
    }
    let mut tried = 0;
    for der in basic.certs() {
        // What cannot be read matches nothing; it may be of a kind that is not ours to know.
        let Ok(candidate) = Certificate::parse(der) else { continue };
        let is_issuer = candidate.public_key() == issuer.public_key();
        if is_issuer || !names(responder_id, candidate.subject(), candidate.public_key()) {
            continue;
        }
        if tried == limits.signer_candidates {
            return Err(SignerError::TooManyCandidates { limit: limits.signer_candidates });
        }
        tried += 1;
        match verify_delegate(basic, &candidate, issuer, algorithms, now) {
            Ok(delegation) => return Ok((Signer::Delegate, Some(delegation))),
            Err(error) => refused = Some(error),
        }
    }
    Err(refused.unwrap_or_else(|| SignerError::NoCandidate {
        responder: responder_id.to_string(),
        issuer: issuer.subject().to_string(),
        certificates: basic.certs().len(),
    }))
}

/// Whether `ResponderID` is that name, or the SHA-1 hash of that key.
fn names(id: &ResponderId<'_>, name: &Name<'_>, key: &SubjectPublicKeyInfo<'_>) -> bool {
    match id {
        ResponderId::ByName(responder) => responder == name,
        ResponderId::ByKey(hash) => {
            hash.as_ref() == HashAlgorithm::Sha1.hash(&[key.subject_public_key()]).as_ref()
        }
    }
}

/// The delegate's certificate must stand directly under the issuer, now, for OCSP signing, and its
/// key must have signed the response.
///
/// Its own revocation is not looked up: RFC 6960, 4.2.2.2.1 leaves that to the CA, and a responder
/// that answers about itself proves nothing.
fn verify_delegate(
    basic: &BasicOcspResponse<'_>,
    delegate: &Certificate<'_>,
    issuer: &Issuer<'_>,
    algorithms: Algorithms<'_>,
    now: UnixTime,
) -> Result<Delegation, SignerError> {
    let der = CertificateDer::from(delegate.der());
    let end_entity =
        webpki::EndEntityCert::try_from(&der).map_err(SignerError::MalformedDelegate)?;
    end_entity
        .verify_for_usage(
            algorithms,
            &[issuer.as_trust_anchor()],
            &[],
            now,
            webpki::KeyUsage::required(OCSP_SIGNING),
            None,
            None,
        )
        .map_err(|reason| SignerError::NotDelegated {
            delegate: delegate.subject().to_string(),
            issuer: issuer.subject().to_string(),
            reason,
        })?;
    verify_signature(basic, delegate.public_key(), delegate.subject(), algorithms)?;
    Ok(Delegation { not_before: delegate.not_before(), not_after: delegate.not_after() })
}

/// Verifies the response's signature by the first algorithm of the provider that has its identifier
/// and takes this kind of key.
fn verify_signature(
    basic: &BasicOcspResponse<'_>,
    key: &SubjectPublicKeyInfo<'_>,
    signer: &Name<'_>,
    algorithms: Algorithms<'_>,
) -> Result<(), SignerError> {
    find_algorithm("response", basic.signature_algorithm(), key, algorithms)?
        .verify_signature(key.subject_public_key(), basic.tbs_der(), basic.signature())
        .map_err(|_| SignerError::BadSignature { signer: signer.to_string() })
}

/// The first algorithm that has that identifier and takes this kind of key.
pub(crate) fn find_algorithm<'a>(
    signed: &'static str,
    identifier: AlgorithmIdentifier<'_>,
    key: &SubjectPublicKeyInfo<'_>,
    algorithms: Algorithms<'a>,
) -> Result<&'a dyn SignatureVerificationAlgorithm, SignerError> {
    let found = algorithms.iter().find(|algorithm| {
        algorithm.signature_alg_id().as_ref() == identifier.contents()
            && algorithm.public_key_alg_id().as_ref() == key.algorithm().contents()
    });
    found.copied().ok_or_else(|| SignerError::UnsupportedAlgorithm {
        signed,
        algorithm: named(&identifier),
        key: named(&key.algorithm()),
    })
}

/// The field's name of an algorithm, or its identifier.
fn named(identifier: &AlgorithmIdentifier<'_>) -> String {
    identifier.algorithm().map_or_else(|| "malformed".to_owned(), |oid| oid.to_string())
}
