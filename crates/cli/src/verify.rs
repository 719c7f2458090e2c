//! `certstatus verify`: is this response to be trusted, and what does it say?
//!
//! The issuer is what the user says it is: whoever names a file with `--issuer` vouches for it. That
//! it signed the certificate is checked all the same, so that a wrong file is told from a forged
//! response.

use std::path::PathBuf;
use std::time::Duration;

use certstatus::time::unix;
use certstatus::{Certificate, Freshness, Issuer, Verifier};
use rustls_pki_types::UnixTime;

use crate::args::examples;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::report::{Output, StatusReport, Subject};
use crate::{input, issuer};

/// Verify an OCSP response from a file.
///
/// Checks that the response is well formed, that it is about this certificate of this issuer, that
/// it speaks for the time of the check, and that the issuer, or a responder whom the issuer has
/// delegated, signed it. The issuer is trusted because you name it.
///
/// Every file may be PEM or DER, which is told by its content.
#[derive(Debug, clap::Args)]
#[command(after_help = examples(EXAMPLES))]
pub(crate) struct Args {
    /// The OCSP response; `-` is standard input.
    #[arg(value_name = "RESPONSE")]
    response: PathBuf,

    /// The certificate whose status is meant; of a chain, the first.
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,

    /// The certificate of the CA that issued it; of several, the one that did.
    #[arg(long, value_name = "FILE")]
    issuer: PathBuf,

    #[command(flatten)]
    responders: ResponderArgs,

    /// Judge as of this time, such as 2026-03-01T12:00:00Z, instead of now.
    #[arg(long, value_name = "RFC3339", value_parser = parse_time)]
    at: Option<UnixTime>,

    #[command(flatten)]
    freshness: FreshnessArgs,
}

/// Whose responses are trusted beside those of the issuer.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ResponderArgs {
    /// Trust responses that are signed with the key of this certificate: a validation authority for
    /// several CAs (RFC 6960, 4.2.2.2). May be given several times.
    #[arg(long = "trusted-responder", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// How old a response may be.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct FreshnessArgs {
    /// How long a response without nextUpdate holds: `12h`, `15d`.
    #[arg(long, value_name = "DURATION", default_value = "1d", value_parser = humantime::parse_duration)]
    max_age: Duration,

    /// How far the clocks may be apart: `30s`, `5m`.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = humantime::parse_duration)]
    skew: Duration,
}

impl From<FreshnessArgs> for Freshness {
    fn from(args: FreshnessArgs) -> Self {
        Self { skew: args.skew, max_age: args.max_age }
    }
}

pub(crate) const EXAMPLES: &[(&str, &str)] = &[
    (
        "Verify what a server will staple",
        "certstatus verify --cert server.pem --issuer ca.pem staple.der",
    ),
    (
        "Would it still hold tomorrow?",
        "certstatus verify --cert server.pem --issuer ca.pem --at 2026-03-02T12:00:00Z staple.der",
    ),
    (
        "A response of a validation authority of one's own",
        "certstatus verify --cert server.pem --issuer ca.pem --trusted-responder va.pem staple.der",
    ),
    (
        "From another command, and for a program",
        "certstatus verify --cert server.pem --issuer ca.pem --json - < staple.der",
    ),
];

pub(crate) fn run(args: &Args, output: &Output) -> Result<Outcome, Failure> {
    let from_stdin = [&args.response, &args.cert, &args.issuer];
    if from_stdin.into_iter().filter(|path| input::is_stdin(path)).count() > 1 {
        return Err(Failure::usage("Standard input was given for more than one file.")
            .advise("Give `-` once, and name the other files."));
    }
    let chain = input::certificates(&args.cert)?;
    let issuers = input::certificates(&args.issuer)?;
    let response = input::message(&args.response)?;
    let first = chain.first().map_or(&[][..], Vec::as_slice);
    let certificate = issuer::certificate(first, &args.cert)?;
    let issuer = issuer::among(&certificate, &issuers, &input::name(&args.issuer))?;
    let (freshness, now) = (args.freshness.into(), args.at.unwrap_or(output.now()));
    let responders = issuer::responders(&args.responders.files)?;
    let responders = issuer::read(&responders);
    let verifier =
        Verifier::new(issuer::algorithms()).freshness(freshness).trust_responders(&responders);
    let report = judge(&verifier, &response.der, &certificate, &issuer, freshness, now);
    output.print(&report)?;
    Ok(report.outcome())
}

