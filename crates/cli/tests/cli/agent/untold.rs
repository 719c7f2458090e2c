//! A command of `on_change` is told of every change, also when the agent is killed before it is.

use std::collections::BTreeMap;
use std::fs;
use std::mem::MaybeUninit;
use std::path::Path;
use std::time::Duration;

use certstatus_lab::{Fault, LeafRequest};
use rustix::fs::inotify::{self, ReadFlags, WatchFlags};
use rustix::process::Signal;
use serde_json::Value;

use super::process::{Agent, Place, eventually, is_gone};
use crate::support::run_json;

/// What a command has written down so far: a line of JSON for each change, in no order.
fn told(place: &Place) -> Vec<String> {
    let log = fs::read_to_string(place.path("told")).unwrap_or_default();
    let mut told: Vec<_> = log
        .lines()
        .map(|line| {
            let change: Value = serde_json::from_str(line).unwrap();
            let name = Path::new(change["certificate"].as_str().unwrap()).file_stem().unwrap();
            let status = change["status"].as_str().unwrap();
            assert_eq!(change["outputs"].as_array().unwrap().len(), 1, "{change}");
            assert_eq!(change["expires"].is_null(), status == "none", "{change}");
            format!("{} {status}", name.to_str().unwrap())
        })
        .collect();
    told.sort_unstable();
    told
}

/// What is in a directory, hidden or not.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let Ok(entries) = fs::read_dir(directory) else { return BTreeMap::new() };
    let file = |path: &Path| {
        (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())
    };
    entries.map(|entry| file(&entry.unwrap().path())).collect()
}

/// How often commands have run, as the API has it.
fn runs(agent: &Agent) -> u64 {
    let hooks = agent.staples()["hooks"].clone();
    hooks.as_array().unwrap().iter().map(|hook| hook["runs"].as_u64().unwrap()).sum()
}

fn kill(mut agent: Agent) {
    agent.signal(Signal::KILL);
    agent.end();
}

fn stop(mut agent: Agent) {
    agent.signal(Signal::TERM);
    assert_eq!(agent.end().code(), Some(0), "{}", agent.log());
}

/// Killed while a command waits for its turn: the successor finds every file as it should be, and
/// has the command told all the same, of what has come and of what has gone.
#[test]
fn a_kill_before_the_command_runs_loses_no_change() {
    let place = Place::new();
    place.issue("live/a.pem", LeafRequest::new("a.example"));
    place.configure(&format!(
        "[[certificate]]\npath = \"live/*.pem\"\noutput = \"out/{{stem}}.der\"\non_change = \"cat >> {}\"\n",
        place.text("told")
    ));
    let text = fs::read_to_string(place.path("agent.toml")).unwrap();
    place.write("agent.toml", text.replace("hook.interval = \"1ms\"", "hook.interval = \"1h\""));
    let agent = place.start();
    eventually("the first run", || (runs(&agent) == 1).then_some(()));
    assert_eq!(told(&place), ["a good"]);
    let leaf = place.issue("live/b.pem", LeafRequest::new("b.example"));
    eventually("another staple", || place.staple("out/b.der", &leaf));
    fs::remove_file(place.path("live/a.pem")).unwrap();
    eventually("the end of one", || is_gone(&place.path("out/a.der")));
    kill(agent);
    assert_eq!(told(&place), ["a good"], "an hour has not passed");

    let agent = place.start();
    eventually("the run that was lost", || (runs(&agent) == 1).then_some(()));
    assert_eq!(told(&place), ["a good", "a none", "b good"]);
    assert_eq!(files(&place.path("out")).into_keys().collect::<Vec<_>>(), ["b.der"]);
    assert!(files(&place.path("store/.on_change")).is_empty(), "what has been told is forgotten");
    stop(agent);

    let agent = place.start();
    agent.is_ready();
    assert_eq!(runs(&agent), 0, "nothing is told twice without need");
    assert_eq!(place.lab.requests(), 2);
}

#[test]
fn a_command_that_was_running_is_run_again() {
    let place = Place::new();
    place.issue("live/a.pem", LeafRequest::new("a.example"));
    place.write("slow", "");
    place.configure(&format!(
        "[[certificate]]\npath = \"live/*.pem\"\noutput = \"out/{{stem}}.der\"\n\
         on_change = \"cat >> {}; while [ -e {} ]; do sleep 0.05; done\"\n",
        place.text("told"),
        place.text("slow")
    ));
    let agent = place.start();
    eventually("a command that runs", || (told(&place).len() == 1).then_some(()));
    kill(agent);
    fs::remove_file(place.path("slow")).unwrap();
    let agent = place.start();
    eventually("another run", || (runs(&agent) == 1).then_some(()));
    assert_eq!(told(&place), ["a good", "a good"]);
    assert!(files(&place.path("store/.on_change")).is_empty());
}

/// A certificate, and a command that fails for as long as there is no file `go`.
fn failing_without_go() -> Place {
    let place = Place::new();
    place.issue("live/a.pem", LeafRequest::new("a.example"));
    place.configure(&format!(
        "[[certificate]]\npath = \"live/*.pem\"\noutput = \"out/{{stem}}.der\"\n\
         on_change = \"test -e {} && cat >> {}\"\n",
        place.text("go"),
        place.text("told")
    ));
    place
}

