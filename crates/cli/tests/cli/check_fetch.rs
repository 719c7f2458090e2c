//! `certstatus check --fetch`: the staple beside what the responder says itself.

use certstatus::time::unix;
use certstatus_lab::{Fault, KeyKind, Lab};

use crate::net::World;

/// A lab whose responses are the same bytes as long as its clock stands: Ed25519 has no randomness.
fn still_world(must_staple: bool) -> World {
    let lab = Lab::builder().ca_key(KeyKind::Ed25519).start().unwrap();
    lab.set_now(lab.now());
    World::of(lab, must_staple)
}

#[test]
fn the_same_response_is_told() {
    let world = still_world(false);
    let server = world.server().staple(world.lab.respond(&world.leaf)).start();
    let ended = world.check(&server, &["--fetch"]);
    ended.says(
        0,
        &["Its responder says good too, with the same response.", world.lab.responder_url()],
    );
    let json = world.check(&server, &["--fetch", "--json"]).json().remove(0);
    assert_eq!(json["responder"]["compared"], "same");
    assert_eq!(json["responder"]["status"]["status"], "good");
}

#[test]
fn a_newer_or_older_response_is_told() {
    let world = still_world(false);
    let now = world.lab.now();
    let staple = world.lab.respond(&world.leaf);
    let server = world.server().staple(staple).start();
    world.lab.set_now(unix(now.as_secs() - 7200));
    world.check(&server, &["--fetch"]).says(0, &["with a response that is older by 2h"]);
    let older = world.lab.respond(&world.leaf);
    let server = world.server().staple(older).start();
    world.lab.set_now(now);
    world.check(&server, &["--fetch"]).says(0, &["with a response that is newer by 2h"]);
}

#[test]
fn revoked_at_the_responder_counts_though_the_staple_is_good() {
    let world = World::new();
    let server = world.server().staple(world.lab.respond(&world.leaf)).start();
    world.check(&server, &[]).says(0, &["GOOD"]);
    world.lab.revoke(&world.leaf, None);
    let ended = world.check(&server, &["--fetch"]);
    ended.says(
        3,
        &[
            "REVOKED",
            "so says its responder",
            "staples a response by which its certificate is good",
        ],
    );
    let json = world.check(&server, &["--fetch", "--json"]).json().remove(0);
    assert_eq!(json["status"]["status"], "good");
    assert_eq!(json["responder"]["status"]["status"], "revoked");
    assert_eq!(json["verdict"]["exit_code"], 3);
}

#[test]
fn the_responder_decides_when_nothing_is_stapled_and_nothing_must_be() {
    let world = still_world(false);
    let server = world.server().start();
    let ended = world.check(&server, &["--fetch"]);
    ended.says(0, &["Its responder says that the certificate is good", "nothing is stapled"]);
    world.check(&server, &["--fetch", "--require", "always"]).says(6, &["NOTHING STAPLED"]);
    world.lab.revoke(&world.leaf, None);
    world.check(&server, &["--fetch"]).says(3, &["REVOKED"]);

    let must = still_world(true);
    let server = must.server().start();
    must.check(&server, &["--fetch"]).says(6, &["NOTHING STAPLED", "it must (RFC 7633)"]);
}

#[test]
fn a_responder_that_cannot_be_asked_is_exit_code_1_and_one_that_lies_5() {
    let world = World::new();
    let server = world.server().staple(world.lab.respond(&world.leaf)).start();
    world.lab.set_fault(Some(Fault::Http500));
    world.check(&server, &["--fetch"]).says(1, &["could not be asked", "HTTP 500"]);
    world.lab.set_fault(Some(Fault::BadSignature));
    world.check(&server, &["--fetch"]).says(5, &["What its responder says is not to be trusted"]);
    world.lab.set_fault(Some(Fault::Timeout));
    let ended = world.check(&server, &["--fetch", "--timeout", "500ms"]);
    ended.says(1, &["could not be asked", "did not answer within"]);
}
