//! `certstatus fetch`.

use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex};

use certstatus::Limits;
use certstatus::message::{CrlReason, HashAlgorithm, OcspRequest};
use certstatus::rfc5019::request_from_path;
use certstatus_lab::{Effect, Fault, KeyKind, Lab, LeafRequest, RequestMethod};

use super::server::{Server, ok};
use super::support::{Bench, certstatus, pem, run, run_json};

#[test]
fn a_response_is_fetched_verified_and_written() {
    let bench = Bench::new();
    let out = bench.path("out.der");
    let (code, json) = run_json(bench.fetch(&["--out", out.to_str().unwrap()]));
    assert_eq!(code, 0, "{json}");
    assert_eq!(json["fetched"]["url"], bench.lab.responder_url());
    assert_eq!(json["fetched"]["method"], "GET");
    assert_eq!(json["fetched"]["written"], out.to_str().unwrap());
    assert_eq!(json["status"]["status"], "good");
    assert_eq!(run(bench.verify(&out)).code, 0, "what is written can be verified again");
    assert_eq!(bench.lab.request_log()[0].method, RequestMethod::Get);
}

#[test]
fn a_response_of_this_second_is_not_from_the_future() {
    let bench = Bench::new();
    let (code, json) = run_json(bench.fetch(&["--skew", "0s"]));
    assert_eq!(code, 0, "{json}");
}

#[test]
fn statuses_have_their_exit_codes_and_are_written() {
    let bench = Bench::new();
    let out = bench.path("out.der");
    bench.lab.revoke(&bench.leaf, Some(CrlReason::Superseded));
    assert_eq!(run(bench.fetch(&["--out", out.to_str().unwrap()])).code, 3);
    assert_eq!(run(bench.verify(&out)).code, 3);
    bench.lab.forget(&bench.leaf);
    assert_eq!(run(bench.fetch(&["--out", out.to_str().unwrap()])).code, 4);
    assert_eq!(run(bench.verify(&out)).code, 4);
}

#[test]
fn every_fault_ends_as_it_should_and_only_what_is_trusted_is_written() {
    let bench = Bench::new();
    let out = bench.write("out.der", "old");
    let files = || std::fs::read_dir(bench.directory.path()).unwrap().count();
    let before = files();
    for fault in Fault::ALL {
        bench.lab.set_fault(Some(fault));
        let mut args = vec!["--timeout", "300ms", "--out", out.to_str().unwrap()];
        if matches!(fault, Fault::NonceMismatch | Fault::NonceMissing) {
            args.push("--nonce");
        }
        let inode = std::fs::metadata(&out).unwrap().ino();
        let (code, json) = run_json(bench.fetch(&args));
        let expected = match fault.effect() {
            Effect::NoAnswer => {
                assert_eq!(json["error"]["stage"], "http", "{fault}: {json}");
                1
            }
            Effect::Refused(stage) => {
                assert_eq!(json["error"]["stage"], stage.name(), "{fault}: {json}");
                assert_eq!(json["failed_attempts"][0]["stage"], stage.name(), "{fault}: {json}");
                5
            }
            Effect::Revoked => 3,
            Effect::Trusted => 0,
            other => panic!("{fault}: {other:?} is not known here"),
        };
        assert_eq!(code, expected, "{fault}: {json}");
        let untouched = std::fs::read(&out).unwrap() == b"old"
            && std::fs::metadata(&out).unwrap().ino() == inode;
        assert_eq!(untouched, matches!(code, 1 | 5), "{fault}");
        assert_eq!(files(), before, "{fault} leaves a file behind");
        std::fs::write(&out, "old").unwrap();
    }
}

#[test]
fn a_page_in_place_of_a_response_is_called_one() {
    let bench = Bench::new();
    bench.lab.set_fault(Some(Fault::Http200Html));
    let ended = run(bench.fetch(&[]));
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""));
    assert!(ended.stderr.contains("with an HTML page"), "{}", ended.stderr);
}

