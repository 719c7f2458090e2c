//! Writing to a path that a user names on the command line.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use certstatus_stapler::store::write_atomically;
use rustix::fs::OFlags;

/// Writes a file whole or not at all, or writes to the device, pipe or descriptor that is there.
///
/// `/dev/stdout`, `/dev/fd/3`, `/dev/null` and FIFOs are written to. Anything else is replaced by a new
/// file; a link to a file is replaced, and the file that it leads to is kept.
///
/// # Errors
/// When it cannot be written; then a regular file that was there is untouched.
pub(crate) fn write_out(path: &Path, contents: &[u8]) -> io::Result<()> {
    match stream(path)? {
        Some(mut stream) => {
            stream.write_all(contents)?;
            stream.flush()
        }
        None => write_atomically(path, contents),
    }
}

/// The device, pipe or descriptor at that path, opened for writing.
fn stream(path: &Path) -> io::Result<Option<File>> {
    let is_stream = std::fs::metadata(path).is_ok_and(|found| {
        let kind = found.file_type();
        kind.is_char_device() || kind.is_block_device() || kind.is_fifo() || kind.is_socket()
    });
    if !is_stream && !is_descriptor(path) {
        return Ok(None);
    }
    // Does not wait for a reader of a FIFO, and never makes a terminal this process's own.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let opened = OpenOptions::new().append(true).custom_flags(flags).open(path);
    let stream = opened.map_err(|error| match error.raw_os_error() {
        Some(number) if number == rustix::io::Errno::NXIO.raw_os_error() => io::Error::new(
            error.kind(),
            "no process reads from it; start the reader first, or give the path of a file",
        ),
        _ => error,
    })?;
    // Writing waits: a pipe takes only part of a response at a time.
    let flags = rustix::fs::fcntl_getfl(&stream)?;
    rustix::fs::fcntl_setfl(&stream, flags - OFlags::NONBLOCK)?;
    Ok(Some(stream))
}

/// Whether the path leads to a descriptor of a process, as `/dev/stdout` does, also when that is a file.
fn is_descriptor(path: &Path) -> bool {
    const MAX_LINKS: usize = 40;
    let mut at = path.to_owned();
    for _ in 0..MAX_LINKS {
        if at.starts_with("/proc") || at.starts_with("/dev/fd") {
            return true;
        }
        let Ok(target) = std::fs::read_link(&at) else { return false };
        at = at.parent().unwrap_or(Path::new("/")).join(target);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Read;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    #[test]
    fn descriptor_is_written_to_and_its_link_kept() {
        let scratch = tempfile::tempdir().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        let link = scratch.path().join("stdout");
        symlink(format!("/proc/self/fd/{}", file.as_file().as_raw_fd()), &link).unwrap();
        write_out(&link, b"one").unwrap();
        write_out(&link, b"two").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(file.path()).unwrap(), b"onetwo");
    }

    #[test]
    fn pipe_is_written_to_when_it_is_read() {
        let scratch = tempfile::tempdir().unwrap();
        let fifo = scratch.path().join("fifo");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, mode).unwrap();
        let error = write_out(&fifo, b"x").unwrap_err();
        assert!(error.to_string().contains("no process reads"), "{error}");
        let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
        let mut reader =
            OpenOptions::new().read(true).custom_flags(nonblocking).open(&fifo).unwrap();
        write_out(&fifo, b"staple").unwrap();
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert_eq!(read, b"staple");
        assert!(fs::symlink_metadata(&fifo).unwrap().file_type().is_fifo());
    }

    #[test]
    fn link_to_a_file_gives_nothing_to_the_new_file() {
        let scratch = tempfile::tempdir().unwrap();
        let (target, link) = (scratch.path().join("su"), scratch.path().join("link"));
        fs::write(&target, b"su").unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(0o4755)).unwrap();
        symlink("su", &link).unwrap();
        write_out(&link, b"staple").unwrap();
        assert_eq!(fs::symlink_metadata(&link).unwrap().mode() & 0o7111, 0);
        assert_eq!(fs::read(&target).unwrap(), b"su");
    }
}
