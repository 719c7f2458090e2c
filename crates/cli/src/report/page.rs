//! A page for people: a verdict, fields in columns, sentences that wrap.
//!
//! Every text that is put on a page is sanitized here, once, so that no caller can forget it.

use certstatus::time::{Relative, Rfc3339};
use clap::builder::styling::{AnsiColor, Style};
use rustls_pki_types::UnixTime;

use super::bar::{Bar, Window};
use super::facts::Check;
use super::{Verdict, sanitize};
use crate::outcome::Outcome;

/// The column in which values begin, after the indent.
const LABEL_WIDTH: usize = 14;

/// Text for people, built from top to bottom.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    text: String,
    width: usize,
    unicode: bool,
    indent: usize,
}

impl Page {
    pub(crate) fn new(width: usize, unicode: bool) -> Self {
        Self { text: String::new(), width, unicode, indent: 2 }
    }

    /// What is on the page, styles included.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The verdict: its word in colour, then the sentence.
    pub(crate) fn verdict(&mut self, verdict: &Verdict) {
        let style = outcome_style(verdict.outcome);
        let mark = mark(verdict.outcome, self.unicode);
        let label = verdict.label();
        self.text.push_str(&format!("{style}{mark} {label}{style:#}\n"));
        self.sentence(&verdict.summary);
    }

    /// A heading, after an empty line.
    pub(crate) fn section(&mut self, title: &str) {
        let bold = Style::new().bold();
        let indent = self.indent.saturating_sub(2);
        self.text.push_str(&format!("\n{:indent$}{bold}{}{bold:#}\n", "", sanitize(title)));
    }

    /// A heading with the mark of an outcome, in its colour, after an empty line.
    pub(crate) fn marked_section(&mut self, outcome: Outcome, title: &str) {
        let (style, bold) = (outcome_style(outcome), Style::new().bold());
        let mark = mark(outcome, self.unicode);
        let title = sanitize(title);
        self.text.push_str(&format!("\n{style}{mark}{style:#} {bold}{title}{bold:#}\n"));
    }

    /// A label and its value; a long value goes on in the same column.
    pub(crate) fn field(&mut self, label: &str, value: impl AsRef<str>) {
        let label = sanitize(label).into_owned();
        let column = self.indent + LABEL_WIDTH.max(label.chars().count() + 1);
        let lines = wrap(&sanitize(value.as_ref()), self.width.saturating_sub(column));
        for (at, line) in lines.iter().enumerate() {
            let shown = if at == 0 { label.as_str() } else { "" };
            let (indent, width) = (self.indent, column - self.indent);
            let line = line.replace('\u{a0}', " ");
            self.text.push_str(&format!("{:indent$}{shown:width$}{line}\n", ""));
        }
    }

    /// A point in time, absolute and seen from `now`.
    pub(crate) fn time(&mut self, label: &str, time: UnixTime, now: UnixTime) {
        // Spaces that do not break keep the distance together.
        let relative = Relative { time, now }.to_string().replace(' ', "\u{a0}");
        self.field(label, format!("{}  {relative}", Rfc3339(time)));
    }

    /// The window of a response as a bar.
    pub(crate) fn bar(&mut self, window: &Window) {
        let drawn = Bar {
            window: *window,
            width: self.width.saturating_sub(self.indent),
            unicode: self.unicode,
        }
        .draw();
        self.blank();
        for line in drawn {
            self.text.push_str(&format!("{:1$}{line}\n", "", self.indent));
        }
    }

    /// The stages of the verification, each with its mark.
    pub(crate) fn checks(&mut self, checks: &[Check]) {
        let shown: Vec<String> = checks
            .iter()
            .map(|check| {
                let mark = match (check.result, self.unicode) {
                    ("passed", true) => "✔",
                    ("passed", false) => "+",
                    ("failed", true) => "✘",
                    ("failed", false) => "x",
                    (_, true) => "·",
                    (_, false) => "-",
                };
                // A space that does not break keeps mark and stage together.
                format!("{mark}\u{a0}{}", check.stage.replace(' ', "\u{a0}"))
            })
            .collect();
        self.field("stages", shown.join("  "));
    }

    /// A sentence, wrapped at the indent.
    pub(crate) fn sentence(&mut self, text: &str) {
        let indent = self.indent;
        for line in wrap(&sanitize(text), self.width.saturating_sub(indent)) {
            self.text.push_str(&format!("{:indent$}{line}\n", ""));
        }
    }

