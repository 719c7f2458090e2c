//! Members of a fleet that share a store: one asks, the others take over.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use certstatus::VerifiedResponse;
use certstatus::time::unix;
use certstatus_lab::{Fault, Leaf};
use certstatus_stapler::fetch::{Answer, HttpError, Question, Transport};
use certstatus_stapler::store::{LEASE, Lease, look_again};
use certstatus_stapler::{
    BoxFuture, Clock, Fingerprint, StapleHandle, Stapler, StaplerBuilder, Store, StoreError,
    Target, TokioClock,
};
use rustls_pki_types::UnixTime;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::counted::{Seen, counted};
use crate::support::{DAY, HOUR, Net, seconds, strict_client};

/// What the members share.
#[derive(Debug, Default)]
struct Common {
    responses: HashMap<Fingerprint, Vec<u8>>,
    leases: HashMap<Fingerprint, (usize, Instant)>,
    listeners: Vec<mpsc::Sender<Fingerprint>>,
}

/// One member's view of it.
#[derive(Clone, Debug)]
struct Member {
    number: usize,
    common: Arc<Mutex<Common>>,
    /// Whether the store is away.
    away: Arc<AtomicBool>,
    /// Whether members are told of what others save.
    notices: bool,
}

impl Member {
    fn on<'a, T: Send + 'a>(
        &self,
        act: impl FnOnce(&mut Common) -> T,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        let done = match self.away.load(Ordering::SeqCst) {
            true => Err(StoreError::new("the common store cannot be reached", "it is away")),
            false => Ok(act(&mut self.common.lock().unwrap())),
        };
        Box::pin(std::future::ready(done))
    }

    fn holds(&self, common: &Common, id: &Fingerprint) -> bool {
        common.leases.get(id).is_some_and(|(holder, _)| *holder == self.number)
    }
}

impl Store for Member {
    fn load<'a>(
        &'a self,
        id: &'a Fingerprint,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        self.on(|common| common.responses.get(id).cloned())
    }

    fn save<'a>(
        &'a self,
        id: &'a Fingerprint,
        response: &'a VerifiedResponse,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.on(|common| {
            common.responses.insert(*id, response.der().to_vec());
            for listener in &common.listeners {
                let _ = listener.try_send(*id);
            }
        })
    }

    fn remove<'a>(&'a self, _: &'a Fingerprint) -> BoxFuture<'a, Result<(), StoreError>> {
        self.on(|_| ())
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn acquire<'a>(
        &'a self,
        id: &'a Fingerprint,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        let now = Instant::now();
        self.on(|common| match common.leases.get(id) {
            Some((holder, until)) if *holder != self.number && *until > now => {
                Lease::Held { retry: look_again(*until - now, self.number as u64) }
            }
            _ => {
                common.leases.insert(*id, (self.number, now + ttl));
                Lease::Granted
            }
        })
    }

    fn renew<'a>(
        &'a self,
        id: &'a Fingerprint,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.on(|common| {
            if self.holds(common, id) {
                common.leases.insert(*id, (self.number, Instant::now() + ttl));
            }
        })
    }

    fn release<'a>(&'a self, id: &'a Fingerprint) -> BoxFuture<'a, Result<(), StoreError>> {
        self.on(|common| {
            if self.holds(common, id) {
                common.leases.remove(id);
            }
        })
    }

    fn changes(&self) -> Option<mpsc::Receiver<Fingerprint>> {
        let (sender, receiver) = mpsc::channel(100);
        self.notices.then(|| self.common.lock().unwrap().listeners.push(sender))?;
        Some(receiver)
    }
}

/// Five members that staple for one certificate.
pub(crate) struct Fleet {
    pub(crate) net: Net,
    pub(crate) leaf: Leaf,
    pub(crate) members: Vec<(Stapler, StapleHandle)>,
    common: Arc<Mutex<Common>>,
    away: Arc<AtomicBool>,
    notices: bool,
}

impl Fleet {
    pub(crate) fn start(net: Net, notices: bool) -> Self {
        Self::start_with(net, notices, |_, stapler| stapler)
    }

