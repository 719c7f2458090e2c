//! Text from outside must not drive the terminal: escapes, control characters and those that turn
//! the direction of writing are shown, not obeyed.

use std::borrow::Cow;

/// The text with every character that could move, hide or colour something written as `\u{..}`.
/// Line ends are kept out as well: one value is one line.
pub(crate) fn sanitize(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let shown = text.chars().fold(String::with_capacity(text.len() + 16), |mut shown, c| {
        if is_harmful(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
        shown
    });
    Cow::Owned(shown)
}

/// Returns the JSON with every character escaped that could move, hide or colour text. JSON itself
/// escapes only C0 controls, and only within strings. The value stays the same.
pub(crate) fn sanitize_json(json: &str) -> Cow<'_, str> {
    let is_left = |c: char| c >= '\u{7f}' && is_harmful(c);
    if !json.chars().any(is_left) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_left(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// Control characters (C0, C1, DEL), line and paragraph separators, and the format characters that
/// embed, override, isolate or hide text.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_shown_and_not_obeyed() {
        assert_eq!(sanitize("plain, ünïcode ✓"), "plain, ünïcode ✓");
        assert_eq!(sanitize("a\u{1b}[31mred"), "a\\u{1b}[31mred");
        assert_eq!(sanitize("two\nlines\r"), "two\\u{a}lines\\u{d}");
        assert_eq!(sanitize("\u{9b}2J\u{7f}"), "\\u{9b}2J\\u{7f}");
        assert_eq!(sanitize("exe\u{202e}txt"), "exe\\u{202e}txt");
    }

    #[test]
    fn json_keeps_its_value() {
        let text = "a\u{9b}2J\u{7f}\u{202e}\u{e0041}\n\u{1b}ü✓";
        let json = serde_json::to_string_pretty(&[text]).unwrap();
        let escaped = sanitize_json(&json);
        assert_eq!(serde_json::from_str::<Vec<String>>(&escaped).unwrap(), [text]);
        assert!(escaped.lines().all(|line| sanitize(line) == line), "{escaped:?}");
    }
}
