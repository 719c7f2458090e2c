//! Members at work: one asks, all serve, whatever becomes of Redis and of the one that asked.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use certstatus_lab::{KeyKind, Lab, Leaf};
use certstatus_stapler::fetch::{Answer, HttpError, Question, Transport};
use certstatus_stapler::store::{Layered, RedisStore};
use certstatus_stapler::{
    BoxFuture, DiskStore, Event, Fingerprint, StapleHandle, Stapler, StaplerBuilder, Target,
};
use tempfile::TempDir;
use tokio::time::sleep;

use super::server::{Redis, lease_key, staple_key};
use crate::harness::pki::provider;
use crate::harness::process::PATIENCE;

/// The life of a response. It is refreshed when 3/8 to 15/32 of it have passed.
pub(super) const LIFE: Duration = Duration::from_secs(16);

/// Members of a fleet.
const MEMBERS: usize = 5;

/// A responder, a certificate, and a Redis or several.
pub(super) struct World<R = Redis> {
    pub(super) lab: Lab,
    leaf: Leaf,
    pub(super) redis: R,
    disks: TempDir,
}

impl<R> World<R> {
    pub(super) fn of(redis: R) -> Self {
        let lab = Lab::builder().key(KeyKind::EcdsaP256).validity(LIFE).start().unwrap();
        let leaf = lab.leaf("fleet.example").unwrap();
        Self { lab, leaf, redis, disks: TempDir::new().unwrap() }
    }

    pub(super) fn id(&self) -> Fingerprint {
        Fingerprint::of(self.leaf.certificate())
    }

    /// A Redis before the disk of a member of that name.
    pub(super) fn before_disk(
        &self,
        redis: RedisStore,
        name: &str,
    ) -> Layered<RedisStore, DiskStore> {
        Layered::new(redis, DiskStore::open(self.disks.path().join(name)).unwrap())
    }

    pub(super) fn member_with(&self, builder: StaplerBuilder) -> Member {
        let events = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&events);
        let on_event = move |event: &Event| told.lock().unwrap().push(event.name());
        let stapler = builder.on_event(on_event).start().unwrap();
        let handle = stapler.add(Target::from_chain(self.leaf.chain())).unwrap();
        Member { stapler, handle, events }
    }
}

impl World {
    fn new() -> Self {
        Self::of(Redis::start())
    }

    fn store(&self, name: &str) -> Layered<RedisStore, DiskStore> {
        self.before_disk(self.redis.member(), name)
    }

    fn member(&self, name: &str) -> Member {
        self.member_with(Stapler::builder(provider()).store(self.store(name)))
    }

    async fn fleet(&self) -> Vec<Member> {
        let fleet: Vec<_> = (0..MEMBERS).map(|nth| self.member(&nth.to_string())).collect();
        for member in &fleet {
            member.has_a_staple().await;
        }
        fleet
    }
}

pub(super) struct Member {
    stapler: Stapler,
    handle: StapleHandle,
    events: Arc<Mutex<Vec<&'static str>>>,
}

impl Member {
    pub(super) fn staple(&self) -> Option<Vec<u8>> {
        self.handle.current().map(|response| response.der().to_vec())
    }

    pub(super) async fn has_a_staple(&self) {
        until("a staple", || self.staple().is_some()).await;
    }

    fn was_told(&self, event: &str) -> bool {
        self.events.lock().unwrap().contains(&event)
    }
}

