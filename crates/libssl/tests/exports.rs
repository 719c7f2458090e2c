//! The symbols of the shared library, held against `exports.toml` and the system's libssl.so.3; and
//! the rows of the table, held against the programs that show what the rows claim.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it cannot go on, with what it found"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

#[derive(Deserialize)]
struct Exports {
    symbols: BTreeMap<String, Row>,
    functions: BTreeMap<String, Row>,
    ctrl: BTreeMap<String, Row>,
}

#[derive(Deserialize)]
struct Row {
    state: String,
    /// The C program in `interop/libssl/c` that shows it.
    test: Option<String>,
}

fn table() -> Exports {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("exports.toml");
    toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The library that cargo built beside this test.
fn library() -> PathBuf {
    let mut directory = std::env::current_exe().unwrap();
    directory.pop();
    [directory.as_path(), directory.parent().unwrap()]
        .into_iter()
        .map(|d| d.join("libcertstatus_libssl.so"))
        .find(|path| path.exists())
        .expect("cargo builds the cdylib before it runs this test")
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?} failed");
    String::from_utf8(output.stdout).unwrap()
}

/// The functions that a library defines, each with its version: `SSL_new@@OPENSSL_3.0.0`.
fn functions(library: &str) -> BTreeSet<String> {
    output("nm", &["-D", "--defined-only", library])
        .lines()
        .filter_map(|line| line.split_once(" T "))
        .map(|(_, name)| name.to_owned())
        .collect()
}

#[test]
fn every_symbol_of_the_table_is_exported_with_its_version_and_no_other() {
    let table = table();
    let expected: BTreeSet<String> = table
        .symbols
        .keys()
        .chain(table.functions.keys())
        .map(|name| format!("{name}@@OPENSSL_3.0.0"))
        .collect();
    assert_eq!(table.symbols.len(), 518);
    assert_eq!(functions(library().to_str().unwrap()), expected);
}

#[test]
fn the_table_names_the_symbols_of_the_systems_libssl() {
    let multiarch = output("cc", &["-print-multiarch"]);
    let system = format!("/usr/lib/{}/libssl.so.3", multiarch.trim());
    let expected: BTreeSet<String> =
        table().symbols.keys().map(|name| format!("{name}@@OPENSSL_3.0.0")).collect();
    assert_eq!(functions(&system), expected);
}

#[test]
fn it_is_libssl_so_3_and_needs_libcrypto_but_no_other_libssl() {
    let dynamic = output("readelf", &["-d", library().to_str().unwrap()]);
    let lines =
        |kind: &str| -> Vec<&str> { dynamic.lines().filter(|line| line.contains(kind)).collect() };
    assert!(lines("(SONAME)").iter().any(|line| line.contains("[libssl.so.3]")));
    assert!(lines("(NEEDED)").iter().any(|line| line.contains("[libcrypto.so.3]")));
    assert!(!lines("(NEEDED)").iter().any(|line| line.contains("libssl")));
}

/// Every word of the programs in `interop/libssl/c`, by program, without comments.
fn words_of_programs() -> BTreeMap<String, BTreeSet<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop/libssl/c");
    let sources = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    sources
        .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, words(&without_comments(&std::fs::read_to_string(path).unwrap())))
        })
        .collect()
}

fn without_comments(source: &str) -> String {
    let mut code = String::new();
    let mut rest = source;
    while let Some((before, comment)) = rest.split_once("/*") {
        code.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    code + rest
}

fn words(code: &str) -> BTreeSet<String> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned).collect()
}

/// The macros of the system's headers by the command that each of them sends.
fn macros_of_commands() -> BTreeMap<String, BTreeSet<String>> {
    let headers = output(
        "cc",
        &[
            "-E",
            "-dM",
            "-include",
            "openssl/ssl.h",
            "-include",
            "openssl/tls1.h",
            "-xc",
            "/dev/null",
        ],
    );
    let mut macros: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in headers.lines() {
        let Some((name, body)) = line.strip_prefix("#define ").and_then(|l| l.split_once('('))
        else {
            continue;
        };
        for word in words(body).into_iter().filter(|word| word.contains("_CTRL_")) {
            macros.entry(word).or_default().insert(name.to_owned());
        }
    }
    macros
}

#[test]
fn every_row_that_works_names_a_program_that_calls_it() {
    let (table, programs, macros) = (table(), words_of_programs(), macros_of_commands());
    let rows = table.symbols.iter().chain(&table.functions).chain(&table.ctrl);
    let mut wrong = Vec::new();
    for (name, row) in rows.filter(|(_, row)| row.state != "refused") {
        let Some(test) = &row.test else {
            if row.state == "works" {
                wrong.push(format!("{name}: no test"));
            }
            continue;
        };
        let Some(words) = programs.get(test) else {
            wrong.push(format!("{name}: there is no interop/libssl/c/{test}.c"));
            continue;
        };
        let names = macros.get(name).into_iter().flatten().chain([name]);
        if !names.into_iter().any(|name| words.contains(name)) {
            wrong.push(format!("{name}: {test}.c does not call it"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The linker adds these itself; the C library's start files ask for them.
const OF_START_FILES: [&str; 3] =
    ["_ITM_deregisterTMCloneTable", "_ITM_registerTMCloneTable", "__gmon_start__"];

#[test]
fn every_needed_symbol_has_a_version() {
    // One without a version binds to whatever library of the process defines the name: `sdallocx`
    // of aws-lc was jemalloc's, which got memory that it had not allocated.
    let needed = output("nm", &["-D", "--undefined-only", library().to_str().unwrap()]);
    let unversioned: Vec<&str> = needed
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .filter(|name| !name.contains('@') && !OF_START_FILES.contains(name))
        .collect();
    assert!(needed.contains("malloc@"), "{needed}");
    assert_eq!(unversioned, [""; 0]);
}

#[test]
fn it_stays_mapped_after_dlclose() {
    let dynamic = output("readelf", &["-d", library().to_str().unwrap()]);
    assert!(dynamic.lines().any(|line| line.contains("NODELETE")), "{dynamic}");
}
