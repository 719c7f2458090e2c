//! HAProxy on our libssl: certificates from a list, chosen by name and by kind; clients verified;
//! staples from files and changed while it runs; sessions; and TLS towards the servers behind it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use certstatus_lab::{KeyKind, LeafRequest};
use tempfile::TempDir;

use super::authority::Authority;
use super::web::{self, Nginx};
use super::{Library, curl, only};
use crate::harness::files::Files;
use crate::harness::pki::{Case, NAME, Pki, Version, with_rsa_and_ecdsa};
use crate::harness::process::{Daemon, Finished, PATIENCE, Program, free_port, run};
use crate::harness::server::{GREETING, Server};
use crate::harness::{client, command};

with_rsa_and_ecdsa!(
    haproxy_chooses_certificates_by_name,
    haproxy_staples_what_it_is_given,
    haproxy_verifies_the_server_behind_it,
);

/// A running HAProxy with one frontend.
struct Haproxy {
    daemon: Daemon,
    directory: TempDir,
    port: u16,
}

impl Haproxy {
    /// Starts it on ours: a frontend with the certificates of that list, these options of `bind`
    /// and these lines.
    fn start(list: &str, bind: &str, lines: &str) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        let (port, names) = (free_port(), path("list"));
        std::fs::write(&names, list).unwrap();
        let configuration = format!(
            "global
    stats socket {socket} level admin
    nbthread 2
    tune.ssl.keylog on
defaults
    mode http
    retries 0
    timeout connect 5s
    timeout client 10s
    timeout server 10s
frontend all
    bind 127.0.0.1:{port} ssl crt-list {names} {bind}
    {lines}
",
            socket = path("socket"),
        );
        std::fs::write(path("haproxy.cfg"), configuration).unwrap();
        let mut call = Library::Ours.call(&Program::find("haproxy", "haproxy"));
        call.args(["-db", "-f", &path("haproxy.cfg")]);
        let mut daemon = Daemon::start(call);
        daemon.wait_for_port(port);
        Self { daemon, directory, port }
    }

    /// What it answers to a command of its socket.
    fn tell(&self, command: &str) -> String {
        let mut socket = UnixStream::connect(self.directory.path().join("socket")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        writeln!(socket, "{command}").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }

    /// What the system's curl gets of that name, with these options.
    fn fetch(&self, files: &Files, name: &str, more: &[&str]) -> Finished {
        curl(Library::System, &files.root(), &format!("{name}:{}", self.port), more)
    }
}

/// The line of a frontend that answers with HAProxy's own facts.
fn answering(says: &str) -> String {
    format!("http-request return status 200 content-type text/plain lf-string \"{says}\"")
}

/// A file as HAProxy wants it, in the directory of `at`: certificate, issuer and key.
fn combined(at: &Files, name: &str, of: &Files) -> String {
    let read = |path: String| std::fs::read(path).expect("a file of the lab");
    at.write(name, &[read(of.chain()), read(of.key())].concat())
}

fn haproxy_chooses_certificates_by_name(kind: KeyKind) {
    const OTHER: &str = "other.example";
    let pki = Pki::shared(kind);
    let files = Files::of_case(pki, Case::Missing);
    let others = Files::of(pki.lab(), &pki.lab().issue(LeafRequest::new(OTHER)).unwrap());
    let (own, other) = (combined(&files, "own", &files), combined(&files, "other", &others));
    let list = format!("{own}\n{other} [alpn http/1.1 ssl-min-ver TLSv1.3] {OTHER}\n");
    let says = answering("%[ssl_fc_protocol] %[ssl_fc_alpn] %[ssl_fc_sni]");
    let haproxy = Haproxy::start(&list, "alpn h2,http/1.1 ssl-min-ver TLSv1.2", &says);
    for version in Version::ALL {
        let number = version.number();
        for (option, protocol) in [("--http2", "h2"), ("--http1.1", "http/1.1")] {
            let done = haproxy.fetch(&files, NAME, &[&only(version)[..], &[option]].concat());
            assert_eq!(done.exits(0).text(), format!("TLSv{number} {protocol} {NAME}"));
        }
        command::check(&files, haproxy.port, version, Case::Missing);
    }
    let done = haproxy.fetch(&files, OTHER, &only(Version::Tls13));
    assert_eq!(done.exits(0).text(), format!("TLSv1.3 http/1.1 {OTHER}"));
    haproxy.fetch(&files, OTHER, &only(Version::Tls12)).exits(35).says("protocol version");
}

