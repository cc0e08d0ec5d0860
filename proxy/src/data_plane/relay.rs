//! An answer's body on its way to an HTTP/2 stream.
//!
//! A stream whose window is full is not asked for more: nothing would notice for how long its
//! client takes nothing, while the upstream's connection waits for it, and the request is in
//! flight. So the body is read by a task of its own, one frame ahead, and given up when that frame
//! is not taken in time.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout;

use super::reply::{Broken, Reply};

/// What a stream takes.
#[derive(Debug)]
pub enum Relay {
    /// Nothing.
    Nothing,
    /// A body that its task reads.
    Behind {
        /// What the task read.
        pieces: Receiver<Piece>,
        /// The bytes that are still to come, where that is known.
        left: Option<u64>,
        /// Whether its end was read.
        end: Option<End>,
    },
}

/// What the task hands over.
#[derive(Debug)]
pub struct Piece {
    frame: Option<Result<Frame<Bytes>, Broken>>,
    end: Option<End>,
}

/// The body's own end; without it, it was given up.
#[derive(Clone, Copy, Debug)]
pub struct End;

impl Relay {
    /// The body, given up when the client takes nothing of it for `idle`.
    pub fn start(body: Reply, idle: Duration) -> Relay {
        if body.is_over() {
            return Relay::Nothing;
        }
        let left = body.size_hint().exact();
        let (sender, pieces) = channel(1);
        tokio::spawn(hand_over(body, sender, idle));
        Relay::Behind { pieces, left, end: None }
    }
}

/// Ends with the body, with the stream, or when the stream takes nothing for `idle`.
async fn hand_over(mut body: Reply, pieces: Sender<Piece>, idle: Duration) {
    loop {
        let Ok(Ok(room)) = timeout(idle, pieces.reserve()).await else { return };
        let frame = tokio::select! {
            biased;
            frame = body.frame() => frame,
            () = pieces.closed() => return,
        };
        let over = frame.is_none() || body.is_end_stream();
        room.send(Piece { frame, end: over.then_some(End) });
        if over {
            return;
        }
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let (pieces, left, end) = match self.get_mut() {
            Relay::Nothing | Relay::Behind { end: Some(End), .. } => return Poll::Ready(None),
            Relay::Behind { pieces, left, end } => (pieces, left, end),
        };
        let Some(piece) = ready!(pieces.poll_recv(cx)) else {
            *end = Some(End);
            return Poll::Ready(Some(Err(Broken::Idle)));
        };
        *end = piece.end;
        if let Some(Ok(frame)) = &piece.frame
            && let (Some(left), Some(data)) = (left, frame.data_ref())
        {
            *left = left.saturating_sub(data.len() as u64);
        }
        Poll::Ready(piece.frame)
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Relay::Nothing => true,
            Relay::Behind { end, .. } => end.is_some(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Relay::Nothing => SizeHint::with_exact(0),
            Relay::Behind { left, .. } => left.map_or_else(SizeHint::new, SizeHint::with_exact),
        }
    }
}
