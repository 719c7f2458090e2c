//! Files among users who are not friends: how the agent reads certificates and writes outputs.
//!
//! The agent may run as root and its configuration may name directories of other users. The owner of
//! such a directory can replace a file between two looks at it, link it to any other file, put a FIFO
//! or a device in its place, or exchange the directory itself for a link. So:
//!
//! - [`read_regular`] judges the file that it has opened, never a path, and opens nothing but regular
//!   files. It waits for no other process and reads a bounded number of bytes.
//! - [`Directory`] is a directory that only root and the agent's own user can change, and so is each
//!   directory above it. Files are created, replaced and removed relative to its descriptor. In any
//!   other directory nothing is written.
//! - The mode and the owner of a new file come from the configuration or from a file of the agent's own.
//!   A file never gets more than mode 0666, so never a set-user-ID bit.
//!
//! [`write_out()`] is for a path that a user names on the command line, such as `/dev/stdout`.

mod directory;
mod read;
mod replace;
mod write_out;

pub(crate) use directory::Directory;
pub(crate) use read::read_regular;
pub(crate) use replace::Access;
pub(crate) use write_out::write_out;
