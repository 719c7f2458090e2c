//! `certstatus check`: connect to servers, and judge what they staple.
//!
//! For each host: `connect` takes a handshake to its end, `recorder` keeps what the server presents
//! and has path and staple verified, `responder` asks the responder itself, `judge` makes a verdict
//! of it, and `report` shows it. `many` does that for several hosts at once.

mod advice;
mod alt_names;
mod chain;
mod connect;
mod judge;
mod key_type;
mod many;
mod note;
mod recorder;
mod report;
mod responder;
mod starttls;
mod target;
mod trust;

use std::io::Read;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use certstatus::{Freshness, Policy, Require, VerifiedResponse};
use certstatus_stapler::fetch::Http;
use rustls::SupportedProtocolVersion;
use rustls::crypto::CryptoProvider;
use rustls_pki_types::{ServerName, UnixTime};
use tokio::time::Instant;

use crate::args::{Examples, examples};
use crate::failure::{Failure, reason};
use crate::fetch::http;
use crate::outcome::Outcome;
use crate::report::Output;
use crate::verify::FreshnessArgs;
use connect::{ConnectError, Route, Seen};
use judge::{Judgement, Terms};
use key_type::KeyType;
use recorder::Presented;
use responder::Answer;
use target::Target;
use trust::Trust;

/// Connect to servers and check what they staple.
///
/// Verifies the server's certificate chain and the OCSP response that it staples, and reports the
/// status and the time for which the response speaks. Several hosts are checked in parallel; the
/// exit code is that of the worst outcome: revoked, then not to be trusted, unknown, could not be
/// done, nothing stapled, good. With --json each host has an object on a line of its own.
#[derive(Debug, clap::Args)]
#[command(after_help = examples(EXAMPLES))]
pub(crate) struct Args {
    /// The servers, each HOST, HOST:PORT or `[IPv6]:PORT`; the port is 443 if none is given, or that
    /// of the protocol of --starttls.
    #[arg(value_name = "HOST[:PORT]", required_unless_present = "from")]
    pub(crate) hosts: Vec<String>,

    /// Read more servers from this file, one a line; `#` begins a comment, `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,

    /// Trust the certificates in this PEM or DER file, and no others; without it, those of the
    /// system.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,

    /// Ask for this name, and verify the certificate for it, instead of HOST.
    #[arg(long, value_name = "NAME")]
    pub(crate) servername: Option<String>,

    /// Speak this version of TLS only.
    #[arg(long, value_name = "VERSION")]
    pub(crate) tls: Option<TlsVersion>,

    /// Ask for a certificate with a key of this type only. By default both certificates of a server that
    /// has two are checked, on a connection each, and the worse one counts.
    #[arg(long, value_name = "TYPE")]
    pub(crate) key_type: Option<KeyType>,

    /// Speak this protocol first, and ask it to start TLS.
    #[arg(long, value_name = "PROTOCOL")]
    pub(crate) starttls: Option<starttls::Protocol>,

    /// Give up on a server after this long, --fetch included: `10s`, `1m 30s`.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Duration,

    /// Connect to this host, HOST, HOST:PORT or `[IPv6]:PORT`, and still ask for the one to be checked.
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) connect: Option<String>,

    /// Also ask the certificate's OCSP responder, and compare. The worse of staple and answer counts.
    #[arg(long)]
    pub(crate) fetch: bool,

    /// When nothing being stapled is exit code 6. Without it: always; with --fetch, only when the
    /// certificate says that the server must staple, as the responder's answer decides otherwise.
    #[arg(long, value_name = "WHEN")]
    pub(crate) require: Option<RequireStaple>,

    /// How many servers are checked at the same time.
    #[arg(long, value_name = "N", default_value = "16")]
    pub(crate) jobs: NonZeroUsize,

    #[command(flatten)]
    pub(crate) freshness: FreshnessArgs,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum TlsVersion {
    /// TLS 1.2.
    #[value(name = "1.2")]
    Tls12,
    /// TLS 1.3.
    #[value(name = "1.3")]
    Tls13,
}

impl TlsVersion {
    fn offered(version: Option<Self>) -> &'static [&'static SupportedProtocolVersion] {
        static TLS12: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
        static TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
        match version {
            Some(Self::Tls12) => TLS12,
            Some(Self::Tls13) => TLS13,
            None => rustls::ALL_VERSIONS,
        }
    }
}

/// When a server must staple.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum RequireStaple {
    /// Every server must.
    Always,
    /// A server must whose certificate says so (RFC 7633).
    MustStaple,
    /// No server must.
    Never,
}

