//! Every place where a message can be sent, and what a message and a refusal look like there.

use serde_json::{Value, json};

use crate::harness::{Address, Modegate, Request, Response};

/// The room of the conversation below: `stringToUuid("web-conv-" + id)`.
pub const ROOM: &str = "5ae36a4b-c408-0127-904d-bdaeaec80c57";

/// Whether a message asks for an event stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    Whole,
    Stream,
}

/// How a dialect writes its messages and errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Rest,
    Completions,
    Rpc,
}

/// A route, as a client uses it.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub leg: &'static str,
    pub target: &'static str,
    pub dialect: &'static str,
    pub shape: Shape,
    pub wants: Wants,
    pub room: &'static str,
}

const fn place(
    leg: &'static str,
    target: &'static str,
    dialect: &'static str,
    wants: Wants,
    room: &'static str,
) -> Place {
    let shape = match dialect.as_bytes()[0] {
        b'c' => Shape::Rest,
        b'r' => Shape::Rpc,
        _ => Shape::Completions,
    };
    Place { leg, target, dialect, shape, wants, room }
}

/// Every route of every leg, streaming and not.
#[rustfmt::skip]
pub const PLACES: &[Place] = &[
    place("frontend", "/api/conversations/550e8400-e29b-41d4-a716-446655440000/messages", "conversation", Wants::Whole, ROOM),
    place("frontend", "/api/conversations/550e8400-e29b-41d4-a716-446655440000/messages/stream", "conversation", Wants::Stream, ROOM),
    place("frontend", "/api/chat", "conversation", Wants::Whole, "web-chat"),
    place("frontend", "/api/chat/stream", "conversation", Wants::Stream, "web-chat"),
    place("frontend", "/v1/chat/completions", "openai", Wants::Whole, "openai-compat"),
    place("frontend", "/v1/chat/completions", "openai", Wants::Stream, "openai-compat"),
    place("frontend", "/v1/messages", "anthropic", Wants::Whole, "anthropic-compat"),
    place("frontend", "/v1/messages?beta=true", "anthropic", Wants::Stream, "anthropic-compat"),
    place("bridge", "/api/v1/milaidy/agents/a-1/bridge", "rpc", Wants::Whole, ROOM),
    place("bridge", "/api/v1/milady/agents/a-1/stream", "rpc", Wants::Stream, ROOM),
    place("bridge", "/api/v1/eliza/agents/a-1/bridge", "rpc", Wants::Whole, ROOM),
    place("runtime", "/bridge", "rpc", Wants::Whole, ROOM),
    place("runtime", "/bridge/stream", "rpc", Wants::Stream, ROOM),
];

impl Place {
    /// Where the process listens for it.
    pub fn address<'m>(&self, modegate: &'m Modegate) -> &'m Address {
        modegate.leg(self.leg, 0)
    }

    /// A message, with a contract member (`"processing":…`) or none (an empty string).
    pub fn body(&self, member: &str) -> String {
        let member = if member.is_empty() { String::new() } else { format!(",{member}") };
        let stream = self.wants == Wants::Stream;
        match self.shape {
            Shape::Rest => format!(r#"{{ "text":"h\u00e9 \"wörld\" 😀","mode":"simple"{member}}}"#),
            Shape::Completions => format!(
                r#"{{"model":"m","stream":{stream},"messages":[{{"role":"user","content":"hi"}}],"n":1e2{member}}}"#
            ),
            Shape::Rpc => format!(
                r#"{{"jsonrpc":"2.0","id":"rpc-7","method":"message.send","params":{{"text":"hi","roomId":"{}"{member}}}}}"#,
                self.room
            ),
        }
    }

    /// A request with this body, as a client of the route sends it.
    pub fn request(&self, body: impl Into<Vec<u8>>) -> Request {
        let request = Request::post(self.target, body);
        match self.wants {
            Wants::Whole => request,
            Wants::Stream => request.header("Accept", "text/event-stream"),
        }
    }

    /// The body of a refusal; `id` is the JSON-RPC id.
    pub fn refusal(&self, status: u16, code: i32, message: &str, id: Value) -> Value {
        match self.shape {
            Shape::Rest => json!({ "error": message }),
            Shape::Completions => {
                let kind = match status {
                    503 => "service_unavailable",
                    500.. => "server_error",
                    _ => "invalid_request_error",
                };
                json!({ "error": { "message": message, "type": kind } })
            }
            Shape::Rpc => {
                json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
            }
        }
    }

    /// Holds an answer against the refusal it should be.
    pub fn assert_refused(&self, response: &Response, expected: (u16, i32, &str), id: Value) {
        let (status, code, message) = expected;
        let case = format!("{self:?} {}", response.text());
        assert_eq!(response.status, status, "{case}");
        assert_eq!(response.header("content-type"), Some("application/json"), "{case}");
        assert_eq!(response.json(), self.refusal(status, code, message, id), "{case}");
        assert!(response.header("x-request-id").is_some(), "{case}");
        let retry = (status == 503).then_some("1");
        assert_eq!(response.header("retry-after"), retry, "{case}");
    }
}
