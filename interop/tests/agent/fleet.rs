//! Agents that share a Redis: one asks, all have the staple; one that is killed while it asks is
//! followed by another; each goes on when Redis is away, and says why when it is refused.

use std::time::{Duration, Instant};

use super::Site;
use crate::fleet::server::Redis;
use crate::harness::process::{Daemon, eventually};
use certstatus_lab::{Fault, KeyKind, Lab, LeafRequest};

const DAYS: Duration = Duration::from_secs(4 * 86_400);

/// The configuration of a member with such a store, whose staple goes to a file of its name.
pub(super) fn lines(name: &str, store: &str) -> String {
    format!("{store}\n[[certificate]]\npath = \"chain.pem\"\noutput = \"{name}.der\"\n")
}

fn at(redis: &Redis) -> String {
    format!("store.redis = \"{}\"", redis.url())
}

fn staple(site: &Site, name: &str) -> Option<Vec<u8>> {
    std::fs::read(site.path(&format!("{name}.der"))).ok()
}

#[test]
fn members_of_a_fleet_ask_once_and_live_without_redis() {
    let (site, redis) = (Site::new(DAYS), Redis::start());
    let start = |name: &str| site.member(name, &lines(name, &at(&redis)));
    let (first, second) = (start("first"), start("second"));
    let both = || Some((staple(&site, "first")?, staple(&site, "second")?));
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

#[test]
fn when_the_agent_that_asks_is_killed_another_asks_once_its_lease_has_ended() {
    let (site, redis) = (Site::new(DAYS), Redis::start());
    let start = |name: &str| site.begin(name, &lines(name, &at(&redis)));
    // The responder takes the question, and does not answer.
    site.lab.set_fault(Some(Fault::Timeout));
    let mut asking = start("first");
    eventually("a request", || (site.lab.requests() == 1).then_some(()));
    let lease = eventually("a lease", || {
        Some(redis.run(["--scan", "--pattern", "certstatus:lease:*"])).filter(|key| !key.is_empty())
    });
    let holder = redis.run(["GET", &lease]);

    let others = ["second", "third"].map(|name| (name, start(name)));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(site.lab.requests(), 1, "the others leave it to the one that asks");
    site.lab.set_fault(None);
    asking.signal("KILL");
    asking.wait_for_end();
    assert!(!asking.is_running());

    // The lease goes on for what is left of its minute; nobody gave it back, and all respect it.
    assert_eq!(redis.run(["GET", &lease]), holder);
    let left: u64 = redis.run(["PTTL", &lease]).parse().unwrap();
    assert!((30_000..=60_000).contains(&left), "{left} ms");
    assert_eq!(redis.run(["PEXPIRE", &lease, "3000"]), "1");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(site.lab.requests(), 1);
    let staples = others.each_ref().map(|(name, agent)| {
        eventually(&format!("a staple of {name}: {agent}"), || staple(&site, name))
    });
    assert_eq!(staples[0], staples[1]);
    assert_eq!(site.lab.requests(), 2, "one takes over, and the other leaves it to that one");
    assert_eq!(redis.run(["EXISTS", &lease]), "0", "and it is given back");
}

/// Users: one, who may do what the store's documentation says, and nothing else.
const RIGHTS: &str = "user default off
user stapler on >secret ~certstatus:* &certstatus:* -@all +hello +ping +getrange +set +get +del \
+publish +subscribe +evalsha +script|load +pttl +pexpire
";

/// A Redis that takes TLS alone.
struct Guarded {
    redis: Redis,
    lab: Lab,
}

impl Guarded {
    fn start(site: &Site) -> Self {
        let lab = Lab::builder().key(KeyKind::EcdsaP256).build().unwrap();
        let leaf = lab.issue(LeafRequest::new("localhost")).unwrap();
        let files = lab.write_files(site.directory.path().join("redis"), &leaf).unwrap();
        let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
        let redis = Redis::with(&[
            "--port",
            "0",
            "--tls-port",
            "PORT",
            "--tls-auth-clients",
            "no",
            "--tls-cert-file",
            &text(&files.chain_pem),
            "--tls-key-file",
            &text(&files.key_pem),
            "--tls-ca-cert-file",
            &text(&files.chain_pem),
            "--aclfile",
            &site.write("users.acl", RIGHTS.as_bytes()),
        ]);
        site.write("redis-ca.pem", &super::pem("CERTIFICATE", lab.root()));
        Self { redis, lab }
    }

    fn store(&self, login: &str, authority: &str) -> String {
        let port = self.redis.port();
        format!(
            "store.redis = \"rediss://{login}@localhost:{port}/0\"\nstore.redis_ca = \"{authority}\""
        )
    }
}

#[test]
fn redis_with_a_ca_of_its_own_and_a_user_of_few_rights_and_what_is_said_when_it_refuses() {
    let site = Site::new(DAYS);
    let guarded = Guarded::start(&site);
    let good = guarded.store("stapler:secret", "redis-ca.pem");
    let first = site.member("first", &lines("first", &good));
    let second = site.member("second", &lines("second", &good));
    let one = eventually("a staple", || staple(&site, "first"));
    assert_eq!(eventually("a staple", || staple(&site, "second")), one);
    assert_eq!(site.lab.requests(), 1, "{first}\n{second}");
    for member in [&first, &second] {
        let text = member.text();
        assert!(text.contains("the fleet's Redis is there"), "{text}");
        assert!(!text.contains("NOPERM") && !text.contains("secret"), "{text}");
    }

    // Whoever is refused goes on alone, and says why.
    site.write("wrong-ca.pem", &super::pem("CERTIFICATE", site.lab.root()));
    assert_ne!(guarded.lab.root(), site.lab.root());
    let refused = |name: &str, store: String, words: &str| {
        let mut member: Daemon = site.member(name, &lines(name, &store));
        member.wait_for_words(words);
        member.wait_for_words("cannot be connected to");
        eventually("a staple", || staple(&site, name));
        assert!(!member.text().contains("false-word"), "{member}");
    };
    let port = guarded.redis.port();
    refused("third", guarded.store("stapler:secret", "wrong-ca.pem"), "invalid peer certificate");
    refused("fourth", guarded.store("stapler:false-word", "redis-ca.pem"), "WRONGPASS");
    let plain = format!("store.redis = \"redis://stapler:false-word@localhost:{port}/0\"");
    let begun = Instant::now();
    refused("fifth", plain, "localhost");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(site.lab.requests(), 4);
}
