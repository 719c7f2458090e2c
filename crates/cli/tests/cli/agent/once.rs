//! `--once`: what is due is done, what is not is not, and the exit code tells the worst.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use certstatus_lab::{Fault, LeafRequest};

use super::process::Place;
use crate::support::{run, run_json};

const ONE: &str = "[[certificate]]\npath = \"chain.pem\"\noutput = \"staple.der\"\n";

#[test]
fn a_staple_is_written_and_not_fetched_again_before_it_is_due() {
    let place = Place::new();
    let leaf = place.issue("chain.pem", LeafRequest::new("a.example"));
    place.configure(ONE);
    let (code, json) = run_json(place.agent(&["--once"]));
    assert_eq!((code, &json["verdict"]["outcome"]), (0, &"good".into()), "{json}");
    assert_eq!(json["verdict"]["summary"], "1 certificate: 1 fresh.");
    assert!(place.staple("staple.der", &leaf).is_some());
    assert_eq!(json["staples"][0]["outputs"][0]["target"], place.text("staple.der"));
    assert_eq!(place.lab.requests(), 1);

    std::fs::remove_file(place.path("staple.der")).unwrap();
    let ended = run(place.agent(&["--once"]));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(place.staple("staple.der", &leaf).is_some(), "from the store");
    assert_eq!(place.lab.requests(), 1, "nobody is asked again");
    let line = ended.stdout.lines().find(|line| line.contains("chain.pem")).unwrap();
    assert!(line.starts_with("✔ GOOD") && line.contains("fresh"), "{line}");
}

#[test]
fn the_exit_code_is_that_of_the_worst() {
    let place = Place::new();
    let revoked = place.issue("live/revoked.pem", LeafRequest::new("revoked.example"));
    let unknown = place.issue("live/unknown.pem", LeafRequest::new("unknown.example"));
    place.issue("live/good.pem", LeafRequest::new("good.example"));
    place.issue("live/quiet.pem", LeafRequest::new("quiet.example").no_aia());
    place.write("live/half.pem", "-----BEGIN CERTIFICATE-----\nMIIB");
    place.lab.revoke(&revoked, None);
    place.lab.forget(&unknown);
    place.configure("[[certificate]]\npath = \"live/*.pem\"\noutput = \"out/{stem}.der\"\n");
    let state = |json: &serde_json::Value, name: &str| {
        let all = json["staples"].as_array().unwrap();
        let one = all.iter().find(|one| one["certificate"].as_str().unwrap().contains(name));
        one.unwrap()["state"].as_str().unwrap().to_owned()
    };
    let (code, json) = run_json(place.agent(&["--once"]));
    assert_eq!(code, 3, "{json}");
    let states = ["revoked", "unknown", "good", "quiet", "half"].map(|name| state(&json, name));
    assert_eq!(states, ["revoked", "unknown", "fresh", "no_responder", "unreadable"]);
    assert!(!place.path("out/revoked.der").exists() && !place.path("out/unknown.der").exists());
    assert!(place.path("out/good.der").exists());

    std::fs::remove_file(place.path("live/revoked.pem")).unwrap();
    assert_eq!(run(place.agent(&["--once"])).code, 4);
    std::fs::remove_file(place.path("live/unknown.pem")).unwrap();
    assert_eq!(run(place.agent(&["--once"])).code, 1);
    std::fs::remove_file(place.path("live/half.pem")).unwrap();
    assert_eq!(run(place.agent(&["--once"])).code, 0);
}

#[test]
fn a_responder_that_fails_is_a_failure_and_what_was_stapled_before_is_kept_while_it_holds() {
    let place = Place::new();
    let leaf = place.issue("chain.pem", LeafRequest::new("a.example"));
    place.configure(ONE);
    place.lab.set_fault(Some(Fault::Http503Html));
    let (code, json) = run_json(place.agent(&["--once"]));
    assert_eq!((code, &json["staples"][0]["state"]), (1, &"missing".into()), "{json}");
    assert!(json["staples"][0]["note"].as_str().unwrap().contains("503"), "{json}");
    place.lab.set_fault(None);
    assert_eq!(run(place.agent(&["--once"])).code, 0);
    place.lab.set_fault(Some(Fault::Http503Html));
    assert_eq!(run(place.agent(&["--once"])).code, 0);
    assert!(place.staple("staple.der", &leaf).is_some());
}

#[test]
fn what_is_revoked_is_stapled_when_told_to() {
    let place = Place::new();
    let leaf = place.issue("chain.pem", LeafRequest::new("a.example"));
    place.lab.revoke(&leaf, None);
    place.configure(&format!("fetch.staple_revoked = true\n{ONE}"));
    let (code, json) = run_json(place.agent(&["--once"]));
    assert_eq!(code, 3, "{json}");
    assert!(place.staple("staple.der", &leaf).is_some(), "{json}");
}

#[test]
fn a_command_that_fails_is_a_failure() {
    let place = Place::new();
    place.issue("chain.pem", LeafRequest::new("a.example"));
    place.configure(&format!("{ONE}on_change = \"exit 3\"\n"));
    let (code, json) = run_json(place.agent(&["--once"]));
    assert_eq!(code, 1, "{json}");
    assert!(json["hooks"][0]["error"].as_str().unwrap().contains("exit status: 3"), "{json}");
}

