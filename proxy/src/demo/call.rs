//! One HTTP/1.1 call on a connection of its own, with the headers that Node's `fetch` sends.
//! What is called, and what an answer means, the callers decide.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// Why a call has no answer.
#[derive(Debug)]
pub enum CallError {
    /// No connection.
    Connect(std::io::Error),
    /// The connection ended, or what came is not HTTP.
    Broken(hyper::Error),
    /// It took too long.
    TimedOut,
    /// The request cannot be written: its target or a header is not valid.
    Request(http::Error),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Connect(error) => write!(f, "no connection: {error}"),
            CallError::Broken(error) => write!(f, "broken off: {error}"),
            CallError::TimedOut => f.write_str("took too long"),
            CallError::Request(error) => write!(f, "not a valid request: {error}"),
        }
    }
}

impl std::error::Error for CallError {}

/// Where a program finds the next one.
#[derive(Clone, Debug)]
pub struct Base {
    authority: String,
}

impl Base {
    /// A base from an address, or from `http://host:port` with or without a slash at its end.
    pub fn new(url: &str) -> Base {
        let authority = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
        Base { authority: authority.to_owned() }
    }

    /// The base as a URL, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.authority)
    }

    /// Sends a request as Node's `fetch` does, with these headers of the program's own, and gives
    /// the answer with its body still to come. `within` bounds the wait for the answer's head.
    pub async fn fetch(
        &self,
        method: Method,
        target: &str,
        own: &[(&'static str, &str)],
        body: Bytes,
        within: Duration,
    ) -> Result<Response<Incoming>, CallError> {
        let length = body.len();
        let bodyless = method == Method::GET;
        let mut request =
            Request::builder().method(method).uri(target).header(HOST, &self.authority);
        request = request.header("connection", "keep-alive");
        for (name, value) in own {
            request = request.header(*name, *value);
        }
        request = request
            .header("accept", "*/*")
            .header("accept-language", "*")
            .header("sec-fetch-mode", "cors")
            .header("user-agent", "node")
            .header("accept-encoding", "gzip, deflate");
        if !bodyless {
            request = request.header("content-length", length);
        }
        let request = request.body(body).map_err(CallError::Request)?;
        self.send(request, within).await
    }

    /// Sends a request as it is, but for the `Host` that it gets.
    pub async fn send(
        &self,
        request: Request<Bytes>,
        within: Duration,
    ) -> Result<Response<Incoming>, CallError> {
        let mut request = request.map(Full::new);
        let host = HeaderValue::try_from(&self.authority);
        let host = host.map_err(|error| CallError::Request(error.into()))?;
        request.headers_mut().insert(HOST, host);
        let stream = match timeout(CONNECT, TcpStream::connect(&self.authority)).await {
            Ok(connected) => connected.map_err(CallError::Connect)?,
            Err(_) => return Err(CallError::TimedOut),
        };
        let exchange = async {
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            // It ends with the answer, or when nobody reads the answer any more.
            tokio::spawn(connection);
            sender.send_request(request).await
        };
        match timeout(within, exchange).await {
            Ok(answer) => answer.map_err(CallError::Broken),
            Err(_) => Err(CallError::TimedOut),
        }
    }
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// Reads an answer to its end.
    pub async fn read(response: Response<Incoming>, within: Duration) -> Result<Answer, CallError> {
        let (head, body) = response.into_parts();
        let body = match timeout(within, body.collect()).await {
            Ok(collected) => collected.map_err(CallError::Broken)?.to_bytes(),
            Err(_) => return Err(CallError::TimedOut),
        };
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    /// The body as text, as Node decodes it.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value, where it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

/// A header's value, where it is text.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
