//! Who signed a response, and whether it may (RFC 6960, 4.2.2.2): the issuer itself, or a delegate
//! whose certificate that same issuer signed for `id-kp-OCSPSigning`.

use std::fmt;

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};

use crate::message::{
    AlgorithmIdentifier, BasicOcspResponse, HashAlgorithm, Name, ResponderId, SubjectPublicKeyInfo,
};
use crate::{Certificate, Issuer, Limits, SignerError, describe};

/// `id-kp-OCSPSigning`, 1.3.6.1.5.5.7.3.9, as webpki takes it.
const OCSP_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 9];

/// Who signed a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signer {
    /// The issuer of the certificate.
    Issuer,
    /// A delegate of the issuer (RFC 6960, 4.2.2.2), whose certificate is in the response.
    Delegate,
    /// A responder that is trusted by configuration; see
    /// [`Verifier::trust_responders`](crate::Verifier::trust_responders).
    Trusted,
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Issuer => "the issuer",
            Self::Delegate => "a delegated responder",
            Self::Trusted => "a responder that is trusted by configuration",
        })
    }
}

/// The validity of a delegate's certificate, both ends inclusive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delegation {
    pub(super) not_before: UnixTime,
    pub(super) not_after: UnixTime,
}

/// By what signatures are verified, and whose beside the issuer's.
#[derive(Clone, Copy)]
pub(super) struct Trust<'a> {
    pub(super) algorithms: Algorithms<'a>,
    pub(super) responders: &'a [Certificate<'a>],
}

type Algorithms<'a> = &'a [&'a dyn SignatureVerificationAlgorithm];

/// Finds who signed the response: the first candidate that passes all checks. When none does, the
/// error is that of the last one that was tried.
pub(super) fn find(
    basic: &BasicOcspResponse<'_>,
    issuer: &Issuer<'_>,
    trust: Trust<'_>,
    limits: &Limits,
    now: UnixTime,
) -> Result<(Signer, Option<Delegation>), SignerError> {
    let Trust { algorithms, responders } = trust;
    let responder_id = &basic.data().responder_id;
    let mut refused = None;
    for responder in responders {
        if names(responder_id, responder.subject(), responder.public_key()) {
            match verify_trusted(basic, responder, algorithms, now) {
                Ok(delegation) => return Ok((Signer::Trusted, Some(delegation))),
                Err(error) => refused = Some(error),
            }
        }
    }
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
        responder: crate::brief(responder_id),
        issuer: crate::brief(issuer.subject()),
        certificates: basic.certs().len(),
        difference: match responder_id {
            ResponderId::ByName(name) => describe::string_types(name, issuer.subject()),
            ResponderId::ByKey(_) => String::new(),
        },
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

/// A responder that is trusted by configuration must be in its validity, and have signed the response.
fn verify_trusted(
    basic: &BasicOcspResponse<'_>,
    responder: &Certificate<'_>,
    algorithms: Algorithms<'_>,
    now: UnixTime,
) -> Result<Delegation, SignerError> {
    let (not_before, not_after) = (responder.not_before(), responder.not_after());
    if now < not_before || now > not_after {
        let responder = responder.subject().to_string();
        return Err(SignerError::TrustedOutside { responder, not_before, not_after, now });
    }
    verify_signature(basic, responder.public_key(), responder.subject(), algorithms)?;
    Ok(Delegation { not_before, not_after })
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
    let end_entity = webpki::EndEntityCert::try_from(&der).map_err(|reason| {
        let extensions = describe::unsupported_critical_extensions(delegate);
        match reason {
            webpki::Error::UnsupportedCriticalExtension if !extensions.is_empty() => {
                SignerError::UnsupportedDelegate {
                    delegate: delegate.subject().to_string(),
                    extensions: extensions.join(", "),
                }
            }
            reason => SignerError::MalformedDelegate(reason),
        }
    })?;
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
        .map_err(|reason| not_delegated(delegate, issuer, reason))?;
    verify_signature(basic, delegate.public_key(), delegate.subject(), algorithms)?;
    Ok(Delegation { not_before: delegate.not_before(), not_after: delegate.not_after() })
}

/// Why a delegate is none, as webpki has it; but a key or an algorithm that the provider does not verify
/// says nothing against the delegate.
fn not_delegated(
    delegate: &Certificate<'_>,
    issuer: &Issuer<'_>,
    reason: webpki::Error,
) -> SignerError {
    const SIGNED: &str = "delegated responder's certificate";
    use webpki::Error::{
        InvalidSignatureForPublicKey, UnsupportedSignatureAlgorithmContext,
        UnsupportedSignatureAlgorithmForPublicKeyContext,
    };
    match (&reason, describe::odd_rsa_key(issuer.public_key())) {
        (InvalidSignatureForPublicKey, Some(key)) => {
            SignerError::UnsupportedKey { signed: SIGNED, key }
        }
        (
            UnsupportedSignatureAlgorithmContext(_)
            | UnsupportedSignatureAlgorithmForPublicKeyContext(_),
            _,
        ) => SignerError::UnsupportedAlgorithm {
            signed: SIGNED,
            algorithm: describe::algorithm(&delegate.signature_algorithm()),
            key: describe::algorithm(&issuer.public_key().algorithm()),
        },
        _ => SignerError::NotDelegated {
            delegate: crate::brief(delegate.subject()),
            issuer: crate::brief(issuer.subject()),
            reason,
        },
    }
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
        .map_err(|_| match describe::odd_rsa_key(key) {
            Some(key) => SignerError::UnsupportedKey { signed: "response", key },
            None => SignerError::BadSignature { signer: crate::brief(signer) },
        })
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
        algorithm: describe::algorithm(&identifier),
        key: describe::algorithm(&key.algorithm()),
    })
}
