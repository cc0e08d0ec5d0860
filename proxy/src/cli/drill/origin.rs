//! The origin of a drill: answers every message, and writes down how it arrived.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

use super::log::Log;

/// The largest message that is read, in bytes; the drill's own have a hundred.
const MESSAGE: usize = 64 * 1024;

/// Serves until its task is dropped.
pub async fn serve(listener: TcpListener, log: Arc<Log>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let log = log.clone();
        let service = service_fn(move |request| answer(request, log.clone()));
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(
    request: Request<Incoming>,
    log: Arc<Log>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let tag = request.headers().get("x-processing-mode").cloned();
    let body = Limited::new(request.into_body(), MESSAGE).collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    let number = message["text"].as_str().and_then(|text| text.strip_prefix("drill "));
    if let Some(number) = number.and_then(|number| number.parse().ok()) {
        let said = &message["processing"];
        let fast = tag.is_some_and(|tag| tag != "default") || said["mode"] == "fast";
        log.arrived(number, fast, !said.is_null());
    }
    let mut answer =
        Response::new(Full::new(Bytes::from_static(b"{\"text\":\"ok\",\"agentName\":\"drill\"}")));
    let json = http::HeaderValue::from_static("application/json");
    answer.headers_mut().insert(http::header::CONTENT_TYPE, json);
    Ok(answer)
}
