//! Limits on connections to the page, because any local user may open them.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

/// At most this many connections are open, because each takes a descriptor and the agent needs the
/// rest for certificates and staples. More wait in the kernel's queue.
const CONNECTIONS: usize = 64;

/// A connection is closed after this time, whatever it does: a request's header, its answer and an
/// idle connection kept alive all count. The largest answers take a few seconds.
const TOTAL: Duration = Duration::from_secs(15);

/// A listener with at most `CONNECTIONS` connections at a time.
pub(super) struct Limited {
    listener: TcpListener,
    free: Arc<Semaphore>,
    total: Duration,
}

impl Limited {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self::with(listener, CONNECTIONS, TOTAL)
    }

    fn with(listener: TcpListener, connections: usize, total: Duration) -> Self {
        Self { listener, free: Arc::new(Semaphore::new(connections)), total }
    }
}

impl Listener for Limited {
    type Io = Timed;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Timed, SocketAddr) {
        // The semaphore is never closed.
        let permit = Arc::clone(&self.free).acquire_owned().await.ok();
        // axum's own listener waits after an error such as too many open files.
        let (stream, address) = Listener::accept(&mut self.listener).await;
        (Timed { stream, end: Box::pin(sleep(self.total)), _permit: permit }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that fails at its end of time.
pub(super) struct Timed {
    stream: TcpStream,
    end: Pin<Box<Sleep>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Timed {
    /// Returns the stream, or an error when its time is over.
    fn in_time(&mut self, context: &mut Context<'_>) -> io::Result<Pin<&mut TcpStream>> {
        match self.end.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(Pin::new(&mut self.stream)),
        }
    }
}

impl AsyncRead for Timed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.in_time(context)?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Timed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.in_time(context)?.poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.in_time(context)?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.in_time(context)?.poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::timeout;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn idle_connections_end_and_others_are_served() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limited = Limited::with(listener, 2, Duration::from_millis(500));
        let router = axum::Router::new().route("/", axum::routing::get(|| async { "served" }));
        tokio::spawn(axum::serve(limited, router).into_future());
        let mut idle = Vec::new();
        for _ in 0..6 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET /").await.unwrap();
            idle.push(stream);
        }
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(answer.ends_with("served"), "{answer}");
        for mut stream in idle {
            // Closed or reset: either way the connection has ended.
            let _ = timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await.unwrap();
        }
    }

    #[tokio::test]
    async fn no_more_connections_are_accepted_than_the_limit() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut limited = Limited::with(listener, 1, PATIENCE);
        let _clients = [
            TcpStream::connect(address).await.unwrap(),
            TcpStream::connect(address).await.unwrap(),
        ];
        let (first, _) = limited.accept().await;
        assert!(timeout(Duration::from_millis(200), limited.accept()).await.is_err());
        drop(first);
        assert!(timeout(PATIENCE, limited.accept()).await.is_ok());
    }
}
