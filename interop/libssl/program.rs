//! The C programs: compiled here, and run on a library, plainly, with AddressSanitizer or under
//! valgrind.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::certificates::Certificates;
use crate::library::Library;
use crate::transcript::Transcript;

/// After how many seconds a case that hangs ends its process.
const CASE_SECONDS: &str = "10";

/// The same under valgrind, where everything takes some fifty times as long.
const CASE_SECONDS_UNDER_VALGRIND: &str = "300";

/// The exit code by which valgrind and AddressSanitizer say that they found something.
const FOUND: &str = "99";

/// How a program is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    Plain,
    AddressSanitizer,
    /// The functions of the man page are functions, and not macros; only our library has them.
    AsFunctions,
}

/// A compiled program.
#[derive(Debug)]
pub(crate) struct Program {
    name: String,
    directory: TempDir,
}

impl Program {
    /// Compiles `c/NAME.c` and what the programs share against the system's headers.
    pub(crate) fn compile(name: &str, build: Build) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("libssl/c");
        let mut compiler = Command::new("cc");
        compiler
            .args(["-std=c11", "-D_DEFAULT_SOURCE", "-Wall", "-Wextra", "-Werror", "-g", "-O1"])
            .args([sources.join(format!("{name}.c")), sources.join("harness.c")])
            .args([OsStr::new("-o"), directory.path().join(name).as_os_str()]);
        match build {
            Build::Plain => compiler.arg("-lssl"),
            Build::AddressSanitizer => {
                compiler.args(["-fsanitize=address", "-fno-omit-frame-pointer", "-lssl"])
            }
            Build::AsFunctions => compiler.args(["-DAS_FUNCTIONS", "-lssl"]),
        };
        compiler.args(["-lcrypto", "-ldl", "-lpthread"]);
        let output = compiler.output().expect("cc is installed: `apt-get install build-essential`");
        assert!(output.status.success(), "{name}:\n{}", String::from_utf8_lossy(&output.stderr));
        Self { name: name.to_owned(), directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join(&self.name)
    }

    /// Runs all cases.
    pub(crate) fn run(&self, library: &Library, certificates: &Certificates) -> Transcript {
        let output = self.output(Command::new(self.path()), library, certificates, &[]);
        Transcript::parse(&String::from_utf8_lossy(&output.stdout), &output.status.to_string())
    }

    /// The names of all cases, as a transcript without lines.
    pub(crate) fn list(&self, certificates: &Certificates) -> Transcript {
        let mut command = Command::new(self.path());
        command.arg(certificates.path()).arg("--list");
        let output = command.output().expect("the program starts");
        Transcript::parse(&String::from_utf8_lossy(&output.stdout), &output.status.to_string())
    }

    /// Runs the cases of another transcript; when one ends the process, goes on with the next.
    pub(crate) fn run_over_crashes(
        &self,
        library: &Library,
        certificates: &Certificates,
        all: &Transcript,
    ) -> Transcript {
        let mut transcript = self.run(library, certificates);
        let names: Vec<&str> = all.cases().iter().map(|case| case.name.as_str()).collect();
        while transcript.ended_early().is_some() {
            let last = transcript.cases().last().map(|case| case.name.as_str());
            let done = names.iter().position(|name| Some(*name) == last).map_or(0, |at| at + 1);
            let rest = &names[done..];
            if rest.is_empty() || last.is_none() {
                break;
            }
            let output = self.output(Command::new(self.path()), library, certificates, rest);
            let printed = String::from_utf8_lossy(&output.stdout);
            let later = Transcript::parse(&printed, &output.status.to_string());
            assert!(!later.cases().is_empty(), "{} said nothing: {}", self.name, output.status);
            transcript.append(later);
        }
        transcript
    }

    /// Runs these cases, or all, in a program that was built with AddressSanitizer, and asserts that
    /// it finds nothing, leaks included.
    pub(crate) fn run_clean(
        &self,
        library: &Library,
        certificates: &Certificates,
        cases: &[&str],
    ) -> Transcript {
        let mut command = Command::new(self.path());
        command.env("ASAN_OPTIONS", format!("exitcode={FOUND}:detect_leaks=1"));
        let output = self.output(command, library, certificates, cases);
        self.assert_nothing_found("AddressSanitizer", &output);
        Transcript::parse(&String::from_utf8_lossy(&output.stdout), &output.status.to_string())
    }

    /// Runs these cases under valgrind, and asserts that it finds no error and no definite leak.
    pub(crate) fn run_under_valgrind(
        &self,
        library: &Library,
        certificates: &Certificates,
        cases: &[&str],
    ) {
        let mut command = Command::new("valgrind");
        command
            .args(["--quiet", "--leak-check=full", "--errors-for-leak-kinds=definite"])
            .args(["--show-leak-kinds=definite", "--num-callers=30"])
            .arg(format!("--error-exitcode={FOUND}"))
            .arg(self.path())
            .env("CASE_SECONDS", CASE_SECONDS_UNDER_VALGRIND);
        let output = self.output(command, library, certificates, cases);
        self.assert_nothing_found("valgrind", &output);
    }

    fn assert_nothing_found(&self, by: &str, output: &Output) {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{by} on {}: {}\n{said}", self.name, output.status);
    }

    fn output(
        &self,
        mut command: Command,
        library: &Library,
        certificates: &Certificates,
        cases: &[&str],
    ) -> Output {
        command.arg(certificates.path());
        if !cases.is_empty() {
            let file = self.directory.path().join("cases");
            std::fs::write(&file, cases.join("\n")).expect("the file of cases");
            command.arg("--cases").arg(file);
        }
        if command.get_envs().all(|(name, _)| name != "CASE_SECONDS") {
            command.env("CASE_SECONDS", CASE_SECONDS);
        }
        library.choose(&mut command);
        // What a thread's cache keeps for later would count as memory in use.
        command.env("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0");
        let output = command.env("LC_ALL", "C").output().unwrap_or_else(|error| {
            panic!("{}: {error}", command.get_program().display());
        });
        let said = String::from_utf8_lossy(&output.stderr);
        let used = said.lines().find_map(|line| line.strip_prefix("libssl: "));
        assert!(
            used.is_some_and(|file| library.is(file)),
            "{} was to run on {library:?} and ran on {used:?}\n{said}",
            self.name
        );
        output
    }
}
