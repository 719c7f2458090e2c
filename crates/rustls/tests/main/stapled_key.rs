//! One certificate with a staple that is swapped while handshakes run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use certstatus::Policy;
use certstatus::message::CertStatus;
use certstatus::time::unix;
use certstatus_lab::{Lab, LeafRequest};
use certstatus_rustls::{StapleError, StapledKey, staple_limit};
use rustls::HandshakeKind;
use rustls::sign::CertifiedKey;

use crate::pki::hours;
use crate::wire::{
    Clock, VERSIONS, builder, certified, client_config, connect, handshake, server_config, verified,
};

fn lab() -> Lab {
    Lab::builder().build().unwrap()
}

fn stapled(key: &StapledKey) -> Option<Vec<u8>> {
    key.certified_key().ocsp.clone()
}

#[test]
fn set_staples_and_clear_does_not() {
    let lab = lab();
    let leaf = lab.issue(LeafRequest::new("localhost").must_staple()).unwrap();
    let key = Arc::new(StapledKey::new(certified(&leaf, None)));
    let verifier = builder(lab.root()).build().unwrap();
    for version in VERSIONS {
        let server = Arc::new(server_config(key.clone(), version));
        let connect = || handshake(&client_config(verifier.clone(), version), &server);
        connect().invalid_status();
        let response = verified(&lab, &leaf);
        key.set(response.clone()).unwrap();
        assert_eq!(key.current(), Some(response));
        connect().accepted();
        key.clear();
        assert_eq!(key.current(), None);
        connect().invalid_status();
    }
}

#[test]
fn the_chain_is_not_copied_from_handshake_to_handshake() {
    let lab = lab();
    let leaf = lab.leaf("localhost").unwrap();
    let plain = certified(&leaf, None);
    let key = StapledKey::new(Arc::clone(&plain));
    assert!(Arc::ptr_eq(&key.certified_key(), &plain), "without a staple it is the key itself");
    key.set(verified(&lab, &leaf)).unwrap();
    let first = key.certified_key();
    assert!(Arc::ptr_eq(&first, &key.certified_key()));
    assert!(Arc::ptr_eq(&first.key, &plain.key));
    key.set(verified(&lab, &leaf)).unwrap();
    assert!(!Arc::ptr_eq(&first, &key.certified_key()), "a new staple is a new key");
}

#[test]
fn a_staple_that_came_with_the_key_is_not_sent() {
    let lab = lab();
    let leaf = lab.leaf("localhost").unwrap();
    let key = StapledKey::new(certified(&leaf, Some(b"who verified this?".to_vec())));
    assert_eq!(stapled(&key), None);
}

#[test]
fn what_has_expired_is_not_stapled() {
    let lab = lab();
    let leaf = lab.leaf("localhost").unwrap();
    let response = verified(&lab, &leaf);
    let clock = Clock::at(lab.now());
    let key = StapledKey::new(certified(&leaf, None)).with_time_provider(Arc::new(clock.clone()));
    key.set(response.clone()).unwrap();
    let expires = response.expires();
    let before = |seconds| {
        let left = std::time::Duration::from_secs(expires.as_secs() - seconds);
        Some(rustls::pki_types::UnixTime::since_unix_epoch(left))
    };
    clock.set(before(1));
    assert_eq!(stapled(&key).as_deref(), Some(response.der()));
    // From nextUpdate on, whatever skew a client may allow; and never without knowing the time.
    for time in [before(0), Some(hours(expires, 1)), None] {
        clock.set(time);
        assert_eq!((stapled(&key), key.current()), (None, None));
    }
    let refused = key.set(response.clone());
    assert!(matches!(refused, Err(StapleError::NoTime)));
    clock.set(Some(expires));
    let refused = key.set(response);
    assert!(matches!(refused, Err(StapleError::NotCurrent { .. })), "{refused:?}");
}

/// A responder whose clock is ahead, within what is tolerated: a client without any tolerance would
/// refuse its response until its time has come. Until then the one before it is sent.
#[test]
fn what_is_still_to_come_is_not_stapled_before_its_time() {
    let lab = lab();
    let leaf = lab.leaf("localhost").unwrap();
    let now = lab.now();
    let clock = Clock::at(now);
    let key = StapledKey::new(certified(&leaf, None)).with_time_provider(Arc::new(clock.clone()));
    let after = |seconds| unix(now.as_secs() + seconds);
    let signed = |seconds| {
        lab.set_now(after(seconds));
        crate::wire::verify(&lab.respond(&leaf), &leaf, now).unwrap()
    };
    let (first, second, third, last) = (signed(100), signed(150), signed(200), signed(250));
    key.set(first.clone()).unwrap();
    assert_eq!((stapled(&key), key.current()), (None, None));
    clock.set(Some(after(99)));
    assert_eq!(stapled(&key), None);
    clock.set(Some(after(100)));
    assert_eq!(stapled(&key).as_deref(), Some(first.der()));
    let of_first = Arc::downgrade(&key.certified_key());
    for later in [&second, &third] {
        key.set(later.clone()).unwrap();
        assert_eq!(key.current().as_ref(), Some(&first), "it stays until then");
    }
    clock.set(Some(after(199)));
    assert_eq!(stapled(&key).as_deref(), Some(first.der()));
    clock.set(Some(after(200)));
    assert_eq!(stapled(&key).as_deref(), Some(third.der()));
    key.set(last).unwrap();
    assert_eq!(key.current().as_ref(), Some(&third));
    assert!(of_first.upgrade().is_none(), "of what was before, nothing is kept but the last");
    let refused = {
        clock.set(Some(unix(now.as_secs() - 3600)));
        key.set(third)
    };
    assert!(matches!(refused, Err(StapleError::NotCurrent { .. })), "{refused:?}");
}

