//! nginx as a web server, on either library: a master and its workers, told what to serve.

use std::fmt::Write as _;
use std::process::Command;

use tempfile::TempDir;

use super::Library;
use crate::harness::files::Files;
use crate::harness::process::{Daemon, Program, eventually};

/// What an nginx says whose library has left an error where none belongs, or that has crashed.
const COMPLAINTS: [&str; 2] = ["[emerg]", "[alert]"];

/// A running nginx.
#[derive(Debug)]
pub(crate) struct Nginx {
    daemon: Daemon,
    directory: TempDir,
}

impl Nginx {
    /// Starts nginx with that many workers and these lines in its `http` block, and waits until it
    /// listens at that port.
    pub(crate) fn start(library: Library, workers: usize, port: u16, http: &str) -> Self {
        Self::start_with(library.call(&Program::find("nginx", "nginx-light")), workers, port, http)
    }

    /// As [`Nginx::start`], by that call, to which nginx's arguments are added.
    pub(crate) fn start_with(mut call: Command, workers: usize, port: u16, http: &str) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let path = |name: &str| text(&directory, name);
        write_configuration(&directory, workers, http);
        call.args(["-p", &path(""), "-c", &path("nginx.conf"), "-e", "stderr"]);
        let mut daemon = Daemon::start(call);
        daemon.wait_for_port(port);
        Self { daemon, directory }
    }

    /// Replaces what is in the `http` block and has the workers replaced, which SIGHUP asks for.
    pub(crate) fn reload(&mut self, workers: usize, http: &str) {
        write_configuration(&self.directory, workers, http);
        let replaced = self.daemon.text().matches("gracefully shutting down").count();
        self.signal("HUP");
        eventually("the end of a worker", || {
            let now = self.daemon.text().matches("gracefully shutting down").count();
            (now >= replaced + workers).then_some(())
        });
    }

    /// The path of a file in its directory, which `PREFIX` in the `http` block stands for.
    pub(crate) fn path(&self, name: &str) -> String {
        text(&self.directory, name)
    }

    /// Waits until it has logged these words.
    pub(crate) fn wait_for_words(&mut self, words: &str) {
        self.daemon.wait_for_words(words);
    }

    /// Asserts that it has found nothing wrong with itself.
    #[track_caller]
    pub(crate) fn is_content(&self) {
        let text = self.daemon.text();
        let complaints: Vec<&str> =
            text.lines().filter(|line| COMPLAINTS.iter().any(|mark| line.contains(mark))).collect();
        assert!(complaints.is_empty(), "nginx complains: {complaints:#?}");
    }

    fn signal(&self, name: &str) {
        let id = self.daemon.id();
        // The shell's own: the program is not on every machine. What came of it, who waits will see.
        Program::find("sh", "dash").run(["-c", &format!("kill -{name} {id}")]);
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // A master that is killed leaves its workers behind; one that is told to end takes them along.
        if self.daemon.is_running() {
            self.signal("TERM");
            self.daemon.wait_for_end();
        }
    }
}

fn text(directory: &TempDir, name: &str) -> String {
    directory.path().join(name).to_str().expect("a plain name").to_owned()
}

fn write_configuration(directory: &TempDir, workers: usize, http: &str) {
    let mut temporary = String::new();
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        writeln!(temporary, "    {kind}_temp_path {};", text(directory, kind)).unwrap();
    }
    let configuration = format!(
        "daemon off;
user root;
worker_processes {workers};
error_log stderr info;
pid {pid};
events {{ worker_connections 64; }}
http {{
    access_log off;
    ssl_protocols TLSv1.2 TLSv1.3;
{temporary}{http}
}}
",
        pid = text(directory, "nginx.pid"),
        http = http.replace("PREFIX", &text(directory, "")),
    );
    std::fs::write(directory.path().join("nginx.conf"), configuration).expect("a file");
}

/// A `server` block of that name with these lines in it.
pub(crate) fn server(port: u16, name: &str, lines: &str) -> String {
    format!("server {{ listen 127.0.0.1:{port} ssl http2; server_name {name};\n{lines}\n}}\n")
}

/// The lines that give a server a certificate. There may be several.
pub(crate) fn certificate(files: &Files) -> String {
    format!("ssl_certificate {}; ssl_certificate_key {};\n", files.chain(), files.key())
}
