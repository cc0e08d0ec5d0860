//! Reads captures: HTTP messages one after the other, as they stood on the wire.

use serde_json::Value;

/// The captured conversation's room: the API server sent it to the bridge.
const ROOM: &str = "4c0bfadd-cf7e-06a4-b331-7621617a2f84";

/// A message of a capture.
#[derive(Clone, Debug)]
pub struct Message {
    /// The request or status line.
    pub line: String,
    /// The fields, with lower-case names.
    pub fields: Vec<(String, String)>,
    /// The body, without its framing.
    pub body: Vec<u8>,
    /// All of it, as it was on the wire.
    pub raw: Vec<u8>,
}

impl Message {
    /// A field's value.
    pub fn field(&self, name: &str) -> Option<&str> {
        let named = |(field, _): &&(String, String)| field.eq_ignore_ascii_case(name);
        self.fields.iter().find(named).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("captured bodies are text")
    }

    /// The method of a request.
    pub fn method(&self) -> &str {
        self.line.split(' ').next().expect("a method")
    }

    /// Whether a leg inspects it.
    pub fn inspected(&self) -> bool {
        let sends = ["/messages ", "/messages/stream ", "/chat ", "/bridge ", "/stream "];
        self.method() == "POST" && sends.iter().any(|end| self.line.contains(end))
    }

    /// Whether it carries a message, where a leg inspects it: JSON-RPC has other calls.
    pub fn is_message(&self) -> bool {
        let said = serde_json::from_slice::<Value>(&self.body).expect("an inspected body");
        said["method"].as_str().is_none_or(|method| method == "message.send")
    }

    /// The room that its headers should name, where the test knows it.
    pub fn room(&self) -> Option<String> {
        if self.line.contains("/nope/") {
            return None;
        }
        let params =
            serde_json::from_slice::<Value>(&self.body).expect("a message")["params"].take();
        let named = params["roomId"].as_str().map(str::to_owned);
        Some(named.unwrap_or(match self.line.contains("/api/chat") {
            true => "web-chat".to_owned(),
            false => ROOM.to_owned(),
        }))
    }
}

/// The messages of a capture, one after the other.
pub fn read(mut rest: &[u8]) -> Vec<Message> {
    let until = |rest: &[u8], end: &[u8]| {
        rest.windows(end.len()).position(|window| window == end).expect("an end")
    };
    let mut messages = Vec::new();
    while !rest.is_empty() {
        let from = rest;
        let head = until(rest, b"\r\n\r\n");
        let text = std::str::from_utf8(&rest[..head]).expect("a head");
        let mut lines = text.split("\r\n").map(str::to_owned);
        let line = lines.next().expect("a first line");
        let field = |line: String| {
            let (name, value) = line.split_once(": ").expect("a field");
            (name.to_ascii_lowercase(), value.to_owned())
        };
        let mut message =
            Message { line, fields: lines.map(field).collect(), body: Vec::new(), raw: Vec::new() };
        rest = &rest[head + 4..];
        if message.field("transfer-encoding").is_some() {
            loop {
                let digits = until(rest, b"\r\n");
                let size = std::str::from_utf8(&rest[..digits]).expect("a size");
                let size = usize::from_str_radix(size, 16).expect("a size");
                message.body.extend(&rest[digits + 2..][..size]);
                rest = &rest[digits + 2 + size + 2..];
                if size == 0 {
                    break;
                }
            }
        } else {
            let length = message.field("content-length").unwrap_or("0").parse().expect("a length");
            message.body.extend(&rest[..length]);
            rest = &rest[length..];
        }
        message.raw = from[..from.len() - rest.len()].to_vec();
        messages.push(message);
    }
    messages
}
