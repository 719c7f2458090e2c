//! Leases between members, with everything that may be wrong with a lease.

use std::time::{Duration, Instant};

use certstatus_stapler::store::{LEASE, Lease};
use certstatus_stapler::{Fingerprint, Store};

use super::server::{Redis, lease_key};
use crate::harness::process::PATIENCE;

fn id() -> Fingerprint {
    Fingerprint::of(b"certificate")
}

async fn take(store: &impl Store, ttl: Duration) -> Lease {
    store.acquire(&id(), ttl).await.unwrap()
}

async fn is_granted(store: &impl Store) -> bool {
    take(store, LEASE).await == Lease::Granted
}

#[tokio::test]
async fn one_member_holds_a_lease_and_no_other_touches_it() {
    let redis = Redis::start();
    let (one, two) = (redis.member(), redis.member());
    assert!(is_granted(&one).await);
    for _ in 0..3 {
        let Lease::Held { retry } = take(&two, LEASE).await else { panic!("two have it") };
        assert!(retry >= Duration::from_secs(1) && retry <= Duration::from_secs(7), "{retry:?}");
        two.release(&id()).await.unwrap();
        two.renew(&id(), Duration::from_millis(1)).await.unwrap();
        two.remove(&id()).await.unwrap();
    }
    // A failure of its holder is a pause for all, who look now and then.
    one.renew(&id(), Duration::from_secs(1000)).await.unwrap();
    let Lease::Held { retry } = take(&two, LEASE).await else { panic!("two have it") };
    assert!((150..400).contains(&retry.as_secs()), "{retry:?}");
    one.release(&id()).await.unwrap();
    assert!(is_granted(&two).await);
    assert!(!is_granted(&one).await);
}

#[tokio::test]
async fn at_the_same_moment_one_of_many_gets_it() {
    let redis = Redis::start();
    let members: Vec<_> = (0..20).map(|_| redis.member()).collect();
    let taking = members
        .into_iter()
        .map(|member| tokio::spawn(async move { (take(&member, LEASE).await, member) }));
    let mut granted = 0;
    for taken in taking.collect::<Vec<_>>() {
        granted += usize::from(taken.await.unwrap().0 == Lease::Granted);
    }
    assert_eq!(granted, 1);
}

#[tokio::test]
async fn a_lease_ends_by_itself_and_what_is_none_is_taken() {
    let redis = Redis::start();
    let (one, two) = (redis.member(), redis.member());
    let ttl = Duration::from_secs(2);
    let begun = Instant::now();
    assert_eq!(take(&one, ttl).await, Lease::Granted);
    assert!(!is_granted(&two).await);
    while !is_granted(&two).await {
        assert!(begun.elapsed() < PATIENCE, "it does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(begun.elapsed() > ttl / 2, "{:?}", begun.elapsed());
    // The one that held it before does not end the other's.
    one.release(&id()).await.unwrap();
    assert!(!is_granted(&one).await);

    let key = lease_key(&id());
    for foreign in [["SET", &key, "for ever"], ["LPUSH", &key, "a list"]] {
        redis.run(["DEL", &key]);
        redis.run(foreign);
        assert!(is_granted(&one).await, "{foreign:?}");
        assert!(!is_granted(&two).await, "{foreign:?}");
    }
    // No script is known to a Redis that was restarted.
    redis.run(["SCRIPT", "FLUSH"]);
    redis.run(["DEL", &key]);
    assert!(is_granted(&two).await);
}

#[tokio::test]
async fn members_with_different_prefixes_do_not_know_of_each_other() {
    let redis = Redis::start();
    let (one, two) = (redis.member(), redis.builder().prefix("test").start().unwrap());
    assert!(is_granted(&one).await && is_granted(&two).await);
    assert_eq!(redis.run(["EXISTS", &lease_key(&id())]), "1");
    assert_eq!(redis.run(["EXISTS", &format!("test:lease:{{{}}}", id())]), "1");
}
