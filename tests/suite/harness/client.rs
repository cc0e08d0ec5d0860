//! A client that writes the bytes it is told to and reads answers itself.

use super::stream::{Address, Io, Reset, connect, connect_from};
use super::wire::{End, Framing, Head, Piece, Wire};
use super::within;

/// A request, as bytes.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    target: String,
    fields: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    chunks: Option<usize>,
}

impl Request {
    /// A request without a body.
    pub fn new(method: &str, target: &str) -> Request {
        let fields = vec![("Host".to_owned(), "client.example".to_owned())];
        let (method, target) = (method.to_owned(), target.to_owned());
        Request { method, target, fields, body: None, chunks: None }
    }

    /// A GET.
    pub fn get(target: &str) -> Request {
        Request::new("GET", target)
    }

    /// A POST with a body.
    pub fn post(target: &str, body: impl Into<Vec<u8>>) -> Request {
        Request::new("POST", target).header("Content-Type", "application/json").body(body)
    }

    /// Adds a field.
    pub fn header(mut self, name: &str, value: &str) -> Request {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Leaves only the last of the fields of this name.
    pub fn only_last(mut self, name: &str) -> Request {
        let last = self.fields.iter().rposition(|(field, _)| field == name);
        let mut at = 0;
        self.fields.retain(|(field, _)| {
            at += 1;
            field != name || Some(at - 1) == last
        });
        self
    }

    /// Gives the request a body, with a Content-Length.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Request {
        self.body = Some(body.into());
        self
    }

    /// Sends the body in chunks of this size instead.
    pub fn chunked(mut self, size: usize) -> Request {
        self.chunks = Some(size);
        self
    }

    /// The fields that say the same in HTTP/2, pseudo-fields first.
    pub fn h2_fields(&self) -> Vec<(String, String)> {
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut fields =
            vec![own(":method", &self.method), own(":scheme", "http"), own(":path", &self.target)];
        for (name, value) in &self.fields {
            match name.as_str() {
                "Host" => fields.insert(3, own(":authority", value)),
                name => fields.push(own(&name.to_ascii_lowercase(), value)),
            }
        }
        fields
    }

    /// The body's bytes.
    pub fn content(&self) -> &[u8] {
        self.body.as_deref().unwrap_or_default()
    }

    /// The head, with the fields that say how long the body is.
    pub fn head(&self) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.fields {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match (&self.body, self.chunks) {
            (Some(_), Some(_)) => head.push_str("Transfer-Encoding: chunked\r\n"),
            (Some(body), None) => head.push_str(&format!("Content-Length: {}\r\n", body.len())),
            (None, _) => {}
        }
        head + "\r\n"
    }

    /// The whole request.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head().into_bytes();
        match (&self.body, self.chunks) {
            (Some(body), Some(size)) => bytes.extend(chunked(body, size)),
            (Some(body), None) => bytes.extend(body),
            (None, _) => {}
        }
        bytes
    }
}

/// A body in chunks of this size, with its end.
pub fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len() + body.len() / size * 12 + 16);
    for chunk in body.chunks(size) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        bytes.extend(chunk);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The head.
    pub head: Head,
    /// The body, without its framing.
    pub body: Vec<u8>,
    /// The trailers.
    pub trailers: Vec<(String, String)>,
    /// How the body ended.
    pub end: End,
    /// The statuses of the interim answers before it.
    pub interim: Vec<u16>,
}

impl Response {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// The only value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.field(name)
    }
}

/// A connection to the process under test.
pub struct Client(Wire);

impl Client {
    /// Connects.
    pub async fn connect(address: &Address) -> Client {
        let connected = within("a connection", connect(address)).await;
        Client(Wire::new(connected.unwrap_or_else(|error| panic!("{address}: {error}"))))
    }