#[test]
fn another_certificates_response_is_refused_and_the_old_staple_stays() {
    let lab = lab();
    let (leaf, other) = (lab.leaf("localhost").unwrap(), lab.leaf("localhost").unwrap());
    let key = StapledKey::new(certified(&leaf, None));
    let response = verified(&lab, &leaf);
    key.set(response.clone()).unwrap();
    let refused = key.set(verified(&lab, &other));
    assert!(matches!(refused, Err(StapleError::OtherCertificate)), "{refused:?}");
    assert_eq!(key.current(), Some(response));
}

#[test]
fn revoked_and_unknown_are_stapled_only_when_told_so() {
    let lab = lab();
    let leaf = lab.leaf("localhost").unwrap();
    let strict = StapledKey::new(certified(&leaf, None));
    let any = StapledKey::new(certified(&leaf, None)).staple_any_status();
    for set in
        [|lab: &Lab, leaf: &_| lab.revoke(leaf, None), |lab: &Lab, leaf: &_| lab.forget(leaf)]
    {
        set(&lab, &leaf);
        let response = verified(&lab, &leaf);
        assert_ne!(response.status(), CertStatus::Good);
        let refused = strict.set(response.clone());
        assert!(matches!(refused, Err(StapleError::NotGood(_))), "{refused:?}");
        any.set(response).unwrap();
    }
    lab.revoke(&leaf, None);
    any.set(verified(&lab, &leaf)).unwrap();
    let verifier = builder(lab.root()).build().unwrap();
    connect(&verifier, any.certified_key()).into_iter().for_each(|outcome| outcome.revoked());
}

#[test]
fn what_does_not_fit_beside_the_chain_is_refused() {
    let lab = lab();
    let leaf = lab.leaf("localhost").unwrap();
    let response = verified(&lab, &leaf);
    let mut key = CertifiedKey::clone(&certified(&leaf, None));
    let room = staple_limit(&key.cert) - 5 - response.der().len();
    key.cert.push(vec![0; room].into());
    StapledKey::new(Arc::new(key.clone())).set(response.clone()).unwrap();
    key.cert.pop();
    key.cert.push(vec![0; room + 1].into());
    let refused = StapledKey::new(Arc::new(key)).set(response.clone());
    let Err(StapleError::TooLarge { length, limit }) = refused else { panic!("{refused:?}") };
    assert_eq!((length, limit), (response.der().len(), response.der().len() - 1));

    let mut key = CertifiedKey::clone(&certified(&leaf, None));
    key.cert.clear();
    let refused = StapledKey::new(Arc::new(key)).set(response);
    assert!(matches!(refused, Err(StapleError::NoCertificate)));
}

#[test]
fn staples_are_swapped_while_handshakes_run() {
    let lab = lab();
    let leaf = lab.leaf("localhost").unwrap();
    let key = Arc::new(StapledKey::new(certified(&leaf, None)));
    let policy = Policy::default().require_always();
    let verifier = builder(lab.root()).policy(policy).cache(64).build().unwrap();
    let responses: Vec<_> = (0..4).map(|_| verified(&lab, &leaf)).collect();
    key.set(responses[0].clone()).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for response in responses.iter().cycle() {
                if done.load(SeqCst) {
                    break;
                }
                key.set(response.clone()).unwrap();
                std::thread::yield_now();
            }
        });
        let connections: Vec<_> = VERSIONS
            .into_iter()
            .map(|version| {
                let (key, verifier) = (key.clone(), verifier.clone());
                scope.spawn(move || {
                    let server = Arc::new(server_config(key, version));
                    for _ in 0..20 {
                        let outcome = handshake(&client_config(verifier.clone(), version), &server);
                        assert_eq!(outcome.client, Ok(HandshakeKind::Full));
                    }
                })
            })
            .collect();
        let joined: Vec<_> = connections.into_iter().map(|thread| thread.join()).collect();
        done.store(true, SeqCst);
        assert!(joined.iter().all(Result::is_ok));
    });
}
