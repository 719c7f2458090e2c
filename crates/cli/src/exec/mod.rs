//! `certstatus exec`: run a program that is made for OpenSSL 3 on this project's `libssl.so.3`.
//!
//! The program takes the place of this process: it has its standard streams, its signals and its
//! exit code. Nothing about it is changed but its environment, which leads the dynamic loader to the
//! library; [`loader::Environment`] says how and why so. Before that it is judged whether that does
//! anything for it.

mod elf;
mod judge;
mod library;
mod loader;
mod program;
mod report;

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process;

use crate::args::{Examples, examples};
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::report::Output;

use judge::judge;
use library::Library;
use program::Program;
use report::ExecReport;

/// Run a program on this project's libssl.so.3.
///
/// The program is not changed, and need not know. It finds the library in place of OpenSSL's, and so
/// does every program that it starts, as long as LD_LIBRARY_PATH is passed on; sudo, for one, does
/// not do so, thus `sudo certstatus exec -- nginx`. The exit code is the program's; it is 1 when the
/// program could not be started or would not use the library.
#[derive(Debug, clap::Args)]
#[command(after_help = examples(EXAMPLES))]
pub(crate) struct Args {
    /// Use this library, or the libssl.so.3 in this directory, instead of the one that was built or
    /// installed with this command.
    #[arg(long, value_name = "PATH")]
    lib: Option<PathBuf>,

    /// Load the library before all others, into every program that is started (LD_PRELOAD): for a
    /// program with a path of its own to libraries that it loads later.
    #[arg(long)]
    preload: bool,

    /// Do not start the program: say whether it runs on the library, and how.
    #[arg(long)]
    check: bool,

    /// Say the same on standard error, and start the program.
    #[arg(long, short, conflicts_with = "check")]
    verbose: bool,

    /// The program and its arguments.
    #[arg(
        value_name = "PROGRAM",
        required = true,
        num_args = 1..,
        trailing_var_arg = true
    )]
    command: Vec<OsString>,
}

pub(crate) const EXAMPLES: &Examples = &[
    (
        "Have curl insist on a good staple",
        "certstatus exec -- curl --cert-status https://www.example.com",
    ),
    ("See whether nginx would run on it", "certstatus exec --check -- nginx"),
    ("Run a library just built", "certstatus exec --lib target/libssl -- openssl version"),
];

pub(crate) fn run(args: &Args, output: &Output) -> Result<Outcome, Failure> {
    let Some((name, rest)) = args.command.split_first() else {
        return Err(Failure::usage("There is no program to run."));
    };
    let program = Program::find(name)?;
    let library = Library::find(args.lib.as_deref())?;
    let judgement = judge(&program, &library, args.preload)?;
    let report = ExecReport::new(&program, &library, &judgement, output.now());
    if args.check {
        output.print(&report)?;
        return Ok(Outcome::Done);
    }
    if args.verbose {
        output.beside(true).print(&report)?;
    }
    let mut command = process::Command::new(&program.path);
    // A program may go by the name that it is called by.
    command.arg0(name).args(rest);
    judgement.environment.apply(&mut command);
    Err(not_started(&program, &command.exec()))
}

fn not_started(program: &Program, error: &io::Error) -> Failure {
    let message = format!("{} could not be started: {error}.", program.path.display());
    Failure::failed("program", message)
}
