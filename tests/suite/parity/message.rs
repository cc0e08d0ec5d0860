//! A chat message as the API server reads it: text, room, and whether it streams (wire facts,
//! sections 1 and 3). Written a second time here, without the code that is judged by it.

use serde_json::Value;
use sha1::Digest;

use crate::harness::Received;

/// How a route's answers look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Rest,
    OpenAi,
    Anthropic,
}

/// A message that arrived at the API server.
#[derive(Clone, Debug)]
pub struct Message {
    /// The request id that the frontend leg gave it.
    pub request_id: String,
    /// The trace that the frontend leg gave it.
    pub traceparent: String,
    /// The mode that left the frontend leg.
    pub mode: String,
    /// The cohort that the frontend leg put it in.
    pub cohort: String,
    /// The text, trimmed.
    pub text: String,
    /// The room.
    pub room: String,
    /// The contract's member.
    pub processing: Option<Value>,
    /// Whether the answer is a stream.
    pub streams: bool,
    /// How the answer looks.
    pub style: Style,
}

impl Message {
    /// Reads a request of one of the chat routes.
    pub fn read(received: &Received) -> Message {
        let body: Value = serde_json::from_slice(&received.body).expect("a body in JSON");
        let path = received.target().split('?').next().unwrap_or_default();
        let header = |name| received.header(name).unwrap_or_default().to_owned();
        let asks = header("accept").contains("text/event-stream") || body["stream"] == true;
        let (style, room, streams) = match path {
            "/v1/chat/completions" => (Style::OpenAi, "openai-compat".to_owned(), asks),
            "/v1/messages" => (Style::Anthropic, "anthropic-compat".to_owned(), asks),
            "/api/chat" => (Style::Rest, "web-chat".to_owned(), false),
            "/api/chat/stream" => (Style::Rest, "web-chat".to_owned(), true),
            _ => {
                let rest = path.strip_prefix("/api/conversations/").expect("a chat route");
                let (conversation, tail) = rest.split_once('/').expect("a chat route");
                (Style::Rest, room_of(conversation), tail == "messages/stream")
            }
        };
        let text = match style {
            Style::Rest => body["text"].as_str().unwrap_or_default().to_owned(),
            Style::OpenAi | Style::Anthropic => prompt(&body),
        };
        Message {
            request_id: header("x-request-id"),
            traceparent: header("traceparent"),
            mode: header("x-processing-mode"),
            cohort: header("x-processing-cohort"),
            text: trim(&text).to_owned(),
            room,
            processing: body.get("processing").cloned(),
            streams,
            style,
        }
    }

    /// Whether the fast mode left the frontend leg.
    pub fn is_fast(&self) -> bool {
        self.mode == "fast"
    }
}

/// A conversation's room: `stringToUuid("web-conv-" + id)`, of ids that need no escapes.
pub fn room_of(conversation: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    assert!(conversation.bytes().all(plain), "{conversation}");
    let digest = sha1::Sha1::digest(format!("web-conv-{conversation}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] &= 0x0f;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// What system and developer say, and the last thing that the user said.
fn prompt(body: &Value) -> String {
    let said = |content: &Value| match content {
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        content => content.as_str().unwrap_or_default().trim().to_owned(),
    };
    let mut parts = vec![said(&body["system"])];
    let mut user = String::new();
    for message in body["messages"].as_array().into_iter().flatten() {
        match message["role"].as_str() {
            Some("system" | "developer") => parts.push(said(&message["content"])),
            Some("user") => user = said(&message["content"]),
            _ => {}
        }
    }
    parts.push(user);
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

/// What JavaScript's `trim` leaves.
fn trim(text: &str) -> &str {
    let is_space = |c: char| c == '\u{feff}' || c != '\u{85}' && c.is_whitespace();
    text.trim_matches(is_space)
}

#[test]
fn rooms_are_those_of_the_wire_facts() {
    let vectors = [
        ("550e8400-e29b-41d4-a716-446655440000", "5ae36a4b-c408-0127-904d-bdaeaec80c57"),
        ("11111111-1111-1111-1111-111111111111", "4da46665-0a96-0369-a036-8ecad5a020bd"),
    ];
    for (conversation, room) in vectors {
        assert_eq!(room_of(conversation), room);
    }
}
