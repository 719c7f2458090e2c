//! The agent's unit, as systemd's own tools read it. That the agent tells systemd when it is ready,
//! alive, reloading and ending is held by the command's own tests.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::{LIFE, Site};
use crate::harness::command;
use crate::harness::process::{Finished, Program};

const UNIT: &str = include_str!("../../../packaging/certstatus-agent.service");

/// What `systemd-analyze security` of systemd 252 finds, in tenths: 2.9 of 10, where 9.6 is a unit that
/// says nothing. It is what an agent has to be allowed that runs as root beside the servers' keys and
/// asks responders.
const EXPOSURE: u32 = 29;

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
