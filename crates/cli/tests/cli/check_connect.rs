//! `certstatus check`: getting to a server, and chains that do not verify.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use certstatus_lab::{Lab, LeafRequest};
use rustls::version::{TLS12, TLS13};

use crate::net::{Setup, TempFile, World, certstatus};
use crate::support::pem;

#[test]
fn both_versions_of_tls_are_spoken_and_one_alone_when_told() {
    let world = World::new();
    let staple = world.lab.respond(&world.leaf);
    let server = world.server().staple(staple.clone()).start();
    world.check(&server, &["--tls", "1.2"]).says(0, &["TLS 1.2, TLS_ECDHE_ECDSA_WITH_", "GOOD"]);
    world.check(&server, &["--tls", "1.3"]).says(0, &["TLS 1.3", "GOOD"]);

    let only12 = world.server().staple(staple.clone()).version(&TLS12).start();
    world.check(&only12, &[]).says(0, &["TLS 1.2"]);
    world.check(&only12, &["--tls", "1.3"]).says(1, &["FAILED", "the TLS handshake failed"]);
    let only13 = world.server().staple(staple).version(&TLS13).start();
    world.check(&only13, &["--tls", "1.2"]).says(1, &["FAILED", "the TLS handshake failed"]);
}

#[test]
fn a_chain_that_does_not_verify_is_reported_with_what_was_presented() {
    let world = World::new();
    let stranger = TempFile::new(world.lab.leaf("another.example").unwrap().certificate());
    let server = world.server().staple(world.lab.respond(&world.leaf)).start();
    let address = server.address();
    let check = ["check", "--ca-file", stranger.path(), address.as_str()];
    certstatus(&check).says(
        1,
        &[
            "FAILED",
            &format!("The chain of {address} does not verify"),
            "does not lead to a trust anchor in",
            "its staple cannot be judged",
            "Chain, as presented: it does not verify",
            "certificate 1",
            "certificate 2",
            "CN=certstatus lab intermediate",
            "nothing of this is verified",
            "--ca-file",
        ],
    );
    let json = certstatus(&[&check[..], &["--json"]].concat()).json().remove(0);
    assert_eq!(json["chain"]["verified"], false);
    assert_eq!(json["chain"]["presented"].as_array().unwrap().len(), 2);
    assert_eq!(json["error"]["stage"], "chain");
    assert_eq!(json["connection"]["tls_version"], "TLS 1.3");
}

#[test]
fn an_anchor_of_the_same_name_with_another_key_is_not_the_anchor() {
    let (world, namesake) = (World::new(), World::new());
    let server = world.server().staple(world.lab.respond(&world.leaf)).start();
    namesake.check(&server, &[]).says(1, &["has a signature that does not verify"]);
}

#[test]
fn a_missing_intermediate_is_named() {
    let world = World::new();
    let server = world.server().alone().start();
    world.check(&server, &[]).says(1, &["sends its own certificate only"]);
}

#[test]
fn an_expired_certificate_says_when() {
    let world = World::new();
    let request = LeafRequest::new("localhost").san_ip([127, 0, 0, 1]).expired();
    let leaf = world.lab.issue(request).unwrap();
    let server = Setup::new(&leaf).start();
    world.check(&server, &[]).says(1, &["expired", "(1d ago)", "Renew the certificate"]);
}

#[test]
fn a_certificate_for_another_name_says_for_which() {
    let world = World::new();
    let server = world.server().staple(world.lab.respond(&world.leaf)).start();
    let ended = world.check(&server, &["--servername", "www.example.com"]);
    ended.says(1, &["is for localhost, 127.0.0.1, and not for www.example.com"]);
}

