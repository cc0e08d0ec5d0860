//! HTTP/1.1 on a client's connection: hyper, on the stream that pingora-core accepted.

use std::convert::Infallible;

use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use modegate_filters::rejection::Rejection;

use super::Plane;
use super::client_io::{ClientIo, Transport};
use super::connection::Connection;
use super::stack::{Answer, Serve};
use crate::metrics::count;

/// What is read at once, in bytes. What is kept of a body keeps all of the buffer that it was read
/// into, so a buffer is no larger than what is usually there.
const READ: usize = 64 * 1024;

/// Serves a connection to its end; `begun` is what was read of it.
pub async fn serve<S: Serve, T: Transport>(connection: Connection<'_, S>, stream: T, begun: &[u8]) {
    let Connection { plane, settings, serving, drain, rejection, .. } = &connection;
    let limits = &settings.limits;
    let io = ClientIo::http1(stream, serving.clone(), &settings.timeouts, begun);
    let service = service_fn(|request: Request<Incoming>| {
        let upgrade = request.headers().contains_key(UPGRADE);
        let answer = connection.answer(request);
        async move {
            let mut answer = answer.await;
            if upgrade {
                end_unless_upgraded(&mut answer);
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let http1 = http1::Builder::new()
        .header_read_timeout(None)
        .max_headers(limits.header_fields)
        .max_header_size(limits.header_bytes)
        .max_buf_size(limits.header_bytes.max(READ))
        .keep_alive(rejection.is_none())
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    let mut http1 = Box::pin(http1);
    let ended = tokio::select! {
        biased;
        ended = http1.as_mut() => Some(ended),
        () = drain.started() => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            tokio::select! {
                biased;
                _ = http1.as_mut() => return,
                () = serving.first() => {}
                () = drain.last_call() => {}
            }
            http1.as_mut().graceful_shutdown();
            http1.await
        }
    };
    if let Err(error) = ended {
        count_bad_head(plane, &error);
        tracing::debug!(leg = plane.leg.word(), %error, "connection ended");
    }
}

/// What follows a request for an upgrade was not judged, and so is never read as a request.
fn end_unless_upgraded(answer: &mut Answer) {
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// What hyper answered by itself, before there was a request: a head it could not read.
fn count_bad_head(plane: &Plane, error: &hyper::Error) {
    let rejection = match error {
        error if error.is_parse_too_large() => Rejection::HeadTooLarge,
        error if error.is_parse() => Rejection::BadHead,
        _ => return,
    };
    count(plane.metrics.rejections(plane.leg, rejection));
}
