//! How responders are treated: within limits, in turn, and gently while they are in trouble.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use certstatus_lab::{Fault, LeafRequest};
use certstatus_stapler::fetch::{Answer, HttpError, Question, Transport};
use certstatus_stapler::{BoxFuture, ResponderLimits, StapleHandle, StapleState, Target};

use crate::support::{DAY, HOUR, Net, add, seconds};

/// Sixty certificates at once: by one limit so many requests are under way at a time, by the other so
/// many begin in a second. Each is reached, and neither is passed.
#[tokio::test(start_paused = true)]
async fn a_crowd_of_certificates_is_asked_for_within_the_limits() {
    for (concurrent, per_second, most, soonest) in [(3, 1000, 3, 0), (8, 10, 1, 5)] {
        let net = Net::new(4 * DAY);
        let limits = ResponderLimits::new(concurrent, per_second);
        let stapler = net.stapler().responder_limits(limits).start().unwrap();
        for number in 0..60 {
            let leaf = net.leaf(&format!("{number}.example.org"));
            stapler.add(Target::from_chain(leaf.chain())).unwrap();
        }
        stapler.ready().await;
        assert!(stapler.snapshot().iter().all(|one| one.state == StapleState::Good));
        assert_eq!((net.asked(), net.most_in_flight()), (60, most));
        let times = net.times();
        for second in 0..=times[59] {
            let in_it = times.iter().filter(|at| **at == second).count();
            assert!(in_it <= per_second as usize + 1, "{in_it} requests in one second");
        }
        assert!((soonest..soonest + 2).contains(&times[59]), "{times:?}");
    }
}

/// Each question is a socket: to all responders together there are 256 at a time, and every one has its
/// turn.
#[tokio::test(start_paused = true)]
async fn questions_to_all_responders_together_have_a_limit() {
    let net = Net::new(4 * DAY);
    let limits = ResponderLimits::new(8, 1000);
    let stapler = net.stapler().responder_limits(limits).start().unwrap();
    for number in 0..320 {
        let url = format!("http://{}.example/", number % 40);
        let request = LeafRequest::new("www.example.org").responder_urls([url]);
        stapler.add(Target::from_chain(net.lab.issue(request).unwrap().chain())).unwrap();
    }
    stapler.ready().await;
    assert!(stapler.snapshot().iter().all(|one| one.state == StapleState::Good));
    assert_eq!((net.asked(), net.most_in_flight()), (320, 256));
}

/// Two responders, of which one is dead until it is revived.
#[derive(Clone, Debug)]
struct TwoRoads {
    net: Net,
    asked: Arc<Mutex<Vec<String>>>,
    revived: Arc<AtomicBool>,
}

const DEAD: &str = "http://dead.example/";
const ALIVE: &str = "http://alive.example/";

impl TwoRoads {
    fn new(life: u64) -> Self {
        Self { net: Net::new(life), asked: Arc::default(), revived: Arc::default() }
    }

    /// A certificate that names these responders.
    fn target(&self, urls: &[&str]) -> Target {
        let urls = urls.iter().map(ToString::to_string);
        let request = LeafRequest::new("www.example.org").responder_urls(urls);
        Target::from_chain(self.net.lab.issue(request).unwrap().chain())
    }

    /// How often the dead one has been asked since this was last called, and the other one.
    fn asked(&self) -> (usize, usize) {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        let dead = asked.iter().filter(|url| *url == DEAD).count();
        (dead, asked.len() - dead)
    }
}

impl Transport for TwoRoads {
    fn ask<'a>(&'a self, question: Question<'a>) -> BoxFuture<'a, Result<Answer, HttpError>> {
        self.asked.lock().unwrap().push(question.responder.to_owned());
        if question.responder == ALIVE || self.revived.load(Ordering::SeqCst) {
            return self.net.ask(question);
        }
        let (url, timeout) = (question.responder.to_owned(), seconds(10));
        Box::pin(async move {
            tokio::time::sleep(timeout).await;
            Err(HttpError::Timeout { url, timeout })
        })
    }

    fn certificates<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Vec<Vec<u8>>, HttpError>> {
        self.net.certificates(url)
    }
}

/// Each responder has a gate of its own: a dead one keeps nobody from another, be it that of other
/// certificates or the second of the same. After a few attempts it is passed over.
#[tokio::test(start_paused = true)]
async fn a_dead_responder_stands_in_nobodys_way() {
    let roads = TwoRoads::new(4 * DAY);
    let net = &roads.net;
    let limits = ResponderLimits::new(2, 1000);
    let stapler = net.stapler().transport(roads.clone()).responder_limits(limits).start().unwrap();
    let begun = net.since();
    let handles = |urls: &[&str]| -> Vec<_> {
        (0..30).map(|_| stapler.add(roads.target(urls)).unwrap()).collect()
    };
    let (both, alive) = (handles(&[DEAD, ALIVE]), handles(&[ALIVE]));
    for handle in &alive {
        handle.ready().await;
        assert_eq!(handle.state(), StapleState::Good);
    }
    assert!(net.since() - begun < 5, "{} s", net.since() - begun);
    for handle in &both {
        handle.ready().await;
    }
    tokio::time::sleep(seconds(60)).await;
    let states: Vec<_> = both.iter().map(StapleHandle::state).collect();
    assert!(states.iter().all(|state| *state == StapleState::Good), "{states:?}");
    let (dead, _) = roads.asked();
    assert!((3..10).contains(&dead), "{dead} requests to the dead one");
}

