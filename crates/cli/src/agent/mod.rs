//! `certstatus agent`: keeps staples fresh for servers that take a file or a socket.
//!
//! [`config`] is what the user wants; `certificates` reads the files and sees when they change; the
//! stapler of `certstatus-stapler` fetches, verifies and keeps; `outputs` give each new staple to
//! the servers; `http` shows all of it. `keeper` holds them together; `service` drives
//! it for good, `once` for a single round.

mod board;
mod certificates;
mod check;
mod config;
mod http;
mod keeper;
mod log;
mod once;
mod outputs;
mod service;

use std::path::PathBuf;

use crate::args::{Examples, examples};
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::report::Output;

use config::Config;

/// Keep the staples of servers fresh: nginx, HAProxy, lighttpd and others that read a file.
///
/// Reads which certificates there are from a configuration, fetches their OCSP responses, verifies
/// them, writes them where servers find them, tells the servers, and goes on refreshing them. A
/// renewed certificate is seen by itself. SIGHUP reads the configuration again, SIGTERM ends.
#[derive(Debug, clap::Args)]
#[command(after_help = examples(EXAMPLES))]
pub(crate) struct Args {
    /// The configuration, in TOML.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/certstatus/agent.toml",
        conflicts_with = "sample"
    )]
    config: PathBuf,

    /// Say whether the configuration is right and what it means, and do nothing else.
    #[arg(long, conflicts_with_all = ["once", "sample"])]
    check_config: bool,

    /// Get every staple that is due, write it, and end: for cron and for the first start.
    #[arg(long)]
    once: bool,

    /// Print a configuration that has every key, to begin with.
    #[arg(long, conflicts_with = "once")]
    sample: bool,
}

pub(crate) const EXAMPLES: &Examples = &[
    ("Begin with the sample", "certstatus agent --sample > agent.toml"),
    ("See whether a configuration is right", "certstatus agent --config agent.toml --check-config"),
    ("Get what is due and end, from cron", "certstatus agent --config agent.toml --once"),
    ("Keep staples fresh", "certstatus agent --config agent.toml"),
];

pub(crate) fn run(args: &Args, output: &Output) -> Result<Outcome, Failure> {
    if args.sample {
        output.write_bytes(config::SAMPLE.as_bytes())?;
        return Ok(Outcome::Done);
    }
    let config = Config::read(&args.config)?;
    if args.check_config {
        return check::run(&args.config, config, output);
    }
    match args.once {
        true => once::run(&config, output),
        false => service::run(args.config.clone(), config),
    }
}
