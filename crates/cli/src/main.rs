//! The `certstatus` command: certificate status for operators.
//!
//! Each subcommand has a file of its own, with its arguments and a `run(&Args, &Output)` that
//! prints a report and gives the [`Outcome`] that becomes the exit code, or a [`Failure`] that is
//! printed here. Nothing but [`report`] writes to the terminal.

#![forbid(unsafe_code)]

mod args;
mod check;
mod demo;
mod failure;
mod outcome;
mod report;

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
    let output = Output::new(cli.json, cli.color.into());
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
    }
}

/// Prints help, version, or what is wrong with the command line.
fn args_refused(error: &clap::Error) -> ExitCode {
    // Help for a closed standard output is no failure of the command.
    let _ = error.print();
    if error.use_stderr() { Outcome::Usage.into() } else { Outcome::Good.into() }
}
