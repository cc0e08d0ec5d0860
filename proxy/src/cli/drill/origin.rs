//! The origin of a drill: where it listens; it answers every message, and writes down how it arrived.

use std::convert::Infallible;
use std::io::{Error, ErrorKind};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use modegate_config::HostName;
use serde_json::Value;
use tokio::net::{TcpListener, lookup_host};

use super::log::Log;

/// The largest message that is read, in bytes; the drill's own have a hundred.
const MESSAGE: usize = 64 * 1024;

/// A host, by its name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    host: String,
    port: u16,
}

impl Place {
    /// Reads `HOST:PORT`, an IPv6 address in brackets.
    pub fn parse(text: &str) -> Result<Place, String> {
        let place = HostName::parse(text).and_then(|name| {
            let host = name.host.trim_matches(['[', ']']).to_owned();
            Some(Place { host, port: name.port? })
        });
        let allowed = "allowed: HOST:PORT, such as localhost:2138 or [::1]:2138";
        place.ok_or_else(|| allowed.to_owned())
    }

    /// Listens at every address that the host has here: an upstream of this name may be reached at
    /// any of them.
    pub async fn listen(&self) -> Result<Vec<TcpListener>, String> {
        let failed = |error: Error| format!("--origin {}:{}: {error}", self.host, self.port);
        let addresses = lookup_host((self.host.as_str(), self.port)).await.map_err(failed)?;
        let mut listeners = Vec::new();
        let mut lacking = Error::from(ErrorKind::AddrNotAvailable);
        for address in addresses {
            match TcpListener::bind(address).await {
                Ok(listener) => listeners.push(listener),
                // Such as `::1`, where there is no IPv6.
                Err(error) if error.kind() == ErrorKind::AddrNotAvailable => lacking = error,
                Err(error) => return Err(failed(error)),
            }
        }
        if listeners.is_empty() { Err(failed(lacking)) } else { Ok(listeners) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let cases = [
            ("127.0.0.1:2138", Some(("127.0.0.1", 2138))),
            ("localhost:2138", Some(("localhost", 2138))),
            ("[::1]:2138", Some(("::1", 2138))),
            ("::1:2138", None),
            ("localhost", None),
            (":2138", None),
            ("localhost:", None),
            ("localhost:65536", None),
            ("http://localhost:2138", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let expected = expected.map(|(host, port)| Place { host: host.to_owned(), port });
            assert_eq!(Place::parse(text).ok(), expected, "{text}");
        }
    }
}