#[test]
fn haproxy_shows_the_certificate_that_the_client_can_read() {
    let pki = Pki::shared(KeyKind::EcdsaP256);
    let files = Files::of_case(pki, Case::Missing);
    let rsa = LeafRequest::new(NAME).key(KeyKind::Rsa2048);
    let rsa = Files::of(pki.lab(), &pki.lab().issue(rsa).unwrap());
    combined(&files, "both.ecdsa", &files);
    combined(&files, "both.rsa", &rsa);
    let list = format!("{}\n", files.path("both"));
    let haproxy = Haproxy::start(&list, "", &answering("%[ssl_fc_cipher] %[ssl_f_key_alg]"));
    for (cipher, kind) in [
        ("ECDHE-ECDSA-AES128-GCM-SHA256", "id-ecPublicKey"),
        ("ECDHE-RSA-AES256-GCM-SHA384", "rsaEncryption"),
    ] {
        let tls = [&only(Version::Tls12)[..], &["--ciphers", cipher]].concat();
        let done = haproxy.fetch(&files, NAME, &tls);
        assert_eq!(done.exits(0).text(), format!("{cipher} {kind}"));
    }
}

#[test]
fn haproxy_knows_its_clients_and_whom_a_list_revokes() {
    let own = Authority::new(Pki::shared(KeyKind::EcdsaP256));
    let list = combined(&own.files, "own", &own.files) + "\n";
    let bind = format!("ca-file {} crl-file {} verify required", own.root(), own.list());
    let haproxy = Haproxy::start(&list, &bind, &answering("%[ssl_c_verify] %[ssl_c_s_dn]"));
    for version in Version::ALL {
        let fetch = |name| {
            let options = own.options(version, name);
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            haproxy.fetch(&own.files, NAME, &options)
        };
        assert_eq!(fetch(Some("known")).exits(0).text(), "0 /CN=known.example");
        fetch(Some("revoked")).fails();
        fetch(None).fails();
    }
}

fn haproxy_staples_what_it_is_given(kind: KeyKind) {
    let pki = Pki::shared(kind);
    let leaf = pki.lab().issue(LeafRequest::new(NAME)).unwrap();
    let files = Files::of(pki.lab(), &leaf);
    let own = combined(&files, "own", &files);
    files.write("own.ocsp", &pki.lab().respond(&leaf));
    let unstapled = files.write("unstapled", &std::fs::read(&own).unwrap());
    let list = format!("{own}\n{unstapled} unstapled.example\n");
    let haproxy = Haproxy::start(&list, "", &answering("%[ssl_fc_protocol]"));
    let check = |case| {
        for version in Version::ALL {
            command::check(&files, haproxy.port, version, case);
            client::connect(pki.lab(), haproxy.port, version).is_as_told(case);
            let strict = [&only(version)[..], &["--cert-status"]].concat();
            let done = haproxy.fetch(&files, NAME, &strict);
            done.exits(if case == Case::Good { 0 } else { 91 });
        }
    };
    check(Case::Good);
    let strict = ["--cert-status", "--insecure"];
    let done = haproxy.fetch(&files, "unstapled.example", &strict);
    done.exits(91).says("No OCSP response received");

    // What comes in while it runs is stapled from then on.
    pki.lab().revoke(&leaf, None);
    let update = |response: &[u8]| {
        haproxy.tell(&format!("set ssl ocsp-response {}", BASE64.encode(response)))
    };
    let said = update(&pki.lab().respond(&leaf));
    assert!(said.contains("OCSP Response updated!"), "{said}\n{}", haproxy.daemon);
    check(Case::Revoked);
    // What belongs to no certificate here is not taken.
    let said = update(pki.staple(Case::Good).unwrap());
    assert!(said.contains("Certificate ID does not match"), "{said}");
    check(Case::Revoked);
    pki.lab().reinstate(&leaf);
    update(&pki.lab().respond(&leaf));
    check(Case::Good);
}

#[test]
fn haproxy_resumes_by_id_and_by_ticket_with_keys_that_change() {
    let files = Files::of_case(Pki::shared(KeyKind::EcdsaP256), Case::Missing);
    let list = combined(&files, "own", &files) + "\n";
    let key = |byte: u8| BASE64.encode([byte; 48]);
    let keys = files.write("keys", format!("{}\n{}\n{}\n", key(1), key(2), key(3)).as_bytes());
    let says = answering("%[ssl_fc_is_resumed]");
    let three = |haproxy: &Haproxy, version, resumed: &str| {
        let url = format!("https://{NAME}:{}", haproxy.port);
        let more = ["--http1.1", "--header", "Connection: close", &url, &url];
        let done = haproxy.fetch(&files, NAME, &[&only(version)[..], &more].concat());
        assert_eq!(done.exits(0).text(), resumed, "{version:?}");
    };
    let by_id = Haproxy::start(&list, "no-tls-tickets", &says);
    let by_ticket = Haproxy::start(&list, &format!("tls-ticket-keys {keys}"), &says);
    // HAProxy's callback says that the ticket need not be renewed: as with OpenSSL, a resumption of TLS
    // 1.3 then brings no new one, and curl uses each once.
    for (version, by_its_keys) in [(Version::Tls12, "011"), (Version::Tls13, "010")] {
        three(&by_id, version, "011");
        three(&by_ticket, version, by_its_keys);
    }
    // A ticket lives on when a new key comes, and no longer than the key that sealed it.
    let session = files.path("session");
    let s_client = |option| {
        let mut call = Library::System.call(&Program::find("openssl", "openssl"));
        call.args(["s_client", "-connect", &format!("127.0.0.1:{}", by_ticket.port)]);
        call.args(["-servername", NAME, "-tls1_2", option, &session]);
        run(call)
    };
    s_client("-sess_out").exits(0).says("New, TLSv1.2");
    for (byte, says) in [(4, "Reused, TLSv1.2"), (5, "New, TLSv1.2")] {
        let said = by_ticket.tell(&format!("set ssl tls-key {keys} {}", key(byte)));
        assert!(said.contains("TLS ticket key updated!"), "{said}");
        s_client("-sess_in").exits(0).says(says);
    }
    three(&by_ticket, Version::Tls13, "010");
}

