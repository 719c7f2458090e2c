//! A bounded reader over the connection in the clear: lines, or so many bytes.
//!
//! It reads as much as there is, so that what a server or somebody on the way sends too early is
//! seen, and [`Wire::nothing_left`] can refuse it.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::StartTlsError;

/// How much is read before TLS. Greetings and lists of capabilities have a few hundred bytes; this
/// leaves room for verbose ones and none for a server that never ends.
const LIMIT: usize = 64 * 1024;

/// The connection, and what was read of it and not yet used.
pub(super) struct Wire<'s> {
    stream: &'s mut TcpStream,
    buffer: Vec<u8>,
    used: usize,
}

impl<'s> Wire<'s> {
    pub(super) fn new(stream: &'s mut TcpStream) -> Self {
        Self { stream, buffer: Vec::new(), used: 0 }
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), StartTlsError> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// The next line, without its end. What is not UTF-8 is replaced: lines are compared with ASCII
    /// and shown to people.
    pub(super) async fn line(&mut self) -> Result<String, StartTlsError> {
        let length = loop {
            match self.unused().iter().position(|byte| *byte == b'\n') {
                Some(end) => break end + 1,
                None => self.fill().await?,
            }
        };
        let line = self.take(length);
        Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())
    }

    /// The next tag of XML, from `<` to `>`; text before it is skipped.
    pub(super) async fn tag(&mut self) -> Result<String, StartTlsError> {
        let length = loop {
            match self.unused().iter().position(|byte| *byte == b'>') {
                Some(end) => break end + 1,
                None => self.fill().await?,
            }
        };
        let taken = self.take(length);
        let from = taken.iter().position(|byte| *byte == b'<').unwrap_or(0);
        Ok(String::from_utf8_lossy(taken.get(from..).unwrap_or_default()).into_owned())
    }

    /// The next `length` bytes.
    pub(super) async fn exactly(&mut self, length: usize) -> Result<Vec<u8>, StartTlsError> {
        if length > LIMIT {
            return Err(StartTlsError::TooLong { limit: LIMIT });
        }
        while self.unused().len() < length {
            self.fill().await?;
        }
        Ok(self.take(length))
    }

    /// Refuses what was sent beyond what was asked for.
    pub(super) fn nothing_left(&self) -> Result<(), StartTlsError> {
        match self.unused().len() {
            0 => Ok(()),
            bytes => Err(StartTlsError::Injected(bytes)),
        }
    }

    fn unused(&self) -> &[u8] {
        self.buffer.get(self.used..).unwrap_or_default()
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let taken = self.unused().iter().take(length).copied().collect::<Vec<_>>();
        self.used += taken.len();
        taken
    }

    async fn fill(&mut self) -> Result<(), StartTlsError> {
        if self.buffer.len() >= LIMIT {
            return Err(StartTlsError::TooLong { limit: LIMIT });
        }
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(StartTlsError::Closed),
            _ => Ok(()),
        }
    }
}
