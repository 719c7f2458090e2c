//! Parts of the certificates: pages, filters and orders of `/api/v1/staples`.

use std::thread::sleep;
use std::time::Duration;

use certstatus_lab::{Fault, LeafRequest};
use serde_json::Value;

use super::process::{Agent, Place};

/// An agent with 23 certificates, of which one is revoked, one has no responder and one file has none.
fn many() -> (Place, Agent) {
    let place = Place::new();
    for number in 0..20 {
        let name = format!("host-{number:02}.example");
        place.issue(&format!("live/{number:02}.pem"), LeafRequest::new(name));
    }
    let revoked = place.issue("live/shop.pem", LeafRequest::new("shop.example"));
    place.lab.revoke(&revoked, None);
    place.issue("live/quiet.pem", LeafRequest::new("Quiet.example").no_aia());
    place.write("live/half.pem", "-----BEGIN CERTIFICATE-----\nMIIB");
    place.configure("[[certificate]]\npath = \"live/*.pem\"\noutput = \"out/{stem}.der\"\n");
    let agent = place.start();
    agent.is_ready();
    (place, agent)
}

#[track_caller]
fn ask(agent: &Agent, query: &str) -> Value {
    let (status, _, body) = agent.get(&format!("/api/v1/staples?{query}"));
    assert_eq!(status, 200, "{query}: {body}");
    serde_json::from_str(&body).unwrap()
}

fn names(answer: &Value) -> Vec<&str> {
    let staples = answer["staples"].as_array().unwrap();
    staples.iter().map(|one| one["name"].as_str().unwrap()).collect()
}

#[test]
fn a_walk_comes_by_every_certificate_once() {
    let (_place, agent) = many();
    let (mut met, mut after) = (Vec::new(), String::new());
    loop {
        let answer = ask(&agent, &format!("limit=7{after}"));
        assert_eq!((&answer["total"], &answer["matching"]), (&23.into(), &23.into()));
        assert!(answer["staples"].as_array().unwrap().len() <= 7);
        met.extend(names(&answer).iter().map(ToString::to_string));
        match answer["next"].as_str() {
            Some(next) => after = format!("&after={}", next.replace('/', "%2F")),
            None => break,
        }
        assert!(met.len() < 23, "{met:?}");
    }
    assert_eq!(met.len(), 23);
    let whole = ask(&agent, "");
    assert_eq!(met, names(&whole), "nothing is left out of a small answer");
    assert!(whole["next"].is_null());
    assert_eq!(whole["states"]["fresh"], 20);
    assert_eq!(whole["states"].as_object().unwrap().len(), 4, "{}", whole["states"]);
    assert!(whole["soonest"].is_string());
}

#[test]
fn certificates_are_found_by_state_and_by_words() {
    let (place, agent) = many();
    let found = |query: &str| {
        let answer = ask(&agent, query);
        assert_eq!(answer["total"], 23, "the whole is told of in any case");
        let names: Vec<String> = names(&answer).iter().map(ToString::to_string).collect();
        assert_eq!(answer["matching"], names.len());
        names
    };
    assert_eq!(found("state=revoked"), ["shop.example"]);
    assert_eq!(found("state=no_responder&q=quiet"), ["Quiet.example"]);
    assert_eq!(found("state=fresh&q=quiet"), [""; 0]);
    assert_eq!(found("q=HOST-07"), ["host-07.example"]);
    assert_eq!(found("q=HOST+13.example"), ["host-13.example"]);
    let serial = ask(&agent, "q=host-03")["staples"][0]["serial"].as_str().unwrap().to_owned();
    assert_eq!(found(&format!("q={serial}")), ["host-03.example"]);
    let responder = place.lab.responder_url().replace([':', '/'], "+");
    assert_eq!(found(&format!("q={responder}&limit=50")).len(), 21);
    assert_eq!(found("q=out+04.der"), ["host-04.example"]);
    assert_eq!(found("q=revoked+at"), ["shop.example"], "its note");
}

#[test]
fn certificates_are_sorted_and_passed_over() {
    let (_place, agent) = many();
    let part = |query: &str| {
        let answer = ask(&agent, query);
        assert!(answer["next"].is_null(), "a walk is by paths");
        names(&answer).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(part("sort=name&limit=2&offset=19"), ["host-18.example", "host-19.example"]);
    assert_eq!(part("sort=name&limit=2&offset=21"), ["Quiet.example", "shop.example"]);
    assert_eq!(part("sort=name&order=desc&limit=1"), ["shop.example"]);
    assert_eq!(part("sort=state&limit=3"), ["shop.example", "half.pem", "Quiet.example"]);
    assert_eq!(part("sort=left&limit=3").len(), 3);
    assert_eq!(part("sort=left&order=desc&limit=1&q=host").len(), 1);
    assert_eq!(part("order=desc&limit=1"), ["shop.example"], "the last path");
    assert_eq!(part("offset=100"), [""; 0]);
}

#[test]
fn what_is_not_understood_is_refused_in_a_sentence() {
    let (_place, agent) = many();
    for (query, said) in [
        ("limit=10001", "limit is 10000 at most"),
        ("limit=-1", "limit"),
        ("state=happy", "happy"),
        ("sort=colour", "colour"),
        ("colour=red", "colour"),
        ("after=/a&sort=name", "after goes with the order of paths"),
    ] {
        let (status, _, body) = agent.get(&format!("/api/v1/staples?{query}"));
        assert_eq!(status, 400, "{query}: {body}");
        assert!(body.contains(said), "{query}: {body}");
    }
}

/// A responder that fails is asked about one certificate at a time. Of the others nobody says that a
/// staple of theirs has ended.
#[test]
fn who_has_not_had_a_turn_is_told_from_who_has_failed() {
    let place = Place::new();
    place.lab.set_fault(Some(Fault::ConnectionReset));
    for number in 0..40 {
        let name = format!("host-{number:02}.example");
        place.issue(&format!("live/{number:02}.pem"), LeafRequest::new(name));
    }
    place.configure("[[certificate]]\npath = \"live/*.pem\"\n");
    let agent = place.start();
    let turn = "No staple yet: it waits for its turn with the responder.";
    let mut seen = Vec::new();
    for _ in 0..200 {
        let answer = ask(&agent, "state=missing");
        let staples = answer["staples"].as_array().unwrap();
        for one in staples {
            assert_eq!(one["error"].is_null(), one["note"] == turn, "{one}");
        }
        seen.push((staples.len(), staples.iter().filter(|one| one["note"] == turn).count()));
        if seen.last().is_some_and(|(missing, waiting)| (1..*missing).contains(waiting)) {
            return;
        }
        sleep(Duration::from_millis(50));
    }
    panic!("missing, and waiting for their turn: {seen:?}");
}
