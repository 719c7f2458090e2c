//! The agent as a service: renewals, reloads, refreshes, its pages, and its end.

use std::fs;
use std::time::Duration;

use certstatus_lab::{Fault, Lab, LeafRequest};
use rustix::process::Signal;
use rustls_pki_types::UnixTime;

use super::process::{Place, eventually, is_gone};

const GLOB: &str = "[[certificate]]\npath = \"live/*.pem\"\noutput = \"out/{stem}.der\"\n";

#[test]
fn certificates_that_come_are_renewed_and_go_are_seen() {
    let place = Place::new();
    let first = place.issue("live/a.pem", LeafRequest::new("a.example"));
    place.configure(GLOB);
    let agent = place.start();
    agent.is_ready();
    assert!(place.staple("out/a.der", &first).is_some(), "there is a staple when it is ready");

    let renewed = place.issue("live/a.pem", LeafRequest::new("a.example"));
    eventually("the staple of the renewed one", || place.staple("out/a.der", &renewed));
    let new = place.issue("live/b.pem", LeafRequest::new("b.example"));
    eventually("the staple of the new one", || place.staple("out/b.der", &new));

    // Half a file is not the end of what was there.
    let whole = fs::read(place.path("live/a.pem")).unwrap();
    place.write("live/a.pem", &whole[..200]);
    eventually("the error", || agent.staples()["staples"][0]["file_error"].as_str().map(drop));
    assert!(place.staple("out/a.der", &renewed).is_some());
    place.write("live/a.pem", &whole);
    eventually("no error", || agent.staples()["staples"][0]["file_error"].is_null().then_some(()));

    fs::remove_file(place.path("live/b.pem")).unwrap();
    eventually("the end of its staple", || is_gone(&place.path("out/b.der")));
    assert_eq!(agent.only()["certificate"], place.text("live/a.pem"));
}

#[test]
fn a_renewed_certificate_whose_responder_fails_loses_the_staple_of_the_old_one() {
    let place = Place::new();
    let first = place.issue("live/a.pem", LeafRequest::new("a.example"));
    place.configure(GLOB);
    let agent = place.start();
    agent.is_ready();
    assert!(place.staple("out/a.der", &first).is_some());
    place.lab.set_fault(Some(Fault::TryLater));
    let renewed = place.issue("live/a.pem", LeafRequest::new("a.example"));
    eventually("no staple of another certificate", || is_gone(&place.path("out/a.der")));
    assert_eq!(agent.only()["state"], "missing");
    place.lab.set_fault(None);
    // The first attempts follow each other by half a minute: a reload does not wait for that, but
    // another renewal is asked about at once.
    let again = place.issue("live/a.pem", LeafRequest::new("a.example"));
    eventually("a staple", || place.staple("out/a.der", &again));
    assert!(place.staple("out/a.der", &renewed).is_none());
}

#[test]
fn common_output_follows_the_certificate_that_stays() {
    let place = Place::new();
    let rsa = place.issue("live/site/rsa.pem", LeafRequest::new("a.example"));
    let ecdsa = place.issue("live/site/ecdsa.pem", LeafRequest::new("a.example"));
    place.configure("[[certificate]]\npath = \"live/*/*.pem\"\noutput = \"out/{dir}.der\"\n");
    let check = place.agent(&["--check-config"]).assert().failure();
    let said =
        String::from_utf8_lossy(&check.get_output().stdout).split_whitespace().collect::<String>();
    assert!(said.contains("isalsotheoutputof"), "{said}");

    let agent = place.start();
    agent.is_ready();
    let (gone, stays) = match place.staple("out/site.der", &rsa) {
        Some(_) => ("live/site/rsa.pem", &ecdsa),
        None => ("live/site/ecdsa.pem", &rsa),
    };
    fs::remove_file(place.path(gone)).unwrap();
    eventually("the staple of the one that stays", || place.staple("out/site.der", stays));
}

#[test]
fn page_on_loopback_rejects_other_hosts() {
    let place = Place::new();
    place.issue("live/a.pem", LeafRequest::new("a.example"));
    place.configure(GLOB);
    let agent = place.start();
    agent.is_ready();
    assert_eq!(agent.get("/api/v1/staples").0, 200);
    let request = "/api/v1/staples HTTP/1.1\r\nhost: rebound.example\r\nx-rest:";
    assert_eq!(agent.get(request).0, 421);
}