    /// Members that differ, each by its number.
    pub(crate) fn start_with(
        net: Net,
        notices: bool,
        set_up: impl Fn(usize, StaplerBuilder) -> StaplerBuilder,
    ) -> Self {
        let leaf = net.leaf("www.example.org");
        let (common, away) = (Arc::default(), Arc::default());
        let mut fleet = Self { net, leaf, members: Vec::new(), common, away, notices };
        for number in 0..5 {
            fleet.join(|stapler| set_up(number, stapler));
        }
        fleet
    }

    /// One more member.
    pub(crate) fn join(&mut self, set_up: impl Fn(StaplerBuilder) -> StaplerBuilder) {
        let (common, away) = (Arc::clone(&self.common), Arc::clone(&self.away));
        let store = Member { number: self.members.len(), common, away, notices: self.notices };
        let stapler = set_up(self.net.stapler()).store(store).start().unwrap();
        let handle = stapler.add(Target::from_chain(self.leaf.chain())).unwrap();
        self.members.push((stapler, handle));
    }

    /// The store forgets every response, and no lease.
    pub(crate) fn lose_what_is_saved(&self) {
        self.common.lock().unwrap().responses.clear();
    }

    /// How many members have a staple that a strict client accepts; none has one that it refuses.
    pub(crate) fn stapling(&self) -> usize {
        let seen = |(_, handle): &&(Stapler, StapleHandle)| {
            let seen = strict_client(handle, &self.leaf, self.net.now());
            assert_ne!(seen, Some(false));
            seen.is_some()
        };
        self.members.iter().filter(seen).count()
    }
}

#[tokio::test(start_paused = true)]
async fn one_request_per_refresh_serves_the_whole_fleet() {
    for notices in [true, false] {
        let fleet = Fleet::start(Net::new(4 * HOUR), notices);
        tokio::time::sleep(seconds(5)).await;
        assert!(
            fleet.common.lock().unwrap().leases.is_empty(),
            "it is given back, and not waited for"
        );
        tokio::time::sleep(seconds(65)).await;
        assert_eq!((fleet.stapling(), fleet.net.asked()), (5, 1), "notices: {notices}");
        for _ in 0..2 * 24 {
            tokio::time::sleep(seconds(HOUR / 2)).await;
            assert_eq!(fleet.stapling(), 5);
        }
        // The earliest of five has its refresh between 3/8 and 15/32 of four hours.
        let asked = fleet.net.asked();
        assert!((24 * 60 / 113..=1 + 24 * 60 / 90).contains(&asked), "{asked} requests in a day");
    }
}

/// The member that holds the lease dies while it asks, and never gives the lease back.
#[tokio::test(start_paused = true)]
async fn the_death_of_the_holder_costs_the_others_a_minute() {
    let fleet = Fleet::start(Net::new(4 * DAY), true);
    // Nothing has run yet: to them, another one is asking.
    let id = Fingerprint::of(fleet.leaf.certificate());
    let dead = (usize::MAX, Instant::now() + LEASE);
    fleet.common.lock().unwrap().leases.insert(id, dead);
    tokio::time::sleep(seconds(55)).await;
    assert_eq!((fleet.stapling(), fleet.net.asked()), (0, 0));
    tokio::time::sleep(seconds(15)).await;
    assert_eq!((fleet.stapling(), fleet.net.asked()), (5, 1));
}

/// Whoever can write to the store can set a lease that lasts for a year: every staple is refreshed in
/// time all the same.
#[tokio::test(start_paused = true)]
async fn lease_of_a_year_ends_no_staple() {
    for notices in [true, false] {
        let fleet = Fleet::start(Net::new(HOUR), notices);
        tokio::time::sleep(seconds(70)).await;
        assert_eq!((fleet.stapling(), fleet.net.asked()), (5, 1));
        let id = Fingerprint::of(fleet.leaf.certificate());
        let hostile = (usize::MAX, Instant::now() + seconds(365 * DAY));
        fleet.common.lock().unwrap().leases.insert(id, hostile);
        for minute in 0..5 * 60 {
            tokio::time::sleep(seconds(60)).await;
            assert_eq!(fleet.stapling(), 5, "notices: {notices}, minute {minute}");
        }
        assert!(fleet.net.asked() < 60, "{} requests", fleet.net.asked());
    }
}

