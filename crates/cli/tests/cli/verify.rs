//! `certstatus verify`.

use certstatus::message::CrlReason;
use certstatus::time::{Rfc3339, unix};
use certstatus_lab::{Effect, Fault, Lab, LeafRequest};

use super::support::{Bench, certstatus, pem, run, run_json};

#[test]
fn a_good_response_is_good() {
    let bench = Bench::new();
    let ended = run(bench.verify(&bench.files.staple_der));
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{}", ended.stdout);
    let first = ended.stdout.lines().next().unwrap();
    assert!(first.contains("GOOD"), "the verdict comes first: {first}");
    for expected in ["CN=localhost", "thisUpdate", "nextUpdate", "now, ends in ", "What to do next"]
    {
        assert!(ended.stdout.contains(expected), "{expected}: {}", ended.stdout);
    }
}

#[test]
fn the_json_has_its_fields() {
    let bench = Bench::new();
    let (code, json) = run_json(bench.verify(&bench.files.staple_der));
    assert_eq!(code, 0);
    assert_eq!(json["command"], "verify");
    assert_eq!(json["verdict"]["outcome"], "good");
    assert_eq!(json["certificate"]["serial"], certstatus::hex(bench.leaf.serial()));
    assert_eq!(json["certificate"]["ocsp_urls"][0], bench.lab.responder_url());
    let status = &json["status"];
    assert_eq!(
        (status["status"].as_str(), status["signer"].as_str()),
        (Some("good"), Some("delegate"))
    );
    assert!(status["seconds_left"].as_i64().unwrap() > 0, "{status}");
    for time in ["this_update", "next_update", "produced_at", "expires"] {
        assert!(status[time].as_str().unwrap().ends_with('Z'), "{time}: {status}");
    }
    let checks = json["checks"].as_array().unwrap();
    assert!(checks.len() == 6 && checks.iter().all(|check| check["result"] == "passed"));
    assert!(json.get("error").is_none() && json.get("unverified").is_none());
}

#[test]
fn revoked_and_unknown_have_their_exit_codes() {
    let bench = Bench::new();
    bench.lab.revoke(&bench.leaf, Some(CrlReason::KeyCompromise));
    let revoked = bench.write("revoked.der", bench.lab.respond(&bench.leaf));
    let (code, json) = run_json(bench.verify(&revoked));
    assert_eq!((code, json["verdict"]["outcome"].as_str()), (3, Some("revoked")));
    assert_eq!(json["status"]["revocation_reason"], "keyCompromise");
    assert!(json["status"]["revocation_time"].is_string());
    let ended = run(bench.verify(&revoked));
    assert!(ended.stdout.contains("with a new key"), "{}", ended.stdout);

    bench.lab.forget(&bench.leaf);
    let unknown = bench.write("unknown.der", bench.lab.respond(&bench.leaf));
    let (code, json) = run_json(bench.verify(&unknown));
    assert_eq!((code, json["verdict"]["outcome"].as_str()), (4, Some("unknown")));
}

#[test]
fn every_fault_of_a_message_is_named_by_its_stage() {
    let bench = Bench::new();
    let mut tried = 0;
    for fault in Fault::ALL {
        let Some(response) = bench.lab.respond_with(&bench.leaf, fault).unwrap() else { continue };
        let path = bench.write("response.der", response);
        let (code, json) = run_json(bench.verify(&path));
        // No nonce was sent for what is in a file, so faults of the nonce are none here.
        let effect = match fault {
            Fault::NonceMismatch | Fault::NonceMissing => Effect::Trusted,
            other => other.effect(),
        };
        match effect {
            Effect::Refused(stage) => {
                assert_eq!(code, 5, "{fault}: {json}");
                assert_eq!(json["error"]["stage"], stage.name(), "{fault}");
                assert!(json["error"]["message"].as_str().unwrap().len() > 20, "{fault}: {json}");
                assert!(json.get("status").is_none(), "{fault}: {json}");
                assert!(!json["next"].as_array().unwrap().is_empty(), "{fault}");
            }
            Effect::Revoked => assert_eq!(code, 3, "{fault}: {json}"),
            _ => assert_eq!(code, 0, "{fault}: {json}"),
        }
        tried += 1;
    }
    assert!(tried > 30, "{tried}");
}

