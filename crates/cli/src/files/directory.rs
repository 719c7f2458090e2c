//! A directory that only root and the user of this process can change.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, Stat};
use rustix::io::Errno;

/// Symbolic links that are followed on the way to a directory, as many as Linux follows: path_resolution(7).
const MAX_LINKS: usize = 40;

/// The mode of a new directory, of which the umask takes its part.
const DIRECTORY_MODE: Mode = Mode::from_raw_mode(0o755);

/// The bits that let the group or others write.
const SHARED_WRITE: u32 = 0o022;

/// `S_ISVTX`: only its owner removes or renames an entry of this directory.
const STICKY: u32 = 0o1000;

/// An open directory that nobody else can change, and that nobody else can exchange for another one.
///
/// Every directory from the root of the file system down to it belongs to root or to the user of this
/// process, and neither the group nor others may write it; a directory above may be sticky instead, as
/// `/tmp` is. A symbolic link on the way is followed when it belongs to root or to this user.
#[derive(Debug)]
pub(crate) struct Directory {
    descriptor: OwnedFd,
}

impl Directory {
    /// Opens a directory.
    ///
    /// # Errors
    /// When it is not there (`NotFound`), another user can change it or the way to it
    /// (`PermissionDenied`, with a sentence that names the directory), or the system refuses.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Walk::new(path)?.finish(false)
    }

    /// Opens a directory, and makes it and those above it that are missing.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) fn open_or_create(path: &Path) -> io::Result<Self> {
        Walk::new(path)?.finish(true)
    }

    /// The entry of that name, without following a link. `None` when there is none.
    pub(crate) fn entry(&self, name: &OsStr) -> io::Result<Option<Stat>> {
        match rustix::fs::statat(&self.descriptor, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some(found)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the file of that name. Returns whether there was one.
    pub(crate) fn remove(&self, name: &OsStr) -> io::Result<bool> {
        match rustix::fs::unlinkat(&self.descriptor, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Whether root or the user of this process owns it.
pub(super) fn is_own(found: &Stat) -> bool {
    found.st_uid == 0 || found.st_uid == rustix::process::geteuid().as_raw()
}

/// The way from the root of the file system to a directory, component by component.
struct Walk {
    at: OwnedFd,
    /// Where that is, for messages.
    path: PathBuf,
    ahead: VecDeque<OsString>,
    links: usize,
}

impl Walk {
    fn new(path: &Path) -> io::Result<Self> {
        let absolute = std::path::absolute(path)?;
        let root = open_path(CWD, OsStr::new("/"))?;
        let walk =
            Self { at: root, path: PathBuf::from("/"), ahead: components(&absolute), links: 0 };
        walk.check(walk.ahead.is_empty())?;
        Ok(walk)
    }

    fn finish(mut self, create: bool) -> io::Result<Directory> {
        while let Some(name) = self.ahead.pop_front() {
            match open_path(&self.at, &name) {
                Ok(next) => self.enter(next, &name)?,
                Err(Errno::NOENT) if create => {
                    match rustix::fs::mkdirat(&self.at, &name, DIRECTORY_MODE) {
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(error) => return Err(error.into()),
                    }
                    self.enter(open_path(&self.at, &name)?, &name)?;
                }
                Err(Errno::NOTDIR | Errno::LOOP) => self.follow(&name)?,
                Err(error) => return Err(error.into()),
            }
        }
        // The descriptor so far only names the directory; this one can be synced.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let descriptor = rustix::fs::openat(&self.at, ".", flags, Mode::empty())?;
        Ok(Directory { descriptor })
    }

    fn enter(&mut self, next: OwnedFd, name: &OsStr) -> io::Result<()> {
        self.at = next;
        match name.as_encoded_bytes() {
            b".." => _ = self.path.pop(),
            _ => self.path.push(name),
        }
        self.check(self.ahead.is_empty())
    }

    /// Refuses a directory that other users can change. The last one may not be sticky either: others
    /// could put files there in advance.
    fn check(&self, last: bool) -> io::Result<()> {
        let found = rustix::fs::fstat(&self.at)?;
        let path = self.path.display();
        if !is_own(&found) {
            return Err(refusal(format!(
                "{path} belongs to the user {}, who could exchange what is written there; give a \
                 directory that only root or the agent's user may write",
                found.st_uid
            )));
        }
        let shared = found.st_mode & SHARED_WRITE != 0;
        if shared && (last || found.st_mode & STICKY == 0) {
            return Err(refusal(format!(
                "{path} may be written by its group or by others, who could exchange what is \
                 written there; take that permission away (chmod go-w), or give another directory",
            )));
        }
        Ok(())
    }

    /// Goes on along a symbolic link.
    fn follow(&mut self, name: &OsStr) -> io::Result<()> {
        let link = self.path.join(name);
        let Ok(target) = rustix::fs::readlinkat(&self.at, name, Vec::new()) else {
            let text = format!("{} is no directory", link.display());
            return Err(io::Error::new(io::ErrorKind::NotADirectory, text));
        };
        // In a sticky directory, links of other users may lie beside one's own.
        let found = rustix::fs::statat(&self.at, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if !is_own(&found) {
            return Err(refusal(format!(
                "{} is a symbolic link of the user {}, and is not followed",
                link.display(),
                found.st_uid
            )));
        }
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Errno::LOOP.into());
        }
        let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
        if target.is_absolute() {
            self.at = open_path(CWD, OsStr::new("/"))?;
            self.path = PathBuf::from("/");
        }
        for component in components(&target).into_iter().rev() {
            self.ahead.push_front(component);
        }
        // A link to "." or "/" ends here.
        self.check(self.ahead.is_empty())
    }
}

fn refusal(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, text)
}

fn components(path: &Path) -> VecDeque<OsString> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    names.collect()
}

/// A descriptor that only names a directory: opening it needs no permission to read it.
fn open_path(at: impl AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(at, name, flags, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn own_directory_opens_also_through_own_links() {
        let scratch = tempfile::tempdir().unwrap();
        let real = scratch.path().join("a/b");
        Directory::open_or_create(&real).unwrap();
        assert!(real.is_dir());
        symlink("a", scratch.path().join("relative")).unwrap();
        symlink(&real, scratch.path().join("absolute")).unwrap();
        for way in ["relative/b", "absolute", "a/../relative/./b", "absolute/../b"] {
            Directory::open(&scratch.path().join(way)).unwrap();
        }
        symlink("loop", scratch.path().join("loop")).unwrap();
        assert!(Directory::open(&scratch.path().join("loop")).is_err());
        assert!(Directory::open(&scratch.path().join("a/none")).is_err());
    }

    #[test]
    fn shared_directory_is_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let (above, below) = (scratch.path().join("above"), scratch.path().join("above/below"));
        fs::create_dir_all(&below).unwrap();
        for mode in [0o775, 0o757, 0o777, 0o2775] {
            set_mode(&above, mode);
            for path in [&above, &below] {
                let error = Directory::open(path).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{mode:o}");
                assert!(error.to_string().contains("above may be written"), "{error}");
            }
        }
        // A sticky directory is a safe way, and no safe place.
        set_mode(&above, 0o1777);
        assert!(Directory::open(&above).is_err());
        assert!(Directory::open(&below).is_ok());
        set_mode(&above, 0o755);
        assert!(Directory::open(&above).is_ok());
    }

    #[test]
    fn directory_of_another_user_is_refused() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let scratch = tempfile::tempdir().unwrap();
        let theirs = scratch.path().join("theirs");
        fs::create_dir_all(theirs.join("below")).unwrap();
        std::os::unix::fs::chown(&theirs, Some(5001), Some(5001)).unwrap();
        for path in [theirs.clone(), theirs.join("below"), theirs.join("new")] {
            let error = Directory::open_or_create(&path).unwrap_err();
            assert!(error.to_string().contains("belongs to the user 5001"), "{error}");
        }
        assert!(!theirs.join("new").exists());
        let link = scratch.path().join("link");
        symlink("theirs/below", &link).unwrap();
        assert!(Directory::open(&link).is_err());
        let own = scratch.path().join("own");
        fs::create_dir(&own).unwrap();
        let stray = scratch.path().join("stray");
        symlink(&own, &stray).unwrap();
        assert!(Directory::open(&stray).is_ok());
        std::os::unix::fs::lchown(&stray, Some(5001), Some(5001)).unwrap();
        let error = Directory::open(&stray).unwrap_err();
        assert!(error.to_string().contains("link of the user 5001"), "{error}");
    }
}