/// One that ends in peace while it asks gives the lease back, and the others need not wait for its end.
#[tokio::test(start_paused = true)]
async fn the_end_of_the_holder_costs_the_others_seconds() {
    let net = Net::new(4 * DAY);
    net.set_fault(Some(Fault::Timeout));
    let mut fleet = Fleet::start(net, true);
    tokio::time::sleep(seconds(1)).await;
    assert_eq!((fleet.stapling(), fleet.net.asked()), (0, 1));
    // The others were told that somebody else asks, and plan to look again.
    let holder = fleet
        .members
        .iter()
        .position(|(_, handle)| handle.snapshot().next_attempt.unwrap() <= fleet.net.now());
    let (stapler, _) = fleet.members.remove(holder.unwrap());
    fleet.net.set_fault(None);
    stapler.shut_down().await;
    tokio::time::sleep(seconds(10)).await;
    assert_eq!((fleet.stapling(), fleet.net.asked()), (4, 2));
}

/// A responder that fails is asked by one member, and not by five.
#[tokio::test(start_paused = true)]
async fn a_failure_of_one_is_a_pause_for_all() {
    let fleet = Fleet::start(Net::new(4 * HOUR), true);
    tokio::time::sleep(seconds(70)).await;
    let before = fleet.net.asked();
    fleet.net.set_fault(Some(Fault::Http500));
    tokio::time::sleep(seconds(3 * HOUR)).await;
    let asked = fleet.net.asked() - before;
    assert!((3..30).contains(&asked), "{asked} requests");
    assert_eq!(fleet.stapling(), 5);
    fleet.net.set_fault(None);
    tokio::time::sleep(seconds(HOUR)).await;
    assert_eq!(fleet.stapling(), 5);
}

/// A network that does not lead to the responder.
#[derive(Debug)]
pub(crate) struct Astray;

impl Transport for Astray {
    fn ask<'a>(&'a self, question: Question<'a>) -> BoxFuture<'a, Result<Answer, HttpError>> {
        let (url, reason) = (question.responder.to_owned(), "no route to host".into());
        Box::pin(std::future::ready(Err(HttpError::Broken { url, reason })))
    }

    fn certificates<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Vec<Vec<u8>>, HttpError>> {
        let (url, reason) = (url.to_owned(), "no route to host".into());
        Box::pin(std::future::ready(Err(HttpError::Broken { url, reason })))
    }
}

/// Who fails has its pause, and then leaves the next attempt to another.
#[tokio::test(start_paused = true)]
async fn members_that_cannot_reach_the_responder_do_not_keep_the_others_from_it() {
    // The one that can is the last to start.
    let fleet = Fleet::start_with(Net::new(4 * HOUR), true, |number, stapler| match number {
        4 => stapler,
        _ => stapler.transport(Astray),
    });
    // Four fail in their turn, with pauses that double as if one had failed four times.
    tokio::time::sleep(seconds(30 + 60 + 120 + 240)).await;
    assert_eq!((fleet.stapling(), fleet.net.asked()), (5, 1));
    for _ in 0..2 * 48 {
        tokio::time::sleep(seconds(HOUR / 2)).await;
        assert_eq!(fleet.stapling(), 5);
    }
    let asked = fleet.net.asked();
    assert!((2 * 24 * 60 / 125..=2 + 2 * 24 * 60 / 90).contains(&asked), "{asked} in two days");
}

/// A clock that is so many seconds off.
#[derive(Clone, Copy, Debug)]
struct Off(TokioClock, i64);

impl Clock for Off {
    fn now(&self) -> UnixTime {
        unix(self.0.now().as_secs().saturating_add_signed(self.1))
    }
}

