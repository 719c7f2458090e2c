//! `certstatus exec`: which programs run on the library, by what means, and which are refused.
//!
//! The loader that is asked is this machine's own; programs and libraries are made here. Real ones
//! run on the real library among the tests against other programs.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

use super::elf::{Recipe, loader};
use super::support::{Ended, certstatus, run};

/// A directory with a library, and room for programs.
struct Room {
    directory: TempDir,
    loader: String,
}

impl Room {
    fn new() -> Self {
        // Beside the binary, so that a hard link to it can be made.
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let room = Self { directory, loader: loader() };
        Self::library().write(&room.library_path());
        room
    }

    fn library() -> Recipe<'static> {
        Recipe { soname: Some("libssl.so.3"), defines: &["SSL_CTX_new"], ..Recipe::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn library_path(&self) -> PathBuf {
        self.path("ours/libssl.so.3")
    }

    /// A program that is linked dynamically.
    fn program<'a>(&'a self, needed: &'a [&'a str]) -> Recipe<'a> {
        Recipe { interpreter: Some(&self.loader), needed, ..Recipe::default() }
    }

    fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path
    }

    fn exec(&self, options: &[&str], program: impl AsRef<Path>) -> Command {
        let mut command = certstatus(&["exec", "--lib"]);
        command.arg(self.library_path()).args(options).arg("--").arg(program.as_ref());
        command.env_remove("LD_LIBRARY_PATH").env_remove("LD_PRELOAD");
        command
    }

    /// `--check --json`: the exit code and the report.
    fn check(&self, program: impl AsRef<Path>) -> (i32, Value) {
        let ended = run(self.exec(&["--check", "--json"], program));
        assert_eq!(ended.stderr, "");
        let report: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(report["verdict"]["exit_code"], ended.code, "{report}");
        (ended.code, report)
    }

    /// Asserts that a program is refused, in these words, whether checked or started.
    #[track_caller]
    fn refuses(&self, program: impl AsRef<Path>, words: &str) {
        for options in [&[] as &[&str], &["--check"]] {
            let ended = run(self.exec(options, program.as_ref()));
            assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{ended:?}");
            assert!(said(&ended).contains(words), "{words:?} is not in {ended:?}");
        }
        let (code, report) = self.check(program);
        let message = report["error"]["message"].as_str().unwrap();
        assert_eq!(code, 1);
        assert!(message.contains(words), "{message}");
    }
}

/// Standard error, as if lines did not end.
fn said(ended: &Ended) -> String {
    ended.stderr.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_program_takes_the_place_of_the_command() {
    let room = Room::new();
    let text = "#!/bin/sh\ncat\necho \"$0|$1|$2|$#\"\necho \"$LD_LIBRARY_PATH|${LD_PRELOAD-none}\"\n\
                echo beside >&2\nexit 7\n";
    let script = room.script("script", text);
    let mut command = room.exec(&[], &script);
    let ended = run({
        command.args(["--json", "two words"]).write_stdin("from standard input\n");
        command
    });
    let (shown, library) = (script.display(), room.path("ours").canonicalize().unwrap());
    assert_eq!(
        ended.stdout,
        format!("from standard input\n{shown}|--json|two words|2\n{}|none\n", library.display())
    );
    assert_eq!((ended.code, ended.stderr.as_str()), (7, "beside\n"));
}

#[test]
fn what_was_in_the_variables_stays_behind() {
    let room = Room::new();
    let script = room.script("script", "#!/bin/sh\necho \"$LD_LIBRARY_PATH\"\n");
    let mut command = room.exec(&[], &script);
    command.env("LD_LIBRARY_PATH", "/nonexistent/b");
    let library = room.path("ours").canonicalize().unwrap();
    assert_eq!(run(command).stdout, format!("{}:/nonexistent/b\n", library.display()));
    let mut command = room.exec(&[], &script);
    command.env("LD_LIBRARY_PATH", "");
    assert_eq!(run(command).stdout, format!("{}\n", library.display()));
}

#[test]
fn a_program_is_found_in_path_and_without_the_dashes() {
    let room = Room::new();
    room.script("say", "#!/bin/sh\necho \"said $1\"\n");
    room.path("empty");
    std::fs::create_dir(room.path("say-not")).unwrap();
    let mut command = certstatus(&["exec", "--lib"]);
    command.arg(room.path("ours")).args(["say", "--help"]);
    command.env("PATH", format!("/nonexistent:{}:/bin", room.directory.path().display()));
    assert_eq!(run(command).stdout, "said --help\n");
}

#[test]
fn a_program_that_needs_libssl_gets_this_one() {
    let room = Room::new();
    let program = room.program(&["libssl.so.3"]).write(&room.path("program"));
    let (code, report) = room.check(&program);
    assert_eq!((code, &report["usage"]), (0, &"at_start".into()), "{report}");
    assert_eq!(report["needed_by"], serde_json::json!(["program"]));
    assert_eq!(report["library"]["found"], "given");
    let library = room.library_path().canonicalize().unwrap();
    assert_eq!(report["library"]["path"], library.to_str().unwrap());
    let directory = library.parent().unwrap().to_str().unwrap();
    assert_eq!(report["environment"], serde_json::json!({ "LD_LIBRARY_PATH": directory }));
}

#[test]
fn a_library_of_the_program_may_need_it() {
    let room = Room::new();
    let between = room.path("lib/libbetween.so.1");
    Recipe { soname: Some("libbetween.so.1"), needed: &["libssl.so.3"], ..Recipe::default() }
        .write(&between);
    let (needed, directory) = (["libbetween.so.1"], room.path("lib"));
    let recipe = Recipe { rpath: Some(&directory), ..room.program(&needed) };
    let (code, report) = room.check(recipe.write(&room.path("program")));
    assert_eq!((code, &report["usage"]), (0, &"at_start".into()), "{report}");
    assert_eq!(report["needed_by"], serde_json::json!(["libbetween.so.1"]));
}

#[test]
fn a_program_with_a_path_of_its_own_gets_it_by_preload() {
    let room = Room::new();
    Room::library().write(&room.path("theirs/libssl.so.3"));
    let theirs = room.path("theirs");
    let recipe = Recipe { rpath: Some(&theirs), ..room.program(&["libssl.so.3"]) };
    let (code, report) = room.check(recipe.write(&room.path("program")));
    let library = room.library_path().canonicalize().unwrap();
    assert_eq!((code, &report["usage"]), (0, &"at_start".into()), "{report}");
    assert_eq!(report["environment"]["LD_PRELOAD"], library.to_str().unwrap(), "{report}");
    let named = room.path("theirs/libssl.so.3");
    let by_path = [named.to_str().unwrap()];
    let program = room.program(&by_path).write(&room.path("by-path"));
    room.refuses(program, "The loader does not take");
}

#[test]
fn preload_is_used_when_asked_for() {
    let room = Room::new();
    let program = room.program(&["libssl.so.3"]).write(&room.path("program"));
    let ended = run(room.exec(&["--preload", "--check"], program));
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.contains("LD_PRELOAD="), "{}", ended.stdout);
}

