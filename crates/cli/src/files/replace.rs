//! Replacing a file in a directory of one's own, whole or not at all.

use std::ffi::OsStr;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::os::unix::fs::fchown;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::Directory;
use super::directory::is_own;

/// The mode of a new file when nothing else is wanted: a staple is public, and the server that reads it
/// runs as another user.
const MODE: u32 = 0o644;

/// The most that a mode may have: reading and writing. A file is never executable, and never runs as
/// its owner.
const MAX_MODE: u32 = 0o666;

/// Names that are tried for a temporary file before giving up.
const ATTEMPTS: usize = 16;

/// Who may do what with a file. `None` leaves a choice to the file that is replaced.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Access {
    pub(crate) mode: Option<u32>,
    pub(crate) user: Option<u32>,
    pub(crate) group: Option<u32>,
}

impl Access {
    /// Whether a file has it already.
    fn is_of(self, found: &Stat) -> bool {
        self.mode.is_none_or(|mode| mode & MAX_MODE == found.st_mode & 0o7777)
            && self.user.is_none_or(|user| user == found.st_uid)
            && self.group.is_none_or(|group| group == found.st_gid)
    }
}

impl Directory {
    /// Whether the file of that name has these contents and that access.
    pub(crate) fn holds(&self, name: &OsStr, contents: &[u8], access: Access) -> bool {
        self.holding(name, contents).is_ok_and(|f| f.is_some_and(|f| access.is_of(&f)))
    }

    /// Replaces the file of that name unless it is as wanted. Returns whether a reader could find a
    /// difference: other contents, another mode or another owner.
    ///
    /// A reader finds the old file or the new one, also after a crash. Other names of the old file
    /// keep it. Waits for the disk.
    ///
    /// # Errors
    /// When a device is in its place, the owner may not be given, or the system refuses.
    pub(crate) fn replace(
        &self,
        name: &OsStr,
        contents: &[u8],
        access: Access,
    ) -> io::Result<bool> {
        // A file that cannot be read is not as wanted.
        let before = self.holding(name, contents).unwrap_or_default();
        if before.as_ref().is_some_and(|found| access.is_of(found)) {
            return Ok(false);
        }
        let mode = access.mode.unwrap_or(self.mode_of(name)?) & MAX_MODE;
        let temporary = Temporary::create(self, name)?;
        let after = temporary.fill(contents, mode, access)?;
        temporary.rename(name)?;
        // The rename is on disk once the directory is. The file is served already; after a power cut
        // the next start finds the old one and writes again.
        let _ = rustix::fs::fsync(self);
        // Some file systems, such as those that a virtual machine shares with its host, take any mode
        // and owner and keep none: there, nothing has changed.
        let access = |found: &Stat| (found.st_mode & 0o7777, found.st_uid, found.st_gid);
        Ok(before.is_none_or(|before| access(&before) != access(&after)))
    }

    /// The file of that name, if it has these contents.
    fn holding(&self, name: &OsStr, contents: &[u8]) -> io::Result<Option<Stat>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Some(found) = self.entry(name)? else { return Ok(None) };
        if !is_regular(&found) {
            return Ok(None);
        }
        let file = File::from(rustix::fs::openat(self, name, flags, Mode::empty())?);
        let found = rustix::fs::fstat(&file)?;
        if !is_regular(&found) || usize::try_from(found.st_size) != Ok(contents.len()) {
            return Ok(None);
        }
        let mut there = Vec::with_capacity(contents.len());
        file.take(contents.len() as u64).read_to_end(&mut there)?;
        Ok((there == contents).then_some(found))
    }

    /// The mode that a new file takes over: that of a regular file of one's own.
    fn mode_of(&self, name: &OsStr) -> io::Result<u32> {
        let Some(found) = self.entry(name)? else { return Ok(MODE) };
        match FileType::from_raw_mode(found.st_mode) {
            FileType::RegularFile if is_own(&found) => Ok(found.st_mode & MAX_MODE),
            FileType::CharacterDevice | FileType::BlockDevice => {
                let text = "a device is there, and is not replaced; give another path";
                Err(io::Error::new(io::ErrorKind::InvalidInput, text))
            }
            _ => Ok(MODE),
        }
    }
}

fn is_regular(found: &Stat) -> bool {
    FileType::from_raw_mode(found.st_mode) == FileType::RegularFile
}

/// Only root may give a file to any user: chown(2).
fn not_given(error: io::Error, access: Access) -> io::Error {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return error;
    }
    let user = access.user.map(|user| format!("user {user}"));
    let group = access.group.map(|group| format!("group {group}"));
    let owner: Vec<String> = user.into_iter().chain(group).collect();
    let text = format!(
        "it may not be given to {}; run the agent as root, or with the capability CAP_CHOWN, or \
         leave `owner` out",
        owner.join(", ")
    );
    io::Error::new(error.kind(), text)
}

