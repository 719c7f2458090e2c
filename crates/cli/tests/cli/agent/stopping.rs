//! An end that is asked for comes soon, whatever others are doing: systemd waits for twenty seconds.

use std::time::{Duration, Instant};

use certstatus_lab::{Fault, Lab, LeafRequest};
use rustix::process::Signal;

use super::process::{Place, eventually};

/// Longer than any test.
const LONG: Duration = Duration::from_secs(120);

#[test]
fn neither_a_responder_nor_a_command_that_hangs_keeps_it_from_ending() {
    let place = Place::with(Lab::builder().hold(LONG));
    let leaf = place.issue("live/a.pem", LeafRequest::new("a.example"));
    // A server's command that never comes back, and then a responder that does not.
    place.configure(&format!(
        "fetch.timeout = \"2m\"\nhook.timeout = \"2m\"\n[[certificate]]\npath = \"live/*.pem\"\n\
         output = \"out/{{stem}}.der\"\non_change = [\"/bin/sh\", \"-c\", \"touch {}; exec sleep 120\"]\n",
        place.text("hangs")
    ));
    let mut agent = place.start();
    eventually("a command", || place.path("hangs").exists().then_some(()));
    place.lab.set_fault(Some(Fault::Timeout));
    place.issue("live/b.pem", LeafRequest::new("b.example"));
    eventually("a question", || (place.lab.requests() == 2).then_some(()));
    let begun = Instant::now();
    agent.signal(Signal::TERM);
    assert_eq!(agent.end().code(), Some(0), "{}", agent.log());
    assert!(begun.elapsed() < Duration::from_secs(18), "{:?}", begun.elapsed());
    assert!(place.staple("out/a.der", &leaf).is_some(), "servers keep what they have");
    assert!(!place.path("out/b.der").exists());
}

#[test]
fn it_ends_before_it_was_ready_too() {
    let place = Place::with(Lab::builder().hold(LONG));
    place.issue("chain.pem", LeafRequest::new("a.example"));
    place.lab.set_fault(Some(Fault::Timeout));
    place.configure("fetch.timeout = \"2m\"\n[[certificate]]\npath = \"chain.pem\"\n");
    let mut agent = place.start();
    eventually("a question", || (place.lab.requests() == 1).then_some(()));
    assert!(!agent.log().contains(" ready"), "{}", agent.log());
    agent.signal(Signal::TERM);
    assert_eq!(agent.end().code(), Some(0), "{}", agent.log());
}

/// The next agent finds the staple where it should be, and would tell nobody of it.
#[test]
fn a_command_that_waits_for_its_turn_runs_before_the_end() {
    let place = Place::new();
    place.issue("live/a.pem", LeafRequest::new("a.example"));
    place.write("agent.toml", format!(
        "watch.interval = \"50ms\"\nhook.interval = \"1h\"\nhttp.listen = \"off\"\n\
         [[certificate]]\npath = \"live/*.pem\"\noutput = \"out/{{stem}}.der\"\non_change = \"echo $CERTSTATUS_OUTPUT >> {}\"\n",
        place.text("told")
    ));
    let mut agent = place.start();
    let told = || std::fs::read_to_string(place.path("told")).unwrap_or_default();
    let first = format!("{}\n", place.text("out/a.der"));
    eventually("a command", || (told() == first).then_some(()));
    let leaf = place.issue("live/b.pem", LeafRequest::new("b.example"));
    eventually("another staple", || place.staple("out/b.der", &leaf));
    assert_eq!(told(), first, "an hour has not passed");
    agent.signal(Signal::TERM);
    assert_eq!(agent.end().code(), Some(0), "{}", agent.log());
    assert_eq!(told(), format!("{first}{}\n", place.text("out/b.der")));
}
