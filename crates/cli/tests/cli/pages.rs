//! `certstatus man` and `certstatus completions`.

use super::support::{certstatus, run, run_json};

const COMMANDS: [&str; 9] =
    ["demo", "check", "verify", "show", "fetch", "agent", "exec", "man", "completions"];

#[test]
fn there_is_a_man_page_for_every_command() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("share/man1");
    let mut command = certstatus(&["man"]);
    command.arg(&target);
    let (code, json) = run_json(command);
    assert_eq!((code, json["files"].as_array().unwrap().len()), (0, COMMANDS.len() + 1));
    for name in
        COMMANDS.map(|name| format!("certstatus-{name}")).iter().chain([&"certstatus".into()])
    {
        let page = std::fs::read_to_string(target.join(format!("{name}.1"))).unwrap();
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
        for section in
            [".SH NAME", ".SH SYNOPSIS", ".SH OPTIONS", ".SH EXAMPLES", ".SH \"EXIT STATUS\""]
        {
            assert!(page.contains(section), "{name} has no {section}: {page}");
        }
        assert!(page.contains("the certificate is revoked"), "{page}");
    }
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut command = certstatus(&["man"]);
    command.arg(file.path().join("man1"));
    let ended = run(command);
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("cannot be written"), "{}", ended.stderr);
}

#[test]
fn every_shell_has_completions_for_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = run(certstatus(&["completions", shell]));
        assert_eq!(ended.code, 0, "{shell}");
        for command in COMMANDS {
            assert!(ended.stdout.contains(command), "{shell} does not know {command}");
        }
    }
    assert_eq!(run(certstatus(&["completions", "cmd"])).code, 2);
}
