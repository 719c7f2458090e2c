//! The `certstatus` command, built from these sources, as one more program.
//!
//! `cargo test -p certstatus-interop` builds the libraries that the tests link, and not the command,
//! which is another package's binary. It is built here, once for all tests, by the same cargo and
//! into the same directory, so that no older one is tested by mistake.

use std::env::consts::EXE_SUFFIX;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::files::Files;
use super::pki::{Case, NAME, Version};
use super::process::{Finished, Program};

/// The command.
pub(crate) fn program() -> &'static Program {
    static PROGRAM: OnceLock<Program> = OnceLock::new();
    PROGRAM.get_or_init(|| Program::at(file()))
}

/// Where the command is, which is built now if it has to be.
pub(crate) fn file() -> &'static Path {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        // This test is in target/debug/deps, and the command one up, once it is built.
        let test = std::env::current_exe().expect("this test has a path");
        let directory = test.ancestors().nth(2).expect("target/debug");
        let path = directory.join(format!("certstatus{EXE_SUFFIX}"));
        build(&path);
        path
    })
}

/// Runs the command.
pub(crate) fn run(args: &[&str]) -> Finished {
    program().run(args)
}

/// Asserts what `certstatus check` makes of the server at that port of 127.0.0.1: its exit code, and
/// in its JSON that it spoke that version of TLS, verified the chain and saw the staple.
#[track_caller]
pub(crate) fn check(files: &Files, port: u16, version: Version, case: Case) {
    let (root, address) = (files.root(), format!("127.0.0.1:{port}"));
    let options = ["check", "--json", "--ca-file", &root, "--tls", version.number()];
    let target = ["--connect", &address, &format!("{NAME}:{port}")];
    let done = run(&[&options[..], &target].concat());
    done.exits(case.exit_code());
    let report: serde_json::Value = serde_json::from_slice(done.stdout())
        .unwrap_or_else(|e| panic!("this is not JSON: {e}\n{done}"));
    let connection = &report["connection"];
    assert_eq!(connection["tls_version"], format!("TLS {}", version.number()), "{done}");
    assert_eq!(report["chain"]["verified"], true, "{done}");
    let stapled = connection["stapled_bytes"].as_u64().unwrap_or(0);
    assert_eq!(stapled > 0, case != Case::Missing, "{done}");
}

/// Builds the command to `path`, which is `TARGET/PROFILE/certstatus`. It is up to date most of the
/// time, and cargo says so within a second.
fn build(path: &Path) {
    let directory = path.parent().expect("a binary is in a directory");
    let profile = directory.file_name().and_then(|name| name.to_str());
    let profile = match profile.expect("the directory is named for its profile") {
        "debug" => "dev",
        other => other,
    };
    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--offline"])
        .args(["--package", "certstatus-cli", "--bin", "certstatus", "--profile", profile])
        .arg("--target-dir")
        .arg(directory.parent().expect("the profile's directory is in the target directory"))
        .current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")))
        .output()
        .expect("cargo can be started");
    assert!(
        output.status.success() && path.is_file(),
        "the certstatus command could not be built:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
