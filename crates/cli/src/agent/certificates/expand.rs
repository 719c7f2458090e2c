//! The files that a pattern means, found one after the other.
//!
//! A pattern may mean a hundred thousand files, and is looked up every few seconds: what is found is
//! told at once and in no order, and nothing is kept of it. A name that is not UTF-8 is passed over, since
//! neither the configuration nor the API could say it.

use std::fs::{self, DirEntry};
use std::io::ErrorKind;
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

/// Calls `found` with each path that an absolute pattern matches. A path that ends in a name may not be
/// there. Returns whether every directory on the way could be read: an error is no absence.
pub(super) fn expand(pattern: &str, found: &mut dyn FnMut(&Path)) -> bool {
    let parts = pattern.split('/').filter(|text| !text.is_empty()).map(Part::of);
    match parts.collect::<Option<Vec<_>>>() {
        Some(parts) => walk(&mut PathBuf::from("/"), &parts, found),
        None => true,
    }
}

fn walk(at: &mut PathBuf, parts: &[Part<'_>], found: &mut dyn FnMut(&Path)) -> bool {
    let Some((part, rest)) = parts.split_first() else {
        found(at);
        return true;
    };
    let mut enter = |at: &mut PathBuf, name: &str, parts: &[Part<'_>]| {
        at.push(name);
        let whole = walk(at, parts, found);
        at.pop();
        whole
    };
    match part {
        Part::Name(name) => enter(at, name, rest),
        Part::Wild(pattern) => {
            each(at, |at, name, _| !pattern.matches_with(name, SHELL) || enter(at, name, rest))
        }
        Part::Deep => {
            let below = each(at, |at, name, entry| match entry.file_type() {
                Ok(kind) if kind.is_dir() && !name.starts_with('.') => enter(at, name, parts),
                found => found.is_ok(),
            });
            walk(at, rest, found) && below
        }
    }
}

/// Calls `visit` with each entry of a directory. Returns whether all could be read, and visited whole.
fn each(at: &mut PathBuf, mut visit: impl FnMut(&mut PathBuf, &str, &DirEntry) -> bool) -> bool {
    let entries = match fs::read_dir(&*at) {
        Ok(entries) => entries,
        Err(error) => {
            return matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
        }
    };
    let mut whole = true;
    for entry in entries {
        match entry {
            Ok(entry) => {
                if let Some(name) = entry.file_name().to_str() {
                    whole &= visit(at, name, &entry);
                }
            }
            Err(_) => whole = false,
        }
    }
    whole
}
