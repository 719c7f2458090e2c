//! `certstatus check` at several servers: a line each, the worst outcome as exit code.

use crate::net::{TempFile, World, certstatus, certstatus_with};

#[test]
fn several_hosts_have_a_line_each_and_the_worst_outcome_counts() {
    let world = World::new();
    let good = world.server().staple(world.lab.respond(&world.leaf)).start();
    let missing = world.server().start();
    world.lab.revoke(&world.leaf, None);
    let revoked = world.server().staple(world.lab.respond(&world.leaf)).start();
    let addresses = [good.address(), missing.address(), revoked.address()];
    let hosts: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let check =
        |hosts: &[&str]| certstatus(&[&["check", "--ca-file", world.ca.path()], hosts].concat());

    let ended = check(&hosts);
    ended.says(3, &["3 hosts: 1 revoked, 1 nothing stapled, 1 good.", "and it need not"]);
    let lines: Vec<_> = ended.out.lines().filter(|line| line.contains("127.0.0.1:")).collect();
    assert_eq!(lines.len(), 3, "{}", ended.out);
    for (line, (address, label)) in
        lines.iter().zip(hosts.iter().zip(["GOOD", "NOTHING STAPLED", "REVOKED"]))
    {
        assert!(line.contains(address) && line.contains(label), "{line}");
    }
    let columns = |line: &str| line.find("127.0.0.1").map(|at| line[..at].chars().count());
    assert!(lines.iter().all(|line| columns(line) == columns(lines[0])), "aligned:\n{}", ended.out);

    assert_eq!(check(&hosts[..2]).code, 6);
    assert_eq!(check(&[hosts[0], hosts[0]]).code, 0);
    assert_eq!(check(&[hosts[0], "127.0.0.1:1"]).code, 1);
    assert_eq!(check(&[hosts[1], "127.0.0.1:1"]).code, 1);
}

#[test]
fn a_list_comes_from_a_file_or_from_standard_input() {
    let world = World::new();
    let server = world.server().staple(world.lab.respond(&world.leaf)).start();
    let list = format!("# servers\n\n{}  # the first\n{}\n", server.address(), server.address());
    let file = TempFile::new(list.as_bytes());
    let ca = world.ca.path();
    certstatus(&["check", "--ca-file", ca, "--from", file.path()]).says(0, &["2 hosts: 2 good."]);
    let ended = certstatus_with(&list, &["check", "--ca-file", ca, "--from", "-", "--jobs", "1"]);
    ended.says(0, &["2 hosts: 2 good."]);
    let empty = TempFile::new(b"# none\n");
    certstatus(&["check", "--from", empty.path()]).says(2, &["has no host in it"]);
    let wrong = TempFile::new(b"a.example\nb.example:x\n");
    certstatus(&["check", "--from", wrong.path()]).says(2, &["line 2: x is not a port"]);
    certstatus(&["check", "--from", "/nonexistent"]).says(1, &["cannot be read"]);
}

#[test]
fn the_json_of_several_hosts_is_a_report_on_a_line_each() {
    let world = World::new();
    let good = world.server().staple(world.lab.respond(&world.leaf)).start();
    let missing = world.server().start();
    let (first, second) = (good.address(), missing.address());
    let ended = certstatus(&["check", "--json", "--ca-file", world.ca.path(), &first, &second]);
    let reports = ended.json();
    assert_eq!(reports.len(), 2);
    assert_eq!(reports[0]["host"], first.as_str());
    assert_eq!(reports[0]["verdict"]["outcome"], "good");
    assert_eq!(reports[1]["host"], second.as_str());
    assert_eq!(reports[1]["verdict"]["outcome"], "missing");
    assert_eq!(ended.code, 6);
    assert_eq!(ended.err, "", "nothing but JSON where there is no terminal");
}
