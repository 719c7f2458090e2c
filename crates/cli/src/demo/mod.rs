//! `certstatus demo`: a CA, a responder, a stapling server and a client, in one process.
//!
//! `steps` is the story, `world` what it is played on, `witness` the client's verifier; `tap`
//! records what goes over the wire and `wire` reads it; `report` shows all of it.

mod report;
mod steps;
mod tap;
mod wire;
mod witness;
mod world;

use std::time::{Duration, Instant};

use crate::args::{Examples, examples};
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::report::Output;
use report::DemoReport;
use steps::Step;
use world::World;

/// Show what stapling does, in one process and without any setup.
///
/// Starts a private CA with its OCSP responder, a TLS server that staples and a client that checks,
/// all on loopback. The client meets a certificate that is good, is revoked, has an expired staple, a
/// forged one, and none although it must. Ends with exit code 0 only if every step came out as told,
/// in TLS 1.3 and in TLS 1.2.
#[derive(Debug, clap::Args)]
#[command(after_help = examples(EXAMPLES))]
pub(crate) struct Args {}

pub(crate) const EXAMPLES: &Examples =
    &[("See it", "certstatus demo"), ("The same for a program", "certstatus demo --json")];

/// The time after which something hangs. All steps together take a fraction of it.
const LIMIT: Duration = Duration::from_secs(20);

pub(crate) fn run(_args: &Args, output: &Output) -> Result<Outcome, Failure> {
    let began = Instant::now();
    let steps = play().map_err(|trouble| {
        Failure::failed("demo", format!("The demo could not be played: {trouble}."))
            .advise("It needs the loopback interface and nothing else.")
    })?;
    let report = DemoReport::new(&steps, began.elapsed(), output.now());
    output.print(&report)?;
    Ok(report.outcome())
}

fn play() -> Result<Vec<Step>, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let story = async { steps::play(&World::start().await?).await };
        tokio::time::timeout(LIMIT, story).await.map_err(|_| Trouble::Hangs)?
    })
}

/// Why the demo cannot be played.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("the lab is at fault: {0}")]
    Lab(#[from] certstatus_lab::LabError),
    #[error("a message could not be made or verified: {0}")]
    Core(#[from] certstatus::Error),
    #[error("TLS could not be set up: {0}")]
    Tls(#[from] rustls::Error),
    #[error("the client's verifier could not be built: {0}")]
    Verifier(#[from] certstatus_rustls::BuildError),
    #[error("the server could not staple: {0}")]
    Staple(#[from] certstatus_rustls::StapleError),
    #[error("the responder could not be asked: {0}")]
    Http(#[from] reqwest::Error),
    #[error("the name of the server cannot be asked for: {0}")]
    Name(#[from] rustls_pki_types::InvalidDnsNameError),
    #[error("a connection on loopback failed: {0}")]
    Io(#[from] std::io::Error),
    #[error("a fault that is a response has no bytes")]
    NoBytes,
    #[error("it took longer than {} seconds", LIMIT.as_secs())]
    Hangs,
}
