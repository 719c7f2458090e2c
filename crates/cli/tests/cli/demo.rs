//! `certstatus demo`: every step comes out as told, with the facts of the wire.

use std::time::{Duration, Instant};

use crate::net::certstatus;

#[test]
fn every_step_comes_out_as_told_in_time() {
    let began = Instant::now();
    let ended = certstatus(&["demo"]);
    // It takes a tenth of a second; on a busy machine, and built for tests, much more.
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    ended.says(
        0,
        &[
            "ALL AS TOLD",
            "accepted, no alert",
            "refused, alert certificate_revoked (44)",
            "refused, alert bad_certificate_status_response (113)",
            "was revoked at",
            "must staple (RFC 7633)",
            "nextUpdate has passed",
            "does not verify with the key of",
            "status_request sent, nothing stapled",
        ],
    );
}

#[test]
fn it_fits_on_a_screen() {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_certstatus"));
    let output =
        command.arg("demo").env("COLUMNS", "80").env("LC_ALL", "C.UTF-8").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().count() < 40, "{} lines", text.lines().count());
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn its_json_has_the_facts_of_each_handshake() {
    let ended = certstatus(&["demo", "--json"]);
    assert_eq!(ended.code, 0, "{}", ended.out);
    let report = ended.json().remove(0);
    assert_eq!(report["verdict"]["outcome"], "good");
    let steps = report["steps"].as_array().unwrap();
    let expected = [
        (true, None, true),
        (false, Some(44), true),
        (false, Some(113), false),
        (false, Some(113), true),
        (false, Some(113), true),
    ];
    assert_eq!(steps.len(), expected.len());
    for (step, (accepted, alert, stapled)) in steps.iter().zip(expected) {
        assert_eq!(step["as_told"], true, "{step}");
        assert_eq!(step["told"]["accepted"], accepted);
        for handshake in step["handshakes"].as_array().unwrap() {
            assert_eq!(handshake["status_request"], true);
            assert_eq!(handshake["accepted"], accepted);
            assert_eq!(handshake["alert"]["number"].as_u64(), alert);
            assert_eq!(handshake["stapled_bytes"].as_u64().unwrap() > 0, stapled);
        }
        let [tls13, tls12] = &step["handshakes"].as_array().unwrap()[..] else { panic!() };
        assert!(tls13["stapled_bytes_in_the_clear"].is_null());
        let in_the_clear = tls12["stapled_bytes_in_the_clear"].as_u64().unwrap_or_default();
        assert_eq!(in_the_clear, tls12["stapled_bytes"].as_u64().unwrap());
    }
}
