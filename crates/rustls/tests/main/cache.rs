//! The cache of verified staples: never for other bytes, never for another time, never too many.

use certstatus::message::{CertStatus, RevokedInfo};
use certstatus::{Certificate, Issuer, Policy, Verifier};
use certstatus_lab::{Fault, Lab, Leaf};
use certstatus_rustls::CachedVerifier;
use proptest::prelude::*;
use rustls::CertificateError;
use rustls::pki_types::UnixTime;

use crate::pki::{Ca, ask, hours};
use crate::wire::{builder, certified, connect, provider};

fn cached(capacity: usize) -> CachedVerifier<'static> {
    let algorithms = provider().signature_verification_algorithms.all;
    CachedVerifier::new(Verifier::new(algorithms), capacity)
}

fn check(
    cache: &CachedVerifier<'_>,
    response: &[u8],
    leaf: &Leaf,
    now: UnixTime,
) -> Result<CertStatus, certstatus::Error> {
    let issuer = Issuer::from_certificate(&Certificate::parse(leaf.issuer()).unwrap());
    let certificate = Certificate::parse(leaf.certificate()).unwrap();
    cache.verify(response, &certificate, &issuer, now).map(|verified| verified.status())
}

#[test]
fn what_verified_is_remembered_and_shared() {
    let lab = Lab::builder().build().unwrap();
    let leaf = lab.leaf("localhost").unwrap();
    let (cache, response) = (cached(4), lab.respond(&leaf));
    let certificate = Certificate::parse(leaf.certificate()).unwrap();
    let issuer = Issuer::from_certificate(&Certificate::parse(leaf.issuer()).unwrap());
    let verify = || cache.verify(&response, &certificate, &issuer, UnixTime::now()).unwrap();
    let (first, second) = (verify(), verify());
    assert_eq!(cache.len(), 1);
    assert!(std::ptr::eq(first.der(), second.der()), "the second came from the cache");
}

#[test]
fn revoked_stays_revoked_and_refused_is_not_remembered() {
    let lab = Lab::builder().build().unwrap();
    let leaf = lab.leaf("localhost").unwrap();
    let verifier = builder(lab.root()).cache(16).build().unwrap();
    let good = lab.respond(&leaf);
    lab.revoke(&leaf, None);
    let revoked = lab.respond(&leaf);
    for _ in 0..2 {
        let staple = |staple: &[u8]| connect(&verifier, certified(&leaf, Some(staple.to_vec())));
        staple(&good).into_iter().for_each(|o| o.accepted());
        staple(&revoked).into_iter().for_each(|o| o.revoked());
    }

    let (cache, forged) = (cached(4), lab.respond_with(&leaf, Fault::BadSignature).unwrap());
    assert!(check(&cache, &forged.unwrap(), &leaf, UnixTime::now()).is_err());
    assert!(cache.is_empty());
}

#[test]
fn an_entry_is_not_used_outside_of_its_time() {
    let lab = Lab::builder().build().unwrap();
    let leaf = lab.leaf("localhost").unwrap();
    let (cache, response) = (cached(4), lab.respond(&leaf));
    let now = UnixTime::now();
    assert_eq!(check(&cache, &response, &leaf, now).unwrap(), CertStatus::Good);
    let early = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now.as_secs() - 7200));
    for other_time in [hours(now, 24 * 5), early] {
        let error = check(&cache, &response, &leaf, other_time).unwrap_err();
        assert_eq!(error.stage(), certstatus::Stage::Time);
    }
    assert_eq!(check(&cache, &response, &leaf, now).unwrap(), CertStatus::Good);
}

