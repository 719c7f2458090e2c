//! The configuration of the agent: what can be said in its TOML file, and what is meant when it is
//! not said.
//!
//! A value that has a form of its own has a type of its own in [`values`], so that what is wrong
//! with it is found where it stands. Keys that nobody knows are refused: a word that is misspelt
//! would otherwise be a setting that never was. [`problem`] says what is wrong, and where.

mod problem;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use certstatus::Freshness;
use certstatus::message::HashAlgorithm;
use certstatus_stapler::fetch::NonceMode;
use certstatus_stapler::schedule::REFRESH_MAX;
use serde::Deserialize;
use toml::Spanned;

use crate::failure::Failure;
use crate::input;

use problem::Problem;
pub(super) use values::{
    Hook, HttpUrl, Listen, Many, Mode, Output, Owner, Pattern, RedisUrl, Socket,
};

/// The sample, which has every key.
pub(super) const SAMPLE: &str = include_str!("../../../../../packaging/agent.toml");

/// All of the file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Config {
    pub(super) store: Store,
    pub(super) fetch: Fetch,
    pub(super) http: Http,
    pub(super) watch: Watch,
    pub(super) hook: HookLimits,
    pub(super) log: Log,
    #[serde(rename = "certificate")]
    pub(super) rules: Vec<Rule>,
}

/// `[store]`: where staples are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Store {
    pub(super) path: Option<PathBuf>,
    /// A Redis or Valkey that a fleet shares; several are nodes of one cluster.
    pub(super) redis: Many<RedisUrl>,
    /// What the names of its keys begin with.
    pub(super) redis_prefix: Option<String>,
    /// Whom it is believed that it is the one, in PEM, for `rediss`.
    pub(super) redis_ca: Option<PathBuf>,
}

/// `[fetch]`: how responders are asked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Fetch {
    /// The proxy; without one, that of the environment.
    pub(super) proxy: Option<HttpUrl>,
    #[serde(deserialize_with = "values::duration")]
    pub(super) connect_timeout: Duration,
    #[serde(deserialize_with = "values::duration")]
    pub(super) timeout: Duration,
    #[serde(deserialize_with = "values::nonce")]
    pub(super) nonce: NonceMode,
    /// Whether POST is used at once.
    pub(super) post: bool,
    /// How long a response without `nextUpdate` holds.
    #[serde(deserialize_with = "values::duration")]
    pub(super) max_age: Duration,
    /// The longest pause between two questions about a certificate.
    #[serde(deserialize_with = "values::duration")]
    pub(super) refresh_max: Duration,
    /// The authorities of https responders, in place of the system's.
    pub(super) ca: Option<PathBuf>,
    /// The hash by which requests name the issuer.
    #[serde(deserialize_with = "values::hash")]
    pub(super) hash: HashAlgorithm,
    /// The certificates of responders that are trusted beside the issuers.
    pub(super) trusted_responder: Many<PathBuf>,
    #[serde(deserialize_with = "values::at_least_one")]
    pub(super) concurrent: u32,
    #[serde(deserialize_with = "values::at_least_one")]
    pub(super) per_second: u32,
    /// Whether a response that says *revoked* or *unknown* is given to servers.
    pub(super) staple_revoked: bool,
    pub(super) responders: BTreeMap<HttpUrl, HttpUrl>,
}

impl Default for Fetch {
    fn default() -> Self {
        Self {
            proxy: None,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
            nonce: NonceMode::Off,
            post: false,
            max_age: Freshness::default().max_age,
            refresh_max: REFRESH_MAX,
            ca: None,
            hash: HashAlgorithm::Sha1,
            trusted_responder: Many::default(),
            concurrent: 8,
            per_second: 50,
            staple_revoked: false,
            responders: BTreeMap::new(),
        }
    }
}

/// `[http]`: the status page and what is beside it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Http {
    pub(super) listen: Listen,
    /// The time left under which the staple of a must-staple certificate is about to run out.
    #[serde(deserialize_with = "values::duration")]
    pub(super) alarm: Duration,
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: Listen::default(), alarm: Duration::from_secs(12 * 60 * 60) }
    }
}

/// `[watch]`: how soon a change of the certificates is seen.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Watch {
    #[serde(deserialize_with = "values::duration")]
    pub(super) interval: Duration,
}

impl Default for Watch {
    fn default() -> Self {
        Self { interval: Duration::from_secs(2) }
    }
}