/// Clocks within the tolerance, and beyond it both ways: 300 s.
#[tokio::test(start_paused = true)]
async fn clocks_that_disagree_make_nobody_staple_what_is_refused_and_leave_nobody_without() {
    let net = Net::new(4 * HOUR);
    let clock = net.clock;
    let off = [-600, -290, -3, 290, 600];
    let fleet =
        Fleet::start_with(net, true, |number, stapler| stapler.clock(Off(clock, off[number])));
    // The slowest trusts nothing before 300 s have passed, and holds it for as long again.
    for passed in 0..2 * 60 {
        let stapling = fleet.stapling();
        assert!(stapling >= if passed < 6 { 0 } else { 4 }, "{stapling} in minute {passed}");
        assert!(stapling == 5 || passed < 16, "{stapling} in minute {passed}");
        tokio::time::sleep(seconds(60)).await;
    }
    let before = fleet.net.asked();
    for _ in 0..24 * 12 {
        tokio::time::sleep(seconds(300)).await;
        assert_eq!(fleet.stapling(), 5);
    }
    let asked = fleet.net.asked() - before;
    assert!((24 * 60 / 113..=24).contains(&asked), "{asked} requests in a day");
}

/// Without the common store each member is on its own, and none is without a staple.
#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_leaves_each_member_on_its_own() {
    let fleet = Fleet::start(Net::new(4 * HOUR), true);
    tokio::time::sleep(seconds(70)).await;
    fleet.away.store(true, Ordering::SeqCst);
    for _ in 0..2 * 24 {
        tokio::time::sleep(seconds(HOUR / 2)).await;
        assert_eq!(fleet.stapling(), 5);
    }
    let alone = fleet.net.asked();
    assert!((5 * 12..5 * 17).contains(&alone), "{alone}");
    fleet.away.store(false, Ordering::SeqCst);
    tokio::time::sleep(seconds(4 * HOUR)).await;
    let before = fleet.net.asked();
    tokio::time::sleep(seconds(DAY)).await;
    let together = fleet.net.asked() - before;
    assert!((12..=17).contains(&together), "{together}");
    assert_eq!(fleet.stapling(), 5);
}

/// A lease is held while its holder asks and, after a failure, until shortly before it asks again.
#[test]
fn leases_that_are_held_are_counted() {
    counted(|snapshotter| async move {
        let net = Net::new(4 * HOUR);
        net.set_fault(Some(Fault::Timeout));
        let fleet = Fleet::start(net, true);
        let held = || {
            let held = fleet.members.iter().map(|(stapler, _)| {
                stapler.observe();
                Seen::of(snapshotter.snapshot()).value("certstatus_leases_held", &[])
            });
            held.collect::<Vec<_>>()
        };
        assert_eq!(held(), [0.0; 5]);
        tokio::time::sleep(seconds(1)).await;
        assert_eq!(held().iter().sum::<f64>(), 1.0, "it asks");
        tokio::time::sleep(seconds(14)).await;
        assert_eq!(held().iter().sum::<f64>(), 1.0, "it has failed, and the others wait");
        fleet.net.set_fault(None);
        tokio::time::sleep(seconds(120)).await;
        assert_eq!((fleet.stapling(), held()), (5, vec![0.0; 5]));
    });
}

/// How often a lease was had, and how often another member had it.
#[test]
fn leases_that_are_asked_for_are_counted() {
    counted(|snapshotter| async move {
        let fleet = Fleet::start(Net::new(4 * HOUR), true);
        tokio::time::sleep(seconds(70)).await;
        assert_eq!((fleet.stapling(), fleet.net.asked()), (5, 1));
        fleet.away.store(true, Ordering::SeqCst);
        tokio::time::sleep(seconds(2 * HOUR)).await;
        let seen = Seen::of(snapshotter.snapshot());
        let asked_for = |outcome| seen.value("certstatus_leases_total", &[("outcome", outcome)]);
        assert_eq!((asked_for("granted"), asked_for("held")), (1.0, 4.0));
        assert_eq!(asked_for("failed"), fleet.net.asked() as f64 - 1.0, "each asks for itself");
    });
}
