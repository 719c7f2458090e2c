//! `certstatus fetch`: ask the responder, verify what it says, keep it.
//!
//! The stapler's own code asks and verifies. The issuer comes from a file, or from where the
//! certificate says it is (`caIssuers`); either way its key must have signed the certificate.

mod attempt;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use certstatus::message::HashAlgorithm;
use certstatus::{Certificate, Freshness, Issuer, VerifiedResponse};
use certstatus_stapler::fetch::{
    Attempt, AttemptError, Fetched, Http, IssuerError, NonceMode, Query, fetch_issuer, fetch_status,
};
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::UnixTime;
use serde::Serialize;

use crate::anchors::anchors;
use crate::args::examples;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::report::facts::sentence;
use crate::report::{Output, Page, Report, StatusReport, Subject};
use crate::verify::{FreshnessArgs, ResponderArgs};
use crate::{input, issuer};

pub(crate) use attempt::AttemptFacts;

/// Fetch the OCSP response for a certificate from its responder.
///
/// Asks the responders that the certificate names, one after another, until one gives a response
/// that is to be trusted. The response is verified before it is written, and the file is replaced
/// whole or not at all; what cannot be trusted is never written. A response that says revoked or
/// unknown can be trusted, so it is written too, and the exit code tells.
///
/// The issuer is taken from --issuer, or from the chain in the certificate's file, or else from the
/// address that the certificate itself names (caIssuers). Its key must have signed the certificate.
#[derive(Debug, clap::Args)]
#[command(after_help = examples(EXAMPLES))]
pub(crate) struct Args {
    /// The certificate, or a chain with the certificate first, in PEM or DER; `-` is standard input.
    #[arg(value_name = "CERT", required_unless_present = "serial")]
    certificate: Option<PathBuf>,

    /// The certificate of the CA that issued it.
    #[arg(long, value_name = "FILE")]
    issuer: Option<PathBuf>,

    /// Ask for this serial number of the issuer, in hexadecimal as `certstatus show` prints it, instead
    /// of that of CERT. Without CERT, --issuer and --url are needed.
    #[arg(long, value_name = "HEX", value_parser = parse_serial)]
    serial: Option<Serial>,

    /// Ask this responder, instead of those that the certificate names.
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// Write the response to this file, in DER; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Send a nonce (RFC 9654), so that the response is made for this request and no replay.
    ///
    /// With `required`, which is meant when nothing is said, a response without the nonce is not to
    /// be trusted: only so does a nonce protect from replays. Responders that sign in advance leave
    /// it out; with `if-present` that is accepted.
    #[arg(
        long,
        value_name = "WHEN",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "required"
    )]
    nonce: Option<NonceArg>,

    /// Use POST at once. Otherwise GET is used, which caches can answer, and POST when a GET would
    /// be too long, or brings an OCSP error, a web page, nothing, or an error of HTTP.
    #[arg(long)]
    post: bool,

    /// The hash by which the request names the issuer. Few responders know another than SHA-1.
    #[arg(long, value_name = "HASH", default_value = "sha1")]
    hash: HashArg,

    /// Trust the certificates in this PEM or DER file for responders of https, and no others; without
    /// it, those of the system, or of SSL_CERT_FILE.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// The time that each request may take: `10s`, `1m`.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    timeout: Duration,

    #[command(flatten)]
    responders: ResponderArgs,

    #[command(flatten)]
    freshness: FreshnessArgs,
}

/// A serial number, as the contents of its INTEGER.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Serial(Vec<u8>);

/// A serial number in hexadecimal, with or without `0x` and colons.
fn parse_serial(text: &str) -> Result<Serial, String> {
    /// Bytes of a serial number, by RFC 5280, 4.1.2.2, and some more that CAs have used.
    const LONGEST: usize = 64;
    let wrong = || format!("`{text}` is not a serial number in hexadecimal, such as 27f6156a");
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let digits: Vec<u32> = digits
        .chars()
        .filter(|c| !matches!(c, ':' | ' '))
        .map(|c| c.to_digit(16).ok_or_else(wrong))
        .collect::<Result<_, _>>()?;
    if digits.is_empty() || digits.len() > 2 * LONGEST {
        return Err(wrong());
    }
    let odd = digits.len() % 2;
    let padded: Vec<u32> = std::iter::repeat_n(0, odd).chain(digits).collect();
    let bytes = padded.chunks_exact(2).map(|pair| match pair {
        [high, low] => (high << 4 | low) as u8,
        _ => 0,
    });
    let mut bytes: Vec<u8> = bytes.skip_while(|byte| *byte == 0).collect();
    // A first bit that is set would make it negative.
    if bytes.first().is_none_or(|byte| *byte >= 0x80) {
        bytes.insert(0, 0);
    }
    Ok(Serial(bytes))
}

