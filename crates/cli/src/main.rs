//! The `certstatus` command: certificate status for operators.
//!
//! Each subcommand has a file of its own, with its arguments and a `run(&Args, &Output)` that
//! prints a report and gives the [`Outcome`] that becomes the exit code, or a [`Failure`] that is
//! printed here. Nothing but [`report`] writes to the terminal.

#![forbid(unsafe_code)]

mod agent;
mod anchors;
mod args;
mod check;
mod demo;
mod exec;
mod failure;
mod fetch;
mod files;
mod input;
mod issuer;
mod names;
mod outcome;
mod pages;
#[cfg(test)]
mod readme;
mod report;
mod shell;
mod show;
mod verify;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use failure::Failure;
use outcome::Outcome;
use report::Output;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return args_refused(&error),
    };
    let output = Output::new(cli.json, cli.color.into()).beside(cli.command.takes_stdout());
    match run(&cli.command, &output) {
        Ok(outcome) => outcome.into(),
        Err(failure) => {
            output.fail(cli.command.name(), &failure);
            failure.outcome().into()
        }
    }
}

fn run(command: &Command, output: &Output) -> Result<Outcome, Failure> {
    match command {
        Command::Demo(args) => demo::run(args, output),
        Command::Check(args) => check::run(args, output),
        Command::Verify(args) => verify::run(args, output),
        Command::Show(args) => show::run(args, output),
        Command::Fetch(args) => fetch::run(args, output),
        Command::Agent(args) => agent::run(args, output),
        Command::Exec(args) => exec::run(args, output),
        Command::Man(args) => pages::man(args, output),
        Command::Completions(args) => pages::completions(args, output),
    }
}

/// Prints help, version, or what is wrong with the command line; that as JSON too, if it is asked
/// for.
fn args_refused(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Help for a closed standard output is no failure of the command.
        let _ = error.print();
        return Outcome::Good.into();
    }
    if std::env::args_os().any(|arg| arg == "--json") {
        let message = error.render().to_string();
        let first = message.lines().next().unwrap_or_default();
        let what = first.strip_prefix("error: ").unwrap_or(first);
        let failure = Failure::usage(format!("The command line is not understood: {what}."))
            .advise("See `certstatus --help`.");
        Output::new(true, anstream::ColorChoice::Never).fail("certstatus", &failure);
    } else {
        let _ = error.print();
    }
    Outcome::Usage.into()
}
