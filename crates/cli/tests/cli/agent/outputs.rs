//! What servers get: files, their permissions, and commands.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use certstatus_lab::LeafRequest;

use super::process::{Place, eventually};
use crate::support::run;

#[test]
fn files_have_the_permissions_and_places_that_are_configured() {
    let place = Place::new();
    place.issue("live/a/chain.pem", LeafRequest::new("a.example"));
    place.configure(
        "[[certificate]]\npath = \"live/*/chain.pem\"\noutput = [\"{path}.ocsp\", \"out/{dir}/{stem}\"]\n\
         mode = \"0640\"\n",
    );
    assert_eq!(run(place.agent(&["--once"])).code, 0);
    let (first, second) = (place.path("live/a/chain.pem.ocsp"), place.path("out/a/chain"));
    assert_eq!(fs::read(&first).unwrap(), fs::read(&second).unwrap());
    assert_eq!(fs::metadata(first).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn a_command_is_told_what_changed_and_only_then() {
    let place = Place::new();
    place.issue("live/a.pem", LeafRequest::new("a.example"));
    place.issue("live/b.pem", LeafRequest::new("b.example"));
    let log = place.text("log");
    place.configure(&format!(
        "[[certificate]]\npath = \"live/*.pem\"\noutput = \"out/{{stem}}.der\"\n\
         on_change = \"echo $CERTSTATUS_COUNT $CERTSTATUS_STATUS >> {log}; cat >> {log}\"\n"
    ));
    let agent = place.start();
    let changes = || {
        let log = fs::read_to_string(place.path("log")).unwrap_or_default();
        let lines = log.lines().filter_map(|line| serde_json::from_str(line).ok());
        let mut outputs: Vec<_> = lines
            .map(|told: serde_json::Value| told["outputs"][0].as_str().unwrap().to_owned())
            .collect();
        outputs.sort_unstable();
        outputs
    };
    let both = [place.text("out/a.der"), place.text("out/b.der")];
    eventually("both changes", || (changes() == both).then_some(()));
    assert!(fs::read_to_string(place.path("log")).unwrap().contains(" good\n"));
    drop(agent);
    // What is there already is no change.
    let agent = place.start();
    agent.is_ready();
    assert_eq!(changes(), both);
    assert_eq!(agent.staples()["hooks"].as_array().unwrap().len(), 0);
}

/// The agent starts before HAProxy, as its unit says: that is told of once, and HAProxy is given the
/// staple as soon as it listens.
#[test]
fn a_haproxy_that_starts_later_is_told() {
    let place = Place::new();
    place.issue("chain.pem", LeafRequest::new("a.example"));
    place.configure(
        "[[certificate]]\npath = \"chain.pem\"\noutput = \"{path}.ocsp\"\n\
         haproxy_socket = \"./admin.sock\"\n",
    );
    let agent = place.start();
    agent.says("admin.sock yet");
    agent.is_ready();
    assert_eq!(agent.get("/healthz").0, 200);
    let haproxy = UnixListener::bind(place.path("admin.sock")).unwrap();
    haproxy.set_nonblocking(true).unwrap();
    let (stream, _) = eventually("a call", || haproxy.accept().ok());
    stream.set_nonblocking(false).unwrap();
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).unwrap();
    assert_eq!(line, "set ssl ocsp-response <<\n");
    (&stream).write_all(b"OCSP Response updated!\n").unwrap();
    drop(stream);
    let told = || Some(agent.only()["outputs"][1].clone()).filter(|one| one["stapled"] == true);
    assert_eq!(eventually("the word of it", told)["waiting"], false);
    assert!(!agent.log().contains("ERROR"), "{}", agent.log());
    assert_eq!(agent.log().matches("admin.sock yet").count(), 1, "{}", agent.log());
}