    /// Lines as they are, after an empty line: not wrapped, in a terminal without Unicode without its
    /// frame.
    pub(crate) fn quote(&mut self, lines: &[String]) {
        self.blank();
        for line in lines {
            let line = sanitize(line);
            let line = match self.unicode {
                true => line,
                false => line.replace(['╷', '│', '╵'], "|").into(),
            };
            self.text.push_str(&format!("{:1$}{line}\n", "", self.indent));
        }
    }

    /// What to do next; nothing when there is nothing to do.
    pub(crate) fn next(&mut self, advice: &[String]) {
        if advice.is_empty() {
            return;
        }
        self.section("What to do next");
        advice.iter().for_each(|sentence| self.sentence(sentence));
    }

    /// One line of several: an outcome's mark and word, what it is about, and a sentence.
    pub(crate) fn line(&mut self, outcome: Outcome, subject: &str, text: &str) {
        let style = outcome_style(outcome);
        let mark = mark(outcome, self.unicode);
        let label = outcome.label();
        let (subject, text) = (sanitize(subject), sanitize(text));
        self.text.push_str(&format!("{style}{mark} {label:<17}{style:#} {subject}  {text}\n"));
    }

    /// What `inside` writes stands two columns further to the right.
    pub(crate) fn nested(&mut self, inside: impl FnOnce(&mut Self)) {
        self.indent += 2;
        inside(self);
        self.indent -= 2;
    }

    /// An empty line.
    pub(crate) fn blank(&mut self) {
        self.text.push('\n');
    }
}

/// The colour of an outcome.
pub(crate) fn outcome_style(outcome: Outcome) -> Style {
    let color = match outcome {
        Outcome::Done => return Style::new().bold(),
        Outcome::Good => AnsiColor::Green,
        Outcome::Missing | Outcome::Unknown => AnsiColor::Yellow,
        Outcome::Failed | Outcome::Usage | Outcome::Untrusted | Outcome::Revoked => AnsiColor::Red,
    };
    color.on_default().bold()
}

fn mark(outcome: Outcome, unicode: bool) -> &'static str {
    match (outcome, unicode) {
        (Outcome::Done, true) => "•",
        (Outcome::Done, false) => "*",
        (Outcome::Good, true) => "✔",
        (Outcome::Good, false) => "+",
        (Outcome::Missing | Outcome::Unknown, true) => "▲",
        (Outcome::Missing | Outcome::Unknown, false) => "?",
        (_, true) => "✘",
        (_, false) => "x",
    }
}

/// The text in lines of at most `width` characters, broken at spaces where there are any. Runs of
/// spaces within a line are kept.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(16);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let needed = line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && needed > width {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
        } else if !line.is_empty() {
            line.push(' ');
        }
        let mut rest: Vec<char> = word.chars().collect();
        while line.chars().count() + rest.len() > width {
            let room = width.saturating_sub(line.chars().count()).max(1).min(rest.len());
            line.extend(rest.drain(..room));
            lines.push(std::mem::take(&mut line));
        }
        line.extend(rest);
    }
    lines.push(line);
    lines
}

/// The text in at most that many characters.
pub(crate) fn shortened(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    let kept: String = text.chars().take(length.saturating_sub(3)).collect();
    format!("{}...", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_at_spaces_and_long_words_anywhere() {
        assert_eq!(wrap("one two three four", 16), ["one two three", "four"]);
        assert_eq!(wrap("0123456789abcdef0123", 16), ["0123456789abcdef", "0123"]);
        assert_eq!(wrap("", 16), [""]);
        assert_eq!(wrap("a  b", 16), ["a  b"]);
    }

    #[test]
    fn what_comes_from_outside_is_sanitized() {
        let mut page = Page::new(80, true);
        page.field("sub\u{1b}ject", "CN=\u{1b}]0;title\u{7}");
        page.sentence("\u{1b}[2J");
        assert!(!page.as_str().contains('\u{1b}'), "{:?}", page.as_str());
    }

    #[test]
    fn values_go_on_in_their_column() {
        let mut page = Page::new(40, true);
        page.field("serial", "one two three four five six seven");
        assert_eq!(
            page.as_str(),
            "  serial        one two three four five\n                six seven\n"
        );
    }
}