/// A hash of `CertID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum HashArg {
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

impl From<HashArg> for HashAlgorithm {
    fn from(hash: HashArg) -> Self {
        match hash {
            HashArg::Sha1 => Self::Sha1,
            HashArg::Sha256 => Self::Sha256,
        }
    }
}

/// When a nonce must come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum NonceArg {
    /// It must come back.
    Required,
    /// It or none must come back.
    IfPresent,
}

impl From<NonceArg> for NonceMode {
    fn from(nonce: NonceArg) -> Self {
        match nonce {
            NonceArg::Required => Self::Required,
            NonceArg::IfPresent => Self::IfPresent,
        }
    }
}

impl Args {
    /// Whether the response goes to standard output; the report then stands beside it.
    pub(crate) fn takes_stdout(&self) -> bool {
        self.out.as_deref().is_some_and(input::is_stdin)
    }
}

pub(crate) const EXAMPLES: &[(&str, &str)] = &[
    (
        "Fetch what a server is to staple, from a chain file",
        "certstatus fetch fullchain.pem --out staple.der",
    ),
    (
        "Only tell the status, as of this very moment",
        "certstatus fetch server.pem --issuer ca.pem --nonce",
    ),
    (
        "A certificate of which only the serial number is known",
        "certstatus fetch --serial 27f6156a --issuer ca.pem --url http://ocsp.example.com/",
    ),
    (
        "Ask another responder",
        "certstatus fetch server.pem --issuer ca.pem --url http://ocsp.example.com/",
    ),
];

pub(crate) fn run(args: &Args, output: &Output) -> Result<Outcome, Failure> {
    let stdin = args.certificate.iter().chain(&args.issuer);
    if stdin.filter(|path| input::is_stdin(path)).count() > 1 {
        return Err(Failure::usage("Standard input was given for more than one file.")
            .advise("Give `-` once, and name the other file."));
    }
    let http = http(args.timeout, args.ca_file.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime
        .map_err(|e| Failure::failed("start", format!("The network cannot be used: {e}.")))?
        .block_on(fetch(args, &http, output))
}

async fn fetch(args: &Args, http: &Http, output: &Output) -> Result<Outcome, Failure> {
    let chain = args.certificate.as_deref().map(input::certificates).transpose()?;
    let chain = chain.unwrap_or_default();
    let certificate = match (&args.certificate, chain.first()) {
        (Some(path), Some(first)) => Some((issuer::certificate(first, path)?, path)),
        _ => None,
    };
    let (issuers, urls) = match &certificate {
        Some((certificate, path)) => (
            issuer_candidates(args, http, &chain, certificate, path).await?,
            responders(args, certificate, &input::name(path))?,
        ),
        None => by_serial_alone(args)?,
    };
    let issuer = match &certificate {
        Some((certificate, _)) => issuer::among(certificate, &issuers.candidates, &issuers.source)?,
        None => issuer::certificate(
            issuers.candidates.first().map_or(&[][..], Vec::as_slice),
            Path::new(&issuers.source),
        )?,
    };
    let subject = match (&args.serial, &certificate) {
        (Some(Serial(serial_number)), _) => Subject::Serial { serial_number, issuer: &issuer },
        (None, Some((certificate, _))) => Subject::Certificate(certificate),
        (None, None) => {
            return Err(Failure::usage("There is no certificate and no serial number."));
        }
    };
    let asked =
        Asked { subject, freshness: args.freshness.into(), issuer_source: issuers.source.clone() };
    let trusted = issuer::responders(&args.responders.files)?;
    let query = Query {
        serial_number: subject.serial_number(),
        issuer: &Issuer::from_certificate(&issuer),
        provider: &aws_lc_rs::default_provider(),
        post: args.post,
        nonce: args.nonce.map(Into::into).unwrap_or_default(),
        hash: args.hash.into(),
        trusted_responders: &issuer::read(&trusted),
        freshness: asked.freshness,
        etag: None,
        now: output.now(),
    };
    let report = match fetch_status(http, &query, &urls).await {
        Ok((fetched, url, failed)) => arrived(args, output, asked, fetched, url, &failed)?,
        Err(failed) => missed(asked, failed)?,
    };
    output.print(&report)?;
    Ok(report.status.outcome())
}

/// Where to ask for a serial number without a certificate.
fn by_serial_alone(args: &Args) -> Result<(Candidates, Vec<String>), Failure> {
    let (Some(issuer), Some(url)) = (&args.issuer, &args.url) else {
        return Err(Failure::usage("A serial number alone does not say whom to ask.")
            .advise("Give --issuer and --url, or a certificate of the same CA."));
    };
    let candidates = input::certificates(issuer)?;
    Ok((Candidates { candidates, source: input::name(issuer) }, vec![url.clone()]))
}

/// An HTTP client that gives each request that time in all, and trusts the anchors in `ca_file` for
/// https, or else the system's.
///
/// # Errors
/// When it cannot be set up.
pub(crate) fn http(timeout: Duration, ca_file: Option<&Path>) -> Result<Http, Failure> {
    let mut http = Http::builder(Arc::new(aws_lc_rs::default_provider())).timeout(timeout);
    if let Some(file) = ca_file {
        http = http.roots(anchors(file)?);
    }
    http.build().map_err(|e| Failure::failed("http", sentence(&e.to_string())))
}

/// What is asked about, and how the answer is judged and reported.
struct Asked<'a> {
    subject: Subject<'a>,
    freshness: Freshness,
    issuer_source: String,
}

