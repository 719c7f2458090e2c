//! Other programs as child processes: found or missed with a sentence, bounded in time, killed by
//! their own id, and never silent when something goes wrong.
//!
//! A [`Program`] is a peer on this machine. [`Program::run`] runs one to its end, [`Daemon`] keeps
//! one for as long as the value lives. Both drain the pipes in threads of their own, so that no
//! child waits for a reader.

use std::ffi::OsStr;
use std::fmt;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

/// How long a program may take to end, or to become ready. A healthy one takes well under a second;
/// a loaded machine with two processors may need some more.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// How often something is looked at that is waited for.
const PAUSE: Duration = Duration::from_millis(10);

/// A program of another project.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    path: PathBuf,
}

impl Program {
    /// The program of that name, from the `package` of Debian and Ubuntu. It is looked for in the
    /// path and where servers are kept. A missing one is a failure: a test that skips proves
    /// nothing.
    pub(crate) fn find(name: &str, package: &str) -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::split_paths(&path)
            .chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
            .map(|directory| directory.join(name))
            .find(|path| path.is_file());
        match path {
            Some(path) => Self { path },
            None => panic!(
                "{name} is not installed, and this test needs it: run `apt-get install {package}`, \
                 or `ci/test`, which does so"
            ),
        }
    }

    /// The program at that path.
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// A call of the program, in a fixed locale and out of reach of a proxy.
    pub(crate) fn call(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.env("LC_ALL", "C").env("NO_COLOR", "1").env("no_proxy", "*");
        command
    }

    /// Runs the program to its end with these arguments and nothing on its standard input.
    pub(crate) fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Finished {
        let mut command = self.call();
        command.args(args);
        run(command)
    }
}

/// Runs a program to its end with nothing on its standard input.
pub(crate) fn run(command: Command) -> Finished {
    Daemon::start(command).finish()
}

/// Runs a program and says lines to it. After each it is given time for the words that belong to it,
/// which a program that ends need not say.
pub(crate) fn converse(command: &mut Command, lines: &[(&str, &str)]) -> Finished {
    command.stdin(Stdio::piped());
    let mut program = Daemon::spawn(command);
    let mut input = program.child.stdin.take().expect("standard input is piped");
    for (line, words) in lines {
        // It may have ended, and says why.
        let _ = writeln!(input, "{line}");
        let deadline = Instant::now() + PATIENCE;
        while !program.text().contains(words) && program.is_running() {
            assert!(Instant::now() < deadline, "no {words:?} within {PATIENCE:?}\n{program}");
            sleep(PAUSE);
        }
    }
    drop(input);
    program.finish()
}

/// What a program left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    call: String,
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Finished {
    /// The exit code; -1 when a signal ended it.
    pub(crate) fn code(&self) -> i32 {
        self.code.unwrap_or(-1)
    }

    /// What it wrote, standard output first.
    pub(crate) fn text(&self) -> String {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        text(&self.stdout) + &text(&self.stderr)
    }

    /// Its standard output as it is.
    pub(crate) fn stdout(&self) -> &[u8] {
        &self.stdout
    }

    /// With the lines made whole again that OpenSSL breaks with a backslash.
    pub(crate) fn unfolded(mut self) -> Self {
        self.stdout = String::from_utf8_lossy(&self.stdout).replace("\\\n", "").into_bytes();
        self
    }

    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code(), code, "the exit code is another one than told\n{self}");
        self
    }

    /// Asserts that it failed, with whatever code.
    #[track_caller]
    pub(crate) fn fails(&self) -> &Self {
        assert_ne!(self.code(), 0, "it succeeded, and should not have\n{self}");
        self
    }

    /// Asserts that it wrote `words`.
    #[track_caller]
    pub(crate) fn says(&self, words: &str) -> &Self {
        assert!(self.text().contains(words), "it does not say {words:?}\n{self}");
        self
    }

    /// Asserts that it did not write `words`.
    #[track_caller]
    pub(crate) fn does_not_say(&self, words: &str) -> &Self {
        assert!(!self.text().contains(words), "it says {words:?}, and should not\n{self}");
        self
    }
}

/// All there is to know for whoever reads a failed test.
impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (stdout, stderr) =
            (String::from_utf8_lossy(&self.stdout), String::from_utf8_lossy(&self.stderr));
        write!(
            f,
            "$ {}\nexit code {}\n--- standard output\n{stdout}\n--- standard error\n{stderr}",
            self.call,
            self.code()
        )
    }
}

/// A program that runs for as long as this value lives.
#[derive(Debug)]
pub(crate) struct Daemon {
    call: String,
    child: Child,
    stdout: Captured,
    stderr: Captured,
}

impl Daemon {
    /// Starts a program with nothing on its standard input.
    pub(crate) fn start(mut command: Command) -> Self {
        Self::spawn(command.stdin(Stdio::null()))
    }

