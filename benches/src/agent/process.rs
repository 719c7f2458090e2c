//! The real `certstatus agent`, run as systemd runs it, and what it costs.

use std::env::consts::EXE_SUFFIX;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::site::Site;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// The command, which is built now if it has to be, beside this very program.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let here = std::env::current_exe().expect("this program has a path");
        let profile = here.ancestors().find(|directory| directory.join("deps").is_dir());
        let profile = profile.expect("the directory of a profile of cargo's");
        let name = profile.file_name().and_then(|name| name.to_str()).expect("its name");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--package", "certstatus-cli"])
            .args(["--profile", if name == "debug" { "dev" } else { name }, "--target-dir"])
            .arg(profile.parent().expect("the target directory"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(built.expect("cargo can be started").success(), "the command is not built");
        profile.join(format!("certstatus{EXE_SUFFIX}"))
    })
}

fn command(site: &Site, argument: Option<&str>) -> Command {
    let mut command = Command::new(program());
    command.args(["agent", "--config"]).arg(site.configure()).args(argument);
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "NOTIFY_SOCKET"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A run that ends by itself.
pub(super) struct Round {
    /// Seconds by the clock.
    pub(super) took: f64,
    /// Seconds of CPU time.
    pub(super) cpu: f64,
    /// Resident memory at its highest, in bytes.
    pub(super) peak: usize,
    /// Bytes of its report.
    pub(super) report: usize,
}

/// Runs `certstatus agent` with that argument to its end.
pub(super) fn round(site: &Site, argument: &str) -> Round {
    let begun = Instant::now();
    let mut process = Process(command(site, Some(argument)).spawn().expect("the agent"));
    let errors = collect(process.0.stderr.take().expect("a pipe"));
    let report = collect(process.0.stdout.take().expect("a pipe"));
    let mut peak = 0;
    while !process.has_ended() {
        // It may end at any moment, and then has no memory any more.
        peak = process.memory("VmHWM").unwrap_or(peak);
        assert!(begun.elapsed() < PATIENCE, "{argument} takes too long");
        std::thread::sleep(Duration::from_millis(10));
    }
    let (took, cpu) = (begun.elapsed().as_secs_f64(), process.cpu());
    let status = process.end();
    let (report, errors) = (report.text(), errors.text());
    assert!(status.success(), "{argument}: {status}\n{report}\n{errors}");
    Round { took, cpu, peak, report: report.len() }
}

/// What a child writes, read as it comes.
struct Collected(Arc<Mutex<String>>, JoinHandle<()>);

fn collect(from: impl Read + Send + 'static) -> Collected {
    let text = Arc::new(Mutex::new(String::new()));
    let shared = Arc::clone(&text);
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let mut text = shared.lock().expect("no panic");
            text.push_str(&line);
            text.push('\n');
        }
    });
    Collected(text, reader)
}

impl Collected {
    /// All of it, once the child has ended.
    fn text(self) -> String {
        self.1.join().expect("no panic");
        self.0.lock().expect("no panic").clone()
    }
}

/// An agent that runs as a service.
pub(super) struct Agent {
    process: Process,
    log: Arc<Mutex<String>>,
    notified: UnixDatagram,
    /// Seconds until it was ready.
    pub(super) start: f64,
    /// Seconds of CPU time until then.
    pub(super) start_cpu: f64,
}

/// What an answer over HTTP costs.
pub(super) struct Answer {
    /// Seconds until its last byte.
    pub(super) took: f64,
    /// Its bytes.
    pub(super) bytes: usize,
    /// How far resident memory went up meanwhile, in bytes.
    pub(super) growth: usize,
}

