//! A file that is there whole or not at all.

use std::path::Path;

use crate::failure::{Failure, reason};

/// Writes a file as [`certstatus_stapler::store::write_atomically`] does.
///
/// # Errors
/// When it cannot be written; then what was there is untouched.
pub(crate) fn write_atomically(path: &Path, contents: &[u8]) -> Result<(), Failure> {
    certstatus_stapler::store::write_atomically(path, contents).map_err(|e| {
        Failure::failed("file", format!("{} cannot be written: {}.", path.display(), reason(&e)))
            .advise("Give a path in a directory that exists and in which you may write.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_is_a_sentence() {
        let failure = write_atomically(Path::new("/nonexistent/staple.der"), b"x").unwrap_err();
        assert!(failure.to_string().contains("/nonexistent/staple.der cannot be written"));
    }
}