/// It hears of the secrets by the key log callback, and makes room for them when the message callback
/// tells it of the ClientHello.
#[test]
fn haproxy_knows_the_secrets_of_its_connections() {
    let files = Files::of_case(Pki::shared(KeyKind::EcdsaP256), Case::Missing);
    let list = combined(&files, "own", &files) + "\n";
    let says = answering("%[ssl_fc_client_random,hex,lower] %[ssl_fc_client_traffic_secret_0]");
    let haproxy = Haproxy::start(&list, "", &says);
    let log = files.path("secrets");
    let mut call = Library::System.call(&Program::find("curl", "curl"));
    call.args(["--silent", "--connect-to", "::127.0.0.1:", "--cacert", &files.root()]);
    call.env("SSLKEYLOGFILE", &log).arg(format!("https://{NAME}:{}", haproxy.port));
    let said = run(call).exits(0).text();
    let secrets = std::fs::read_to_string(log).unwrap();
    assert!(secrets.contains(&format!("CLIENT_TRAFFIC_SECRET_0 {said}\n")), "{said}\n{secrets}");
}

fn haproxy_verifies_the_server_behind_it(kind: KeyKind) {
    let pki = Pki::shared(kind);
    let files = Files::of_case(pki, Case::Missing);
    let list = combined(&files, "own", &files) + "\n";
    let strangers = Files::of_case(Pki::stranger_to(kind), Case::Missing);
    // The name that it asks for is the name that it verifies.
    let before = |port: u16, root: &str, name: &str, more: &str| {
        let lines = format!(
            "default_backend all\nbackend all\n    server one 127.0.0.1:{port} ssl verify required \
             ca-file {root} sni str({name}) {more}"
        );
        Haproxy::start(&list, "", &lines)
    };
    for version in Version::ALL {
        let behind = Server::start(pki, Case::Missing, version);
        let haproxy = before(behind.port(), &files.root(), NAME, "");
        assert_eq!(haproxy.fetch(&files, NAME, &[]).exits(0).text(), GREETING);
        let haproxy = before(behind.port(), &files.root(), "other.example", "");
        haproxy.fetch(&files, NAME, &[]).exits(0).says("503 Service Unavailable");
        let haproxy = before(behind.port(), &strangers.root(), NAME, "");
        haproxy.fetch(&files, NAME, &[]).exits(0).says("503 Service Unavailable");
    }
    // It shows a certificate of its own, and takes its sessions up again.
    let client = pki.lab().issue(LeafRequest::new("proxy.example")).unwrap();
    let own = combined(&files, "client", &Files::of(pki.lab(), &client));
    for version in Version::ALL {
        let behind = free_port();
        let lines = format!(
            "{}ssl_protocols TLSv{}; ssl_client_certificate {}; ssl_verify_client on;
            ssl_verify_depth 2; keepalive_timeout 0;
            return 200 \"$ssl_client_verify $ssl_client_serial $ssl_session_reused\";",
            web::certificate(&files),
            version.number(),
            files.authorities()
        );
        let http = web::server(behind, NAME, &lines).replace(" http2", "");
        let nginx = Nginx::start(Library::System, 1, behind, &http);
        let haproxy = before(behind, &files.root(), NAME, &format!("crt {own}"));
        let serial = certstatus::hex(client.serial()).to_uppercase();
        // Each of its two threads keeps a session of its own.
        let answers: Vec<String> =
            (0..6).map(|_| haproxy.fetch(&files, NAME, &[]).exits(0).text()).collect();
        let (new, reused) = (format!("SUCCESS {serial} ."), format!("SUCCESS {serial} r"));
        assert!(answers.iter().all(|answer| *answer == new || *answer == reused), "{answers:?}");
        let new = answers.iter().filter(|answer| **answer == new).count();
        assert!((1..=2).contains(&new), "{version:?}: {answers:?}");
        nginx.is_content();
    }
}
