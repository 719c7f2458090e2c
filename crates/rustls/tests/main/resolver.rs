//! A resolver that wraps another: the server callback as a closure, and a source of verified
//! responses.

use std::sync::{Arc, Mutex};

use certstatus::message::{OcspResponse, ResponseData, SingleResponse};
use certstatus::time::unix;
use certstatus::{Limits, Policy, VerifiedResponse};
use certstatus_lab::{Lab, Leaf, LeafRequest};
use certstatus_rustls::{
    ClientDecision, ServerDecision, StapleSource, StaplingResolver, staple_limit,
};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, Error};

use crate::pki::hours;
use crate::wire::{
    Clock, Fixed, Outcome, VERSIONS, builder, certified, client_config, handshake, server_config,
    verified, verify,
};

fn lab() -> Lab {
    Lab::builder().build().unwrap()
}

/// One handshake in each version, with a client that requires a staple and calls `seen` with it.
fn staples(lab: &Lab, resolver: Arc<dyn ResolvesServerCert>) -> [(Option<Vec<u8>>, Outcome); 2] {
    VERSIONS.map(|version| {
        let seen = Arc::new(Mutex::new(None));
        let log = Arc::clone(&seen);
        let verifier = builder(lab.root())
            .on_status(move |_, response| {
                *log.lock().unwrap() = response.map(<[u8]>::to_vec);
                ClientDecision::Accept
            })
            .build()
            .unwrap();
        let server = Arc::new(server_config(Arc::clone(&resolver), version));
        let outcome = handshake(&client_config(verifier, version), &server);
        let seen = seen.lock().unwrap().take();
        (seen, outcome)
    })
}

fn answering(leaf: &Leaf, answer: ServerDecision) -> Arc<StaplingResolver> {
    let inner = Arc::new(Fixed(certified(leaf, None)));
    Arc::new(StaplingResolver::on_status(inner, move |_, _| answer.clone()))
}

#[test]
fn the_callback_staples_or_not_or_ends_the_handshake() {
    let lab = lab();
    let leaf = lab.leaf("localhost").unwrap();
    let staple = ServerDecision::Staple(b"sent as it is".as_slice().into());
    for (seen, outcome) in staples(&lab, answering(&leaf, staple)) {
        outcome.accepted();
        assert_eq!(seen.as_deref(), Some(b"sent as it is".as_slice()));
    }
    for (seen, outcome) in staples(&lab, answering(&leaf, ServerDecision::NoAck)) {
        outcome.accepted();
        assert_eq!(seen, None);
    }
    for (_, outcome) in staples(&lab, answering(&leaf, ServerDecision::Fatal)) {
        let alert = AlertDescription::AccessDenied;
        assert_eq!(outcome.client, Err(Error::AlertReceived(alert)));
        assert!(outcome.server.is_err());
    }
}

#[test]
fn the_callback_sees_the_hello_and_the_certificate_that_will_be_sent() {
    let lab = lab();
    let leaf = lab.leaf("localhost").unwrap();
    let sent = leaf.certificate().clone();
    let inner = Arc::new(Fixed(certified(&leaf, None)));
    let resolver = StaplingResolver::on_status(inner, move |hello, key| {
        assert_eq!(hello.server_name(), Some("localhost"));
        assert!(!hello.signature_schemes().is_empty());
        assert_eq!(hello.alpn().collect::<Vec<_>>(), [b"h2".as_slice(), b"http/1.1"]);
        assert_eq!(key.cert[0], sent);
        ServerDecision::NoAck
    });
    let verifier = builder(lab.root()).build().unwrap();
    let resolver = Arc::new(resolver);
    for version in VERSIONS {
        let mut client = (*client_config(verifier.clone(), version)).clone();
        client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let server = Arc::new(server_config(resolver.clone(), version));
        handshake(&Arc::new(client), &server).accepted();
    }
}

#[test]
fn a_staple_up_to_the_limit_is_sent_and_a_longer_or_empty_one_is_not() {
    let lab = lab();
    let leaf = lab.leaf("localhost").unwrap();
    let limit = staple_limit(leaf.chain());
    let with = |length| answering(&leaf, ServerDecision::Staple(vec![0; length].into()));
    for (length, sent) in
        [(1, true), (limit, true), (limit + 1, false), (70_000, false), (0, false)]
    {
        for (seen, outcome) in staples(&lab, with(length)) {
            outcome.accepted();
            assert_eq!(seen.map(|seen| seen.len()), sent.then_some(length));
        }
    }
}

/// What is set, whatever the key.
struct Shelf(Mutex<Option<Arc<VerifiedResponse>>>);

impl Shelf {
    fn with(response: VerifiedResponse) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Some(Arc::new(response)))))
    }
}

