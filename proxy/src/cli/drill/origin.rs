//! The origin of a drill: answers every message, and notes how it arrived.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

/// The largest message that is read, in bytes; the drill's own have a hundred.
const MESSAGE: usize = 64 * 1024;

/// A message of the drill as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct Arrived {
    /// When it was sent.
    pub sent: Instant,
    /// When it arrived.
    pub at: Instant,
    /// Its tag or its body say a mode other than the default.
    pub fast: bool,
    /// It has the contract's member.
    pub member: bool,
}

/// What was sent, and what of it arrived.
#[derive(Debug, Default)]
pub struct Log(Mutex<(Vec<Instant>, Vec<Arrived>)>);

impl Log {
    /// A message is about to be sent; its number.
    pub fn sent(&self) -> usize {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.0.push(Instant::now());
        log.0.len() - 1
    }

    fn arrived(&self, number: usize, fast: bool, member: bool) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sent) = log.0.get(number).copied() {
            log.1.push(Arrived { sent, at: Instant::now(), fast, member });
        }
    }

    /// What arrived after a moment.
    pub fn since(&self, moment: Instant) -> Vec<Arrived> {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.1.iter().filter(|arrived| arrived.at >= moment).copied().collect()
    }
}

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
