//! Several hosts at once: a bounded number in parallel, a progress bar while that lasts, and a line
//! for each.

use std::sync::Arc;
use std::time::Duration;

use certstatus::time::Span;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::target::Target;
use super::{Checked, Plan, check};
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::report::{Page, Report, Verdict, shortened};

/// Checks every target, at most `jobs` at a time, and gives the results in the order of the targets.
///
/// # Errors
/// When the progress bar's style or a task is at fault, which is a fault of this program.
pub(super) async fn check_all(
    targets: Vec<Target>,
    plan: Arc<Plan>,
    jobs: usize,
    show_progress: bool,
) -> Result<Vec<Checked>, Failure> {
    let progress = match show_progress {
        true => progress_bar(targets.len()),
        false => ProgressBar::hidden(),
    };
    let places = Arc::new(Semaphore::new(jobs.min(Semaphore::MAX_PERMITS)));
    let mut tasks = JoinSet::new();
    for (index, target) in targets.into_iter().enumerate() {
        let (plan, places) = (Arc::clone(&plan), Arc::clone(&places));
        tasks.spawn(async move {
            // The semaphore is never closed; without a permit the bound is gone, nothing else.
            let _permit = places.acquire().await;
            (index, check(&target, &plan).await)
        });
    }
    let mut checked = Vec::with_capacity(tasks.len());
    while let Some(task) = tasks.join_next().await {
        let (index, one) =
            task.map_err(|e| Failure::failed("check", format!("A check ended early: {e}.")))?;
        progress.set_message(one.host.clone());
        progress.inc(1);
        checked.push((index, one));
    }
    progress.finish_and_clear();
    checked.sort_by_key(|(index, _)| *index);
    Ok(checked.into_iter().map(|(_, one)| one).collect())
}

/// On standard error, when that is a terminal.
fn progress_bar(hosts: usize) -> ProgressBar {
    let bar = ProgressBar::new(hosts as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} hosts  {wide_msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// The table of several hosts.
///
/// It is for people only: the JSON of several hosts is the report of each, one on a line.
#[derive(Serialize)]
pub(super) struct Table<'a> {
    #[serde(skip)]
    checked: &'a [Checked],
    #[serde(skip)]
    width: usize,
    verdict: Verdict,
}

/// Columns that a line needs beside host, time and note: the mark, the outcome and the gaps.
const FRAME: usize = 24;

/// The least columns for a note; a line that has no room for it is longer than the terminal.
const LEAST_NOTE: usize = 24;

impl<'a> Table<'a> {
    /// The table of those hosts for a terminal of that width.
    pub(super) fn new(checked: &'a [Checked], width: usize) -> Self {
        let worst = checked.iter().map(Checked::outcome).max().unwrap_or(Outcome::Good);
        Self { checked, width, verdict: Verdict::new(worst, summary(checked)) }
    }

    /// The worst outcome.
    pub(super) fn outcome(&self) -> Outcome {
        self.verdict.outcome
    }
}

impl Report for Table<'_> {
    fn render(&self, page: &mut Page) {
        page.verdict(&self.verdict);
        page.blank();
        let longest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or_default();
        let host_width = longest(&mut self.checked.iter().map(|c| c.host.chars().count()));
        let left_width = longest(&mut self.checked.iter().map(|c| time_left(c).len()));
        let room = self.width.saturating_sub(FRAME + host_width + left_width).max(LEAST_NOTE);
        for one in self.checked {
            let host = format!("{:host_width$}", one.host);
            let note = shortened(&one.judgement.note, room);
            page.line(one.outcome(), &host, &format!("{:>left_width$}  {note}", time_left(one)));
        }
    }
}

/// How many hosts came to which outcome: `3 hosts: 2 good, 1 revoked.`
fn summary(checked: &[Checked]) -> String {
    let mut outcomes: Vec<_> = Outcome::BY_CODE.to_vec();
    outcomes.sort_unstable_by(|a, b| b.cmp(a));
    let counts: Vec<_> = outcomes
        .into_iter()
        .filter_map(|outcome| {
            let count = checked.iter().filter(|one| one.outcome() == outcome).count();
            (count > 0).then(|| format!("{count} {}", outcome.label().to_lowercase()))
        })
        .collect();
    format!("{} hosts: {}.", checked.len(), counts.join(", "))
}

/// How long the staple still holds; a dash without one.
fn time_left(checked: &Checked) -> String {
    let Some(staple) = checked.staple() else { return "-".to_owned() };
    let left = staple.expires().as_secs().saturating_sub(checked.now.as_secs());
    Span(Duration::from_secs(left)).to_string()
}
