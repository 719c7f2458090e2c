//! A file that is there whole or not at all: written beside its place, synced, renamed.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::path::Path;

use crate::failure::Failure;

/// Writes a file atomically: a reader finds the old contents or the new, and nothing between, also
/// after a crash. A file that was there keeps its permissions.
///
/// # Errors
/// When it cannot be written; then what was there is untouched.
pub(crate) fn write_atomically(path: &Path, contents: &[u8]) -> Result<(), Failure> {
    replace(path, contents).map_err(|e| {
        Failure::failed("file", format!("{} cannot be written: {e}.", path.display()))
            .advise("Give a path in a directory that exists and in which you may write.")
    })
}

fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".certstatus-");
    let permissions = File::open(path).and_then(|old| old.metadata()).map(|old| old.permissions());
    if permissions.is_err() {
        // A staple is public: the server may run as somebody else. The umask still counts.
        builder.permissions(readable());
    }
    let mut file = builder.tempfile_in(directory)?;
    file.write_all(contents)?;
    if let Ok(permissions) = permissions {
        file.as_file().set_permissions(permissions)?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    // The rename itself is on disk once the directory is.
    File::open(directory)?.sync_all()
}

fn readable() -> Permissions {
    use std::os::unix::fs::PermissionsExt;
    Permissions::from_mode(0o666)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn files_are_replaced_whole_and_leave_nothing_beside_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("staple.der");
        write_atomically(&path, b"one").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_ne!(mode(&path), 0o600, "readable for others as far as the umask allows");
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(mode(&path), 0o640);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_written_is_a_sentence() {
        let failure = write_atomically(Path::new("/nonexistent/staple.der"), b"x").unwrap_err();
        assert!(failure.to_string().contains("/nonexistent/staple.der cannot be written"));
    }
}
