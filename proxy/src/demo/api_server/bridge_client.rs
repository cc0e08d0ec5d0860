//! The API server's client of the cloud (wire facts 2a): builds `params` field by field, sends
//! headers of its own, and reads event streams as strictly as the real one.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::input::Message;
use crate::demo::call::{Answer, Base};
use crate::demo::identity::random_uuid;
use crate::demo::js_text::JsText;
use crate::demo::json::Json;

/// The key that the captures show.
const API_KEY: (&str, &str) = ("X-Api-Key", "k");
/// A call's headers of its own.
const JSON_CALL: [(&str, &str); 2] = [("Content-Type", "application/json"), API_KEY];
/// The most time a message may take.
const SEND_TIME: Duration = Duration::from_secs(60);
/// The most time that a stream's head, or its next bytes, may take; the real client waits as
/// long as its `fetch` does by default.
const STREAM_TIME: Duration = Duration::from_secs(300);
/// The most time of every other call.
const OTHER_TIME: Duration = Duration::from_secs(30);
/// The most bytes of an event that is not complete.
const EVENT_LIMIT: usize = 4 * 1024 * 1024;

/// The client.
#[derive(Clone, Debug)]
pub struct BridgeClient {
    cloud: Base,
}

impl BridgeClient {
    /// A client of the cloud at this base.
    pub fn new(cloud: Base) -> BridgeClient {
        BridgeClient { cloud }
    }

    /// Makes the agent run and asks for it, as connecting does.
    pub async fn connect(&self, agent: &str) -> Result<(), String> {
        let target = format!("/api/v1/milaidy/agents/{agent}");
        let provision = format!("{target}/provision");
        for (method, target) in [(Method::POST, provision), (Method::GET, target)] {
            let sent =
                self.cloud.fetch(method, &target, &[API_KEY], Bytes::new(), OTHER_TIME).await;
            let response = sent.map_err(|error| fetch_failed(&error))?;
            let status = response.status();
            if !status.is_success() {
                return Err(format!("HTTP {}", status.as_u16()));
            }
            Answer::read(response, OTHER_TIME).await.map_err(|error| fetch_failed(&error))?;
        }
        Ok(())
    }

    /// Sends a message and gives the reply's text.
    pub async fn send(&self, message: &Message) -> Result<JsText, String> {
        let response = self.post("bridge", message, SEND_TIME).await?;
        let status = response.status();
        let answer = Answer::read(response, SEND_TIME).await;
        let text = answer.map_err(|error| fetch_failed(&error))?.text();
        if !status.is_success() {
            let start: String = text.chars().take(200).collect();
            return Err(format!("Bridge request failed: HTTP {} {start}", status.as_u16()));
        }
        let reply = Json::parse(&text).ok_or("Unexpected end of JSON input")?;
        if let Some(error) = reply.member("error").filter(|error| !error.is_falsy()) {
            let message = error.member("message").and_then(Json::string);
            return Err(message.unwrap_or_default().to_lossy());
        }
        let text = reply.member("result").and_then(|result| result.member("text")?.string());
        Ok(text.unwrap_or_else(|| JsText::from("(no response)")))
    }

    /// Sends a message and gives the reply as it comes.
    pub async fn stream(&self, message: &Message) -> Result<CloudStream, String> {
        let response = self.post("stream", message, STREAM_TIME).await?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("Stream request failed: HTTP {}", status.as_u16()));
        }
        Ok(CloudStream { body: response.into_body(), unread: Vec::new() })
    }

    async fn post(
        &self,
        call: &str,
        message: &Message,
        within: Duration,
    ) -> Result<Response<Incoming>, String> {
        let target = format!("/api/v1/milaidy/agents/{}/{call}", super::AGENT);
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":"{}","method":"message.send","params":{{"text":{},"roomId":{},"mode":"{}"}}}}"#,
            random_uuid(),
            message.text.quoted(),
            JsText::from(message.room.as_str()).quoted(),
            message.depth.word(),
        );
        let sent = self.cloud.fetch(Method::POST, &target, &JSON_CALL, body.into(), within).await;
        sent.map_err(|error| fetch_failed(&error))
    }
}

/// A reply that is still coming.
#[derive(Debug)]
pub struct CloudStream {
    body: Incoming,
    unread: Vec<u8>,
}

impl CloudStream {
    /// The text of the next `chunk` event; `None` at the end. Every other event is skipped, an
    /// `error` too, which is how a failed reply becomes an empty one.
    pub async fn next(&mut self) -> Option<Result<JsText, String>> {
        loop {
            while let Some(event) = self.take_event() {
                match chunk_text(&event) {
                    Ok(None) => {}
                    Ok(Some(text)) => return Some(Ok(text)),
                    Err(thrown) => return Some(Err(thrown)),
                }
            }
            match tokio::time::timeout(STREAM_TIME, self.body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    self.unread.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new()));
                }
                // What has no blank line after it is lost.
                Ok(None) => return None,
                Ok(Some(Err(_))) | Err(_) => return Some(Err("terminated".to_owned())),
            }
            if self.unread.len() > EVENT_LIMIT {
                return Some(Err("terminated".to_owned()));
            }
        }
    }

    /// The next event up to its blank line, which is `\n\n` and nothing else.
    fn take_event(&mut self) -> Option<String> {
        let end = self.unread.windows(2).position(|pair| pair == b"\n\n")?;
        let event: Vec<u8> = self.unread.drain(..end + 2).collect();
        Some(String::from_utf8_lossy(&event).into_owned())
    }
}

fn chunk_text(event: &str) -> Result<Option<JsText>, String> {
    let last = |field: &str| event.lines().filter_map(|line| line.strip_prefix(field)).next_back();
    let Some(data) = last("data: ") else { return Ok(None) };
    let data = Json::parse(data).ok_or("Unexpected token in JSON")?;
    if last("event: ") != Some("chunk") {
        return Ok(None);
    }
    Ok(data.member("text").and_then(Json::string))
}

/// The message of `fetch`'s exception, with what lies behind it.
fn fetch_failed(error: &dyn std::fmt::Display) -> String {
    format!("fetch failed: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_strictly() {
        struct Case {
            name: &'static str,
            event: &'static str,
            read: Result<Option<&'static str>, ()>,
        }
        let cases = [
            Case {
                name: "chunk",
                event: "event: chunk\ndata: {\"text\":\"a\"}\n\n",
                read: Ok(Some("a")),
            },
            Case {
                name: "last data wins",
                event: "event: chunk\ndata: {}\ndata: {\"text\":\"b\"}\n\n",
                read: Ok(Some("b")),
            },
            Case {
                name: "no space after data",
                event: "event: chunk\ndata:{\"text\":\"a\"}\n\n",
                read: Ok(None),
            },
            Case {
                name: "no space after event",
                event: "event:chunk\ndata: {\"text\":\"a\"}\n\n",
                read: Ok(None),
            },
            Case {
                name: "an error is skipped",
                event: "event: error\ndata: {\"message\":\"m\"}\n\n",
                read: Ok(None),
            },
            Case { name: "a comment", event: ": heartbeat\n\n", read: Ok(None) },
            Case { name: "no JSON", event: "event: chunk\ndata: [DONE]\n\n", read: Err(()) },
        ];
        for case in cases {
            let read = chunk_text(case.event).map_err(|_| ());
            assert_eq!(read, case.read.map(|text| text.map(JsText::from)), "{}", case.name);
        }
    }
}
