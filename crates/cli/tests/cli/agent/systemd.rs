//! What the service manager is told, and the unit that it reads.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use certstatus_lab::{Fault, Lab, LeafRequest};
use rustix::process::Signal;

use super::process::{Place, eventually};

#[test]
fn systemd_is_told_when_it_is_ready_alive_reloading_and_ending() {
    let place = Place::new();
    place.issue("live/a.pem", LeafRequest::new("a.example"));
    place.configure("[[certificate]]\npath = \"live/*.pem\"\noutput = \"out/{stem}.der\"\n");
    let socket = UnixDatagram::bind(place.path("notify")).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut told = String::new();
    let mut is_told = |words: &str| {
        eventually(words, || {
            let mut buffer = [0; 4096];
            while let Ok(length) = socket.recv(&mut buffer) {
                told.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
            }
            let (before, after) = told.split_once(words)?;
            let before = before.to_owned();
            told = after.to_owned();
            Some(before)
        })
    };
    let mut agent = place.start_with(|command| {
        command.env("NOTIFY_SOCKET", place.path("notify")).env("WATCHDOG_USEC", "600000");
        command.env_remove("WATCHDOG_PID");
    });
    is_told("READY=1");
    assert!(place.path("out/a.der").exists(), "ready means that servers find their staples");
    is_told("STATUS=The staple is fresh.");
    for _ in 0..3 {
        is_told("WATCHDOG=1");
    }
    agent.signal(Signal::HUP);
    is_told("RELOADING=1");
    is_told("MONOTONIC_USEC=");
    is_told("READY=1");
    agent.signal(Signal::TERM);
    is_told("STOPPING=1");
    assert_eq!(agent.end().code(), Some(0));
}

#[test]
fn a_responder_that_fails_does_not_keep_it_from_being_ready() {
    let place = Place::with(Lab::builder());
    place.issue("live/a.pem", LeafRequest::new("a.example"));
    place.lab.set_fault(Some(Fault::ConnectionReset));
    place.configure("[[certificate]]\npath = \"live/*.pem\"\noutput = \"out/{stem}.der\"\n");
    place.start().is_ready();
}

#[test]
fn the_journal_gets_priorities_and_machines_get_json() {
    let place = Place::new();
    place.issue("live/a.pem", LeafRequest::new("a.example"));
    place.write("live/b.pem", "not a certificate");
    let rule = "[[certificate]]\npath = \"live/*.pem\"\noutput = \"out/{stem}.der\"\n";
    place.configure(rule);
    let agent = place.start_with(|command| {
        command.env("JOURNAL_STREAM", "8:1");
    });
    agent.says("<6>ready");
    agent.says("<4>");
    assert!(agent.log().lines().all(|line| line.starts_with('<')), "{}", agent.log());

    place.configure(&format!("log.format = \"json\"\nlog.level = \"warn\"\n{rule}"));
    let agent = place.start();
    agent.says("b.pem");
    for line in agent.log().lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["level"], "WARN", "{line}");
        assert!(event["message"].is_string() && event["certificate"].is_string(), "{line}");
    }
}
