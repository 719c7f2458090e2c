//! `--check-config`: whether the configuration is right, and what it means on this machine.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::certificates::{Change, Sweep};
use super::config::{Config, Listen, Rule};
use super::outputs::Targets;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::report::facts::Time;
use crate::report::{Output, Page, Report, Verdict};

/// How many certificates people are shown.
const SHOWN: usize = 200;

/// What a configuration means.
#[derive(Serialize)]
struct CheckReport {
    command: &'static str,
    verdict: Verdict,
    checked_at: Time,
    config: String,
    /// Null when staples are kept in memory only.
    store: Option<String>,
    /// The Redis that a fleet shares, without passwords.
    redis: Vec<String>,
    /// Null when there is no status page.
    listen: Option<String>,
    certificates: Vec<CertificateMeant>,
    next: Vec<String>,
}

/// A certificate that is meant, and where its staple would go.
#[derive(Serialize)]
struct CertificateMeant {
    path: String,
    subject: Option<String>,
    /// Whether it says that its server must staple (RFC 7633).
    must_staple: bool,
    /// The responders that will be asked, in this order.
    responders: Vec<String>,
    outputs: Vec<String>,
    /// The outputs that are files.
    #[serde(skip)]
    files: Vec<Box<Path>>,
    /// Why it cannot be read, or its staple cannot be written; null when both can.
    error: Option<String>,
}

/// Tells what the configuration means. It is right already, or it would not be one; a certificate
/// that cannot be read is a failure all the same, since that is what the check is for.
pub(super) fn run(path: &Path, config: Config, output: &Output) -> Result<Outcome, Failure> {
    let mut certificates: Vec<CertificateMeant> = Vec::new();
    Sweep::new(config.rules.clone()).look(&mut |changes| {
        certificates.extend(changes.into_iter().filter_map(|change| meant(change, &config)));
        true
    });
    find_common_outputs(&mut certificates);
    let unreadable = certificates.iter().filter(|one| one.error.is_some()).count();
    let outcome = if unreadable > 0 { Outcome::Failed } else { Outcome::Good };
    let report = CheckReport {
        command: "agent",
        verdict: Verdict::new(outcome, summary(certificates.len(), unreadable)),
        checked_at: Time(output.now()),
        config: path.display().to_string(),
        store: config.store.path.as_ref().map(|path| path.display().to_string()),
        redis: config.store.redis.0.iter().map(ToString::to_string).collect(),
        listen: match config.http.listen {
            Listen::Off => None,
            Listen::At(address) => Some(address.to_string()),
        },
        next: advice(&config, &certificates),
        certificates,
    };
    output.print(&report)?;
    Ok(outcome)
}

fn meant(change: Change, config: &Config) -> Option<CertificateMeant> {
    let (path, rule, loaded, error) = match change {
        Change::Found(path, rule, loaded) => (path, rule, Some(loaded), None),
        Change::Unreadable(path, rule, why) => (path, rule, None, Some(why)),
        Change::Gone(_) => return None,
    };
    let named = loaded.as_ref().map(|loaded| loaded.responders.as_slice()).unwrap_or_default();
    let targets = Targets::new(&rule, &path);
    let error = error.or_else(|| targets.problem().map(|refusal| format!("{}.", refusal.why)));
    Some(CertificateMeant {
        outputs: targets.names(),
        files: targets.files().to_vec(),
        path: path.to_string(),
        must_staple: loaded.as_ref().is_some_and(|loaded| loaded.must_staple),
        responders: asked(&rule, named, config),
        subject: loaded.map(|loaded| loaded.subject),
        error,
    })
}

/// Adds an error to every certificate whose output is also the output of another one, because a file
/// holds one staple and its server would staple for the wrong certificate.
fn find_common_outputs(certificates: &mut [CertificateMeant]) {
    let mut writers: BTreeMap<Box<Path>, Vec<usize>> = BTreeMap::new();
    for (at, one) in certificates.iter().enumerate() {
        one.files.iter().for_each(|file| writers.entry(file.clone()).or_default().push(at));
    }
    for (file, mut writers) in writers {
        writers.dedup();
        let &[first, second, ..] = writers.as_slice() else { continue };
        for at in writers {
            let other = if at == first { second } else { first };
            let Some(other) = certificates.get(other).map(|one| one.path.clone()) else { continue };
            let Some(one) = certificates.get_mut(at) else { continue };
            one.error.get_or_insert_with(|| {
                format!(
                    "The output {} is also the output of {other}, and a file holds one staple. Give \
                     each certificate its own output: {{path}} in it differs for each.",
                    file.display()
                )
            });
        }
    }
}

