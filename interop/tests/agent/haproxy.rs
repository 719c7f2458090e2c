//! HAProxy: a file beside the certificate for its start, and its socket for what comes later.

use std::time::Duration;

use super::{Server, Site};
use crate::harness::process::{Program, free_port};

/// HAProxy 2.6 does not staple what ends within five minutes, so these responses live for days. A
/// refresh comes before its time when the agent is given a store that has nothing yet.
#[test]
fn haproxy_is_kept_stapled_without_a_reload() {
    let site = Site::new(Duration::from_secs(4 * 86_400));
    let port = free_port();
    let mut agent = site.agent(RULE);
    let config = site.write("haproxy.cfg", configuration(&site, port).as_bytes());
    let mut call = Program::find("haproxy", "haproxy").call();
    call.args(["-W", "-db", "-p", &site.path("pid"), "-f", &config]);
    let haproxy = Server::start(call, port);
    let first = site.look(port).unwrap();

    // A response of another second can be told from the first.
    std::thread::sleep(Duration::from_millis(1100));
    site.configure("another", RULE);
    agent.signal("HUP");
    agent.wait_for_words("the configuration is read again");
    let refreshed = site.look_until(port, "a refresh", |seen| seen.this_update > first.this_update);
    assert_eq!(refreshed.serial, first.serial);
    assert!(!haproxy.0.text().contains("Reloading"), "{}", haproxy.0);

    // A new certificate takes a reload, as it does without an agent; its staple is there by then.
    let before = std::fs::read(site.path("site.pem.ocsp")).unwrap();
    let serial = site.renew();
    site.wait_for_other("site.pem.ocsp", &before);
    assert_eq!(site.look(port).unwrap().serial, first.serial);
    let reload = format!("kill -USR2 $(cat {})", site.path("pid"));
    Program::find("sh", "dash").run(["-c", &reload]).exits(0);
    site.look_until(port, "the renewed certificate", |seen| seen.serial == serial);
}

const RULE: &str = "[[certificate]]\npath = \"site.pem\"\noutput = \"{path}.ocsp\"\n\
                    haproxy_socket = \"./socket\"\n";

fn configuration(site: &Site, port: u16) -> String {
    format!(
        "global
    stats socket {socket} level admin
defaults
    mode http
    timeout connect 5s
    timeout client 10s
    timeout server 10s
frontend all
    bind 127.0.0.1:{port} ssl crt {certificate}
    http-request return status 204
",
        socket = site.path("socket"),
        certificate = site.path("site.pem"),
    )
}