#[test]
fn what_may_come_to_it_later_is_run() {
    let room = Room::new();
    let loads = Recipe { imports: &["dlopen"], ..room.program(&["libc.so.6"]) };
    let starts = Recipe { imports: &["execvp"], ..room.program(&["libc.so.6"]) };
    for (name, recipe) in [("loads", loads), ("starts", starts)] {
        let (code, report) = room.check(recipe.write(&room.path(name)));
        assert_eq!((code, &report["usage"]), (0, &"later".into()), "{report}");
    }
    let quiet = room.program(&["libc.so.6"]).write(&room.path("quiet"));
    room.refuses(&quiet, "does not use libssl");
    // What a script runs is not known from its interpreter.
    let script = room.script("script", &format!("#!{}\n", quiet.display()));
    let (code, report) = room.check(script);
    assert_eq!((code, &report["usage"]), (0, &"later".into()), "{report}");
    assert_eq!(report["program"]["interpreter"], quiet.to_str().unwrap());
}

#[test]
fn scripts_are_followed_through_env() {
    let room = Room::new();
    let program = room.program(&["libssl.so.3"]).write(&room.path("interpreter-here"));
    let script = room.script("script", "#!/usr/bin/env -S interpreter-here -x\n");
    let mut command = room.exec(&["--check", "--json"], script);
    command.env("PATH", room.directory.path());
    let report: Value = serde_json::from_str(&run(command).stdout).unwrap();
    assert_eq!(report["usage"], "at_start", "{report}");
    assert_eq!(report["program"]["interpreter"], program.to_str().unwrap());

    let lost = room.script("lost", "#!/nonexistent/interpreter\n");
    room.refuses(lost, "is to be run by /nonexistent/interpreter, which is not there");
}

