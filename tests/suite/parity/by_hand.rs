//! All legs in front of one origin that answers by itself: the test is the API server and the cloud,
//! and sends each leg what it likes, byte for byte.

use serde_json::Value;

use super::message::room_of;
use crate::harness::{
    Address, Answer, Client, Modegate, Origin, Received, Request, Response, eventually, settings,
};

/// A conversation.
pub const CONVERSATION: &str = "/api/conversations/c-1/messages";
/// What the cloud's legs are called at.
pub const BRIDGE: &str = "/api/v1/milady/agents/a/bridge";
pub const STREAM: &str = "/api/v1/milady/agents/a/stream";

/// The room of [`CONVERSATION`].
pub fn room() -> String {
    room_of("c-1")
}

/// The process and the origin behind all its legs.
pub struct ByHand {
    pub modegate: Modegate,
    pub origin: Origin,
}

/// A request and what came of it.
pub struct Sent {
    pub response: Response,
    /// Its access line.
    pub line: Value,
    /// What the origin got of it.
    pub forwarded: Option<Received>,
}

impl ByHand {
    /// A process with these settings; the origin answers 200, or the status in the target's query.
    pub async fn start(extra: &str) -> ByHand {
        let origin = Origin::start(|request| match request.target().split_once('?') {
            Some((_, status)) => Answer::status(&format!("{status} No"), "", "{}"),
            None => Answer::ok("{}"),
        })
        .await;
        let modegate = Modegate::start(&settings(&origin, extra)).await;
        ByHand { modegate, origin }
    }

    /// A request on a leg, its line awaited.
    pub async fn send(&self, leg: &str, request: Request) -> Sent {
        let (before, lines) = (self.origin.requests(), self.lines(leg).len());
        let address: &Address = self.modegate.leg(leg, 0);
        let response = Client::once(address, request).await;
        let line = eventually("its line", async || self.lines(leg).into_iter().nth(lines)).await;
        assert_eq!(line["request_id"].as_str(), response.header("x-request-id"), "{line}");
        let forwarded = (self.origin.requests() > before).then(|| self.origin.last());
        Sent { response, line, forwarded }
    }

    fn lines(&self, leg: &str) -> Vec<Value> {
        self.modegate.access_lines().into_iter().filter(|line| line["leg"] == leg).collect()
    }

    /// A message of [`CONVERSATION`] that is let through.
    pub async fn leaves(&self, text: &str, processing: Option<&str>) -> Sent {
        let sent = self.send("frontend", message(CONVERSATION, text, processing)).await;
        assert_eq!(sent.response.status, 200, "{}", sent.response.text());
        sent
    }

    /// A `message.send` with these params on the bridge leg.
    pub async fn arrives(&self, params: &str) -> Sent {
        self.send("bridge", Request::post(BRIDGE, rpc(params))).await
    }
}

/// A message with this JSON for its text, and for the contract's member.
pub fn message(target: &str, text: &str, processing: Option<&str>) -> Request {
    let member = processing.map(|value| format!(r#","processing":{value}"#)).unwrap_or_default();
    Request::post(target, format!(r#"{{"text":{text}{member}}}"#))
}

/// The body of a `message.send` with these params.
pub fn rpc(params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":"rpc-1","method":"message.send","params":{params}}}"#)
}

/// Params with this JSON for the text, in the room of [`CONVERSATION`], and with what follows.
pub fn params(text: &str, more: &str) -> String {
    let room = room();
    format!(r#"{{"text":{text},"roomId":"{room}","mode":"simple"{more}}}"#)
}
