//! How Redis is reached: users, databases, TLS, clusters; and what is said when it is not.

use std::time::{Duration, Instant};

use certstatus_lab::{KeyKind, Lab, LeafRequest};
use certstatus_stapler::Store;
use certstatus_stapler::store::{Lease, RedisStore};

use super::contract::Responses;
use super::server::{Redis, staple_key};
use crate::harness::files::Files;
use crate::harness::process::PATIENCE;

async fn error(store: &RedisStore) -> String {
    store.ping().await.unwrap_err().to_string()
}

#[tokio::test]
async fn users_passwords_and_databases() {
    let redis = Redis::with(&["--requirepass", "secret"]);
    let at = |user: &str, rest: &str| {
        RedisStore::at(format!("redis://{user}127.0.0.1:{}/{rest}", redis.port())).start().unwrap()
    };
    at(":secret@", "").ping().await.unwrap();
    for (user, says) in [("", "NOAUTH"), (":false-word@", "WRONGPASS")] {
        let refused = error(&at(user, "")).await;
        assert!(refused.contains(says) || refused.contains("uthentication"), "{refused}");
        assert!(!refused.contains("false-word"), "{refused}");
        assert!(!format!("{:?}", at(user, "")).contains("false-word"));
    }
    let Responses { id, verified } = Responses::new();
    at("default:secret@", "3").save(&id, &verified[0]).await.unwrap();
    assert!(at(":secret@", "3").load(&id).await.unwrap().is_some());
    assert!(at(":secret@", "4").load(&id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_configuration_that_cannot_work_is_refused_at_once() {
    for url in ["", "http://127.0.0.1/", "redis://", "redis://127.0.0.1/x", "redis://:p@h:99999/"] {
        let refused = RedisStore::at(url).start().unwrap_err().to_string();
        assert!(
            refused.starts_with("Redis cannot be used as it is configured"),
            "{url}: {refused}"
        );
    }
    assert!(RedisStore::cluster(Vec::<String>::new()).start().is_err());
    let tls = RedisStore::at("rediss://127.0.0.1/").certificate_authorities(*b"no PEM");
    let _ = tls.start();
    let plain = RedisStore::at("redis://127.0.0.1/").certificate_authorities(*b"");
    assert!(plain.start().is_err(), "certificates without TLS are a mistake");
}

#[tokio::test]
async fn tls_is_verified_both_ways() {
    let lab = Lab::builder().key(KeyKind::EcdsaP256).build().unwrap();
    let files = Files::of(&lab, &lab.issue(LeafRequest::new("localhost")).unwrap());
    let (chain, key, authorities) = (files.chain(), files.key(), files.authorities());
    let redis = Redis::with(&[
        "--port",
        "0",
        "--tls-port",
        "PORT",
        "--tls-cert-file",
        &chain,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &authorities,
        "--tls-auth-clients",
        "yes",
    ]);
    let read = |path: &str| std::fs::read(path).unwrap();
    let at = |host: &str| RedisStore::at(format!("rediss://{host}:{}/", redis.port()));
    let ours = |host: &str| {
        at(host)
            .certificate_authorities(read(&files.root()))
            .client_certificate(read(&chain), read(&key))
    };
    ours("localhost").start().unwrap().ping().await.unwrap();
    // Another authority, another name, no certificate of our own.
    let stranger = Lab::builder().build().unwrap();
    let leaf = stranger.leaf("localhost").unwrap();
    let strange = Files::of(&stranger, &leaf);
    let strange = ours("localhost").certificate_authorities(read(&strange.root()));
    for (builder, says) in [
        (strange, "certificate"),
        (ours("127.0.0.1"), "certificate"),
        (at("localhost").certificate_authorities(read(&files.root())), "away"),
    ] {
        let refused = error(&builder.start().unwrap()).await;
        assert!(refused.contains(says), "{refused}");
    }
}

#[tokio::test]
async fn a_cluster_is_one_store() {
    let nodes = Redis::cluster_of_two();
    let member = || RedisStore::cluster([nodes[0].url()]).start().unwrap();
    let (one, two) = (member(), member());
    let mut changes = two.changes().unwrap();
    two.ping().await.unwrap();
    let mut places = [0, 0];
    for _ in 0..12 {
        let Responses { id, verified } = Responses::new();
        let ttl = Duration::from_secs(60);
        assert_eq!(one.acquire(&id, ttl).await.unwrap(), Lease::Granted);
        assert_ne!(two.acquire(&id, ttl).await.unwrap(), Lease::Granted);
        one.save(&id, &verified[0]).await.unwrap();
        assert_eq!(two.load(&id).await.unwrap().as_deref(), Some(verified[0].der()));
        let told = tokio::time::timeout(PATIENCE, changes.recv()).await.unwrap();
        assert_eq!(told, Some(id));
        for (place, node) in places.iter_mut().zip(&nodes) {
            *place += usize::from(node.run(["EXISTS", &staple_key(&id)]) == "1");
        }
        one.remove(&id).await.unwrap();
        one.release(&id).await.unwrap();
        assert_eq!(two.load(&id).await.unwrap(), None);
    }
    assert!(places[0] > 0 && places[1] > 0 && places[0] + places[1] == 12, "{places:?}");

    // Many at once, from whatever nodes they are on.
    let mut saved = Vec::new();
    for _ in 0..12 {
        let Responses { id, verified } = Responses::new();
        one.save(&id, &verified[0]).await.unwrap();
        saved.push((id, verified[0].der().to_vec()));
    }
    let ids: Vec<_> = saved.iter().map(|(id, _)| *id).collect();
    let each = two.load_each(&ids).await;
    for (found, (_, der)) in each.into_iter().zip(&saved) {
        assert_eq!(found.unwrap().as_ref(), Some(der));
    }
}

/// Nothing waits for a Redis that is not there.
#[tokio::test]
async fn a_redis_that_is_away_costs_no_time_and_is_found_again() {
    let mut redis = Redis::start();
    let store = redis.builder().timeout(Duration::from_millis(500)).start().unwrap();
    let Responses { id, verified } = Responses::new();
    store.save(&id, &verified[0]).await.unwrap();
    redis.kill();
    let _ = store.load(&id).await;
    let begun = Instant::now();
    for _ in 0..100 {
        let error = store.load(&id).await.unwrap_err().to_string();
        assert!(error.contains("is away"), "{error}");
    }
    for found in store.load_each(&[id; 100]).await {
        let error = found.unwrap_err().to_string();
        assert!(error.contains("is away"), "{error}");
    }
    // Waiting for each would take a hundred seconds.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    redis.go_on();
    found_again(&store).await;
    // It may also hang, with its connections open.
    redis.freeze();
    assert!(store.ping().await.is_err());
    let begun = Instant::now();
    while store.ping().await.is_err() && begun.elapsed() < Duration::from_millis(100) {}
    redis.thaw();
    found_again(&store).await;
    store.save(&id, &verified[0]).await.unwrap();
    assert!(store.load(&id).await.unwrap().is_some());
}

async fn found_again(store: &RedisStore) {
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = store.ping().await {
        assert!(Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
