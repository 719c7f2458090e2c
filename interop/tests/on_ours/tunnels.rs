//! stunnel, socat and Redis on our libssl: TLS around any bytes, with threads, with children and
//! without blocking, as client and as server.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::thread::JoinHandle;

use certstatus_lab::{KeyKind, LeafRequest};
use tempfile::TempDir;

use super::Library;
use crate::harness::files::Files;
use crate::harness::pki::{Case, NAME, Pki};
use crate::harness::process::{Daemon, Finished, PATIENCE, Program, free_port, run};

/// The pairs of a client and a server of which one at least is on ours.
const PAIRS: [(Library, Library); 3] = [
    (Library::System, Library::Ours),
    (Library::Ours, Library::System),
    (Library::Ours, Library::Ours),
];

/// More than a record and than any buffer on the way.
const LARGE: usize = 1_000_001;

fn bytes() -> Vec<u8> {
    (0..LARGE).map(|at| (at % 251) as u8).collect()
}

/// The files of a server and of a client, as one file each too.
struct Ends {
    server: Files,
    client: Files,
}

impl Ends {
    fn new() -> Self {
        let pki = Pki::shared(KeyKind::EcdsaP256);
        let client = pki.lab().issue(LeafRequest::new("client.example")).unwrap();
        let ends = Self {
            server: Files::of_case(pki, Case::Missing),
            client: Files::of(pki.lab(), &client),
        };
        for files in [&ends.server, &ends.client] {
            let read = |path| std::fs::read(path).expect("a file of the lab");
            files.write("all.pem", &[read(files.chain()), read(files.key())].concat());
        }
        ends
    }
}

/// A plain server that sends back what it gets, for that many connections.
fn echo(connections: usize) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        for stream in listener.incoming().take(connections) {
            let mut reader = stream.unwrap();
            reader.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut writer = reader.try_clone().unwrap();
            let _ = std::io::copy(&mut reader, &mut writer);
            let _ = writer.shutdown(Shutdown::Write);
        }
    });
    (port, thread)
}

/// What comes back for these bytes through a tunnel at that port.
fn through(port: u16, sent: &[u8]) -> Vec<u8> {
    let mut reader = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    reader.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut writer = reader.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // A tunnel that refuses to be one closes before it has taken all.
            let _ = writer.write_all(sent);
            let _ = writer.shutdown(Shutdown::Write);
        });
        let mut received = Vec::new();
        let _ = reader.read_to_end(&mut received);
        received
    })
}

/// A running stunnel with these services.
fn stunnel(library: Library, directory: &TempDir, name: &str, services: &str) -> Daemon {
    // Its threads have 64 KiB of stack otherwise, which is too few for a debug build of ours.
    let global = "foreground = yes\npid =\nsyslog = no\ndebug = 6\nstack = 262144\n";
    let path = directory.path().join(name);
    std::fs::write(&path, format!("{global}{services}")).unwrap();
    let mut call = library.call(&Program::find("stunnel4", "stunnel4"));
    call.arg(&path);
    let mut daemon = Daemon::start(call);
    daemon.wait_for_words("Accepting new connections");
    daemon
}

#[test]
fn stunnel_tunnels_and_verifies_at_both_ends() {
    let ends = Ends::new();
    let directory = TempDir::new().unwrap();
    let (root, authorities) = (ends.server.root(), ends.server.authorities());
    for (client, server) in PAIRS {
        let (echo_port, echoing) = echo(2);
        let (middle, front, wrong) = (free_port(), free_port(), free_port());
        let behind = format!(
            "[server]\naccept = 127.0.0.1:{middle}\nconnect = 127.0.0.1:{echo_port}\n\
             cert = {}\nkey = {}\nCAfile = {authorities}\nrequireCert = yes\nverifyChain = yes\n",
            ends.server.chain(),
            ends.server.key(),
        );
        let service = |name: &str, port: u16, host: &str| {
            format!(
                "[{name}]\nclient = yes\naccept = 127.0.0.1:{port}\nconnect = 127.0.0.1:{middle}\n\
                 cert = {}\nkey = {}\nCAfile = {root}\nverifyChain = yes\ncheckHost = {host}\n\
                 sni = {NAME}\n",
                ends.client.chain(),
                ends.client.key(),
            )
        };
        let _behind = stunnel(server, &directory, "server.conf", &behind);
        let services = service("right", front, NAME) + &service("wrong", wrong, "other.example");
        let mut before = stunnel(client, &directory, "client.conf", &services);
        let sent = bytes();
        assert!(through(front, &sent) == sent, "{client:?}, {server:?}\n{before}");
        before.wait_for_words("TLS connected: new session negotiated");
        assert!(through(front, b"again") == b"again", "{client:?}, {server:?}\n{before}");
        before.wait_for_words("TLS connected: previous session reused");
        assert!(through(wrong, b"never").is_empty(), "{client:?}, {server:?}\n{before}");
        before.wait_for_words("certificate verify failed");
        echoing.join().unwrap();
    }
}