/// What is to be said of a certificate is said whole, however long its path is; and who must staple is
/// marked.
#[test]
fn the_table_says_what_is_wrong_and_who_must_staple() {
    let place = Place::new();
    let revoked = place.issue("revoked.pem", LeafRequest::new("revoked.example"));
    place.issue("must.pem", LeafRequest::new("must.example").must_staple());
    place.issue("quiet.pem", LeafRequest::new("quiet.example").no_aia());
    place.lab.revoke(&revoked, Some(certstatus::message::CrlReason::KeyCompromise));
    place.configure("[[certificate]]\npath = \"*.pem\"\noutput = \"out/{stem}.der\"\n");
    let ended = run(place.agent(&["--once"]));
    let line = |name: &str| ended.stdout.lines().find(|line| line.contains(name)).unwrap();
    assert!(line("must.pem").ends_with("fresh, must staple"), "{}", ended.stdout);
    assert!(line("quiet.pem").ends_with("-  without a responder"), "{}", ended.stdout);
    assert!(line("revoked.pem").ends_with("-  revoked"), "{}", ended.stdout);
    assert!(ended.stdout.contains("(keyCompromise)."), "{}", ended.stdout);
}

/// An HAProxy that starts after the agent reads the file: nothing has failed. One that has no file to
/// read would miss the staple.
#[test]
fn a_haproxy_that_does_not_run_yet_is_no_failure() {
    let place = Place::new();
    place.issue("chain.pem", LeafRequest::new("a.example"));
    let rule = "[[certificate]]\npath = \"chain.pem\"\nhaproxy_socket = \"./admin.sock\"\n";
    place.configure(&format!("{rule}output = \"{{path}}.ocsp\"\n"));
    let (code, json) = run_json(place.agent(&["--once"]));
    assert_eq!((code, &json["verdict"]["outcome"]), (0, &"good".into()), "{json}");
    let outputs = &json["staples"][0]["outputs"];
    assert_eq!((&outputs[0]["stapled"], &outputs[0]["waiting"]), (&true.into(), &false.into()));
    assert_eq!((&outputs[1]["stapled"], &outputs[1]["waiting"]), (&false.into(), &true.into()));
    assert!(outputs[1]["error"].is_null(), "{json}");
}

/// Cron has better to do than to wait for what somebody has to put right.
#[test]
fn what_does_not_heal_by_itself_ends_it_at_once() {
    let place = Place::new();
    place.issue("chain.pem", LeafRequest::new("a.example"));
    place.write("file", "no directory");
    // What might heal would be tried for four minutes.
    place.configure(
        "fetch.timeout = \"2m\"\n[[certificate]]\npath = \"chain.pem\"\n\
         output = [\"file/a.der\", \"good.der\"]\n",
    );
    let begun = Instant::now();
    let (code, json) = run_json(place.agent(&["--once"]));
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    assert_eq!(code, 1, "{json}");
    let outputs = &json["staples"][0]["outputs"];
    let (output, file) = (place.text("file/a.der"), place.text("file"));
    let why = format!("{output} cannot be written: {file} is no directory");
    assert_eq!(outputs[0]["error"], why, "{json}");
    assert_eq!(outputs[1]["stapled"], true, "the others get theirs: {json}");
    assert_eq!(json["next"][0], format!("{why}."), "{json}");
}

/// A server that is on its way up is waited for.
#[test]
fn what_may_heal_is_tried_again() {
    let place = Place::new();
    place.issue("chain.pem", LeafRequest::new("a.example"));
    place.configure("[[certificate]]\npath = \"chain.pem\"\nhaproxy_socket = \"./admin.sock\"\n");
    let path = place.path("admin.sock");
    let haproxy = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(1500));
        let (stream, _) = UnixListener::bind(path).unwrap().accept().unwrap();
        BufReader::new(&stream).read_line(&mut String::new()).unwrap();
        (&stream).write_all(b"OCSP Response updated!\n").unwrap();
    });
    let (code, json) = run_json(place.agent(&["--once"]));
    assert_eq!(code, 0, "{json}");
    assert_eq!(json["staples"][0]["outputs"][0]["stapled"], true, "{json}");
    haproxy.join().unwrap();
}

/// Cron does not wait for the interval between two runs of a command.
#[test]
fn a_command_has_been_told_of_everything_at_the_end() {
    let place = Place::new();
    for name in ["a", "b", "c"] {
        place.issue(&format!("live/{name}.pem"), LeafRequest::new(name));
    }
    // The last staple comes after the first run.
    place.write("agent.toml", format!(
        "store.path = \"store\"\nhook.interval = \"1h\"\nfetch.per_second = 1\n[[certificate]]\n\
         path = \"live/*.pem\"\noutput = \"out/{{stem}}.der\"\non_change = \"cat >> {}\"\n",
        place.text("told")
    ));
    let (code, json) = run_json(place.agent(&["--once"]));
    assert_eq!(code, 0, "{json}");
    assert!(json["hooks"][0]["runs"].as_u64().unwrap() >= 2, "{json}");
    assert_eq!(std::fs::read_to_string(place.path("told")).unwrap().lines().count(), 3);
}