    /// Connects from an address of this machine.
    pub async fn connect_from(from: [u8; 4], address: &Address) -> Client {
        let connected = within("a connection", connect_from(from.into(), address)).await;
        Client(Wire::new(connected.unwrap_or_else(|error| panic!("{address}: {error}"))))
    }

    /// On a stream.
    pub fn over(stream: (Box<dyn Io>, Reset)) -> Client {
        Client(Wire::new(stream))
    }

    /// One request on a connection of its own, and its answer.
    pub async fn once(address: &Address, request: Request) -> Response {
        Client::connect(address).await.exchange(&request).await
    }

    /// Sends a request and reads its answer, both at once.
    pub async fn exchange(&mut self, request: &Request) -> Response {
        let writing = self.0.write_aside(request.bytes());
        let response = self.response_to(&request.method).await;
        writing.abort();
        if let Ok(writer) = writing.await {
            self.0.write_again(writer);
        }
        response
    }

    /// Writes bytes.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        within("a write", self.0.write(bytes.as_ref())).await.expect("a write");
    }

    /// Writes bytes; false where the connection is gone, or the peer does not take them.
    pub async fn offer(&mut self, bytes: &[u8], patience: std::time::Duration) -> bool {
        matches!(tokio::time::timeout(patience, self.0.write(bytes)).await, Ok(Ok(())))
    }

    /// Closes the writing half.
    pub async fn finish(&mut self) {
        let _ = self.0.finish().await;
    }

    /// Closes the connection with a reset.
    pub fn reset(self) {
        self.0.reset();
    }

    /// The next head, interim ones included; `None` where the connection ends.
    pub async fn head(&mut self) -> Option<Head> {
        within("an answer's head", self.0.head()).await
    }

    /// The next piece of an answer's body.
    pub async fn piece(&mut self, framing: &mut Framing) -> Piece {
        within("a piece of an answer's body", self.0.piece(framing)).await
    }

    /// The next data of an answer's body as text.
    pub async fn data(&mut self, framing: &mut Framing) -> String {
        match self.piece(framing).await {
            Piece::Data(data) => String::from_utf8_lossy(&data).into_owned(),
            Piece::End(end, _) => panic!("the body ended: {end:?}"),
        }
    }

    /// The answer to a request that is not a HEAD.
    pub async fn response(&mut self) -> Response {
        self.response_to("GET").await
    }

    /// The answer to a request of this method.
    pub async fn response_to(&mut self, method: &str) -> Response {
        self.try_response_to(method).await.expect("an answer before the connection's end")
    }

    /// The answer to a request of this method; `None` where the connection ends before it.
    pub async fn try_response_to(&mut self, method: &str) -> Option<Response> {
        let mut interim = Vec::new();
        let (status, head) = loop {
            let head = self.head().await?;
            let status: u16 = head.part(1).parse().expect("a status");
            if status >= 200 || status == 101 {
                break (status, head);
            }
            interim.push(status);
        };
        let mut framing = answer_framing(method, status, &head);
        let mut body = Vec::new();
        loop {
            match self.piece(&mut framing).await {
                Piece::Data(data) => body.extend(data),
                Piece::End(end, trailers) => {
                    return Some(Response { status, head, body, trailers, end, interim });
                }
            }
        }
    }

    /// Bytes as they come, after an upgrade; empty at the end.
    pub async fn bytes(&mut self) -> Vec<u8> {
        if self.0.unread().is_empty() {
            within("bytes", self.0.fill()).await;
        }
        let length = self.0.unread().len();
        self.0.take(length)
    }

    /// Waits until the other side has closed; what came before that does not matter.
    pub async fn closed(&mut self) {
        within("the connection's end", async { while self.0.fill().await {} }).await;
    }
}

/// How an answer's body is delimited.
pub fn answer_framing(method: &str, status: u16, head: &Head) -> Framing {
    if method == "HEAD" || status == 204 || status == 304 || status < 200 {
        return Framing::None;
    }
    head.framing(Framing::UntilClose)
}
