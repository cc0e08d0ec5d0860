//! Reads a body to be inspected: kept as the chunks it came in, bounded in size, time and memory.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use modegate_filters::rejection::Rejection;
use tokio::time::timeout;

use super::Here;
use super::ending::is_cut;
use super::framed::broken;
use super::pool::Protocol;
use super::record::Record;
use crate::flags::Settings;
use crate::metrics::{Gauge, Held};

/// Chunks under this many bytes are put together: a slice costs its bookkeeping, and holds on to
/// the whole buffer that it was read into, twice this at least.
const SMALL: usize = 4096;

/// A body of more bytes than this, said or come, is put together, in pieces of at least this size:
/// what came in large buffers that were seldom full takes no more memory than it is long. A smaller
/// one is not worth the copy.
const LARGE: usize = 1024 * 1024;

/// A body read to its end.
#[derive(Debug)]
pub struct HeldBody {
    /// The chunks.
    pub chunks: Vec<Bytes>,
    /// Their memory.
    pub memory: Held<Here>,
}

/// Reads a body to its end.
///
/// # Errors
/// Over `contract.body_limit`, `limits.body_memory` or `timeouts.body`, or when the client fails or sends what is no body.
pub async fn hold(
    body: Incoming,
    protocol: Protocol,
    settings: &Settings,
    here: &Here,
    record: &Record,
) -> Result<HeldBody, Rejection> {
    let mut collecting = pin!(collect(body, protocol, settings, here, record));
    // Most bodies came with their head: they need no timer.
    if let Poll::Ready(held) = poll_fn(|cx| Poll::Ready(collecting.as_mut().poll(cx))).await {
        return held;
    }
    match timeout(settings.timeouts.body, collecting).await {
        Ok(held) => held,
        Err(_) => Err(Rejection::BodyTimeout),
    }
}

async fn collect(
    mut body: Incoming,
    protocol: Protocol,
    settings: &Settings,
    here: &Here,
    record: &Record,
) -> Result<HeldBody, Rejection> {
    let limit = settings.policy.contract().limit(here.leg);
    let mut memory = Held::nothing(here, Gauge::BodyMemory);
    let mut chunks: Vec<Bytes> = Vec::new();
    let mut tail = BytesMut::new();
    let mut length = 0;
    let mut is_large = body.size_hint().lower() > LARGE as u64;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(&error))?;
        // Trailers of an inspected body end here: it leaves with a Content-Length.
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        record.read().count(data.len());
        if length > limit {
            return Err(Rejection::TooLarge);
        }
        if memory.add(data.len() as u64) > settings.limits.body_memory as u64 {
            return Err(Rejection::BodyMemory);
        }
        is_large |= length > LARGE;
        if !is_large && (data.len() >= SMALL || chunks.is_empty()) {
            put_away(&mut tail, &mut chunks);
            chunks.push(data);
            continue;
        }
        if is_large && tail.capacity() - tail.len() < data.len() {
            put_away(&mut tail, &mut chunks);
            // All that is to come, where that was said: what is not written to takes no memory.
            let left = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
            let left = data.len() + left.min(limit - length);
            tail = BytesMut::with_capacity(left.max(LARGE));
        }
        tail.extend_from_slice(&data);
    }
    if is_cut(&body, protocol) {
        return Err(Rejection::BodyCut);
    }
    put_away(&mut tail, &mut chunks);
    Ok(HeldBody { chunks, memory })
}

fn put_away(tail: &mut BytesMut, chunks: &mut Vec<Bytes>) {
    if !tail.is_empty() {
        chunks.push(tail.split().freeze());
    }
}