/// `[hook]`: the bounds of the commands of `on_change`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HookLimits {
    /// The least time between the beginnings of two runs of one command.
    #[serde(deserialize_with = "values::duration")]
    pub(super) interval: Duration,
    /// The longest that a run may take.
    #[serde(deserialize_with = "values::duration")]
    pub(super) timeout: Duration,
    /// After a run that failed the next one follows by itself in this time, doubled with each failure.
    #[serde(deserialize_with = "values::duration")]
    pub(super) retry: Duration,
}

impl Default for HookLimits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { interval: seconds(30), timeout: seconds(60), retry: seconds(30) }
    }
}

/// `[log]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Log {
    pub(super) format: LogFormat,
    pub(super) level: LogLevel,
}

/// How events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// One JSON object on a line.
    Json,
}

/// The least level of what is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are those of the field")]
pub(super) enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// `[[certificate]]`: certificates by path, and what is done with their staples.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) path: Pattern,
    pub(super) issuer: Option<PathBuf>,
    #[serde(default)]
    pub(super) responder: Many<HttpUrl>,
    output: Option<Spanned<Many<Output>>>,
    #[serde(default)]
    pub(super) haproxy_socket: Many<Socket>,
    pub(super) on_change: Option<Hook>,
    pub(super) mode: Option<Mode>,
    pub(super) owner: Option<Owner>,
    /// Whether a file stays when its staple has expired.
    #[serde(default)]
    pub(super) keep_stale: bool,
}

impl Rule {
    /// Where staples are written.
    pub(super) fn outputs(&self) -> &[Output] {
        self.output.as_ref().map(|outputs| outputs.get_ref().0.as_slice()).unwrap_or_default()
    }
}

impl Config {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read, is no TOML, or says what has no meaning: with the line.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let name = input::name(path);
        let bytes = input::read(path).map_err(|failure| match path.exists() {
            true => failure,
            false => failure.advise("`certstatus agent --sample` prints one to begin with."),
        })?;
        let text = String::from_utf8(bytes).map_err(|e| {
            let line = e.as_bytes().iter().take(e.utf8_error().valid_up_to());
            let line = line.filter(|byte| **byte == b'\n').count() + 1;
            Failure::usage(format!("{name} is not UTF-8 in line {line}."))
                .advise("Save it as UTF-8, as TOML has to be.")
        })?;
        // Absolute, so that paths mean the same in every report.
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self::parse(&text, &name, whole.parent().unwrap_or(Path::new("/")))
    }

    /// The commands of all rules.
    pub(super) fn hooks(&self) -> BTreeSet<Hook> {
        self.rules.iter().filter_map(|rule| rule.on_change.clone()).collect()
    }

    /// Reads the text of a file of that name, whose relative paths begin at that directory.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) fn parse(text: &str, name: &str, directory: &Path) -> Result<Self, Failure> {
        let refuse = |problem: Problem| problem.failure(text, name);
        let mut config: Self = toml::from_str(text).map_err(|e| refuse(Problem::syntax(&e)))?;
        config.check().map_err(refuse)?;
        config.resolve(directory);
        Ok(config)
    }

    /// What no single value tells.
    fn check(&self) -> Result<(), Problem> {
        if self.rules.is_empty() {
            return Err(Problem::no_certificates());
        }
        for rule in self.rules.iter().filter(|rule| rule.path.is_glob()) {
            if let Some(outputs) = &rule.output
                && !rule.outputs().iter().all(Output::has_placeholder)
            {
                return Err(Problem::one_output(outputs.span()));
            }
        }
        Ok(())
    }

    /// Makes relative paths begin at that directory.
    fn resolve(&mut self, directory: &Path) {
        if let Some(path) = &mut self.store.path {
            *path = directory.join(&*path);
        }
        if let Some(authorities) = &mut self.store.redis_ca {
            *authorities = directory.join(&*authorities);
        }
        if let Some(authorities) = &mut self.fetch.ca {
            *authorities = directory.join(&*authorities);
        }
        for responder in &mut self.fetch.trusted_responder.0 {
            *responder = directory.join(&*responder);
        }
        for rule in &mut self.rules {
            rule.path.resolve(directory);
            if let Some(outputs) = &mut rule.output {
                outputs.get_mut().0.iter_mut().for_each(|output| output.resolve(directory));
            }
            rule.haproxy_socket.0.iter_mut().for_each(|socket| socket.resolve(directory));
            if let Some(issuer) = &mut rule.issuer {
                *issuer = directory.join(&*issuer);
            }
        }
    }
}

#[cfg(test)]
mod tests;
