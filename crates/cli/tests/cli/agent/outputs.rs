//! What servers get: files, their permissions, and commands.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use certstatus_lab::LeafRequest;
use nix::unistd::{Group, User, geteuid};
use rustix::process::Signal;

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

/// A server that has given up being root reads its staple, and others do not. Who is not root gives
/// files to nobody but oneself.
#[test]
fn files_belong_to_the_owner_that_is_configured() {
    let place = Place::new();
    place.issue("chain.pem", LeafRequest::new("a.example"));
    let user = match geteuid().is_root() {
        true => named("nobody"),
        false => User::from_uid(geteuid()).unwrap().unwrap(),
    };
    let group = Group::from_gid(user.gid).unwrap().unwrap();
    place.configure(&format!(
        "[[certificate]]\npath = \"chain.pem\"\noutput = \"out/a.der\"\n\
         mode = \"0640\"\nowner = \"{}:{}\"\n",
        user.name, group.name
    ));
    assert_eq!(run(place.agent(&["--once"])).code, 0);
    let staple = place.path("out/a.der");
    let there = fs::metadata(&staple).unwrap();
    assert_eq!((there.uid(), there.gid()), (user.uid.as_raw(), group.gid.as_raw()));
    assert_eq!(there.mode() & 0o777, 0o640);
    if geteuid().is_root() {
        // The directory of a test is root's alone.
        fs::set_permissions(place.path("."), PermissionsExt::from_mode(0o711)).unwrap();
        assert!(is_read_by(&staple, user.uid.as_raw(), 0), "the owner");
        assert!(is_read_by(&staple, 4242, group.gid.as_raw()), "one of the group");
        assert!(!is_read_by(&staple, 4242, 4242), "somebody else");
    }
}

/// Whether a process of that user, in that group alone, can read the file.
fn is_read_by(file: &Path, user: u32, group: u32) -> bool {
    let mut cat = Command::new("cat");
    cat.arg(file).uid(user).gid(group).stdout(Stdio::null()).stderr(Stdio::null());
    cat.status().unwrap().success()
}

#[test]
fn a_file_that_may_not_be_given_away_is_told() {
    let place = Place::new();
    place.issue("chain.pem", LeafRequest::new("a.example"));
    place.configure(
        "[[certificate]]\npath = \"chain.pem\"\noutput = \"out/a.der\"\nowner = \"nobody\"\n",
    );
    let mut agent = place.start_with(|command| {
        if geteuid().is_root() {
            *command = without_chown(command);
        }
    });
    agent.says(&format!("it may not be given to user {};", named("nobody").uid));
    agent.says("run the agent as root, or with the capability CAP_CHOWN, or leave `owner` out");
    agent.signal(Signal::TERM);
    agent.end();
    // Nothing half done is left there.
    assert_eq!(fs::read_dir(place.path("out")).unwrap().count(), 0);
}

/// The owner of a directory, or a member of its group, could link the output to any other file, or
/// exchange the directory while the responder is asked.
#[test]
fn output_among_other_users_is_refused() {
    let place = Place::new();
    place.issue("theirs/chain.pem", LeafRequest::new("a.example"));
    let (theirs, target) = (place.path("theirs"), place.path("target"));
    fs::write(&target, "target").unwrap();
    fs::set_permissions(&target, PermissionsExt::from_mode(0o6777)).unwrap();
    std::os::unix::fs::symlink("../target", theirs.join("chain.pem.ocsp")).unwrap();
    place.configure("[[certificate]]\npath = \"theirs/*.pem\"\noutput = \"{path}.ocsp\"\n");
    let why = match geteuid().is_root() {
        true => {
            chown(&theirs, Some(5001), Some(5001)).unwrap();
            "theirs belongs to the user 5001"
        }
        false => {
            fs::set_permissions(&theirs, PermissionsExt::from_mode(0o775)).unwrap();
            "theirs may be written by its group or by others"
        }
    };
    for arguments in ["--once", "--check-config"] {
        let done = run(place.agent(&[arguments]));
        assert_eq!(done.code, 1, "{arguments}");
        let said = format!("{}{}", done.stdout, done.stderr);
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(why), "{arguments}: {said}");
    }
    assert!(theirs.join("chain.pem.ocsp").is_symlink());
    assert_eq!(fs::read(&target).unwrap(), b"target");
    assert_eq!(fs::read_dir(&theirs).unwrap().count(), 2, "nothing is left there");
}

/// The same command without the power to give files away.
fn without_chown(command: &Command) -> Command {
    let mut less = Command::new("setpriv");
    less.arg("--bounding-set=-chown").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => less.env(name, value),
            None => less.env_remove(name),
        };
    }
    less.stdin(Stdio::null()).stdout(Stdio::null());
    less
}

fn named(user: &str) -> User {
    User::from_name(user).unwrap().unwrap()
}

/// A mode that is configured anew is a change: a server may have been kept from reading the file.
#[test]
fn permissions_that_are_configured_anew_hold_after_a_reload_and_are_told_of() {
    let place = Place::new();
    place.issue("chain.pem", LeafRequest::new("a.example"));
    let with = |mode: &str| {
        place.configure(&format!(
            "[[certificate]]\npath = \"chain.pem\"\noutput = \"a.der\"\nmode = \"{mode}\"\n\
             on_change = \"echo {mode} >> {}\"\n",
            place.text("log")
        ));
    };
    let log = |expected: &str| {
        eventually(expected, || {
            (fs::read_to_string(place.path("log")).ok()? == expected).then_some(())
        });
    };
    let mode = || fs::metadata(place.path("a.der")).unwrap().mode() & 0o777;
    with("0600");
    let agent = place.start();
    log("0600\n");
    assert_eq!(mode(), 0o600);
    let staple = fs::read(place.path("a.der")).unwrap();
    with("0644");
    agent.signal(Signal::HUP);
    log("0600\n0644\n");
    assert_eq!(mode(), 0o644);
    assert_eq!(fs::read(place.path("a.der")).unwrap(), staple);
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
    // Killed any earlier, it would have left word that the command has yet to run.
    eventually("the end of the command", || {
        (agent.staples()["hooks"][0]["runs"] == 1).then_some(())
    });
    drop(agent);
    // What is there already is no change.
    let agent = place.start();
    agent.is_ready();
    assert_eq!(changes(), both);
    assert_eq!(agent.staples()["hooks"].as_array().unwrap().len(), 0);
    // That there is none any more is one.
    fs::remove_file(place.path("live/b.pem")).unwrap();
    let again = [both[0].clone(), both[1].clone(), both[1].clone()];
    eventually("the end of one", || (changes() == again).then_some(()));
    assert!(fs::read_to_string(place.path("log")).unwrap().contains("1 none\n"));
    assert!(!place.path("out/b.der").exists());
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
