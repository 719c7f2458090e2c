//! How responders are treated: within limits, in turn, and gently while they are in trouble.

use certstatus_lab::{Fault, LeafRequest};
use certstatus_stapler::{ResponderLimits, StapleState, Target};

use crate::support::{DAY, HOUR, Net, add, seconds};

#[tokio::test(start_paused = true)]
async fn a_crowd_of_certificates_is_asked_for_within_the_limits() {
    let net = Net::new(4 * DAY);
    let limits = ResponderLimits::new(3, 10);
    let stapler = net.stapler().responder_limits(limits).start().unwrap();
    for number in 0..60 {
        let leaf = net.leaf(&format!("{number}.example.org"));
        stapler.add(Target::from_chain(leaf.chain())).unwrap();
    }
    stapler.ready().await;
    assert!(stapler.snapshot().iter().all(|one| one.state == StapleState::Good));
    assert_eq!(net.asked(), 60);
    assert!(net.most_in_flight() <= 3, "{}", net.most_in_flight());
    let times = net.times();
    for second in 0..10 {
        let in_it = times.iter().filter(|at| **at == second).count();
        assert!(in_it <= 11, "{in_it} requests in one second");
    }
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
