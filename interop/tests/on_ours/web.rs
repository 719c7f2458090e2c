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
    pub(crate) fn start_with(call: Command, workers: usize, port: u16, http: &str) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let blocks = http_block(&directory, http);
        Self::start_in(directory, call, workers, port, &blocks)
    }

    /// Starts nginx on ours with one worker and these blocks, of modules that are not of HTTP.
    pub(crate) fn start_modules(port: u16, modules: &[&str], blocks: &str) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let mut lines = String::new();
        for module in modules {
            let path = format!("/usr/lib/nginx/modules/ngx_{module}_module.so");
            let exists = std::path::Path::new(&path).is_file();
            assert!(exists, "run `apt-get install libnginx-mod-{module}`, or `ci/test`");
            writeln!(lines, "load_module {path};").unwrap();
        }
        let call = Library::Ours.call(&Program::find("nginx", "nginx-light"));
        Self::start_in(directory, call, 1, port, &(lines + blocks))
    }

    fn start_in(
        directory: TempDir,
        mut call: Command,
        workers: usize,
        port: u16,
        blocks: &str,
    ) -> Self {
        let path = |name: &str| text(&directory, name);
        write_configuration(&directory, workers, blocks);
        call.args(["-p", &path(""), "-c", &path("nginx.conf"), "-e", "stderr"]);
        let mut daemon = Daemon::start(call);
        daemon.wait_for_port(port);
        Self { daemon, directory }
    }

    /// Replaces what is in the `http` block and has the workers replaced, which SIGHUP asks for.
    pub(crate) fn reload(&mut self, workers: usize, http: &str) {
        write_configuration(&self.directory, workers, &http_block(&self.directory, http));
        let replaced = self.daemon.text().matches("gracefully shutting down").count();
        self.daemon.signal("HUP");
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

    /// Asserts that it has logged no such words.
    #[track_caller]
    pub(crate) fn has_not_said(&self, words: &str) {
        let text = self.daemon.text();
        assert!(!text.contains(words), "nginx says: {text}");
    }

    /// Asserts that it has found nothing wrong with itself.
    #[track_caller]
    pub(crate) fn is_content(&self) {
        let text = self.daemon.text();
        let complaints: Vec<&str> =
            text.lines().filter(|line| COMPLAINTS.iter().any(|mark| line.contains(mark))).collect();
        assert!(complaints.is_empty(), "nginx complains: {complaints:#?}");
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // A master that is killed leaves its workers behind.
        self.daemon.terminate();
    }
}

fn text(directory: &TempDir, name: &str) -> String {
    directory.path().join(name).to_str().expect("a plain name").to_owned()
}

/// The `http` block with these lines in it. `PREFIX` stands for the directory.
fn http_block(directory: &TempDir, http: &str) -> String {
    let mut block =
        String::from("http {\n    access_log off;\n    ssl_protocols TLSv1.2 TLSv1.3;\n");
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        writeln!(block, "    {kind}_temp_path {};", text(directory, kind)).unwrap();
    }
    block + &http.replace("PREFIX", &text(directory, "")) + "\n}\n"
}

fn write_configuration(directory: &TempDir, workers: usize, blocks: &str) {
    let configuration = format!(
        "{blocks}
daemon off;
user root;
worker_processes {workers};
error_log stderr info;
pid {pid};
events {{ worker_connections 64; }}
",
        pid = text(directory, "nginx.pid"),
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
