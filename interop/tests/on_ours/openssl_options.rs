//! What `openssl s_client` and `openssl s_server` do beyond a handshake, with our libssl at one end
//! or at both: sessions kept in files, staples fetched and told of, secrets, revocation lists,
//! protocols, names and key updates.

use certstatus_lab::{KeyKind, LeafRequest};

use super::Library;
use super::authority::Authority;
use crate::harness::files::Files;
use crate::harness::pki::{Case, NAME, Pki};
use crate::harness::process::{Daemon, Finished, Program, converse, run};

/// The pairs of a client and a server of which one at least is on ours.
const PAIRS: [(Library, Library); 3] = [
    (Library::System, Library::Ours),
    (Library::Ours, Library::System),
    (Library::Ours, Library::Ours),
];

const VERSIONS: [&str; 2] = ["-tls1_2", "-tls1_3"];

/// Runs `check` for each pair and version.
fn for_all(check: impl Fn(Library, Library, &str)) {
    for (client, server) in PAIRS {
        for version in VERSIONS {
            eprintln!("s_client on {client:?}, s_server on {server:?}, {version}");
            check(client, server, version);
        }
    }
}

/// An `openssl s_server` on that library, and its port.
fn s_server(library: Library, files: &Files, more: &[&str]) -> (Daemon, u16) {
    let mut call = library.call(&Program::find("openssl", "openssl"));
    call.args(["s_server", "-accept", "127.0.0.1:0", "-cert", &files.leaf(), "-key", &files.key()]);
    call.args(["-cert_chain", &files.issuer()]).args(more);
    let mut server = Daemon::start(call);
    let port = server.accept_port();
    (server, port)
}

fn s_client_call(library: Library, root: &str, port: u16, more: &[&str]) -> std::process::Command {
    let mut call = library.call(&Program::find("openssl", "openssl"));
    call.args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-servername", NAME]);
    call.args(["-CAfile", root, "-verify_return_error"]).args(more);
    call
}

/// An `openssl s_client` that says nothing to the server.
fn s_client(library: Library, files: &Files, port: u16, more: &[&str]) -> Finished {
    run(s_client_call(library, &files.root(), port, more))
}

/// An `openssl s_client` that says lines and waits for the words that belong to each.
fn conversation(
    library: Library,
    files: &Files,
    port: u16,
    lines: &[(&str, &str)],
    more: &[&str],
) -> String {
    converse(&mut s_client_call(library, &files.root(), port, more), lines).text()
}

/// What a server with `-rev` makes of a line.
const HELLO: (&str, &str) = ("hello", "olleh");

fn files() -> Files {
    Files::of_case(Pki::shared(KeyKind::EcdsaP256), Case::Good)
}

#[test]
fn sessions_are_kept_in_files_and_taken_up_again() {
    let files = files();
    let session = files.path("session");
    for_all(|client, server, version| {
        // TLS 1.3 sessions of ours live as long as the process that has them.
        if (client, version) == (Library::Ours, "-tls1_3") {
            return;
        }
        let (_server, port) = s_server(server, &files, &["-rev"]);
        let said = conversation(client, &files, port, &[HELLO], &[version, "-sess_out", &session]);
        assert!(said.contains("New, TLSv1.") && said.contains("olleh"), "{said}");
        for _ in 0..2 {
            let said =
                conversation(client, &files, port, &[HELLO], &[version, "-sess_in", &session]);
            assert!(said.contains("Reused, TLSv1.") && said.contains("olleh"), "{said}");
        }
    });
}

#[test]
fn connections_are_made_again_with_and_without_tickets() {
    let files = files();
    for_all(|client, server, _| {
        for tickets in [&["-www"][..], &["-www", "-no_ticket"]] {
            let (_server, port) = s_server(server, &files, tickets);
            let done = s_client(client, &files, port, &["-tls1_2", "-reconnect"]);
            assert_eq!(done.exits(0).text().matches("Reused, TLSv1.2").count(), 5, "{done}");
        }
    });
}

#[test]
fn s_client_reads_the_staple_that_s_server_has_in_a_file() {
    let pki = Pki::shared(KeyKind::EcdsaP256);
    for (case, says) in [
        (Case::Good, "Cert Status: good"),
        (Case::Revoked, "Cert Status: revoked"),
        (Case::Missing, "OCSP response: no response sent"),
    ] {
        let files = Files::of_case(pki, case);
        let staple = files.staple();
        let file = staple.as_ref().map_or(vec![], |staple| vec!["-status_file", staple]);
        for_all(|client, server, version| {
            let (_server, port) = s_server(server, &files, &[&["-www"], &file[..]].concat());
            s_client(client, &files, port, &[version, "-status"]).exits(0).says(says);
        });
    }
}

