//! RFC 6960, 3.2 and 4.2.2: when a response is accepted: times, matching statements, signers.

use std::borrow::Cow;
use std::time::Duration;

use certstatus::message::{CertId, CertStatus, Extension, HashAlgorithm, RevokedInfo, oid};
use certstatus::{
    Certificate, Error, ExtensionError, Freshness, Issuer, Limits, MatchError, Nonce, Signer,
    SignerError, Stage, TimeError, Verifier,
};
use certstatus_lab::{Effect, Fault, KeyKind, Lab, RsaScheme};

use rustls_pki_types::SignatureVerificationAlgorithm;

use crate::support::{Fixture, LIFE, NOW, algorithms, at};

const REVOKED: CertStatus = CertStatus::Revoked(RevokedInfo {
    revocation_time: certstatus::time::unix(NOW - 86_400),
    revocation_reason: None,
});

fn with(freshness: Freshness) -> Verifier<'static> {
    Verifier::new(algorithms()).freshness(freshness)
}

fn seconds(skew: u64, max_age: u64) -> Freshness {
    Freshness { skew: Duration::from_secs(skew), max_age: Duration::from_secs(max_age) }
}

/// `thisUpdate - skew <= now < nextUpdate + skew`, to the second.
#[test]
fn the_window_is_exact() {
    let fixture = Fixture::new();
    let response = fixture.response(vec![fixture.statement(CertStatus::Good, 0, Some(1000))]);
    for skew in [0, 300] {
        let verify = |now: i64| fixture.verify_with(with(seconds(skew, 0)), &response, at(now));
        let skew = skew as i64;
        assert!(verify(-skew).is_ok());
        assert!(verify(999 + skew).is_ok());
        let early = verify(-skew - 1).unwrap_err();
        assert!(matches!(early, Error::Time(TimeError::NotYetValid { .. })), "{early}");
        let late = verify(1000 + skew).unwrap_err();
        assert!(matches!(late, Error::Time(TimeError::Expired { .. })), "{late}");
    }
}

#[test]
fn without_next_update_the_age_is_limited() {
    let fixture = Fixture::new();
    let response = fixture.response(vec![fixture.statement(CertStatus::Good, 0, None)]);
    let verify = |now| fixture.verify_with(with(seconds(60, 3600)), &response, at(now));
    let verified = verify(3659).unwrap();
    assert_eq!(verified.next_update(), None);
    assert_eq!(verified.expires(), at(3600));
    assert!(verified.is_current(at(3659)) && !verified.is_current(at(3660)));
    let late = verify(3660).unwrap_err();
    assert!(matches!(late, Error::Time(TimeError::TooOld { .. })), "{late}");
}

#[test]
fn produced_at_is_not_in_the_future() {
    let fixture = Fixture::new();
    let statement = fixture.statement(CertStatus::Good, 0, Some(10_000));
    let response = fixture.response_with(vec![statement], |data| data.produced_at = at(1000));
    assert!(fixture.verify(&response, at(700)).is_ok(), "within the skew of 300 s");
    let error = fixture.verify(&response, at(699)).unwrap_err();
    assert!(matches!(error, Error::Time(TimeError::ProducedInFuture { .. })), "{error}");
}

#[test]
fn a_delegates_end_is_the_responses_end() {
    let lab = Lab::builder().now(at(0)).delegate(true).build().unwrap();
    let fixture = Fixture::of(lab);
    let delegate = Certificate::parse(fixture.lab.delegate().unwrap()).unwrap();
    let end = delegate.not_after().as_secs() as i64 - NOW as i64;
    let statement = fixture.statement(CertStatus::Good, 0, Some(end + 1_000_000));
    let response = fixture.response(vec![statement]);
    let verified = fixture.verify(&response, at(10)).unwrap();
    assert_eq!(verified.signer(), Signer::Delegate);
    assert_eq!(verified.expires(), at(end + 1), "notAfter is inclusive");
    assert!(verified.is_current(at(end)) && !verified.is_current(at(end + 1)), "no skew here");
    assert!(fixture.verify(&response, at(end)).is_ok());
    let late = fixture.verify(&response, at(end + 1)).unwrap_err();
    assert_eq!(late.stage(), Stage::Signer, "{late}");
}

