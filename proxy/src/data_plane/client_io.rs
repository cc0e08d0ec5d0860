//! A client's connection with deadlines that hyper does not keep: its idle time apart from the
//! time that a head may take.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use pingora_core::protocols::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// Whether a request is being served on a connection.
#[derive(Clone, Debug, Default)]
pub struct Serving(Arc<AtomicBool>);

impl Serving {
    /// A request's head is there.
    pub fn begin(&self) {
        self.0.store(true, Relaxed);
    }

    /// Its answer is on its way; the next head may come.
    pub fn end(&self) {
        self.0.store(false, Relaxed);
    }

    fn now(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// A client's connection, whose reads end when a head does not come, or not in time.
pub struct ClientIo {
    stream: Stream,
    serving: Serving,
    head: Duration,
    keep_alive: Duration,
    waiting: Waiting,
    timer: Option<Pin<Box<Sleep>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// For a head that has begun, or for the first one; whether its deadline is set.
    Head(Deadline),
    /// For the first byte of another head.
    Next(Deadline),
    /// For nothing: a request is being served.
    Not,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Deadline {
    Unset,
    Set,
}

impl ClientIo {
    /// A connection that has `head` for each request's head, from its first byte on (from the
    /// accept on for the first), and `keep_alive` for that first byte to come.
    pub fn new(stream: Stream, serving: Serving, head: Duration, keep_alive: Duration) -> ClientIo {
        let waiting = Waiting::Head(Deadline::Unset);
        ClientIo { stream, serving, head, keep_alive, waiting, timer: None }
    }

    /// Called when nothing is there to be read. The deadline is set here and not when the wait
    /// begins: most heads are there in one read, and need none.
    fn poll_overdue(&mut self, cx: &mut Context<'_>) -> bool {
        let limit = match self.waiting {
            Waiting::Not => return false,
            Waiting::Head(Deadline::Unset) => {
                self.waiting = Waiting::Head(Deadline::Set);
                Some(self.head)
            }
            Waiting::Next(Deadline::Unset) => {
                self.waiting = Waiting::Next(Deadline::Set);
                Some(self.keep_alive)
            }
            Waiting::Head(Deadline::Set) | Waiting::Next(Deadline::Set) => None,
        };
        if let Some(limit) = limit {
            let deadline = Instant::now() + limit;
            match &mut self.timer {
                Some(timer) => timer.as_mut().reset(deadline),
                None => self.timer = Some(Box::pin(tokio::time::sleep_until(deadline))),
            }
        }
        self.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready())
    }
}

impl AsyncRead for ClientIo {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match (this.serving.now(), this.waiting) {
            (true, Waiting::Head(_) | Waiting::Next(_)) => this.waiting = Waiting::Not,
            (false, Waiting::Not) => this.waiting = Waiting::Next(Deadline::Unset),
            _ => {}
        }
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            Poll::Pending if this.poll_overdue(cx) => {
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Pending => Poll::Pending,
            read => {
                if let Waiting::Next(_) = this.waiting {
                    this.waiting = Waiting::Head(Deadline::Unset);
                }
                read
            }
        }
    }
}

impl AsyncWrite for ClientIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
