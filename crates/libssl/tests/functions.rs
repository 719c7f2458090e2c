//! `docs/libssl-functions.md`, the table of functions for users, made from `exports.toml`.
//!
//! The test holds the page against the table. `CERTSTATUS_WRITE_DOCS=1 cargo test -p
//! certstatus-libssl --test functions` writes it anew.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it cannot go on, with what it found"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

#[derive(Deserialize)]
struct Exports {
    symbols: BTreeMap<String, Line>,
    functions: BTreeMap<String, Line>,
    ctrl: BTreeMap<String, Line>,
}

#[derive(Deserialize)]
struct Line {
    state: String,
    room: Option<String>,
    why: Option<String>,
}

/// What a user looks for, and the rooms of `src/abi` that have it.
const TOPICS: &[(&str, &[&str])] = &[
    ("Certificate status", &["status"]),
    ("Contexts, connections, methods", &["objects", "copy", "method", "init"]),
    ("Settings", &["context", "preferences", "conf", "conf::section", "ctrl", "temporary_dh"]),
    ("Transport, reading and writing, closing", &["connection", "io", "ssl_bio"]),
    (
        "Handshakes and what they agreed",
        &["handshake", "info", "strings", "notify", "messages", "exchanged"],
    ),
    ("ClientHello, server names, ALPN", &["client_hello", "server", "alpn"]),
    (
        "Certificates and keys of this side",
        &["certificate", "certificate::keys", "certificate::check", "client_certificate"],
    ),
    (
        "Verification of the peer",
        &["verify", "hosts", "checks", "default_trust", "client_ca", "security"],
    ),
    ("Ciphers, groups, signatures", &["cipher", "cipher_list", "signatures", "compression"]),
    (
        "Sessions and tickets",
        &[
            "not_resumable",
            "session",
            "session_cache",
            "session_der",
            "session_print",
            "session_use",
            "ticket_keys",
            "early_data",
        ],
    ),
    ("Secrets", &["secrets"]),
    ("What is never switched on", &["absent", "declined"]),
    // Rooms that are named nowhere above.
    ("More", &[]),
];

type Lines<'a> = Vec<(&'a str, &'a Line)>;

fn of_state<'a>(lines: &'a BTreeMap<String, Line>, state: &str) -> Lines<'a> {
    lines
        .iter()
        .filter(|(_, line)| line.state == state)
        .map(|(name, line)| (name.as_str(), line))
        .collect()
}

/// Lines by what they say, the reasons of the most lines first.
fn by_reason<'a>(lines: &[(&'a str, &'a Line)]) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, line) in lines {
        let why = line.why.as_deref().expect("who is not whole says why; build.rs sees to it");
        reasons.entry(why).or_default().push(name);
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(why, names)| (std::cmp::Reverse(names.len()), *why));
    reasons
}

fn names(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// A table of reasons with the names that each is about.
fn table(page: &mut String, title: &str, reasons: &[(&str, Vec<&str>)]) {
    writeln!(page, "| {title} | |\n|---|---|").unwrap();
    for (why, of) in reasons {
        writeln!(page, "| {} | {why} |", names(of)).unwrap();
    }
    page.push('\n');
}

fn counts(page: &mut String, exports: &Exports) {
    let count = |lines: &BTreeMap<String, Line>, state: &str| of_state(lines, state).len();
    page.push_str("| | works | partly | refused | all |\n|---|---|---|---|---|\n");
    for (what, lines) in [("functions", &exports.symbols), ("commands", &exports.ctrl)] {
        let [works, partly, refused] = ["works", "partly", "refused"].map(|s| count(lines, s));
        assert_eq!(works + partly + refused, lines.len(), "a state is misspelt");
        writeln!(page, "| {what} | {works} | {partly} | {refused} | {} |", lines.len()).unwrap();
    }
    page.push('\n');
}

fn by_topic(page: &mut String, exports: &Exports, state: &str) {
    let lines = of_state(&exports.symbols, state);
    let topic_of = |line: &Line| {
        let room = line.room.as_deref().expect("a function that is there has a room");
        let topic = TOPICS.iter().position(|(_, rooms)| rooms.contains(&room));
        topic.unwrap_or(TOPICS.len() - 1)
    };
    for (at, (title, _)) in TOPICS.iter().enumerate() {
        let own: Lines<'_> =
            lines.iter().copied().filter(|(_, line)| topic_of(line) == at).collect();
        if own.is_empty() {
            continue;
        }
        writeln!(page, "### {title} ({})\n", own.len()).unwrap();
        if state == "works" {
            let all: Vec<&str> = own.iter().map(|(name, _)| *name).collect();
            writeln!(page, "{}\n", names(&all)).unwrap();
        } else {
            table(page, "works, but", &by_reason(&own));
        }
    }
}

fn page(exports: &Exports) -> String {
    let mut page = String::from(
        "# The functions of libssl.so.3\n\n\
         What each function of OpenSSL 3.0's libssl does in this library, and each command of \
         `SSL_ctrl` and\n`SSL_CTX_ctrl`, which stand behind most of the macros in \
         `<openssl/ssl.h>`.\n\n\
         - **works**: as its man page says; the programs in `interop/libssl/c` compare with OpenSSL;\n\
         - **partly**: so, but for what is said beside it;\n\
         - **refused**: fails as its man page says failure looks, and says why in the error \
         queue.\n\n\
         This page is made from `crates/libssl/exports.toml` by `crates/libssl/tests/functions.rs`, \
         which says how.\n\n",
    );
    counts(&mut page, exports);
    let own: Vec<&str> = exports.functions.keys().map(String::as_str).collect();
    writeln!(
        page,
        "For languages that have no macros, those of `SSL_CTX_set_tlsext_status_cb(3)` are exported \
         as functions\nof the same names, besides: {}.\n",
        names(&own)
    )
    .unwrap();
    page.push_str("## Partly\n\n");
    by_topic(&mut page, exports, "partly");
    page.push_str("## Refused\n\n");
    table(&mut page, "refused", &by_reason(&of_state(&exports.symbols, "refused")));
    page.push_str("## Works\n\n");
    by_topic(&mut page, exports, "works");
    page.push_str("## Commands\n\n");
    table(&mut page, "partly", &by_reason(&of_state(&exports.ctrl, "partly")));
    table(&mut page, "refused", &by_reason(&of_state(&exports.ctrl, "refused")));
    let works = of_state(&exports.ctrl, "works");
    let works: Vec<&str> = works.iter().map(|(name, _)| *name).collect();
    writeln!(page, "Works: {}", names(&works)).unwrap();
    page
}

#[test]
fn the_page_for_users_says_what_the_table_says() {
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(crate_root.join("exports.toml")).unwrap();
    let expected = page(&toml::from_str(&table).unwrap());
    let path: PathBuf = crate_root.join("../../docs/libssl-functions.md");
    if std::env::var_os("CERTSTATUS_WRITE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/libssl-functions.md is not what exports.toml says; write it anew with\n\
         CERTSTATUS_WRITE_DOCS=1 cargo test -p certstatus-libssl --test functions"
    );
}