#[test]
fn of_several_statements_the_strictest_counts_then_the_newest() {
    let fixture = Fixture::new();
    let life = Some(LIFE as i64);
    let say = |status, this_update| fixture.statement(status, this_update, life);
    for (statements, expected, this_update) in [
        (vec![say(CertStatus::Good, 0), say(REVOKED, -50)], REVOKED, -50),
        (vec![say(REVOKED, -50), say(CertStatus::Good, 0)], REVOKED, -50),
        (vec![say(CertStatus::Good, 0), say(CertStatus::Unknown, -9)], CertStatus::Unknown, -9),
        (vec![say(CertStatus::Unknown, 0), say(REVOKED, -9)], REVOKED, -9),
        (vec![say(CertStatus::Good, -9), say(CertStatus::Good, -2)], CertStatus::Good, -2),
        (vec![say(CertStatus::Good, -2), say(CertStatus::Good, -9)], CertStatus::Good, -2),
    ] {
        let verified = fixture.verify(&fixture.response(statements), at(10)).unwrap();
        assert_eq!(verified.status(), expected);
        assert_eq!(verified.this_update(), at(this_update));
    }
}

#[test]
fn a_statement_that_has_expired_says_nothing_beside_a_current_one() {
    let fixture = Fixture::new();
    let expired = || fixture.statement(REVOKED, -5000, Some(-4000));
    let current = || fixture.statement(CertStatus::Good, 0, Some(1000));
    for statements in [vec![expired(), current()], vec![current(), expired()]] {
        let verified = fixture.verify(&fixture.response(statements), at(10)).unwrap();
        assert_eq!(verified.status(), CertStatus::Good);
    }
    let error = fixture.verify(&fixture.response(vec![expired()]), at(10)).unwrap_err();
    assert_eq!(error.stage(), Stage::Time, "{error}");
}

/// A cached verdict must not outlive the moment from which another one would be chosen.
#[test]
fn a_statement_that_begins_later_ends_the_one_before() {
    let fixture = Fixture::new();
    let response = fixture.response(vec![
        fixture.statement(CertStatus::Good, 0, Some(10_000)),
        fixture.statement(REVOKED, 2000, Some(10_000)),
    ]);
    let verified = fixture.verify(&response, at(0)).unwrap();
    assert_eq!(verified.status(), CertStatus::Good);
    assert!(verified.is_current(at(1699)) && !verified.is_current(at(1700)));
    assert_eq!(fixture.verify(&response, at(1700)).unwrap().status(), REVOKED);
}

/// The same for a clock that is set back: into a time when a stricter statement held.
#[test]
fn a_statement_that_has_ended_begins_the_one_after() {
    let fixture = Fixture::new();
    let statements = vec![
        fixture.statement(REVOKED, -5000, Some(-1000)),
        fixture.statement(CertStatus::Good, -5000, Some(10_000)),
    ];
    let response = fixture.response_with(statements, |data| data.produced_at = at(-5000));
    let verified = fixture.verify(&response, at(0)).unwrap();
    assert_eq!(verified.status(), CertStatus::Good);
    assert!(verified.is_current(at(-700)) && !verified.is_current(at(-701)));
    assert_eq!(fixture.verify(&response, at(-701)).unwrap().status(), REVOKED);
}

/// CertID is compared whole: serial, issuer's name, issuer's key.
#[test]
fn each_part_of_the_cert_id_counts() {
    let fixture = Fixture::new();
    let refused = |change: fn(&mut CertId<'static>)| {
        let mut statement = fixture.statement(CertStatus::Good, 0, Some(1000));
        change(&mut statement.cert_id);
        let error = fixture.verify(&fixture.response(vec![statement]), at(10)).unwrap_err();
        assert!(matches!(error, Error::Match(MatchError::NoMatch { .. })), "{error}");
    };
    refused(|id| id.serial_number.to_mut()[0] ^= 1);
    refused(|id| id.issuer_name_hash.to_mut()[0] ^= 1);
    refused(|id| id.issuer_key_hash.to_mut()[0] ^= 1);
    refused(|id| id.issuer_key_hash.to_mut().truncate(19));
    refused(|id| id.hash_algorithm = HashAlgorithm::Sha256.identifier());
}

