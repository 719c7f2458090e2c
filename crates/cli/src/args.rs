//! The command line as a whole. What a command takes is in the command's own file.

use clap::{Parser, Subcommand, ValueEnum};

use crate::outcome::Outcome;
use crate::{check, demo};

/// Certificate status (OCSP) for TLS: check it, verify it, show it, fetch it.
#[derive(Debug, Parser)]
#[command(
    name = "certstatus",
    version,
    max_term_width = 100,
    after_help = root_help(),
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    /// Print one JSON object instead of text for people.
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) json: bool,

    /// When to use colours. NO_COLOR is honoured while this is `auto`.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Output"
    )]
    pub(crate) color: Color,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl From<Color> for anstream::ColorChoice {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => Self::Auto,
            Color::Always => Self::Always,
            Color::Never => Self::Never,
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(demo::Args),
    Check(check::Args),
}

impl Command {
    /// The subcommand as it is typed.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Demo(_) => "demo",
            Self::Check(_) => "check",
        }
    }
}

/// Examples as they stand in `--help`: a sentence, and the command below it.
pub(crate) fn examples(examples: &[(&str, &str)]) -> String {
    let shown: Vec<String> =
        examples.iter().map(|(what, command)| format!("  {what}:\n    {command}")).collect();
    format!("Examples:\n{}", shown.join("\n"))
}

fn root_help() -> String {
    format!("{}\n\n{}", examples(EXAMPLES), exit_codes())
}

/// The examples of the command as a whole.
pub(crate) const EXAMPLES: &[(&str, &str)] = &[
    ("See what stapling does, without any setup", "certstatus demo"),
    ("Check what a server staples", "certstatus check www.example.com"),
];

/// The table of exit codes.
fn exit_codes() -> String {
    let lines: Vec<String> =
        Outcome::BY_CODE.iter().map(|o| format!("  {}  {}", o.code(), o.meaning())).collect();
    format!("Exit codes:\n{}", lines.join("\n"))
}
