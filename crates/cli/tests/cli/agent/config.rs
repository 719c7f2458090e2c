//! `--sample`, `--check-config`, and a configuration that is wrong.

use certstatus_lab::LeafRequest;

use super::process::Place;
use crate::support::{certstatus, run, run_json};

#[test]
fn the_sample_is_printed_as_it_is() {
    let ended = run(certstatus(&["agent", "--sample"]));
    assert_eq!(ended.code, 0);
    assert_eq!(ended.stdout, include_str!("../../../../../packaging/agent.toml"));
}

#[test]
fn a_configuration_is_checked_and_said_what_it_means() {
    let place = Place::new();
    place.issue("live/a/chain.pem", LeafRequest::new("a.example"));
    place.configure("[[certificate]]\npath = \"live/*/chain.pem\"\noutput = \"out/{dir}.der\"");
    let responder = serde_json::Value::from(place.lab.responder_url());
    let (code, json) = run_json(place.agent(&["--check-config"]));
    assert_eq!(code, 0, "{json}");
    let one = &json["certificates"][0];
    assert_eq!(one["path"], place.text("live/a/chain.pem"));
    assert_eq!(one["outputs"][0], place.text("out/a.der"));
    assert_eq!(json["store"], place.text("store"));
    assert!(!place.path("out").exists() && !place.path("store").exists(), "nothing is done");
    assert_eq!(place.lab.requests(), 0);
    assert_eq!((&one["must_staple"], &one["responders"][0]), (&false.into(), &responder), "{json}");
    let shown = run(place.agent(&["--check-config"]));
    assert!(shown.stdout.contains("The configuration is right, and means 1 certificate."));

    place.write("live/b/chain.pem", "not a certificate");
    let (code, json) = run_json(place.agent(&["--check-config"]));
    assert_eq!((code, &json["verdict"]["outcome"]), (1, &"failed".into()), "{json}");
}

/// A certificate that must be stapled to, and names nobody who could be asked, is told of before it
/// is too late.
#[test]
fn who_must_staple_and_who_is_asked_is_said() {
    let place = Place::new();
    place.issue("must.pem", LeafRequest::new("a.example").must_staple().no_aia());
    let rule = "[[certificate]]\npath = \"must.pem\"\noutput = \"a.der\"\n";
    place.configure(rule);
    let shown = run(place.agent(&["--check-config"])).stdout;
    for words in ["must staple   yes (RFC 7633)", "responder     none", "Name a responder for "] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    place.configure(&format!("{rule}responder = \"http://ocsp.example/\"\n"));
    let shown = run(place.agent(&["--check-config"])).stdout;
    assert!(shown.contains("responder     http://ocsp.example/"), "{shown}");
    assert!(!shown.contains("Name a responder"), "{shown}");

    place.issue("must.pem", LeafRequest::new("a.example").responder_urls(["http://old.example/"]));
    place.configure(&format!(
        "{rule}[fetch.responders]\n\"http://old.example/\" = \"http://new.example/\"\n"
    ));
    let (_, json) = run_json(place.agent(&["--check-config"]));
    assert_eq!(json["certificates"][0]["responders"], serde_json::json!(["http://new.example/"]));
}

#[test]
fn what_is_wrong_is_shown_with_its_line() {
    let place = Place::new();
    place.write("agent.toml", "[[certificate]]\npath = \"a.pem\"\nouptut = \"a.der\"\n");
    for args in [&["--check-config"] as &[&str], &["--once"], &[]] {
        let (code, json) = run_json(place.agent(args));
        assert_eq!(
            (code, &json["error"]["line"], &json["error"]["column"]),
            (2, &3.into(), &1.into())
        );
    }
    let ended = run(place.agent(&[]));
    assert!(ended.stderr.contains("unknown key `ouptut`"), "{}", ended.stderr);
    assert!(ended.stderr.contains("3 │ ouptut = \"a.der\"\n    ╵ ^^^^^^\n"), "{}", ended.stderr);
    assert!(ended.stderr.contains("Check the spelling"), "{}", ended.stderr);
}

#[test]
fn a_configuration_that_is_not_there_is_a_failure() {
    let (code, json) = run_json(Place::new().agent(&[]));
    assert_eq!((code, &json["error"]["stage"]), (1, &"file".into()), "{json}");
}