/// What else a response says, about others, is no verdict that was asked for.
#[test]
fn a_verified_response_is_about_the_certificate_that_was_verified_alone() {
    let fixture = Fixture::new();
    let other = fixture.lab.leaf("other.example.org").unwrap();
    let mut of_other = fixture.statement(REVOKED, 0, Some(1000));
    let request = fixture.lab.request(&other, HashAlgorithm::Sha1).unwrap();
    of_other.cert_id = request.requests[0].cert_id.clone();
    let own = fixture.statement(CertStatus::Good, 0, Some(1000));
    for statements in [vec![own.clone(), of_other.clone()], vec![of_other, own]] {
        let verified = fixture.verify(&fixture.response(statements), at(10)).unwrap();
        assert_eq!(verified.status(), CertStatus::Good);
        assert!(verified.is_about(fixture.leaf.certificate()).unwrap());
        assert!(!verified.is_about(other.certificate()).unwrap());
    }
}

#[test]
fn every_hash_of_a_cert_id_matches() {
    let fixture = Fixture::new();
    for hash in HashAlgorithm::ALL {
        let mut statement = fixture.statement(CertStatus::Good, 0, Some(1000));
        let request = fixture.lab.request(&fixture.leaf, hash).unwrap();
        statement.cert_id = request.requests[0].cert_id.clone();
        assert!(fixture.verify(&fixture.response(vec![statement]), at(10)).is_ok(), "{hash}");
    }
}

#[test]
fn an_issuer_that_did_not_issue_is_told_apart() {
    let (fixture, other) = (Fixture::new(), Fixture::new());
    let root = Certificate::parse(fixture.lab.root()).unwrap();
    let namesake = Certificate::parse(other.lab.intermediate()).unwrap();
    let certificate = Certificate::parse(fixture.leaf.certificate()).unwrap();
    let response = fixture.lab.respond(&fixture.leaf);
    let verify = |issuer: &Certificate<'_>| {
        let issuer = Issuer::from_certificate(issuer);
        Verifier::new(algorithms()).verify(&response, &certificate, &issuer, at(10)).unwrap_err()
    };
    let error = verify(&root);
    assert!(matches!(error, Error::Match(MatchError::NotIssuedBy { .. })), "{error}");
    // The same name with another key.
    let error = verify(&namesake);
    assert_eq!(error.stage(), Stage::Match, "{error}");
}

/// Name and signature: who only bears the issuer's name has not issued.
#[test]
fn who_issued_a_certificate_is_told_by_name_and_signature() {
    let (fixture, other) = (Fixture::new(), Fixture::new());
    let certificate = Certificate::parse(fixture.leaf.certificate()).unwrap();
    let by = |der: &[u8]| {
        let issuer = Issuer::from_certificate(&Certificate::parse(der).unwrap());
        certificate.verify_issued_by(&issuer, algorithms())
    };
    assert!(by(fixture.lab.intermediate()).is_ok());
    let error = by(fixture.lab.root()).unwrap_err();
    assert!(matches!(error, Error::Match(MatchError::NotIssuedBy { .. })), "{error}");
    let error = by(other.lab.intermediate()).unwrap_err();
    assert!(matches!(error, Error::Signer(SignerError::NotSignedBy { .. })), "{error}");
}

#[test]
fn a_trust_anchor_serves_as_issuer() {
    let fixture = Fixture::new();
    let anchor = webpki::anchor_from_trusted_cert(fixture.lab.intermediate()).unwrap();
    let issuer = Issuer::from_trust_anchor(&anchor).unwrap();
    let certificate = Certificate::parse(fixture.leaf.certificate()).unwrap();
    let response = fixture.lab.respond(&fixture.leaf);
    let verified =
        Verifier::new(algorithms()).verify(&response, &certificate, &issuer, at(10)).unwrap();
    assert_eq!(verified.status(), CertStatus::Good);
    assert!(verified.is_about(fixture.leaf.certificate()).unwrap());
    let other = fixture.lab.leaf("other.example.org").unwrap();
    assert!(!verified.is_about(other.certificate()).unwrap());
}

/// RFC 9654, and RFC 5019, 4 for responders that sign in advance.
#[test]
fn the_nonce_is_compared() {
    let fixture = Fixture::new();
    let request = fixture.lab.request(&fixture.leaf, HashAlgorithm::Sha1).unwrap();
    let with_nonce = fixture.lab.answer(&request.clone().with_nonce(b"0123456789").to_der());
    let without = fixture.lab.answer(&request.to_der());
    let verify = |response: &[u8], nonce| {
        fixture.verify_with(Verifier::new(algorithms()).nonce(nonce), response, at(10))
    };
    assert!(verify(&with_nonce, Nonce::NotSent).is_ok());
    assert!(verify(&with_nonce, Nonce::Required(b"0123456789")).is_ok());
    assert!(verify(&with_nonce, Nonce::IfPresent(b"0123456789")).is_ok());
    assert!(verify(&without, Nonce::NotSent).is_ok());
    assert!(verify(&without, Nonce::IfPresent(b"0123456789")).is_ok());
    for nonce in [Nonce::Required(b"other"), Nonce::IfPresent(b"other")] {
        let error = verify(&with_nonce, nonce).unwrap_err();
        assert!(matches!(error, Error::Extension(ExtensionError::NonceMismatch { .. })), "{error}");
    }
    let error = verify(&without, Nonce::Required(b"0123456789")).unwrap_err();
    assert!(matches!(error, Error::Extension(ExtensionError::NonceMissing { .. })), "{error}");
}

