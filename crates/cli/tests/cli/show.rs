//! `certstatus show`.

use certstatus::message::{CrlReason, Extension, HashAlgorithm, OcspRequest, oid};
use certstatus_lab::{Fault, Lab, LeafRequest};

use super::support::{Bench, certstatus, pem, run, run_json};

fn show(path: &std::path::Path) -> assert_cmd::Command {
    let mut command = certstatus(&["show"]);
    command.arg(path);
    command
}

#[test]
fn a_response_is_shown_whole() {
    let bench = Bench::new();
    bench.lab.revoke(&bench.leaf, Some(CrlReason::Superseded));
    let path = bench.write("response.der", bench.lab.respond(&bench.leaf));
    let ended = run(show(&path));
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    for expected in [
        "NOT VERIFIED",
        "successful",
        "revoked",
        "superseded",
        "SHA-1",
        "thisUpdate",
        "Certificate 1 of 1 in it",
        "OCSP signing",
        "no check",
        "ecdsa-with-SHA256",
        &certstatus::hex(bench.leaf.serial()),
    ] {
        assert!(ended.stdout.contains(expected), "{expected}: {}", ended.stdout);
    }
}

#[test]
fn the_json_of_a_response_has_its_fields() {
    let bench = Bench::new();
    let (code, json) = run_json(show(&bench.files.staple_der));
    assert_eq!((code, json["verdict"]["outcome"].as_str()), (0, Some("done")));
    let response = &json["contents"][0];
    assert_eq!(response["kind"], "response");
    assert_eq!(response["response_status"], "successful");
    let basic = &response["basic"];
    assert_eq!(basic["responses"][0]["status"], "good");
    assert_eq!(basic["responses"][0]["cert_id"]["serial"], certstatus::hex(bench.leaf.serial()));
    assert_eq!(
        basic["signature"].as_str().unwrap().len(),
        2 * basic["signature_length"].as_u64().unwrap() as usize
    );
    assert_eq!(basic["certificates"].as_array().unwrap().len(), 1);
    assert!(basic["responder"]["key"].is_string() || basic["responder"]["name"].is_string());
}

#[test]
fn a_request_is_shown_whole_from_standard_input_and_as_pem() {
    let bench = Bench::new();
    let cert_id =
        bench.lab.request(&bench.leaf, HashAlgorithm::Sha256).unwrap().requests.remove(0).cert_id;
    let mut request = OcspRequest::new(cert_id).with_nonce(&[0xab; 32]);
    let unknown = [4, 3, 1, 2, 3];
    // An identifier that nobody knows: its value is shown as it is.
    let id = oid::EXTENDED_REVOKE;
    request.extensions.push(Extension { id, critical: true, value: unknown.to_vec().into() });
    let der = request.to_der();
    let mut command = certstatus(&["show", "-"]);
    command.write_stdin(der.clone());
    let ended = run(command);
    for expected in ["SHA-256", &"ab".repeat(32), "extended revoke", "critical", "0403010203"] {
        assert!(ended.stdout.contains(expected), "{expected}: {}", ended.stdout);
    }
    let (_, json) = run_json(show(&bench.write("request.pem", pem("OCSP REQUEST", &der))));
    assert_eq!(json["contents"][0]["kind"], "request");
    assert_eq!(json["contents"][0]["nonce"], "ab".repeat(32));
    assert_eq!(json["contents"][0]["extensions"][1]["critical"], true);
}

/// A requestor's name, its signature and certificates are shown, though nothing checks them.
#[test]
fn a_signed_request_is_shown_whole() {
    let bench = Bench::new();
    let request = bench.lab.request(&bench.leaf, HashAlgorithm::Sha1).unwrap().to_der();
    let certificate: &[u8] = bench.leaf.certificate();
    let certs = tlv(0xa0, &tlv(0x30, certificate));
    let bits = [3, 4, 0, 0xfe, 0xdc, 0xba];
    let algorithm = [0x30, 5, 6, 3, 0x2b, 0x65, 0x70];
    let signature = tlv(0x30, &[&algorithm[..], &bits, &certs].concat());
    let name = tlv(0xa1, &tlv(0x82, b"client.example"));
    // Inside of the request and its TBSRequest, which both have short lengths.
    let tbs = tlv(0x30, &[&name, &request[4..]].concat());
    let der = tlv(0x30, &[tbs, tlv(0xa0, &signature)].concat());
    let ended = run(show(&bench.write("request.der", der)));
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let name = certstatus::hex(b"client.example");
    for expected in ["fedcba", "Certificate 1 of 1 in it", "CN=localhost", &name] {
        assert!(ended.stdout.contains(expected), "{expected}: {}", ended.stdout);
    }
}

fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len();
    let header = match length {
        0..0x80 => vec![tag, length as u8],
        0x80..0x100 => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [header.as_slice(), contents].concat()
}

