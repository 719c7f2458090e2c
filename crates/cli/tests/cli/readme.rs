//! The README's screen is what `certstatus demo` prints.

use crate::support::{certstatus, run};

/// The words of a screen, without what differs from run to run: digits, and how lines wrap.
fn words(screen: &str) -> Vec<String> {
    let screen = screen.replace(" ms.", " s.");
    let plain = |word: &str| -> String {
        let mut plain = String::new();
        for character in word.chars() {
            let character = if character.is_ascii_digit() { '0' } else { character };
            if !(character == '0' && plain.ends_with('0')) {
                plain.push(character);
            }
        }
        plain.replace("0.0", "0")
    };
    screen.split_whitespace().map(plain).collect()
}

#[test]
fn its_screen_is_what_demo_prints() {
    let readme = include_str!("../../../../README.md");
    let (_, rest) = readme.split_once("<!-- demo -->\n```text\n").unwrap();
    let (shown, _) = rest.split_once("```\n<!-- /demo -->").unwrap();
    let printed = run(certstatus(&["demo"])).stdout;
    assert_eq!(words(shown), words(&printed));
}