impl StapleSource for Shelf {
    fn staple(&self, _: &CertifiedKey) -> Option<Arc<VerifiedResponse>> {
        self.0.lock().unwrap().clone()
    }
}

/// The same bytes have statements about two certificates: only the one about the key's is stapled,
/// whatever was decided about the other one before.
#[test]
fn statement_and_not_bytes_are_remembered() {
    let lab = lab();
    let (leaf, other) = (lab.leaf("localhost").unwrap(), lab.leaf("localhost").unwrap());
    let one = |leaf: &Leaf| {
        let der = lab.respond(leaf);
        let parsed = OcspResponse::parse(&der, &Limits::default()).unwrap();
        let OcspResponse::Successful(basic) = parsed else { panic!("the lab answers") };
        let data = basic.data();
        let id = data.responses[0].cert_id.clone().into_owned().unwrap();
        let responder_id = data.responder_id.clone().into_owned();
        let single = &data.responses[0];
        let single = SingleResponse {
            cert_id: id,
            cert_status: single.cert_status,
            this_update: single.this_update,
            next_update: single.next_update,
            extensions: vec![],
        };
        ResponseData {
            responder_id,
            produced_at: data.produced_at,
            responses: vec![single],
            extensions: vec![],
        }
    };
    let mut data: ResponseData<'static> = one(&leaf);
    data.responses.extend(one(&other).responses);
    let der = lab.sign(data).unwrap();
    let (own, others) =
        (verify(&der, &leaf, lab.now()).unwrap(), verify(&der, &other, lab.now()).unwrap());
    let shelf = Shelf::with(others.clone());
    let clock = Clock::at(lab.now());
    let resolver: Arc<dyn ResolvesServerCert> = Arc::new(
        StaplingResolver::new(Arc::new(Fixed(certified(&leaf, None))), shelf.clone())
            .with_time_provider(Arc::new(clock)),
    );
    for (statement, is_stapled) in [(&others, false), (&own, true), (&others, false)] {
        *shelf.0.lock().unwrap() = Some(Arc::new(statement.clone()));
        for (seen, outcome) in staples(&lab, Arc::clone(&resolver)) {
            outcome.accepted();
            assert_eq!(seen.is_some(), is_stapled);
        }
    }
}

#[test]
fn a_source_is_stapled_by_the_rules() {
    let lab = lab();
    let leaf = lab.issue(LeafRequest::new("localhost").must_staple()).unwrap();
    let other = lab.leaf("localhost").unwrap();
    let good = verified(&lab, &leaf);
    lab.revoke(&leaf, None);
    let revoked = verified(&lab, &leaf);
    let clock = Clock::at(lab.now());
    let wrap = |shelf: &Arc<Shelf>| {
        StaplingResolver::new(Arc::new(Fixed(certified(&leaf, None))), shelf.clone())
            .with_time_provider(Arc::new(clock.clone()))
    };
    let sent = |resolver: StaplingResolver| {
        let [(tls12, first), (tls13, second)] = staples(&lab, Arc::new(resolver));
        first.accepted();
        second.accepted();
        assert_eq!(tls12, tls13);
        tls12
    };
    let shelf = Shelf::with(good.clone());
    assert_eq!(sent(wrap(&shelf)).as_deref(), Some(good.der()));
    clock.set(Some(good.expires()));
    assert_eq!(sent(wrap(&shelf)), None, "expired");
    clock.set(Some(unix(good.this_update().as_secs() - 1)));
    assert_eq!(sent(wrap(&shelf)), None, "its time is still to come");
    clock.set(None);
    assert_eq!(sent(wrap(&shelf)), None, "at an unknown time");
    clock.set(Some(lab.now()));
    *shelf.0.lock().unwrap() = None;
    assert_eq!(sent(wrap(&shelf)), None, "nothing there");
    assert_eq!(sent(wrap(&Shelf::with(verified(&lab, &other)))), None, "another certificate's");
    assert_eq!(sent(wrap(&Shelf::with(revoked.clone()))), None, "revoked");
    let told = wrap(&Shelf::with(revoked.clone())).staple_any_status();
    assert_eq!(sent(told).as_deref(), Some(revoked.der()));
}

/// Calls a resolver as rustls does, and gives the keys that it returned.
#[derive(Debug)]
struct Recorder<R>(R, Mutex<Vec<Arc<CertifiedKey>>>);

impl<R: ResolvesServerCert> ResolvesServerCert for Recorder<R> {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let key = self.0.resolve(hello)?;
        self.1.lock().unwrap().push(Arc::clone(&key));
        Some(key)
    }
}

