//! Writes the seeds of a target to files, and runs a target over files, with any compiler.

#![forbid(unsafe_code)]
#![allow(clippy::print_stderr, reason = "a tool for those who work on the project")]

use std::io;
use std::path::Path;
use std::process::ExitCode;

use certstatus_fuzz_targets::{TARGETS, Target, target};

const USAGE: &str = "usage: certstatus-fuzz-targets seeds TARGET DIRECTORY
       certstatus-fuzz-targets run TARGET FILE...";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["seeds", name, directory] => named(name).and_then(|target| write(target, directory)),
        ["run", name, files @ ..] if !files.is_empty() => {
            named(name).and_then(|target| files.iter().try_for_each(|file| run(target, file)))
        }
        _ => Err(io::Error::other(USAGE)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn named(name: &str) -> io::Result<&'static Target> {
    target(name).ok_or_else(|| {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        io::Error::other(format!("{name} is none of the targets: {}", names.join(", ")))
    })
}

fn write(target: &Target, directory: &str) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    for (number, seed) in (target.seeds)().iter().enumerate() {
        std::fs::write(Path::new(directory).join(format!("seed-{number}")), seed)?;
    }
    Ok(())
}

fn run(target: &Target, file: &str) -> io::Result<()> {
    let input = std::fs::read(file)
        .map_err(|error| io::Error::other(format!("{file} cannot be read: {error}")))?;
    eprintln!("{}: {file}", target.name);
    (target.run)(&input);
    Ok(())
}
