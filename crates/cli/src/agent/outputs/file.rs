//! A staple as a file, for a server to read.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use super::Refusal;
use crate::agent::config::{Mode, Owner};
use crate::files::{Access, Directory};

/// Replaces the file, whole or not at all, and makes its directory if there is none. Returns whether
/// the contents, the mode or the owner were other ones before. Waits for the disk.
pub(super) fn write(
    path: &Path,
    staple: &[u8],
    mode: Option<Mode>,
    owner: Option<Owner>,
) -> Result<bool, Refusal> {
    let (directory, name) = parts(path);
    Directory::open_or_create(directory)
        .and_then(|directory| directory.replace(name, staple, access(mode, owner)))
        .map_err(|e| Refusal::new(&e, format_args!("{} cannot be written", path.display())))
}

/// Whether [`write()`] would leave the file as it is. Waits for the disk.
pub(super) fn is_right(
    path: &Path,
    staple: &[u8],
    mode: Option<Mode>,
    owner: Option<Owner>,
) -> bool {
    let (directory, name) = parts(path);
    Directory::open(directory).is_ok_and(|found| found.holds(name, staple, access(mode, owner)))
}

/// Whether [`remove`] would find a file, or could not look. Waits for the disk.
pub(super) fn is_there(path: &Path) -> bool {
    let (directory, name) = parts(path);
    match Directory::open(directory).and_then(|found| found.entry(name)) {
        Ok(entry) => entry.is_some(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// Removes the file. Returns whether there was one. Waits for the disk.
pub(super) fn remove(path: &Path) -> Result<bool, Refusal> {
    let (directory, name) = parts(path);
    match Directory::open(directory).and_then(|found| found.remove(name)) {
        Ok(removed) => Ok(removed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(Refusal::new(&e, format_args!("{} cannot be removed", path.display()))),
    }
}

/// Why nothing can be written there, as the directories are now: `None` when it can, or when the
/// directory has yet to be made.
pub(super) fn problem(path: &Path) -> Option<Refusal> {
    match Directory::open(parts(path).0) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Some(Refusal::new(&error, format_args!("{} cannot be written", path.display())))
        }
        _ => None,
    }
}

/// The directory of an absolute path, and the name in it.
fn parts(path: &Path) -> (&Path, &OsStr) {
    (path.parent().unwrap_or(Path::new("/")), path.file_name().unwrap_or(OsStr::new(".")))
}

fn access(mode: Option<Mode>, owner: Option<Owner>) -> Access {
    let owner = owner.unwrap_or(Owner { user: None, group: None });
    Access { mode: mode.map(|Mode(mode)| mode), user: owner.user, group: owner.group }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn a_file_is_written_once_with_its_permissions_and_its_directory() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/staple.der");
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(write(&path, b"one", None, None), Ok(true));
        assert_eq!(mode(), 0o644);
        assert_eq!(write(&path, b"one", None, None), Ok(false));
        assert_eq!(write(&path, b"two", Some(Mode(0o640)), None), Ok(true));
        assert_eq!((std::fs::read(&path).unwrap(), mode()), (b"two".to_vec(), 0o640));
        let me = rustix::process::getuid().as_raw();
        let owner = Owner { user: Some(me), group: None };
        assert_eq!(write(&path, b"three", None, Some(owner)), Ok(true));
        assert_eq!(mode(), 0o640, "kept");
        assert_eq!(remove(&path), Ok(true));
        assert_eq!(remove(&path), Ok(false));
    }

    #[test]
    fn a_mode_that_is_configured_anew_takes_effect_on_the_same_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let (path, link) = (directory.path().join("staple.der"), directory.path().join("link"));
        let mode = |path| std::fs::metadata(path).unwrap().mode() & 0o777;
        let write = |mode| write(&path, b"staple", mode, None);
        assert_eq!(write(None), Ok(true));
        std::fs::hard_link(&path, &link).unwrap();
        assert_eq!(write(Some(Mode(0o644))), Ok(false), "it has that mode");
        assert_eq!(write(Some(Mode(0o600))), Ok(true));
        assert_eq!((mode(&path), mode(&link)), (0o600, 0o644), "the old file is left alone");
        assert_eq!(write(Some(Mode(0o600))), Ok(false));
        assert_eq!(write(None), Ok(false), "what is not configured stays");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(std::fs::read(&path).unwrap(), b"staple");
    }

    #[test]
    fn what_is_right_already_is_not_written_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("staple.der");
        let inode = || std::fs::metadata(&path).unwrap().ino();
        let me = Owner {
            user: Some(rustix::process::geteuid().as_raw()),
            group: Some(rustix::process::getegid().as_raw()),
        };
        assert_eq!(write(&path, b"staple", None, None), Ok(true));
        // While this is open, no other file can have its inode.
        let (_open, first) = (File::open(&path).unwrap(), inode());
        assert_eq!(write(&path, b"staple", Some(Mode(0o644)), Some(me)), Ok(false));
        assert_eq!(inode(), first);
        // As long, and others.
        assert_eq!(write(&path, b"Staple", None, None), Ok(true));
        assert_ne!(inode(), first);
        assert_eq!(std::fs::read(&path).unwrap(), b"Staple");
    }

    #[test]
    fn a_pipe_is_replaced_and_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("staple.der");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
        assert_eq!(write(&path, b"staple", None, None), Ok(true));
        assert_eq!(std::fs::read(&path).unwrap(), b"staple");
    }

    #[test]
    fn what_cannot_be_written_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let refusal = write(&file.path().join("x"), b"x", None, None).unwrap_err();
        assert!(refusal.why.ends_with(" is no directory"), "{}", refusal.why);
        assert!(refusal.lasting);
    }
}
