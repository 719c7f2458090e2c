//! The window of a response as a bar: thisUpdate … now … nextUpdate.
//!
//! The bar is as wide as the terminal allows. `now` is marked in it, before it or after it; then
//! the distance is not to scale, but its side is.

use certstatus::time::{Relative, Rfc3339};
use rustls_pki_types::UnixTime;

/// The time for which a response speaks, and the time from which it is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// `thisUpdate`.
    pub(crate) this_update: UnixTime,
    /// `nextUpdate`, or the end that the maximum age sets.
    pub(crate) end: UnixTime,
    /// What sets `end`: `nextUpdate`, as a rule.
    pub(crate) label: &'static str,
    /// The time of the check.
    pub(crate) now: UnixTime,
}

/// A window that is drawn into a width.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bar {
    pub(crate) window: Window,
    /// Columns, at least 30.
    pub(crate) width: usize,
    /// Whether more than ASCII may be used.
    pub(crate) unicode: bool,
}

/// Columns left of the window and right of it, in which `now` can stand outside.
const MARGIN: usize = 4;

struct Glyphs {
    before: char,
    past: char,
    future: char,
    begin: char,
    end: char,
    now: char,
    arrow: char,
}

const UNICODE: Glyphs =
    Glyphs {
        before: '·', past: '━', future: '─', begin: '┣', end: '┫', now: '●', arrow: '▲'
    };
const ASCII: Glyphs =
    Glyphs { before: '.', past: '=', future: '-', begin: '[', end: ']', now: '*', arrow: '^' };

impl Bar {
    /// The lines of the bar, without a line end. The first is the bar, the second names `now`, the
    /// third the two ends.
    pub(crate) fn draw(&self) -> Vec<String> {
        let glyphs = if self.unicode { UNICODE } else { ASCII };
        let width = self.width.clamp(30, 100);
        let (begin, end) = (MARGIN, width - 1 - MARGIN);
        let now = self.position(begin, end, width);
        let bar: String = (0..width)
            .map(|column| match column {
                _ if column == now => glyphs.now,
                _ if column == begin => glyphs.begin,
                _ if column == end => glyphs.end,
                _ if column < begin || column > end => glyphs.before,
                _ if column < now => glyphs.past,
                _ => glyphs.future,
            })
            .collect();
        vec![bar, self.now_line(now, width, glyphs.arrow), self.ends(width)]
    }

    /// The column of `now`. An end belongs to the outside, as the time does: at nextUpdate the
    /// response has expired.
    fn position(&self, begin: usize, end: usize, width: usize) -> usize {
        let (from, until, now) = (
            self.window.this_update.as_secs(),
            self.window.end.as_secs(),
            self.window.now.as_secs(),
        );
        if now < from {
            return begin / 2;
        }
        if now >= until {
            return (end + width) / 2;
        }
        let inner = (end - begin).saturating_sub(2) as u128;
        let share = u128::from(now - from) * inner / u128::from((until - from).max(1));
        begin + 1 + usize::try_from(share).unwrap_or_default()
    }

    fn now_line(&self, now: usize, width: usize, arrow: char) -> String {
        let Window { this_update, end, now: at, .. } = self.window;
        let said = if at < this_update {
            format!("now, begins {}", Relative { time: this_update, now: at })
        } else if at >= end {
            format!("now, ended {}", Relative { time: end, now: at })
        } else {
            format!("now, ends {}", Relative { time: end, now: at })
        };
        let length = said.chars().count();
        // Right of the arrow while there is room, else left of it.
        if now + 2 + length <= width {
            format!("{:now$}{arrow} {said}", "")
        } else {
            format!("{said:>0$} {arrow}", now.saturating_sub(1))
        }
    }

    fn ends(&self, width: usize) -> String {
        let right = self.window.label;
        let full = (
            format!("thisUpdate {}", Rfc3339(self.window.this_update)),
            format!("{right} {}", Rfc3339(self.window.end)),
        );
        let short = ("thisUpdate".to_owned(), right.to_owned());
        let (left, right) = if full.0.len() + full.1.len() + 2 <= width { full } else { short };
        let room = width.saturating_sub(left.len());
        format!("{left}{right:>room$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use certstatus::time::unix;

    fn draw(from: u64, until: u64, now: u64, width: usize, unicode: bool) -> Vec<String> {
        let window = Window {
            this_update: unix(from),
            end: unix(until),
            label: "nextUpdate",
            now: unix(now),
        };
        Bar { window, width, unicode }.draw()
    }

    #[test]
    fn now_stands_where_its_time_is() {
        let lines = draw(1000, 2000, 1500, 30, false);
        assert_eq!(lines[0], "....[=========*----------]....".to_owned());
        assert_eq!(
            lines[1],
            "              ^ now, ends in 8m 20s".to_owned().replace("8m 20s", "8m 20s")
        );
    }
}
