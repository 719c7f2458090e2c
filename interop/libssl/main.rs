//! Our libssl beside the system's: one C program, compiled once, run on both, and the transcripts
//! compared line by line.
//!
//! The programs are in `c/`, one per family of functions. What a transcript shows is whatever a C
//! program can see: return values, the order of callbacks, alerts, the error queue. Differences that
//! are meant are in [`justified`], with their reasons; any other is a defect.
//!
//! | variable | meaning |
//! |---|---|
//! | `CERTSTATUS_LIBSSL_DIR` | where our `libssl.so.3` is; without it the tests build it |
//! | `CERTSTATUS_LIBSSL_DIFFERENCES` | a directory that gets a Markdown file of differences per program |

#![forbid(unsafe_code)]
// Every function here is part of a test: what cannot go on ends with what it found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod certificates;
mod justified;
mod library;
mod program;
mod share;
mod transcript;

use crate::certificates::Certificates;
use crate::library::Library;
use crate::program::{Build, Program};
use crate::transcript::{Comparison, report};

/// The tests of every program: that it is sound on the system's library, and that ours is equal.
macro_rules! programs {
    ($($name:ident)+) => {
        /// The names of all programs.
        pub(crate) const PROGRAMS: &[&str] = &[$(stringify!($name)),+, HOSTILE];

        $(mod $name {
            #[test]
            fn on_the_systems_library() {
                crate::on_the_systems_library(stringify!($name));
            }

            #[test]
            fn on_ours() {
                crate::on_ours(stringify!($name));
            }

            #[test]
            fn without_memory_errors() {
                crate::without_memory_errors(stringify!($name));
            }
        })+
    };
}

programs! {
    status_accessors
    status_matrix
    status_order
    status_response
    status_resumption
    status_wire
    io_data
    io_close
    io_errors
    io_transport
    context_settings
    context_lifetime
    session
    session_cache
    session_trust
    negotiation
    messages
    steps
    extensions
    ciphers
    conf
    client_ca
    client_certificate
    not_resumable
    ssl_bio
    sharing
    ownership
    keys
    hosts
    temporary_dh
    early_data
    methods
    dup
    security
    chain_checks
    hellos
    absences
    renegotiation
    second_life
    settings
    key_kinds
    empty_records
    status_callbacks
    stores
    session_objects
    small_getters
    sequences
}

#[test]
fn every_program_in_the_folder_is_run() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("libssl/c");
    for entry in std::fs::read_dir(folder).expect("the folder of programs") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "c") {
            continue;
        }
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
        assert!(name == "harness" || PROGRAMS.contains(&name), "no test runs {name}");
    }
}

/// The program that does what OpenSSL leaves undefined. It says nothing, and is to survive.
const HOSTILE: &str = "hostile";

mod hostile {
    #[test]
    fn on_ours() {
        crate::on_ours(crate::HOSTILE);
    }

    #[test]
    fn without_memory_errors() {
        crate::without_memory_errors(crate::HOSTILE);
    }
}

/// The programs that call the functions of the man page: as macros, and as functions.
const OF_THE_MAN_PAGE: [&str; 2] = ["status_accessors", "status_response"];

/// Every function that is exported besides OpenSSL's is looked up and called by the programs below.
#[test]
fn every_function_of_the_man_page_is_looked_up_and_called() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(folder.join(path)).expect(path);
    let exports = read("../crates/libssl/exports.toml");
    let (_, rest) = exports.split_once("\n[functions]\n").expect("the table of functions");
    let (table, _) = rest.split_once("\n[").expect("the table after it");
    let names: Vec<&str> =
        table.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name).collect();
    assert_eq!(names.len(), 10, "{names:?}");
    let header = read("libssl/c/functions.h");
    let programs = OF_THE_MAN_PAGE.map(|name| read(&format!("libssl/c/{name}.c"))).concat();
    for name in names {
        assert!(header.contains(&format!("#undef {name}\n")), "{name} stays a macro");
        assert!(header.contains(&format!("LOOKED_UP({name},")), "{name} is not looked up");
        assert!(programs.contains(&format!("{name}(")), "no program calls {name}");
    }
}

/// The functions of the man page do as functions what they do as macros.
#[test]
fn the_functions_of_the_man_page_are_functions_too() {
    let certificates = Certificates::new();
    for name in OF_THE_MAN_PAGE {
        let theirs = Program::compile(name, Build::Plain).run(&Library::System, &certificates);
        let program = Program::compile(name, Build::AsFunctions);
        let ours = program.run_over_crashes(Library::ours(), &certificates, &theirs);
        let as_functions = Comparison::new(name, &theirs, &ours);
        let as_macros = compare(name, &certificates);
        assert_eq!(as_functions.different(), as_macros.different(), "{as_functions}");
    }
}

/// Two runs say the same; so does one with AddressSanitizer, which finds nothing. And every
/// justified difference is about something that the system's library really says.
fn on_the_systems_library(name: &str) {
    let certificates = Certificates::new();
    let program = Program::compile(name, Build::Plain);
    let first = program.run(&Library::System, &certificates);
    assert_eq!(first.ended_early(), None, "{name} on the system's library");
    let second = program.run(&Library::System, &certificates);
    assert_eq!(first, second, "{name} is not deterministic");
    let sanitized = Program::compile(name, Build::AddressSanitizer);
    let third = sanitized.run_clean(&Library::System, &certificates, &[]);
    assert_eq!(first, third, "{name} with AddressSanitizer");
    for difference in justified::of(name) {
        assert!(
            first.cases().iter().any(|case| difference.changes(case)),
            "the system's library says nothing of what this is about: {difference:?}"
        );
    }
}

fn compare(name: &str, certificates: &Certificates) -> Comparison {
    let program = Program::compile(name, Build::Plain);
    let theirs = match name {
        HOSTILE => program.list(certificates),
        _ => program.run(&Library::System, certificates),
    };
    let ours = program.run_over_crashes(Library::ours(), certificates, &theirs);
    Comparison::new(name, &theirs, &ours)
}

/// All cases are equal.
fn on_ours(name: &str) {
    let comparison = compare(name, &Certificates::new());
    report(&comparison);
    let (different, all) = (comparison.different().len(), comparison.len());
    assert!(different == 0, "{name}: {different} of {all} cases differ\n{comparison}");
}

/// Every case runs without a memory error or a leak in a program that was built with
/// AddressSanitizer, and a fair share of them under valgrind.
fn without_memory_errors(name: &str) {
    let certificates = Certificates::new();
    let sanitized = Program::compile(name, Build::AddressSanitizer);
    sanitized.run_clean(Library::ours(), &certificates, &[]);
    let plain = Program::compile(name, Build::Plain);
    let all = plain.list(&certificates);
    let names: Vec<&str> = all.cases().iter().map(|case| case.name.as_str()).collect();
    plain.run_under_valgrind(Library::ours(), &certificates, &share::for_valgrind(&names));
}