impl Agent {
    /// Starts it, and waits until it says to systemd that it is ready.
    pub(super) fn start(site: &Site) -> Self {
        let socket = site.path("notify");
        // One of an earlier agent is in the way.
        let _ = fs::remove_file(&socket);
        let notified = UnixDatagram::bind(&socket).expect("a socket");
        let begun = Instant::now();
        let mut command = command(site, None);
        command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "60000000");
        let mut process = Process(command.spawn().expect("the agent"));
        let Collected(log, _) = collect(process.0.stderr.take().expect("a pipe"));
        let mut agent = Self { process, log, notified, start: 0.0, start_cpu: 0.0 };
        agent.is_told("READY=1");
        (agent.start, agent.start_cpu) = (begun.elapsed().as_secs_f64(), agent.process.cpu());
        agent
    }

    /// Waits until systemd is told that.
    fn is_told(&self, what: &str) {
        let deadline = Instant::now() + PATIENCE;
        let mut message = [0; 4096];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{what} is not told:\n{}", self.log());
            self.notified.set_read_timeout(Some(left)).expect("a time-out");
            let length = self.notified.recv(&mut message).expect("a message in time");
            let text = String::from_utf8_lossy(message.get(..length).unwrap_or_default());
            if text.lines().any(|line| line == what) {
                return;
            }
        }
    }

    pub(super) fn log(&self) -> String {
        self.log.lock().expect("no panic").clone()
    }

    /// Resident memory, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.process.memory("VmRSS").expect("it runs")
    }

    /// Resident memory at its highest, in bytes.
    pub(super) fn peak(&self) -> usize {
        self.process.memory("VmHWM").expect("it runs")
    }

    /// The share of one core that it takes over that time.
    pub(super) fn idle(&self, time: Duration) -> f64 {
        let (begun, cpu) = (Instant::now(), self.process.cpu());
        std::thread::sleep(time);
        (self.process.cpu() - cpu) / begun.elapsed().as_secs_f64()
    }

    /// Asks for a page of it.
    pub(super) fn ask(&self, path: &str) -> (Answer, String) {
        let log = self.log();
        let (_, address) = log.split_once("status page at http://").expect("a status page");
        let (address, _) = address.split_once('/').expect("a URL");
        // The highest from here on (`proc(5)`).
        fs::write(format!("/proc/{}/clear_refs", self.process.0.id()), "5").expect("Linux");
        let (memory, begun) = (self.memory(), Instant::now());
        let mut stream = TcpStream::connect(address).expect("it listens");
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer:.400}");
        let (took, bytes) = (begun.elapsed().as_secs_f64(), answer.len());
        (Answer { took, bytes, growth: self.peak().saturating_sub(memory) }, answer)
    }

    /// Has it read its configuration again. Gives seconds until it is ready again.
    pub(super) fn reload(&self) -> f64 {
        let begun = Instant::now();
        self.process.signal(Signal::HUP);
        self.is_told("READY=1");
        begun.elapsed().as_secs_f64()
    }

    /// Has it end. Gives how many seconds that takes.
    pub(super) fn stop(self) -> f64 {
        let begun = Instant::now();
        self.process.signal(Signal::TERM);
        let status = self.process.end();
        assert!(status.success(), "{status}");
        begun.elapsed().as_secs_f64()
    }
}

/// A child. It is killed with the value, if it has not ended.
struct Process(Child);

impl Process {
    /// A file of `proc(5)`.
    fn file(&self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.0.id())).expect("a running process")
    }

    /// Seconds of CPU time so far.
    fn cpu(&self) -> f64 {
        let stat = self.file("stat");
        let (_, fields) = stat.rsplit_once(") ").expect("proc(5)");
        let ticks = |n: usize| fields.split(' ').nth(n).and_then(|f| f.parse::<f64>().ok());
        // utime and stime are fields 14 and 15; the first two are gone.
        let ticks = ticks(11).zip(ticks(12)).map(|(user, system)| user + system);
        ticks.expect("numbers") / rustix::param::clock_ticks_per_second() as f64
    }

    /// A field of `status`, such as `VmRSS`, in bytes. `None` of a process that has ended.
    fn memory(&self, field: &str) -> Option<usize> {
        let status = self.file("status");
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        let kib = line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<usize>();
        Some(kib.expect("a number") * 1024)
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it runs");
    }

    /// Whether it has ended. What it took can still be seen after that.
    fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        waitid(WaitId::Pid(self.pid()), options).expect("a child of ours").is_some()
    }

    fn end(mut self) -> ExitStatus {
        self.0.wait().expect("a child of ours")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a child that has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
