//! `certstatus fetch`: ask the responder, verify what it says, keep it.
//!
//! The stapler's own code asks and verifies. The issuer comes from a file, or from where the
//! certificate says it is (`caIssuers`); either way its key must have signed the certificate.

mod attempt;
mod write;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use certstatus::{Certificate, Freshness, Issuer, VerifiedResponse};
use certstatus_stapler::fetch::{
    Attempt, AttemptError, Fetched, Http, IssuerError, NonceMode, Query, fetch_issuer, fetch_status,
};
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::UnixTime;
use serde::Serialize;

use crate::args::examples;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::report::facts::sentence;
use crate::report::{Output, Page, Report, StatusReport};
use crate::verify::FreshnessArgs;
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
    #[arg(value_name = "CERT")]
    certificate: PathBuf,

    /// The certificate of the CA that issued it.
    #[arg(long, value_name = "FILE")]
    issuer: Option<PathBuf>,

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
    /// be too long or is refused.
    #[arg(long)]
    post: bool,

    /// The time that each request may take: `10s`, `1m`.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    timeout: Duration,

    #[command(flatten)]
    freshness: FreshnessArgs,
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
        "Ask another responder",
        "certstatus fetch server.pem --issuer ca.pem --url http://ocsp.example.com/",
    ),
];

pub(crate) fn run(args: &Args, output: &Output) -> Result<Outcome, Failure> {
    let stdin = std::iter::once(&args.certificate).chain(&args.issuer);
    if stdin.filter(|path| input::is_stdin(path)).count() > 1 {
        return Err(Failure::usage("Standard input was given for more than one file.")
            .advise("Give `-` once, and name the other file."));
    }
    let http = http(args.timeout)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime
        .map_err(|e| Failure::failed("start", format!("The network cannot be used: {e}.")))?
        .block_on(fetch(args, &http, output))
}

async fn fetch(args: &Args, http: &Http, output: &Output) -> Result<Outcome, Failure> {
    let chain = input::certificates(&args.certificate)?;
    let first = chain.first().map_or(&[][..], Vec::as_slice);
    let certificate = issuer::certificate(first, &args.certificate)?;
    let issuers = issuer_candidates(args, http, &chain, &certificate).await?;
    let found = issuer::among(&certificate, &issuers.candidates, &issuers.source)?;
    let asked = Asked {
        certificate: &certificate,
        freshness: args.freshness.into(),
        issuer_source: issuers.source,
    };
    let query = Query {
        serial_number: certificate.serial_number(),
        issuer: &Issuer::from_certificate(&found),
        provider: &aws_lc_rs::default_provider(),
        post: args.post,
        nonce: args.nonce.map(Into::into).unwrap_or_default(),
        freshness: asked.freshness,
        etag: None,
        now: output.now(),
    };
    let urls = responders(args, &certificate, &input::name(&args.certificate))?;
    let report = match fetch_status(http, &query, &urls).await {
        Ok((fetched, url, failed)) => arrived(args, output, asked, fetched, url, &failed)?,
        Err(failed) => missed(asked, failed)?,
    };
    output.print(&report)?;
    Ok(report.status.outcome())
}

/// An HTTP client that gives each request that time in all.
///
/// # Errors
/// When it cannot be set up.
pub(crate) fn http(timeout: Duration) -> Result<Http, Failure> {
    let http = Http::builder(Arc::new(aws_lc_rs::default_provider())).timeout(timeout).build();
    http.map_err(|e| Failure::failed("http", sentence(&e.to_string())))
}

/// What is asked about, and how the answer is judged and reported.
struct Asked<'a> {
    certificate: &'a Certificate<'a>,
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
) -> Result<Candidates, Failure> {
    if let Some(path) = &args.issuer {
        let candidates = input::certificates(path)?;
        return Ok(Candidates { candidates, source: input::name(path) });
    }
    let rest: Vec<Vec<u8>> = chain.iter().skip(1).cloned().collect();
    let name = input::name(&args.certificate);
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
    Failure::failed("http", message).advise(
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
        StatusReport::new("fetch", self.certificate, response, result, self.freshness, now)
    }
}