    fn spawn(command: &mut Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let call = format!("{command:?}");
        let mut child =
            command.spawn().unwrap_or_else(|e| panic!("{call} could not be started: {e}"));
        let stdout = Captured::drain(child.stdout.take().expect("standard output is piped"));
        let stderr = Captured::drain(child.stderr.take().expect("standard error is piped"));
        Self { call, child, stdout, stderr }
    }

    /// What it has written until now, standard output first.
    pub(crate) fn text(&self) -> String {
        let text = |captured: &Captured| String::from_utf8_lossy(&captured.so_far()).into_owned();
        text(&self.stdout) + &text(&self.stderr)
    }

    /// Whether it has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_none()
    }

    /// Sends it a signal, such as `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        // The shell's own: the program is not on every machine. What came of it, who waits will see.
        Program::find("sh", "dash").run(["-c", &format!("kill -{name} {}", self.child.id())]);
    }

    /// Asks it to end, for it to take its children along, which it cannot when it is killed.
    pub(crate) fn terminate(&mut self) {
        if self.is_running() {
            self.signal("TERM");
            self.wait_for_end();
        }
    }

    /// Gives it time to end by itself. What has not ended then is killed with the value.
    pub(crate) fn wait_for_end(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while self.is_running() && Instant::now() < deadline {
            sleep(PAUSE);
        }
    }

    /// Waits until it accepts connections at that port of 127.0.0.1.
    pub(crate) fn wait_for_port(&mut self, port: u16) {
        self.wait_for(&format!("a listener at port {port}"), |_| {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok().map(drop)
        });
    }

    /// Waits until it has written `words`.
    pub(crate) fn wait_for_words(&mut self, words: &str) {
        self.wait_for(&format!("the words {words:?}"), |text| text.contains(words).then_some(()));
    }

    /// The port that it says it listens at, in OpenSSL's words: `ACCEPT 127.0.0.1:4433`.
    pub(crate) fn accept_port(&mut self) -> u16 {
        self.wait_for("a line `ACCEPT address:port`", |text| {
            let (_, rest) = text.split_once("ACCEPT ")?;
            let (line, _) = rest.split_once('\n')?;
            line.split_whitespace().next()?.rsplit_once(':')?.1.parse().ok()
        })
    }

    /// Waits until `found` finds something in what it has written.
    fn wait_for<T>(&mut self, what: &str, found: impl Fn(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ended = self.child.try_wait().expect("a child can be waited for");
            if let Some(found) = found(&self.text()) {
                return found;
            }
            if let Some(status) = ended {
                panic!("it ended ({status}) before there was {what}\n{self}");
            }
            assert!(Instant::now() < deadline, "no {what} within {PATIENCE:?}\n{self}");
            sleep(PAUSE);
        }
    }

    /// Waits for its end, and kills it when that does not come.
    fn finish(mut self) -> Finished {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            if Instant::now() >= deadline {
                panic!("it did not end within {PATIENCE:?}\n{self}");
            }
            sleep(PAUSE);
        };
        Finished {
            call: self.call.clone(),
            code: status.code(),
            stdout: self.stdout.all(),
            stderr: self.stderr.all(),
        }
    }
}

impl fmt::Display for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "$ {}\n--- what it wrote\n{}", self.call, self.text())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail only for a child that has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("beside the test that failed ran\n{self}");
        }
    }
}

/// What comes out of a pipe, as far as it has come.
#[derive(Debug)]
struct Captured {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Captured {
    fn drain(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&bytes);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = pipe.read(&mut buffer) {
                shared.lock().unwrap().extend_from_slice(&buffer[..length]);
            }
        });
        Self { bytes, reader: Some(reader) }
    }

    fn so_far(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }

    /// All of it, once the program has ended.
    fn all(&mut self) -> Vec<u8> {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.so_far()
    }
}

/// A port of 127.0.0.1 that nobody uses, for programs that cannot choose one themselves.
///
/// It lies below the range from which systems give ports to outgoing connections, and no two calls
/// in this process give the same one.
pub(crate) fn free_port() -> u16 {
    const FIRST: u16 = 12_000;
    const COUNT: u16 = 20_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes that run side by side have numbers that are near each other, and need hundreds each.
    let far = std::process::id().wrapping_mul(7919) % u32::from(COUNT);
    let start = u16::try_from(far).unwrap_or_default();
    for _ in 0..100 {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (start.wrapping_add(step)) % COUNT;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("100 ports of 127.0.0.1 in a row are in use");
}

/// Polls until `done` gives something, and panics with `what` when it does not in time.
pub(crate) fn eventually<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = done() {
            return value;
        }
        assert!(Instant::now() < deadline, "{what} did not happen within {PATIENCE:?}");
        sleep(PAUSE);
    }
}
