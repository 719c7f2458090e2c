//! The policy's client in real handshakes: what it accepts, what it refuses, and which alert the
//! server gets for it.

use std::sync::{Arc, Mutex};

use certstatus::message::{CertStatus, CrlReason};
use certstatus::{Invalid, Policy, Staple, Unknown};
use certstatus_lab::{Fault, KeyKind, Lab, LeafRequest};
use certstatus_rustls::{BuildError, ClientDecision, Decision, StatusVerifier};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::VerifierBuilderError;
use rustls::{AlertDescription, CertificateError, RootCertStore};

use crate::pki::{Ca, ask};
use crate::wire::{Outcome, builder, certified, connect, provider};

fn lab() -> Lab {
    Lab::builder().build().unwrap()
}

fn default_policy(lab: &Lab) -> Arc<StatusVerifier> {
    builder(lab.root()).build().unwrap()
}

fn all(outcomes: [Outcome; 2], check: fn(Outcome)) {
    outcomes.into_iter().for_each(check);
}

#[test]
fn good_is_accepted_and_revoked_is_refused_with_every_kind_of_key() {
    for kind in [KeyKind::EcdsaP256, KeyKind::EcdsaP384, KeyKind::Rsa2048, KeyKind::Ed25519] {
        for delegate in [false, true] {
            let lab = Lab::builder().key(kind).delegate(delegate).build().unwrap();
            let leaf = lab.leaf("localhost").unwrap();
            let verifier =
                builder(lab.root()).policy(Policy::default().require_always()).build().unwrap();
            all(connect(&verifier, certified(&leaf, Some(lab.respond(&leaf)))), Outcome::accepted);
            lab.revoke(&leaf, Some(CrlReason::KeyCompromise));
            all(connect(&verifier, certified(&leaf, Some(lab.respond(&leaf)))), Outcome::revoked);
        }
    }
}

#[test]
fn rsa_pss_signs_responses_too() {
    let lab = Lab::builder().key(KeyKind::Rsa2048).rsa_pss(true).build().unwrap();
    let leaf = lab.leaf("localhost").unwrap();
    let staple = Some(lab.respond(&leaf));
    all(connect(&default_policy(&lab), certified(&leaf, staple)), Outcome::accepted);
}

#[test]
fn a_staple_is_required_when_certificate_or_policy_says_so() {
    let lab = lab();
    let plain = lab.leaf("localhost").unwrap();
    let marked = lab.issue(LeafRequest::new("localhost").must_staple()).unwrap();
    let default = default_policy(&lab);
    let with = |policy| builder(lab.root()).policy(policy).build().unwrap();
    let always = with(Policy::default().require_always());
    let never = with(Policy::default().require_never());

    all(connect(&default, certified(&plain, None)), Outcome::accepted);
    all(connect(&default, certified(&marked, None)), Outcome::invalid_status);
    all(connect(&always, certified(&plain, None)), Outcome::invalid_status);
    all(connect(&never, certified(&marked, None)), Outcome::accepted);

    all(connect(&default, certified(&marked, Some(lab.respond(&marked)))), Outcome::accepted);
    all(connect(&always, certified(&plain, Some(lab.respond(&plain)))), Outcome::accepted);
}

#[test]
fn forged_expired_and_foreign_staples_are_refused() {
    let lab = lab();
    let leaf = lab.leaf("localhost").unwrap();
    let other = lab.leaf("localhost").unwrap();
    let spoiled = |fault| lab.respond_with(&leaf, fault).unwrap();
    let verifier = default_policy(&lab);
    for staple in [
        spoiled(Fault::BadSignature),
        spoiled(Fault::Expired),
        Some(lab.respond(&other)),
        Some(b"not a response".to_vec()),
    ] {
        all(connect(&verifier, certified(&leaf, staple)), Outcome::invalid_status);
    }
}

#[test]
fn a_soft_policy_goes_on_without_what_is_invalid_or_unknown() {
    let lab = lab();
    let leaf = lab.leaf("localhost").unwrap();
    let marked = lab.issue(LeafRequest::new("localhost").must_staple()).unwrap();
    let policy =
        Policy::default().treat_invalid(Invalid::AsMissing).treat_unknown(Unknown::AsMissing);
    let soft = builder(lab.root()).policy(policy).build().unwrap();

    let forged = lab.respond_with(&leaf, Fault::BadSignature).unwrap();
    all(connect(&soft, certified(&leaf, forged)), Outcome::accepted);
    let forged = lab.respond_with(&marked, Fault::BadSignature).unwrap();
    all(connect(&soft, certified(&marked, forged)), Outcome::invalid_status);

    lab.forget(&leaf);
    let unknown = Some(lab.respond(&leaf));
    all(connect(&soft, certified(&leaf, unknown.clone())), Outcome::accepted);
    all(connect(&default_policy(&lab), certified(&leaf, unknown)), Outcome::invalid_status);

    lab.revoke(&leaf, None);
    all(connect(&soft, certified(&leaf, Some(lab.respond(&leaf)))), Outcome::revoked);
}

