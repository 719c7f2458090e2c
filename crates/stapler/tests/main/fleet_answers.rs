//! Members of a fleet that share a store, and answers that bring no new staple: one asks for all then too.

use certstatus_lab::{Fault, LeafRequest};
use certstatus_stapler::{StapleState, Target};

use crate::fleet::Fleet;
use crate::support::{DAY, HOUR, Net, seconds};

/// A responder that signs in advance gives the same answer until it has signed again: each time that one
/// member learns this, it has for all.
#[tokio::test(start_paused = true)]
async fn that_there_is_nothing_newer_is_learnt_once_for_all() {
    let net = Net::new(4 * DAY);
    net.sign_every(3 * DAY);
    let fleet = Fleet::start(net, true);
    tokio::time::sleep(seconds(70)).await;
    assert_eq!((fleet.stapling(), fleet.net.asked()), (5, 1));
    for _ in 0..11 * 24 {
        tokio::time::sleep(seconds(HOUR)).await;
        assert_eq!(fleet.stapling(), 5);
    }
    // One member alone asks from 3/8 of the life to 3/4, with pauses of an eighth to a quarter of what
    // is left: four to eight times.
    let asked = fleet.net.asked();
    assert!((3 * 4..=1 + 4 * 9).contains(&asked), "{asked} requests for four signatures");
}

/// Who has learnt that there is nothing newer sees to it that the others can have what there is: the lease
/// that keeps them from asking would keep them without.
#[tokio::test(start_paused = true)]
async fn who_has_learnt_that_there_is_nothing_newer_saves_what_there_is() {
    let net = Net::new(4 * DAY);
    net.sign_every(3 * DAY);
    let mut fleet = Fleet::start(net, true);
    tokio::time::sleep(seconds(DAY)).await;
    assert_eq!((fleet.stapling(), fleet.net.asked()), (5, 1));
    fleet.lose_what_is_saved();
    while fleet.net.asked() == 1 {
        tokio::time::sleep(seconds(60)).await;
    }
    tokio::time::sleep(seconds(1)).await;
    fleet.join(|stapler| stapler);
    tokio::time::sleep(seconds(5)).await;
    assert_eq!((fleet.stapling(), fleet.net.asked()), (6, 2));
}

/// The same where the responder does not know the certificate yet, and where its clock is ahead of all
/// members' by some minutes.
#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_stapled_yet_is_had_once_for_all() {
    let net = Net::new(4 * DAY);
    let fleet = Fleet::start(net, true);
    fleet.net.lab.forget(&fleet.leaf);
    tokio::time::sleep(seconds(1000)).await;
    let states =
        || fleet.members.iter().filter(|one| one.1.state() == StapleState::Unknown).count();
    assert!(states() > 0);
    // At 0, 30, 90, 210, 450 and 930 s, if it were one.
    let asked = fleet.net.asked();
    assert!((4..10).contains(&asked), "{asked} requests");
    fleet.net.lab.reinstate(&fleet.leaf);
    tokio::time::sleep(seconds(HOUR / 2)).await;
    assert_eq!(fleet.stapling(), 5);

    let net = Net::new(4 * HOUR);
    net.set_offset(200);
    let fleet = Fleet::start(net, true);
    tokio::time::sleep(seconds(190)).await;
    assert_eq!((fleet.stapling(), fleet.net.asked()), (0, 1));
    tokio::time::sleep(seconds(30)).await;
    assert_eq!((fleet.stapling(), fleet.net.asked()), (5, 1));
    for _ in 0..2 * 24 {
        tokio::time::sleep(seconds(HOUR / 2)).await;
        assert_eq!(fleet.stapling(), 5);
    }
    let asked = fleet.net.asked();
    assert!((12..=1 + 24 * 60 / 90).contains(&asked), "{asked} requests in a day");
}

/// A member that joins while the responder fails is told soon that there is nothing to be had now: a
/// server that waits for its staple before it opens its door must not wait for the end of the trouble.
#[tokio::test(start_paused = true)]
async fn being_ready_does_not_wait_for_the_lease_of_one_that_has_failed() {
    let net = Net::new(4 * DAY);
    net.set_fault(Some(Fault::Http500));
    let mut fleet = Fleet::start(net, true);
    tokio::time::sleep(seconds(3 * HOUR)).await;
    let begun = fleet.net.since();
    fleet.join(|stapler| stapler);
    let (_, last) = fleet.members.last().unwrap();
    last.ready().await;
    let waited = fleet.net.since() - begun;
    assert!(waited <= 70, "{waited} s");
    assert_eq!(last.state(), StapleState::Missing);
}

/// A member whose responder is out of its reach has what another one saves as soon as it is saved, also
/// while it waits for its turn to ask.
#[tokio::test(start_paused = true)]
async fn who_waits_for_a_responder_in_trouble_takes_over_what_another_has() {
    let net = Net::new(4 * DAY);
    let mut fleet = Fleet::start(net, true);
    tokio::time::sleep(seconds(70)).await;
    // Enough of its own certificates fail for the responder to count as being in trouble.
    fleet.join(|stapler| stapler.transport(crate::fleet::Astray));
    let (astray, _) = fleet.members.last().unwrap();
    let alone: Vec<_> = (0..4).map(|n| fleet.net.leaf(&format!("{n}.example"))).collect();
    for leaf in &alone {
        astray.add(Target::from_chain(leaf.chain())).unwrap();
    }
    tokio::time::sleep(seconds(300)).await;
    let late = fleet.net.lab.issue(LeafRequest::new("late.example")).unwrap();
    let waiting = astray.add(Target::from_chain(late.chain())).unwrap();
    tokio::time::sleep(seconds(1)).await;
    assert_eq!(waiting.state(), StapleState::Missing);
    let saver = &fleet.members[0].0;
    let saved = saver.add(Target::from_chain(late.chain())).unwrap();
    tokio::time::sleep(seconds(2)).await;
    assert_eq!((saved.state(), waiting.state()), (StapleState::Good, StapleState::Good));
}
