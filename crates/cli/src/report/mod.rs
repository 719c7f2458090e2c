//! What every command prints: for people by default, as JSON with `--json`.
//!
//! A command makes a [`Report`]: a serde structure, which is the JSON, with a [`Report::render`],
//! which is the page for people. Both have the verdict first. The structures that reports share are
//! in [`facts`]; [`Page`] lays out text; [`bar`] draws the window of a response.
//!
//! The JSON is one object on one line of standard output. These fields have every report:
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `command` | string | the subcommand |
//! | `verdict.outcome` | string | `done`, `good`, `missing`, `failed`, `unknown`, `untrusted`, `revoked`, `usage` |
//! | `verdict.exit_code` | number | the exit code that goes with it |
//! | `verdict.summary` | string | the verdict as a sentence |
//! | `checked_at` | string | the time by which it was judged, RFC 3339 |
//! | `error` | object | only when something is wrong: `stage` and `message`, in a file also `line` and `column` |
//! | `next` | array of strings | what to do next |
//!
//! Reports about one certificate and one response have these as well:
//!
//! | field | type | meaning |
//! |---|---|---|
//! | `certificate` | object | subject, issuer, serial, validity, `must_staple`, URLs |
//! | `status` | object | what the response says, only when it is to be trusted |
//! | `unverified` | object | the same shape, only when it is not: nobody vouches for it |
//! | `checks` | array | each `stage` of the verification, and its `result` |
//! | `fetched`, `failed_attempts`, `issuer_source` | | of `fetch`: from whom, how, and who did not serve |
//!
//! `show` has `contents`, an array with an object for each part of the file, told apart by `kind`;
//! `man` has `files`; `exec --check` has `program`, `library`, `usage`, `needed_by` and
//! `environment`.
//!
//! Times are RFC 3339 in UTC; durations are numbers of seconds, negative when past.

pub(crate) mod advice;
pub(crate) mod bar;
pub(crate) mod facts;
mod page;
mod sanitize;
mod status;

use std::io::{self, IsTerminal, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use anstream::{AutoStream, ColorChoice};
use certstatus::time::unix;
use rustls_pki_types::UnixTime;
use serde::Serialize;

use crate::failure::Failure;
use crate::outcome::Outcome;

pub(crate) use page::{Page, shortened};
pub(crate) use sanitize::{sanitize, sanitize_json};
pub(crate) use status::{StatusReport, Subject};

/// What a command found: serialized it is the JSON, rendered it is the page for people.
pub(crate) trait Report: Serialize {
    /// Writes the report for people, verdict first.
    fn render(&self, page: &mut Page);
}

/// The verdict: what a command found, in a word and in a sentence.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    exit_code: u8,
    pub(crate) summary: String,
    #[serde(skip)]
    label: &'static str,
}

impl Verdict {
    pub(crate) fn new(outcome: Outcome, summary: impl Into<String>) -> Self {
        Self { outcome, exit_code: outcome.code(), summary: summary.into(), label: outcome.label() }
    }

    /// The verdict with another word before it.
    #[must_use]
    pub(crate) fn labelled(mut self, label: &'static str) -> Self {
        self.label = label;
        self
    }

    /// The word that stands before the verdict.
    pub(crate) fn label(&self) -> &'static str {
        self.label
    }
}

/// Where and how a command prints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
    color: ColorChoice,
    width: usize,
    unicode: bool,
    now: UnixTime,
    beside: bool,
}

impl Output {
    /// An output as the command line and the environment want it. NO_COLOR and CLICOLOR count as
    /// long as the choice is automatic.
    pub(crate) fn new(json: bool, color: ColorChoice) -> Self {
        // This is the only place where the clock is read: one command, one time.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let (width, unicode) = (terminal_width(), is_utf8_locale());
        Self { json, color, width, unicode, now: unix(now), beside: false }
    }

    /// The output with its reports on standard error, because standard output has something else.
    #[must_use]
    pub(crate) fn beside(mut self, beside: bool) -> Self {
        self.beside = beside;
        self
    }

    /// Whether the output is JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// The time by which the command judges: that of its start.
    pub(crate) fn now(&self) -> UnixTime {
        self.now
    }

    /// The columns that a line may have.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// An empty page in the form of this output, for people.
    pub(crate) fn page(&self) -> Page {
        Page::new(self.width, self.unicode)
    }

    /// Prints a report on standard output.
    ///
    /// # Errors
    /// When standard output cannot be written to.
    pub(crate) fn print(&self, report: &impl Report) -> Result<(), Failure> {
        if self.json {
            return self.write_line(&json(report)?);
        }
        let mut page = self.page();
        report.render(&mut page);
        self.write(page.as_str())
    }

    /// Prints a text with styles on standard output; the styles are dropped where none are wanted.
    ///
    /// # Errors
    /// When standard output cannot be written to.
    pub(crate) fn write(&self, text: &str) -> Result<(), Failure> {
        if self.beside {
            return self.write_error(text);
        }
        let mut out = AutoStream::new(io::stdout(), self.color).lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).or_else(unwritable)
    }

    fn write_error(&self, text: &str) -> Result<(), Failure> {
        let mut err = AutoStream::new(io::stderr(), self.color).lock();
        err.write_all(text.as_bytes()).or_else(unwritable)
    }

    /// Writes bytes on standard output as they are: what is no report.
    ///
    /// # Errors
    /// When standard output cannot be written to.
    pub(crate) fn write_bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush()).or_else(unwritable)
    }

    /// Like [`Self::write`], with a line end after it.
    ///
    /// # Errors
    /// When standard output cannot be written to.
    pub(crate) fn write_line(&self, text: &str) -> Result<(), Failure> {
        self.write(&format!("{text}\n"))
    }

    /// Prints why a command ends: on standard error for people, on standard output as JSON.
    pub(crate) fn fail(&self, command: &str, failure: &Failure) {
        let report = failure.report(command, self.now);
        if self.json {
            // Nothing is left to tell when standard output is closed.
            let _ = json(&report).and_then(|line| self.write_line(&line));
            return;
        }
        let mut page = self.page();
        report.render(&mut page);
        let _ = self.write_error(page.as_str());
    }
}

fn json(report: &impl Serialize) -> Result<String, Failure> {
    let json = serde_json::to_string(report).map_err(|e| {
        Failure::failed("output", format!("The report cannot be written as JSON: {e}."))
    })?;
    Ok(sanitize_json(&json).into_owned())
}

/// A reader that has gone away has read enough.
fn unwritable(error: io::Error) -> Result<(), Failure> {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Ok(());
    }
    Err(Failure::failed("output", format!("Standard output cannot be written to: {error}.")))
}

/// The width of the terminal, else COLUMNS, else 80; between 40 and 120, beyond which lines are
/// hard to read.
fn terminal_width() -> usize {
    let columns = || std::env::var("COLUMNS").ok()?.parse().ok();
    let terminal = || {
        let (width, _) = terminal_size::terminal_size()?;
        io::stdout().is_terminal().then_some(usize::from(width.0))
    };
    terminal().or_else(columns).unwrap_or(80).clamp(40, 120)
}

/// Whether the locale's character set is UTF-8, by the variable that counts.
fn is_utf8_locale() -> bool {
    let value = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    value.is_some_and(|value| {
        let value = value.to_ascii_lowercase();
        value.ends_with("utf-8") || value.ends_with("utf8")
    })
}
