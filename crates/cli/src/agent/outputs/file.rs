//! A staple as a file, for a server to read.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, fchown};
use std::path::Path;

use crate::agent::config::{Mode, Owner};
use crate::failure::reason;

/// The permissions of a new file: a staple is public, and the server runs as somebody else.
const MODE: u32 = 0o644;

/// Writes the file, whole or not at all, and its directory if there is none. Gives whether it was
/// another before.
pub(super) async fn write(
    path: &Path,
    staple: &[u8],
    mode: Option<Mode>,
    owner: Option<Owner>,
) -> Result<bool, String> {
    let (owned, staple) = (path.to_owned(), staple.to_owned());
    let written = blocking(move || {
        if std::fs::read(&owned).is_ok_and(|there| there == staple) {
            return Ok(false);
        }
        if let Some(directory) = owned.parent() {
            std::fs::create_dir_all(directory)?;
        }
        replace(&owned, &staple, mode, owner).map(|()| true)
    });
    written.await.map_err(|e| format!("{} cannot be written: {}", path.display(), reason(&e)))
}

/// Puts the file in the place of the one that was there, by renaming: a reader finds the one or the
/// other, and nothing between, also after a crash.
fn replace(path: &Path, staple: &[u8], mode: Option<Mode>, owner: Option<Owner>) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let mode = match (mode, std::fs::metadata(path)) {
        (Some(Mode(mode)), _) => Permissions::from_mode(mode),
        (None, Ok(there)) => there.permissions(),
        (None, Err(_)) => Permissions::from_mode(MODE),
    };
    // Where `output` is a pattern of certificates too, nothing half done is to be taken for one.
    let mut file = tempfile::Builder::new().prefix(".certstatus-").tempfile_in(directory)?;
    file.write_all(staple)?;
    if let Some(Owner { user, group }) = owner {
        fchown(file.as_file(), user, group)?;
    }
    file.as_file().set_permissions(mode)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    // The rename itself is on disk once the directory is.
    File::open(directory)?.sync_all()
}

/// Removes the file. Gives whether there was one.
pub(super) async fn remove(path: &Path) -> Result<bool, String> {
    let owned = path.to_owned();
    match blocking(move || std::fs::remove_file(owned)).await {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(format!("{} cannot be removed: {}", path.display(), reason(&e))),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_written_once_with_its_permissions_and_its_directory() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/staple.der");
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(write(&path, b"one", None, None).await, Ok(true));
        assert_eq!(mode(), 0o644);
        assert_eq!(write(&path, b"one", None, None).await, Ok(false));
        assert_eq!(write(&path, b"two", Some(Mode(0o640)), None).await, Ok(true));
        assert_eq!((std::fs::read(&path).unwrap(), mode()), (b"two".to_vec(), 0o640));
        let me = rustix::process::getuid().as_raw();
        let owner = Owner { user: Some(me), group: None };
        assert_eq!(write(&path, b"three", None, Some(owner)).await, Ok(true));
        assert_eq!(mode(), 0o640, "kept");
        assert_eq!(remove(&path).await, Ok(true));
        assert_eq!(remove(&path).await, Ok(false));
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = write(&file.path().join("x"), b"x", None, None).await.unwrap_err();
        assert!(error.contains("cannot be written"), "{error}");
    }
}