#[test]
fn pem_and_der_are_told_by_content_and_standard_input_is_a_dash() {
    let bench = Bench::new();
    let response = std::fs::read(&bench.files.staple_der).unwrap();
    let armoured = bench.write("staple.bin", pem("OCSP RESPONSE", &response));
    let cert = bench.write("cert.bin", bench.leaf.certificate());
    let issuer = bench.write("issuer.bin", bench.leaf.issuer());
    let mut command = certstatus(&["verify", "--cert"]);
    command.arg(cert).arg("--issuer").arg(issuer).arg(armoured);
    assert_eq!(run(command).code, 0);

    let mut command = bench.verify("-".as_ref());
    command.write_stdin(response);
    assert_eq!(run(command).code, 0);

    let mut command = certstatus(&["verify", "--cert", "-", "--issuer", "-"]);
    command.arg(&bench.files.staple_der);
    assert_eq!(run(command).code, 2, "standard input can be one file only");
}

#[test]
fn a_chain_and_a_bundle_serve_as_certificate_and_issuer() {
    let bench = Bench::new();
    let mut command = certstatus(&["verify", "--cert"]);
    // The bundle has the root as well, and in front.
    let bundle = bench.write(
        "bundle.pem",
        pem("CERTIFICATE", bench.lab.root()) + &pem("CERTIFICATE", bench.lab.intermediate()),
    );
    command.arg(&bench.files.chain_pem).arg("--issuer").arg(bundle).arg(&bench.files.staple_der);
    assert_eq!(run(command).code, 0);
}

#[test]
fn a_wrong_issuer_is_told_from_a_wrong_response() {
    let bench = Bench::new();
    let namesake = Bench::new();
    for (issuer, what) in [
        (&bench.files.root_pem, "is issued by"),
        (&namesake.files.issuer_pem, "not the signature of that issuer's key"),
    ] {
        let mut command = certstatus(&["verify", "--cert"]);
        command.arg(&bench.files.cert_pem).arg("--issuer").arg(issuer).arg(&bench.files.staple_der);
        let (code, json) = run_json(command);
        assert_eq!((code, json["error"]["stage"].as_str()), (5, Some("issuer")), "{json}");
        assert!(json["error"]["message"].as_str().unwrap().contains(what), "{json}");
    }
}

#[test]
fn at_skew_and_max_age_move_the_judgement() {
    let bench = Bench::new();
    let at = |seconds: u64, more: &[&str]| {
        let mut command = bench.verify(&bench.files.staple_der);
        command.arg("--at").arg(Rfc3339(unix(seconds)).to_string()).args(more);
        run_json(command)
    };
    let (_, json) = run_json(bench.verify(&bench.files.staple_der));
    let left = json["status"]["seconds_left"].as_u64().unwrap();
    let now = bench.lab.now().as_secs();
    let (code, json) = at(now + left + 3600, &[]);
    assert_eq!((code, json["error"]["stage"].as_str()), (5, Some("time")), "{json}");
    assert!(json["unverified"]["seconds_left"].as_i64().unwrap() < -3000, "{json}");
    assert_eq!(at(now + left + 3600, &["--skew", "2h"]).0, 0);
    assert_eq!(at(now.saturating_sub(86_400 * 30), &[]).0, 5, "not valid yet");

    let endless = bench.lab.respond_with(&bench.leaf, Fault::VeryOld).unwrap().unwrap();
    let endless = bench.write("endless.der", endless);
    assert_eq!(run(bench.verify(&endless)).code, 5);
    let mut command = bench.verify(&endless);
    command.args(["--max-age", "60d"]);
    assert_eq!(run(command).code, 0);
}

