//! Signs of life of a connection.
//!
//! hyper gives a client so long for the head of a request, once it knows which version of HTTP it speaks. Whoever says
//! nothing, half of a greeting, or does not read the answer, would stay for ever and take a file handle each.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How long a client may take to send the head of a request; of the first one, from when it connected.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a connection may be without a byte in either direction, once or twice over. Longer than a request may take.
const STILLNESS: Duration = Duration::from_secs(75);

/// What is known of a connection that others work with.
#[derive(Debug, Default)]
pub(super) struct Vitals {
    asked: AtomicBool,
    moved: AtomicBool,
}

impl Vitals {
    /// Notes that a whole head of a request came.
    pub(super) fn asked(&self) {
        raise(&self.asked);
    }

    fn moved(&self) {
        raise(&self.moved);
    }

    /// Waits until there is no use in waiting any longer, and says why.
    pub(super) async fn lost(&self) -> &'static str {
        tokio::time::sleep(HEAD_TIMEOUT).await;
        if !self.asked.load(Ordering::Relaxed) {
            return "it asked for nothing";
        }
        while self.moved.swap(false, Ordering::Relaxed) {
            tokio::time::sleep(STILLNESS).await;
        }
        "it stands still"
    }
}

fn raise(flag: &AtomicBool) {
    // A look before a write keeps the line of memory where it is.
    if !flag.load(Ordering::Relaxed) {
        flag.store(true, Ordering::Relaxed);
    }
}

/// A stream that notes when bytes move.
#[derive(Debug)]
pub(super) struct Watched<S> {
    pub(super) stream: S,
    pub(super) vitals: Arc<Vitals>,
}

impl<S> Watched<S> {
    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(written, Poll::Ready(Ok(count)) if count > 0) {
            self.vitals.moved();
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.vitals.moved();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
