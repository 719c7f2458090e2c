//! Renewals, half files, links and wildcards, on real files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use certstatus_lab::{Lab, Leaf};
use tempfile::TempDir;

use super::*;
use crate::agent::config::Config;

struct Bench {
    lab: Lab,
    directory: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { lab: Lab::builder().build().unwrap(), directory: TempDir::new().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, contents: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, contents).unwrap();
        path
    }

    fn leaf(&self, name: &str) -> (Leaf, Vec<u8>) {
        let leaf = self.lab.leaf(name).unwrap();
        let directory = TempDir::new().unwrap();
        let files = self.lab.write_files(directory.path(), &leaf).unwrap();
        (leaf, fs::read(files.chain_pem).unwrap())
    }

    fn rules(&self, text: &str) -> Vec<Rule> {
        Config::parse(text, "agent.toml", self.directory.path()).unwrap().rules
    }

    fn sweep(&self, path: &str) -> Sweep {
        Sweep::new(self.rules(&format!("[[certificate]]\npath = \"{path}\"")))
    }
}

/// All changes.
fn changes(sweep: &mut Sweep) -> Vec<Change> {
    let mut all = Vec::new();
    sweep.look(&mut |changes| {
        all.extend(changes);
        true
    });
    all
}

/// The changes in words: `+` found, `?` unreadable, `-` gone.
fn look(sweep: &mut Sweep) -> Vec<String> {
    let name = |at: &Location| at.path().file_name().unwrap().to_str().unwrap().to_owned();
    changes(sweep)
        .iter()
        .map(|change| match change {
            Change::Found(path, _, loaded) => {
                assert_eq!(loaded.chain.len(), 2, "{loaded:?}");
                format!("+{}", name(path))
            }
            Change::Unreadable(path, ..) => format!("?{}", name(path)),
            Change::Gone(path) => format!("-{}", name(path)),
        })
        .collect()
}

#[test]
fn a_certificate_is_told_of_when_it_is_new_renewed_and_gone() {
    let bench = Bench::new();
    let mut sweep = bench.sweep("live/*/chain.pem");
    assert!(look(&mut sweep).is_empty());
    let (_, first) = bench.leaf("a.example");
    let path = bench.write("live/a/chain.pem", &first);
    bench.write("live/a/.chain.pem", &first);
    assert_eq!(look(&mut sweep), ["+chain.pem"]);
    assert!(look(&mut sweep).is_empty());
    // Written again with the same contents: nothing has changed.
    fs::write(&path, &first).unwrap();
    assert!(look(&mut sweep).is_empty());
    fs::write(&path, bench.leaf("a.example").1).unwrap();
    assert_eq!(look(&mut sweep), ["+chain.pem"]);
    fs::remove_file(&path).unwrap();
    assert!(look(&mut sweep).is_empty(), "it may come back at once");
    assert_eq!(look(&mut sweep), ["-chain.pem"]);
    assert!(look(&mut sweep).is_empty());
}

#[test]
fn a_half_written_file_is_told_of_once_and_read_again() {
    let bench = Bench::new();
    let mut sweep = bench.sweep("chain.pem");
    assert_eq!(look(&mut sweep), ["?chain.pem"], "there is no such file yet");
    let (_, whole) = bench.leaf("a.example");
    bench.write("chain.pem", &whole);
    assert_eq!(look(&mut sweep), ["+chain.pem"]);
    let (_, renewed) = bench.leaf("a.example");
    bench.write("chain.pem", &renewed[..renewed.len() / 3]);
    assert_eq!(look(&mut sweep), ["?chain.pem"]);
    assert!(look(&mut sweep).is_empty());
    bench.write("chain.pem", &renewed);
    assert_eq!(look(&mut sweep), ["+chain.pem"]);
    bench.write("chain.pem", b"");
    assert_eq!(look(&mut sweep), ["?chain.pem"]);
    // Back to what it was: told of, so that nobody believes that it is still wrong.
    bench.write("chain.pem", &renewed);
    assert_eq!(look(&mut sweep), ["+chain.pem"]);
}

