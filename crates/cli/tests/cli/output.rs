//! Colours, usage errors, help, and text from outside.

use certstatus_lab::{Lab, LeafRequest};

use super::support::{Bench, certstatus, run, run_json};

#[test]
fn colours_are_used_when_wanted_and_not_on_a_pipe() {
    let bench = Bench::new();
    let plain = run(bench.verify(&bench.files.staple_der));
    assert!(!plain.stdout.contains('\u{1b}'), "{}", plain.stdout);

    let mut command = bench.verify(&bench.files.staple_der);
    command.args(["--color", "always"]);
    let coloured = run(command);
    assert!(coloured.stdout.contains("\u{1b}["), "{}", coloured.stdout);

    let mut command = bench.verify(&bench.files.staple_der);
    command.env("NO_COLOR", "1").env("CLICOLOR_FORCE", "1");
    assert!(!run(command).stdout.contains('\u{1b}'));

    let mut command = bench.verify(&bench.files.staple_der);
    command.args(["--color", "never"]).env("CLICOLOR_FORCE", "1");
    assert!(!run(command).stdout.contains('\u{1b}'));
}

#[test]
fn without_a_locale_of_utf_8_all_is_ascii() {
    let bench = Bench::new();
    let mut command = bench.verify(&bench.files.staple_der);
    command.env("LC_ALL", "C");
    let ended = run(command);
    assert!(ended.stdout.is_ascii(), "{}", ended.stdout);
    assert!(ended.stdout.contains("[") && ended.stdout.contains("*"), "{}", ended.stdout);
}

#[test]
fn lines_fit_the_terminal() {
    let bench = Bench::new();
    for columns in [40, 80, 120] {
        for mut command in [bench.verify(&bench.files.staple_der), bench.fetch(&[])] {
            command.env("COLUMNS", columns.to_string());
            let ended = run(command);
            let widest = ended.stdout.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= columns, "{widest} > {columns}: {}", ended.stdout);
        }
    }
}

#[test]
fn a_name_in_a_certificate_cannot_drive_the_terminal() {
    let bench = Bench::with(Lab::builder(), LeafRequest::new("localhost"));
    let mut command = certstatus(&["show"]);
    let name = bench.write("e\u{1b}[31mvil", std::fs::read(&bench.files.cert_pem).unwrap());
    command.arg(name);
    let ended = run(command);
    assert_eq!(ended.code, 0);
    assert!(!ended.stdout.contains('\u{1b}'), "{}", ended.stdout);
    assert!(ended.stdout.contains("\\u{1b}"), "{}", ended.stdout);
}

#[test]
fn usage_errors_have_their_exit_code_in_both_forms() {
    for args in
        [&["verify"] as &[&str], &["no-such-command"], &["show", "--no-such-flag", "x"], &[]]
    {
        assert_eq!(run(certstatus(args)).code, 2, "{args:?}");
    }
    let (code, json) = run_json(certstatus(&["verify"]));
    assert_eq!((code, json["verdict"]["outcome"].as_str()), (2, Some("usage")));
    let ended = run(certstatus(&["fetch", "x", "--timeout", "soon"]));
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("--timeout"), "{}", ended.stderr);
}

#[test]
fn help_has_examples_and_the_exit_codes() {
    let ended = run(certstatus(&["--help"]));
    assert_eq!(ended.code, 0);
    for expected in
        ["Examples:", "Exit codes:", "3  the certificate is revoked", "6  nothing is stapled"]
    {
        assert!(ended.stdout.contains(expected), "{expected}: {}", ended.stdout);
    }
    for command in
        ["demo", "check", "verify", "show", "fetch", "agent", "exec", "man", "completions"]
    {
        for flag in ["-h", "--help"] {
            let ended = run(certstatus(&[command, flag]));
            assert_eq!(ended.code, 0, "{command}");
            assert!(ended.stdout.contains("Examples:"), "{command} {flag}: {}", ended.stdout);
        }
    }
    assert_eq!(run(certstatus(&["--version"])).code, 0);
}
