//! Which paths have a certificate: a renewed one may be in two places for a while.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use certstatus_stapler::Fingerprint;

/// The paths of each certificate. One set holds all: a set for each would be mostly empty space.
#[derive(Debug, Default)]
pub(super) struct Paths(BTreeSet<(Fingerprint, Arc<Path>)>);

impl Paths {
    pub(super) fn insert(&mut self, certificate: Fingerprint, path: Arc<Path>) {
        self.0.insert((certificate, path));
    }

    /// That path has no longer that certificate. Gives whether it was the last one that had it.
    pub(super) fn remove(&mut self, certificate: &Fingerprint, path: &Arc<Path>) -> bool {
        self.0.remove(&(*certificate, Arc::clone(path))) && self.of(certificate).next().is_none()
    }

    /// The paths that have that certificate.
    pub(super) fn of(&self, certificate: &Fingerprint) -> impl Iterator<Item = &Arc<Path>> {
        let certificate = *certificate;
        // No path comes before the empty one.
        let first = (certificate, Arc::from(Path::new("")));
        self.0.range(first..).take_while(move |(of, _)| *of == certificate).map(|(_, path)| path)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_path_of_a_certificate_is_told_from_the_others() {
        let (one, other) = (Fingerprint::of(b"one"), Fingerprint::of(b"other"));
        let path = |text: &str| Arc::<Path>::from(Path::new(text));
        let mut paths = Paths::default();
        for (certificate, text) in [(one, "/a"), (one, "/b"), (other, "/a")] {
            paths.insert(certificate, path(text));
        }
        assert_eq!(
            paths.of(&one).map(|path| &**path).collect::<Vec<_>>(),
            ["/a", "/b"].map(Path::new)
        );
        assert!(!paths.remove(&one, &path("/a")));
        assert!(!paths.remove(&one, &path("/a")), "it has gone already");
        assert!(paths.remove(&one, &path("/b")));
        assert_eq!(paths.of(&other).count(), 1);
    }
}
