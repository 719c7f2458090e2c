//! The files that a pattern means, found one after the other.
//!
//! A pattern may mean a hundred thousand files, and is looked up every few seconds: what is found is
//! told at once and in no order, and nothing is kept of it. What cannot be looked into has nothing that
//! could be read, and a name that is not UTF-8 is passed over, for nobody could say it.

use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

/// Wildcards as a shell has them: not for a leading dot.
const SHELL: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// What stands between two slashes.
enum Part<'a> {
    Name(&'a str),
    Wild(Pattern),
    /// `**`: directories within each other, as many as there are, or none. Links are not followed.
    Deep,
}

impl<'a> Part<'a> {
    /// `None` for what is no pattern, which was seen when the configuration was read.
    fn of(text: &'a str) -> Option<Self> {
        match text {
            "**" => Some(Self::Deep),
            wild if wild.contains(['*', '?', '[']) => Pattern::new(wild).ok().map(Self::Wild),
            name => Some(Self::Name(name)),
        }
    }
}

/// Tells of each path that an absolute pattern means. Those that end in a name may not be there.
pub(super) fn expand(pattern: &str, tell: &mut dyn FnMut(&Path)) {
    let parts = pattern.split('/').filter(|text| !text.is_empty()).map(Part::of);
    if let Some(parts) = parts.collect::<Option<Vec<_>>>() {
        walk(&mut PathBuf::from("/"), &parts, tell);
    }
}

fn walk(at: &mut PathBuf, parts: &[Part<'_>], tell: &mut dyn FnMut(&Path)) {
    let Some((part, rest)) = parts.split_first() else {
        tell(at);
        return;
    };
    let mut enter = |at: &mut PathBuf, name: &str, parts: &[Part<'_>]| {
        at.push(name);
        walk(at, parts, tell);
        at.pop();
    };
    match part {
        Part::Name(name) => enter(at, name, rest),
        Part::Wild(pattern) => each(at, |at, name, _| {
            if pattern.matches_with(name, SHELL) {
                enter(at, name, rest);
            }
        }),
        Part::Deep => {
            each(at, |at, name, entry| {
                let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_directory && !name.starts_with('.') {
                    enter(at, name, parts);
                }
            });
            walk(at, rest, tell);
        }
    }
}

/// Shows what is in a directory.
fn each(at: &mut PathBuf, mut show: impl FnMut(&mut PathBuf, &str, &DirEntry)) {
    for entry in fs::read_dir(&*at).into_iter().flatten().flatten() {
        if let Some(name) = entry.file_name().to_str() {
            show(at, name, &entry);
        }
    }
}
