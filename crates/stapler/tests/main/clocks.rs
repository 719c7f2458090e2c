//! Clocks that jump and machines that sleep: the stapler recovers by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use certstatus::time::unix;
use certstatus_lab::Fault;
use certstatus_stapler::{Clock, MemoryStore, StapleState, Target};
use rustls_pki_types::UnixTime;

use crate::support::{DAY, HOUR, Net, add, seconds, strict_client};

/// The network's clock, which this machine sees so many seconds off.
#[derive(Clone, Debug)]
struct Jumping {
    net: Net,
    off: Arc<AtomicI64>,
}

impl Clock for Jumping {
    fn now(&self) -> UnixTime {
        unix(self.net.now().as_secs().saturating_add_signed(self.off.load(Ordering::SeqCst)))
    }
}

fn jumping(life: u64) -> (Net, Jumping) {
    let net = Net::new(life);
    let clock = Jumping { net: net.clone(), off: Arc::default() };
    (net, clock)
}

/// After a sleep the world's clock has moved on and the process's pauses have not.
#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_refreshes_at_once() {
    let (net, clock) = jumping(4 * HOUR);
    let leaf = net.leaf("www.example.org");
    let stapler = net.stapler().clock(clock.clone()).start().unwrap();
    let handle = add(&stapler, &leaf).await;
    // The responder's clock has moved on as well: only tokio's has slept.
    clock.off.store(3 * DAY as i64, Ordering::SeqCst);
    net.set_offset(3 * DAY);
    assert_eq!(handle.current(), None, "what has expired meanwhile is not stapled");
    tokio::time::sleep(seconds(20)).await;
    assert_eq!(strict_client(&handle, &leaf, clock.now()), Some(true));
}

/// Before anybody has noticed that time has passed: to the second, and without the tolerance by which
/// responses are verified.
#[tokio::test(start_paused = true)]
async fn what_ended_while_a_machine_slept_is_not_stapled_for_a_second_more() {
    for beyond in [-1, 0, 100] {
        let (net, clock) = jumping(4 * DAY);
        let leaf = net.leaf("www.example.org");
        let stapler = net.stapler().clock(clock.clone()).start().unwrap();
        let handle = add(&stapler, &leaf).await;
        let left = handle.current().unwrap().expires().as_secs() - clock.now().as_secs();
        clock.off.store(left as i64 + beyond, Ordering::SeqCst);
        assert_eq!(handle.current().is_some(), beyond < 0, "{beyond}");
        assert_eq!(handle.read(|staple| staple.der().len()).is_some(), beyond < 0, "{beyond}");
        let state = if beyond < 0 { StapleState::Good } else { StapleState::Missing };
        assert_eq!(handle.state(), state, "{beyond}");
    }
}

/// The clock was wrong by a year when the process started, and is then put right.
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_put_right_is_followed() {
    for off in [-365 * DAY as i64, 365 * DAY as i64] {
        let (net, clock) = jumping(4 * DAY);
        clock.off.store(off, Ordering::SeqCst);
        let leaf = net.leaf("www.example.org");
        let stapler = net.stapler().clock(clock.clone()).start().unwrap();
        let handle = stapler.add(Target::from_chain(leaf.chain())).unwrap();
        tokio::time::sleep(seconds(HOUR)).await;
        assert_eq!(handle.current(), None);
        clock.off.store(0, Ordering::SeqCst);
        tokio::time::sleep(seconds(2 * HOUR)).await;
        // A certificate that seemed to have expired long ago is looked at again.
        assert_eq!(strict_client(&handle, &leaf, clock.now()), Some(true), "{off}");
    }
}

/// While the clock is a day behind, the staple seems to come from the future: it is held back, and
/// given again when the clock is right.
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_takes_nothing_away_for_good() {
    let (net, clock) = jumping(4 * DAY);
    let leaf = net.leaf("www.example.org");
    let stapler = net.stapler().clock(clock.clone()).start().unwrap();
    let handle = add(&stapler, &leaf).await;
    clock.off.store(-(DAY as i64), Ordering::SeqCst);
    tokio::time::sleep(seconds(HOUR)).await;
    assert_eq!((handle.current(), handle.state()), (None, StapleState::Missing));
    assert!(net.asked() < 15, "{} requests in an hour", net.asked());
    clock.off.store(0, Ordering::SeqCst);
    assert_eq!(strict_client(&handle, &leaf, clock.now()), Some(true), "without any request");
    tokio::time::sleep(seconds(5 * DAY)).await;
    assert_eq!(strict_client(&handle, &leaf, clock.now()), Some(true));
}

/// The responder's clock is two minutes ahead: its responses are held until their time has come.
#[tokio::test(start_paused = true)]
async fn a_responder_that_is_ahead_is_waited_for() {
    let (net, clock) = jumping(4 * HOUR);
    net.set_offset(120);
    let leaf = net.leaf("www.example.org");
    let stapler = net.stapler().clock(clock.clone()).start().unwrap();
    let handle = add(&stapler, &leaf).await;
    assert_eq!(handle.current(), None);
    let version = handle.version();
    handle.changed(version).await;
    assert!((119..125).contains(&net.since()), "{}", net.since());
    for _ in 0..2 * 24 * 60 {
        assert_eq!(strict_client(&handle, &leaf, clock.now()), Some(true));
        tokio::time::sleep(seconds(60)).await;
    }
}

/// Of two responders one is ahead: its good answer waits for its time. What the other says meanwhile,
/// that the certificate is revoked, is not undone by that.
#[tokio::test(start_paused = true)]
async fn what_waits_for_its_time_does_not_undo_a_revocation() {
    let (net, _) = jumping(4 * HOUR);
    net.set_offset(120);
    let leaf = net.leaf("www.example.org");
    let stapler = net.stapler().start().unwrap();
    let handle = add(&stapler, &leaf).await;
    assert_eq!(handle.state(), StapleState::Missing, "its time is still to come");
    net.lab.revoke(&leaf, None);
    net.set_offset(0);
    assert!(stapler.refresh(&handle.certificate()));
    tokio::time::sleep(seconds(10)).await;
    assert_eq!(handle.state(), StapleState::Revoked);
    tokio::time::sleep(seconds(HOUR)).await;
    assert_eq!((handle.current(), handle.state()), (None, StapleState::Revoked));
}

/// A machine that starts at a wrong time of day, as one without a battery does, trusts nothing that is
/// stored. Once the clock is right it does, and need not wait for a responder.
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_put_right_finds_what_is_stored() {
    for off in [-365 * DAY as i64, 365 * DAY as i64] {
        let (net, clock) = jumping(4 * DAY);
        let leaf = net.leaf("www.example.org");
        let store = MemoryStore::new();
        let stapler = net.stapler().store(store.clone()).start().unwrap();
        assert!(add(&stapler, &leaf).await.current().is_some());
        stapler.shut_down().await;
        net.set_fault(Some(Fault::ConnectionReset));
        clock.off.store(off, Ordering::SeqCst);
        let stapler = net.stapler().clock(clock.clone()).store(store).start().unwrap();
        let handle = stapler.add(Target::from_chain(leaf.chain())).unwrap();
        tokio::time::sleep(seconds(HOUR)).await;
        assert_eq!(handle.current(), None);
        clock.off.store(0, Ordering::SeqCst);
        tokio::time::sleep(seconds(20)).await;
        assert_eq!(strict_client(&handle, &leaf, clock.now()), Some(true), "{off}");
    }
}
