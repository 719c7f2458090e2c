//! The body of an HTTP response: whole, or one byte at a time.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Bytes, Frame, SizeHint};
use tokio::time::{Instant, Interval};

/// Bytes, and how fast they go out.
#[derive(Debug)]
pub(crate) struct Body {
    bytes: Bytes,
    pace: Option<Pace>,
}

#[derive(Debug)]
struct Pace {
    interval: Interval,
    end: Instant,
}

impl Body {
    /// All bytes at once.
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self { bytes, pace: None }
    }

    /// One byte per interval; after `hold` the body fails, and with it the connection.
    pub(crate) fn dripping(bytes: Bytes, interval: Duration, hold: Duration) -> Self {
        let pace = Pace { interval: tokio::time::interval(interval), end: Instant::now() + hold };
        Self { bytes, pace: Some(pace) }
    }

    /// Takes the bytes out.
    pub(crate) fn take(&mut self) -> Bytes {
        std::mem::take(&mut self.bytes)
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        let Some(pace) = &mut self.pace else {
            return Poll::Ready(Some(Ok(Frame::data(self.take()))));
        };
        if ready!(pace.interval.poll_tick(cx)) >= pace.end {
            return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
        }
        Poll::Ready(Some(Ok(Frame::data(self.bytes.split_to(1)))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}
