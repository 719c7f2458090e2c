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
    let (code, json) = run_json(place.agent(&["--check-config"]));
    assert_eq!(code, 0, "{json}");
    let one = &json["certificates"][0];
    assert_eq!(one["path"], place.text("live/a/chain.pem"));
    assert_eq!(one["outputs"][0], place.text("out/a.der"));
    assert_eq!(json["store"], place.text("store"));
    assert!(!place.path("out").exists() && !place.path("store").exists(), "nothing is done");
    assert_eq!(place.lab.requests(), 0);
    let shown = run(place.agent(&["--check-config"]));
    assert!(shown.stdout.contains("The configuration is right, and means 1 certificate."));

    place.write("live/b/chain.pem", "not a certificate");
    let (code, json) = run_json(place.agent(&["--check-config"]));
    assert_eq!((code, &json["verdict"]["outcome"]), (1, &"failed".into()), "{json}");
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
