//! Who issued a certificate: what proves it at a warm start, and what does not.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use certstatus::Certificate;
use certstatus_lab::{Fault, Lab, Leaf};
use certstatus_stapler::fetch::{Answer, HttpError, Question, Transport};
use certstatus_stapler::{BoxFuture, DiskStore, Fingerprint, StapleState, Target};
use rustls_pki_types::CertificateDer;

use crate::support::{DAY, Diary, Net, add, seconds};

/// A network that counts how often an issuer is fetched, and may have none.
#[derive(Clone, Debug)]
struct Counting {
    net: Net,
    fetched: Arc<AtomicUsize>,
    none: Arc<AtomicBool>,
}

impl Counting {
    fn new(net: Net) -> Self {
        Self { net, fetched: Arc::default(), none: Arc::default() }
    }
}

impl Transport for Counting {
    fn ask<'a>(&'a self, question: Question<'a>) -> BoxFuture<'a, Result<Answer, HttpError>> {
        self.net.ask(question)
    }

    fn certificates<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Vec<Vec<u8>>, HttpError>> {
        self.fetched.fetch_add(1, Ordering::SeqCst);
        if self.none.load(Ordering::SeqCst) {
            let (url, reason) = (url.to_owned(), "no route to host".into());
            return Box::pin(std::future::ready(Err(HttpError::Connect { url, reason })));
        }
        self.net.certificates(url)
    }
}

/// Of many certificates of one issuer, none with its chain: the issuer is fetched for the first of them,
/// and the others are told by its signature.
#[tokio::test(start_paused = true)]
async fn an_issuer_that_is_known_is_not_fetched_again() {
    let counting = Counting::new(Net::new(4 * DAY));
    let net = &counting.net;
    let stapler = net.stapler().transport(counting.clone()).start().unwrap();
    let alone =
        |number: u32| Target::from_chain(&net.leaf(&format!("{number}.example")).chain()[..1]);
    stapler.add(alone(0)).unwrap().ready().await;
    for number in 1..50 {
        stapler.add(alone(number)).unwrap();
    }
    stapler.ready().await;
    assert!(stapler.snapshot().iter().all(|one| one.state == StapleState::Good));
    assert_eq!(counting.fetched.load(Ordering::SeqCst), 1);
    // One of another CA of that name is none of its.
    let other = Lab::builder().now(net.now()).build().unwrap().leaf("other.example").unwrap();
    let handle = stapler.add(Target::from_chain(&other.chain()[..1])).unwrap();
    handle.ready().await;
    assert_eq!(handle.state(), StapleState::Missing);
    assert!(counting.fetched.load(Ordering::SeqCst) > 1);
}

/// An issuer that cannot be had says nothing about the responder, neither that it is in trouble nor that
/// it is well again.
#[tokio::test(start_paused = true)]
async fn an_issuer_that_cannot_be_fetched_is_no_answer_of_the_responder() {
    let counting = Counting::new(Net::new(4 * DAY));
    let net = &counting.net;
    counting.none.store(true, Ordering::SeqCst);
    net.set_fault(Some(Fault::ConnectionReset));
    let stapler = net.stapler().transport(counting.clone()).start().unwrap();
    for number in 0..40 {
        let leaf = net.leaf(&format!("{number}.example"));
        let length = if number % 2 == 0 { leaf.chain().len() } else { 1 };
        stapler.add(Target::from_chain(&leaf.chain()[..length])).unwrap();
    }
    tokio::time::sleep(seconds(20)).await;
    assert!(net.asked() <= 10, "{} requests to a responder in trouble", net.asked());
}

/// A network whose issuers' addresses never answer.
#[derive(Clone, Debug)]
struct Tarpit(Net, Arc<AtomicUsize>);

impl Transport for Tarpit {
    fn ask<'a>(&'a self, question: Question<'a>) -> BoxFuture<'a, Result<Answer, HttpError>> {
        self.0.ask(question)
    }

    fn certificates<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<Vec<u8>>, HttpError>> {
        self.1.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::pending())
    }
}

/// Certificates that name another's responder, and addresses of their issuer that never answer.
#[tokio::test(start_paused = true)]
async fn slow_issuers_keep_nobody_from_the_responder() {
    let net = Net::new(4 * DAY);
    let tarpit = Tarpit(net.clone(), Arc::default());
    let stapler = net.stapler().transport(tarpit.clone()).start().unwrap();
    let evil = Lab::builder().now(net.now()).build().unwrap();
    let victim = net.leaf("victim.example");
    let urls = Certificate::parse(victim.certificate()).unwrap().ocsp_urls().unwrap().len();
    assert_eq!(urls, 1);
    let mut hanging = Vec::new();
    for number in 0..20 {
        let leaf = evil.leaf(&format!("{number}.example")).unwrap();
        let url = "http://responder.example/";
        let target = Target::from_chain(&leaf.chain()[..1]).responders([url]);
        hanging.push(stapler.add(target).unwrap());
    }
    tokio::time::sleep(seconds(1)).await;
    assert_eq!(tarpit.1.load(Ordering::SeqCst), 20);
    let target = Target::from_chain(victim.chain()).responders(["http://responder.example/"]);
    let handle = stapler.add(target).unwrap();
    tokio::time::sleep(seconds(3)).await;
    assert_eq!((handle.state(), net.asked()), (StapleState::Good, 1));
    tokio::time::sleep(seconds(20)).await;
    for handle in hanging {
        let error = handle.snapshot().error.unwrap();
        assert!(error.contains("20 s together"), "{error}");
    }
    assert_eq!(net.asked(), 1);
}

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
