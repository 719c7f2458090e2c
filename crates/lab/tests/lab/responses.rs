//! Responses without a fault: every kind of key, every scheme, every status.

use certstatus::message::{CertStatus, CrlReason, HashAlgorithm};
use certstatus::{Nonce, Signer};
use certstatus_lab::{KeyKind, Lab, LeafRequest, RsaScheme};

use crate::support::{status, verify};

#[test]
fn every_kind_of_key_signs_as_issuer_and_as_delegate() {
    for kind in KeyKind::ALL {
        for delegate in [false, true] {
            let lab = Lab::builder().ca_key(kind).delegate(delegate).build().unwrap();
            let leaf = lab.leaf("localhost").unwrap();
            let verified = verify(&lab, &leaf, &lab.respond(&leaf), Nonce::NotSent)
                .unwrap_or_else(|error| panic!("{kind}, delegate {delegate}: {error}"));
            assert_eq!(verified.status(), CertStatus::Good);
            let signer = if delegate { Signer::Delegate } else { Signer::Issuer };
            assert_eq!(verified.signer(), signer, "{kind}");
            assert_eq!(lab.delegate().is_some(), delegate);
        }
    }
}

#[test]
fn every_rsa_scheme_is_one_that_the_provider_verifies() {
    for scheme in RsaScheme::ALL {
        let lab = Lab::builder().delegated(KeyKind::Rsa2048).rsa_scheme(scheme).build().unwrap();
        let leaf = lab.leaf("localhost").unwrap();
        assert_eq!(status(&lab, &leaf, &lab.respond(&leaf)), CertStatus::Good, "{scheme}");
    }
}

#[test]
fn the_status_follows_the_database() {
    let lab = Lab::builder().responder_id_by_key().build().unwrap();
    let leaf = lab.leaf("localhost").unwrap();
    let other = lab.leaf("other.example").unwrap();
    lab.revoke(&leaf, Some(CrlReason::KeyCompromise));
    let CertStatus::Revoked(info) = status(&lab, &leaf, &lab.respond(&leaf)) else {
        panic!("it is revoked");
    };
    assert_eq!(info.revocation_reason, Some(CrlReason::KeyCompromise));
    assert_eq!(status(&lab, &other, &lab.respond(&other)), CertStatus::Good);
    lab.forget(&leaf);
    assert_eq!(status(&lab, &leaf, &lab.respond(&leaf)), CertStatus::Unknown);
    lab.reinstate(&leaf);
    assert_eq!(status(&lab, &leaf, &lab.respond(&leaf)), CertStatus::Good);
}

#[test]
fn the_hash_is_the_one_that_is_asked_for_and_the_nonce_comes_back() {
    let lab = Lab::builder().build().unwrap();
    let leaf = lab.leaf("localhost").unwrap();
    for hash in HashAlgorithm::ALL {
        let request = lab.request(&leaf, hash).unwrap().with_nonce(&[7; 32]);
        let response = lab.answer(&request.to_der());
        let verified = verify(&lab, &leaf, &response, Nonce::Required(&[7; 32])).unwrap();
        assert_eq!(verified.status(), CertStatus::Good, "{hash}");
    }
}

#[test]
fn certificates_of_others_are_not_answered_for() {
    let (ours, theirs) = (Lab::builder().build().unwrap(), Lab::builder().build().unwrap());
    let leaf = theirs.leaf("localhost").unwrap();
    let error = verify(&theirs, &leaf, &ours.respond(&leaf), Nonce::NotSent).unwrap_err();
    assert!(error.to_string().contains("unauthorized"), "{error}");
    ours.revoke(&leaf, None);
    let error = ours.answer(b"nonsense");
    assert_eq!(error, [0x30, 3, 0x0a, 1, 1], "malformedRequest");
}

#[test]
fn leaves_are_what_was_asked_for() {
    let lab = Lab::builder().build().unwrap();
    let read = |request: LeafRequest| {
        let leaf = lab.issue(request).unwrap();
        let certificate = leaf.certificate().clone();
        (leaf, certificate)
    };
    let (leaf, der) = read(LeafRequest::new("localhost").san_ip([127, 0, 0, 1]).must_staple());
    let certificate = certstatus::Certificate::parse(&der).unwrap();
    assert!(certificate.must_staple().unwrap());
    assert_eq!(certificate.ocsp_urls().unwrap(), [lab.responder_url()]);
    assert_eq!(certificate.ca_issuers_urls().unwrap(), ["http://ocsp.lab.example/ca.der"]);
    assert_eq!(certificate.serial_number(), leaf.serial());
    assert_eq!(leaf.chain(), [der.clone(), lab.intermediate().clone()]);

    let (_, der) = read(LeafRequest::new("127.0.0.1").no_aia().expired().key(KeyKind::Ed25519));
    let certificate = certstatus::Certificate::parse(&der).unwrap();
    assert!(!certificate.must_staple().unwrap());
    assert!(certificate.ocsp_urls().unwrap().is_empty());
    assert!(certificate.ca_issuers_urls().unwrap().is_empty());
    assert!(certificate.not_after().as_secs() < lab.now().as_secs());

    let (_, der) = read(LeafRequest::new("a.example").responder_urls(["http://a/", "http://b/"]));
    let certificate = certstatus::Certificate::parse(&der).unwrap();
    assert_eq!(certificate.ocsp_urls().unwrap(), ["http://a/", "http://b/"]);
}