/// From cron: what a command did not do well is to be done by the next call, though nothing changes.
#[test]
fn a_command_that_fails_is_run_again_by_the_next_round_and_told_of_both() {
    let place = failing_without_go();
    let round = || {
        let (code, report) = run_json(place.agent(&["--once"]));
        (code, report["hooks"].as_array().unwrap().len())
    };
    assert_eq!(round(), (1, 1));
    assert_eq!(round(), (1, 1), "nothing has changed, and the command has still to run");
    place.issue("live/b.pem", LeafRequest::new("b.example"));
    assert_eq!(round(), (1, 1));
    assert_eq!(files(&place.path("store/.on_change")).len(), 1);
    place.write("go", "");
    assert_eq!(round(), (0, 1));
    assert_eq!(told(&place), ["a good", "b good"]);
    assert_eq!(round(), (0, 0));
    assert!(files(&place.path("store/.on_change")).is_empty());
}

/// As a service: a server that could not be reloaded comes to have what is there, though nothing
/// changes.
#[test]
fn a_command_that_fails_is_run_again_by_the_service() {
    let place = failing_without_go();
    let text = fs::read_to_string(place.path("agent.toml")).unwrap();
    let retry = "hook.interval = \"1ms\"\nhook.retry = \"300ms\"";
    place.write("agent.toml", text.replace("hook.interval = \"1ms\"", retry));
    let agent = place.start();
    let notes = || fs::read_dir(place.path("store/.on_change")).unwrap().count();
    eventually("two runs", || (runs(&agent) >= 2).then_some(()));
    assert_eq!(notes(), 1);
    place.write("go", "");
    eventually("a run that ends well", || (!told(&place).is_empty()).then_some(()));
    assert_eq!(told(&place), ["a good"]);
    eventually("the end of the note", || (notes() == 0).then_some(()));
    stop(agent);
}

/// The order in which the kernel saw it: no instant is without the note or the command.
#[test]
fn the_note_is_there_before_the_file_and_until_the_command_has_run() {
    let place = Place::new();
    place.issue("live/a.pem", LeafRequest::new("a.example"));
    let watched = ["store/.on_change", "out", "ran"].map(|name| place.path(name));
    let events = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK);
    let events = events.unwrap();
    let watches = watched.each_ref().map(|directory| {
        fs::create_dir_all(directory).unwrap();
        let flags = WatchFlags::MODIFY | WatchFlags::MOVED_TO | WatchFlags::DELETE;
        inotify::add_watch(&events, directory, flags).unwrap()
    });
    place.configure(&format!(
        "[[certificate]]\npath = \"live/*.pem\"\noutput = \"out/{{stem}}.der\"\n\
         on_change = \"cat > {}/log\"\n",
        place.text("ran")
    ));
    let (code, report) = run_json(place.agent(&["--once"]));
    assert_eq!(code, 0, "{report}");
    let mut room = [MaybeUninit::uninit(); 4096];
    let mut reader = inotify::Reader::new(&events, &mut room);
    let mut seen = Vec::new();
    while let Ok(event) = reader.next() {
        let place = watches.iter().position(|watch| *watch == event.wd()).unwrap();
        // While it is written, a file for a server has another name.
        if place != 1 || event.events().contains(ReadFlags::MOVED_TO) {
            seen.push((["note", "file", "command"][place], event.events()));
        }
    }
    assert_eq!(
        seen,
        [
            ("note", ReadFlags::MODIFY),
            ("file", ReadFlags::MOVED_TO),
            ("command", ReadFlags::MODIFY),
            ("note", ReadFlags::DELETE),
        ]
    );
}

/// A server that has only what its command brought it, killed at instants from the answer of the
/// responder to long after the command: it comes to have what is there, each time.
#[test]
fn whenever_the_agent_is_killed_the_server_comes_to_have_what_is_there() {
    let place = Place::new();
    place.issue("live/a.pem", LeafRequest::new("a.example"));
    fs::create_dir(place.path("served")).unwrap();
    let (out, served) = (place.text("out"), place.text("served"));
    place.configure(&format!(
        "[[certificate]]\npath = \"live/*.pem\"\noutput = \"out/{{stem}}.der\"\n\
         on_change = \"rm -f {served}/*; cp {out}/* {served}/ || true\"\n"
    ));
    stop({
        let agent = place.start();
        agent.is_ready();
        agent
    });
    for delay in [0, 1, 2, 4, 8, 16, 200, 500, 600] {
        let agent = place.start();
        agent.is_ready();
        let asked = place.lab.requests();
        place.issue("live/a.pem", LeafRequest::new("a.example"));
        eventually("a question", || (place.lab.requests() > asked).then_some(()));
        std::thread::sleep(Duration::from_millis(delay));
        kill(agent);
        // From here on nothing new comes that would be told of.
        place.lab.set_fault(Some(Fault::TryLater));
        let agent = place.start();
        agent.is_ready();
        stop(agent);
        let mut out = files(&place.path("out"));
        out.retain(|name, _| !name.starts_with('.'));
        assert_eq!(files(&place.path("served")), out, "after {delay} ms");
        assert!(files(&place.path("store/.on_change")).is_empty(), "after {delay} ms");
        place.lab.set_fault(None);
    }
}