#[test]
fn the_next_responder_is_asked_when_one_does_not_serve() {
    let lab = Lab::builder().start().unwrap();
    let bench = Bench::with(Lab::builder(), LeafRequest::new("localhost"));
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let urls =
        [format!("http://{free}/"), lab.responder_url().into(), bench.lab.responder_url().into()];
    let leaf =
        bench.lab.issue(LeafRequest::new("two.example").responder_urls(urls.clone())).unwrap();
    let files = bench.lab.write_files(bench.path("two"), &leaf).unwrap();
    let mut command = certstatus(&["fetch"]);
    command.arg(files.chain_pem);
    let (code, json) = run_json(command);
    assert_eq!(code, 0, "{json}");
    let failed = json["failed_attempts"].as_array().unwrap();
    assert_eq!(
        (&failed[0]["url"], &failed[0]["stage"]),
        (&urls[0].as_str().into(), &"http".into())
    );
    // The responder of another CA answers, and its answer is not to be trusted.
    assert_eq!(failed[1]["url"], urls[1]);
    assert_ne!(failed[1]["stage"], "http");
    assert_eq!(json["fetched"]["url"], urls[2]);
}

#[test]
fn the_issuer_comes_from_where_the_certificate_says_it_is() {
    let bench = Bench::new();
    let mut command = certstatus(&["fetch"]);
    command.arg(&bench.files.cert_pem);
    let (code, json) = run_json(command);
    assert_eq!(code, 0, "{json}");
    assert!(json["issuer_source"].as_str().unwrap().ends_with("/ca.der"), "{json}");
}

#[test]
fn the_issuer_may_come_as_pem_or_as_a_certs_only_message() {
    let issuer = Arc::new(Mutex::new(Vec::new()));
    let served = Arc::clone(&issuer);
    let server = Server::start(move |_| ok("text/plain", &served.lock().unwrap()));
    let ca = Lab::builder().responder_url(server.url("/ocsp")).build().unwrap();
    let (leaf, answers) = (ca.leaf("localhost").unwrap(), ca.clone());
    let responder = Server::start(move |request| {
        ok("application/ocsp-response", &answers.answer(&request.body))
    });
    let directory = tempfile::tempdir().unwrap();
    let files = ca.write_files(directory.path(), &leaf).unwrap();
    let intermediate = ca.intermediate();
    for form in [pem("CERTIFICATE", intermediate).into_bytes(), certs_only(intermediate)] {
        *issuer.lock().unwrap() = form;
        let mut command = certstatus(&["fetch", "--post", "--url", &responder.url("/")]);
        command.arg(&files.cert_pem);
        let (code, json) = run_json(command);
        assert_eq!(code, 0, "{json}");
    }
    *issuer.lock().unwrap() = b"sorry".to_vec();
    let mut command = certstatus(&["fetch"]);
    command.arg(&files.cert_pem);
    let (code, json) = run_json(command);
    assert_eq!((code, json["error"]["stage"].as_str()), (1, Some("issuer")), "{json}");
}

/// A certificate in a certs-only message (RFC 5652, 5.1).
fn certs_only(certificate: &[u8]) -> Vec<u8> {
    let oid = |last| [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, last];
    let wrap = |tag: u8, contents: &[u8]| {
        let length = u16::try_from(contents.len()).unwrap().to_be_bytes();
        let header = match length {
            [0, short @ 0..0x80] => vec![tag, short],
            [0, long] => vec![tag, 0x81, long],
            [high, low] => vec![tag, 0x82, high, low],
        };
        [header.as_slice(), contents].concat()
    };
    let data =
        [&[2, 1, 1, 0x31, 0][..], &wrap(0x30, &oid(1)), &wrap(0xa0, certificate), &[0x31, 0]]
            .concat();
    wrap(0x30, &[&oid(2)[..], &wrap(0xa0, &wrap(0x30, &data))].concat())
}