/// Who is asked about a certificate that names these responders.
fn asked(rule: &Rule, named: &[String], config: &Config) -> Vec<String> {
    if !rule.responder.0.is_empty() {
        return rule.responder.0.iter().map(|url| url.0.clone()).collect();
    }
    let overrides = &config.fetch.responders;
    let instead = |url: &String| overrides.iter().find(|(from, _)| from.0 == *url);
    named.iter().map(|url| instead(url).map_or(url, |(_, to)| &to.0).clone()).collect()
}

fn summary(all: usize, unreadable: usize) -> String {
    match (all, unreadable) {
        (0, _) => {
            "The configuration is right, and means no certificate that is there now.".to_owned()
        }
        (1, 0) => "The configuration is right, and means 1 certificate.".to_owned(),
        (all, 0) => format!("The configuration is right, and means {all} certificates."),
        (1, _) => "The configuration is right, but its certificate cannot be used.".to_owned(),
        (all, some) => {
            format!(
                "The configuration is right, but {some} of its {all} certificates cannot be used."
            )
        }
    }
}

fn advice(config: &Config, certificates: &[CertificateMeant]) -> Vec<String> {
    let mut advice = Vec::new();
    if certificates.is_empty() {
        advice.push(
            "Check the paths. Certificates that come later are seen by themselves.".to_owned(),
        );
    }
    for one in certificates.iter().filter(|one| one.must_staple && one.responders.is_empty()) {
        advice.push(format!(
            "Name a responder for {}: it must staple, and names none itself.",
            one.path
        ));
    }
    if config.store.path.is_none() {
        advice.push(
            "Give a path under [store], so that a restart need not ask for every staple again."
                .to_owned(),
        );
    }
    if let Listen::At(address) = config.http.listen
        && !address.ip().is_loopback()
    {
        advice.push(format!(
            "See that {address} is reached by those alone who may: the page asks for no password."
        ));
    }
    advice
}

impl Report for CheckReport {
    fn render(&self, page: &mut Page) {
        page.verdict(&self.verdict);
        page.section("Configuration");
        page.field("file", &self.config);
        page.field("store", self.store.as_deref().unwrap_or("memory only"));
        for address in &self.redis {
            page.field("shared", address);
        }
        match &self.listen {
            Some(address) => page.field("status page", format!("http://{address}/")),
            None => page.field("status page", "none"),
        }
        // Of very many those that are wrong are what is looked for; the JSON has all.
        let few = self.certificates.len() <= SHOWN;
        let shown = self.certificates.iter().filter(|one| few || one.error.is_some()).take(SHOWN);
        let mut rest = self.certificates.len();
        for one in shown {
            rest -= 1;
            page.section(&one.path);
            if let Some(error) = &one.error {
                page.field("error", error);
            }
            if let Some(subject) = &one.subject {
                page.field("subject", subject);
                if one.must_staple {
                    page.field("must staple", "yes (RFC 7633)");
                }
                let none = ["none, so that there is nothing to fetch".to_owned()];
                let all = if one.responders.is_empty() { &none } else { &one.responders[..] };
                all.iter().for_each(|url| page.field("responder", url));
            }
            for output in &one.outputs {
                page.field("staple to", output);
            }
        }
        if rest > 0 {
            page.sentence(&format!("{rest} more, which --json has."));
        }
        page.next(&self.next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(path: &str, files: &[&str]) -> CertificateMeant {
        CertificateMeant {
            path: path.to_owned(),
            subject: None,
            must_staple: false,
            responders: Vec::new(),
            outputs: Vec::new(),
            files: files.iter().map(|file| Path::new(file).into()).collect(),
            error: None,
        }
    }

    #[test]
    fn common_output_names_both_certificates() {
        let mut all = [
            certificate("/a/www/rsa.pem", &["/out/www.der"]),
            certificate("/alone.pem", &["/out/alone.der", "/out/alone.der"]),
            certificate("/b/www/ecdsa.pem", &["/out/other.der", "/out/www.der"]),
        ];
        find_common_outputs(&mut all);
        let error = |at: usize| all[at].error.as_deref().unwrap_or_default();
        assert!(
            error(0).contains("/out/www.der is also the output of /b/www/ecdsa.pem"),
            "{}",
            error(0)
        );
        assert!(
            error(2).contains("/out/www.der is also the output of /a/www/rsa.pem"),
            "{}",
            error(2)
        );
        assert_eq!(all[1].error, None);
    }
}
