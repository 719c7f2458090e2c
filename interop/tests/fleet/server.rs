//! A redis-server of a test's own, and what is done to it by hand.

use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use certstatus_stapler::Fingerprint;
use certstatus_stapler::store::{RedisBuilder, RedisStore};
use tempfile::TempDir;

use crate::harness::process::{Daemon, Program, eventually, free_port};

/// How long Redis may take to answer in tests: far more than it does on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A server at a port of 127.0.0.1 that keeps nothing when it ends.
pub(crate) struct Redis {
    daemon: Option<Daemon>,
    port: u16,
    options: Vec<String>,
    directory: TempDir,
}

impl Redis {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// With these lines of its configuration as well, as `--NAME VALUE`.
    pub(crate) fn with(options: &[&str]) -> Self {
        let mut redis = Self {
            daemon: None,
            port: free_port(),
            options: options.iter().map(|&option| option.to_owned()).collect(),
            directory: TempDir::new().unwrap(),
        };
        redis.go_on();
        redis
    }

    /// Two of them, each with half of one cluster.
    pub(crate) fn cluster_of_two() -> [Self; 2] {
        let bus = [free_port().to_string(), free_port().to_string()];
        let options = |bus| ["--cluster-enabled", "yes", "--cluster-port", bus];
        let nodes = bus.each_ref().map(|bus| Self::with(&options(bus.as_str())));
        nodes[0].run(["CLUSTER", "ADDSLOTSRANGE", "0", "8191"]);
        nodes[1].run(["CLUSTER", "ADDSLOTSRANGE", "8192", "16383"]);
        nodes[1].run(["CLUSTER", "SET-CONFIG-EPOCH", "2"]);
        let port = nodes[1].port().to_string();
        nodes[0].run(["CLUSTER", "MEET", "127.0.0.1", &port, &bus[1]]);
        let is_one = |node: &Self| {
            let info = node.run(["CLUSTER", "INFO"]);
            info.contains("cluster_state:ok") && info.contains("cluster_size:2")
        };
        eventually("a cluster", || nodes.iter().all(is_one).then_some(()));
        nodes
    }

    /// Starts it again, with nothing in it.
    pub(crate) fn go_on(&mut self) {
        let port = self.port.to_string();
        let mut command = Program::find("redis-server", "redis-server").call();
        let listen = match self.options.iter().any(|option| option == "--tls-port") {
            true => vec![],
            false => vec!["--port", &port],
        };
        command
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"])
            .arg("--dir")
            .arg(self.directory.path())
            .args(listen)
            .args(self.options.iter().map(|option| option.replace("PORT", &port)));
        let mut daemon = Daemon::start(command);
        daemon.wait_for_port(self.port);
        self.daemon = Some(daemon);
    }

    /// Kills it.
    pub(crate) fn kill(&mut self) {
        self.daemon = None;
    }

    /// Stops it where it is, as a machine that hangs: connections stay, and nothing is answered.
    pub(crate) fn freeze(&self) {
        self.daemon.as_ref().unwrap().signal("STOP");
    }

    pub(crate) fn thaw(&self) {
        self.daemon.as_ref().unwrap().signal("CONT");
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// A member of a fleet.
    pub(crate) fn member(&self) -> RedisStore {
        self.builder().start().unwrap()
    }

    pub(crate) fn builder(&self) -> RedisBuilder {
        RedisStore::at(self.url()).timeout(TIMEOUT)
    }

    /// Runs a command, and gives what it answers, without the end of its line.
    pub(crate) fn run<const N: usize>(&self, command: [&str; N]) -> String {
        let port = self.port.to_string();
        let done =
            Program::find("redis-cli", "redis-tools").run(["-p", &port].iter().chain(&command));
        done.exits(0);
        String::from_utf8_lossy(done.stdout()).trim_end().to_owned()
    }

    /// Sets a key to bytes.
    pub(crate) fn set(&self, key: &str, value: &[u8]) {
        let mut child = Program::find("redis-cli", "redis-tools")
            .call()
            .args(["-p", &self.port.to_string(), "-x", "SET", key])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(value).unwrap();
        assert!(child.wait().unwrap().success());
    }
}

/// The key of a certificate's staple.
pub(crate) fn staple_key(id: &Fingerprint) -> String {
    format!("certstatus:staple:{{{id}}}")
}

/// The key of a certificate's lease.
pub(crate) fn lease_key(id: &Fingerprint) -> String {
    format!("certstatus:lease:{{{id}}}")
}