#[test]
fn redirects_are_followed() {
    let bench = Bench::new();
    let target = bench.lab.responder_url().to_owned();
    let server = Server::start(move |request| {
        let path = request.path.strip_prefix("/old").unwrap();
        format!(
            "HTTP/1.1 301 Moved Permanently\r\nlocation: {target}{path}\r\n\
             content-length: 0\r\nconnection: close\r\n\r\n"
        )
        .into_bytes()
    });
    let (code, json) = run_json(bench.fetch(&["--url", &server.url("/old")]));
    assert_eq!(code, 0, "{json}");
    assert_eq!((server.paths().len(), bench.lab.requests()), (1, 1));
}

#[test]
fn a_false_issuer_is_refused_before_anybody_is_asked() {
    let namesake = Lab::builder().build().unwrap();
    let false_ca = namesake.intermediate().to_vec();
    let server = Server::start(move |_| ok("application/pkix-cert", &false_ca));
    let lab = Lab::builder().responder_url(server.url("/ocsp")).build().unwrap();
    let leaf = lab.leaf("localhost").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let files = lab.write_files(directory.path(), &leaf).unwrap();
    let mut command = certstatus(&["fetch"]);
    command.arg(&files.cert_pem);
    let (code, json) = run_json(command);
    assert_eq!((code, json["error"]["stage"].as_str()), (5, Some("issuer")), "{json}");
    assert!(json["error"]["message"].as_str().unwrap().contains("signature"), "{json}");
    assert_eq!(server.paths(), ["/ca.der"]);
}

#[test]
fn a_nonce_is_sent_by_post_and_must_come_back() {
    let bench = Bench::new();
    let (code, json) = run_json(bench.fetch(&["--nonce"]));
    assert_eq!((code, json["fetched"]["nonce_returned"].as_bool()), (0, Some(true)), "{json}");
    let record = bench.lab.request_log().remove(0);
    assert_eq!((record.method, record.nonce), (RequestMethod::Post, true));

    bench.lab.set_fault(Some(Fault::NonceMissing));
    let (code, json) = run_json(bench.fetch(&["--nonce"]));
    assert_eq!((code, json["error"]["stage"].as_str()), (5, Some("extensions")), "{json}");
    let (code, json) = run_json(bench.fetch(&["--nonce=if-present"]));
    assert_eq!((code, json["fetched"]["nonce_returned"].as_bool()), (0, Some(false)), "{json}");
}

#[test]
fn post_is_used_when_it_is_wanted_or_a_get_is_too_long_or_refused() {
    let bench = Bench::new();
    assert_eq!(run(bench.fetch(&["--post"])).code, 0);
    assert_eq!(bench.lab.request_log()[0].method, RequestMethod::Post);

    let bench = Bench::new();
    let lab = bench.lab.clone();
    let server = Server::start(move |request| {
        if request.method == "GET" {
            return b"HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\
                     connection: close\r\n\r\n"
                .to_vec();
        }
        ok("application/ocsp-response", &lab.answer(&request.body))
    });
    let (code, json) = run_json(bench.fetch(&["--url", &server.url("/ocsp")]));
    assert_eq!((code, json["fetched"]["method"].as_str()), (0, Some("POST")), "{json}");
    assert_eq!(server.paths().len(), 2, "a GET, then a POST");

    let long = format!("/{}", "a".repeat(250));
    let (code, json) = run_json(bench.fetch(&["--url", &server.url(&long)]));
    assert_eq!((code, json["fetched"]["method"].as_str()), (0, Some("POST")), "{json}");
    assert_eq!(server.paths().len(), 3, "a POST at once");
}

