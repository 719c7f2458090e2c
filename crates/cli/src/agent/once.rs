//! `--once`: one round for cron, with a progress bar and a table at the end.

use std::time::Duration;

use certstatus::time::Span;
use indicatif::{ProgressBar, ProgressStyle};
use rustls_pki_types::UnixTime;
use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior};

use super::board::{StapleFacts, State};
use super::certificates::{Looked, Sweep};
use super::config::Config;
use super::keeper::Keeper;
use super::outputs::HookState;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::report::facts::Time;
use crate::report::{Output, Page, Report, Verdict};

/// How many certificates people are shown, and how many errors of outputs.
const SHOWN: usize = 200;
const SHOWN_ERRORS: usize = 10;

/// How often it is looked how far it is.
const GLANCE: Duration = Duration::from_millis(50);

/// How long outputs that fail are tried again, where that may help.
const INSIST: Duration = Duration::from_secs(10);

/// Gets what is due, gives it to the servers, and tells how it went.
pub(super) fn run(config: &Config, output: &Output) -> Result<Outcome, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::failed("runtime", format!("The agent cannot start: {e}.")))?;
    let (staples, hooks) = runtime.block_on(round(config, !output.is_json()))?;
    let report = OnceReport::new(staples, hooks);
    output.print(&report)?;
    Ok(report.verdict.outcome)
}

async fn round(
    config: &Config,
    show_progress: bool,
) -> Result<(Vec<StapleFacts>, Vec<HookState>), Failure> {
    let mut keeper = Keeper::start(config)?;
    let view = keeper.view();
    let progress = if show_progress { progress_bar() } else { ProgressBar::hidden() };
    let mut look = Sweep::new(config.rules.clone()).look_aside();
    let mut found = 0;
    loop {
        let stapler = keeper.stapler();
        // Very many certificates are taken no faster than their staples are loaded.
        let next = async {
            stapler.keep_pace().await;
            look.recv().await
        };
        tokio::select! {
            () = keeper.work() => continue,
            looked = next => match looked {
                Some(Looked::Changes(changes)) => {
                    found += changes.len();
                    keeper.apply(changes);
                    progress.set_length(found as u64);
                }
                Some(Looked::Done(_)) => {
                    keeper.looked();
                    break;
                }
                None => {
                    return Err(Failure::failed("certificates", "The certificates cannot be looked at."));
                }
            }
        }
    }
    let mut glance = tokio::time::interval(GLANCE);
    glance.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // A responder that is in trouble is left alone for a while, and then cron calls again.
    let patience = config.fetch.timeout.saturating_mul(2) + INSIST;
    let (mut left, mut last_news) = (usize::MAX, Instant::now());
    let mut looked = false;
    loop {
        tokio::select! {
            () = keeper.work() => continue,
            _ = glance.tick() => {}
        }
        let began = Instant::now();
        let (all, settled) = view.settled();
        progress.set_length(all as u64);
        progress.set_position(settled as u64);
        let now_left = all - settled + view.refreshing(UnixTime::now());
        if now_left != left {
            (left, last_news) = (now_left, Instant::now());
        }
        // With very many certificates a glance is work: it takes a tenth of the time at most.
        glance.reset_after(GLANCE.max(began.elapsed().saturating_mul(10)));
        if left > 0 && last_news.elapsed() < patience {
            continue;
        }
        if !std::mem::replace(&mut looked, true) {
            keeper.look_at_all();
        } else if keeper.is_done() || last_news.elapsed() >= patience {
            break;
        }
    }
    progress.finish_and_clear();
    let staples = view.staples(UnixTime::now());
    keeper.stop().await;
    keeper.hooks.finish_now().await;
    Ok((staples, view.hooks()))
}

