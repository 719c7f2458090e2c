//! Rows of the tables: our figure, OpenSSL's, their ratio and its goal.

use super::program::Figures;
use super::rounds::{Measured, Outcome, middle, ratio};

/// How wide the labels are.
pub(super) const WIDTH: usize = 50;

/// What a ratio of ours to OpenSSL's is to be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goal {
    /// More is better, and we are to be no worse.
    AtLeastOne,
    /// More is better: no worse is demanded, 1.3 aimed at.
    AimsHigher,
    /// Less is better, and we are to be no worse.
    AtMostOne,
}

impl Goal {
    fn judge(self, ratio: f64) -> String {
        // What is printed is what is judged.
        let ratio = (ratio * 100.0).round() / 100.0;
        match self {
            Self::AtLeastOne => crate::judged(ratio, "≥", 1.0),
            Self::AtMostOne => crate::judged(ratio, "≤", 1.0),
            Self::AimsHigher if (1.0..1.3).contains(&ratio) => {
                format!("{ratio:.2} (≥ 1, aim of 1.3 missed)")
            }
            Self::AimsHigher => crate::judged(ratio, "≥", 1.0),
        }
    }
}

/// Prints what stands above the rows.
pub(super) fn head(title: &str) {
    println!("{title}\n");
    println!("{:<WIDTH$}{:>10}{:>10}   ours / OpenSSL", "", "ours", "OpenSSL");
}

/// Prints the row of a figure.
pub(super) fn row(label: &str, outcome: &Outcome, goal: Goal, figure: impl Fn(&Figures) -> f64) {
    let system = outcome.system.each(&figure);
    match &outcome.ours {
        Ok(ours) => values(label, &ours.each(&figure), &system, goal),
        Err(failure) => failed(label, failure, middle(&system)),
    }
}

/// Prints the row of figures of the same rounds.
pub(super) fn values(label: &str, ours: &[f64], system: &[f64], goal: Goal) {
    println!(
        "{label:<WIDTH$}{:>10}{:>10}   {}",
        number(middle(ours)),
        number(middle(system)),
        goal.judge(ratio(ours, system))
    );
}

/// Prints a row that is not judged: it says how others came about.
pub(super) fn plain(label: &str, ours: f64, system: f64) {
    println!("{label:<WIDTH$}{:>10}{:>10}", number(ours), number(system));
}

/// Prints the row of a case that our library does not get through.
pub(super) fn failed(label: &str, failure: &str, system: f64) {
    println!("{label:<WIDTH$}{:>10}{:>10}   ours: {failure}", "-", number(system));
}

/// Says when the two libraries did not do the same work.
pub(super) fn differences(label: &str, outcome: &Outcome) {
    let Ok(ours) = &outcome.ours else { return };
    let system = &outcome.system;
    if ours.spoke != system.spoke {
        println!("  {label}: ours spoke {}, OpenSSL {}", ours.spoke, system.spoke);
    }
    for sent in ["client_sent", "server_sent"] {
        let (our, their) = (bytes(ours, sent), bytes(system, sent));
        if (our - their).abs() > 0.05 * their {
            let who = sent.trim_end_matches("_sent");
            println!("  {label}: our {who} sends {our} bytes, OpenSSL's {their}");
        }
    }
}

fn bytes(measured: &Measured, name: &str) -> f64 {
    middle(&measured.each(|figures| figures.get(name).copied().unwrap_or(0.0)))
}

/// With spaces between thousands: `12 345`.
fn number(value: f64) -> String {
    let digits = format!("{value:.0}");
    let first = digits.len() % 3;
    let mut text = digits[..first].to_owned();
    for group in digits.as_bytes()[first..].chunks(3) {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&String::from_utf8_lossy(group));
    }
    text
}
