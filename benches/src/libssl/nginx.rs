//! nginx on both libraries, serving 1 KiB over a new connection each, to wrk.
//!
//! Both servers are alive all the time, and the same wrk loads them in turn. It runs on our library:
//! on OpenSSL's a client needs twice the time of nginx for a full handshake, so that wrk would be what
//! is measured, with nginx half idle. Requests per second are what a user sees, and depend on what else
//! the machine does; requests per second of nginx's CPU time do so less. How busy nginx was says how
//! far the first is its own figure.

use std::fmt::Write as _;
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use certstatus_lab::KeyKind;
use tempfile::TempDir;

use crate::side_by_side::Effort;

use super::program::{Library, last_line};
use super::rounds::middle;
use super::sample::Sample;
use super::table::{self, Goal};

/// How long nginx may take until it accepts connections.
const PATIENCE: Duration = Duration::from_secs(10);

/// Clock ticks per second in `/proc/PID/stat`; the same on every Linux.
const TICKS: f64 = 100.0;

/// Loads nginx on both libraries, where nginx and wrk are installed.
pub(super) fn run(libraries: &[Library; 2], effort: Effort) {
    let (Some(nginx), Some(wrk)) = (find("nginx"), find("wrk")) else {
        println!("nginx: not measured, for that takes `apt-get install nginx-light wrk`.\n");
        return;
    };
    let (rounds, seconds) = if effort.is_smoke() { (1, 1) } else { (5, 2) };
    table::head(&format!(
        "nginx, one process, 1 KiB over a new connection each, {rounds} × {seconds} s of wrk"
    ));
    for key in [KeyKind::EcdsaP256, KeyKind::Rsa2048] {
        let sample = Sample::new(key);
        for sessions in [Sessions::Full, Sessions::Resumed] {
            let start = |library| Nginx::start(&nginx, library, &sample, sessions);
            let [ours, system] = libraries.each_ref().map(start);
            let system = system.unwrap_or_else(|failure| panic!("nginx on OpenSSL: {failure}"));
            let label = format!("{key} {}", sessions.name());
            let load_with = |nginx: &Nginx| nginx.load(&wrk, &libraries[0], seconds);
            load(&label, ours, &system, load_with, rounds);
        }
    }
    println!();
}

/// Whether nginx gives tickets. wrk resumes where it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sessions {
    Full,
    Resumed,
}

impl Sessions {
    fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Resumed => "resumed",
        }
    }

    fn tickets(self) -> &'static str {
        match self {
            Self::Full => "off",
            Self::Resumed => "on",
        }
    }

    /// Refuses a figure that is of something else: `log` has a line for each request, `r` where the
    /// session was resumed.
    fn check(self, log: &str) -> Result<(), String> {
        let resumed = log.lines().filter(|line| *line == "r").count();
        let percent = 100 * resumed / log.lines().count().max(1);
        let tickets = self.tickets();
        match self {
            Self::Full if percent < 1 => Ok(()),
            Self::Resumed if percent >= 90 => Ok(()),
            _ => Err(format!("{percent} % of connections resumed, with tickets {tickets}")),
        }
    }
}

/// What one load by wrk came to.
#[derive(Clone, Copy, Debug)]
struct Load {
    /// Requests per second.
    per_second: f64,
    /// Requests per second of nginx's CPU time.
    per_cpu_second: f64,
    /// How much of a core nginx used, in percent.
    busy: f64,
}

