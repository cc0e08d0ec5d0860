//! What leaves towards the upstream as a request's body: nothing, a held body, or a stream.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use modegate_filters::tags;

use super::Here;
use super::ending::is_cut;
use super::idle::Idle;
use super::pace::Pace;
use super::pool::Protocol;
use super::read::Read;
use super::record::Record;
use super::serving::Busy;
use crate::metrics::Held;

/// Why a request's body broke off on its way to the upstream.
#[derive(Debug)]
pub enum Stopped {
    /// The client failed.
    Client(hyper::Error),
    /// The client sent nothing for `timeouts.idle`, or `timeouts.stream_idle` in a gRPC call.
    Idle,
    /// The client sent less than `limits.upload_rate`.
    Slow,
    /// The client ended it without saying that it was whole.
    Cut,
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stopped::Client(error) => write!(f, "the request's body broke off: {error}"),
            Stopped::Idle => f.write_str("the request's body stopped"),
            Stopped::Slow => f.write_str("the request's body came too slowly"),
            Stopped::Cut => f.write_str("the request's body was reset"),
        }
    }
}

impl std::error::Error for Stopped {}

/// A request's body on its way to the upstream.
#[derive(Debug)]
pub enum Outgoing {
    /// None.
    Empty,
    /// Slices of an inspected body.
    Whole(Whole),
    /// As it comes.
    Stream(Box<Upload>),
}

impl Outgoing {
    /// The slices of an inspected body, and the memory that they hold.
    pub fn whole(slices: Vec<Bytes>, memory: Held<Here>) -> Outgoing {
        let length = slices.iter().map(|slice| slice.len() as u64).sum();
        Outgoing::Whole(Whole { slices: slices.into_iter(), length, _memory: memory })
    }

    /// The client's body as it comes, counted as it is read.
    pub fn stream(
        body: Incoming,
        protocol: Protocol,
        idle: Option<Duration>,
        record: &Record,
    ) -> Outgoing {
        if body.is_end_stream() {
            return Outgoing::Empty;
        }
        let settings = &record.snapshot().settings;
        // What may be silent for ever has no pace either.
        let rate = settings.limits.upload_rate.filter(|_| idle.is_some());
        Outgoing::Stream(Box::new(Upload {
            body,
            protocol,
            idle: Idle::new(idle),
            pace: Pace::new(rate, settings.timeouts.body),
            read: record.read().clone(),
            _busy: record.busy(),
        }))
    }
}

/// An inspected body.
#[derive(Debug)]
pub struct Whole {
    slices: std::vec::IntoIter<Bytes>,
    length: u64,
    _memory: Held<Here>,
}

/// A body that streams through, with its trailers but for tags.
#[derive(Debug)]
pub struct Upload {
    body: Incoming,
    protocol: Protocol,
    idle: Idle,
    pace: Pace,
    read: Arc<Read>,
    /// The answer may end before the body does.
    _busy: Busy,
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Stopped;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Stopped>>> {
        match self.get_mut() {
            Outgoing::Empty => Poll::Ready(None),
            Outgoing::Whole(whole) => Poll::Ready(whole.next().map(|slice| Ok(Frame::data(slice)))),
            Outgoing::Stream(upload) => upload.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Outgoing::Empty => true,
            Outgoing::Whole(whole) => whole.length == 0,
            Outgoing::Stream(upload) => upload.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Outgoing::Empty => SizeHint::with_exact(0),
            Outgoing::Whole(whole) => SizeHint::with_exact(whole.length),
            Outgoing::Stream(upload) => upload.body.size_hint(),
        }
    }
}

impl Whole {
    fn next(&mut self) -> Option<Bytes> {
        let slice = self.slices.next()?;
        self.length -= slice.len() as u64;
        Some(slice)
    }
}

impl Upload {
    /// Where both sides talk at once, as in a stream of messages each way, the body has all the
    /// time that the answer takes, and no more.
    fn is_slow(&mut self, cx: &mut Context<'_>) -> bool {
        !self.read.is_answered() && self.pace.poll_over(cx, self.read.bytes())
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Stopped>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Pending if self.idle.poll_over(cx) => Poll::Ready(Some(Err(Stopped::Idle))),
            Poll::Pending if self.is_slow(cx) => Poll::Ready(Some(Err(Stopped::Slow))),
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) if is_cut(&self.body, self.protocol) => {
                Poll::Ready(Some(Err(Stopped::Cut)))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(Stopped::Client(error)))),
            Poll::Ready(Some(Ok(mut frame))) => {
                self.idle.rest();
                self.pace.rest();
                if let Some(data) = frame.data_ref() {
                    self.read.count(data.len());
                }
                if let Some(trailers) = frame.trailers_mut() {
                    tags::strip(trailers);
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }
}
