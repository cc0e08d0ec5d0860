//! A client's connection with what hyper does not keep: deadlines for its idle time apart from the
//! time that a head may take, an end to writes that the client does not take, a strict reading of
//! where requests begin and end, and a close that does not lose the last answer.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use modegate_config::Timeouts;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::framed::Framed;
use super::idle::Idle;
use super::linger::Linger;
use super::serving::Serving;

/// What a client's connection runs over.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Transport for T {}

/// A client's connection. Reads end when a head does not come, or not in time; writes end when
/// nothing is taken for `timeouts.idle`.
pub struct ClientIo<T> {
    stream: T,
    /// What was read of the stream already.
    begun: Bytes,
    protocol: Protocol,
    serving: Serving,
    head: Duration,
    keep_alive: Duration,
    waiting: Waiting,
    /// The number of requests that were over when the wait began.
    after: u32,
    deadline: Option<Pin<Box<Sleep>>>,
    write: Write,
    stall: Idle,
    /// Whether something was written after the last read.
    answered: bool,
    linger: Option<Linger>,
}

enum Protocol {
    /// Read strictly.
    Http1(Framed),
    Http2,
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Write {
    Taken,
    Stalled,
}

impl<T: Transport> ClientIo<T> {
    /// A connection that has `timeouts.header` for each request's head, from its first byte on
    /// (from the accept on for the first), and `timeouts.keep_alive` for that first byte to come.
    /// `begun` is what was read of it already.
    pub fn http1(stream: T, serving: Serving, timeouts: &Timeouts, begun: &[u8]) -> ClientIo<T> {
        ClientIo::new(Protocol::Http1(Framed::new()), stream, serving, timeouts, begun)
    }

    /// A connection that has `timeouts.header` until its first request. Later ones begin among
    /// frames of other streams: what is idle then is not seen here.
    pub fn http2(stream: T, serving: Serving, timeouts: &Timeouts, begun: &[u8]) -> ClientIo<T> {
        ClientIo::new(Protocol::Http2, stream, serving, timeouts, begun)
    }

    fn new(
        protocol: Protocol,
        stream: T,
        serving: Serving,
        timeouts: &Timeouts,
        begun: &[u8],
    ) -> ClientIo<T> {
        ClientIo {
            stream,
            begun: Bytes::copy_from_slice(begun),
            protocol,
            serving,
            head: timeouts.header,
            keep_alive: timeouts.keep_alive,
            waiting: Waiting::Head(Deadline::Unset),
            after: 0,
            deadline: None,
            write: Write::Taken,
            stall: Idle::new(Some(timeouts.idle)),
            answered: false,
            linger: None,
        }
    }

    /// Follows the requests: what is waited for changes as they begin and end.
    fn follow(&mut self) {
        match self.serving.idle_since() {
            Some(1..) if matches!(self.protocol, Protocol::Http2) => self.waiting = Waiting::Not,
            None => self.waiting = Waiting::Not,
            Some(ended) if self.waiting == Waiting::Not || ended != self.after => {
                self.after = ended;
                self.waiting = Waiting::Next(Deadline::Unset);
            }
            Some(_) => {}
        }
    }

    /// Called when nothing is there to be read. The deadline is set here and not when the wait
    /// begins: most heads are there in one read, and need none. While an answer is still on its
    /// way out, the client need not ask for another.
    fn poll_overdue(&mut self, cx: &mut Context<'_>) -> bool {
        if self.write == Write::Stalled {
            return false;
        }
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
            let at = Instant::now() + limit;
            match &mut self.deadline {
                Some(deadline) => deadline.as_mut().reset(at),
                None => self.deadline = Some(Box::pin(tokio::time::sleep_until(at))),
            }
        }
        self.deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(cx).is_ready())
    }

    fn poll_stream(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.begun.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let length = self.begun.len().min(buf.remaining());
        buf.put_slice(&self.begun.copy_to_bytes(length));
        Poll::Ready(Ok(()))
    }

    /// Watches what became of a write.
    fn written<R>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if polled.is_ready() {
            self.stall.rest();
            if std::mem::replace(&mut self.write, Write::Taken) == Write::Stalled {
                // The deadline of the next head was held back; it is set at the next read.
                cx.waker().wake_by_ref();
            }
            return polled;
        }
        self.write = Write::Stalled;
        match !self.serving.is_tunnel() && self.stall.poll_over(cx) {
            true => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            false => Poll::Pending,
        }
    }
}

impl<T: Transport> AsyncRead for ClientIo<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.follow();
        if let Protocol::Http1(framed) = &mut this.protocol {
            if let Some(read) = framed.behind_fault(buf) {
                return Poll::Ready(read);
            }
            if this.waiting == Waiting::Not {
                // hyper asks for no other read when the request ends, as one is registered already:
                // it is woken to ask, so that the wait for the next head has its deadline.
                this.serving.wake_at_end(cx);
                this.follow();
            }
        }
        let before = buf.filled().len();
        match this.poll_stream(cx, buf) {
            Poll::Pending if this.poll_overdue(cx) => {
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Pending => Poll::Pending,
            read => {
                if let Waiting::Next(_) = this.waiting {
                    this.waiting = Waiting::Head(Deadline::Unset);
                }
                this.answered = false;
                if let Protocol::Http1(framed) = &mut this.protocol {
                    framed.judge(buf, before);
                    if buf.filled().len() == before
                        && let Some(read) = framed.behind_fault(buf)
                    {
                        return Poll::Ready(read);
                    }
                }
                read
            }
        }
    }
}

impl<T: Transport> AsyncWrite for ClientIo<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.answered |= polled.is_ready();
        this.written(cx, polled)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_flush(cx);
        this.written(cx, polled)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger.is_none() {
            let polled = Pin::new(&mut this.stream).poll_shutdown(cx);
            ready!(this.written(cx, polled))?;
        }
        if this.serving.is_tunnel() {
            // The other direction goes on.
            return Poll::Ready(Ok(()));
        }
        let owed = match &this.protocol {
            Protocol::Http1(framed) => framed.owes(this.answered),
            Protocol::Http2 => false,
        };
        let linger = this.linger.get_or_insert_default();
        linger.poll(cx, &mut this.stream, owed).map(Ok)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.answered |= polled.is_ready();
        this.written(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