/// A stricter statement that begins while the milder one still holds must not be missed.
#[test]
fn an_entry_ends_where_another_statement_of_the_response_begins() {
    let issuer = Ca::root("issuer");
    let server = issuer.server(None);
    let now = UnixTime::now();
    let revoked =
        CertStatus::Revoked(RevokedInfo { revocation_time: now, revocation_reason: None });
    let response = issuer.respond_for(
        &server.certificate,
        &[(CertStatus::Good, now, hours(now, 9)), (revoked, hours(now, 3), hours(now, 9))],
    );
    let verifier = builder(&issuer.certificate).cache(4).build().unwrap();
    let chain = [server.certificate];
    for (at, outcome) in [(0, Ok(())), (2, Ok(())), (4, Err(CertificateError::Revoked.into()))] {
        assert_eq!(ask(&verifier, &chain, &response, hours(now, at)), outcome, "after {at} hours");
    }
}

/// The same response, certificate and issuer's name, with another key: only the key tells them
/// apart.
#[test]
fn the_issuer_is_part_of_the_key() {
    let (issuer, namesake) = (Ca::root("issuer"), Ca::root("issuer"));
    let server = issuer.server(None);
    let response = issuer.respond(&server.certificate, CertStatus::Good);
    let cache = cached(4);
    let certificate = Certificate::parse(&server.certificate).unwrap();
    let verify = |ca: &Ca| {
        let issuer = Issuer::from_certificate(&Certificate::parse(&ca.certificate).unwrap());
        cache.verify(&response, &certificate, &issuer, UnixTime::now())
    };
    assert!(verify(&issuer).is_ok());
    assert!(verify(&namesake).is_err());
    assert!(verify(&issuer).is_ok());
}

#[test]
fn the_cache_is_bounded_and_with_no_capacity_it_is_none() {
    let lab = Lab::builder().build().unwrap();
    let now = UnixTime::now();
    for capacity in [0, 1, 2, 7] {
        let cache = cached(capacity);
        for _ in 0..20 {
            let leaf = lab.leaf("localhost").unwrap();
            let response = lab.respond(&leaf);
            assert_eq!(check(&cache, &response, &leaf, now).unwrap(), CertStatus::Good);
            assert!(cache.len() <= capacity, "{} of {capacity}", cache.len());
        }
        assert_eq!(cache.is_empty(), capacity == 0);
    }
}

#[test]
fn a_policy_of_the_verifier_holds_for_what_is_remembered() {
    let lab = Lab::builder().build().unwrap();
    let leaf = lab.leaf("localhost").unwrap();
    let policy = Policy::default().require_always();
    let verifier = builder(lab.root()).policy(policy).cache(16).build().unwrap();
    let (now, response) = (UnixTime::now(), lab.respond(&leaf));
    assert_eq!(ask(&verifier, leaf.chain(), &response, now), Ok(()));
    assert!(ask(&verifier, leaf.chain(), &response, hours(now, 24 * 5)).is_err());
    assert!(ask(&verifier, leaf.chain(), &[], now).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// With a good response remembered, whatever differs in a byte is verified anew, and refused as
    /// it is without a cache.
    #[test]
    fn other_bytes_never_hit(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        thread_local! {
            static GOOD: (Lab, Leaf, Vec<u8>, CachedVerifier<'static>) = {
                let lab = Lab::builder().build().unwrap();
                let leaf = lab.leaf("localhost").unwrap();
                let response = lab.respond(&leaf);
                let cache = cached(8);
                check(&cache, &response, &leaf, UnixTime::now()).unwrap();
                (lab, leaf, response, cache)
            };
        }
        GOOD.with(|(_, leaf, response, cache)| {
            let now = UnixTime::now();
            let mut other = response.clone();
            other[at.index(response.len())] ^= 1 << bit;
            let with_cache = check(cache, &other, leaf, now).map_err(|e| e.to_string());
            let without = check(&cached(0), &other, leaf, now).map_err(|e| e.to_string());
            prop_assert_eq!(&with_cache, &without);
            prop_assert!(with_cache.is_err());
            prop_assert_eq!(check(cache, response, leaf, now).unwrap(), CertStatus::Good);
            Ok(())
        })?;
    }
}
