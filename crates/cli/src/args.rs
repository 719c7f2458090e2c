//! The command line as a whole. What a command takes is in the command's own file.

use clap::{Parser, Subcommand, ValueEnum};

use crate::outcome::Outcome;
use crate::{agent, check, demo, exec, fetch, pages, show, verify};

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

    /// Use colours `always`, `never`, or with `auto` on a terminal unless NO_COLOR is set.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
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
    Verify(verify::Args),
    Show(show::Args),
    Fetch(fetch::Args),
    Agent(agent::Args),
    Exec(exec::Args),
    Man(pages::ManArgs),
    Completions(pages::CompletionsArgs),
}

impl Command {
    /// The subcommand as it is typed.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Demo(_) => "demo",
            Self::Check(_) => "check",
            Self::Verify(_) => "verify",
            Self::Show(_) => "show",
            Self::Fetch(_) => "fetch",
            Self::Agent(_) => "agent",
            Self::Exec(_) => "exec",
            Self::Man(_) => "man",
            Self::Completions(_) => "completions",
        }
    }
}

impl Command {
    /// Whether standard output is for something else than the report.
    pub(crate) fn takes_stdout(&self) -> bool {
        matches!(self, Self::Fetch(args) if args.takes_stdout())
    }
}

/// A sentence, and the command that does what it says.
pub(crate) type Examples = [(&'static str, &'static str)];

/// The examples of the command as a whole.
const EXAMPLES: &Examples = &[
    ("See what stapling does, without any setup", "certstatus demo"),
    ("Check what a server staples", "certstatus check www.example.com"),
    ("Fetch a response for a server to staple", "certstatus fetch server.pem --out staple.der"),
    ("Keep the staples of servers fresh", "certstatus agent --config agent.toml"),
    ("Read a response", "certstatus show staple.der"),
];

/// The examples of a subcommand; those of the whole for any other name.
pub(crate) fn examples_of(command: &str) -> &'static Examples {
    match command {
        "demo" => demo::EXAMPLES,
        "check" => check::EXAMPLES,
        "verify" => verify::EXAMPLES,
        "show" => show::EXAMPLES,
        "fetch" => fetch::EXAMPLES,
        "agent" => agent::EXAMPLES,
        "exec" => exec::EXAMPLES,
        "man" => pages::MAN_EXAMPLES,
        "completions" => pages::COMPLETIONS_EXAMPLES,
        _ => EXAMPLES,
    }
}

/// Examples as they stand in `--help`: what they are for, and the command below it.
pub(crate) fn examples(examples: &Examples) -> String {
    let shown: Vec<String> = examples
        .iter()
        .map(|(what, command)| format!("  {}\n    {command}", heading(what)))
        .collect();
    format!("Examples:\n{}", shown.join("\n"))
}

/// What an example is for, as its heading. A question has its mark already.
pub(crate) fn heading(what: &str) -> String {
    if what.ends_with('?') { what.to_owned() } else { format!("{what}:") }
}

fn root_help() -> String {
    let codes: Vec<String> =
        Outcome::BY_CODE.iter().map(|o| format!("  {}  {}", o.code(), o.meaning())).collect();
    format!("{}\n\nExit codes:\n{}", examples(EXAMPLES), codes.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_is_documented_and_every_command_has_examples() {
        let mut root = Cli::command();
        root.build();
        for command in root.get_subcommands() {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name} says nothing of itself");
            let help = command.clone().render_long_help().to_string();
            assert!(help.contains("Examples:\n"), "{name} has no examples:\n{help}");
            for (_, example) in examples_of(name) {
                assert!(example.contains(&format!("certstatus {name}")), "{name}: {example}");
                assert!(help.contains(example), "{name}: {example}");
            }
            for arg in command.get_arguments() {
                assert!(arg.get_help().is_some(), "{name} {} is not documented", arg.get_id());
            }
        }
    }

    #[test]
    fn examples_can_be_parsed() {
        let root = Cli::command();
        let names = root.get_subcommands().map(clap::Command::get_name).chain([""]);
        for (_, example) in names.flat_map(examples_of) {
            let words = example.split(" < ").next().unwrap().split(" > ").next().unwrap();
            Cli::try_parse_from(words.split_whitespace())
                .unwrap_or_else(|e| panic!("{example}: {e}"));
        }
    }
}
