//! What the caller is told of a mismatch that is not let through: what was expected, and what was
//! found. Rooms are named by digests, since another conversation's is none of the caller's.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::parity::Verdict;
use crate::rejection::PARITY_CODE;

/// How the upstream would have answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// With one JSON-RPC answer.
    Whole,
    /// With events.
    Events,
}

/// A mismatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch<'a> {
    /// What it is.
    pub verdict: Verdict,
    /// What the leg before let through: a mode's name, or a room's digest.
    pub expected: &'a str,
    /// What arrived in its place.
    pub found: &'a str,
}

impl Mismatch<'_> {
    /// The answer's body: a JSON-RPC error of the code -32010 with the request's id (its JSON text),
    /// or the event by which the cloud's streams say that something went wrong.
    pub fn body(&self, shape: Shape, id: Option<&str>) -> Bytes {
        let error = self.error();
        match shape {
            Shape::Whole => {
                let id = id.unwrap_or("null");
                Bytes::from(format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#))
            }
            Shape::Events => Bytes::from(format!("event: error\ndata: {error}\n\n")),
        }
    }

    fn error(&self) -> Value {
        let Mismatch { verdict, expected, found } = self;
        let subject = if verdict.is_of_room() { "room" } else { "mode" };
        let word = verdict.word();
        let message = format!("parity: {word}: expected {subject} {expected}, found {found}");
        let data = json!({ "verdict": word, "expected": expected, "found": found });
        json!({ "code": PARITY_CODE, "message": message, "data": data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_name_the_fault() {
        let lost = Mismatch { verdict: Verdict::ModeMissing, expected: "fast", found: "none" };
        let error = r#"{"code":-32010,"data":{"expected":"fast","found":"none","verdict":"mode_missing"},"message":"parity: mode_missing: expected mode fast, found none"}"#;
        let cases = [
            (
                Shape::Whole,
                Some("\"a\""),
                format!(r#"{{"jsonrpc":"2.0","id":"a","error":{error}}}"#),
            ),
            (Shape::Whole, None, format!(r#"{{"jsonrpc":"2.0","id":null,"error":{error}}}"#)),
            (Shape::Events, Some("7"), format!("event: error\ndata: {error}\n\n")),
        ];
        for (shape, id, body) in cases {
            assert_eq!(lost.body(shape, id), body);
        }
        let crossed = Mismatch { verdict: Verdict::RoomCrossed, expected: "1a", found: "2b" };
        let body = crossed.body(Shape::Whole, None);
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["error"]["message"], "parity: room_crossed: expected room 1a, found 2b");
    }
}
