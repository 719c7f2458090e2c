//! The README holds: what it says of the command is what the command says of itself.

use clap::{CommandFactory, Parser};

use crate::args::Cli;
use crate::outcome::Outcome;

const README: &str = include_str!("../../../README.md");

#[test]
fn every_command_line_in_it_is_understood() {
    let lines: Vec<&str> = README
        .lines()
        .filter_map(|line| line.strip_prefix("$ "))
        .filter(|line| line.starts_with("certstatus "))
        .collect();
    assert!(lines.len() >= 5, "{lines:?}");
    for line in lines {
        let (words, _redirected) = line.split_once(" > ").unwrap_or((line, ""));
        assert!(Cli::try_parse_from(words.split_whitespace()).is_ok(), "{line}");
    }
}

#[test]
fn it_names_every_command_and_no_other() {
    let rows = README.lines().filter(|line| line.starts_with("| `certstatus "));
    let named: Vec<&str> = rows
        .flat_map(|row| row.split('`').filter_map(|piece| piece.strip_prefix("certstatus ")))
        .filter_map(|command| command.split_whitespace().next())
        .collect();
    let cli = Cli::command();
    let known: Vec<&str> = cli.get_subcommands().map(clap::Command::get_name).collect();
    assert_eq!(named, known);
}

#[test]
fn its_exit_codes_are_those_of_the_command() {
    for outcome in Outcome::BY_CODE {
        let row = format!("| {} | {} |", outcome.code(), outcome.meaning());
        assert!(README.lines().any(|line| line == row), "{row}");
    }
}
