//! The documents of the repository hold together: what they link to is there, and what they name as a
//! test is one.

use std::fs;
use std::path::{Path, PathBuf};

/// The directory of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every document for people, by its path from the root.
fn documents() -> Vec<String> {
    let mut found = vec!["crates/libssl/README.md".to_owned()];
    for directory in ["", "docs/"] {
        for entry in fs::read_dir(root().join(directory)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") {
                found.push(format!("{directory}{name}"));
            }
        }
    }
    assert!(found.len() > 6, "{found:?}");
    found
}

/// Text and target of every link.
fn links(document: &str) -> Vec<(&str, &str)> {
    let pieces = document.match_indices("](").filter_map(|(at, _)| {
        let (before, after) = (document.get(..at)?, document.get(at + 2..)?);
        let (_, text) = before.rsplit_once('[')?;
        let (target, _) = after.split_once(')')?;
        Some((text, target))
    });
    pieces.collect()
}

/// The anchors of a document's headings, as forges make them.
fn anchors(document: &str) -> Vec<String> {
    let headings = document.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let words = line.trim_start_matches('#').trim().to_lowercase();
            let kept = words.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    for name in documents() {
        let path = root().join(&name);
        let document = read(&path);
        for (_, target) in links(&document) {
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let to = if file.is_empty() { path.clone() } else { path.with_file_name(file) };
            assert!(to.exists(), "{name} links to {target}, which is not there");
            let known = anchor.is_empty() || anchors(&read(&to)).iter().any(|a| a == anchor);
            assert!(known, "{name} links to {target}, and there is no such heading");
        }
    }
}

/// Whether that source has a test of that name: a function with the attribute, or in one of the macros
/// that give it to functions.
fn has_test(source: &str, name: &str) -> bool {
    let Some((before, _)) = source.split_once(&format!("fn {name}(")) else { return false };
    // Without what stands before it in its own line.
    let above = before.rsplit_once('\n').map_or("", |(above, _)| above);
    let attributes = above.rsplit('\n').take_while(|line| !line.trim().is_empty()).take(6);
    let marked = attributes
        .map(str::trim)
        .any(|line| line == "#[test]" || line.starts_with("#[tokio::test"));
    let listed = source
        .split_once("with_rsa_and_ecdsa!(")
        .and_then(|(_, list)| list.split_once(");"))
        .is_some_and(|(list, _)| list.lines().any(|line| line.trim() == format!("{name},")));
    marked || listed || before.contains("proptest! {")
}

/// The comparison with others: each row says what holds it, or that it is not there.
#[test]
fn what_is_said_to_be_held_by_tests_is() {
    let path = root().join("docs/peers.md");
    let document = read(&path);
    let mut named = 0;
    for (text, target) in links(&document).iter().filter(|(_, target)| target.ends_with(".rs")) {
        let Some(name) = text.strip_prefix('`').and_then(|text| text.strip_suffix('`')) else {
            continue;
        };
        let source = read(&path.with_file_name(target));
        assert!(has_test(&source, name), "{name} is no test in {target}");
        named += 1;
    }
    assert!(named > 100, "{named}");
    let rows = document.lines().filter(|line| line.starts_with("| ") && line.ends_with(" |"));
    let heads = ["| what ", "| it needs ", "| asked "];
    for row in rows.filter(|row| !heads.iter().any(|head| row.starts_with(head))) {
        assert!(links(row).iter().any(|(_, target)| target.contains('.')), "nothing holds {row}");
    }
}

#[test]
fn a_test_is_told_from_what_is_none() {
    let source = "#[test]\nfn one() {}\n\nfn two() {}\n\n#[tokio::test(start_paused = true)]\nasync fn three() {}\n\n    #[test]\n    fn five() {}\n";
    assert!(["one", "three", "five"].iter().all(|name| has_test(source, name)));
    assert!(!has_test(source, "two") && !has_test(source, "four"));
}

/// What the README says a server needs is there, under these names.
#[test]
fn the_crates_that_a_server_needs_are_there() {
    let readme = read(&root().join("README.md"));
    let (_, rest) = readme.split_once("<!-- Cargo.toml -->\n```toml\n").unwrap();
    let wanted: toml::Table = rest.split_once("```").unwrap().0.parse().unwrap();
    let mut ours = 0;
    for (name, wanted) in wanted["dependencies"].as_table().unwrap() {
        let Some(path) = wanted.get("path") else { continue };
        let path = path.as_str().unwrap().strip_prefix("certstatus/").unwrap();
        let manifest: toml::Table = read(&root().join(path).join("Cargo.toml")).parse().unwrap();
        assert_eq!(manifest["package"]["name"].as_str(), Some(name.as_str()));
        ours += 1;
    }
    assert_eq!(ours, 2);
}

/// The table of programs names files of tests.
#[test]
fn what_programs_are_held_by_is_there() {
    let document = read(&root().join("docs/programs.md"));
    let rows = document.lines().filter(|line| line.starts_with("| "));
    let files: Vec<&str> =
        rows.flat_map(|row| row.split('`')).filter(|piece| piece.ends_with(".rs")).collect();
    assert!(files.len() > 10, "{files:?}");
    let there: Vec<String> = fs::read_dir(root().join("interop/tests/on_ours"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for file in files {
        let (begin, end) = file.split_once('*').unwrap_or((file, ""));
        let any = there.iter().any(|name| name.starts_with(begin) && name.ends_with(end));
        assert!(any, "{file} is not there");
    }
}
