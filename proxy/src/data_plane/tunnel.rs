//! After a 101: bytes both ways, unread, until one side ends.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Response;
use http::header::{CONNECTION, HeaderValue, UPGRADE};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};

use super::Plane;
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
    plane: &Arc<Plane>,
    idle: Option<Duration>,
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
    let (held, _) = Held::raise(&plane.metrics, Gauge::Tunnels, 1);
    tokio::spawn(async move {
        if let (Ok(client), Ok(upstream)) = tokio::join!(client, upstream) {
            let (read, sent) = join(TokioIo::new(client), TokioIo::new(upstream), idle).await;
            record.read().count(read);
            record.sent(sent);
        }
        // A tunnel has no end of its own: either side going away is one.
        record.finished();
        drop(held);
    });
    Response::from_parts(head, Reply::switching())
}

/// Copies both ways until an end, or until nothing moved either way for `idle`; gives the bytes
/// that came from the client and those that were sent to it.
async fn join<C, U>(client: C, upstream: U, idle: Option<Duration>) -> (usize, usize)
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let (from_client, from_upstream) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mut client = Counted { io: client, read: &from_client };
    let mut upstream = Counted { io: upstream, read: &from_upstream };
    let moved = || from_client.load(Relaxed).wrapping_add(from_upstream.load(Relaxed));
    let mut copying = std::pin::pin!(copy_bidirectional(&mut client, &mut upstream));
    loop {
        let before = moved();
        tokio::select! {
            biased;
            _ = &mut copying => break,
            () = wait(idle) => {
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

/// A stream that counts what is read from it.
struct Counted<'c, T> {
    io: T,
    read: &'c AtomicUsize,
}

impl<T: AsyncRead + Unpin> AsyncRead for Counted<'_, T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        self.read.fetch_add(buf.filled().len() - before, Relaxed);
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Counted<'_, T> {
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
