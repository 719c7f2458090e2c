//! What stands under `[store]` reaches Redis: the names of keys, and a cluster by the addresses of its
//! nodes.

use std::time::Duration;

use super::Site;
use crate::fleet::server::Redis;
use crate::harness::process::eventually;

const DAYS: Duration = Duration::from_secs(4 * 86_400);

const RULE: &str = "[[certificate]]\npath = \"chain.pem\"\noutput = \"staple.der\"\n";

/// The keys that there are, in their order.
fn keys(redis: &Redis) -> Vec<String> {
    let keys = redis.run(["--scan"]);
    let mut keys: Vec<_> = keys.lines().map(str::to_owned).collect();
    keys.sort_unstable();
    keys
}

fn first_staple(site: &Site) -> Vec<u8> {
    eventually("a staple", || std::fs::read(site.path("staple.der")).ok())
}

/// Two fleets at one Redis, each with a prefix of its own: neither has the other's staples.
#[test]
fn fleets_with_names_of_their_own_share_a_redis_and_no_staples() {
    let (site, redis) = (Site::new(DAYS), Redis::start());
    for (number, prefix) in ["blue", "green"].into_iter().enumerate() {
        let store = format!("store.redis = \"{}\"\nstore.redis_prefix = \"{prefix}\"", redis.url());
        let agent = site.member(prefix, &format!("{store}\n{RULE}"));
        first_staple(&site);
        assert_eq!(site.lab.requests(), number + 1, "{agent}");
        let own = |key: &String| key.starts_with(&format!("{prefix}:staple:"));
        eventually("its staple in Redis", || keys(&redis).iter().any(own).then_some(()));
    }
    assert!(keys(&redis).iter().all(|key| !key.starts_with("certstatus")), "{:?}", keys(&redis));
}

/// Several addresses are a cluster: what two agents find there is the same, whichever node has it.
#[test]
fn several_addresses_are_the_nodes_of_a_cluster() {
    let site = Site::new(DAYS);
    let nodes = Redis::cluster_of_two();
    let store = format!("store.redis = [\"{}\", \"{}\"]", nodes[0].url(), nodes[1].url());
    let staple = |name: &str| std::fs::read(site.path(&format!("{name}.der"))).ok();
    let start = |name: &str| site.member(name, &super::fleet::lines(name, &store));
    let first = start("first");
    let one = eventually("a staple", || staple("first"));
    let second = start("second");
    assert_eq!(eventually("a staple", || staple("second")), one);
    assert_eq!(site.lab.requests(), 1, "{first}\n{second}");
    let held: Vec<_> = nodes.iter().flat_map(keys).collect();
    assert_eq!(held.len(), 1, "one node has the staple, and nobody holds a lease: {held:?}");
}
