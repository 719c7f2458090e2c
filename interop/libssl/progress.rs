//! How far our library is: how many cases of each program are not equal yet. A number is exact, so
//! that it cannot rot: it is lowered by whoever makes a case equal, and may not grow.

use crate::PROGRAMS;

const NOT_YET: &[(&str, usize)] = &[];

/// How many cases of a program still differ.
pub(crate) fn not_yet(program: &str) -> usize {
    let entry = NOT_YET.iter().find(|(name, _)| *name == program);
    entry.map_or(0, |(_, count)| *count)
}

/// How many cases of a program run under valgrind at most. It takes a good second to start and a
/// fifth of a second for a handshake; the rest of a matrix goes the same ways again, and runs with
/// AddressSanitizer.
const VALGRIND_CASES: usize = 12;

/// At most [`VALGRIND_CASES`] of them, evenly spread.
pub(crate) fn for_valgrind<'a>(cases: &[&'a str]) -> Vec<&'a str> {
    cases.iter().step_by(cases.len().div_ceil(VALGRIND_CASES).max(1)).copied().collect()
}

#[test]
fn every_program_is_in_the_list() {
    for (name, count) in NOT_YET {
        assert!(PROGRAMS.contains(name) && *count > 0, "{name}: {count}");
    }
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

#[test]
fn valgrind_gets_a_fair_share() {
    let names: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let few = for_valgrind(&names);
    assert!(few.len() <= VALGRIND_CASES && few.len() * 2 > VALGRIND_CASES, "{}", few.len());
    assert_eq!(for_valgrind(&names[..3]), ["0", "1", "2"]);
    assert!(for_valgrind(&[]).is_empty());
}
