//! What `certstatus exec --check` and `--verbose` print.

use rustls_pki_types::UnixTime;
use serde::Serialize;

use super::judge::{Judgement, Usage};
use super::library::{Found, Library};
use super::loader::Environment;
use super::program::Program;
use crate::outcome::Outcome;
use crate::report::facts::Time;
use crate::report::{Page, Report, Verdict};

/// How a program runs on the library.
#[derive(Serialize)]
pub(crate) struct ExecReport<'a> {
    command: &'static str,
    verdict: Verdict,
    checked_at: Time,
    program: ProgramPart,
    library: LibraryPart,
    usage: Usage,
    needed_by: &'a [String],
    environment: &'a Environment,
    next: Vec<String>,
}

#[derive(Serialize)]
struct ProgramPart {
    path: String,
    /// Only for a script.
    #[serde(skip_serializing_if = "Option::is_none")]
    interpreter: Option<String>,
}

#[derive(Serialize)]
struct LibraryPart {
    path: String,
    found: Found,
}

impl<'a> ExecReport<'a> {
    pub(crate) fn new(
        program: &Program,
        library: &Library,
        judgement: &'a Judgement,
        now: UnixTime,
    ) -> Self {
        let path = program.path.display().to_string();
        let summary = summary(&path, program, judgement);
        Self {
            command: "exec",
            verdict: Verdict::new(Outcome::Done, summary).labelled("READY"),
            checked_at: Time(now),
            program: ProgramPart {
                path,
                interpreter: program.is_script().then(|| program.runs.display().to_string()),
            },
            library: LibraryPart { path: library.path.display().to_string(), found: library.found },
            usage: judgement.usage,
            needed_by: &judgement.needed_by,
            environment: &judgement.environment,
            next: next(judgement),
        }
    }
}

fn summary(path: &str, program: &Program, judgement: &Judgement) -> String {
    let tls = judgement.beside.map(|name| format!(" It loads {name} for TLS.")).unwrap_or_default();
    let file = if program.is_script() { "The interpreter of" } else { "The program" };
    match judgement.usage {
        Usage::AtStart => format!("{file} {path} loads this libssl.so.3: its loader has said so."),
        Usage::Later => format!(
            "{file} {path} does not load libssl.so.3 as it starts; what it loads or starts later \
             finds this one.{tls}"
        ),
        Usage::NotKnown => format!(
            "What {path} loads cannot be told before it runs; whatever needs libssl.so.3 finds \
             this one."
        ),
    }
}

fn next(judgement: &Judgement) -> Vec<String> {
    if judgement.usage == Usage::AtStart || judgement.environment.preload.is_some() {
        return Vec::new();
    }
    vec![
        "If it comes to another libssl.so.3 by a path of its own, run it with --preload."
            .to_owned(),
    ]
}

impl Report for ExecReport<'_> {
    fn render(&self, page: &mut Page) {
        page.verdict(&self.verdict);
        page.blank();
        page.field("program", &self.program.path);
        if let Some(interpreter) = &self.program.interpreter {
            page.field("interpreter", interpreter);
        }
        page.field("library", format!("{}, {}", self.library.path, self.library.found.words()));
        if !self.needed_by.is_empty() {
            page.field("needed by", self.needed_by.join(", "));
        }
        page.field("by means of", format!("LD_LIBRARY_PATH={}", self.environment.library_path));
        if let Some(preload) = &self.environment.preload {
            page.field("", format!("LD_PRELOAD={preload}"));
        }
        page.next(&self.next);
    }
}
