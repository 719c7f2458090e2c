//! `certstatus check` at one server: each verdict with its exit code and its words.

use certstatus::message::CrlReason;
use certstatus_lab::{Fault, Lab};

use crate::net::World;

#[test]
fn a_good_staple_is_reported_in_full() {
    let world = World::new();
    let staple = world.lab.respond(&world.leaf);
    let length = staple.len();
    let server = world.server().staple(staple).start();
    let ended = world.check(&server, &[]);
    ended.says(
        0,
        &[
            "GOOD",
            &format!("{} staples a response by which its certificate is good.", server.address()),
            "localhost, 127.0.0.1",
            &certstatus::hex(world.leaf.serial()),
            "certstatus lab root, in ",
            "TLS 1.3, TLS_AES_256_GCM_SHA384",
            &format!("stapled {length} bytes"),
            "the issuer",
            "thisUpdate",
            "nextUpdate",
            "now, ends in",
            "●",
        ],
    );
    let first = ended.out.lines().next().unwrap();
    assert!(first.contains("GOOD"), "the verdict comes first: {first}");
}

#[test]
fn the_json_has_the_same_facts() {
    let world = World::new();
    let staple = world.lab.respond(&world.leaf);
    let length = staple.len();
    let server = world.server().staple(staple).start();
    let ended = world.check(&server, &["--json"]);
    let [report] = &ended.json()[..] else { panic!("{}", ended.out) };
    assert_eq!(report["command"], "check");
    assert_eq!(report["host"], server.address().as_str());
    assert_eq!(report["verdict"]["outcome"], "good");
    assert_eq!(report["verdict"]["exit_code"], 0);
    assert_eq!(report["connection"]["tls_version"], "TLS 1.3");
    assert_eq!(report["connection"]["stapled_bytes"], length);
    assert_eq!(report["certificate"]["must_staple"], false);
    assert_eq!(report["chain"]["verified"], true);
    assert_eq!(report["chain"]["names"][0], "localhost");
    assert_eq!(report["status"]["status"], "good");
    assert_eq!(report["status"]["signer"], "issuer");
    assert_eq!(report["next"].as_array().unwrap().len(), 0);
    assert_eq!(ended.code, 0);
}

#[test]
fn a_revoked_certificate_is_exit_code_3() {
    let world = World::new();
    world.lab.revoke(&world.leaf, Some(CrlReason::KeyCompromise));
    let server = world.server().staple(world.lab.respond(&world.leaf)).start();
    world.check(&server, &[]).says(
        3,
        &[
            "REVOKED",
            "was revoked at",
            "(keyCompromise)",
            "The server staples this itself.",
            "Do not trust this server.",
        ],
    );
    let ended = world.check(&server, &["--require", "never"]);
    ended.says(3, &["REVOKED"]);
}

#[test]
fn an_unknown_certificate_is_exit_code_4() {
    let world = World::new();
    world.lab.forget(&world.leaf);
    let server = world.server().staple(world.lab.respond(&world.leaf)).start();
    world.check(&server, &[]).says(4, &["UNKNOWN", "does not know its certificate", "Ask the CA"]);
}

#[test]
fn a_staple_that_is_not_to_be_trusted_is_exit_code_5() {
    let world = World::new();
    for (fault, words) in [
        (Fault::Expired, "nextUpdate has passed"),
        (Fault::BadSignature, "does not verify with the key of"),
        (Fault::WrongSerial, "staples the response of another certificate"),
        (Fault::MalformedDer, "is malformed"),
        (Fault::TryLater, "tryLater"),
        (Fault::DelegateWithoutEku, "id-kp-OCSPSigning"),
    ] {
        let staple = world.lab.respond_with(&world.leaf, fault).unwrap().unwrap();
        let server = world.server().staple(staple).start();
        let ended = world.check(&server, &[]);
        ended.says(5, &["NOT TO BE TRUSTED", "What", "staples is not to be trusted", words]);
    }
}

#[test]
fn what_an_untrusted_staple_claims_is_shown_as_a_claim() {
    let world = World::new();
    let staple = world.lab.respond_with(&world.leaf, Fault::BadSignature).unwrap().unwrap();
    let server = world.server().staple(staple).start();
    world.check(&server, &[]).says(5, &["nothing of this is verified"]);
    let ended = world.check(&server, &["--json"]);
    let report = &ended.json()[0];
    assert_eq!(report["unverified"]["status"], "good");
    assert!(report.get("status").is_none());
    assert_eq!(report["error"]["stage"], "signer");
}

#[test]
fn nothing_stapled_is_exit_code_6_and_the_certificate_says_whether_it_must() {
    let world = World::new();
    let server = world.server().start();
    let ended = world.check(&server, &[]);
    ended.says(6, &["NOTHING STAPLED", "does not require it", "Turn stapling on"]);
    for require in ["must-staple", "never"] {
        let ended = world.check(&server, &["--require", require]);
        ended.says(0, &["nothing is stapled, and nothing is required"]);
    }

    let must = World::of(Lab::builder().start().unwrap(), true);
    let server = must.server().start();
    must.check(&server, &[]).says(6, &["its certificate says that it must (RFC 7633)"]);
    must.check(&server, &["--require", "must-staple"]).says(6, &["NOTHING STAPLED"]);
    must.check(&server, &["--require", "never"]).says(0, &["GOOD"]);
}

#[test]
fn a_certificate_without_a_responder_gets_other_advice() {
    let lab = Lab::builder().build().unwrap();
    let world = World::of(lab, false);
    let request = certstatus_lab::LeafRequest::new("localhost").san_ip([127, 0, 0, 1]).no_aia();
    let leaf = world.lab.issue(request).unwrap();
    let server = crate::net::Setup::new(&leaf).start();
    world.check(&server, &[]).says(6, &["names no responder"]);
}

#[test]
fn skew_and_maximum_age_are_the_users() {
    let world = World::new();
    let staple = world.lab.respond_with(&world.leaf, Fault::VeryOld).unwrap().unwrap();
    let server = world.server().staple(staple).start();
    world.check(&server, &[]).says(5, &["longer ago than the 1d"]);
    world.check(&server, &["--max-age", "40d"]).says(0, &["maximum age"]);
}
