//! The agent's unit, as systemd's own tools read it. That the agent tells systemd when it is ready,
//! alive, reloading and ending is held by the command's own tests.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::{LIFE, Site};
use crate::harness::command;
use crate::harness::process::{Daemon, Finished, Program};

const UNIT: &str = include_str!("../../../packaging/certstatus-agent.service");

/// What `systemd-analyze security` of systemd 252 finds, in tenths: 2.9 of 10, where 9.6 is a unit that
/// says nothing. It is what an agent has to be allowed that runs as root beside the servers' keys and
/// asks responders.
const EXPOSURE: u32 = 29;

/// The user who owns nothing, on every Linux.
const NOBODY: u32 = 65534;

/// What the unit says of that.
fn value(key: &str) -> &'static str {
    let line = UNIT.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("no {key}"))
}

/// What systemd-analyze says of a unit with that text. The unit starts the command that was built from
/// these sources, as `make install` would have it.
fn analyze(arguments: &[&str], text: &str) -> Finished {
    let directory = TempDir::new().expect("a temporary directory");
    let unit = directory.path().join("certstatus-agent.service");
    let program = command::file().display().to_string();
    fs::write(&unit, text.replace("/usr/local/bin/certstatus", &program)).expect("a unit");
    let mut call = Program::find("systemd-analyze", "systemd").call();
    call.args(arguments).arg("--no-pager").arg(&unit);
    crate::harness::process::run(call)
}

/// Whatever is wrong with a unit systemd tells, passes over, and goes on.
#[test]
fn systemd_understands_every_line_of_the_unit() {
    let verify = |text: &str| analyze(&["verify", "--man=no"], text);
    verify(UNIT).exits(0).does_not_say("certstatus-agent.service");
    for (line, wrong) in [
        ("ProtectSystem=", "ProtectEverything="),
        ("Type=notify", "Type=telepathy"),
        ("SystemCallFilter=@system-service", "SystemCallFilter=@all-that-is-needed"),
        ("=AF_INET ", "=AF_TELEPATHY "),
        ("WatchdogSec=60s", "WatchdogSec=often"),
    ] {
        assert!(UNIT.contains(line), "{line}");
        verify(&UNIT.replace(line, wrong)).says("certstatus-agent.service");
    }
    verify(&UNIT.replace("/usr/local/bin/", "/usr/no/bin/")).fails();
    // A capability that it does not know it passes over without a word.
    let systemd = Program::find("systemd-analyze", "systemd");
    let known = |capability| systemd.run(["capability", capability]);
    for capability in value("CapabilityBoundingSet").split(' ') {
        known(capability).exits(0);
    }
    known("CAP_TELEPATHY").fails();
}

#[test]
fn the_unit_is_no_more_exposed_than_was_measured() {
    let threshold = format!("--threshold={EXPOSURE}");
    let security = |text: &str| analyze(&["security", "--offline=true", &threshold], text);
    security(UNIT).exits(0).says("Overall exposure level");
    for line in ["CapabilityBoundingSet=", "SystemCallFilter=", "NoNewPrivileges=", "ProtectHome="]
    {
        let less: String = UNIT.split_inclusive('\n').filter(|l| !l.starts_with(line)).collect();
        assert_ne!(less, UNIT);
        security(&less).fails().says("Overall exposure level");
    }
}

/// Its options are the command's, its configuration is where the condition looks for it and where the
/// command looks by itself, and where a new installation puts staples is where it may write.
#[test]
fn the_command_understands_what_the_unit_calls_it_with() {
    let config = value("ConditionPathExists");
    command::run(&["agent", "--help"]).exits(0).says(config);
    let (program, arguments) = value("ExecStart").split_once(' ').expect("arguments");
    assert!(Path::new(program).is_absolute(), "{program}");

    let site = Site::new(LIFE);
    let ours = site.configuration(
        "agent",
        "store",
        "[[certificate]]\npath = \"chain.pem\"\n\
        output = \"staple.der\"\n",
    );
    let arguments: Vec<_> =
        arguments.split(' ').map(|a| if a == config { &ours } else { a }).collect();
    assert!(arguments.contains(&ours.as_str()), "{arguments:?}");
    command::run(&[&arguments[..], &["--check-config"]].concat()).exits(0).says("chain.pem");

    let state = format!("/var/lib/{}/", value("StateDirectory"));
    command::run(&["agent", "--sample"]).exits(0).says(&state);
}

/// What the unit leaves of root's powers is what the agent needs: it reads a certificate that only its
/// owner may read, and writes the staple as that owner's. Who is not root has no powers to
/// begin with, and is held to the same among one's own files.
#[test]
fn the_powers_that_the_unit_leaves_are_enough_and_needed() {
    let site = Site::new(Duration::from_secs(3600));
    let me = fs::metadata("/proc/self").expect("this process").uid();
    let owner = if me == 0 { NOBODY } else { me };
    let theirs = site.path("theirs");
    fs::create_dir(&theirs).expect("a directory");
    let chain = format!("{theirs}/chain.pem");
    fs::copy(site.path("chain.pem"), &chain).expect("a certificate");
    for (path, mode) in [(&chain, 0o600), (&theirs, 0o700)] {
        chown(path, Some(owner), None).expect("root, or one's own");
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("permissions");
    }
    // Nothing is written into a directory of another user.
    let staple = site.path("staple.der");
    let config = site.configuration(
        "agent",
        "store",
        &format!(
            "[[certificate]]\npath = \"{chain}\"\noutput = \"{staple}\"\nowner = \"{owner}\"\n\
             mode = \"0640\"\n"
        ),
    );
    let left: Vec<_> = value("CapabilityBoundingSet").split(' ').collect();
    let agent = |powers: &[&str]| {
        let program = command::file().display().to_string();
        let agent = [&program, "agent", "--config", &config];
        let setpriv = Program::find("setpriv", "util-linux");
        let mut call = setpriv.call();
        call.arg("--no-new-privs");
        if me == 0 {
            let powers = powers.iter().map(|p| p.replace("CAP_", ",+").to_lowercase());
            call.arg(format!("--bounding-set=-all{}", powers.collect::<String>()));
        }
        call.args(agent);
        Daemon::start(call)
    };
    agent(&left).wait_for_words(" ready");
    let there = fs::metadata(&staple).expect("a staple");
    assert_eq!((there.uid(), there.mode() & 0o777), (owner, 0o640));
    if me != 0 {
        return;
    }
    for (needed, says) in [
        (&["CAP_CHOWN"][..], "may not be given"),
        (&["CAP_FOWNER"], "cannot be written"),
        (&["CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH"], "chain.pem cannot be read"),
    ] {
        fs::remove_file(&staple).ok();
        let less: Vec<_> = left.iter().copied().filter(|power| !needed.contains(power)).collect();
        assert_eq!(less.len() + needed.len(), left.len(), "{needed:?}");
        agent(&less).wait_for_words(says);
    }
}
