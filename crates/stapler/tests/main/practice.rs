//! What CAs and responders do in practice that is no fault of theirs, and on which servers stumble:
//! certificates that live shorter than responses about them, responders that are not ready yet,
//! certificates that are renewed, addresses that nobody can ask.

use certstatus::time::unix;
use certstatus_lab::{Fault, LeafRequest};
use certstatus_stapler::{Severity, StapleState, Target};

use crate::support::{DAY, Diary, HOUR, NOW, Net, add, seconds, strict_client};

/// A certificate of six hours under a CA whose responses live for days: stapled to its last second,
/// with one request, and then there is nothing to tell.
#[tokio::test(start_paused = true)]
async fn a_response_that_outlives_its_certificate_is_normal() {
    let (net, diary) = (Net::new(7 * DAY), Diary::default());
    let leaf = net.lab.issue(short_lived(6 * HOUR)).unwrap();
    let stapler = net.stapler().on_event(diary.observer()).start().unwrap();
    let handle = add(&stapler, &leaf).await;
    while net.since() < 6 * HOUR {
        assert_eq!(strict_client(&handle, &leaf, net.now()), Some(true));
        assert!(!handle.snapshot().at_risk);
        tokio::time::sleep(seconds(60)).await;
    }
    tokio::time::sleep(seconds(30 * DAY)).await;
    assert_eq!(handle.state(), StapleState::CertificateExpired);
    assert_eq!((handle.snapshot().next_attempt, handle.snapshot().at_risk), (None, false));
    assert_eq!((net.asked(), diary.names()), (1, vec!["stapled"]));
}

/// The other way round: responses of minutes are refreshed as long as the certificate lives, and not
/// longer, whatever the responder says then.
#[tokio::test(start_paused = true)]
async fn a_certificate_that_has_expired_is_not_asked_about() {
    let (net, diary) = (Net::new(HOUR / 2), Diary::default());
    let leaf = net.lab.issue(short_lived(6 * HOUR)).unwrap();
    let stapler = net.stapler().on_event(diary.observer()).start().unwrap();
    let handle = add(&stapler, &leaf).await;
    while net.since() < 6 * HOUR {
        assert_eq!(strict_client(&handle, &leaf, net.now()), Some(true));
        tokio::time::sleep(seconds(60)).await;
    }
    // What was asked in the last second is answered.
    tokio::time::sleep(seconds(2)).await;
    let asked = net.asked();
    assert!(asked >= 24, "{asked}");
    net.set_fault(Some(Fault::Unauthorized));
    tokio::time::sleep(seconds(30 * DAY)).await;
    assert_eq!(net.asked(), asked);
    assert_eq!(handle.state(), StapleState::CertificateExpired);
    assert!(diary.events().iter().all(|event| event.severity() == Severity::Info));
}

fn short_lived(life: u64) -> LeafRequest {
    let request = LeafRequest::new("www.example.org").must_staple();
    request.validity(unix(NOW - 60), unix(NOW + life))
}

/// A responder that signs in advance knows a new certificate some minutes after its issuance, and says
/// `unauthorized` until then (RFC 5019, 2.2.3). That is over when it is over, and costs a handful of
/// requests.
#[tokio::test(start_paused = true)]
async fn unauthorized_right_after_issuance_recovers_by_itself() {
    let (net, diary) = (Net::new(4 * DAY), Diary::default());
    let leaf = net.leaf("www.example.org");
    net.set_fault(Some(Fault::Unauthorized));
    let stapler = net.stapler().on_event(diary.observer()).start().unwrap();
    let handle = add(&stapler, &leaf).await;
    assert_eq!((handle.current(), handle.state()), (None, StapleState::Missing));
    let said = handle.snapshot().error.unwrap();
    assert!(said.contains("unauthorized"), "{said}");
    // Three attempts have failed by then, whatever the jitter, and the fourth is still to come.
    tokio::time::sleep(seconds(150)).await;
    net.set_fault(None);
    tokio::time::sleep(seconds(120)).await;
    assert_eq!(strict_client(&handle, &leaf, net.now()), Some(true));
    // Three times by GET and by POST, and once by GET.
    assert_eq!(net.asked(), 7);
    assert_eq!((handle.snapshot().failures, handle.snapshot().error), (0, None));
    let severe = diary.events().into_iter().filter(|event| event.severity() == Severity::Alert);
    assert_eq!(severe.count(), 0, "{:?}", diary.names());
}

