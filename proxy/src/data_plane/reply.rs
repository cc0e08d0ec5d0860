//! The body of an answer, with the request's record in it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use modegate_filters::tags;

use super::ending::is_cut;
use super::idle::Idle;
use super::pool::Lease;
use super::record::Record;

/// Why an answer broke off; the client sees a cut, never a clean end.
#[derive(Debug)]
pub enum Broken {
    /// The upstream failed.
    Upstream(hyper::Error),
    /// The upstream ended it without saying that it was whole.
    Cut,
    /// The upstream sent nothing, or the client took nothing, for `timeouts.idle`.
    Idle,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Broken::Upstream(error) => write!(f, "the upstream's answer broke off: {error}"),
            Broken::Cut => f.write_str("the upstream reset its answer"),
            Broken::Idle => f.write_str("the answer stopped"),
        }
    }
}

impl std::error::Error for Broken {}

/// An answer's body.
#[derive(Debug)]
pub struct Reply {
    source: Source,
    record: Option<Box<Record>>,
}

#[derive(Debug)]
enum Source {
    Whole(Option<Bytes>),
    Upstream {
        /// What of it was read, and looked at, already.
        before: VecDeque<Frame<Bytes>>,
        body: Incoming,
        lease: Lease,
        idle: Idle,
    },
    /// Read and looked at already.
    Held {
        frames: VecDeque<Frame<Bytes>>,
        left: SizeHint,
    },
    Breaking(Broken),
    Ended,
}

impl Reply {
    /// An answer of our own.
    pub fn whole(body: Bytes, record: Box<Record>) -> Reply {
        Reply { source: Source::Whole(Some(body)), record: Some(record) }
    }

    /// The upstream's answer, chunk by chunk; its connection goes back to the pool at the end.
    pub fn upstream(
        body: Incoming,
        lease: Lease,
        idle: Option<Duration>,
        record: Box<Record>,
    ) -> Reply {
        Reply::upstream_after(VecDeque::new(), body, lease, idle, record)
    }

    /// The same after what of it was read already.
    pub fn upstream_after(
        before: VecDeque<Frame<Bytes>>,
        body: Incoming,
        lease: Lease,
        idle: Option<Duration>,
        record: Box<Record>,
    ) -> Reply {
        let source = Source::Upstream { before, body, lease, idle: Idle::new(idle) };
        let mut reply = Reply { source, record: Some(record) };
        reply.end_if_over();
        reply
    }

    /// An answer that was read to its end before its head was sent on; its length is said where
    /// the upstream said it.
    pub fn held(frames: VecDeque<Frame<Bytes>>, said: Option<u64>, record: Box<Record>) -> Reply {
        let left = said.map_or_else(SizeHint::new, SizeHint::with_exact);
        let mut reply = Reply { source: Source::Held { frames, left }, record: Some(record) };
        reply.end_if_over();
        reply
    }

    /// Whether nothing of it is to be sent: there is nothing, or nobody asked for it.
    pub fn is_over(&self) -> bool {
        let is_own = matches!(self.source, Source::Whole(_));
        self.is_end_stream() || is_own && !self.is_asked_for()
    }

    /// A HEAD asks for no body.
    fn is_asked_for(&self) -> bool {
        !self.record.as_ref().is_some_and(|record| record.is_head())
    }

    /// The empty body of a 101, whose record went with the tunnel.
    pub fn switching() -> Reply {
        Reply { source: Source::Ended, record: None }
    }

    fn end_if_over(&mut self) {
        let over = match &self.source {
            Source::Upstream { before, body, .. } => before.is_empty() && body.is_end_stream(),
            Source::Held { frames, .. } => frames.is_empty(),
            _ => false,
        };
        if over {
            self.end();
        }
    }

    fn end(&mut self) {
        if let Source::Upstream { lease, .. } = std::mem::replace(&mut self.source, Source::Ended) {
            lease.release();
        }
        if let Some(record) = &mut self.record {
            record.finished();
        }
    }

    /// The connection drops what it has not written yet when a body fails, the head too. So it is
    /// told at the next poll, after it was given the time to write what came before.
    fn cut(
        &mut self,
        broken: Broken,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.source = Source::Breaking(broken);
        if let Some(record) = &mut self.record {
            record.cut();
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn sent(&mut self, data: Option<&Bytes>) {
        if let Some((record, data)) = self.record.as_mut().zip(data) {
            record.sent(data.len());
        }
    }

    fn passed(&mut self, data: Option<&Bytes>) {
        if let Some((record, data)) = self.record.as_mut().zip(data) {
            record.see(data);
        }
        self.sent(data);
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        let (body, protocol, idle) = match &mut this.source {
            Source::Ended => return Poll::Ready(None),
            Source::Breaking(_) => {
                return match std::mem::replace(&mut this.source, Source::Ended) {
                    Source::Breaking(broken) => Poll::Ready(Some(Err(broken))),
                    _ => Poll::Ready(None),
                };
            }
            Source::Whole(bytes) => {
                let bytes = bytes.take().filter(|bytes| !bytes.is_empty());
                this.sent(bytes.as_ref());
                this.end();
                return Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))));
            }
            Source::Held { frames, left } => {
                let frame = frames.pop_front();
                if let (Some(data), Some(length)) =
                    (frame.as_ref().and_then(Frame::data_ref), left.exact())
                {
                    *left = SizeHint::with_exact(length.saturating_sub(data.len() as u64));
                }
                this.sent(frame.as_ref().and_then(Frame::data_ref));
                this.end_if_over();
                return Poll::Ready(frame.map(Ok));
            }
            Source::Upstream { before, body, lease, idle } => {
                if let Some(frame) = before.pop_front() {
                    this.sent(frame.data_ref());
                    this.end_if_over();
                    return Poll::Ready(Some(Ok(frame)));
                }
                (body, lease.protocol(), idle)
            }
        };
        match Pin::new(&mut *body).poll_frame(cx) {
            Poll::Pending if idle.poll_over(cx) => this.cut(Broken::Idle, cx),
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(mut frame))) => {
                idle.rest();
                this.passed(frame.data_ref());
                match frame.trailers_mut() {
                    None => this.end_if_over(),
                    // Nothing comes after them, and nobody asks.
                    Some(trailers) => {
                        tags::strip(trailers);
                        this.end();
                    }
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => this.cut(Broken::Upstream(error), cx),
            Poll::Ready(None) if is_cut(body, protocol) => this.cut(Broken::Cut, cx),
            Poll::Ready(None) => {
                this.end();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Ended => true,
            Source::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Source::Upstream { before, body, .. } => before.is_empty() && body.is_end_stream(),
            Source::Held { frames, .. } => frames.is_empty(),
            Source::Breaking(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Ended => SizeHint::with_exact(0),
            Source::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Source::Upstream { before, body, .. } if before.is_empty() => body.size_hint(),
            Source::Upstream { .. } => SizeHint::new(),
            Source::Held { left, .. } => *left,
            Source::Breaking(_) => SizeHint::new(),
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        // A body that is not asked for is over all the same.
        let asked_for = self.is_asked_for();
        if matches!(&self.source, Source::Whole(Some(bytes)) if bytes.is_empty() || !asked_for) {
            self.end();
        }
    }
}
