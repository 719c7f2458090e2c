//! A connection that keeps a copy of every byte that goes over it, both ways.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The bytes of a connection as they went over the wire, seen from the server.
#[derive(Clone, Debug, Default)]
pub(super) struct Recording {
    /// From the client.
    pub(super) received: Vec<u8>,
    /// To the client.
    pub(super) sent: Vec<u8>,
}

/// A TCP connection of a server, recorded.
#[derive(Debug)]
pub(super) struct Tap {
    stream: TcpStream,
    recording: Arc<Mutex<Recording>>,
}

impl Tap {
    /// The connection with its tap, and the recording, which is filled as the connection is used.
    pub(super) fn new(stream: TcpStream) -> (Self, Arc<Mutex<Recording>>) {
        let recording = Arc::<Mutex<Recording>>::default();
        (Self { stream, recording: Arc::clone(&recording) }, recording)
    }

    fn recording(&self) -> MutexGuard<'_, Recording> {
        self.recording.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let read = buffer.filled().get(before..).unwrap_or_default();
        self.recording().received.extend_from_slice(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.recording().sent.extend_from_slice(bytes.get(..written).unwrap_or_default());
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
