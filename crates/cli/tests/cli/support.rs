//! A lab with its files, and the command as it is run by a user.

use std::path::{Path, PathBuf};
use std::time::Duration;

use assert_cmd::Command;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use certstatus_lab::{Files, Lab, LabBuilder, Leaf, LeafRequest};
use serde_json::Value;
use tempfile::TempDir;

/// A lab, a leaf and their files.
pub(crate) struct Bench {
    pub(crate) lab: Lab,
    pub(crate) leaf: Leaf,
    pub(crate) files: Files,
    pub(crate) directory: TempDir,
}

impl Bench {
    /// A lab with a responder that runs, and a delegate that signs.
    pub(crate) fn new() -> Self {
        let builder = Lab::builder().delegate(true).hold(Duration::from_secs(5));
        Self::with(builder, LeafRequest::new("localhost"))
    }

    pub(crate) fn with(builder: LabBuilder, request: LeafRequest) -> Self {
        let lab = builder.start().unwrap();
        let leaf = lab.issue(request).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let files = lab.write_files(directory.path(), &leaf).unwrap();
        Self { lab, leaf, files, directory }
    }

    /// A path in the bench's own directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file into the bench's own directory.
    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, contents).unwrap();
        path
    }

    /// `certstatus verify` of a response in a file.
    pub(crate) fn verify(&self, response: &Path) -> Command {
        let mut command = certstatus(&["verify", "--cert"]);
        command.arg(&self.files.cert_pem).arg("--issuer").arg(&self.files.issuer_pem).arg(response);
        command
    }

    /// `certstatus fetch` of the leaf's chain.
    pub(crate) fn fetch(&self, args: &[&str]) -> Command {
        let mut command = certstatus(&["fetch"]);
        command.arg(&self.files.chain_pem).args(args);
        command
    }
}

/// The command, in an environment that does not depend on the machine.
pub(crate) fn certstatus(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_certstatus"));
    let colours = ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"];
    let proxies =
        ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
    for name in colours.into_iter().chain(proxies) {
        command.env_remove(name);
    }
    command.env("LC_ALL", "C.UTF-8").env("COLUMNS", "100").args(args);
    command.timeout(Duration::from_secs(30));
    command
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn run(mut command: Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        code: output.status.code().expect("the command was ended by a signal"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs with `--json`: the exit code, and the one JSON object on standard output, which agree.
pub(crate) fn run_json(mut command: Command) -> (i32, Value) {
    command.arg("--json");
    let ended = run(command);
    assert_eq!(ended.stderr, "", "with --json nothing goes to standard error");
    assert_eq!(ended.stdout.lines().count(), 1, "one line: {}", ended.stdout);
    let json: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(json["verdict"]["exit_code"], ended.code, "{json}");
    assert!(json["verdict"]["summary"].as_str().unwrap().ends_with('.'), "{json}");
    assert!(json["next"].is_array() && json["checked_at"].is_string(), "{json}");
    (ended.code, json)
}

/// DER as PEM.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
