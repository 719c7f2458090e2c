//! What runs under valgrind: not all, since it is slow.

/// How many cases of a program run under valgrind at most. It takes a good second to start and a
/// fifth of a second for a handshake; the rest of a matrix goes the same ways again, and runs with
/// AddressSanitizer.
const VALGRIND_CASES: usize = 12;

/// At most [`VALGRIND_CASES`] of them, evenly spread.
pub(crate) fn for_valgrind<'a>(cases: &[&'a str]) -> Vec<&'a str> {
    cases.iter().step_by(cases.len().div_ceil(VALGRIND_CASES).max(1)).copied().collect()
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