#[test]
fn staples_are_refreshed_and_what_expires_is_taken_away() {
    let place = Place::with(Lab::builder().validity(Duration::from_secs(12)));
    let leaf = place.issue("live/a.pem", LeafRequest::new("a.example").must_staple());
    place.configure(GLOB);
    let agent = place.start();
    agent.is_ready();
    assert_eq!(agent.get("/healthz").0, 200);
    let first = place.staple("out/a.der", &leaf).unwrap();
    eventually("a refresh", || {
        place.staple("out/a.der", &leaf).filter(|now| now.this_update() > first.this_update())
    });
    place.lab.set_fault(Some(Fault::TryLater));
    eventually("a warning", || (agent.get("/healthz").0 == 503).then_some(()));
    assert!(agent.get("/healthz").2.contains("must staple, and its staple ends in"));
    assert!(place.staple("out/a.der", &leaf).is_some(), "the alarm comes before the end");
    eventually("the end", || is_gone(&place.path("out/a.der")));
    eventually("no staple", || (agent.only()["state"] == "missing").then_some(()));
    assert!(agent.get("/healthz").2.contains("has no staple"));
}

/// What `alarm` says is when /healthz fails, for a staple of a long life: here, some seconds from now.
#[test]
fn health_fails_by_the_alarm_that_is_configured_until_there_is_a_newer_staple() {
    let (life, alarm) = (4 * 86_400, 10 * 3600);
    let place = Place::with(Lab::builder().validity(Duration::from_secs(life)));
    let now = place.lab.now().as_secs();
    let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    // A responder that signs seldom: what it gives out was signed long ago.
    place.issue("live/must.pem", LeafRequest::new("must.example").must_staple());
    place.issue("live/may.pem", LeafRequest::new("may.example"));
    place.lab.set_now(at(now - life + alarm + 8));
    place.configure(&format!("http.alarm = \"10h\"\n{GLOB}"));
    let agent = place.start();
    agent.is_ready();
    let (status, _, said) = agent.get("/healthz");
    assert_eq!(status, 200, "{said}");
    eventually("the alarm", || (agent.get("/healthz").0 == 503).then_some(()));
    let said = agent.get("/healthz").2;
    assert!(said.contains("live/must.pem must staple, and its staple ends in 9h 59m"), "{said}");
    assert!(!said.contains("may.pem"), "{said}");
    assert_eq!(agent.staples()["health"]["level"], "failing");
    // Another time counts from the next reload on.
    place.configure(&format!("http.alarm = \"9h\"\n{GLOB}"));
    agent.signal(Signal::HUP);
    eventually("no alarm yet", || (agent.get("/healthz").0 == 200).then_some(()));
    place.configure(&format!("http.alarm = \"10h\"\n{GLOB}"));
    agent.signal(Signal::HUP);
    eventually("the alarm again", || (agent.get("/healthz").0 == 503).then_some(()));
    // A newer staple ends it: here that of a renewed certificate, about which it is asked at once.
    place.lab.set_now(at(now));
    place.issue("live/must.pem", LeafRequest::new("must.example").must_staple());
    eventually("the end of the alarm", || (agent.get("/healthz").0 == 200).then_some(()));
}

#[test]
fn a_stale_file_is_kept_when_that_is_wanted() {
    let place = Place::new();
    place.issue("chain.pem", LeafRequest::new("a.example"));
    place.write("staple.der", "from before");
    place.lab.set_fault(Some(Fault::TryLater));
    let one = "[[certificate]]\npath = \"chain.pem\"\noutput = \"staple.der\"\n";
    place.configure(&format!("{one}keep_stale = true\n"));
    let agent = place.start();
    agent.is_ready();
    assert_eq!(agent.only()["state"], "missing");
    assert!(place.path("staple.der").exists());
    drop(agent);
    place.configure(one);
    let _agent = place.start();
    eventually("the end of the file", || is_gone(&place.path("staple.der")));
}

#[test]
fn a_reload_takes_what_is_new_and_drops_no_staple() {
    let place = Place::new();
    let leaf = place.issue("live/a.pem", LeafRequest::new("a.example"));
    place.configure(GLOB);
    let agent = place.start();
    agent.is_ready();
    let requests = place.lab.requests();

    // Another output.
    place.configure(&GLOB.replace("out/", "new/"));
    agent.signal(Signal::HUP);
    eventually("the new output", || place.staple("new/a.der", &leaf));
    // One that is wrong: the old one holds, and the page says so.
    place.write("agent.toml", "[[certificate]]\npaht = \"x\"\n");
    agent.signal(Signal::HUP);
    agent.says("the configuration stays as it was");
    let error =
        eventually("the error", || agent.staples()["config"]["error"].as_str().map(str::to_owned));
    assert!(error.contains("line 2"), "{error}");
    assert_eq!(agent.only()["state"], "fresh");
    // Other ways to fetch: another stapler, and the staples of the store.
    place.configure(&format!("fetch.timeout = \"9s\"\n{}", GLOB.replace("out/", "new/")));
    agent.signal(Signal::HUP);
    agent.says("the configuration is read again");
    eventually("no error", || agent.staples()["config"]["error"].is_null().then_some(()));
    eventually("a staple", || (agent.only()["state"] == "fresh").then_some(()));
    assert!(place.staple("new/a.der", &leaf).is_some());
    assert_eq!(place.lab.requests(), requests, "nobody was asked again");
    // A certificate that is asked about elsewhere is asked about at once.
    let other = place.lab.responder_url().replace("/ocsp", "/ocsp/");
    place.configure(&format!("{GLOB}responder = \"{other}\"\n"));
    agent.signal(Signal::HUP);
    eventually("the other responder", || (agent.only()["responders"][0] == *other).then_some(()));
    eventually("its answer", || place.staple("out/a.der", &leaf));
}