#[test]
fn the_chain_is_not_copied_per_handshake() {
    let lab = lab();
    let leaf = lab.leaf("localhost").unwrap();
    let shelf = Shelf::with(verified(&lab, &leaf));
    let policy = Policy::default().require_always();
    let verifier = builder(lab.root()).policy(policy).build().unwrap();
    let (response, plain) = (lab.respond(&leaf), certified(&leaf, None));
    let from_source = StaplingResolver::new(Arc::new(Fixed(plain.clone())), shelf.clone());
    // The callback makes a new allocation each time: it is the bytes that count.
    let from_callback = StaplingResolver::on_status(Arc::new(Fixed(plain.clone())), move |_, _| {
        ServerDecision::Staple(response.as_slice().into())
    });
    for resolver in [from_source, from_callback] {
        let recorder = Arc::new(Recorder(resolver, Mutex::default()));
        for version in VERSIONS {
            let server = Arc::new(server_config(recorder.clone(), version));
            handshake(&client_config(verifier.clone(), version), &server).accepted();
        }
        let keys = recorder.1.lock().unwrap();
        let [first, second] = keys.as_slice() else { panic!("{}", keys.len()) };
        assert!(Arc::ptr_eq(first, second));
        assert!(Arc::ptr_eq(&first.key, &plain.key));
    }
    // An inner key with a staple of its own loses it, once.
    let unverified = Arc::new(Fixed(certified(&leaf, Some(b"unverified".to_vec()))));
    *shelf.0.lock().unwrap() = None;
    let resolver = StaplingResolver::new(unverified, shelf);
    let recorder = Arc::new(Recorder(resolver, Mutex::default()));
    for (seen, outcome) in staples(&lab, recorder.clone()) {
        outcome.accepted();
        assert_eq!(seen, None);
    }
    let keys = recorder.1.lock().unwrap();
    assert!(Arc::ptr_eq(&keys[0], &keys[1]));
}

/// A resolver of raw public keys (RFC 7250).
#[derive(Debug)]
struct Raw;

impl ResolvesServerCert for Raw {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn only_raw_public_keys(&self) -> bool {
        true
    }
}

#[test]
fn whether_keys_are_raw_is_for_the_inner_resolver_to_say() {
    let wrap = |inner| StaplingResolver::on_status(inner, |_, _| ServerDecision::NoAck);
    assert!(wrap(Arc::new(Raw)).only_raw_public_keys());
    let leaf = lab().leaf("localhost").unwrap();
    assert!(!wrap(Arc::new(Fixed(certified(&leaf, None)))).only_raw_public_keys());
}

/// Makes a key anew for every handshake, of one leaf after the other.
#[derive(Debug)]
struct Fresh(Mutex<Vec<Leaf>>);

impl ResolvesServerCert for Fresh {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut leaves = self.0.lock().unwrap();
        leaves.rotate_left(1);
        Some(certified(&leaves[0], None))
    }
}

#[test]
fn a_key_that_is_gone_is_never_taken_for_another() {
    let lab = lab();
    let leaves: Vec<_> = (0..3).map(|_| lab.leaf("localhost").unwrap()).collect();
    let staple: Arc<[u8]> = b"the same for all".as_slice().into();
    let inner = Arc::new(Fresh(Mutex::new(leaves.clone())));
    let resolver =
        StaplingResolver::on_status(inner, move |_, _| ServerDecision::Staple(Arc::clone(&staple)));
    let recorder = Arc::new(Recorder(resolver, Mutex::default()));
    for _ in 0..6 {
        for (seen, outcome) in staples(&lab, recorder.clone()) {
            outcome.accepted();
            assert!(seen.is_some());
        }
    }
    let keys = recorder.1.lock().unwrap();
    for (at, key) in keys.iter().enumerate() {
        assert_eq!(key.cert, leaves[(at + 1) % 3].chain(), "handshake {at}");
    }
}

#[test]
fn a_new_response_replaces_the_one_before() {
    let lab = lab();
    let leaf = lab.leaf("localhost").unwrap();
    let first = verified(&lab, &leaf);
    lab.set_now(hours(lab.now(), 1));
    let second = verify(&lab.respond(&leaf), &leaf, lab.now()).unwrap();
    let shelf = Shelf::with(first.clone());
    let clock = Arc::new(Clock::at(lab.now()));
    let inner = Arc::new(Fixed(certified(&leaf, None)));
    let resolver = Arc::new(StaplingResolver::new(inner, shelf.clone()).with_time_provider(clock));
    for response in [&first, &second, &first] {
        *shelf.0.lock().unwrap() = Some(Arc::new(response.clone()));
        for (seen, _) in staples(&lab, resolver.clone()) {
            assert_eq!(seen.as_deref(), Some(response.der()));
        }
    }
}