/// Where an issuer may be, and how that is named.
struct Candidates {
    candidates: Vec<Vec<u8>>,
    source: String,
}

async fn issuer_candidates(
    args: &Args,
    http: &Http,
    chain: &[Vec<u8>],
    certificate: &Certificate<'_>,
    path: &Path,
) -> Result<Candidates, Failure> {
    if let Some(path) = &args.issuer {
        let candidates = input::certificates(path)?;
        return Ok(Candidates { candidates, source: input::name(path) });
    }
    let rest: Vec<Vec<u8>> = chain.iter().skip(1).cloned().collect();
    let name = input::name(path);
    if issuer::among(certificate, &rest, &name).is_ok() {
        return Ok(Candidates { candidates: rest, source: name });
    }
    from_ca_issuers(http, certificate, &name).await
}

/// The issuer from where the certificate says it is (RFC 5280, 4.2.2.1).
async fn from_ca_issuers(
    http: &Http,
    certificate: &Certificate<'_>,
    name: &str,
) -> Result<Candidates, Failure> {
    match fetch_issuer(http, certificate, issuer::algorithms()).await {
        Ok((issuer, url)) => Ok(Candidates { candidates: vec![issuer], source: url }),
        Err(IssuerError::NoAddress) => Err(Failure::failed(
            "issuer",
            format!("{name} has no issuer in it, and the certificate does not say where it is."),
        )
        .advise("Give the issuer's certificate with --issuer, or a chain that has it.")),
        Err(IssuerError::Unreadable(error)) => {
            Err(Failure::untrusted("certificate", sentence(&error.to_string())))
        }
        Err(IssuerError::Fetched { url, reason }) => Err(issuer::refused(&url, &reason)),
        Err(error) => Err(Failure::failed("issuer", sentence(&error.to_string()))
            .advise("Give the issuer's certificate with --issuer.")),
    }
}

fn responders(
    args: &Args,
    certificate: &Certificate<'_>,
    name: &str,
) -> Result<Vec<String>, Failure> {
    if let Some(url) = &args.url {
        return Ok(vec![url.clone()]);
    }
    let urls = certificate
        .ocsp_urls()
        .map_err(|e| Failure::untrusted("certificate", sentence(&e.to_string())))?;
    if urls.is_empty() {
        return Err(Failure::failed(
            "responder",
            format!("The certificate in {name} names no OCSP responder."),
        )
        .advise(
            "Name one with --url. Many public CAs have none any more; their certificates are \
             checked by CRLs.",
        ));
    }
    Ok(urls.into_iter().map(str::to_owned).collect())
}

/// The report of a fetch: that about the response, and how it was come by.
#[derive(Serialize)]
struct FetchReport {
    #[serde(flatten)]
    status: StatusReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    fetched: Option<FetchedFacts>,
    /// The responders that did not serve, in the order in which they were asked.
    failed_attempts: Vec<AttemptFacts>,
    /// The file or URL in which the issuer was found.
    issuer_source: String,
}