#[test]
fn critical_extensions_are_refused_unless_they_are_understood() {
    let fixture = Fixture::new();
    let unknown = |critical| Extension {
        id: asn1::oid!(1, 3, 6, 1, 4, 1, 99_999, 1),
        critical,
        value: Cow::Borrowed(&[5, 0]),
    };
    let known = Extension {
        id: oid::ARCHIVE_CUTOFF,
        critical: true,
        value: Cow::Borrowed(b"\x18\x0f20200101000000Z"),
    };
    let of_response = |extension: Extension<'static>| {
        let statement = fixture.statement(CertStatus::Good, 0, Some(1000));
        fixture.response_with(vec![statement], |data| data.extensions = vec![extension])
    };
    let of_single = |extension: Extension<'static>| {
        let mut statement = fixture.statement(CertStatus::Good, 0, Some(1000));
        statement.extensions = vec![extension];
        fixture.response(vec![statement])
    };
    for response in [of_response(unknown(true)), of_single(unknown(true))] {
        let error = fixture.verify(&response, at(10)).unwrap_err();
        assert_eq!(error.stage(), Stage::Extensions, "{error}");
    }
    for allowed in [
        of_response(unknown(false)),
        of_single(unknown(false)),
        of_response(known.clone()),
        of_single(known),
    ] {
        assert!(fixture.verify(&allowed, at(10)).is_ok());
    }
}

/// Every kind of key signs as issuer and as delegate, named by name and by key.
#[test]
fn every_kind_of_key_signs() {
    for key in KeyKind::ALL {
        for (delegated, by_name) in [(false, false), (false, true), (true, false), (true, true)] {
            let lab = Lab::builder().now(at(0)).key(key).delegate(delegated);
            let lab = if by_name { lab.responder_id_by_name() } else { lab.responder_id_by_key() };
            let fixture = Fixture::of(lab.build().unwrap());
            let response = fixture.lab.respond(&fixture.leaf);
            let verified = fixture.verify(&response, at(10)).unwrap();
            let expected = if delegated { Signer::Delegate } else { Signer::Issuer };
            assert_eq!(verified.signer(), expected, "{key}, by name: {by_name}");
        }
    }
}

#[test]
fn rsa_signs_by_pkcs1_and_pss_with_every_hash() {
    for scheme in RsaScheme::ALL {
        let lab = Lab::builder().now(at(0)).key(KeyKind::Rsa2048).rsa_scheme(scheme);
        let fixture = Fixture::of(lab.build().unwrap());
        let response = fixture.lab.respond(&fixture.leaf);
        assert!(fixture.verify(&response, at(10)).is_ok(), "{}", scheme.name());
    }
}

/// Any provider's algorithms serve: here ring's.
#[test]
fn the_algorithms_of_ring_serve_too() {
    let ring: [&dyn SignatureVerificationAlgorithm; 4] = [
        webpki::ring::ECDSA_P256_SHA256,
        webpki::ring::ECDSA_P384_SHA384,
        webpki::ring::ED25519,
        webpki::ring::RSA_PKCS1_2048_8192_SHA256,
    ];
    for key in [KeyKind::EcdsaP256, KeyKind::EcdsaP384, KeyKind::Ed25519, KeyKind::Rsa2048] {
        let fixture =
            Fixture::of(Lab::builder().now(at(0)).key(key).delegate(true).build().unwrap());
        let response = fixture.lab.respond(&fixture.leaf);
        assert!(fixture.verify_with(Verifier::new(&ring), &response, at(10)).is_ok(), "{key}");
        let forged = fixture.lab.respond_with(&fixture.leaf, Fault::BadSignature).unwrap().unwrap();
        let error = fixture.verify_with(Verifier::new(&ring), &forged, at(10)).unwrap_err();
        assert!(matches!(error, Error::Signer(SignerError::BadSignature { .. })), "{key}: {error}");
    }
}