fn load(
    label: &str,
    ours: Result<Nginx, String>,
    system: &Nginx,
    load: impl Fn(&Nginx) -> Result<Load, String>,
    rounds: usize,
) {
    let mut our_loads = ours.as_ref().map(|_| Vec::new()).map_err(Clone::clone);
    let mut system_loads = Vec::new();
    for _ in 0..rounds {
        if let (Ok(nginx), Ok(loads)) = (&ours, &mut our_loads) {
            match load(nginx) {
                Ok(done) => loads.push(done),
                Err(failure) => our_loads = Err(failure),
            }
        }
        system_loads.push(load(system).unwrap_or_else(|e| panic!("nginx on OpenSSL: {e}")));
    }
    type Figure = (&'static str, fn(&Load) -> f64);
    let figures: [Figure; 2] = [
        ("requests / s", |load| load.per_second),
        ("requests / s of nginx's CPU", |load| load.per_cpu_second),
    ];
    if let Ok(loads) = &our_loads {
        let [ours, system] = [loads, &system_loads].map(|loads| {
            let busy: Vec<f64> = loads.iter().map(|load| load.busy).collect();
            middle(&busy)
        });
        table::plain(&format!("{label} nginx's share of a core, %"), ours, system);
    }
    for (name, figure) in figures {
        let label = format!("{label} {name}");
        let system: Vec<f64> = system_loads.iter().map(figure).collect();
        match &our_loads {
            Ok(loads) => {
                let ours: Vec<f64> = loads.iter().map(figure).collect();
                table::values(&label, &ours, &system, Goal::AtLeastOne);
            }
            Err(failure) => table::failed(&label, failure, middle(&system)),
        }
    }
}

/// A running nginx; ends with the value.
#[derive(Debug)]
struct Nginx {
    child: Child,
    stderr: File,
    port: u16,
    sessions: Sessions,
    /// Its configuration, the file that it serves and its log.
    directory: TempDir,
}

impl Nginx {
    /// Starts nginx as one process on that library.
    fn start(
        program: &Path,
        library: &Library,
        sample: &Sample,
        sessions: Sessions,
    ) -> Result<Self, String> {
        let directory = TempDir::new().expect("a temporary directory");
        let port = free_port();
        let config = configuration(directory.path(), port, sample, sessions);
        std::fs::write(directory.path().join("nginx.conf"), config).expect("a file");
        std::fs::write(directory.path().join("1k"), [b'x'; 1024]).expect("a file");
        let stderr = tempfile::tempfile().expect("a temporary file");
        let mut command = Command::new(program);
        library.choose(&mut command);
        let child = command
            .arg("-p")
            .arg(directory.path())
            .args(["-c", "nginx.conf", "-e", "stderr"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr.try_clone().expect("a file handle"))
            .spawn()
            .expect("nginx starts");
        let mut nginx = Self { child, stderr, port, sessions, directory };
        nginx.wait_until_ready()?;
        let used = nginx.library();
        assert!(library.is(&used), "nginx was to run on {library} and runs on {used:?}");
        Ok(nginx)
    }

    fn wait_until_ready(&mut self) -> Result<(), String> {
        let start = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            if let Some(status) = self.child.try_wait().expect("a child of this process") {
                return Err(format!("{status}: {}", last_line(&mut self.stderr)));
            }
            if start.elapsed() > PATIENCE {
                return Err("nginx does not accept connections".to_owned());
            }
            sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// The libssl that is mapped into the process.
    fn library(&self) -> String {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", self.child.id()));
        let maps = maps.unwrap_or_default();
        let mut files = maps.lines().filter_map(|line| line.split_whitespace().nth(5));
        files.find(|file| file.contains("/libssl.so")).unwrap_or_default().to_owned()
    }

    /// Has wrk ask as often as it can.
    fn load(&self, wrk: &Path, library: &Library, seconds: u32) -> Result<Load, String> {
        let log = self.directory.path().join("log");
        std::fs::write(&log, "").expect("the log, which nginx appends to");
        let mut wrk = Command::new(wrk);
        library.choose(&mut wrk);
        wrk.args(["-t1", "-c16", "-H", "Connection: close"])
            .arg(format!("-d{seconds}s"))
            .arg(format!("https://127.0.0.1:{}/1k", self.port));
        let (before, start) = (self.cpu_seconds(), Instant::now());
        let output = wrk.output().expect("wrk starts");
        let cpu_seconds = self.cpu_seconds() - before;
        let busy = 100.0 * cpu_seconds / start.elapsed().as_secs_f64();
        // Until the log is written.
        sleep(Duration::from_millis(300));
        self.sessions.check(&std::fs::read_to_string(&log).expect("the log"))?;
        let said = String::from_utf8_lossy(&output.stdout);
        for trouble in ["Socket errors:", "Non-2xx or 3xx responses:"] {
            if let Some(line) = said.lines().find(|line| line.trim().starts_with(trouble)) {
                return Err(format!("wrk: {}", line.trim()));
            }
        }
        let requests = said.lines().find_map(|line| line.trim().split_once(" requests in "));
        let requests = requests.and_then(|(count, _)| count.parse::<f64>().ok());
        let per_second = said.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"));
        let per_second = per_second.and_then(|rate| rate.trim().parse::<f64>().ok());
        match (requests, per_second) {
            (Some(requests), Some(per_second)) if requests > 0.0 => {
                Ok(Load { per_second, per_cpu_second: requests / cpu_seconds, busy })
            }
            _ => Err("wrk got no answer".to_owned()),
        }
    }

    /// CPU time of the process so far, its own and the kernel's.
    fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let stat = stat.unwrap_or_default();
        // Behind the name, which is in brackets: fields 3 and on, of which 14 and 15 are the times.
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
        let times = fields.split(' ').skip(11).take(2);
        times.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Both fail when it has ended, and then all is well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(directory: &Path, port: u16, sample: &Sample, sessions: Sessions) -> String {
    let directory = directory.display();
    let mut temporary = String::new();
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        // Writing to a String does not fail.
        let _ = writeln!(temporary, "    {kind}_temp_path {directory}/{kind};");
    }
    format!(
        "daemon off;
master_process off;
error_log stderr warn;
pid {directory}/nginx.pid;
events {{ worker_connections 256; }}
http {{
    log_format resumed '$ssl_session_reused';
    access_log {directory}/log resumed buffer=64k flush=100ms;
{temporary}
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_certificate {chain};
        ssl_certificate_key {key};
        ssl_session_cache none;
        ssl_session_tickets {tickets};
        root {directory};
    }}
}}
",
        chain = sample.chain().display(),
        key = sample.key().display(),
        tickets = sessions.tickets(),
    )
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// A program in the path or where servers are kept.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
}
