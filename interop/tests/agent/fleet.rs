//! Two agents that share a Redis: one asks, both have the staple, and each goes on when it is away.

use std::time::Duration;

use super::Site;
use crate::harness::process::{Daemon, Program, eventually, free_port};

#[test]
fn members_of_a_fleet_ask_once_and_live_without_redis() {
    let site = Site::new(Duration::from_secs(4 * 86_400));
    let port = free_port();
    let redis = redis(&site, port);
    let start = |name: &str| {
        let lines = format!(
            "store.redis = \"redis://127.0.0.1:{port}\"\n[[certificate]]\npath = \"chain.pem\"\n\
             output = \"{name}.der\"\n"
        );
        site.member(name, &lines)
    };
    let (first, second) = (start("first"), start("second"));
    let staple = |name: &str| std::fs::read(site.path(&format!("{name}.der"))).ok();
    let both = || Some((staple("first")?, staple("second")?));
    let (one, other) = eventually("a staple for both", both);
    assert_eq!(one, other);
    assert_eq!(site.lab.requests(), 1, "{first}\n{second}");

    // Without Redis a renewal is served by both, each on its own.
    drop(redis);
    site.renew();
    eventually("a staple of the renewed one for both", || {
        both().filter(|(first, second)| *first != one && *second != one)
    });
}

fn redis(site: &Site, port: u16) -> Daemon {
    let mut call = Program::find("redis-server", "redis-server").call();
    call.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir", &site.path("")]);
    call.args(["--save", "", "--appendonly", "no"]);
    let mut redis = Daemon::start(call);
    redis.wait_for_port(port);
    redis
}
