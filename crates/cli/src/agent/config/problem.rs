//! What is wrong with a configuration: where it stands, the line itself, and what to do.

use std::ops::Range;

use crate::failure::{Failure, Place};

/// Something wrong in a configuration.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    message: String,
    advice: String,
    span: Option<Range<usize>>,
}

impl Problem {
    /// What the reader of TOML found.
    pub(super) fn syntax(error: &toml::de::Error) -> Self {
        let message = error.message().trim_end_matches('.').to_owned();
        let advice = if message.starts_with("unknown field") {
            "Check the spelling, and that the key stands under the right [table]. `certstatus agent \
             --sample` prints every key there is."
        } else if message.starts_with("missing field") {
            "Add it. `certstatus agent --sample` shows what it looks like."
        } else {
            "Correct it. `certstatus agent --sample` shows what every key looks like."
        };
        let message = message
            .replace("unknown field", "unknown key")
            .replace("missing field", "missing key")
            .replace('\n', ", ");
        Self { message, advice: advice.to_owned(), span: error.span() }
    }

    /// There is nothing to keep fresh.
    pub(super) fn no_certificates() -> Self {
        Self {
            message: "there is no [[certificate]]".to_owned(),
            advice: "Add one with the path of a certificate, or of several with `*`. `certstatus \
                     agent --sample` has an example."
                .to_owned(),
            span: None,
        }
    }

    /// Many certificates would write one file.
    pub(super) fn one_output(span: Range<usize>) -> Self {
        Self {
            message: "the path of this [[certificate]] has wildcards, and its output has no \
                      placeholder: every certificate would write the same file"
                .to_owned(),
            advice: "Put {path}, {dir}, {file} or {stem} into the output: \"{path}.ocsp\"."
                .to_owned(),
            span: Some(span),
        }
    }

    /// The problem of the file with that text and name, for the user.
    pub(super) fn failure(self, text: &str, name: &str) -> Failure {
        let Self { message, advice, span } = self;
        let Some(place) = span.and_then(|span| place(text, name, &span)) else {
            return Failure::usage(format!("{name} is not a configuration: {message}."))
                .advise(advice);
        };
        let (line, column) = (place.line, place.column);
        Failure::usage(format!("{name}, line {line}, column {column}: {message}."))
            .at(place)
            .advise(advice)
    }
}

/// The first line of the span, and a mark under what of it is in the span.
fn place(text: &str, name: &str, span: &Range<usize>) -> Option<Place> {
    let before = text.get(..span.start)?;
    let begin = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.matches('\n').count() + 1;
    let rest = text.get(begin..)?;
    let shown = rest.lines().next().unwrap_or_default();
    let indent = text.get(begin..span.start)?;
    let column = indent.chars().count() + 1;
    let marked = text.get(span.start..span.end)?.lines().next().unwrap_or_default();
    let marks = "^".repeat(marked.chars().count().max(1));
    let space = " ".repeat(column - 1);
    // A tab as wide as any character, so that the mark stands below what it marks.
    let shown = shown.replace('\t', " ");
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    let quote = vec![
        format!("{margin} ╷ {name}"),
        format!("{number} │ {shown}"),
        format!("{margin} ╵ {space}{marks}"),
    ];
    Some(Place { line, column, quote })
}
