//! The symbols of the shared library, held against `exports.toml` and the system's libssl.so.3.

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
    symbols: BTreeMap<String, toml::Value>,
    functions: BTreeMap<String, toml::Value>,
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
