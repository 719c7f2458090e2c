//! Days of a staple's life in seconds: the fault catalogue, outages, revocation, clocks.

use certstatus_lab::{Effect, Fault};
use certstatus_stapler::{EventKind, Severity, StapleState};

use crate::support::{DAY, Diary, HOUR, NOW, Net, Strict, add, seconds, strict_client};

/// Whatever the responder does for days, nothing is stapled that a strict client would refuse, and
/// while it does so for less than half a life, there is always a staple.
#[tokio::test(start_paused = true)]
async fn no_fault_ever_reaches_a_strict_client_or_a_gap() {
    let life = HOUR;
    for fault in Fault::ALL {
        let net = Net::new(life);
        let leaf = net.leaf("www.example.org");
        let stapler = net.stapler().start().unwrap();
        let handle = add(&stapler, &leaf).await;
        // The worst moment there is for an outage: just before the refresh.
        let refresh = handle.snapshot().next_attempt.unwrap();
        while net.now().as_secs() + 1 < refresh.as_secs() {
            tokio::time::sleep(seconds(1)).await;
        }
        net.set_fault(Some(fault));
        let begun = net.since();
        let mut strict = Strict::default();
        while net.since() < begun + life / 2 - 1 {
            let stapled = strict.sees(&handle, &leaf, net.now());
            match fault.effect() {
                // The certificate is revoked: from then on nothing is stapled.
                Effect::Revoked => assert_ne!(stapled, Some(false), "{fault}"),
                _ => assert_eq!(stapled, Some(true), "{fault} after {} s", net.since() - begun),
            }
            tokio::time::sleep(seconds(7)).await;
        }
        net.set_fault(None);
        while net.since() < begun + 3 * life {
            let stapled = strict.sees(&handle, &leaf, net.now());
            let gap = fault.effect() == Effect::Revoked;
            assert!(stapled == Some(true) || gap && stapled.is_none(), "{fault}: {stapled:?}");
            tokio::time::sleep(seconds(31)).await;
        }
        assert_eq!(strict_client(&handle, &leaf, net.now()), Some(true), "{fault}: recovered");
    }
}