#[test]
fn what_a_new_store_lacks_is_fetched_and_given_to_servers() {
    let place = Place::new();
    let leaf = place.issue("live/a.pem", LeafRequest::new("a.example"));
    place.configure(GLOB);
    let agent = place.start();
    agent.is_ready();
    let first = place.staple("out/a.der", &leaf).unwrap();
    // A response of another second can be told from the first.
    std::thread::sleep(Duration::from_millis(1100));
    let text = fs::read_to_string(place.path("agent.toml")).unwrap();
    place.write("agent.toml", text.replace("\"store\"", "\"another\""));
    agent.signal(Signal::HUP);
    eventually("the newer response", || {
        place.staple("out/a.der", &leaf).filter(|now| now.this_update() > first.this_update())
    });
}

#[test]
fn it_ends_when_it_is_told_to_and_begins_where_it_was() {
    for signal in [Signal::TERM, Signal::INT] {
        let place = Place::new();
        let leaf = place.issue("live/a.pem", LeafRequest::new("a.example"));
        place.configure(GLOB);
        let mut agent = place.start();
        agent.is_ready();
        agent.signal(signal);
        assert_eq!(agent.end().code(), Some(0), "{}", agent.log());
        assert!(place.staple("out/a.der", &leaf).is_some(), "servers keep what they have");
        fs::remove_file(place.path("out/a.der")).unwrap();
        let agent = place.start();
        agent.is_ready();
        assert!(place.staple("out/a.der", &leaf).is_some());
        assert_eq!(place.lab.requests(), 1);
    }
}

#[test]
fn the_pages_say_what_is_there_and_may_load_nothing_from_elsewhere() {
    let place = Place::new();
    place.issue("live/a.pem", LeafRequest::new("a.example").must_staple());
    place.configure(GLOB);
    let agent = place.start();
    agent.is_ready();
    for (path, media_type) in [
        ("/", "text/html"),
        ("/page.css", "text/css"),
        ("/page.js", "text/javascript"),
        ("/icon.svg", "image/svg+xml"),
        ("/api/v1/staples", "application/json"),
        ("/healthz", "text/plain"),
        ("/metrics", "text/plain"),
    ] {
        let (status, head, body) = agent.get(path);
        assert_eq!(status, 200, "{path}");
        assert!(head.contains(&format!("content-type: {media_type}")), "{head}");
        assert!(head.contains("content-security-policy: default-src 'none'; "), "{head}");
        assert!(!head.contains("unsafe-inline"), "{head}");
        assert!(!body.is_empty());
    }
    assert_eq!(agent.get("/nothing").0, 404);
    let page = agent.get("/").2;
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("style="));
    let all = agent.staples();
    assert_eq!(all["health"]["level"], "good");
    assert_eq!(all["health"]["summary"], "The staple is fresh.");
    let one = &all["staples"][0];
    assert_eq!(
        (&one["state"], &one["status"], &one["must_staple"]),
        (&"fresh".into(), &"good".into(), &true.into())
    );
    assert!(one["seconds_left"].as_i64().unwrap() > 300_000 && one["refresh_at"].is_string());
    let metrics = agent.get("/metrics").2;
    assert!(metrics.contains("certstatus_fetches_total{"), "{metrics}");
    assert!(metrics.contains("# HELP certstatus_fetch_duration_seconds"), "{metrics}");
}

#[test]
fn an_address_that_is_taken_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = Place::new();
    place.issue("live/a.pem", LeafRequest::new("a.example"));
    place.configure(GLOB);
    let text = fs::read_to_string(place.path("agent.toml")).unwrap();
    place
        .write("agent.toml", text.replace("127.0.0.1:0", &taken.local_addr().unwrap().to_string()));
    let ended = crate::support::run(place.agent(&[]));
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("The status page cannot be served at"), "{}", ended.stderr);
}