impl From<RequireStaple> for Require {
    fn from(require: RequireStaple) -> Self {
        match require {
            RequireStaple::Always => Self::Always,
            RequireStaple::MustStaple => Self::MustStaple,
            RequireStaple::Never => Self::Never,
        }
    }
}

pub(crate) const EXAMPLES: &Examples = &[
    ("Check what a server staples", "certstatus check www.example.com"),
    (
        "A mail server, with a CA of one's own",
        "certstatus check --starttls smtp --ca-file ca.pem mail.example.com",
    ),
    (
        "One server behind a load balancer, and what the responder says itself",
        "certstatus check --connect 192.0.2.7 --fetch www.example.com",
    ),
    (
        "The RSA certificate of a server that has an ECDSA one too",
        "certstatus check --key-type rsa www.example.com",
    ),
    ("Many servers, for a program", "certstatus check --from hosts.txt --json"),
];

/// No server is waited for longer than a day; beyond some centuries the system's clock ends.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(86_400);

/// How every host is checked.
struct Plan {
    terms: Terms,
    provider: Arc<CryptoProvider>,
    starttls: Option<starttls::Protocol>,
    versions: &'static [&'static SupportedProtocolVersion],
    key_type: Option<KeyType>,
    timeout: Duration,
    connect: Option<Target>,
    server_name: Option<ServerName<'static>>,
    /// For asking responders; `None` when they are not to be asked.
    http: Option<Http>,
}

/// A host that was checked.
struct Checked {
    /// The host and port, as written on a command line.
    host: String,
    /// The name for which its certificate must be.
    server_name: String,
    starttls: Option<starttls::Protocol>,
    seen: Result<Seen, ConnectError>,
    answer: Option<Answer>,
    judgement: Judgement,
    /// Where the trust anchors are from.
    trust: String,
    freshness: Freshness,
    now: UnixTime,
    /// The other certificate of a server that has two; its judgement is part of this one.
    other: Option<Box<Checked>>,
}

impl Checked {
    fn outcome(&self) -> Outcome {
        self.judgement.outcome
    }

    /// What the server presented.
    fn presented(&self) -> Option<&Presented> {
        self.seen.as_ref().ok()?.presented.as_ref()
    }

    /// The staple that holds.
    fn staple(&self) -> Option<&VerifiedResponse> {
        self.presented()?.path.as_ref().ok()?.staple.as_ref()?.as_ref().ok()
    }
}

pub(crate) fn run(args: &Args, output: &Output) -> Result<Outcome, Failure> {
    let targets = targets(args)?;
    let plan = Arc::new(Plan::of(args, output.now())?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::failed("check", format!("The network cannot be used: {e}.")))?;
    let several = args.from.is_some() || targets.len() > 1;
    let checked = runtime.block_on(many::check_all(targets, plan, args.jobs.get(), several))?;
    // A name server that does not answer holds up a thread, and nobody waits for it any more.
    runtime.shutdown_background();
    print(&checked, several, output)
}

/// One host has a report; several have a table, or a report each in JSON.
fn print(checked: &[Checked], several: bool, output: &Output) -> Result<Outcome, Failure> {
    let table = many::Table::new(checked, output.width());
    if several && !output.is_json() {
        output.print(&table)?;
    } else {
        checked.iter().try_for_each(|one| output.print(&report::CheckReport::new(one)))?;
    }
    Ok(table.outcome())
}

/// The hosts of the command line, then those of the file.
fn targets(args: &Args) -> Result<Vec<Target>, Failure> {
    let parse = |host: &String| Target::parse(host).map_err(|e| Failure::usage(format!("{e}.")));
    let mut targets = args.hosts.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    if let Some(file) = &args.from {
        let (list, name) = read_list(file)?;
        targets.extend(target::parse_list(&list, &name).map_err(Failure::usage)?);
        if targets.is_empty() {
            return Err(Failure::usage(format!("{name} has no host in it.")));
        }
    }
    Ok(targets)
}

/// The contents of a list, and its name for people.
fn read_list(file: &Path) -> Result<(String, String), Failure> {
    let (list, name) = if file == Path::new("-") {
        let mut list = String::new();
        (std::io::stdin().read_to_string(&mut list).map(|_| list), "standard input".to_owned())
    } else {
        (std::fs::read_to_string(file), file.display().to_string())
    };
    match list {
        Ok(list) => Ok((list, name)),
        Err(e) => Err(Failure::failed("file", format!("{name} cannot be read: {}.", reason(&e)))),
    }
}