/// A renewed certificate has another serial number, and so another `CertID`: each of the two has a
/// staple of its own while both are served, and none has that of the other.
#[tokio::test(start_paused = true)]
async fn a_renewed_certificate_gets_a_staple_of_its_own() {
    let net = Net::new(4 * DAY);
    let (old, new) = (net.leaf("www.example.org"), net.leaf("www.example.org"));
    let stapler = net.stapler().start().unwrap();
    let of_old = add(&stapler, &old).await;
    net.set_fault(Some(Fault::Http500));
    let of_new = add(&stapler, &new).await;
    assert_eq!((of_new.current(), of_new.state()), (None, StapleState::Missing));
    assert_eq!(strict_client(&of_old, &old, net.now()), Some(true));
    net.set_fault(None);
    tokio::time::sleep(seconds(60)).await;
    assert_eq!(strict_client(&of_new, &new, net.now()), Some(true));
    assert_eq!(strict_client(&of_new, &old, net.now()), Some(false), "it is not about the other");
    assert!(stapler.remove(&of_old.certificate()));
    assert_eq!(strict_client(&of_new, &new, net.now()), Some(true));
}

/// Some CAs name a directory beside the responder, or only that. Nobody can ask it by HTTP: it is
/// passed over, and where there is nothing else the certificate has no responder, quietly; loudly
/// where it must be stapled to. Who gives another address in its place is asked.
#[tokio::test(start_paused = true)]
async fn an_address_that_is_none_of_http_is_no_responder() {
    const DIRECTORY: &str = "ldap://directory.example/cn=ocsp";
    let (net, diary) = (Net::new(4 * DAY), Diary::default());
    let issue = |urls: &[&str]| {
        let urls = urls.iter().map(ToString::to_string);
        LeafRequest::new("www.example.org").responder_urls(urls)
    };
    let stapler = net.stapler().on_event(diary.observer()).start().unwrap();
    let beside = net.lab.issue(issue(&[DIRECTORY, " HTTP://ocsp.example/\n"])).unwrap();
    let handle = add(&stapler, &beside).await;
    assert_eq!(handle.state(), StapleState::Good);
    assert_eq!(handle.snapshot().responders, [Box::<str>::from("HTTP://ocsp.example/")]);
    let only = net.lab.issue(issue(&[DIRECTORY])).unwrap();
    let handle = add(&stapler, &only).await;
    tokio::time::sleep(seconds(DAY)).await;
    assert_eq!(handle.state(), StapleState::NoResponder);
    assert_eq!((net.asked(), diary.names()), (1, vec!["stapled"]));
    let loud = net.lab.issue(issue(&[DIRECTORY]).must_staple()).unwrap();
    add(&stapler, &loud).await;
    assert_eq!(diary.names(), ["stapled", "no responder"]);
    assert_eq!(diary.events()[1].severity(), Severity::Alert);

    let mapped = net.stapler().map_responder(DIRECTORY, "http://ocsp.example/").start().unwrap();
    assert_eq!(add(&mapped, &only).await.state(), StapleState::Good);
    // An address that is given by hand is a mistake that somebody should see.
    let given = Target::from_chain(only.chain()).responders([DIRECTORY]);
    let handle = net.stapler().start().unwrap().add(given).unwrap();
    assert_eq!(&*handle.snapshot().responders[0], DIRECTORY);
}

/// What fails most in practice: the CA signs no more, and its responder gives the last answer on and on.
/// No attempt fails then, and yet the staple runs out: that is told while there is time to act.
#[tokio::test(start_paused = true)]
async fn a_responder_that_has_nothing_newer_is_told_of_before_the_staple_ends() {
    let (net, diary) = (Net::new(4 * DAY), Diary::default());
    net.sign_every(30 * DAY);
    let request = LeafRequest::new("www.example.org").must_staple();
    let leaf = net.lab.issue(request).unwrap();
    let stapler = net.stapler().on_event(diary.observer()).start().unwrap();
    let handle = add(&stapler, &leaf).await;
    tokio::time::sleep(seconds(3 * DAY - HOUR)).await;
    assert_eq!((handle.snapshot().failures, diary.names()), (0, vec!["stapled"]));
    assert!(net.asked() > 2, "it was asked for something newer");
    tokio::time::sleep(seconds(12 * HOUR)).await;
    assert_eq!(strict_client(&handle, &leaf, net.now()), Some(true));
    assert_eq!(diary.names(), ["stapled", "running out"]);
    assert_eq!(diary.events()[1].severity(), Severity::Alert);
    tokio::time::sleep(seconds(DAY)).await;
    assert_eq!(diary.names()[2], "expired");
}