#[test]
fn socat_tunnels_and_verifies_at_both_ends() {
    let ends = Ends::new();
    let sent = bytes();
    let input = ends.server.write("sent", &sent);
    let (of_server, of_client) = (ends.server.path("all.pem"), ends.client.path("all.pem"));
    for (client, server) in PAIRS {
        let port = free_port();
        let mut call = server.call(&Program::find("socat", "socat"));
        let verify = format!("cafile={},verify=1", ends.server.authorities());
        call.arg(format!("OPENSSL-LISTEN:{port},bind=127.0.0.1,fork,cert={of_server},{verify}"));
        call.arg("EXEC:cat");
        let mut listening = Daemon::start(call);
        listening.wait_for_port(port);
        let connect = |options: &str| {
            let mut call = client.call(&Program::find("socat", "socat"));
            let root = ends.server.root();
            call.args(["-t5", &format!("OPEN:{input},rdonly!!STDOUT")]);
            call.arg(format!("OPENSSL:127.0.0.1:{port},cafile={root},{options}"));
            run(call)
        };
        let done = connect(&format!("cert={of_client},commonname={NAME}"));
        assert!(done.exits(0).stdout() == sent, "{client:?}, {server:?}");
        connect(&format!("cert={of_client},commonname=other.example"))
            .fails()
            .says("does not match hostname \"other.example\"");
        // Without a certificate the server does not talk to it.
        let refused = connect(&format!("commonname={NAME}"));
        assert!(refused.stdout().is_empty(), "{refused}");
    }
}

#[test]
fn redis_keeps_values_for_clients_that_it_knows() {
    let ends = Ends::new();
    let directory = TempDir::new().unwrap();
    for (client, server) in PAIRS {
        let port = free_port().to_string();
        let mut call = server.call(&Program::find("redis-server", "redis-server"));
        call.args(["--port", "0", "--tls-port", &port, "--bind", "127.0.0.1", "--save", ""]);
        call.args(["--tls-cert-file", &ends.server.chain(), "--tls-key-file", &ends.server.key()]);
        call.args(["--tls-ca-cert-file", &ends.server.authorities(), "--tls-auth-clients", "yes"]);
        call.arg("--dir").arg(directory.path());
        let mut redis = Daemon::start(call);
        redis.wait_for_words("Ready to accept connections");
        let cli = |known: bool, arguments: &[&str]| -> Finished {
            let mut call: Command = client.call(&Program::find("redis-cli", "redis-tools"));
            call.args(["--tls", "-h", "127.0.0.1", "-p", &port, "--sni", NAME]);
            call.args(["--cacert", &ends.server.root()]);
            if known {
                call.args(["--cert", &ends.client.chain(), "--key", &ends.client.key()]);
            }
            call.args(arguments);
            run(call)
        };
        for version in ["TLSv1.2", "TLSv1.3"] {
            assert_eq!(cli(true, &["config", "set", "tls-protocols", version]).text(), "OK\n");
            // A hundred kilobytes fit on a command line.
            let value = "x".repeat(100_000);
            assert_eq!(cli(true, &["set", "key", &value]).exits(0).text(), "OK\n");
            assert_eq!(cli(true, &["get", "key"]).exits(0).text(), format!("{value}\n"));
            cli(false, &["ping"]).does_not_say("PONG");
        }
        redis.wait_for_words("peer did not return a certificate");
    }
}
