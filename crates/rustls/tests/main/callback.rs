//! The client callback of `SSL_CTX_set_tlsext_status_cb(3)` as a closure.

use std::sync::{Arc, Mutex};

use certstatus::message::CertStatus;
use certstatus_lab::{Lab, LeafRequest};
use certstatus_rustls::{CallbackFailed, ClientDecision, Policy, StatusVerifier};
use rustls::{AlertDescription, Error, OtherError};

use crate::pki::Ca;
use crate::wire::{builder, certified, connect};

fn answering(lab: &Lab, answer: ClientDecision) -> Arc<StatusVerifier> {
    // A policy that would refuse: it must not be asked.
    builder(lab.root())
        .policy(Policy::default().require_always())
        .on_status(move |_, _| answer)
        .build()
        .unwrap()
}

#[test]
fn the_callback_decides_in_place_of_the_policy() {
    let lab = Lab::builder().build().unwrap();
    let leaf = lab.issue(LeafRequest::new("localhost").must_staple()).unwrap();
    let good = lab.respond(&leaf);
    lab.revoke(&leaf, None);
    for staple in [None, Some(good), Some(lab.respond(&leaf)), Some(b"junk".to_vec())] {
        let key = certified(&leaf, staple);
        for outcome in connect(&answering(&lab, ClientDecision::Accept), key.clone()) {
            outcome.accepted();
        }
        for outcome in connect(&answering(&lab, ClientDecision::Reject), key.clone()) {
            outcome.invalid_status();
        }
        for outcome in connect(&answering(&lab, ClientDecision::Error), key) {
            let Err(Error::Other(OtherError(error))) = outcome.client else {
                panic!("{outcome:?}")
            };
            assert!(error.is::<CallbackFailed>());
            let alert = AlertDescription::HandshakeFailure;
            assert_eq!(outcome.server, Err(Error::AlertReceived(alert)));
        }
    }
}

#[test]
fn the_callback_gets_the_bytes_or_none_and_the_verified_path() {
    let lab = Lab::builder().build().unwrap();
    let leaf = lab.issue(LeafRequest::new("localhost").must_staple()).unwrap();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let (log, chain, root) = (Arc::clone(&calls), leaf.chain().to_vec(), lab.root().clone());
    let verifier = builder(lab.root())
        .on_status(move |path, response| {
            assert_eq!(path.end_entity().der(), chain[0].as_ref());
            let intermediates: Vec<_> = path.intermediates().collect();
            assert_eq!(intermediates, chain[1..]);
            let issuer = certstatus::Certificate::parse(&chain[1]).unwrap();
            assert_eq!(path.issuer().subject(), issuer.subject());
            assert_eq!(path.issuer().public_key(), issuer.public_key());
            let root = certstatus::Certificate::parse(&root).unwrap();
            assert_eq!(path.anchor().subject.as_ref(), root.subject().contents());
            assert!(path.must_staple());
            if let Some(Ok(verified)) = response.map(|response| path.verify(response)) {
                assert_eq!(verified.status(), CertStatus::Good);
                assert!(verified.is_current(path.now()));
            }
            log.lock().unwrap().push(response.map(<[u8]>::to_vec));
            ClientDecision::Accept
        })
        .build()
        .unwrap();
    let good = lab.respond(&leaf);
    for staple in [None, Some(good.clone()), Some(b"junk".to_vec())] {
        connect(&verifier, certified(&leaf, staple)).into_iter().for_each(|o| o.accepted());
    }
    // Once for each handshake, in both versions.
    let junk = Some(b"junk".to_vec());
    let good = Some(good);
    assert_eq!(*calls.lock().unwrap(), [None, None, good.clone(), good, junk.clone(), junk]);
}

#[test]
fn the_callback_is_not_called_for_a_path_that_does_not_verify() {
    let (trusted, other) = (Ca::root("root"), Ca::root("other"));
    let verifier = builder(&trusted.certificate)
        .on_status(|_, _| panic!("called for an unverified path"))
        .build()
        .unwrap();
    for outcome in connect(&verifier, other.server(None).certified(&[], None)) {
        assert_eq!(outcome.server, Err(Error::AlertReceived(AlertDescription::UnknownCA)));
    }
}
