//! `certstatus man` and `certstatus completions`: what a package installs beside the command.
//!
//! Both are made from the same command line as `--help`, so that they cannot say anything else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use serde::Serialize;

use crate::args::{Cli, Examples, examples, examples_of, heading};
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::report::facts::Time;
use crate::report::{Output, Page, Report, Verdict};
use crate::shell;

/// Write the man pages of all commands into a directory.
///
/// Writes certstatus.1 and one page for each command, such as certstatus-check.1. The directory is
/// made if it does not exist.
#[derive(Debug, clap::Args)]
#[command(after_help = examples(MAN_EXAMPLES))]
pub(crate) struct ManArgs {
    /// The directory.
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
}

/// Print the completions of a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = examples(COMPLETIONS_EXAMPLES))]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(crate) const MAN_EXAMPLES: &Examples =
    &[("Install the man pages for one user", "certstatus man ~/.local/share/man/man1")];

pub(crate) const COMPLETIONS_EXAMPLES: &Examples = &[
    (
        "Install the completions of bash for one user",
        "certstatus completions bash > ~/.local/share/bash-completion/completions/certstatus",
    ),
    ("Use those of fish at once", "certstatus completions fish"),
];

/// The files that were written.
#[derive(Serialize)]
struct ManReport {
    command: &'static str,
    verdict: Verdict,
    checked_at: Time,
    files: Vec<String>,
    next: Vec<String>,
}

impl Report for ManReport {
    fn render(&self, page: &mut Page) {
        page.verdict(&self.verdict);
        page.section("Pages");
        self.files.iter().for_each(|file| page.sentence(file));
        page.next(&self.next);
    }
}

pub(crate) fn man(args: &ManArgs, output: &Output) -> Result<Outcome, Failure> {
    let directory = &args.directory;
    fs::create_dir_all(directory).map_err(|e| unwritable(directory, &e))?;
    let mut root = Cli::command();
    root.build();
    let mut files = vec![write_page(directory, &root, "certstatus")?];
    for command in root.get_subcommands() {
        files.push(write_page(directory, command, &format!("certstatus-{}", command.get_name()))?);
    }
    let shown = directory.display();
    output.print(&ManReport {
        command: "man",
        verdict: Verdict::new(
            Outcome::Done,
            format!("{} man pages are written to {shown}.", files.len()),
        ),
        checked_at: Time(output.now()),
        files,
        next: vec![format!("Read one: man {}", shell::path(&directory.join("certstatus.1")))],
    })?;
    Ok(Outcome::Done)
}

fn write_page(directory: &Path, command: &clap::Command, name: &str) -> Result<String, Failure> {
    let path = directory.join(format!("{name}.1"));
    page(command, name)
        .and_then(|page| fs::write(&path, page))
        .map_err(|e| unwritable(&path, &e))?;
    Ok(path.display().to_string())
}

/// One man page: what clap knows of the command, its examples and the exit codes.
fn page(command: &clap::Command, name: &str) -> io::Result<Vec<u8>> {
    // A built command knows the name of its page: `certstatus-check`.
    let command = command.clone();
    let examples = examples_of(name.strip_prefix("certstatus-").unwrap_or(""));
    let (has_subcommands, has_version) =
        (command.has_subcommands(), command.get_version().is_some());
    let man = Man::new(command).manual("certstatus");
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    if has_subcommands {
        man.render_subcommands_section(&mut out)?;
    }
    let mut own = Roff::new();
    own.control("SH", ["EXAMPLES"]);
    for (what, example) in examples {
        own.control("TP", []);
        own.text([roman(heading(what))]);
        // A command is not to be spread over the line.
        own.control("nf", []);
        own.text([bold(*example)]);
        own.control("fi", []);
    }
    own.control("SH", ["EXIT STATUS"]);
    for outcome in Outcome::BY_CODE {
        own.control("TP", []);
        own.text([bold(outcome.code().to_string())]);
        own.text([roman(outcome.meaning())]);
    }
    own.to_writer(&mut out)?;
    if has_version {
        man.render_version_section(&mut out)?;
    }
    Ok(out)
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::failed("file", format!("{} cannot be written: {error}.", path.display()))
        .advise("Give a directory in which you may write.")
}

pub(crate) fn completions(args: &CompletionsArgs, output: &Output) -> Result<Outcome, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "certstatus", &mut script);
    output.write_bytes(&script)?;
    Ok(Outcome::Done)
}