/// The algorithms are the provider's: what it does not have is refused, and named.
#[test]
fn an_algorithm_that_the_provider_lacks_is_named() {
    let fixture = Fixture::new();
    let rsa_only: Vec<_> = algorithms()
        .iter()
        .copied()
        .filter(|a| a.public_key_alg_id() == rustls_pki_types::alg_id::RSA_ENCRYPTION)
        .collect();
    let response = fixture.lab.respond(&fixture.leaf);
    let error = fixture.verify_with(Verifier::new(&rsa_only), &response, at(10)).unwrap_err();
    assert!(matches!(error, Error::Signer(SignerError::UnsupportedAlgorithm { .. })), "{error}");
    assert!(error.to_string().contains("ecdsa-with-SHA256"), "{error}");
}

/// What an attacker puts in costs a bounded number of signature verifications.
#[test]
fn the_number_of_candidates_is_bounded() {
    let fixture = Fixture::of(Lab::builder().now(at(0)).delegate(true).build().unwrap());
    let response = fixture.lab.respond_with(&fixture.leaf, Fault::BadSignature).unwrap().unwrap();
    let mut limits = Limits::default();
    limits.signer_candidates = 0;
    let verifier = Verifier::new(algorithms()).limits(limits);
    let error = fixture.verify_with(verifier, &response, at(10)).unwrap_err();
    assert!(matches!(error, Error::Signer(SignerError::TooManyCandidates { limit: 0 })), "{error}");
}

/// Every fault of the catalogue that leaves bytes meets its stage, and is told in a sentence.
#[test]
fn every_fault_is_refused_with_a_sentence() {
    for delegated in [false, true] {
        let fixture = Fixture::of(Lab::builder().now(at(0)).delegate(delegated).build().unwrap());
        let mut refused = 0;
        for fault in Fault::ALL.iter().copied() {
            let Effect::Refused(stage) = fault.effect() else { continue };
            let request = fixture.lab.request(&fixture.leaf, HashAlgorithm::Sha1).unwrap();
            let request = request.with_nonce(&[7; 32]).to_der();
            let response = fixture.lab.answer_with(&request, fault).unwrap().unwrap();
            let verifier = Verifier::new(algorithms()).nonce(Nonce::Required(&[7; 32]));
            let error = fixture.verify_with(verifier, &response, at(10)).unwrap_err();
            assert_eq!(error.stage(), stage, "{fault}: {error}");
            let sentence = error.to_string();
            assert!(sentence.starts_with("the ") || sentence.contains(" may not "), "{sentence}");
            refused += 1;
        }
        assert!(refused >= 25, "{refused} faults");
    }
}

/// Who keeps only the serial number gets the same verdict as who keeps the certificate.
#[test]
fn a_serial_number_and_its_issuer_are_enough() {
    let fixture = Fixture::new();
    let issuer = Certificate::parse(fixture.lab.intermediate()).unwrap();
    let issuer = Issuer::from_certificate(&issuer);
    let serial = fixture.leaf.serial();
    let verifier = Verifier::new(algorithms());
    let id = CertId::for_serial(serial, &issuer, HashAlgorithm::Sha1);
    assert_eq!(id, fixture.cert_id());
    let good = fixture.lab.respond(&fixture.leaf);
    let of_serial = verifier.verify_serial(&good, serial, &issuer, at(0)).unwrap();
    assert_eq!(of_serial, fixture.verify(&good, at(0)).unwrap());
    let other = verifier.verify_serial(&good, &[1], &issuer, at(0)).unwrap_err();
    assert!(matches!(other, Error::Match(MatchError::NoMatch { .. })), "{other}");
    let root = Certificate::parse(fixture.lab.root()).unwrap();
    let root = Issuer::from_certificate(&root);
    let other = verifier.verify_serial(&good, serial, &root, at(0)).unwrap_err();
    assert!(matches!(other, Error::Match(MatchError::NoMatch { .. })), "{other}");
    for fault in Fault::ALL {
        let Some(response) = fixture.lab.respond_with(&fixture.leaf, fault).unwrap() else {
            continue;
        };
        let of_serial = verifier.verify_serial(&response, serial, &issuer, at(0));
        let of_certificate = fixture.verify(&response, at(0));
        let stage = |result: &Result<_, Error>| result.as_ref().err().map(Error::stage);
        assert_eq!(stage(&of_serial), stage(&of_certificate), "{fault}");
    }
}