#[test]
fn what_is_no_certificate_or_response_is_a_sentence() {
    let bench = Bench::new();
    let nothing = bench.write("nothing", "");
    let text = bench.write("text", "hello");
    let html = bench.write("html", "<html>503</html>");
    // A file that cannot be read is no response that is not to be trusted.
    for (cert, response, stage, exit) in [
        (&text, &bench.files.staple_der, "certificate", 1),
        (&bench.files.key_pem, &bench.files.staple_der, "certificate", 1),
        (&bench.files.cert_pem, &nothing, "parse", 1),
        (&bench.files.cert_pem, &html, "parse", 1),
        (&bench.files.cert_pem, &text, "parse", 5),
        (&bench.files.cert_pem, &bench.files.request_der, "parse", 5),
    ] {
        let mut command = certstatus(&["verify", "--cert"]);
        command.arg(cert).arg("--issuer").arg(&bench.files.issuer_pem).arg(response);
        let (code, json) = run_json(command);
        assert_eq!((code, json["error"]["stage"].as_str()), (exit, Some(stage)), "{json}");
    }
}

#[test]
fn files_that_are_not_there_could_not_be_done() {
    let bench = Bench::new();
    let (code, json) = run_json(bench.verify(&bench.path("absent.der")));
    assert_eq!((code, json["error"]["stage"].as_str()), (1, Some("file")));
    let ended = run(bench.verify(&bench.path("absent.der")));
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.contains("absent.der cannot be read"), "{}", ended.stderr);
}

#[test]
fn an_expired_certificate_is_mentioned() {
    let bench = Bench::with(Lab::builder(), LeafRequest::new("localhost").expired());
    let ended = run(bench.verify(&bench.files.staple_der));
    assert_eq!(ended.code, 0, "{}", ended.stdout);
    assert!(ended.stdout.contains("Renew the certificate"), "{}", ended.stdout);
}

/// Certificate files as people have them: every server reads these.
#[test]
fn certificate_files_are_read_in_every_form() {
    let bench = Bench::new();
    let pem = std::fs::read(&bench.files.cert_pem).unwrap();
    let text = String::from_utf8(pem.clone()).unwrap();
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let forms = [
        ([&b"\xef\xbb\xbf"[..], &pem].concat(), 0),
        ([&b"issuer=O=Soci\xe9t\xe9\n"[..], &pem].concat(), 0),
        (text.replace("CERTIFICATE", "TRUSTED CERTIFICATE").into_bytes(), 0),
        (text.replace('\n', "\r\n").into_bytes(), 0),
        ([&b"\xff\xfe"[..], &utf16].concat(), 1),
    ];
    for (form, exit) in forms {
        let file = bench.write("form.pem", form);
        let mut command = certstatus(&["verify", "--cert"]);
        command.arg(&file).arg("--issuer").arg(&bench.files.issuer_pem);
        let ended = run({
            command.arg(&bench.files.staple_der);
            command
        });
        assert_eq!(ended.code, exit, "{}{}", ended.stdout, ended.stderr);
    }
}

/// A responder that is named is trusted by its key, and needs no delegation; another one is not.
#[test]
fn a_trusted_responder_is_named() {
    let bench = Bench::with(Lab::builder().delegate(true), LeafRequest::new("www.example.org"));
    let responder = bench.write("va.der", bench.lab.delegate().unwrap());
    for (file, signer) in [(&responder, "trusted responder"), (&bench.files.cert_pem, "delegate")] {
        let mut command = bench.verify(&bench.files.staple_der);
        command.arg("--trusted-responder").arg(file);
        let (code, json) = run_json(command);
        assert_eq!((code, json["status"]["signer"].as_str()), (0, Some(signer)), "{json}");
    }
    let forged = bench.lab.respond_with(&bench.leaf, Fault::BadSignature).unwrap().unwrap();
    let mut command = bench.verify(&bench.write("forged.der", forged));
    command.arg("--trusted-responder").arg(&responder);
    assert_eq!(run(command).code, 5);
}