impl Plan {
    fn of(args: &Args, now: UnixTime) -> Result<Self, Failure> {
        let usage = |e: target::TargetError| Failure::usage(format!("{e}."));
        let name = |name: &String| Target::parse(name)?.server_name();
        let timeout = args.timeout.min(LONGEST_TIMEOUT);
        let freshness = Freshness::from(args.freshness);
        let policy = Policy::default().tolerate_skew(freshness.skew).limit_age(freshness.max_age);
        Ok(Self {
            connect: args.connect.as_deref().map(Target::parse).transpose().map_err(usage)?,
            server_name: args.servername.as_ref().map(name).transpose().map_err(usage)?,
            terms: Terms {
                require: args.require.map(Require::from),
                policy,
                trust: Trust::load(args.ca_file.as_deref())?,
                now,
            },
            provider: Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
            starttls: args.starttls,
            versions: TlsVersion::offered(args.tls),
            key_type: args.key_type,
            timeout,
            http: args.fetch.then(|| http(timeout, None)).transpose()?,
        })
    }

    /// The way to a target. With `--connect` its port is the target's unless it has one itself.
    fn route(&self, target: &Target, port: u16) -> Result<Route, target::TargetError> {
        let server_name = match &self.server_name {
            Some(name) => name.clone(),
            None => target.server_name()?,
        };
        Ok(Route {
            address: self.connect.as_ref().unwrap_or(target).clone(),
            default_port: port,
            server_name,
            starttls: self.starttls,
            key_type: self.key_type,
            versions: self.versions,
            timeout: self.timeout,
        })
    }
}

/// The longest time that looking for a second certificate takes: a server that has one alone answers at
/// once, and one that does not must not cost more.
const SECOND_LOOK: Duration = Duration::from_secs(5);

/// Checks one host, with both certificates where it has two.
async fn check(target: &Target, plan: &Plan) -> Checked {
    let deadline = Instant::now() + plan.timeout;
    let port = target.port_or(plan.starttls.map_or(443, starttls::Protocol::default_port));
    let host = target.with_port(port).to_string();
    let route = match plan.route(target, port) {
        Ok(route) => route,
        Err(error) => return plan.checked(&host, target.host(), Err(error.into()), deadline).await,
    };
    let name = route.server_name.to_str().into_owned();
    let seen = connect::connect(&route, &plan.terms, &plan.provider, deadline).await;
    let first = plan.checked(&host, name.clone(), seen, deadline).await;
    let leaf = |checked: &Checked| checked.presented().and_then(|p| p.chain.first().cloned());
    let Some((shown, key_type)) = leaf(&first)
        .filter(|_| route.key_type.is_none())
        .and_then(|leaf| KeyType::of(&leaf).map(|key_type| (leaf, key_type)))
    else {
        return first;
    };
    let (soon, other) = (deadline.min(Instant::now() + SECOND_LOOK), key_type.other());
    let route = Route { key_type: Some(other), ..route };
    // A server without such a certificate ends the handshake, and has none to check.
    let Ok(seen) = connect::connect(&route, &plan.terms, &plan.provider, soon).await else {
        return first;
    };
    let is_another = seen
        .presented
        .as_ref()
        .and_then(|p| p.chain.first())
        .is_some_and(|leaf| *leaf != shown && KeyType::of(leaf) == Some(other));
    if !is_another {
        return first;
    }
    let second = plan.checked(&format!("{host} ({other})"), name, Ok(seen), deadline).await;
    let of_first = match &first.seen {
        Ok(seen) => {
            let label = format!("{host} ({key_type})");
            Judgement::of(&label, seen, first.answer.as_ref(), &plan.terms)
        }
        Err(_) => first.judgement.clone(),
    };
    Checked {
        judgement: of_first.and(second.judgement.clone()),
        other: Some(Box::new(second)),
        ..first
    }
}

impl Plan {
    /// What was seen of a host, with the answer of the responder where it is to be asked, and judged.
    async fn checked(
        &self,
        host: &str,
        server_name: String,
        seen: Result<Seen, ConnectError>,
        deadline: Instant,
    ) -> Checked {
        let path = seen.as_ref().ok().and_then(|s| s.presented.as_ref()?.path.as_ref().ok());
        let answer = match path.filter(|_| self.http.is_some()) {
            Some(path) => Some(responder::ask(path, self, deadline).await),
            None => None,
        };
        let judgement = match &seen {
            Ok(seen) => Judgement::of(host, seen, answer.as_ref(), &self.terms),
            Err(error) => Judgement::unreachable(host, error),
        };
        Checked {
            host: host.to_owned(),
            server_name,
            starttls: self.starttls,
            seen,
            answer,
            judgement,
            trust: self.terms.trust.source.clone(),
            freshness: self.terms.policy.freshness(),
            now: self.terms.now,
            other: None,
        }
    }
}
