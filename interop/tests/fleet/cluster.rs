//! A Redis Cluster that loses a master: its replica takes over, and members share again.

use std::time::{Duration, Instant};

use certstatus_stapler::Stapler;
use certstatus_stapler::store::RedisStore;

use super::members::{LIFE, Member, World, until, watch};
use super::server::{Redis, staple_key};
use crate::harness::pki::provider;
use crate::harness::process::{PATIENCE, Program, free_port};

/// Three masters, each with a replica, which count a node as dead that is silent for a second.
struct Cluster(Vec<Redis>);

impl Cluster {
    fn start() -> Self {
        let buses: Vec<_> = (0..6).map(|_| free_port().to_string()).collect();
        let nodes: Vec<_> = buses.iter().map(|bus| Self::node(bus)).collect();
        let addresses = nodes.iter().zip(&buses);
        let addresses = addresses.map(|(node, bus)| format!("127.0.0.1:{}@{bus}", node.port()));
        let mut arguments = vec!["--cluster".to_owned(), "create".to_owned()];
        arguments.extend(addresses);
        arguments.extend(["--cluster-replicas", "1", "--cluster-yes"].map(str::to_owned));
        Program::find("redis-cli", "redis-tools").run(arguments).exits(0);
        let cluster = Self(nodes);
        cluster.wait("a replica for each master", |node| {
            let role = node.run(["INFO", "replication"]);
            role.contains("master_link_status:up") || role.contains("connected_slaves:1")
        });
        cluster.wait("a cluster that is one", |node| {
            node.run(["CLUSTER", "INFO"]).contains("cluster_state:ok")
        });
        cluster
    }

    fn node(bus: &str) -> Redis {
        let options = ["--cluster-enabled", "yes", "--cluster-port", bus];
        let patience = ["--cluster-node-timeout", "1000", "--cluster-replica-validity-factor", "0"];
        Redis::with(&[&options[..], &patience].concat())
    }

    fn wait(&self, what: &str, done: impl Fn(&Redis) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !self.0.iter().all(&done) {
            assert!(Instant::now() < deadline, "no {what} within {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn member(&self) -> RedisStore {
        let nodes = self.0.iter().map(Redis::url);
        RedisStore::cluster(nodes).timeout(Duration::from_secs(2)).start().unwrap()
    }

    /// The node that answers for the key.
    fn master_of(&self, key: &str) -> Option<usize> {
        self.0.iter().position(|node| node.run(["EXISTS", key]) == "1")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_go_on_while_a_master_is_dead_and_share_again_when_its_replica_has_taken_over() {
    let mut world = World::of(Cluster::start());
    let join = |nth: usize| {
        let store = world.before_disk(world.redis.member(), &nth.to_string());
        world.member_with(Stapler::builder(provider()).store(store))
    };
    let fleet: Vec<_> = (0..3).map(join).collect();
    for member in &fleet {
        member.has_a_staple().await;
    }
    assert_eq!(world.lab.requests(), 1);

    let key = staple_key(&world.id());
    let master = world.redis.master_of(&key).expect("a master that has the staple");
    let mut dead = world.redis.0.remove(master);
    dead.kill();
    watch(&fleet, LIFE / 2).await;
    // Another node has what the members save now, and one of them asks for all.
    until("staple in the cluster", || world.redis.master_of(&key).is_some()).await;
    until("common staple", || {
        fleet.iter().all(|member| Member::staple(member) == fleet[0].staple())
    })
    .await;
    let (before, seen) = (world.lab.requests(), watch(&fleet, LIFE * 5 / 8).await.len());
    let asked = world.lab.requests() - before;
    assert!(seen >= 2 && asked <= seen, "{asked} requests for {seen} staples");
}
