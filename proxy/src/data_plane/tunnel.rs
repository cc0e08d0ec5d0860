//! After a 101: bytes both ways, unread, until one side ends.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Response;
use http::header::{CONNECTION, HeaderValue, UPGRADE};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use modegate_config::Timeouts;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio::sync::Notify;

use super::Here;
use super::forward::dress_answer;
use super::record::Record;
use super::reply::Reply;
use super::stack::Answer;
use crate::metrics::{Gauge, Held};

/// Answers 101 and joins the two connections once the client has it. The record lives as long as
/// the tunnel, so that a tunnel is in flight until it ends.
pub fn open(
    answer: Response<Incoming>,
    client: OnUpgrade,
    mut record: Box<Record>,
    plane: &Here,
    timeouts: &Timeouts,
) -> Answer {
    let (mut head, incoming) = answer.into_parts();
    let protocol = head.headers.get(UPGRADE).cloned();
    super::hop::strip(&mut head.headers);
    head.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    if let Some(protocol) = protocol {
        head.headers.insert(UPGRADE, protocol);
    }
    dress_answer(&mut head.headers, &record);
    record.answered(head.status);
    record.becomes_tunnel();

    let mut upstream = Response::new(incoming);
    *upstream.extensions_mut() = std::mem::take(&mut head.extensions);
    let upstream = hyper::upgrade::on(upstream);
    let (held, _) = Held::raise(plane, Gauge::Tunnels, 1);
    let limits = (timeouts.upgrade_idle, timeouts.idle);
    tokio::spawn(async move {
        if let (Ok(client), Ok(upstream)) = tokio::join!(client, upstream) {
            let (read, sent) = join(TokioIo::new(client), TokioIo::new(upstream), limits).await;
            record.read().count(read);
            record.sent(sent);
        }
        // A tunnel has no end of its own: the sides going away is one.
        record.finished();
        drop(held);
    });
    Response::from_parts(head, Reply::switching())
}

/// Copies both ways until both have ended, or until nothing moved either way for the first of the
/// limits, or for the second once one side has ended: what it was told may be answered, but not for
/// ever. Gives the bytes that came from the client and those that were sent to it.
async fn join<C, U>(client: C, upstream: U, limits: (Option<Duration>, Duration)) -> (usize, usize)
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let (idle, idle_at_end) = limits;
    let (from_client, from_upstream) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let end = Notify::new();
    let mut client = Watched { io: client, read: &from_client, end: &end };
    let mut upstream = Watched { io: upstream, read: &from_upstream, end: &end };
    let moved = || from_client.load(Relaxed).wrapping_add(from_upstream.load(Relaxed));
    let mut copying = std::pin::pin!(copy_bidirectional(&mut client, &mut upstream));
    let mut limit = idle;
    loop {
        let before = moved();
        tokio::select! {
            biased;
            _ = &mut copying => break,
            () = end.notified() => {
                limit = Some(idle.map_or(idle_at_end, |idle| idle.min(idle_at_end)));
            }
            () = wait(limit) => {
                if moved() == before {
                    break;
                }
            }
        }
    }
    (from_client.load(Relaxed), from_upstream.load(Relaxed))
}

async fn wait(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

/// A stream that counts what is read from it, and says when that is all.
struct Watched<'c, T> {
    io: T,
    read: &'c AtomicUsize,
    end: &'c Notify,
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<'_, T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        let read = buf.filled().len() - before;
        self.read.fetch_add(read, Relaxed);
        if read == 0 && polled.is_ready() {
            self.end.notify_one();
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<'_, T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