#[derive(Serialize)]
struct FetchedFacts {
    url: String,
    method: &'static str,
    /// Whether the nonce came back; null when none was sent.
    nonce_returned: Option<bool>,
    /// The file to which the response was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<String>,
}

impl Report for FetchReport {
    fn render(&self, page: &mut Page) {
        self.status.render_with(page, |page| {
            page.section("Fetched");
            if let Some(fetched) = &self.fetched {
                page.field("from", format!("{} by {}", fetched.url, fetched.method));
                match fetched.nonce_returned {
                    Some(true) => page.field("nonce", "sent, and came back"),
                    Some(false) => page.field("nonce", "sent, and did not come back"),
                    None => {}
                }
                if let Some(path) = &fetched.written {
                    page.field("written to", path);
                }
            }
            for attempt in &self.failed_attempts {
                page.field("in vain", attempt.shown());
            }
            page.field("issuer from", &self.issuer_source);
        });
    }
}

fn arrived(
    args: &Args,
    output: &Output,
    asked: Asked<'_>,
    fetched: Fetched,
    url: &str,
    failed: &[Attempt],
) -> Result<FetchReport, Failure> {
    let Fetched { verified, method, judged_at, nonce_returned, .. } = fetched;
    let written = match &args.out {
        Some(path) if input::is_stdin(path) => {
            output.write_bytes(verified.der())?;
            None
        }
        Some(path) => {
            write::to_path(path, verified.der())?;
            Some(path.display().to_string())
        }
        None => None,
    };
    let response = verified.shared_der();
    let status = asked.report(&response, &Ok(verified), judged_at);
    let fetched =
        FetchedFacts { url: url.to_owned(), method: method.name(), nonce_returned, written };
    Ok(FetchReport {
        status,
        fetched: Some(fetched),
        failed_attempts: failed.iter().map(AttemptFacts::of).collect(),
        issuer_source: asked.issuer_source,
    })
}

/// No responder served. When a response came that is not to be trusted, that is what is reported;
/// else nothing could be done.
fn missed(asked: Asked<'_>, mut failed: Vec<Attempt>) -> Result<FetchReport, Failure> {
    let failed_attempts: Vec<AttemptFacts> = failed.iter().map(AttemptFacts::of).collect();
    let untrusted = failed.iter().position(|attempt| attempt.error.is_untrusted());
    match untrusted.map(|at| failed.swap_remove(at).error) {
        Some(AttemptError::Untrusted { error, response, judged_at }) => {
            let status = asked.report(&response, &Err(error), judged_at);
            let issuer_source = asked.issuer_source;
            Ok(FetchReport { status, fetched: None, failed_attempts, issuer_source })
        }
        _ => Err(unreachable(&failed_attempts)),
    }
}

fn unreachable(attempts: &[AttemptFacts]) -> Failure {
    let reasons: Vec<String> = attempts.iter().map(AttemptFacts::shown).collect();
    let message = match reasons.as_slice() {
        [only] => format!("The responder gave no response: {only}."),
        all => format!("None of the {} responders gave a response: {}.", all.len(), all.join("; ")),
    };
    let failure = Failure::failed("http", message.clone());
    let failure = match message.contains("certificate: ") {
        true => failure.advise(
            "For a responder of https with a CA of your own, give its root with --ca-file, or in \
             SSL_CERT_FILE.",
        ),
        false => failure,
    };
    failure.advise(
        "Try again later, and keep the response that you have until it expires. Try the URL with \
         curl; a proxy is taken from http_proxy. Another responder can be named with --url.",
    )
}

impl Asked<'_> {
    fn report(
        &self,
        response: &[u8],
        result: &Result<VerifiedResponse, certstatus::Error>,
        now: UnixTime,
    ) -> StatusReport {
        StatusReport::new("fetch", self.subject, response, result, self.freshness, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_hexadecimal() {
        let read = |text| parse_serial(text).map(|Serial(bytes)| bytes);
        assert_eq!(read("5").unwrap(), [5]);
        assert_eq!(read("0x00ff").unwrap(), [0, 0xff]);
        assert_eq!(read("27:F6:15").unwrap(), [0x27, 0xf6, 0x15]);
        assert_eq!(read("0").unwrap(), [0]);
        assert!(["", "0x", "xyz", "-5"].into_iter().all(|text| read(text).is_err()));
        assert!(read(&"1".repeat(129)).is_err());
    }
}
