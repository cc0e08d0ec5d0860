//! Sends a request to its upstream and gives the answer back as it comes.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use modegate_filters::rejection::Rejection;
use modegate_filters::tags;
use tokio::time::{Instant, sleep_until, timeout};
use tower::Service;

use super::attire::Attire;
use super::exchange::{Exchange, Payload};
use super::framed::broken;
use super::held_answer;
use super::hop;
use super::media::Media;
use super::origin::Origin;
use super::pool::{Keep, Lease, Protocol};
use super::record::Record;
use super::refuse::refuse;
use super::reply::Reply;
use super::stack::Answer;
use super::tunnel;
use super::upload::Outgoing;

/// The innermost service of the stack.
#[derive(Clone, Copy, Debug)]
pub struct Forward;

impl Service<Box<Exchange>> for Forward {
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, exchange: Box<Exchange>) -> Self::Future {
        Box::pin(async move { Ok(forward(exchange).await) })
    }
}

async fn forward(mut exchange: Box<Exchange>) -> Answer {
    let id = exchange.verdict.as_mut().and_then(|verdict| verdict.id.take());
    let Some((origin, address)) = exchange.plane.upstreams.next() else {
        return refuse(exchange.record, Rejection::Unreachable, id.as_deref());
    };
    let asks = exchange.head.extensions.remove::<hyper::upgrade::OnUpgrade>();
    let attire = Attire::of(&mut exchange);
    let first_byte = exchange.snapshot.settings.timeouts.first_byte;
    let (record, snapshot) = (exchange.record, exchange.snapshot);
    let body = match exchange.body {
        Payload::Held(outgoing) => outgoing,
        Payload::Unread(body) => {
            let timeouts = &snapshot.settings.timeouts;
            let protocol = Protocol::of(exchange.head.version);
            // Both sides of a gRPC call may be silent for long; no other request's body is a stream.
            let is_call =
                protocol == Protocol::Http2 && Media::of(&exchange.head.headers) == Media::Grpc;
            let idle = if is_call { timeouts.stream_idle } else { Some(timeouts.idle) };
            Outgoing::stream(body, protocol, idle, &record)
        }
    };
    let head = exchange.head;
    let mut request = Request::new(body);
    *request.method_mut() = head.method;
    *request.uri_mut() = head.uri;
    *request.headers_mut() = head.headers;

    let plane = &exchange.plane;
    let mut way = Way { origin, address, plane, settings: &snapshot.settings, attire: &attire };
    match way.send(request, first_byte, &record).await {
        Err(rejection) => refuse(record, rejection, id.as_deref()),
        // The lease goes with it: what follows on that connection is nobody's answer.
        Ok((answer, _)) if !hop::says_one_length(answer.headers()) => {
            refuse(record, Rejection::Unreachable, id.as_deref())
        }
        Ok((answer, lease)) => {
            let timeouts = &snapshot.settings.timeouts;
            if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
                return match asks.filter(|_| attire.upgrade.is_some()) {
                    Some(asks) => tunnel::open(answer, asks, record, &exchange.plane, timeouts),
                    // An answer to a question that was not asked.
                    None => refuse(record, Rejection::Unreachable, id.as_deref()),
                };
            }
            let media = Media::of(answer.headers());
            let streams = media.is_stream();
            let mut record = record;
            record.look_at(answer.status(), media, answer.headers());
            if !streams && held_answer::is_kept(&record) {
                return held_answer::give_back(answer, lease, record, id.as_deref()).await;
            }
            let idle = if streams { timeouts.stream_idle } else { Some(timeouts.idle) };
            give_back(answer, record, |body, record| Reply::upstream(body, lease, idle, record))
        }
    }
}

/// The upstream's answer for the client: without what belongs to its connection and without its
/// tags, with ours.
pub(super) fn give_back<B>(
    answer: Response<B>,
    mut record: Box<Record>,
    body: impl FnOnce(B, Box<Record>) -> Reply,
) -> Answer {
    let (mut head, incoming) = answer.into_parts();
    record.answered(head.status);
    hop::strip(&mut head.headers);
    if head.status == StatusCode::NO_CONTENT {
        head.headers.remove(CONTENT_LENGTH);
    }
    dress_answer(&mut head.headers, &record);
    head.version = Version::HTTP_11;
    Response::from_parts(head, body(incoming, record))
}

pub(super) fn dress_answer(headers: &mut HeaderMap, record: &Record) {
    tags::strip(headers);
    if let Some(mode) = record.mode() {
        let policy = &record.snapshot().settings.policy;
        headers.insert(tags::MODE, policy.contract().modes.header(mode));
    }
    headers.insert(tags::REQUEST_ID, record.request_id().clone());
}

