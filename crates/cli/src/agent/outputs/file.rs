//! A staple as a file, for a server to read.

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use super::Refusal;
use crate::agent::config::{Mode, Owner};

/// The permissions of a new file: a staple is public, and the server runs as somebody else.
const MODE: u32 = 0o644;

/// Writes the file, whole or not at all, and its directory if there is none. Gives whether it was
/// another before, or had not the mode or the owner that are configured. Waits for the disk.
pub(super) fn write(
    path: &Path,
    staple: &[u8],
    mode: Option<Mode>,
    owner: Option<Owner>,
) -> Result<bool, Refusal> {
    let refusal = |e| Refusal::new(&e, format_args!("{} cannot be written", path.display()));
    bring(path, staple, mode, owner).map_err(refusal)
}

/// Whether [`write()`] would leave the file as it is. Waits for the disk.
pub(super) fn is_right(
    path: &Path,
    staple: &[u8],
    mode: Option<Mode>,
    owner: Option<Owner>,
) -> bool {
    let there = holding(path, staple).unwrap_or_default();
    there.is_some_and(|file| is_as_configured(&file, mode, owner))
}

/// Whether [`remove`] would find a file, or could not tell. Waits for the disk.
pub(super) fn is_there(path: &Path) -> bool {
    !matches!(path.symlink_metadata(), Err(e) if e.kind() == io::ErrorKind::NotFound)
}

/// Removes the file. Gives whether there was one. Waits for the disk.
pub(super) fn remove(path: &Path) -> Result<bool, Refusal> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(Refusal::new(&e, format_args!("{} cannot be removed", path.display()))),
    }
}

fn bring(path: &Path, staple: &[u8], mode: Option<Mode>, owner: Option<Owner>) -> io::Result<bool> {
    // What cannot be read is not what it should be.
    let before = holding(path, staple).unwrap_or_default();
    if before.as_ref().is_some_and(|file| is_as_configured(file, mode, owner)) {
        return Ok(false);
    }
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(|error| match error.kind() {
            // Of what is in the way, be it a link that leads nowhere.
            io::ErrorKind::AlreadyExists => io::Error::new(
                io::ErrorKind::NotADirectory,
                format!("{} is no directory", directory.display()),
            ),
            _ => error,
        })?;
    }
    let after = replace(path, staple, mode, owner)?;
    // A server that could not read the file until now has to be told as much as one for which there
    // are other bytes. But some file systems, such as those that a virtual machine shares with its
    // host, take any mode and owner and keep none: there nothing has changed, however often it is
    // tried, and nobody is told each time.
    Ok(before.is_none_or(|before| access(&before) != access(&after)))
}

/// What there is to know of the file, if it holds these bytes.
fn holding(path: &Path, staple: &[u8]) -> io::Result<Option<Metadata>> {
    let mut file = OpenOptions::new().read(true).custom_flags(DO_NOT_WAIT).open(path)?;
    let metadata = file.metadata()?;
    if usize::try_from(metadata.len()) != Ok(staple.len()) {
        return Ok(None);
    }
    let mut there = vec![0; staple.len()];
    file.read_exact(&mut there)?;
    Ok((there == staple).then_some(metadata))
}

/// Opening a pipe must not wait for somebody to write into it.
const DO_NOT_WAIT: i32 = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();

/// Who may do what with a file: its permissions, its user, its group.
fn access(file: &Metadata) -> (u32, u32, u32) {
    (file.mode() & 0o7777, file.uid(), file.gid())
}

/// Whether the file has the mode and the owner that are configured; what is not is not looked at.
fn is_as_configured(file: &Metadata, mode: Option<Mode>, owner: Option<Owner>) -> bool {
    let (permissions, uid, gid) = access(file);
    mode.is_none_or(|Mode(mode)| mode == permissions)
        && owner.is_none_or(|Owner { user, group }| {
            user.is_none_or(|user| user == uid) && group.is_none_or(|group| group == gid)
        })
}

/// Puts the file in the place of the one that was there, by renaming: a reader finds the one or the
/// other, and nothing between, also after a crash. That goes for mode and owner too, and leaves alone
/// what has the old file by another name, through a link. Gives what there is to know of the new one.
fn replace(
    path: &Path,
    staple: &[u8],
    mode: Option<Mode>,
    owner: Option<Owner>,
) -> io::Result<Metadata> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let mode = match (mode, std::fs::metadata(path)) {
        (Some(Mode(mode)), _) => Permissions::from_mode(mode),
        (None, Ok(there)) => there.permissions(),
        (None, Err(_)) => Permissions::from_mode(MODE),
    };
    // Where `output` is a pattern of certificates too, nothing half done is to be taken for one.
    let mut file = tempfile::Builder::new().prefix(".certstatus-").tempfile_in(directory)?;
    file.write_all(staple)?;
    if let Some(owner) = owner {
        give(file.as_file(), owner)?;
    }
    file.as_file().set_permissions(mode)?;
    file.as_file().sync_all()?;
    let metadata = file.as_file().metadata()?;
    file.persist(path).map_err(|e| e.error)?;
    // The rename itself is on disk once the directory is. Whoever serves the file has it already, and is
    // to be told; what a power cut takes back, the next start sees.
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
    Ok(metadata)
}

/// Gives the file to the owner that is configured. Only root may give to anybody: chown(2).
fn give(file: &File, owner: Owner) -> io::Result<()> {
    fchown(file, owner.user, owner.group).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => io::Error::new(
            error.kind(),
            format!(
                "it may not be given to {owner}; run the agent as root, or with the capability \
                 CAP_CHOWN, or leave `owner` out"
            ),
        ),
        _ => error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