/// On standard error, when that is a terminal.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} certificates  {elapsed}")
    {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// What came of the round. In the JSON the certificates are as in the API.
#[derive(Serialize)]
struct OnceReport {
    command: &'static str,
    verdict: Verdict,
    checked_at: Time,
    staples: Vec<StapleFacts>,
    hooks: Vec<HookState>,
    next: Vec<String>,
}

impl OnceReport {
    fn new(staples: Vec<StapleFacts>, hooks: Vec<HookState>) -> Self {
        let failed_hook = hooks.iter().any(|hook| hook.error.is_some());
        let hooks_outcome = if failed_hook { Outcome::Failed } else { Outcome::Good };
        let worst = staples.iter().map(outcome).chain([hooks_outcome]).max();
        Self {
            command: "agent",
            verdict: Verdict::new(worst.unwrap_or(Outcome::Good), summary(&staples)),
            checked_at: Time(UnixTime::now()),
            next: advice(&staples, &hooks),
            staples,
            hooks,
        }
    }
}

/// How it went with one certificate: what its status is, and whether servers have the staple.
fn outcome(one: &StapleFacts) -> Outcome {
    let delivered = match one.is_undelivered() || one.file_error.is_some() {
        true => Outcome::Failed,
        false => Outcome::Done,
    };
    one.state.outcome().max(delivered)
}

/// `3 certificates: 2 fresh, 1 revoked.`
fn summary(staples: &[StapleFacts]) -> String {
    if staples.is_empty() {
        return "There is no certificate where the configuration looks.".to_owned();
    }
    let mut states: Vec<State> = staples.iter().map(|one| one.state).collect();
    states.sort_unstable();
    let counts: Vec<String> = states
        .chunk_by(PartialEq::eq)
        .filter_map(|same| Some(format!("{} {}", same.len(), same.first()?.words())))
        .collect();
    let plural = if staples.len() == 1 { "" } else { "s" };
    let undelivered = staples.iter().filter(|one| one.is_undelivered()).count();
    let lacking = match undelivered {
        0 => String::new(),
        some => format!(" {some} could not be given to a server."),
    };
    format!("{} certificate{plural}: {}.{lacking}", staples.len(), counts.join(", "))
}

fn advice(staples: &[StapleFacts], hooks: &[HookState]) -> Vec<String> {
    let any = |state| staples.iter().any(|one: &StapleFacts| one.state == state);
    let mut advice = Vec::new();
    let mut say = |sentence: &str| advice.push(sentence.to_owned());
    if staples.is_empty() {
        say("Check the paths with `certstatus agent --check-config`.");
    }
    if any(State::Revoked) {
        say("Replace the certificates that are revoked now. Clients that check refuse them.");
    }
    if any(State::Unknown) {
        say("Ask the CA about those that are unknown: issued a moment ago, or by another CA?");
    }
    if any(State::Missing) || any(State::Late) {
        say("Ask the responders yourself with `certstatus fetch CERTIFICATE` to see more.");
    }
    if any(State::Unreadable) {
        say("Check the paths and the permissions of the files that cannot be read.");
    }
    for hook in hooks {
        if let Some(error) = &hook.error {
            say(&format!("See why the command `{}` failed: {error}.", hook.command));
        }
    }
    let mut errors = staples.iter().flat_map(|one| &one.outputs).filter_map(|o| o.error.as_deref());
    errors.by_ref().take(SHOWN_ERRORS).for_each(|error| say(&format!("{error}.")));
    match errors.count() {
        0 => {}
        more => say(&format!("{more} more could not be given to a server: see --json.")),
    }
    advice
}

impl Report for OnceReport {
    fn render(&self, page: &mut Page) {
        page.verdict(&self.verdict);
        page.blank();
        // Of very many those that need a human are what is looked for; the JSON has all.
        let few = self.staples.len() <= SHOWN;
        let shown = self.staples.iter().filter(|one| few || one.needs_attention()).take(SHOWN);
        let shown: Vec<&StapleFacts> = shown.collect();
        let widest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or_default();
        let paths = widest(&mut shown.iter().map(|one| one.certificate.chars().count()));
        let times = widest(&mut shown.iter().map(|one| time_left(one).len()));
        for one in &shown {
            let path = format!("{:paths$}", one.certificate);
            let must = if one.must_staple { ", must staple" } else { "" };
            let state = format!("{:>times$}  {}{must}", time_left(one), one.state.words());
            page.line(outcome(one), &path, &state);
            if let Some(note) = note(one) {
                page.nested(|page| page.sentence(note));
            }
        }
        let rest = self.staples.len() - shown.len();
        if rest > 0 {
            page.sentence(&format!("{rest} more, which --json has."));
        }
        page.next(&self.next);
    }
}

/// What is to be said of a certificate beside its state.
fn note(one: &StapleFacts) -> Option<&str> {
    let said = one.file_error.as_deref().or(one.note.as_deref())?;
    // Path and state stand before it already.
    let said = said.strip_prefix(&one.certificate).unwrap_or(said).trim_start();
    (one.file_error.is_some() || one.state != State::NoResponder).then_some(said)
}

fn time_left(one: &StapleFacts) -> String {
    let left = one.seconds_left.filter(|_| one.stapled).and_then(|left| u64::try_from(left).ok());
    left.map_or_else(|| "-".to_owned(), |left| Span(Duration::from_secs(left)).to_string())
}
