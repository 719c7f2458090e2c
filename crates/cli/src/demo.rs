//! `certstatus demo`: a CA, a responder, a stapling server and a client, in one process.

use crate::args::examples;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::report::Output;

/// Show what stapling does: good, revoked, missing, in one process and without any setup.
///
/// Starts a private CA with its OCSP responder, a TLS server that staples and a client that checks,
/// all on loopback, and lets the client meet a good certificate, a revoked one, and one that must
/// be stapled and is not. Ends with exit code 0 only if every step came out as told.
#[derive(Debug, clap::Args)]
#[command(after_help = examples(EXAMPLES))]
pub(crate) struct Args {}

pub(crate) const EXAMPLES: &[(&str, &str)] =
    &[("See it", "certstatus demo"), ("The same for a program", "certstatus demo --json")];

pub(crate) fn run(_args: &Args, _output: &Output) -> Result<Outcome, Failure> {
    Err(Failure::failed("demo", "The demo could not be started: it is not part of this build."))
}
