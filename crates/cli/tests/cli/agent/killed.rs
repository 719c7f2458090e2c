//! Killed at any instant, the agent leaves to servers and to its successor what is whole and holds.

use std::fs;
use std::time::Duration;

use certstatus_lab::{Lab, LeafRequest};
use rustix::process::Signal;

use super::process::Place;

/// What a killed process leaves behind of a write is hidden from servers that read whole directories.
fn visible(place: &Place) -> Vec<String> {
    let names = fs::read_dir(place.path("out")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_kill_at_any_instant_leaves_servers_and_the_next_start_with_staples() {
    // Refreshed every second or two, so that there are writes to be killed in.
    let place = Place::with(Lab::builder().validity(Duration::from_secs(4)));
    let leaves: Vec<_> = (0..4)
        .map(|number| place.issue(&format!("live/{number}.pem"), LeafRequest::new("a.example")))
        .collect();
    place.configure("[[certificate]]\npath = \"live/*.pem\"\noutput = \"out/{stem}.der\"\n");
    place.start().is_ready();
    for kill in 0..8u64 {
        let mut agent = place.start();
        std::thread::sleep(Duration::from_millis(20 + 397 * kill % 1500));
        agent.signal(Signal::KILL);
        agent.end();
        // An old one may have run out while nobody was there; half a one there is never.
        for (number, leaf) in leaves.iter().enumerate() {
            let name = format!("out/{number}.der");
            let whole = place.staple(&name, leaf).is_some() || !place.path(&name).exists();
            assert!(whole, "{name} after kill {kill}");
        }
        assert!(visible(&place).iter().all(|name| name.ends_with(".der")), "{:?}", visible(&place));
    }
    let agent = place.start();
    agent.is_ready();
    for (number, leaf) in leaves.iter().enumerate() {
        assert!(place.staple(&format!("out/{number}.der"), leaf).is_some());
    }
    assert!(!agent.log().contains("had no response for it"), "{}", agent.log());
}
