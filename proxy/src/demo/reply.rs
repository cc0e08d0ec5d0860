//! The answers that the origins give: JSON with a length or in chunks, event streams, and what
//! is piped through from behind. Which answer it is, the origins decide.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::mpsc;

/// Frames of an event stream that may wait for a slow reader.
const FRAMES_AHEAD: usize = 16;

/// An answer's body.
#[derive(Debug)]
pub enum Outgoing {
    /// All of it, with a Content-Length.
    Whole(Option<Bytes>),
    /// One chunk a frame, as they come.
    Chunks(mpsc::Receiver<Bytes>),
    /// Another answer's body, byte for byte; a cut is passed on as a cut.
    Piped(Incoming),
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Outgoing::Whole(bytes) => Poll::Ready(bytes.take().map(|all| Ok(Frame::data(all)))),
            Outgoing::Chunks(chunks) => {
                chunks.poll_recv(cx).map(|chunk| chunk.map(|bytes| Ok(Frame::data(bytes))))
            }
            Outgoing::Piped(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Outgoing::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Outgoing::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |all| all.len() as u64))
            }
            Outgoing::Chunks(_) | Outgoing::Piped(_) => SizeHint::default(),
        }
    }
}

/// No body.
pub fn empty(status: StatusCode) -> Response<Outgoing> {
    with_headers(status, Outgoing::Whole(None), &[])
}

/// JSON with a Content-Length.
pub fn json(status: StatusCode, json: String) -> Response<Outgoing> {
    let body = Outgoing::Whole(Some(Bytes::from(json)));
    with_headers(status, body, &[(CONTENT_TYPE, "application/json")])
}

/// JSON as Node writes it where the head went out first: in one chunk.
pub fn json_chunked(status: StatusCode, json: String) -> Response<Outgoing> {
    let body = chunked([json]);
    with_headers(status, body, &[(CONTENT_TYPE, "application/json")])
}

/// A body of these chunks.
pub fn chunked<const N: usize>(frames: [String; N]) -> Outgoing {
    let (sender, receiver) = mpsc::channel(N.max(1));
    for frame in frames {
        // There is room for all of them.
        let _ = sender.try_send(Bytes::from(frame));
    }
    Outgoing::Chunks(receiver)
}

/// An event stream's answer, with the headers that keep proxies from buffering it.
pub fn events(body: Outgoing) -> Response<Outgoing> {
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-cache, no-transform"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    with_headers(StatusCode::OK, body, &headers)
}

/// An event stream that is written while it is sent.
pub fn live_events() -> (Events, Response<Outgoing>) {
    let (sender, receiver) = mpsc::channel(FRAMES_AHEAD);
    (Events(sender), events(Outgoing::Chunks(receiver)))
}

/// Writes the frames of an event stream. A client that went away is not noticed, as the servers
/// do not notice it.
#[derive(Debug)]
pub struct Events(mpsc::Sender<Bytes>);

impl Events {
    /// An event without a name.
    pub async fn data(&self, data: &str) {
        self.write(format!("data: {data}\n\n")).await;
    }

    /// An event with a name.
    pub async fn event(&self, name: &str, data: &str) {
        self.write(format!("event: {name}\ndata: {data}\n\n")).await;
    }

    async fn write(&self, frame: String) {
        let _ = self.0.send(Bytes::from(frame)).await;
    }
}

/// An answer with these headers, and the `Connection` ones that Node adds by itself: a stream
/// whose headers name the connection gets no `Keep-Alive`.
pub fn with_headers(
    status: StatusCode,
    body: Outgoing,
    headers: &[(HeaderName, &'static str)],
) -> Response<Outgoing> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let map: &mut HeaderMap = response.headers_mut();
    for (name, value) in headers {
        map.insert(name.clone(), HeaderValue::from_static(value));
    }
    map.insert(CONNECTION, HeaderValue::from_static("keep-alive"));
    if !map.contains_key(CACHE_CONTROL) {
        map.insert(HeaderName::from_static("keep-alive"), HeaderValue::from_static("timeout=5"));
    }
    response
}
