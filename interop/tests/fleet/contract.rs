//! The contract of every store, held against each of them.

use std::time::Duration;

use certstatus::VerifiedResponse;
use certstatus::time::unix;
use certstatus_lab::{KeyKind, Lab};
use certstatus_stapler::store::{Layered, Lease};
use certstatus_stapler::{DiskStore, Fingerprint, MemoryStore, Store};

use super::server::{Redis, staple_key};
use crate::harness::pki::{provider, verify};
use certstatus::Verifier;
use rustls_pki_types::UnixTime;

const A_MINUTE: Duration = Duration::from_secs(60);

/// A certificate and some responses for it, each newer than the one before.
pub(crate) struct Responses {
    pub(crate) id: Fingerprint,
    pub(crate) verified: Vec<VerifiedResponse>,
}

impl Responses {
    pub(crate) fn new() -> Self {
        let lab = Lab::builder().key(KeyKind::EcdsaP256).build().unwrap();
        let leaf = lab.leaf("store.example").unwrap();
        let now = lab.now();
        let verified = (0..4).map(|nth| {
            lab.set_now(unix(now.as_secs() - 60 + nth));
            let verifier = Verifier::new(provider().signature_verification_algorithms.all);
            verify(&verifier, leaf.certificate(), leaf.issuer(), &lab.respond(&leaf)).unwrap()
        });
        Self { id: Fingerprint::of(leaf.certificate()), verified: verified.collect() }
    }
}

/// What every store does.
async fn hold(store: &dyn Store) {
    let Responses { id, verified } = Responses::new();
    let other = Fingerprint::of(b"another certificate");
    let loaded = async |id: &Fingerprint| store.load(id).await.unwrap();
    let granted = async || store.acquire(&id, A_MINUTE).await.unwrap() == Lease::Granted;
    assert_eq!(loaded(&id).await, None);
    store.remove(&id).await.unwrap();

    // What was saved is loaded, byte for byte; what is saved then takes its place.
    for response in &verified[..2] {
        store.save(&id, response).await.unwrap();
        assert_eq!(loaded(&id).await.as_deref(), Some(response.der()));
    }
    assert_eq!(loaded(&other).await, None);
    let each = store.load_each(&[other, id, other, id]).await;
    let each: Vec<_> = each.into_iter().map(Result::unwrap).collect();
    let there = Some(verified[1].der().to_vec());
    assert_eq!(each, [None, there.clone(), None, there], "in the order that was asked for");
    assert!(store.load_each(&[]).await.is_empty());

    // Saved at the same time, one wins, and is whole.
    let saves: Vec<_> = (0..40).map(|nth| store.save(&id, &verified[nth % 4])).collect();
    for (nth, save) in saves.into_iter().enumerate() {
        save.await.unwrap();
        let found = loaded(&id).await.unwrap();
        assert!(verified.iter().any(|response| response.der() == found), "{nth}");
    }

    // A lease is the holder's again, whatever becomes of it.
    assert!(granted().await && granted().await);
    store.renew(&id, A_MINUTE).await.unwrap();
    assert!(granted().await);

    // Who holds the lease has dropped what was there when `remove` returns.
    store.remove(&id).await.unwrap();
    assert_eq!(loaded(&id).await, None);
    store.release(&id).await.unwrap();
    store.release(&id).await.unwrap();
    assert!(granted().await);
    store.release(&id).await.unwrap();

    // What is put aside is not loaded again.
    store.save(&id, &verified[0]).await.unwrap();
    store.set_aside(&id).await.unwrap();
    assert_eq!(loaded(&id).await, None);
}

#[tokio::test]
async fn the_contract_of_stores() {
    let redis = Redis::start();
    let directory = tempfile::tempdir().unwrap();
    let disk = |name: &str| DiskStore::open(directory.path().join(name)).unwrap();
    hold(&MemoryStore::new()).await;
    hold(&disk("one")).await;
    hold(&redis.member()).await;
    hold(&redis.builder().prefix("another").start().unwrap()).await;
    assert!(!Layered::new(MemoryStore::new(), disk("two")).is_shared());
    assert!(Layered::new(redis.member(), disk("two")).is_shared());
}

#[tokio::test]
async fn two_layers_are_a_store_too() {
    let directory = tempfile::tempdir().unwrap();
    let disk = |name: &str| DiskStore::open(directory.path().join(name)).unwrap();
    let Responses { id, verified } = Responses::new();
    let redis = Redis::start();
    let (front, behind) = (redis.member(), disk("behind"));
    let layered = Layered::new(front.clone(), behind.clone());
    layered.save(&id, &verified[0]).await.unwrap();
    for store in [&front as &dyn Store, &behind] {
        assert_eq!(store.load(&id).await.unwrap().as_deref(), Some(verified[0].der()));
    }
    // Foreign bytes in Redis do not hide what is on the disk, nor the other way round.
    redis.set(&staple_key(&id), b"<html>");
    assert_eq!(layered.load(&id).await.unwrap().as_deref(), Some(verified[0].der()));
    front.save(&id, &verified[1]).await.unwrap();
    std::fs::write(behind.path(&id), b"<html>").unwrap();
    assert_eq!(layered.load(&id).await.unwrap().as_deref(), Some(verified[1].der()));
}

#[tokio::test]
async fn staples_in_redis_end_with_the_response_and_foreign_ones_are_not_read_whole() {
    let redis = Redis::start();
    let store = redis.member();
    let Responses { id, verified } = Responses::new();
    store.save(&id, &verified[0]).await.unwrap();
    let left: u64 = redis.run(["TTL", &staple_key(&id)]).parse().unwrap();
    let life = verified[0].expires().as_secs() - UnixTime::now().as_secs();
    assert!(left.abs_diff(life) <= 5, "{left} s to live, and the response lives {life} s");

    redis.set(&staple_key(&id), &vec![b'x'; 1 << 20]);
    let read = store.load(&id).await.unwrap().unwrap();
    assert_eq!(read.len(), certstatus::Limits::default().response + 1);
    // Of many, too; and a key of another kind does not hide those beside it.
    let (list, good, none) = (Responses::new(), Responses::new(), Fingerprint::of(b"none"));
    redis.run(["LPUSH", &staple_key(&list.id), "x"]);
    store.save(&good.id, &good.verified[0]).await.unwrap();
    let each = store.load_each(&[list.id, id, none, good.id]).await;
    let [Err(error), Ok(Some(cut)), Ok(None), Ok(Some(whole))] = &each[..] else {
        panic!("{each:?}")
    };
    let error = error.to_string();
    assert!(error.contains(&staple_key(&list.id)) && error.contains("WRONGTYPE"), "{error}");
    assert_eq!(cut, &read);
    assert_eq!(whole, good.verified[0].der());
    // A key of another kind is an error, until something is saved.
    redis.run(["DEL", &staple_key(&id)]);
    redis.run(["LPUSH", &staple_key(&id), "x"]);
    let error = store.load(&id).await.unwrap_err().to_string();
    assert!(error.contains("WRONGTYPE") && error.contains(&staple_key(&id)), "{error}");
    store.save(&id, &verified[0]).await.unwrap();
    assert_eq!(store.load(&id).await.unwrap().as_deref(), Some(verified[0].der()));
}
