//! The responder over real HTTP: GET and POST, header fields, and the faults of the transport.

use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

use certstatus::message::{CertStatus, HashAlgorithm};
use certstatus::{Nonce, rfc5019};
use certstatus_lab::{Fault, Lab, Leaf, RequestMethod};

use crate::support::{Reply, exchange, get, post, status, verify};

fn lab() -> (Lab, Leaf, Vec<u8>) {
    let lab = Lab::builder().hold(Duration::from_millis(350)).start().unwrap();
    let leaf = lab.leaf("localhost").unwrap();
    let request = lab.request(&leaf, HashAlgorithm::Sha1).unwrap().to_der();
    (lab, leaf, request)
}

#[test]
fn get_and_post_are_answered_and_logged() {
    let (lab, leaf, request) = lab();
    let url = rfc5019::get_url(lab.responder_url(), &request).unwrap();
    for reply in [get(&url).unwrap(), post(lab.responder_url(), &request).unwrap()] {
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-type"), Some(rfc5019::RESPONSE_MEDIA_TYPE));
        assert_eq!(status(&lab, &leaf, &reply.body), CertStatus::Good);
    }
    assert_eq!(lab.requests(), 2);
    let log = lab.request_log();
    assert_eq!(
        log.iter().map(|r| r.method).collect::<Vec<_>>(),
        [RequestMethod::Get, RequestMethod::Post]
    );
    assert!(log[0].path.starts_with("/ocsp/M"), "{:?}", log[0]);
    assert_eq!(log[1].path, "/ocsp");
    assert!(log.iter().all(|record| !record.nonce));
}

#[test]
fn an_answer_may_be_cached_unless_it_has_a_nonce() {
    let (lab, leaf, request) = lab();
    let reply = post(lab.responder_url(), &request).unwrap();
    let expected = "max-age=345600, public, no-transform, must-revalidate";
    assert_eq!(reply.header("cache-control"), Some(expected));
    assert!(reply.header("etag").unwrap().starts_with('"'));
    let date = |name| httpdate::parse_http_date(reply.header(name).unwrap()).unwrap();
    let held = date("expires").duration_since(date("last-modified")).unwrap();
    assert_eq!(held, Duration::from_secs(345_600));

    let request = lab.request(&leaf, HashAlgorithm::Sha1).unwrap().with_nonce(&[9; 32]);
    let reply = post(lab.responder_url(), &request.to_der()).unwrap();
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("etag"), None);
    verify(&lab, &leaf, &reply.body, Nonce::Required(&[9; 32])).unwrap();
    assert!(lab.request_log().last().unwrap().nonce);
}

#[test]
fn what_is_no_request_is_answered_with_an_error() {
    let (lab, ..) = lab();
    let malformed = [0x30, 3, 0x0a, 1, 1];
    assert_eq!(post(lab.responder_url(), b"nonsense").unwrap().body, malformed);
    assert_eq!(get(&format!("{}/%%%", lab.responder_url())).unwrap().body, malformed);
    assert_eq!(post(lab.responder_url(), &[0; 70_000]).unwrap().body, malformed);
    assert_eq!(get(&lab.responder_url().replace("/ocsp", "/other")).unwrap().status, 404);
}

#[test]
fn issuer_and_revocation_list_are_served() {
    let (lab, leaf, _) = lab();
    lab.revoke(&leaf, None);
    let issuer = get(&lab.responder_url().replace("/ocsp", "/ca.der")).unwrap();
    assert_eq!(issuer.body, lab.intermediate().as_ref());
    let crl = get(&lab.responder_url().replace("/ocsp", "/ca.crl")).unwrap();
    assert_eq!(crl.header("content-type"), Some("application/pkix-crl"));
    let listed = crl.body.windows(leaf.serial().len()).any(|window| window == leaf.serial());
    assert!(listed, "the serial is in the list");
}

#[test]
fn message_faults_come_over_http_until_they_are_taken_back() {
    let (lab, leaf, request) = lab();
    lab.set_fault(Some(Fault::TryLater));
    assert_eq!(post(lab.responder_url(), &request).unwrap().body, [0x30, 3, 0x0a, 1, 3]);
    lab.set_fault(Some(Fault::Expired));
    let reply = post(lab.responder_url(), &request).unwrap();
    assert_eq!(reply.header("cache-control").map(|v| v.starts_with("max-age=0,")), Some(true));
    verify(&lab, &leaf, &reply.body, Nonce::NotSent).unwrap_err();
    lab.set_fault(None);
    let reply = post(lab.responder_url(), &request).unwrap();
    assert_eq!(status(&lab, &leaf, &reply.body), CertStatus::Good);
}

#[test]
fn http_faults_are_what_they_are_named() {
    let (lab, _, request) = lab();
    let with = |fault| -> Reply {
        lab.set_fault(Some(fault));
        post(lab.responder_url(), &request).unwrap()
    };
    assert_eq!(with(Fault::Http500).status, 500);
    for (fault, status) in [(Fault::Http503Html, 503), (Fault::Http200Html, 200)] {
        let reply = with(fault);
        assert_eq!(reply.status, status);
        assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(reply.body.starts_with(b"<!DOCTYPE html>"));
    }
    let mut reply = with(Fault::RedirectLoop);
    for _ in 0..5 {
        assert_eq!(reply.status, 302);
        reply = get(reply.header("location").unwrap()).unwrap();
    }
}

#[test]
fn a_reset_is_a_reset() {
    let (lab, _, request) = lab();
    lab.set_fault(Some(Fault::ConnectionReset));
    let error = post(lab.responder_url(), &request).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_timeout_answers_nothing_and_ends() {
    let (lab, _, request) = lab();
    lab.set_fault(Some(Fault::Timeout));
    let begun = Instant::now();
    let mut received = Vec::new();
    exchange(lab.responder_url(), "POST", &request).unwrap().read_to_end(&mut received).unwrap();
    assert!(received.is_empty());
    assert!(begun.elapsed() >= Duration::from_millis(350), "{:?}", begun.elapsed());
}

#[test]
fn a_slow_drip_comes_byte_by_byte_and_breaks() {
    let (lab, _, request) = lab();
    lab.set_fault(Some(Fault::SlowDrip));
    let mut received = Vec::new();
    let mut stream = exchange(lab.responder_url(), "POST", &request).unwrap();
    stream.read_to_end(&mut received).unwrap();
    let reply = Reply::parse(&received);
    let length: usize = reply.header("content-length").unwrap().parse().unwrap();
    assert!(length > 200, "{length} bytes are announced");
    assert!((1..10).contains(&reply.body.len()), "{} bytes came", reply.body.len());
}

#[test]
fn the_responder_ends_with_the_last_clone_of_the_lab_whatever_it_is_doing() {
    for fault in [Fault::Timeout, Fault::SlowDrip] {
        let lab = Lab::builder().hold(Duration::from_secs(600)).start().unwrap();
        let leaf = lab.leaf("localhost").unwrap();
        let request = lab.request(&leaf, HashAlgorithm::Sha1).unwrap().to_der();
        lab.set_fault(Some(fault));
        let url = lab.responder_url().to_owned();
        let clone = lab.clone();
        drop(lab);
        let mut stream = exchange(&url, "POST", &request).unwrap();
        let begun = Instant::now();
        while clone.requests() == 0 && begun.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(clone);
        // A reset is an end as well.
        let _ = stream.read_to_end(&mut Vec::new());
        assert!(begun.elapsed() < Duration::from_secs(5), "{fault}: {:?}", begun.elapsed());
    }
}