pub(super) async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "no {what} within {PATIENCE:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Watches a fleet for that long: every member has a staple at every moment. Returns the different
/// staples that were seen.
pub(super) async fn watch(fleet: &[Member], time: Duration) -> BTreeSet<Vec<u8>> {
    let end = Instant::now() + time;
    let mut seen = BTreeSet::new();
    while Instant::now() < end {
        for (nth, member) in fleet.iter().enumerate() {
            let staple = member.staple();
            seen.insert(staple.unwrap_or_else(|| {
                panic!("member {nth} has no staple: {:?}", member.handle.snapshot())
            }));
        }
        sleep(Duration::from_millis(20)).await;
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_of_five_asks_once_per_refresh_and_a_restart_of_redis_changes_nothing() {
    let mut world = World::new();
    let fleet = world.fleet().await;
    assert_eq!(world.lab.requests(), 1, "five members start, and one asks");
    let mut seen = watch(&fleet, LIFE * 3 / 2).await;
    until("common staple", || {
        let newest = fleet.iter().map(Member::staple).collect::<BTreeSet<_>>();
        seen.extend(newest.iter().flatten().cloned());
        newest.len() == 1 && seen.len() == world.lab.requests()
    })
    .await;
    assert!((3..=5).contains(&seen.len()), "{} staples in one and a half lives", seen.len());

    // What was taken over is on every disk.
    let on_disk = |nth: usize| {
        let file = world.disks.path().join(nth.to_string()).join(format!("{}.der", world.id()));
        std::fs::read(file).ok()
    };
    until("staple on every disk", || (0..MEMBERS).all(|nth| on_disk(nth) == fleet[nth].staple()))
        .await;

    // Killed and started again with nothing in it, and quicker than a refresh.
    world.redis.kill();
    world.redis.go_on();
    let (before, seen) = (world.lab.requests(), watch(&fleet, LIFE).await.len());
    let asked = world.lab.requests() - before;
    assert!(seen >= 2 && asked <= seen, "{asked} requests for {seen} staples after a restart");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_outage_of_redis_makes_each_member_one_of_its_own_and_then_a_fleet_again() {
    let mut world = World::new();
    let fleet = world.fleet().await;
    world.redis.kill();
    watch(&fleet, LIFE).await;
    let alone = world.lab.requests();
    assert!(alone > MEMBERS, "each member asks for itself: {alone}");
    // A member that is restarted meanwhile has its disk, and asks nobody.
    let again = world.member("0");
    again.has_a_staple().await;
    again.stapler.shut_down().await;

    world.redis.go_on();
    // All find it again, which may take a pause of theirs, and refresh.
    watch(&fleet, LIFE * 3 / 4).await;
    until("common staple", || fleet.iter().all(|m| m.staple() == fleet[0].staple())).await;
    let (before, seen) = (world.lab.requests(), watch(&fleet, LIFE * 3 / 4).await.len());
    let asked = world.lab.requests() - before;
    assert!(seen >= 2 && asked <= seen, "{asked} requests for {seen} staples");
}

/// A network in which the responder takes for ever.
#[derive(Debug)]
struct Silent;

impl Transport for Silent {
    fn ask<'a>(&'a self, _: Question<'a>) -> BoxFuture<'a, Result<Answer, HttpError>> {
        Box::pin(std::future::pending())
    }

    fn certificates<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<Vec<u8>>, HttpError>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_holder_of_a_lease_is_killed_another_member_takes_over() {
    let world = World::new();
    let lease = lease_key(&world.id());
    // The holder has a runtime of its own, which goes from one moment to the next, and it with it.
    let holder =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let member = {
        let _inside = holder.enter();
        world.member_with(
            Stapler::builder(provider()).store(world.store("holder")).transport(Silent),
        )
    };
    until("lease", || world.redis.run(["EXISTS", &lease]) == "1").await;
    holder.shutdown_background();
    assert_eq!(member.staple(), None);

    let fleet: Vec<_> = (0..MEMBERS).map(|nth| world.member(&nth.to_string())).collect();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.lab.requests(), 0, "the dead one's lease is respected");
    // Its minute passes; nobody gave it back.
    assert_eq!(world.redis.run(["PEXPIRE", &lease, "100"]), "1");
    for member in &fleet {
        member.has_a_staple().await;
    }
    assert_eq!(world.lab.requests(), 1, "one takes over, and the others do not storm");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_whose_notices_are_lost_takes_over_when_its_refresh_is_due() {
    let world = World::new();
    let first = world.member("first");
    first.has_a_staple().await;
    // The same staple under another prefix, of which nobody tells.
    let builder = || world.redis.builder().prefix("deaf");
    let deaf = world.member_with(Stapler::builder(provider()).store(builder().start().unwrap()));
    deaf.has_a_staple().await;
    let asked = world.lab.requests();
    let (from, to) = (staple_key(&world.id()), format!("deaf:staple:{{{}}}", world.id()));
    until("newer staple", || world.lab.requests() > asked && first.staple() != deaf.staple()).await;
    assert_eq!(world.redis.run(["COPY", &from, &to, "REPLACE"]), "1");
    // Whoever asked, what it takes over now is the first member's, or newer than that.
    let wanted = first.handle.current().unwrap().this_update();
    until("staple of the other", || {
        deaf.handle.current().is_some_and(|staple| staple.this_update() >= wanted)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_bytes_in_redis_are_put_aside_and_never_stapled() {
    let world = World::new();
    let key = staple_key(&world.id());
    // Another certificate's staple, of the same issuer, and newer than any that there is.
    let other = world.lab.respond(&world.lab.leaf("other.example").unwrap());
    for (nth, foreign) in [&b"<html>"[..], &other, &[0; 100_000]].into_iter().enumerate() {
        world.redis.set(&key, foreign);
        let (asked, member) = (world.lab.requests(), world.member(&format!("new{nth}")));
        member.has_a_staple().await;
        assert!(member.was_told("set aside"), "{nth}: {:?}", member.events.lock().unwrap());
        assert_eq!(world.lab.requests(), asked + 1, "{nth}");
        until("staple in Redis", || {
            world.redis.run(["TTL", &key]).parse::<i64>().is_ok_and(|left| left > 0)
        })
        .await;
        member.stapler.shut_down().await;
    }
    // Nor does it hide what is on the disk, when nobody can be asked.
    world.lab.set_now(certstatus::time::unix(world.lab.now().as_secs() + 1));
    world.redis.set(&key, &world.lab.respond(&world.lab.leaf("third.example").unwrap()));
    let alone = Stapler::builder(provider()).store(world.store("new2")).transport(Silent);
    world.member_with(alone).has_a_staple().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_member_learns_of_a_revocation_the_store_does_not_hide() {
    let world = World::new();
    let first = world.member("first");
    first.has_a_staple().await;
    world.lab.revoke(&world.leaf, None);
    first.stapler.refresh(&world.id());
    until("revocation", || first.staple().is_none()).await;
    until("empty store", || world.redis.run(["EXISTS", &staple_key(&world.id())]) == "0").await;
    let second = world.member("second");
    second.handle.ready().await;
    assert_eq!(second.staple(), None);
    assert!(second.was_told("revoked"));
}