#[test]
fn connect_and_servername_are_the_address_and_the_name() {
    let world = World::new();
    let leaf = world.lab.leaf("www.lab.example").unwrap();
    let server = Setup::new(&leaf).staple(world.lab.respond(&leaf)).start();
    let address = server.address();
    let ca = ["--ca-file", world.ca.path()];
    let by_connect = ["check", "www.lab.example", "--connect", address.as_str()];
    certstatus(&[&by_connect[..], &ca].concat()).says(
        0,
        &[
            "www.lab.example:443 staples",
            &format!("address {address}"),
            "asked for www.lab.example",
        ],
    );
    // The port of the host stands when --connect has none.
    let (host, port) = address.split_once(':').unwrap();
    let with_port = format!("www.lab.example:{port}");
    let by_host = ["check", with_port.as_str(), "--connect", host];
    certstatus(&[&by_host[..], &ca].concat()).says(0, &["GOOD"]);
    world.check(&server, &["--servername", "www.lab.example"]).says(0, &["GOOD"]);
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let world = World::new();
    let began = Instant::now();
    for starttls in [None, Some("smtp")] {
        let mut args = vec!["check", "--timeout", "300ms", "--ca-file", world.ca.path(), &address];
        args.extend(starttls.iter().flat_map(|protocol| ["--starttls", protocol]));
        certstatus(&args).says(1, &["FAILED", "nothing came of", "--timeout gives it more time"]);
    }
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_port_where_nothing_listens_is_told() {
    let world = World::new();
    let ended = certstatus(&["check", "--ca-file", world.ca.path(), "127.0.0.1:1"]);
    ended.says(1, &["does not accept the connection", "See that the server runs"]);
}

#[test]
fn what_is_no_tls_is_told() {
    let world = World::new();
    let server = world
        .server()
        .prelude(|stream| {
            crate::net::say(stream, "220 mail.example ESMTP\r\n");
            crate::net::read_line(stream);
            false
        })
        .start();
    world.check(&server, &[]).says(1, &["What came is not TLS", "--starttls"]);
}

#[test]
fn the_command_line_is_judged_before_anything_is_done() {
    let ended = certstatus(&["check", "https://example.com/"]);
    ended.says(2, &["is a URL: write its host alone"]);
    certstatus(&["check", "::1"]).says(2, &["in brackets"]);
    certstatus(&["check"]).says(2, &["HOST"]);
    certstatus(&["check", "a.example", "--tls", "1.1"]).says(2, &["1.1"]);
    certstatus(&["check", "a.example", "--jobs", "0"]).says(2, &["jobs"]);
}

#[test]
fn a_ca_file_without_certificates_is_told() {
    let file = TempFile::new(b"nothing");
    let ended = certstatus(&["check", "--ca-file", file.path(), "127.0.0.1:1"]);
    ended.says(1, &["has no certificate that can be a trust anchor"]);
    certstatus(&["check", "--ca-file", "/nonexistent", "127.0.0.1:1"]).says(1, &["cannot be read"]);
}

#[test]
fn an_anchor_may_be_the_issuer_itself() {
    let lab = Lab::builder().start().unwrap();
    let leaf = lab.issue(LeafRequest::new("localhost").san_ip([127, 0, 0, 1])).unwrap();
    let ca = TempFile::new(lab.intermediate());
    let server = Setup::new(&leaf).staple(lab.respond(&leaf)).alone().start();
    let address = server.address();
    let ended = certstatus(&["check", "--ca-file", ca.path(), &address]);
    ended.says(0, &["GOOD", "certstatus lab intermediate, in "]);
}

#[test]
fn a_server_that_wants_a_client_certificate_is_judged_all_the_same() {
    let world = World::new();
    for version in [&TLS12, &TLS13] {
        let server = world
            .server()
            .staple(world.lab.respond(&world.leaf))
            .client_ca(world.lab.root())
            .version(version)
            .start();
        world.check(&server, &[]).says(0, &["GOOD", "the issuer"]);
    }
    world.lab.revoke(&world.leaf, None);
    let staple = world.lab.respond(&world.leaf);
    let server = world.server().staple(staple).client_ca(world.lab.root()).version(&TLS12).start();
    world.check(&server, &[]).says(3, &["REVOKED", "not finished", "the TLS handshake failed"]);
}

#[test]
fn numbers_without_measure_are_no_fault() {
    let world = World::new();
    let server = world.server().staple(world.lab.respond(&world.leaf)).start();
    let (jobs, years) = (usize::MAX.to_string(), "500000000000y");
    let endless =
        ["--jobs", &jobs, "--timeout", years, "--skew", years, "--max-age", years, "--fetch"];
    world.check(&server, &endless).says(0, &["GOOD"]);
}

#[test]
fn without_a_ca_file_the_systems_trust_store_counts() {
    let world = World::new();
    let server = world.server().staple(world.lab.respond(&world.leaf)).start();
    let store = TempFile::new(pem("CERTIFICATE", world.lab.root()).as_bytes());
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_certstatus"));
    command.args(["check", &server.address()]).env("SSL_CERT_FILE", store.path());
    let output = command.env_remove("SSL_CERT_DIR").output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{out}");
    let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("in the system's trust store"), "{out}");
}