#[test]
fn responders_with_https_are_asked_over_tls() {
    let bench = Bench::new();
    let lab = bench.lab.clone();
    let server = Server::start_tls(&bench.leaf, move |request| {
        let path = request.path.strip_prefix("/ocsp").unwrap();
        ok("application/ocsp-response", &lab.answer(&request_from_path(path).unwrap()))
    });
    let url = server.url("/ocsp");
    let mut command = bench.fetch(&["--url", &url]);
    command.env("SSL_CERT_FILE", &bench.files.root_pem);
    let (code, json) = run_json(command);
    assert_eq!(code, 0, "{json}");
    // Nobody vouches for the lab's root otherwise.
    let other = Bench::new();
    let mut command = bench.fetch(&["--url", &url]);
    command.env("SSL_CERT_FILE", &other.files.root_pem);
    assert_eq!(run(command).code, 1);
}

#[test]
fn the_response_can_go_to_standard_output_and_the_report_beside_it() {
    let bench = Bench::with(Lab::builder().key(KeyKind::Ed25519), LeafRequest::new("localhost"));
    let output = bench.fetch(&["--out", "-"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let fetched = bench.write("fetched.der", &output.stdout);
    assert_eq!(run(bench.verify(&fetched)).code, 0);
    assert!(String::from_utf8(output.stderr).unwrap().contains("GOOD"));
}

#[test]
fn what_cannot_be_done_says_what_to_do() {
    let bench = Bench::with(Lab::builder(), LeafRequest::new("localhost").no_aia());
    let ended = run(bench.fetch(&[]));
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("names no OCSP responder"), "{}", ended.stderr);
    assert!(ended.stderr.contains("--url"), "{}", ended.stderr);

    let (code, json) = run_json(bench.fetch(&["--url", "ldap://ca.example/"]));
    assert_eq!((code, json["error"]["stage"].as_str()), (1, Some("http")), "{json}");

    let mut command = certstatus(&["fetch"]);
    command.arg(&bench.files.cert_pem);
    let ended = run(command);
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("--issuer"), "{}", ended.stderr);

    let nowhere = bench.path("no/such/directory/out.der");
    let url = bench.lab.responder_url().to_owned();
    let (code, json) = run_json(bench.fetch(&["--url", &url, "--out", nowhere.to_str().unwrap()]));
    assert_eq!((code, json["error"]["stage"].as_str()), (1, Some("file")), "{json}");
}

/// The status of a serial number, of which there is no certificate at hand.
#[test]
fn a_serial_number_is_asked_for() {
    let bench = Bench::new();
    let serial = certstatus::hex(bench.leaf.serial());
    let url = bench.lab.responder_url();
    let issuer = bench.files.issuer_pem.to_str().unwrap();
    let alone = ["fetch", "--serial", &serial, "--issuer", issuer, "--url", url];
    let (code, json) = run_json(certstatus(&alone));
    assert_eq!((code, json["certificate"]["serial"].as_str()), (0, Some(&*serial)), "{json}");
    let (code, json) = run_json(bench.fetch(&["--serial", "0x05"]));
    assert_eq!(
        (code, json["certificate"]["serial"].as_str()),
        (5, Some("05")),
        "the lab says unauthorized: {json}"
    );
    let (code, json) = run_json(certstatus(&["fetch", "--serial", "5", "--issuer", issuer]));
    assert_eq!(code, 2, "{json}");
}

/// A request names the issuer by SHA-256 when it is told to.
#[test]
fn a_request_names_the_issuer_by_sha256() {
    let bench = Bench::new();
    let (code, json) = run_json(bench.fetch(&["--hash", "sha256"]));
    assert_eq!(code, 0, "{json}");
    let log = bench.lab.request_log();
    let path = log[0].path.strip_prefix("/ocsp/").unwrap();
    let request = request_from_path(path).unwrap();
    let request = OcspRequest::parse(&request, &Limits::default()).unwrap();
    assert_eq!(request.requests[0].cert_id.hash(), Some(HashAlgorithm::Sha256));
}
