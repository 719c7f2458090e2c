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
    /// The lines of the bar, without a line end: the bar, what is said of `now`, in a narrow terminal
    /// on two lines, and the two ends.
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
        let mut lines = vec![bar];
        lines.extend(self.now_lines(now, width, glyphs.arrow));
        lines.push(self.ends(width));
        lines
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
            return width - 1 - begin / 2;
        }
        let inner = (end - begin).saturating_sub(1) as u128;
        let share = u128::from(now - from) * inner / u128::from((until - from).max(1));
        begin + 1 + usize::try_from(share).unwrap_or_default()
    }

    /// The arrow, and the words right of it while there is room, else left of it, else below.
    fn now_lines(&self, now: usize, width: usize, arrow: char) -> Vec<String> {
        let Window { this_update, end, now: at, .. } = self.window;
        let said = if at < this_update {
            format!("now, begins {}", Relative { time: this_update, now: at })
        } else if at >= end {
            format!("now, ended {}", Relative { time: end, now: at })
        } else {
            format!("now, ends {}", Relative { time: end, now: at })
        };
        let length = said.len();
        if now + 2 + length <= width {
            vec![format!("{:now$}{arrow} {said}", "")]
        } else if length < now {
            vec![format!("{said:>0$} {arrow}", now - 1)]
        } else {
            let indent = width.saturating_sub(length) / 2;
            vec![format!("{:now$}{arrow}", ""), format!("{:indent$}{said}", "")]
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
        let lines = draw(1000, 2000, 1250, 50, false);
        assert_eq!(
            lines,
            [
                "....[==========*-----------------------------]....",
                "               ^ now, ends in 12m 30s",
                "thisUpdate                              nextUpdate",
            ]
        );
    }

    #[test]
    fn the_words_go_left_of_the_arrow_or_below_it_where_there_is_no_room() {
        let late = draw(1000, 2000, 1900, 50, true);
        assert_eq!(late[1].chars().position(|c| c == '▲'), late[0].chars().position(|c| c == '●'));
        assert!(late[1].starts_with(' ') && late[1].ends_with("now, ends in 1m 40s ▲"), "{late:?}");
        let narrow = draw(1000, 2000, 1500, 30, false);
        assert_eq!(narrow[1].trim(), "^");
        assert_eq!(narrow[2].trim(), "now, ends in 8m 20s");
    }

    #[test]
    fn now_is_marked_outside_of_the_window_on_its_side() {
        let early = draw(1000, 2000, 400, 78, true);
        assert!(early[0].starts_with("··●·┣─"), "{}", early[0]);
        assert!(early[1].contains("▲ now, begins in 10m"), "{}", early[1]);
        let late = draw(1000, 2000, 5600, 78, true);
        assert!(late[0].ends_with("━┫·●··"), "{}", late[0]);
        assert!(late[1].ends_with("now, ended 1h ago ▲"), "{}", late[1]);
    }

    #[test]
    fn the_ends_belong_to_the_sides_to_which_they_belong_in_time() {
        let at = |now| draw(1000, 2000, now, 78, false).remove(0);
        assert!(at(1000).starts_with("....[*"), "{}", at(1000));
        assert!(at(1999).ends_with("*]...."), "{}", at(1999));
        assert!(at(2000).ends_with("=].*.."), "{}", at(2000));
    }

    #[test]
    fn every_width_holds() {
        for width in 0..140 {
            for now in [0, 999, 1000, 1500, 1999, 2000, 4_000_000_000] {
                let lines = draw(1000, 2000, now, width, true);
                let widest = lines.iter().map(|line| line.chars().count()).max().unwrap();
                assert!(widest <= width.max(30), "{width} {now}: {lines:?}");
            }
        }
    }

    #[test]
    fn times_without_sense_draw_all_the_same() {
        draw(2000, 1000, 1500, 78, true);
        draw(1000, 1000, 1000, 78, true);
        draw(0, u64::MAX, u64::MAX - 1, 78, true);
    }
}