#[test]
fn a_link_that_points_elsewhere_is_a_renewal() {
    let bench = Bench::new();
    let old = bench.write("archive/chain1.pem", &bench.leaf("a.example").1);
    let new = bench.write("archive/chain2.pem", &bench.leaf("a.example").1);
    symlink(&old, bench.path("chain.pem")).unwrap();
    let mut sweep = bench.sweep("chain.pem");
    assert_eq!(look(&mut sweep), ["+chain.pem"]);
    fs::remove_file(bench.path("chain.pem")).unwrap();
    symlink(&new, bench.path("chain.pem")).unwrap();
    assert_eq!(look(&mut sweep), ["+chain.pem"]);
}

#[test]
fn the_first_rule_has_a_certificate() {
    let bench = Bench::new();
    bench.write("a.pem", &bench.leaf("a.example").1);
    bench.write("b.pem", &bench.leaf("b.example").1);
    let both = "[[certificate]]\npath = \"a.pem\"\nkeep_stale = true\n\
                [[certificate]]\npath = \"*.pem\"\n";
    let mut sweep = Sweep::new(bench.rules(both));
    let kept: Vec<bool> = changes(&mut sweep)
        .iter()
        .map(|change| match change {
            Change::Found(_, rule, _) => rule.keep_stale,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(kept, [true, false]);
    // Under other rules only what has another rule is told of.
    sweep.replace_rules(bench.rules("[[certificate]]\npath = \"*.pem\"\n"));
    assert_eq!(look(&mut sweep), ["+a.pem"]);
}

#[test]
fn an_issuer_of_a_file_must_be_the_issuer() {
    let bench = Bench::new();
    let (leaf, _) = bench.leaf("a.example");
    let rules = || bench.rules("[[certificate]]\npath = \"leaf.der\"\nissuer = \"issuer.der\"\n");
    bench.write("leaf.der", leaf.certificate());
    bench.write("issuer.der", Lab::builder().build().unwrap().intermediate());
    let mut sweep = Sweep::new(rules());
    assert_eq!(look(&mut sweep), ["?leaf.der"]);
    bench.write("issuer.der", bench.lab.intermediate());
    assert_eq!(look(&mut sweep), ["+leaf.der"]);
}

#[test]
fn looking_takes_a_small_part_of_the_time() {
    let bench = Bench::new();
    let mut sweep = bench.sweep("*.pem");
    sweep.took = Duration::from_millis(200);
    assert_eq!(sweep.next_in(Duration::from_secs(2)), Duration::from_secs(10));
    sweep.took = Duration::from_millis(1);
    assert_eq!(sweep.next_in(Duration::from_secs(2)), Duration::from_secs(2));
}

#[test]
fn very_many_are_told_of_in_batches_and_no_more_are_read_than_are_heard() {
    let bench = Bench::new();
    let (_, chain) = bench.leaf("a.example");
    for number in 0..2 * BATCH + 1 {
        bench.write(&format!("{number:04}.pem"), &chain);
    }
    let mut sweep = bench.sweep("*.pem");
    let mut sizes = Vec::new();
    sweep.look(&mut |changes| {
        sizes.push(changes.len());
        sizes.len() < 2
    });
    assert_eq!(sizes, [BATCH, BATCH]);
    // What was not heard is told of at the next look.
    assert_eq!(look(&mut sweep), [format!("+{:04}.pem", 2 * BATCH)]);
}

#[test]
fn a_directory_that_is_meant_by_a_pattern_is_no_certificate() {
    let bench = Bench::new();
    bench.write("live/a.pem", &bench.leaf("a.example").1);
    fs::create_dir(bench.path("live/b.pem")).unwrap();
    assert_eq!(look(&mut bench.sweep("live/*.pem")), ["+a.pem"]);
}

#[test]
fn a_pattern_passes_over_hidden_files_and_names_that_are_no_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let bench = Bench::new();
    let chain = bench.leaf("a.example").1;
    let directory = bench.directory.path();
    fs::write(directory.join(OsStr::from_bytes(b"caf\xe9.pem")), &chain).unwrap();
    for name in ["a.pem", ".b.pem", "sub/c.pem", ".sub/d.pem", "sub/.e/f.pem", "sub/g/h.pem"] {
        bench.write(name, &chain);
    }
    assert_eq!(look(&mut bench.sweep("*.pem")), ["+a.pem"]);
    assert_eq!(look(&mut bench.sweep("*/*.pem")), ["+c.pem"]);
    assert_eq!(look(&mut bench.sweep(".s*/*.pem")), ["+d.pem"]);
    assert_eq!(look(&mut bench.sweep("**/*.pem")), ["+a.pem", "+c.pem", "+h.pem"]);
}

#[test]
fn a_pipe_is_not_waited_for() {
    use rustix::fs::{CWD, Mode, mkfifoat};

    let bench = Bench::new();
    mkfifoat(CWD, bench.path("a.pem"), Mode::RUSR).unwrap();
    for pattern in ["a.pem", "*.pem"] {
        assert_eq!(look(&mut bench.sweep(pattern)), ["?a.pem"]);
    }
}

#[test]
fn two_stars_go_down_every_directory_but_not_over_links() {
    let bench = Bench::new();
    let chain = bench.leaf("a.example").1;
    for name in ["a.pem", "x/b.pem", "x/y/c.pem", "x/y/z/d.pem"] {
        bench.write(name, &chain);
    }
    symlink(bench.path("x"), bench.path("x/y/round")).unwrap();
    symlink(bench.path("x/b.pem"), bench.path("x/y/e.pem")).unwrap();
    assert_eq!(
        look(&mut bench.sweep("**/*.pem")),
        ["+a.pem", "+b.pem", "+c.pem", "+e.pem", "+d.pem"]
    );
    assert_eq!(look(&mut bench.sweep("x/**/c.pem")), ["+c.pem"]);
    assert_eq!(look(&mut bench.sweep("**/y/*.pem")), ["+c.pem", "+e.pem"]);
    assert_eq!(look(&mut bench.sweep("x/./*/../[a-c].pem")), ["+b.pem"]);
}

#[test]
fn a_link_that_leads_nowhere_is_a_certificate_that_cannot_be_read() {
    let bench = Bench::new();
    symlink(bench.path("nowhere"), bench.path("a.pem")).unwrap();
    let mut sweep = bench.sweep("*.pem");
    assert_eq!(look(&mut sweep), ["?a.pem"]);
    let mut named = bench.sweep("[a]*/fullchain.pem");
    assert!(look(&mut named).is_empty());
    bench.write("ab/fullchain.pem", &bench.leaf("a.example").1);
    assert_eq!(look(&mut named), ["+fullchain.pem"]);
    fs::remove_dir_all(bench.path("ab")).unwrap();
    assert!(look(&mut named).is_empty(), "missed once");
    assert_eq!(look(&mut named), ["-fullchain.pem"]);
}

#[test]
fn directory_that_cannot_be_read_keeps_its_certificates() {
    let bench = Bench::new();
    let mut sweep = bench.sweep("live/*/chain.pem");
    bench.write("live/a/chain.pem", &bench.leaf("a.example").1);
    assert_eq!(look(&mut sweep), ["+chain.pem"]);
    // A link to itself cannot be read, also by root.
    let (live, aside) = (bench.path("live"), bench.path("aside"));
    fs::rename(&live, &aside).unwrap();
    symlink("live", &live).unwrap();
    for _ in 0..3 {
        assert!(look(&mut sweep).is_empty());
    }
    fs::remove_file(&live).unwrap();
    fs::rename(&aside, &live).unwrap();
    let chain = live.join("a/chain.pem");
    let bytes = fs::read(&chain).unwrap();
    fs::remove_file(&chain).unwrap();
    symlink("chain.pem", &chain).unwrap();
    assert_ne!(look(&mut sweep), ["-chain.pem"]);
    assert!(look(&mut sweep).is_empty());
    fs::remove_file(&chain).unwrap();
    fs::write(&chain, bytes).unwrap();
    look(&mut sweep);
    fs::remove_dir_all(&live).unwrap();
    assert!(look(&mut sweep).is_empty(), "missed once");
    assert_eq!(look(&mut sweep), ["-chain.pem"]);
}
