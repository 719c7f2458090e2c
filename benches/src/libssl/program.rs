//! The C program: compiled, started on a library, and asked for one round after the other.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tempfile::TempDir;

/// A libssl.
#[derive(Clone, Debug)]
pub(super) enum Library {
    /// The one that the linker finds.
    System,
    /// The `libssl.so.3` in this directory.
    In(PathBuf),
}

impl Library {
    /// Has a command use this library.
    pub(super) fn choose(&self, command: &mut Command) {
        match self {
            Self::System => command.env_remove("LD_LIBRARY_PATH"),
            Self::In(directory) => command.env("LD_LIBRARY_PATH", directory),
        };
    }

    /// Whether this is the library in that file.
    pub(super) fn is(&self, file: &str) -> bool {
        match self {
            Self::System => file.starts_with("/usr/lib/") || file.starts_with("/lib/"),
            Self::In(directory) => Path::new(file) == directory.join("libssl.so.3"),
        }
    }
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("the system's libssl.so.3"),
            Self::In(directory) => write!(f, "{}", directory.join("libssl.so.3").display()),
        }
    }
}

/// What one round gave: `operations`, `client_ns` and so on.
pub(super) type Figures = BTreeMap<String, f64>;

/// The compiled program.
#[derive(Debug)]
pub(super) struct Program {
    directory: TempDir,
}

impl Program {
    /// Compiles it against the system's headers.
    pub(super) fn compile() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("libssl");
        let output = Command::new("cc")
            .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-O2", "-o"])
            .arg(directory.path().join("bench"))
            .args([sources.join("bench.c"), sources.join("ends.c")])
            .args(["-lssl", "-lcrypto", "-ldl"])
            .output()
            .expect("cc is installed: `apt-get install build-essential libssl-dev`");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { directory }
    }

    /// Starts a case on a library; comes back when one operation has succeeded.
    ///
    /// # Errors
    /// What the program says when its library does not do what is asked.
    pub(super) fn start(
        &self,
        library: &Library,
        sample: &Path,
        case: &[&str],
    ) -> Result<Running, String> {
        let mut command = Command::new(self.directory.path().join("bench"));
        let stderr = tempfile::tempfile().expect("a temporary file");
        library.choose(&mut command);
        let mut child = command
            .arg(sample)
            .args(case)
            // What is freed is free: no blocks that wait in a thread's cache count as in use.
            .env("GLIBC_TUNABLES", tunables(case))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr.try_clone().expect("a file handle"))
            .spawn()
            .expect("the program starts");
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().map(BufReader::new).expect("a pipe");
        let mut running = Running { child, stdin, stdout, stderr, spoke: String::new() };
        let used = running.answer("library")?;
        assert!(library.is(&used), "the program was to run on {library} and ran on {used}");
        running.spoke = running.answer("ready")?;
        Ok(running)
    }
}

fn tunables(case: &[&str]) -> &'static str {
    if case.first() == Some(&"memory") { "glibc.malloc.tcache_count=0" } else { "" }
}

/// A process in the middle of its case.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    stderr: File,
    /// Version, cipher suite and group that were negotiated.
    pub(super) spoke: String,
}

impl Running {
    /// Has it measure: for so many milliseconds, or with so many connections.
    ///
    /// # Errors
    /// What the program says, or how it ended.
    pub(super) fn round(&mut self, size: u128) -> Result<Figures, String> {
        if let Some(stdin) = &mut self.stdin {
            // A process that is gone tells more by what it said last.
            let _ = writeln!(stdin, "{size}");
        }
        let answer = self.answer("round")?;
        let pairs = answer.split(' ').filter_map(|pair| pair.split_once('='));
        Ok(pairs.map(|(name, value)| (name.to_owned(), value.parse().expect("a number"))).collect())
    }

    /// Lets it free everything and end.
    ///
    /// # Errors
    /// How it ended, when not well.
    pub(super) fn finish(mut self) -> Result<(), String> {
        drop(self.stdin.take());
        let status = self.child.wait().expect("a child of this process");
        if status.success() { Ok(()) } else { Err(self.last_words()) }
    }

    /// The rest of the next line, which begins with that word.
    fn answer(&mut self, word: &str) -> Result<String, String> {
        let mut line = String::new();
        // What is no text is no answer either.
        let _ = self.stdout.read_line(&mut line);
        let line = line.trim_end();
        if let Some(failure) = line.strip_prefix("failed ") {
            return Err(failure.to_owned());
        }
        match line.strip_prefix(word) {
            Some(rest) => Ok(rest.trim_start().to_owned()),
            None => Err(self.last_words()),
        }
    }

    /// How the process ended, and the last line of its standard error.
    fn last_words(&mut self) -> String {
        // It has closed its output, and has therefore ended or is about to.
        let status = self.child.wait().expect("a child of this process");
        let said = last_line(&mut self.stderr);
        if said.is_empty() { format!("{status}") } else { format!("{status}: {said}") }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail when it has ended, and then all is well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The last line that is not empty of what a process has written to a file.
pub(super) fn last_line(file: &mut File) -> String {
    use std::io::{Read, Seek};

    let mut bytes = Vec::new();
    let read = file.rewind().and_then(|()| file.read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().rfind(|line| !line.trim().is_empty());
    read.ok().and(line).unwrap_or_default().trim().to_owned()
}
