//! The output of `--out`, with a sentence when it fails.

use std::path::Path;

use crate::failure::{Failure, reason};
use crate::files;

/// Writes a file, a device or a pipe as [`files::write_out`] does.
///
/// # Errors
/// When it cannot be written; then what was there is untouched.
pub(crate) fn to_path(path: &Path, contents: &[u8]) -> Result<(), Failure> {
    files::write_out(path, contents).map_err(|e| {
        Failure::failed("file", format!("{} cannot be written: {}.", path.display(), reason(&e)))
            .advise("Give a path in a directory that exists and in which you may write.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_write_is_a_sentence() {
        let failure = to_path(Path::new("/nonexistent/staple.der"), b"x").unwrap_err();
        assert!(failure.to_string().contains("/nonexistent/staple.der cannot be written"));
    }
}
