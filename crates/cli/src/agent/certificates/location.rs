//! Where a certificate is, in a form that many can hold.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// The path of a certificate's file. Cheap to clone, and there is one copy for all who name the
/// certificate by it, the stapler among them.
///
/// It is text, as it is in the configuration, the log and the API.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::agent) struct Location(Arc<str>);

impl Location {
    /// What comes before every other.
    pub(in crate::agent) fn first() -> Self {
        Self(Arc::from(""))
    }

    pub(in crate::agent) fn as_str(&self) -> &str {
        &self.0
    }

    pub(in crate::agent) fn path(&self) -> &Path {
        Path::new(&*self.0)
    }

    /// The same, as the stapler calls certificates.
    pub(in crate::agent) fn label(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl From<Cow<'_, str>> for Location {
    fn from(path: Cow<'_, str>) -> Self {
        Self(path.into())
    }
}

impl Borrow<str> for Location {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
