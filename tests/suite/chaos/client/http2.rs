//! A client of HTTP/2, by hyper.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Iter};
use http::HeaderMap;
use http_body::Frame;
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Seen, Why};
use crate::chaos::ask::{Ask, Load};

type Frames = Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>;
type Body = Either<Full<Bytes>, StreamBody<Frames>>;

/// A connection, gone when this is dropped.
pub struct Connection {
    sender: SendRequest<Body>,
    driving: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driving.abort();
    }
}

/// An answer as far as it has come.
type Answer = Option<(u16, HeaderMap, Vec<u8>)>;

impl Connection {
    /// Connects; `None` where that fails.
    pub async fn open(address: SocketAddr) -> Option<Connection> {
        let stream = TcpStream::connect(address).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let (sender, connection) =
            handshake(TokioExecutor::new(), TokioIo::new(stream)).await.ok()?;
        let driving = tokio::spawn(async move {
            // Its failures show in the request that is on it.
            let _ = connection.await;
        });
        Some(Connection { sender, driving })
    }

    /// Asks, and waits for the answer as long as `patience` lasts.
    pub async fn ask(&mut self, ask: &Ask, patience: Duration) -> Seen {
        let mut answer = None;
        let read = timeout(patience, self.read(ask, &mut answer)).await;
        let text = |headers: &HeaderMap| format!("{headers:?}").into_bytes();
        match (read, answer) {
            (Ok(Ok(())), Some((status, headers, body))) => {
                let id = headers.get("x-request-id").and_then(|id| id.to_str().ok());
                Seen::Whole { status, id: id.map(str::to_owned), head: text(&headers), body }
            }
            (_, Some((status, headers, body))) => Seen::Cut { status, head: text(&headers), body },
            (Err(_), None) => Seen::Nothing(Why::Silent),
            (Ok(Err(error)), None) if is_reset(&error) => Seen::Nothing(Why::Reset),
            (Ok(_), None) => Seen::Nothing(Why::Closed),
        }
    }

    /// Reads an answer into `answer`, so that what there is of it stays when it breaks off.
    async fn read(&mut self, ask: &Ask, answer: &mut Answer) -> hyper::Result<()> {
        self.sender.ready().await?;
        let response = self.sender.send_request(request(ask)).await?;
        let (head, mut body) = response.into_parts();
        let (_, _, read) = answer.insert((head.status.as_u16(), head.headers, Vec::new()));
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                read.extend(data);
            }
        }
        Ok(())
    }
}

fn request(ask: &Ask) -> http::Request<Body> {
    let method = if ask.load() == Load::Get { "GET" } else { "POST" };
    let body = match ask.load() {
        Load::Get => Either::Left(Full::default()),
        Load::Message | Load::Events => Either::Left(Full::from(ask.sent())),
        // Without a length.
        Load::Upload => {
            let sent = ask.sent();
            let frames = sent.chunks(3000).map(|chunk| Ok(Frame::data(chunk.to_vec().into())));
            Either::Right(StreamBody::new(stream::iter(frames.collect::<Vec<_>>())))
        }
    };
    http::Request::builder()
        .method(method)
        .uri(format!("http://client.example{}", ask.target()))
        .header("content-type", "application/json")
        .header("x-request-id", &ask.id)
        .header("x-processing-mode", "fast")
        .body(body)
        .expect("a request")
}

fn is_reset(error: &hyper::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return error.kind() == std::io::ErrorKind::ConnectionReset;
        }
        cause = error.source();
    }
    false
}