/// A responder that fails from the beginning and for six lives: never anything wrong, and a staple soon
/// after it recovers.
#[tokio::test(start_paused = true)]
async fn a_responder_that_fails_from_the_beginning() {
    for fault in Fault::ALL {
        let net = Net::new(HOUR);
        let leaf = net.leaf("www.example.org");
        let stapler = net.stapler().start().unwrap();
        net.set_fault(Some(fault));
        let handle = add(&stapler, &leaf).await;
        let mut strict = Strict::default();
        while net.since() < DAY / 4 {
            assert_ne!(strict.sees(&handle, &leaf, net.now()), Some(false), "{fault}");
            tokio::time::sleep(seconds(HOUR / 20)).await;
        }
        let trusted = fault.effect() == Effect::Trusted;
        // No nonce was sent, so that none is missed.
        let nonce = matches!(fault, Fault::NonceMissing | Fault::NonceMismatch);
        assert_eq!(handle.current().is_some(), trusted || nonce, "{fault}");
        net.set_fault(None);
        tokio::time::sleep(seconds(2 * HOUR)).await;
        assert_eq!(strict_client(&handle, &leaf, net.now()), Some(true), "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn responses_of_minutes_are_stapled_without_a_gap() {
    for life in [30, 60, 300, 600] {
        let net = Net::new(life);
        let leaf = net.leaf("www.example.org");
        let stapler = net.stapler().start().unwrap();
        let handle = add(&stapler, &leaf).await;
        let mut strict = Strict::default();
        while net.since() < 20 * life {
            assert_eq!(strict.sees(&handle, &leaf, net.now()), Some(true), "{life}");
            tokio::time::sleep(seconds(1)).await;
        }
        let asked = net.asked();
        assert!((40..60).contains(&asked), "{life}: {asked} times in 20 lives");
    }
}

#[tokio::test(start_paused = true)]
async fn a_revoked_certificate_is_told_of_and_stapled_no_more() {
    let (net, diary) = (Net::new(4 * HOUR), Diary::default());
    let leaf = net.leaf("www.example.org");
    let stapler = net.stapler().on_event(diary.observer()).start().unwrap();
    let handle = add(&stapler, &leaf).await;
    let version = handle.version();
    net.lab.revoke(&leaf, None);
    assert!(handle.changed(version).await > version);
    assert!(net.since() < 2 * HOUR, "at the refresh");
    assert_eq!((handle.current(), handle.state()), (None, StapleState::Revoked));
    assert_eq!(diary.names(), ["stapled", "revoked"]);
    assert_eq!(diary.events()[1].severity(), Severity::Alert);
    // A hold that is lifted.
    net.lab.reinstate(&leaf);
    handle.changed(handle.version()).await;
    assert_eq!(handle.state(), StapleState::Good);
}

/// A revocation is seen within a day although `nextUpdate` is ten years away.
#[tokio::test(start_paused = true)]
async fn revocation_is_seen_although_next_update_is_far() {
    let net = Net::new(3650 * DAY);
    let leaf = net.leaf("www.example.org");
    let stapler = net.stapler().refresh_max(seconds(DAY)).start().unwrap();
    let handle = add(&stapler, &leaf).await;
    assert_eq!(handle.state(), StapleState::Good);
    net.lab.revoke(&leaf, None);
    tokio::time::sleep(seconds(DAY + HOUR)).await;
    assert_eq!(handle.state(), StapleState::Revoked);
    assert_eq!(net.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn revoked_is_stapled_when_told() {
    let net = Net::new(4 * HOUR);
    let leaf = net.leaf("www.example.org");
    net.lab.revoke(&leaf, None);
    let stapler = net.stapler().staple_any_status().start().unwrap();
    let handle = add(&stapler, &leaf).await;
    assert!(handle.current().is_some());
    assert_eq!(handle.state(), StapleState::Revoked);
}

/// Right after issuance the responder may not know the certificate.
#[tokio::test(start_paused = true)]
async fn unknown_is_told_of_and_recovers() {
    let (net, diary) = (Net::new(4 * HOUR), Diary::default());
    let leaf = net.leaf("www.example.org");
    net.lab.forget(&leaf);
    let stapler = net.stapler().on_event(diary.observer()).start().unwrap();
    let handle = add(&stapler, &leaf).await;
    assert_eq!((handle.current(), handle.state()), (None, StapleState::Unknown));
    assert!(handle.snapshot().at_risk);
    tokio::time::sleep(seconds(10)).await;
    net.lab.reinstate(&leaf);
    tokio::time::sleep(seconds(60)).await;
    assert_eq!(handle.state(), StapleState::Good);
    // And a good staple is kept while the responder has forgotten the certificate.
    net.lab.forget(&leaf);
    tokio::time::sleep(seconds(3 * HOUR)).await;
    assert_eq!(handle.state(), StapleState::Good);
    assert!(diary.names().iter().filter(|name| **name == "unknown").count() > 3);
    tokio::time::sleep(seconds(2 * HOUR)).await;
    assert_eq!((handle.current(), handle.state()), (None, StapleState::Unknown));
}

#[tokio::test(start_paused = true)]
async fn a_staple_that_runs_out_is_told_of_louder_where_it_must_be_there() {
    for must_staple in [false, true] {
        let (net, diary) = (Net::new(4 * HOUR), Diary::default());
        let request = certstatus_lab::LeafRequest::new("www.example.org");
        let request = if must_staple { request.must_staple() } else { request };
        let leaf = net.lab.issue(request).unwrap();
        let stapler = net.stapler().on_event(diary.observer()).start().unwrap();
        let handle = add(&stapler, &leaf).await;
        net.set_fault(Some(Fault::Http500));
        tokio::time::sleep(seconds(3 * HOUR + HOUR / 2)).await;
        assert!(handle.snapshot().at_risk && handle.current().is_some());
        tokio::time::sleep(seconds(HOUR)).await;
        let loud: Vec<_> = diary
            .events()
            .into_iter()
            .filter(|e| matches!(e.kind, EventKind::RunningOut { .. } | EventKind::Expired { .. }))
            .collect();
        let names: Vec<_> = loud.iter().map(|event| event.name()).collect();
        assert_eq!(names, ["running out", "expired"]);
        let severity = if must_staple { Severity::Alert } else { Severity::Warning };
        assert!(loud.iter().all(|event| event.severity() == severity), "{loud:?}");
    }
}

/// What observes is not what staples: its defect costs no staple.
#[tokio::test(start_paused = true)]
async fn an_observer_that_panics_costs_nothing() {
    let net = Net::new(HOUR);
    let leaf = net.leaf("www.example.org");
    let observer = |event: &certstatus_stapler::Event| {
        assert_eq!(event.name(), "", "a defect of the observer, as it is meant to be");
    };
    let stapler = net.stapler().on_event(observer).start().unwrap();
    net.set_fault(Some(Fault::Http500));
    let handle = add(&stapler, &leaf).await;
    net.set_fault(None);
    tokio::time::sleep(seconds(60)).await;
    for _ in 0..4 * 60 {
        assert_eq!(strict_client(&handle, &leaf, net.now()), Some(true));
        tokio::time::sleep(seconds(60)).await;
    }
}

/// Trouble that outlives the staple by some minutes: near its end the responder was asked ever more often,
/// and it is not left alone for an hour from then on. The pauses double again as after a first failure.
#[tokio::test(start_paused = true)]
async fn when_a_staple_has_ended_the_pauses_begin_anew() {
    // A responder that answers, and one that does not.
    for fault in [Fault::TryLater, Fault::Http500] {
        after_the_end(fault).await;
    }
}

async fn after_the_end(fault: Fault) {
    let net = Net::new(4 * DAY);
    let leaf = net.leaf("www.example.org");
    let stapler = net.stapler().start().unwrap();
    let handle = add(&stapler, &leaf).await;
    net.set_fault(Some(fault));
    let expires = handle.current().unwrap().expires();
    tokio::time::sleep(seconds(expires.as_secs() - net.now().as_secs() + 400)).await;
    assert_eq!((handle.current(), handle.state()), (None, StapleState::Missing));
    let end = expires.as_secs() - NOW;
    let mut after: Vec<u64> = net.times().into_iter().filter(|at| *at >= end).collect();
    // Each question is asked by GET and by POST.
    after.dedup();
    assert!((3..8).contains(&after.len()), "{after:?} after {end}");
    assert!(handle.snapshot().failures > 20, "all of them are counted");
    net.set_fault(None);
    // The fifth pause is the longest that may have begun by then: ten minutes with its jitter.
    tokio::time::sleep(seconds(610)).await;
    assert_eq!(strict_client(&handle, &leaf, net.now()), Some(true));
    // A long absence of any staple is no reason to ask for ever as often as that.
    net.set_fault(Some(fault));
    tokio::time::sleep(seconds(8 * DAY)).await;
    let before = net.asked();
    tokio::time::sleep(seconds(DAY)).await;
    assert!(net.asked() - before <= 2 * 33, "{} requests in a day", net.asked() - before);
}
