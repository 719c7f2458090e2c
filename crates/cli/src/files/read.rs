//! Reading a file whose owner may be hostile.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags};

/// Reads a regular file of 1 to `limit` bytes.
///
/// The file is judged before it is opened for reading, by a descriptor that only names it, so that
/// opening has no effect on a device and waits for no process at a FIFO. Links are followed: what they
/// lead to is judged. A file that grows meanwhile is read as far as it went.
///
/// # Errors
/// When it is not a regular file, is empty as the files of `/proc` are, has more than `limit` bytes, or
/// the system refuses.
pub(crate) fn read_regular(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let named = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let found = rustix::fs::fstat(&named)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
        let text = "it is no regular file; give a file with the certificate";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let length = u64::try_from(found.st_size).unwrap_or(0);
    if length == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it is empty"));
    }
    if length > limit {
        let text = format!("it has {length} bytes, and at most {limit} are read");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    let file = reopen(&named, path, &found)?;
    let mut contents = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(length).read_to_end(&mut contents)?;
    Ok(contents)
}

/// Opens for reading what a descriptor names. Without `/proc`, opens the path once more and compares.
fn reopen(named: &OwnedFd, path: &Path, found: &rustix::fs::Stat) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let own = format!("/proc/self/fd/{}", named.as_raw_fd());
    match rustix::fs::openat(CWD, own.as_str(), flags, Mode::empty()) {
        Ok(file) => Ok(File::from(file)),
        Err(rustix::io::Errno::NOENT) => {
            let file = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
            let now = rustix::fs::fstat(&file)?;
            if (now.st_dev, now.st_ino) != (found.st_dev, found.st_ino) {
                return Err(io::Error::other("it was replaced while it was opened"));
            }
            Ok(File::from(file))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    const LIMIT: u64 = 1000;

    #[test]
    fn regular_file_is_read_also_through_links() {
        let scratch = tempfile::tempdir().unwrap();
        let (file, link) = (scratch.path().join("file"), scratch.path().join("link"));
        fs::write(&file, b"contents").unwrap();
        symlink("file", &link).unwrap();
        assert_eq!(read_regular(&file, LIMIT).unwrap(), b"contents");
        assert_eq!(read_regular(&link, LIMIT).unwrap(), b"contents");
        assert_eq!(read_regular(&link, 8).unwrap(), b"contents");
        assert_eq!(read_regular(&link, 7).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn anything_else_is_refused_at_once() {
        let scratch = tempfile::tempdir().unwrap();
        let fifo = scratch.path().join("fifo");
        rustix::fs::mkfifoat(CWD, &fifo, Mode::RUSR).unwrap();
        let socket = scratch.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let link = scratch.path().join("link");
        symlink("/dev/zero", &link).unwrap();
        for path in [scratch.path(), &fifo, &socket, &link, Path::new("/dev/null")] {
            let error = read_regular(path, LIMIT).unwrap_err();
            assert!(error.to_string().contains("no regular file"), "{path:?}: {error}");
        }
        let empty = scratch.path().join("empty");
        fs::write(&empty, b"").unwrap();
        for path in [&empty, Path::new("/proc/self/status"), Path::new("/proc/kmsg")] {
            let error = read_regular(path, LIMIT).unwrap_err();
            assert!(error.to_string().contains("empty"), "{path:?}: {error}");
        }
        let sparse = scratch.path().join("sparse");
        File::create(&sparse).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(read_regular(&sparse, LIMIT).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
