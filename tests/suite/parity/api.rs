//! The API server between frontend and bridge leg, as wire facts and captures show it: it drops
//! every header, trims the text, asks the cloud, and answers. What it does to each message is for
//! the test to say.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::fault::{Fault, Forwards, Treatment};
use super::message::{Message, Style};
use super::serve::{Caller, Server, events, whole};
use crate::harness::{Received, Request, Response};

/// A request that the next leg was sent, and its answer.
#[derive(Clone, Debug)]
pub struct Call {
    /// The request's id, as the process gave it.
    pub request_id: String,
    /// The JSON-RPC id.
    pub rpc_id: String,
    pub status: u16,
    pub body: String,
}

/// A message, and what came of it.
#[derive(Clone, Debug)]
pub struct Handled {
    pub message: Message,
    pub treatment: Treatment,
    pub calls: Vec<Call>,
}

type Treat = dyn Fn(&Message) -> Treatment + Send + Sync;

/// A running API server.
pub struct Api {
    server: Server,
    inner: Arc<Inner>,
}

struct Inner {
    treat: Box<Treat>,
    /// Whom it asks.
    pub bridge: Caller,
    handled: Mutex<Vec<Handled>>,
}

impl Api {
    /// One that treats each message as `treat` says.
    pub async fn start(treat: impl Fn(&Message) -> Treatment + Send + Sync + 'static) -> Api {
        let (treat, bridge) = (Box::new(treat), Caller::default());
        let inner = Arc::new(Inner { treat, bridge, handled: Mutex::default() });
        let shared = inner.clone();
        let server = Server::start(move |received| {
            let inner = shared.clone();
            async move { inner.answer(&received).await }
        })
        .await;
        Api { server, inner }
    }

    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Whom it asks.
    pub fn bridge(&self) -> &Caller {
        &self.inner.bridge
    }

    /// What it handled so far, in the order in which it ended.
    pub fn handled(&self) -> Vec<Handled> {
        self.inner.handled.lock().expect("no panic").clone()
    }

    /// What became of the message with this request id.
    pub fn of(&self, request_id: &str) -> Handled {
        let handled = self.inner.handled.lock().expect("no panic");
        let found = handled.iter().rev().find(|one| one.message.request_id == request_id);
        found.cloned().expect("a handled message")
    }
}

impl Inner {
    async fn answer(&self, received: &Received) -> Vec<u8> {
        let message = Message::read(received);
        let treatment = (self.treat)(&message);
        let mut calls = Vec::new();
        let times = match treatment.fault {
            Fault::Locally | Fault::Refuse(_) => 0,
            Fault::Twice => 2,
            _ => 1,
        };
        for _ in 0..times {
            let (rpc_id, request) = bridge_request(&message, &treatment);
            calls.push(Call::of(rpc_id, &self.bridge.call(&request).await));
        }
        let answer = answer(&message, &treatment, calls.first());
        self.handled.lock().expect("no panic").push(Handled { message, treatment, calls });
        answer
    }
}

impl Call {
    /// What the process answered.
    pub fn of(rpc_id: String, response: &Response) -> Call {
        let request_id = response.header("x-request-id").expect("an id").to_owned();
        Call { request_id, rpc_id, status: response.status, body: response.text() }
    }
}

/// What bridge-client.ts sends.
pub fn bridge_request(message: &Message, treatment: &Treatment) -> (String, Request) {
    let rpc_id = uuid::Uuid::new_v4().to_string();
    let mut params = json!({ "text": message.text, "mode": "simple" });
    if let Some(room) = treatment.room(Some(&message.room)) {
        params["roomId"] = Value::from(room);
    }
    if let Some(processing) = treatment.processing(message.processing.as_ref()) {
        params["processing"] = processing;
    }
    let call = if message.streams { "stream" } else { "bridge" };
    let body =
        json!({ "jsonrpc": "2.0", "id": rpc_id, "method": "message.send", "params": params });
    let target = format!("/api/v1/milady/agents/a/{call}");
    let request = Request::post(&target, body.to_string()).header("X-Api-Key", "k");
    let request = match treatment.forwards {
        Forwards::Nothing => request,
        Forwards::RequestId => request.header("X-Request-Id", &message.request_id),
        Forwards::Trace => request.header("Traceparent", &message.traceparent),
    };
    (rpc_id, request)
}

/// What its client is answered.
pub fn answer(message: &Message, treatment: &Treatment, call: Option<&Call>) -> Vec<u8> {
    if let Fault::Refuse(status) = treatment.fault {
        return whole(&format!("{status} No"), "application/json", r#"{"error":"no"}"#);
    }
    let text = match call.map(said) {
        None => "by myself".to_owned(),
        Some(Ok(text)) => text,
        // Errors of a stream are swallowed: its answer is empty.
        Some(Err(_)) if message.streams => String::new(),
        Some(Err(error)) => {
            let body = json!({ "error": error }).to_string();
            return whole("500 Internal Server Error", "application/json", &body);
        }
    };
    match (message.style, message.streams) {
        (Style::Rest, false) => json_answer(&json!({ "text": text, "agentName": "A" })),
        (Style::Rest, true) => {
            let token = format!("data: {}\n\n", json!({ "type": "token", "text": text }));
            let done = json!({ "type": "done", "fullText": text, "agentName": "A" });
            events([token.as_str(), &format!("data: {done}\n\n")])
        }
        (Style::OpenAi, false) => {
            let choice = json!({ "index": 0, "message": { "role": "assistant", "content": text } });
            json_answer(&json!({ "object": "chat.completion", "choices": [choice] }))
        }
        (Style::OpenAi, true) => {
            let delta = json!({ "choices": [{ "index": 0, "delta": { "content": text } }] });
            events([format!("data: {delta}\n\n").as_str(), "data: [DONE]\n\n"])
        }
        (Style::Anthropic, false) => json_answer(
            &json!({ "type": "message", "content": [{ "type": "text", "text": text }] }),
        ),
        (Style::Anthropic, true) => {
            let delta = json!({ "delta": { "type": "text_delta", "text": text } });
            let delta = format!("event: content_block_delta\ndata: {delta}\n\n");
            events([delta.as_str(), "event: message_stop\ndata: {}\n\n"])
        }
    }
}

fn json_answer(body: &Value) -> Vec<u8> {
    whole("200 OK", "application/json", &body.to_string())
}

/// What the cloud said, or what went wrong.
fn said(call: &Call) -> Result<String, String> {
    if call.status != 200 {
        return Err(format!("Bridge request failed: HTTP {}", call.status));
    }
    if let Ok(body) = serde_json::from_str::<Value>(&call.body) {
        return match body.get("error") {
            Some(error) => Err(error["message"].as_str().unwrap_or_default().to_owned()),
            None => Ok(body["result"]["text"].as_str().unwrap_or("(no response)").to_owned()),
        };
    }
    let chunk =
        call.body.split("\n\n").find_map(|event| event.strip_prefix("event: chunk\ndata: "));
    let chunk = chunk.ok_or("no chunk")?;
    let chunk: Value = serde_json::from_str(chunk).expect("a chunk's data");
    Ok(chunk["text"].as_str().unwrap_or_default().to_owned())
}