/// Verifies a response, and reports.
fn judge(
    verifier: &Verifier<'_>,
    response: &[u8],
    certificate: &Certificate<'_>,
    issuer: &Certificate<'_>,
    freshness: Freshness,
    now: UnixTime,
) -> StatusReport {
    let result = verifier.verify(response, certificate, &Issuer::from_certificate(issuer), now);
    let subject = Subject::Certificate(certificate);
    StatusReport::new("verify", subject, response, &result, freshness, now)
}

/// A point in time of RFC 3339, in UTC or with an offset.
fn parse_time(text: &str) -> Result<UnixTime, String> {
    let hint = || format!("`{text}` is not a time like 2026-03-01T12:00:00Z or +02:00 at its end");
    let (local, offset) = match text.get(text.len().saturating_sub(6)..) {
        Some(tail) if tail.starts_with(['+', '-']) && text.contains('T') => {
            (text.get(..text.len() - 6).unwrap_or_default(), parse_offset(tail).ok_or_else(hint)?)
        }
        _ => (text.trim_end_matches(['Z', 'z']), 0),
    };
    let time = humantime::parse_rfc3339(&format!("{local}Z")).map_err(|_| hint())?;
    let seconds = time.duration_since(std::time::UNIX_EPOCH).map_err(|_| hint())?.as_secs();
    seconds.checked_add_signed(-offset).map(unix).ok_or_else(hint)
}

/// `+hh:mm` or `-hh:mm`, in seconds.
fn parse_offset(text: &str) -> Option<i64> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let number = |digits: &str, below: i64| {
        let all_digits = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse::<i64>().ok().filter(|n| all_digits && *n < below)
    };
    Some(sign * (number(hours, 24)? * 3600 + number(minutes, 60)? * 60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(parse_time("2000-02-29T12:00:00Z").unwrap(), unix(951_825_600));
        assert_eq!(parse_time("2000-02-29T14:00:00+02:00").unwrap(), unix(951_825_600));
        assert_eq!(parse_time("2000-02-29T11:30:00-00:30").unwrap(), unix(951_825_600));
        for wrong in
            ["", "now", "2000-02-30T00:00:00Z", "2000-02-29T12:00:00+2", "é+00:00", "T+99:00"]
        {
            assert!(parse_time(wrong).is_err(), "{wrong}");
        }
    }

    /// A lab of fixed time, made once: its keys take a while.
    fn vector() -> &'static (Vec<u8>, Vec<u8>, Vec<u8>) {
        static VECTOR: std::sync::OnceLock<(Vec<u8>, Vec<u8>, Vec<u8>)> =
            std::sync::OnceLock::new();
        VECTOR.get_or_init(|| {
            let lab = certstatus_lab::Lab::builder().delegate(true).now(NOW).build().unwrap();
            let leaf = lab.leaf("localhost").unwrap();
            (leaf.certificate().to_vec(), leaf.issuer().to_vec(), lab.respond(&leaf))
        })
    }

    const NOW: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));

    fn verify(response: &[u8]) -> Outcome {
        let (leaf, issuer, _) = vector();
        let (leaf, issuer) =
            (Certificate::parse(leaf).unwrap(), Certificate::parse(issuer).unwrap());
        let verifier = Verifier::new(issuer::algorithms());
        let report = judge(&verifier, response, &leaf, &issuer, Freshness::default(), NOW);
        serde_json::to_string(&report).unwrap();
        let output = Output::new(false, anstream::ColorChoice::Never);
        crate::report::Report::render(&report, &mut output.page());
        report.outcome()
    }

    #[test]
    fn the_vector_is_good() {
        assert_eq!(verify(&vector().2), Outcome::Good);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn random_bytes_are_never_to_be_trusted(bytes: Vec<u8>) {
            prop_assert_eq!(verify(&bytes), Outcome::Untrusted);
        }

        #[test]
        fn a_changed_response_is_never_to_be_trusted(at: usize, change in 1u8..) {
            let mut response = vector().2.clone();
            let at = at % response.len();
            response[at] ^= change;
            // The delegate's certificate is not covered by the response's signature, but by its
            // own: so every byte counts.
            prop_assert_eq!(verify(&response), Outcome::Untrusted);
        }
    }
}
