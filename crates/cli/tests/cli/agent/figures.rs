//! Figures for those who watch many machines: every metric by its name, and whose staple ends first.

use std::time::{Duration, Instant};

use certstatus_lab::{Fault, LeafRequest};

use super::process::{Agent, Place};

/// The value of a metric with these labels, as Prometheus reads it.
#[track_caller]
fn value(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is not in\n{metrics}")).parse().unwrap()
}

fn metrics(agent: &Agent) -> String {
    let (status, head, body) = agent.get("/metrics");
    assert_eq!(status, 200);
    assert!(head.contains("content-type: text/plain"), "{head}");
    body
}

/// Staples by state, age and time left; requests by responder and outcome; how long they took; leases.
#[test]
fn every_metric_is_there_by_its_name() {
    let place = Place::new();
    place.issue("live/good.pem", LeafRequest::new("good.example"));
    let revoked =
        place.issue("live/revoked.pem", LeafRequest::new("revoked.example").must_staple());
    place.issue("live/quiet.pem", LeafRequest::new("quiet.example").no_aia());
    place.lab.revoke(&revoked, None);
    place.configure("[[certificate]]\npath = \"live/*.pem\"\noutput = \"out/{stem}.der\"\n");
    let agent = place.start();
    agent.is_ready();
    let seen = metrics(&agent);
    let url = place.lab.responder_url();
    for (name, expected) in [
        ("certstatus_staples{state=\"good\"}".to_owned(), 1.0),
        ("certstatus_staples{state=\"revoked\"}".to_owned(), 1.0),
        ("certstatus_staples{state=\"no_responder\"}".to_owned(), 1.0),
        ("certstatus_staples{state=\"missing\"}".to_owned(), 0.0),
        ("certstatus_staples_at_risk{must_staple=\"yes\"}".to_owned(), 1.0),
        ("certstatus_staples_at_risk{must_staple=\"no\"}".to_owned(), 0.0),
        (format!("certstatus_fetches_total{{responder=\"{url}\",outcome=\"good\"}}"), 1.0),
        (format!("certstatus_fetches_total{{responder=\"{url}\",outcome=\"revoked\"}}"), 1.0),
        (format!("certstatus_fetch_duration_seconds_count{{responder=\"{url}\"}}"), 2.0),
        ("certstatus_leases_held".to_owned(), 0.0),
    ] {
        assert_eq!(value(&seen, &name), expected, "{name}:\n{seen}");
    }
    // Of the lab's four days.
    let age = value(&seen, "certstatus_staple_age_seconds_max");
    let left = value(&seen, "certstatus_staple_time_left_seconds_min");
    let life = f64::from(4 * 86_400);
    assert!((0.0..60.0).contains(&age) && (life - 60.0..=life).contains(&left), "{age}, {left}");
    let took =
        value(&seen, &format!("certstatus_fetch_duration_seconds_sum{{responder=\"{url}\"}}"));
    assert!(took > 0.0 && took < 20.0, "{took}");

    // What fails is counted by how it fails.
    place.lab.set_fault(Some(Fault::Http500));
    place.issue("live/new.pem", LeafRequest::new("new.example"));
    let failed = format!("certstatus_fetches_total{{responder=\"{url}\",outcome=\"unreachable\"}}");
    super::process::eventually("a failure", || metrics(&agent).contains(&failed).then_some(()));
    assert!(value(&metrics(&agent), &failed) >= 1.0);
}

/// By the time that is left, shortest first: what has no staple, then the oldest.
#[test]
fn whose_staple_ends_first_comes_first() {
    let place = Place::new();
    place.configure("[[certificate]]\npath = \"live/*.pem\"\noutput = \"out/{stem}.der\"\n");
    let agent = place.start();
    // Not in the order of their names or paths.
    for name in ["middle", "alpha", "zulu"] {
        place.issue(&format!("live/{name}.pem"), LeafRequest::new(name));
        let out = format!("out/{name}.der");
        super::process::eventually(name, || place.path(&out).exists().then_some(()));
        std::thread::sleep(Duration::from_millis(1100));
    }
    place.issue("live/quiet.pem", LeafRequest::new("quiet").no_aia());
    let names = |query: &str| {
        let (status, _, body) = agent.get(&format!("/api/v1/staples?{query}"));
        assert_eq!(status, 200, "{body}");
        let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
        let staples = answer["staples"].as_array().unwrap();
        staples.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    super::process::eventually("all four", || (names("").len() == 4).then_some(()));
    assert_eq!(names("sort=left"), ["quiet", "middle", "alpha", "zulu"]);
    assert_eq!(names("sort=left&order=desc"), ["zulu", "alpha", "middle", "quiet"]);
    assert_eq!(names("sort=left&offset=1&limit=2"), ["middle", "alpha"]);
}

/// The figures are of the moment at which they are asked for, also after a reload that began the
/// stapling anew.
#[test]
fn figures_are_as_of_now() {
    let place = Place::new();
    let rule = "[[certificate]]\npath = \"live/*.pem\"\noutput = \"out/{stem}.der\"\n";
    place.configure(rule);
    const GOOD: &str = "certstatus_staples{state=\"good\"}";
    let agent = place.start();
    agent.is_ready();
    let good = |count: f64| {
        let seen = metrics(&agent);
        assert_eq!(value(&seen, GOOD), count, "{seen}");
    };
    good(0.0);
    for count in 1..=3 {
        let name = format!("{count}");
        let leaf = place.issue(&format!("live/{name}.pem"), LeafRequest::new(&name));
        let out = format!("out/{name}.der");
        super::process::eventually("a staple", || place.staple(&out, &leaf));
        good(f64::from(count));
    }
    place.configure(&format!("fetch.timeout = \"9s\"\n{rule}"));
    agent.signal(rustix::process::Signal::HUP);
    agent.says("the configuration is read again");
    // Sooner than they are seen to without being asked for.
    let begun = Instant::now();
    while value(&metrics(&agent), GOOD) < 3.0 {
        assert!(begun.elapsed() < Duration::from_secs(10), "{}", metrics(&agent));
        std::thread::sleep(Duration::from_millis(20));
    }
    std::fs::remove_file(place.path("live/2.pem")).unwrap();
    super::process::eventually("the end of one", || (agent.staples()["total"] == 2).then_some(()));
    good(2.0);
}