struct Way<'a> {
    origin: Arc<Origin>,
    address: Option<SocketAddr>,
    plane: &'a super::Plane,
    settings: &'a crate::flags::Settings,
    attire: &'a Attire,
}

impl Way<'_> {
    /// Sends the request once. An upstream that takes no connection, and a pooled connection that
    /// turns out closed before anything of the request was written on it, are replaced; nothing
    /// else is ever tried again.
    async fn send(
        &mut self,
        mut request: Request<Outgoing>,
        first_byte: Duration,
        record: &Record,
    ) -> Result<(Response<Incoming>, Lease), Rejection> {
        let mut others = self.plane.upstreams.count().saturating_sub(1);
        loop {
            let mut lease = match self.lease().await {
                // Nothing was sent: another upstream may be asked.
                Err(_) if others > 0 => {
                    others -= 1;
                    if let Some((origin, address)) = self.plane.upstreams.next() {
                        (self.origin, self.address) = (origin, address);
                    }
                    continue;
                }
                leased => leased?,
            };
            let target = std::mem::take(request.uri_mut());
            *request.uri_mut() = self.origin.target(lease.protocol(), target);
            let headers = std::mem::take(request.headers_mut());
            *request.headers_mut() = self.attire.dress(headers, &self.origin, lease.protocol());
            let sending = lease.send(request);
            let Some(sent) = within(first_byte, record, sending).await else {
                return Err(Rejection::UpstreamTimeout);
            };
            match sent {
                // HTTP/1.1's reader counts the fields itself.
                Ok(answer) if answer.headers().len() > self.settings.limits.header_fields => {
                    return Err(Rejection::Unreachable);
                }
                Ok(answer) => return Ok((answer, lease)),
                Err(mut error) => match error.take_message() {
                    Some(unsent) if lease.reused => {
                        request = unsent;
                        Attire::undress(request.headers_mut());
                    }
                    _ => {
                        let error = error.into_error();
                        tracing::debug!(%error, "no answer from the upstream");
                        return Err(fault(&error));
                    }
                },
            }
        }
    }

    async fn lease(&self) -> Result<Lease, Rejection> {
        let (timeouts, limits) = (&self.settings.timeouts, &self.settings.limits);
        let keep = Keep {
            place: self.origin.place,
            idle: timeouts.pool_idle,
            most: limits.pool_connections,
            streams: limits.streams,
        };
        let only = self.attire.upgrade.as_ref().map(|_| Protocol::Http1);
        if let Some(lease) = Lease::pooled(keep, only) {
            self.plane.metrics.reuses.fetch_add(1, Relaxed);
            return Ok(lease);
        }
        let [opened, failed] = &self.plane.metrics.connects;
        let connecting = self.origin.connect(self.address, only, limits, timeouts.connect);
        match timeout(timeouts.connect, connecting).await {
            Ok(Ok(connection)) => {
                opened.fetch_add(1, Relaxed);
                Ok(Lease::fresh(connection, keep))
            }
            Ok(Err(error)) => {
                failed.fetch_add(1, Relaxed);
                tracing::warn!(origin = ?self.origin.host, %error, "upstream not connected");
                match error.kind() {
                    io::ErrorKind::TimedOut => Err(Rejection::UpstreamTimeout),
                    _ => Err(Rejection::Unreachable),
                }
            }
            Err(_) => {
                failed.fetch_add(1, Relaxed);
                Err(Rejection::UpstreamTimeout)
            }
        }
    }
}

/// Waits for an answer's head for so long after the last of the request's body was read: a long
/// upload is not a slow upstream.
async fn within<F: Future>(limit: Duration, record: &Record, sending: F) -> Option<F::Output> {
    let mut sending = std::pin::pin!(sending);
    let begun = Instant::now();
    loop {
        let deadline = begun.max(record.read().last()) + limit;
        tokio::select! {
            biased;
            answer = &mut sending => return Some(answer),
            () = sleep_until(deadline) => {
                if begun.max(record.read().last()) + limit <= deadline {
                    return None;
                }
            }
        }
    }
}

/// Whose fault a failed exchange was: a body that broke off, or was none, is the client's.
fn fault(error: &hyper::Error) -> Rejection {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        match error.downcast_ref::<super::upload::Stopped>() {
            Some(super::upload::Stopped::Client(error)) => return broken(error),
            Some(super::upload::Stopped::Idle | super::upload::Stopped::Slow) => {
                return Rejection::BodyTimeout;
            }
            Some(super::upload::Stopped::Cut) => return Rejection::BodyCut,
            None => cause = error.source(),
        }
    }
    Rejection::Unreachable
}