#[test]
fn of_a_certificate_what_matters_for_its_status_is_shown() {
    let bench = Bench::with(Lab::builder(), LeafRequest::new("localhost").must_staple());
    let ended = run(show(&bench.files.cert_pem));
    for expected in [bench.lab.responder_url(), "ca.der", "yes (RFC 7633)", "server authentication"]
    {
        assert!(ended.stdout.contains(expected), "{expected}: {}", ended.stdout);
    }
    let (_, json) = run_json(show(&bench.files.chain_pem));
    let contents = json["contents"].as_array().unwrap();
    assert_eq!(contents.len(), 2, "both certificates of the chain");
    assert_eq!(contents[0]["must_staple"], true);
    let (_, json) = run_json(show(&bench.files.key_pem));
    assert_eq!(json["contents"][0]["kind"], "other", "a private key is not shown");
}

/// What is advised works: with the issuer in the file, with its address in the certificate, and with
/// neither.
#[test]
fn the_advice_about_a_certificate_gets_its_status() {
    let named = Bench::new();
    let quiet =
        |lab: &Lab| LeafRequest::new("localhost").no_aia().responder_urls([lab.responder_url()]);
    let leaf = named.lab.issue(quiet(&named.lab)).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let files = named.lab.write_files(directory.path(), &leaf).unwrap();
    for (file, command) in [
        (&named.files.cert_pem, "fetch FILE"),
        (&named.files.chain_pem, "fetch FILE"),
        (&files.chain_pem, "fetch FILE"),
        (&files.cert_pem, "fetch FILE --issuer ISSUER"),
    ] {
        let (_, json) = run_json(show(file));
        let advice = json["next"][0].as_str().unwrap();
        let (_, advised) = advice.split_once(": certstatus ").unwrap();
        assert_eq!(advised.replace(file.to_str().unwrap(), "FILE"), command);
        let issuer = named.files.issuer_pem.to_str().unwrap();
        let words: Vec<_> =
            advised.split(' ').map(|word| if word == "ISSUER" { issuer } else { word }).collect();
        assert_eq!(run(certstatus(&words)).code, 0, "{advised}");
    }
    // What comes from standard input has no name to give.
    let mut command = certstatus(&["show", "-"]);
    command.write_stdin(std::fs::read(&named.files.cert_pem).unwrap());
    assert_eq!(run_json(command).1["next"][0], "Ask for its status: certstatus fetch -");
}

#[test]
fn an_error_of_the_responder_is_shown() {
    let bench = Bench::new();
    let busy = bench.lab.respond_with(&bench.leaf, Fault::TryLater).unwrap().unwrap();
    let (code, json) = run_json(show(&bench.write("busy.der", busy)));
    assert_eq!((code, json["contents"][0]["response_status"].as_str()), (0, Some("tryLater")));
}

#[test]
fn what_cannot_be_read_is_named() {
    let bench = Bench::new();
    for fault in [Fault::Truncated, Fault::TrailingData, Fault::MalformedDer, Fault::Ber] {
        let der = bench.lab.respond_with(&bench.leaf, fault).unwrap().unwrap();
        let (code, json) = run_json(show(&bench.write("broken.der", der)));
        assert_eq!((code, json["error"]["stage"].as_str()), (1, Some("parse")), "{fault}: {json}");
    }
    let ended = run(show(&bench.path("absent")));
    assert_eq!(ended.code, 1);
}

/// The commands that it advises are right as they stand, whatever the file is called.
#[test]
fn what_it_advises_can_be_copied_into_a_shell() {
    let bench = Bench::new();
    let response = bench.lab.respond(&bench.leaf);
    let directory = tempfile::tempdir().unwrap();
    // Where the command is that these tests are about.
    let path = std::path::Path::new(env!("CARGO_BIN_EXE_certstatus")).parent().unwrap();
    for name in ["two words", "it's \"$HOME\" & `id`;*", "two\nlines", "--json", "plain.der"] {
        std::fs::write(directory.path().join(name), &response).unwrap();
        let mut show = certstatus(&["show", "--json", "--"]);
        show.arg(name).current_dir(&directory);
        let json: serde_json::Value = serde_json::from_str(&run(show).stdout).unwrap();
        let advice = json["next"][0].as_str().unwrap();
        let (_, command) = advice.split_once(": ").unwrap();
        let command = command
            .replace("CERTIFICATE", bench.files.cert_pem.to_str().unwrap())
            .replace("ISSUER", bench.files.issuer_pem.to_str().unwrap());
        let mut shell = std::process::Command::new("/bin/sh");
        shell.arg("-c").arg(&command).current_dir(&directory).env("PATH", path);
        let said = shell.output().unwrap();
        assert_eq!(said.status.code(), Some(0), "{command}: {said:?}");
        assert!(said.stderr.is_empty(), "{command}: {said:?}");
    }
}
