//! What `--once` shows to a person who looks on: how far it is, on the terminal, and then the table.

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

use certstatus_lab::LeafRequest;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::process::Place;

/// Our end of a terminal of a hundred columns, and the end that a program is given.
fn terminal() -> (File, File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let size = Winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&ours, size).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = rustix::fs::open(&*name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    (ours.into(), theirs.into())
}

/// Everything that is written to the terminal until nobody has it open any more.
fn all(mut ours: File) -> String {
    let (mut written, mut buffer) = (Vec::new(), [0; 4096]);
    // The end of a terminal is an error, EIO.
    while let Ok(length @ 1..) = ours.read(&mut buffer) {
        written.extend_from_slice(&buffer[..length]);
    }
    String::from_utf8(written).unwrap()
}

/// One round of several seconds' worth of fetches, with that standard error.
fn once(place: &Place, errors: impl Into<Stdio>, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_certstatus"));
    command.args(["agent", "--once", "--config"]).arg(place.path("agent.toml")).args(more);
    command.env("TERM", "xterm-256color").env_remove("NO_COLOR").env_remove("CI");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
    command
}

#[test]
fn a_round_shows_how_far_it_is_and_ends_with_a_table() {
    let place = Place::new();
    for number in 0..4 {
        place.issue(&format!("live/{number}.pem"), LeafRequest::new("a.example"));
    }
    // Two a second, so that there is something to look on.
    place.configure(
        "fetch.per_second = 2\n[[certificate]]\npath = \"live/*.pem\"\noutput = \"out/{stem}.der\"\n",
    );
    let (ours, theirs) = terminal();
    let child = once(&place, theirs, &[]).spawn().unwrap();
    let shown = all(ours);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{shown}");
    for part in ["1/4 certificates", "2/4 certificates", "3/4 certificates", "█"] {
        assert!(shown.contains(part), "{part}: {shown:?}");
    }
    let last = shown.rsplit('\r').next().unwrap();
    assert!(!last.contains("certificates"), "what is over is cleared away: {shown:?}");
    let table = String::from_utf8(ended.stdout).unwrap();
    assert!(table.contains("4 certificates: 4 fresh."), "{table}");
    for number in 0..4 {
        let line = table.lines().find(|line| line.contains(&format!("{number}.pem"))).unwrap();
        assert!(line.contains("GOOD") && line.contains("fresh"), "{line}");
    }
    assert!(!table.contains("█"), "{table}");
}

/// Neither a log of cron's nor a program gets a bar.
#[test]
fn where_nobody_looks_on_there_is_no_bar() {
    let place = Place::new();
    place.issue("chain.pem", LeafRequest::new("a.example"));
    place.configure("[[certificate]]\npath = \"chain.pem\"\noutput = \"staple.der\"\n");
    let ended = once(&place, Stdio::piped(), &[]).output().unwrap();
    let errors = String::from_utf8(ended.stderr).unwrap();
    assert!(ended.status.success() && !errors.contains("/1 certificates"), "{errors:?}");

    let (ours, theirs) = terminal();
    let child = once(&place, theirs, &["--json"]).spawn().unwrap();
    let shown = all(ours);
    let ended = child.wait_with_output().unwrap();
    assert!(!shown.contains("/1 certificates"), "{shown:?}");
    let report: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(report["verdict"]["outcome"], "good");
}