#[test]
fn what_cannot_work_is_refused_with_the_reason() {
    let room = Room::new();
    let static_program = Recipe::default().write(&room.path("static"));
    room.refuses(static_program, "is linked statically: no loader");
    let recipe = Recipe { defines: &["SSL_CTX_new"], ..Recipe::default() };
    let with_own = recipe.write(&room.path("static-own"));
    room.refuses(with_own, "is linked statically, with a libssl of its own in it");
    let recipe = Recipe { defines: &["SSL_CTX_new"], ..room.program(&["libc.so.6"]) };
    room.refuses(recipe.write(&room.path("own")), "has a libssl of its own linked in, in own");
    let older = room.program(&["libssl.so.1.1"]).write(&room.path("older"));
    room.refuses(older, "it needs libssl.so.1.1, and this is libssl.so.3");
    for needed in [["libc.so.6", "libmissing.so.9"], ["libssl.so.3", "libmissing.so.9"]] {
        let program = room.program(&needed).write(&room.path("incomplete"));
        room.refuses(program, "its loader does not find libmissing.so.9");
    }
    let foreign = Recipe { foreign: true, ..room.program(&["libssl.so.3"]) };
    room.refuses(foreign.write(&room.path("foreign")), "is for another machine than the library");
    let interpreter = Some("/lib/ld-musl-nonexistent.so.1");
    let recipe = Recipe { interpreter, ..room.program(&["libssl.so.3"]) };
    room.refuses(recipe.write(&room.path("musl")), "asks for the loader /lib/ld-musl-nonexistent");
    let damaged = room.script("damaged", "\u{7f}ELF\u{2}\u{1}\u{1} and no more");
    room.refuses(damaged, "is damaged as an ELF file");
}

#[test]
fn the_program_has_to_be_there_and_to_be_one() {
    let room = Room::new();
    room.refuses(room.path("nothing"), "There is no program at");
    room.refuses(room.directory.path(), "is not a file that could be run");
    room.refuses("no-such-program-anywhere", "There is no program no-such-program-anywhere in");
    let plain = room.path("plain");
    std::fs::write(&plain, "#!/bin/sh\n").unwrap();
    room.refuses(&plain, "may not be run by you");
    let nonsense = room.script("nonsense", "\0\u{1}\u{2}\u{3}");
    let (code, report) = room.check(nonsense);
    assert_eq!((code, &report["usage"]), (0, &"not_known".into()), "{report}");
}

#[test]
fn a_library_has_to_be_one_of_that_name() {
    let room = Room::new();
    let with = |library: &Path| {
        let mut command = certstatus(&["exec", "--check", "--lib"]);
        command.arg(library).args(["--", "/bin/sh"]);
        let ended = run(command);
        assert_eq!(ended.code, 1, "{ended:?}");
        said(&ended)
    };
    assert!(with(&room.path("no/libssl.so.3")).contains("There is no library at"));
    let other = Recipe { soname: Some("libother.so.1"), ..Recipe::default() };
    let misnamed = other.write(&room.path("misnamed/libssl.so.3"));
    assert!(with(&misnamed).contains("calls itself libother.so.1"));
    let renamed = Room::library().write(&room.path("libssl.so"));
    assert!(with(&renamed).contains("is not named libssl.so.3"));
    let colon = Room::library().write(&room.path("a:b/libssl.so.3"));
    assert!(with(&colon).contains("':' has a meaning"));
    let text = room.script("libssl.so.3", "no library at all");
    assert!(with(&text).contains("ELF file"));
}

#[test]
fn the_library_is_found_beside_the_command() {
    let room = Room::new();
    let at = |place: &str| {
        let path = room.path(place);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::hard_link(env!("CARGO_BIN_EXE_certstatus"), &path).unwrap();
        path
    };
    let found = |binary: &Path| {
        let mut command = Command::new(binary);
        command.args(["exec", "--check", "--json", "--", "/bin/sh"]);
        let report: Value = serde_json::from_str(&run(command).stdout).unwrap();
        report
    };
    let installed = at("prefix/bin/certstatus");
    let message = found(&installed)["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("prefix/lib/certstatus/libssl.so.3"), "{message}");
    Room::library().write(&room.path("prefix/lib/certstatus/libssl.so.3"));
    assert_eq!(found(&installed)["library"]["found"], "installed");

    let built = at("target/debug/certstatus");
    let report = found(&built);
    let message = report["error"]["message"].as_str().unwrap();
    assert!(message.contains("target/libssl/libssl.so.3"), "{message}");
    assert!(report["next"][0].as_str().unwrap().contains("make libssl"), "{report}");
    Room::library().write(&room.path("target/libssl/libssl.so.3"));
    assert_eq!(found(&built)["library"]["found"], "built");
}

#[test]
fn verbose_says_the_same_and_starts_the_program() {
    let room = Room::new();
    let script = room.script("script", "#!/bin/sh\necho started\n");
    let ended = run(room.exec(&["--verbose"], &script));
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "started\n"));
    assert!(ended.stderr.contains("READY"), "{}", ended.stderr);
    assert_eq!(run(room.exec(&[], &script)).stderr, "");
}

#[test]
fn usage_errors_are_told_apart_from_the_program() {
    for args in [&["exec"] as &[&str], &["exec", "--no-such-flag", "--", "sh"], &["exec", "--"]] {
        assert_eq!(run(certstatus(args)).code, 2, "{args:?}");
    }
    let room = Room::new();
    let script = room.script("two", "#!/bin/sh\nexit 2\n");
    let ended = run(room.exec(&[], script));
    assert_eq!((ended.code, ended.stderr.as_str()), (2, ""));
}