/// RFC 7633, 4.2.2: the feature of a CA's certificate binds every certificate below it.
#[test]
fn must_staple_of_a_ca_binds_certificates_below_it() {
    let root = Ca::root("root");
    let verifier = builder(&root.certificate).build().unwrap();
    let now = UnixTime::now();
    let asked = |chain: &[&CertificateDer<'static>], staple: &[u8]| {
        let chain: Vec<_> = chain.iter().map(|one| (*one).clone()).collect();
        ask(&verifier, &chain, staple, now).is_ok()
    };
    for (feature, must) in [
        (None, false),
        (Some(&[0x30, 3, 2, 1, 17][..]), false),
        (Some(&[0x30, 3, 2, 1, 5]), true),
        (Some(&[5, 0]), true),
    ] {
        let upper = root.intermediate_with("upper", feature);
        let lower = upper.intermediate("lower");
        let (near, far) = (upper.server(None), lower.server(None));
        let good = |by: &Ca, about| by.respond(about, CertStatus::Good);
        let near_chain = [&near.certificate, &upper.certificate];
        let far_chain = [&far.certificate, &lower.certificate, &upper.certificate];
        assert_eq!(asked(&near_chain, &[]), !must, "{feature:?}");
        assert_eq!(asked(&far_chain, &[]), !must, "{feature:?}, one lower");
        assert!(asked(&near_chain, &good(&upper, &near.certificate)));
        assert!(asked(&far_chain, &good(&lower, &far.certificate)));
        // A CA beside the path binds nothing.
        let plain = root.intermediate("plain");
        let beside = plain.server(None);
        assert!(asked(&[&beside.certificate, &plain.certificate, &upper.certificate], &[]));
    }
}

#[test]
fn a_tls_feature_extension_that_cannot_be_read_counts_as_must_staple() {
    let root = Ca::root("root");
    let verifier = builder(&root.certificate).build().unwrap();
    // SEQUENCE { INTEGER 17 }: status_request_v2 alone is not the mark (RFC 7633, 4.2.2).
    let other = root.server(Some(&[0x30, 3, 2, 1, 17]));
    all(connect(&verifier, other.certified(&[], None)), Outcome::accepted);
    for malformed in [&[][..], &[0x30, 5, 2, 1, 17], &[0x31, 3, 2, 1, 17], &[0x30, 2, 5, 0]] {
        let server = root.server(Some(malformed));
        all(connect(&verifier, server.certified(&[], None)), Outcome::invalid_status);
        let good = root.respond(&server.certificate, CertStatus::Good);
        all(connect(&verifier, server.certified(&[], Some(good))), Outcome::accepted);
    }
}

#[test]
fn the_observer_is_told_what_was_decided_about_what() {
    let lab = lab();
    let leaf = lab.leaf("localhost").unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let verifier = builder(lab.root())
        .on_decision(move |path, staple, decision: &Decision| {
            assert_eq!(path.server_name().to_str(), "localhost");
            let staple = match staple {
                Staple::Missing => "missing",
                Staple::Invalid(_) => "invalid",
                Staple::Verified(_) => "verified",
            };
            log.lock().unwrap().push(format!("{staple}: {decision}"));
        })
        .build()
        .unwrap();
    let [_, tls13] = connect(&verifier, certified(&leaf, None));
    tls13.accepted();
    let [_, tls13] = connect(&verifier, certified(&leaf, Some(vec![0x30])));
    tls13.invalid_status();
    lab.revoke(&leaf, Some(CrlReason::Superseded));
    let [_, tls13] = connect(&verifier, certified(&leaf, Some(lab.respond(&leaf))));
    tls13.revoked();

    let seen = seen.lock().unwrap();
    let [missing, _, invalid, _, revoked, _] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!(missing, "missing: nothing is stapled, and nothing is required");
    assert!(invalid.starts_with("invalid: the stapled response is not to be trusted: "));
    assert!(revoked.starts_with("verified: the certificate was revoked"), "{revoked}");
    assert!(revoked.contains("superseded"), "{revoked}");
}

#[test]
fn a_provider_without_the_algorithm_does_not_trust_the_response() {
    let lab = Lab::builder().delegated(KeyKind::EcdsaP521).build().unwrap();
    let leaf = lab.leaf("localhost").unwrap();
    let staple = lab.respond(&leaf);
    let mut fewer = (*provider()).clone();
    let p256: Vec<_> = fewer
        .signature_verification_algorithms
        .all
        .iter()
        .copied()
        .filter(|a| a.public_key_alg_id() == rustls::pki_types::alg_id::ECDSA_P256)
        .collect();
    fewer.signature_verification_algorithms.all = p256.leak();
    let reason = Arc::new(Mutex::new(String::new()));
    let said = Arc::clone(&reason);
    let roots = crate::wire::roots(lab.root());
    let verifier = StatusVerifier::builder(roots, Arc::new(fewer))
        .on_decision(move |_, _, decision| *said.lock().unwrap() = decision.to_string())
        .build()
        .unwrap();
    let refused = ask(&verifier, leaf.chain(), &staple, UnixTime::now());
    assert_eq!(refused, Err(CertificateError::InvalidOcspResponse.into()));
    assert!(reason.lock().unwrap().contains("which the crypto provider does not verify"));
    // With all algorithms the same response is fine.
    assert_eq!(ask(&default_policy(&lab), leaf.chain(), &staple, UnixTime::now()), Ok(()));
}

#[test]
fn a_verifier_that_makes_no_sense_is_not_built() {
    let nobody = StatusVerifier::builder(Arc::new(RootCertStore::empty()), provider()).build();
    assert!(matches!(nobody, Err(BuildError::WebPki(VerifierBuilderError::NoRootAnchors))));
    let lab = lab();
    let garbage = builder(lab.root()).with_crls([vec![0xff].into()]).build();
    assert!(matches!(garbage, Err(BuildError::WebPki(VerifierBuilderError::InvalidCrl(_)))));
    let both = builder(lab.root())
        .on_status(|_, _| ClientDecision::Accept)
        .on_decision(|_, _, _| ())
        .build();
    assert!(matches!(both, Err(BuildError::NothingToObserve)));
}

#[test]
fn alerts_are_those_that_the_documentation_names() {
    let alert = AlertDescription::from;
    assert_eq!(alert(CertificateError::Revoked), AlertDescription::CertificateRevoked);
    assert_eq!(alert(CertificateError::BadEncoding), AlertDescription::BadCertificate);
}