/// `-status` has the server ask the responder that its certificate names.
#[test]
fn s_server_fetches_its_staple_and_tells_of_it() {
    let files = files();
    let authorities = files.authorities();
    for_all(|client, server, version| {
        let fetching = ["-www", "-status_verbose", "-CAfile", &authorities];
        let (mut peer, port) = s_server(server, &files, &fetching);
        s_client(client, &files, port, &[version, "-status"])
            .exits(0)
            .says("OCSP Response Status: successful")
            .says("Cert Status: good");
        peer.wait_for_words("cert_status: ocsp response sent:");
        s_client(client, &files, port, &[version]).exits(0).does_not_say("OCSP Response");
    });
}

#[test]
fn both_log_the_same_secrets() {
    let files = files();
    for_all(|client, server, version| {
        let logs = ["server", "client"].map(|name| files.path(&format!("{name}{version}.log")));
        for log in &logs {
            let _ = std::fs::remove_file(log);
        }
        let (_server, port) = s_server(server, &files, &["-www", "-keylogfile", &logs[0]]);
        s_client(client, &files, port, &[version, "-keylogfile", &logs[1]]).exits(0);
        let [of_server, of_client] = logs.map(|log| {
            let mut lines: Vec<String> =
                std::fs::read_to_string(log).unwrap().lines().map(String::from).collect();
            lines.retain(|line| !line.starts_with('#'));
            lines.sort();
            lines
        });
        assert!(!of_server.is_empty() && of_server == of_client, "{of_server:#?} {of_client:#?}");
    });
}

#[test]
fn s_server_asks_a_revocation_list() {
    let own = Authority::new(Pki::shared(KeyKind::EcdsaP256));
    let (root, list) = (own.root(), own.list());
    for_all(|client, server, version| {
        let strict = ["-www", "-Verify", "2", "-verify_return_error", "-crl_check"];
        let lists = ["-CAfile", &root, "-CRL", &list];
        let (mut peer, port) = s_server(server, &own.files, &[&strict[..], &lists].concat());
        for (name, is_known) in [("known", true), ("revoked", false)] {
            let (cert, key) = own.client(name);
            let done = conversation(
                client,
                &own.files,
                port,
                &[("GET / HTTP/1.0\r\n\r", "HTTP/1.0 200 ok")],
                &[version, "-cert", &cert, "-key", &key],
            );
            assert_eq!(done.contains("HTTP/1.0 200 ok"), is_known, "{done}");
        }
        peer.wait_for_words("certificate revoked");
    });
}

#[test]
fn protocols_and_certificates_go_by_what_the_client_says() {
    const OTHER: &str = "other.example";
    let pki = Pki::shared(KeyKind::EcdsaP256);
    let files = files();
    let others = Files::of(pki.lab(), &pki.lab().issue(LeafRequest::new(OTHER)).unwrap());
    for_all(|client, server, version| {
        let (cert, key) = (others.leaf(), others.key());
        let names = ["-servername", OTHER, "-cert2", &cert, "-key2", &key];
        let more = [&["-www", "-alpn", "h2,http/1.1"], &names[..]].concat();
        let (_server, port) = s_server(server, &files, &more);
        s_client(client, &files, port, &[version, "-alpn", "http/1.1,h2"])
            .exits(0)
            .says("ALPN protocol: h2");
        s_client(client, &files, port, &[version, "-alpn", "none/1"])
            .exits(1)
            .says("no application protocol");
        // The second certificate comes without its issuer.
        let authorities = files.authorities();
        let pem = |files: &Files| std::fs::read_to_string(files.leaf()).unwrap();
        for (name, shown) in [(OTHER, &others), (NAME, &files)] {
            let more = [version, "-servername", name, "-CAfile", &authorities];
            s_client(client, &files, port, &more).exits(0).says(pem(shown).trim());
        }
    });
}

#[test]
fn keys_are_updated_and_nothing_is_negotiated_again() {
    let files = files();
    for_all(|client, server, version| {
        let (_server, port) = s_server(server, &files, &["-rev"]);
        let key = match version {
            "-tls1_3" => ("K", "KEYUPDATE"),
            _ => ("R", "RENEGOTIATING"),
        };
        let lines = [HELLO, key, ("again", "niaga")];
        let said = conversation(client, &files, port, &lines, &[version]);
        assert!(said.contains("olleh"), "{said}");
        assert!(said.contains(key.1), "{said}");
        // A server of OpenSSL's that only reverses lines negotiates nothing again either.
        assert_eq!(said.contains("niaga"), version == "-tls1_3", "{said}");
    });
}
