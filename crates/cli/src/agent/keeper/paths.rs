//! Which paths have a certificate: a renewed one may be in two places for a while.

use std::collections::BTreeSet;

use certstatus_stapler::Fingerprint;

use crate::agent::certificates::Location;

/// Where certificates are. One set holds all: a set for each would be mostly empty space.
#[derive(Debug, Default)]
pub(super) struct Paths(BTreeSet<(Beginning, Location)>);

/// The beginning of a fingerprint. Two certificates that have the same one are both looked at.
type Beginning = [u8; 8];

fn beginning(certificate: &Fingerprint) -> Beginning {
    certificate.as_bytes().first_chunk().copied().unwrap_or_default()
}

impl Paths {
    pub(super) fn insert(&mut self, certificate: &Fingerprint, path: Location) {
        self.0.insert((beginning(certificate), path));
    }

    /// That path has no longer that certificate.
    pub(super) fn remove(&mut self, certificate: &Fingerprint, path: &Location) {
        self.0.remove(&(beginning(certificate), path.clone()));
    }

    /// The paths that may have that certificate: all that have it, and seldom another.
    pub(super) fn of(&self, certificate: &Fingerprint) -> impl Iterator<Item = &Location> {
        let of = beginning(certificate);
        let all = self.0.range((of, Location::first())..);
        all.take_while(move |(other, _)| *other == of).map(|(_, path)| path)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_of_a_certificate_are_told_from_those_of_others() {
        let (one, other) = (Fingerprint::of(b"one"), Fingerprint::of(b"other"));
        let path = |text: &str| Location::from(std::borrow::Cow::from(text));
        let mut paths = Paths::default();
        for (certificate, text) in [(one, "/a"), (one, "/b"), (other, "/a")] {
            paths.insert(&certificate, path(text));
        }
        let of = |paths: &Paths, certificate| {
            paths.of(certificate).map(|path| path.as_str().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(of(&paths, &one), ["/a", "/b"]);
        paths.remove(&one, &path("/a"));
        assert_eq!(of(&paths, &one), ["/b"]);
        paths.remove(&one, &path("/b"));
        assert!(of(&paths, &one).is_empty());
        assert_eq!(of(&paths, &other), ["/a"]);
    }
}