/// A responder that every certificate passes over is asked now and then how it does, at no cost to
/// any staple, and when it answers again it is the first again.
#[tokio::test(start_paused = true)]
async fn a_responder_that_is_passed_over_is_not_forgotten() {
    let roads = TwoRoads::new(4 * HOUR);
    let stapler = roads.net.stapler().transport(roads.clone()).start().unwrap();
    let handles: Vec<_> =
        (0..30).map(|_| stapler.add(roads.target(&[DEAD, ALIVE])).unwrap()).collect();
    stapler.ready().await;
    tokio::time::sleep(seconds(DAY)).await;
    let (dead, alive) = roads.asked();
    assert!((15..60).contains(&dead), "{dead} requests to the dead one in a day");
    assert!(alive > 10 * 30, "{alive} requests to the other one");
    assert!(handles.iter().all(|handle| handle.state() == StapleState::Good));
    roads.revived.store(true, Ordering::SeqCst);
    tokio::time::sleep(seconds(2 * HOUR)).await;
    roads.asked();
    tokio::time::sleep(seconds(DAY)).await;
    let (revived, alive) = roads.asked();
    assert!(revived > 10 * 30 && alive == 0, "{revived} requests to it, {alive} to the other one");
}

/// A hundred certificates behind a dead responder cost it little more than one would.
#[tokio::test(start_paused = true)]
async fn a_dead_responder_is_probed_and_all_recover_when_it_does() {
    let net = Net::new(4 * DAY);
    let stapler = net.stapler().start().unwrap();
    let handles: Vec<_> = (0..100)
        .map(|number| {
            let leaf = net.leaf(&format!("{number}.example.org"));
            stapler.add(Target::from_chain(leaf.chain())).unwrap()
        })
        .collect();
    stapler.ready().await;
    let good = || handles.iter().filter(|handle| handle.state() == StapleState::Good).count();
    assert_eq!((good(), net.asked()), (100, 100));
    net.set_fault(Some(Fault::Http503Html));
    tokio::time::sleep(seconds(3 * DAY)).await;
    let asked = net.asked() - 100;
    assert!((30..150).contains(&asked), "{asked} requests in a day and a half of trouble");
    assert_eq!(good(), 100);
    net.set_fault(None);
    tokio::time::sleep(seconds(3 * HOUR)).await;
    assert!(handles.iter().all(|handle| handle.snapshot().failures == 0));
    tokio::time::sleep(seconds(DAY)).await;
    assert_eq!(good(), 100);
}

#[tokio::test(start_paused = true)]
async fn no_responder_is_a_quiet_state_and_addresses_can_be_given_and_mapped() {
    let net = Net::new(4 * DAY);
    let leaf = net.lab.issue(LeafRequest::new("quiet.example").no_aia()).unwrap();
    let mapped = net.leaf("mapped.example");
    let stapler = net.stapler().map_responder(net.lab.responder_url(), "").start().unwrap();
    let handle = add(&stapler, &leaf).await;
    assert_eq!(handle.state(), StapleState::NoResponder);
    let handle = add(&stapler, &mapped).await;
    assert_eq!(handle.state(), StapleState::NoResponder);
    tokio::time::sleep(seconds(10 * DAY)).await;
    assert_eq!(net.asked(), 0);
    assert_eq!(handle.snapshot().next_attempt, None);
    let target = Target::from_chain(net.leaf("given.example").chain());
    let given = stapler.add(target.responders(["http://other.example/"])).unwrap();
    given.ready().await;
    assert_eq!((given.state(), net.asked()), (StapleState::Good, 1));
    assert_eq!(given.snapshot().responders, [Box::<str>::from("http://other.example/")]);
}

/// The issuer is not in the chain: it comes from where the certificate says it is.
#[tokio::test(start_paused = true)]
async fn the_issuer_is_fetched_when_the_chain_lacks_it() {
    let net = Net::new(4 * DAY);
    let leaf = net.leaf("www.example.org");
    let stapler = net.stapler().start().unwrap();
    let handle = stapler.add(Target::from_chain(&leaf.chain()[..1])).unwrap();
    handle.ready().await;
    assert_eq!(handle.state(), StapleState::Good);
    assert!(handle.snapshot().issuer.unwrap().contains("intermediate"));
    // One that is wrong, in the chain or given, is none.
    let other = net.leaf("other.example.org");
    let wrong = Target::from_chain(&other.chain()[..1]).issuer(net.lab.root().clone());
    let error = stapler.add(wrong).unwrap_err().to_string();
    assert!(error.contains("is not"), "{error}");
}

/// Whoever waits for a hundred certificates to be ready does not wait for a dead responder.
#[tokio::test(start_paused = true)]
async fn being_ready_does_not_wait_for_the_end_of_trouble() {
    let net = Net::new(4 * DAY);
    net.set_fault(Some(Fault::ConnectionReset));
    let stapler = net.stapler().start().unwrap();
    for number in 0..100 {
        let leaf = net.leaf(&format!("{number}.example.org"));
        stapler.add(Target::from_chain(leaf.chain())).unwrap();
    }
    stapler.ready().await;
    assert!(net.since() < 60, "{} s", net.since());
    assert!(stapler.snapshot().iter().all(|one| one.state == StapleState::Missing));
    net.set_fault(None);
    tokio::time::sleep(seconds(10 * 60)).await;
    assert!(stapler.snapshot().iter().all(|one| one.state == StapleState::Good));
}
