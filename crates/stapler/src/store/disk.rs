//! A store of files: one per certificate, the response in DER and nothing else, so that nginx,
//! haproxy and lighttpd read it as it is.
//!
//! A file is there whole or not at all: written beside its place, synced, renamed, and the directory
//! synced, so that a kill or a power cut at any instant leaves the old file or the new one.

use std::error::Error;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use certstatus::{Limits, VerifiedResponse};

use super::Store;
use crate::{BoxFuture, Fingerprint, StoreError};

/// What the names of files begin with while they are written.
const TEMPORARY: &str = ".certstatus-";

/// Where files go that are no response for their certificate.
const SET_ASIDE: &str = "set-aside";

/// A temporary file of this age belongs to nobody any more: a write takes seconds.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Keeps responses in a directory, as `FINGERPRINT.der`. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DiskStore {
    directory: Arc<Path>,
}

impl DiskStore {
    /// Opens the store in that directory, which is made if it is not there, and clears away what
    /// writes that were cut off have left. Files of other names are left alone.
    ///
    /// # Errors
    /// [`StoreError`] when the directory cannot be made, read or written.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let directory = directory.into();
        open(&directory).map_err(|e| {
            StoreError::new(format!("{} cannot be used as a store", directory.display()), e)
        })?;
        Ok(Self { directory: directory.into() })
    }

    /// The file of that certificate, whether it is there or not.
    pub fn path(&self, id: &Fingerprint) -> PathBuf {
        self.directory.join(format!("{id}.der"))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        what: &'static str,
        id: &Fingerprint,
        act: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let path = self.path(id);
        match tokio::task::spawn_blocking(move || act(&path)).await {
            Ok(done) => done.map_err(|e| self.error(what, id, e)),
            Err(stopped) => Err(self.error(what, id, stopped)),
        }
    }

    fn error(
        &self,
        what: &str,
        id: &Fingerprint,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> StoreError {
        StoreError::new(format!("{} cannot be {what}", self.path(id).display()), cause)
    }
}

impl Store for DiskStore {
    fn load<'a>(
        &'a self,
        id: &'a Fingerprint,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        Box::pin(self.blocking("read", id, read_if_there))
    }

    /// One visit to another thread for all of them: that costs as much as reading some ten files.
    fn load_each<'a>(
        &'a self,
        ids: &'a [Fingerprint],
    ) -> BoxFuture<'a, Vec<Result<Option<Vec<u8>>, StoreError>>> {
        let paths: Vec<_> = ids.iter().map(|id| self.path(id)).collect();
        Box::pin(async move {
            let each = move || paths.iter().map(|path| read_if_there(path)).collect::<Vec<_>>();
            match tokio::task::spawn_blocking(each).await {
                Ok(found) => found
                    .into_iter()
                    .zip(ids)
                    .map(|(found, id)| found.map_err(|e| self.error("read", id, e)))
                    .collect(),
                Err(stopped) => {
                    let stopped = stopped.to_string();
                    ids.iter().map(|id| Err(self.error("read", id, stopped.clone()))).collect()
                }
            }
        })
    }

    fn save<'a>(
        &'a self,
        id: &'a Fingerprint,
        response: &'a VerifiedResponse,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let der = response.shared_der();
        Box::pin(self.blocking("written", id, move |path| write_atomically(path, &der)))
    }

    fn remove<'a>(&'a self, id: &'a Fingerprint) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.blocking("removed", id, |path| match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }))
    }

    fn set_aside<'a>(
        &'a self,
        id: &'a Fingerprint,
    ) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        Box::pin(self.blocking("set aside", id, |path| {
            let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
                return Ok(None);
            };
            let aside = directory.join(SET_ASIDE);
            fs::create_dir_all(&aside)?;
            let place = aside.join(name);
            fs::rename(path, &place)?;
            Ok(Some(place.display().to_string()))
        }))
    }
}

fn open(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let now = SystemTime::now();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if !entry.file_name().as_encoded_bytes().starts_with(TEMPORARY.as_bytes()) {
            continue;
        }
        // Another process may clear away the same.
        let Ok(modified) = entry.metadata().and_then(|found| found.modified()) else { continue };
        if now.duration_since(modified).is_ok_and(|age| age > ABANDONED) {
            let _ = fs::remove_file(entry.path());
        }
    }
    // Better to know now than when the first staple is lost.
    tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(directory).map(drop)
}

fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match read(path) {
        Ok(contents) => Ok(Some(contents)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Reads a file that should be a response: no more of it than a response may have, and a pipe or a
/// device not at all.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let limit = Limits::default().response as u64;
    let file = OpenOptions::new().read(true).custom_flags(DO_NOT_WAIT).open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    // It is read whole by one call, and the next one tells that this was all.
    let length = usize::try_from(found.len().min(limit)).unwrap_or_default();
    let mut contents = Vec::with_capacity(length + 1);
    // One byte more tells that there is more; the verifier refuses it as too long.
    file.take(limit + 1).read_to_end(&mut contents)?;
    Ok(contents)
}

/// Opening a pipe must not wait for somebody to write into it.
const DO_NOT_WAIT: i32 = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();

/// The most that the mode of a file may have: a staple is never executable, and never runs as its owner.
const MAX_MODE: u32 = 0o666;

/// The mode that a new file takes over from the one that it replaces.
fn own_mode(path: &Path) -> Option<u32> {
    let found = fs::symlink_metadata(path).ok()?;
    let own = [0, rustix::process::geteuid().as_raw()].contains(&found.uid());
    (own && found.is_file()).then(|| found.mode() & MAX_MODE)
}

/// Writes a file atomically: a reader finds the old contents or the new, and nothing between, also
/// after a crash. A regular file of this user or of root keeps its mode, but for the bits beyond 0666. A
/// link is replaced, and what it leads to is left as it is.
///
/// # Errors
/// What the system says when it cannot be written; then what was there is untouched.
pub fn write_atomically(path: &Path, contents: &[u8]) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    let mode = own_mode(path);
    if mode.is_none() {
        // A staple is public: the server may run as another user. The umask still counts.
        builder.permissions(Permissions::from_mode(MAX_MODE));
    }
    let mut file = builder.tempfile_in(directory)?;
    file.write_all(contents)?;
    if let Some(mode) = mode {
        file.as_file().set_permissions(Permissions::from_mode(mode))?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    // The rename itself is on disk once the directory is.
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn files_are_replaced_whole_and_leave_nothing_beside_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("staple.der");
        write_atomically(&path, b"one").unwrap();
        assert_ne!(mode(&path), 0o600, "readable for others as far as the umask allows");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(mode(&path), 0o640);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn links_and_special_modes_are_not_taken_over() {
        let directory = tempfile::tempdir().unwrap();
        let (path, other) = (directory.path().join("x.der"), directory.path().join("other"));
        fs::write(&other, b"other").unwrap();
        fs::set_permissions(&other, Permissions::from_mode(0o6777)).unwrap();
        std::os::unix::fs::symlink("other", &path).unwrap();
        write_atomically(&path, b"one").unwrap();
        assert_eq!(fs::symlink_metadata(&path).unwrap().mode() & 0o7111, 0);
        assert_eq!(fs::read(&other).unwrap(), b"other");
        fs::set_permissions(&path, Permissions::from_mode(0o6755)).unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o644);
    }

    #[test]
    fn opening_clears_away_what_was_cut_off_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let old = SystemTime::now() - 2 * ABANDONED;
        for name in [".certstatus-old", ".certstatus-new", "other", "x.der"] {
            fs::write(path(name), b"x").unwrap();
        }
        for name in [".certstatus-old", "other", "x.der"] {
            File::options().write(true).open(path(name)).unwrap().set_modified(old).unwrap();
        }
        DiskStore::open(directory.path()).unwrap();
        assert!(!path(".certstatus-old").exists());
        for name in [".certstatus-new", "other", "x.der"] {
            assert!(path(name).exists(), "{name}");
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_place_that_cannot_be_used_is_named() {
        let error = DiskStore::open("/proc/nowhere").unwrap_err().to_string();
        assert!(error.contains("/proc/nowhere cannot be used as a store"), "{error}");
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, b"").unwrap();
        assert!(DiskStore::open(file).is_err());
    }

    #[tokio::test]
    async fn what_is_no_regular_file_is_an_error_and_long_ones_are_cut() {
        let directory = tempfile::tempdir().unwrap();
        let store = DiskStore::open(directory.path()).unwrap();
        let id = Fingerprint::of(b"x");
        assert_eq!(store.load(&id).await.unwrap(), None);
        fs::create_dir(store.path(&id)).unwrap();
        assert!(store.load(&id).await.is_err());
        let place = store.set_aside(&id).await.unwrap().unwrap();
        assert!(place.ends_with(&format!("set-aside/{id}.der")), "{place}");
        fs::write(store.path(&id), vec![0; 1 << 20]).unwrap();
        assert_eq!(store.load(&id).await.unwrap().unwrap().len(), Limits::default().response + 1);
        store.remove(&id).await.unwrap();
        store.remove(&id).await.unwrap();
        assert_eq!(store.load(&id).await.unwrap(), None);
    }

    #[tokio::test]
    async fn of_many_each_is_read_or_refused_by_itself() {
        let directory = tempfile::tempdir().unwrap();
        let store = DiskStore::open(directory.path()).unwrap();
        let ids = ["there", "wrong", "nowhere"].map(|name| Fingerprint::of(name.as_bytes()));
        fs::write(store.path(&ids[0]), b"contents").unwrap();
        fs::create_dir(store.path(&ids[1])).unwrap();
        let found = store.load_each(&ids).await;
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].as_ref().unwrap().as_deref(), Some(&b"contents"[..]));
        let refused = found[1].as_ref().unwrap_err().to_string();
        assert!(refused.contains(&format!("{}.der cannot be read", ids[1])), "{refused}");
        assert_eq!(found[2].as_ref().unwrap(), &None);
    }
}
