//! Reads the captures: HTTP messages one after the other, as they stood on the wire.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request};

/// One message of a capture.
#[derive(Clone, Debug)]
pub struct Captured {
    /// The request line or the status line.
    pub first_line: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Captured {
    /// The message as a request.
    pub fn request(&self) -> Request<Bytes> {
        let mut words = self.first_line.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let mut request = Request::builder().method(method).uri(target);
        *request.headers_mut().unwrap() = self.headers.clone();
        request.body(self.body.clone()).unwrap()
    }

    /// The status of a response.
    pub fn status(&self) -> u16 {
        self.first_line.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

/// The messages of a capture.
pub fn read(mut rest: &[u8]) -> Vec<Captured> {
    let mut messages = Vec::new();
    while !rest.is_empty() {
        let head = rest.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
        let text = std::str::from_utf8(&rest[..head]).unwrap();
        let mut lines = text.split("\r\n");
        let first_line = lines.next().unwrap().to_owned();
        let headers: HeaderMap = lines.map(header).collect();
        rest = &rest[head + 4..];
        let body = if headers.contains_key("transfer-encoding") {
            dechunk(&mut rest)
        } else {
            let length = headers.get("content-length").map_or("0", |value| value.to_str().unwrap());
            let (body, after) = rest.split_at(length.parse().unwrap());
            rest = after;
            Bytes::copy_from_slice(body)
        };
        messages.push(Captured { first_line, headers, body });
    }
    messages
}

fn header(line: &str) -> (HeaderName, HeaderValue) {
    let (name, value) = line.split_once(": ").unwrap();
    (name.parse().unwrap(), value.parse().unwrap())
}

fn dechunk(rest: &mut &[u8]) -> Bytes {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|bytes| bytes == b"\r\n").unwrap();
        let size = std::str::from_utf8(&rest[..line]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        let chunk = &rest[line + 2..];
        body.extend_from_slice(&chunk[..size]);
        *rest = &chunk[size + 2..];
        if size == 0 {
            return body.into();
        }
    }
}
