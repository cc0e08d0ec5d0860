//! HTTP/2 on a client's connection: hyper, with bounds on everything that a client can make more
//! of.

use std::convert::Infallible;
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH, HeaderValue};
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use super::client_io::{ClientIo, Transport};
use super::connection::Connection;
use super::relay::Relay;
use super::stack::{Answer, Serve};

/// What may arrive of one stream, and of all together, before it is read, in bytes: one upload
/// that nobody reads leaves room for others.
const STREAM_WINDOW: u32 = 512 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// What is queued of one stream for a client that does not take it, in bytes.
const SEND_BUFFER: usize = 64 * 1024;
/// Streams that a client resets before they are looked at, and streams that it makes us reset,
/// before the connection ends: rapid reset, and what followed it (CVE-2023-44487, CVE-2025-8671).
const PENDING_RESETS: usize = 20;
const OWN_RESETS: usize = 100;
/// How long a connection that was told to end may take once nothing is served on it.
const GOODBYE: Duration = Duration::from_secs(5);

/// Serves a connection to its end; `begun` is what was read of it.
pub async fn serve<S: Serve, T: Transport>(connection: Connection<'_, S>, stream: T, begun: &[u8]) {
    let Connection { plane, settings, serving, drain, rejection, .. } = &connection;
    let (timeouts, limits) = (&settings.timeouts, &settings.limits);
    let bound = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
    let io = ClientIo::http2(stream, serving.clone(), timeouts, begun);
    let service = service_fn(|request: Request<Incoming>| {
        let answer = connection.answer(request);
        let idle = timeouts.idle;
        async move { Ok::<_, Infallible>(framed(answer.await, idle)) }
    });
    let http2 = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(bound(limits.streams))
        .max_header_list_size(bound(limits.header_bytes))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(OWN_RESETS)
        .serve_connection(TokioIo::new(io), service);
    let mut http2 = std::pin::pin!(http2);
    // The connection comes last: one that always has something to read leaves no turn to what is
    // looked at after it.
    let ended = tokio::select! {
        biased;
        () = serving.too_many_abandoned() => {
            tracing::warn!(leg = plane.leg.word(), "connection told to go: most of its requests were given up");
            None
        }
        () = drain.started() => None,
        () = serving.idle_for(timeouts.keep_alive) => None,
        () = serving.first(), if rejection.is_some() => None,
        ended = http2.as_mut() => Some(ended),
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            http2.as_mut().graceful_shutdown();
            tokio::select! {
                biased;
                // What still holds it then is a client that takes nothing.
                () = serving.idle_for(GOODBYE.min(timeouts.keep_alive)) => return,
                ended = http2.as_mut() => ended,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(leg = plane.leg.word(), %error, "connection ended");
    }
}

/// An answer as HTTP/2 has it. There is no `Connection` in it; an unread body of the request is
/// reset by the library, which sends every body that it is given, also where a HEAD asks for none.
fn framed(mut answer: Answer, idle: Duration) -> Response<Relay> {
    let length = answer.body().size_hint().exact().filter(|length| *length > 0);
    let is_over = answer.body().is_over();
    let headers = answer.headers_mut();
    headers.remove(CONNECTION);
    if let Some(length) = length.filter(|_| is_over) {
        headers.entry(CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    }
    answer.map(|body| Relay::start(body, idle))
}
