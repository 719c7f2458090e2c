//! Who issued a certificate: what proves it at a warm start, and what does not.

use std::fs;

use certstatus_lab::{Lab, Leaf};
use certstatus_stapler::{DiskStore, Fingerprint, StapleState, Target};
use rustls_pki_types::CertificateDer;

use crate::support::{DAY, Diary, Net, add, seconds};

/// The chain of a certificate whose last byte, and with it the issuer's signature, is wrong.
fn badly_signed(leaf: &Leaf) -> Vec<CertificateDer<'static>> {
    let mut chain: Vec<_> = leaf.chain().iter().map(|one| one.clone().into_owned()).collect();
    let mut der = chain[0].to_vec();
    *der.last_mut().unwrap() ^= 1;
    chain[0] = der.into();
    chain
}

/// A stored response that says good or revoked is signed by the claimed issuer, with its key in the
/// `CertID`: the signature over the certificate is not looked at.
#[tokio::test(start_paused = true)]
async fn a_stored_response_proves_the_issuer() {
    let directory = tempfile::tempdir().unwrap();
    let store = DiskStore::open(directory.path()).unwrap();
    let net = Net::new(4 * DAY);
    let leaf = net.leaf("www.example.org");
    let chain = badly_signed(&leaf);
    fs::write(store.path(&Fingerprint::of(&chain[0])), net.lab.respond(&leaf)).unwrap();
    let stapler = net.stapler().store(store).start().unwrap();
    let handle = stapler.add(Target::from_chain(&chain)).unwrap();
    handle.ready().await;
    assert_eq!((handle.state(), net.asked()), (StapleState::Good, 0));
    assert!(handle.snapshot().issuer.is_some());
}

/// Where the store proves nothing the signature has to, before a responder is asked: with nothing
/// stored, and with a response that knows nothing of the certificate.
#[tokio::test(start_paused = true)]
async fn without_a_proof_nobody_is_asked_and_nothing_is_stapled() {
    let net = Net::new(4 * DAY);
    let leaf = net.leaf("www.example.org");
    let chain = badly_signed(&leaf);
    net.lab.forget(&leaf);
    let unknown = net.lab.respond(&leaf);
    net.lab.reinstate(&leaf);
    for stored in [None, Some(unknown)] {
        let directory = tempfile::tempdir().unwrap();
        let store = DiskStore::open(directory.path()).unwrap();
        let path = store.path(&Fingerprint::of(&chain[0]));
        if let Some(stored) = &stored {
            fs::write(&path, stored).unwrap();
        }
        let stapler = net.stapler().store(store).staple_any_status().start().unwrap();
        let handle = stapler.add(Target::from_chain(&chain)).unwrap();
        handle.ready().await;
        tokio::time::sleep(seconds(600)).await;
        assert_eq!((handle.state(), net.asked()), (StapleState::Missing, 0));
        assert!(handle.current().is_none() && handle.snapshot().issuer.is_none());
        assert_eq!(path.exists(), stored.is_some(), "what is stored is left alone");
    }
}

/// A chain with the certificate of a CA of the same name and another key: what is stored is not judged
/// by that key, and the issuer is fetched.
#[tokio::test(start_paused = true)]
async fn a_namesake_in_the_chain_spoils_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = DiskStore::open(directory.path()).unwrap();
    let (net, diary) = (Net::new(4 * DAY), Diary::default());
    let leaf = net.leaf("www.example.org");
    let path = store.path(&Fingerprint::of(leaf.certificate()));
    let stored = net.lab.respond(&leaf);
    fs::write(&path, &stored).unwrap();
    let namesake = Lab::builder().now(net.now()).build().unwrap();
    assert_ne!(namesake.intermediate(), net.lab.intermediate());
    let chain = [leaf.certificate().clone(), namesake.intermediate().clone()];
    let stapler = net.stapler().store(store.clone()).on_event(diary.observer()).start().unwrap();
    let handle = stapler.add(Target::from_chain(&chain)).unwrap();
    handle.ready().await;
    assert_eq!(handle.state(), StapleState::Good);
    assert_eq!(diary.names(), ["stapled"], "nothing is set aside");
    // And of two of that name the signature chooses.
    let other = net.leaf("other.example.org");
    let both = [namesake.intermediate().clone(), net.lab.intermediate().clone()];
    let chain = [other.certificate().clone(), both[0].clone(), both[1].clone()];
    let handle = stapler.add(Target::from_chain(&chain)).unwrap();
    handle.ready().await;
    assert_eq!(handle.state(), StapleState::Good);
    let plain = add(&stapler, &net.leaf("plain.example.org")).await;
    assert_eq!(plain.snapshot().issuer, handle.snapshot().issuer);
}