/// A new file beside the one that it will replace; removed unless it is renamed.
struct Temporary<'a> {
    directory: &'a Directory,
    name: String,
    file: File,
    renamed: bool,
}

impl<'a> Temporary<'a> {
    fn create(directory: &'a Directory, name: &OsStr) -> io::Result<Self> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        for _ in 0..ATTEMPTS {
            // The dot keeps the name out of patterns of certificates. Nobody else may put a file here,
            // so the name need not be secret.
            let name = format!(".certstatus-{:016x}", RandomState::new().hash_one(name));
            match rustix::fs::openat(directory, name.as_str(), flags, Mode::RUSR | Mode::WUSR) {
                Ok(file) => {
                    return Ok(Self { directory, name, file: File::from(file), renamed: false });
                }
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Errno::EXIST.into())
    }

    /// Writes the contents, then sets owner and mode, in that order: a change of owner clears bits of
    /// the mode.
    fn fill(&self, contents: &[u8], mode: u32, access: Access) -> io::Result<Stat> {
        (&self.file).write_all(contents)?;
        if access.user.is_some() || access.group.is_some() {
            fchown(&self.file, access.user, access.group).map_err(|e| not_given(e, access))?;
        }
        rustix::fs::fchmod(&self.file, Mode::from_raw_mode(mode))?;
        self.file.sync_all()?;
        Ok(rustix::fs::fstat(&self.file)?)
    }

    fn rename(mut self, name: &OsStr) -> io::Result<()> {
        rustix::fs::renameat(self.directory, self.name.as_str(), self.directory, name)?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.renamed {
            let _ = rustix::fs::unlinkat(self.directory, self.name.as_str(), AtFlags::empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::path::Path;

    const NAME: &str = "staple.der";

    fn replace(scratch: &Path, contents: &[u8], mode: Option<u32>) -> io::Result<bool> {
        let access = Access { mode, ..Access::default() };
        Directory::open(scratch).unwrap().replace(NAME.as_ref(), contents, access)
    }

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn mode_is_configured_or_kept_and_at_most_0666() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join(NAME);
        assert!(replace(scratch.path(), b"one", None).unwrap());
        assert_eq!(mode(&path), 0o644);
        assert!(replace(scratch.path(), b"two", Some(0o640)).unwrap());
        assert!(replace(scratch.path(), b"three", None).unwrap());
        assert_eq!(mode(&path), 0o640, "kept");
        fs::set_permissions(&path, Permissions::from_mode(0o6755)).unwrap();
        assert!(replace(scratch.path(), b"four", None).unwrap());
        assert_eq!(mode(&path), 0o644);
        assert!(replace(scratch.path(), b"five", Some(0o7777)).unwrap());
        assert_eq!(mode(&path), 0o666);
        assert!(!replace(scratch.path(), b"five", Some(0o7777)).unwrap());
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
    }

    #[test]
    fn link_is_replaced_and_its_target_kept() {
        let scratch = tempfile::tempdir().unwrap();
        let (path, target) = (scratch.path().join(NAME), scratch.path().join("target"));
        fs::write(&target, b"target").unwrap();
        fs::set_permissions(&target, Permissions::from_mode(0o6777)).unwrap();
        symlink("target", &path).unwrap();
        assert!(replace(scratch.path(), b"staple", None).unwrap());
        assert_eq!(mode(&path), 0o644, "nothing is taken from the target");
        assert_eq!((fs::read(&target).unwrap(), mode(&target)), (b"target".to_vec(), 0o6777));
        fs::remove_file(&path).unwrap();
        fs::hard_link(&target, &path).unwrap();
        assert!(replace(scratch.path(), b"staple", None).unwrap());
        assert_eq!(fs::read(&target).unwrap(), b"target");
    }

    #[test]
    fn mode_of_another_users_file_is_not_taken() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join(NAME);
        fs::write(&path, b"theirs").unwrap();
        std::os::unix::fs::chown(&path, Some(5001), None).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        assert!(replace(scratch.path(), b"staple", None).unwrap());
        let found = fs::metadata(&path).unwrap();
        assert_eq!((found.uid(), found.mode() & 0o7777), (0, 0o644));
    }

    #[test]
    fn failure_leaves_no_temporary_file() {
        let scratch = tempfile::tempdir().unwrap();
        fs::create_dir(scratch.path().join(NAME)).unwrap();
        assert!(replace(scratch.path(), b"staple", None).is_err());
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
    }
}
