//! The cloud proxy between bridge and runtime leg, and the runtime behind it: answers come from
//! the runtime where there is a leg to it, else from here, in the same shapes.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::api::Call;
use super::fault::{self, Fault, Treatment};
use super::serve::{Caller, Server, events, whole};
use crate::harness::{Received, Request};

type Treat = dyn Fn(&Value) -> Treatment + Send + Sync;

/// A running cloud, with what it sent on.
pub struct Cloud {
    server: Server,
    inner: Arc<Inner>,
}

struct Inner {
    treat: Box<Treat>,
    runtime: Caller,
    calls: Mutex<Vec<Call>>,
}

impl Cloud {
    /// One that treats each request as `treat` says of its JSON-RPC body.
    pub async fn start(treat: impl Fn(&Value) -> Treatment + Send + Sync + 'static) -> Cloud {
        let (treat, runtime) = (Box::new(treat), Caller::default());
        let inner = Arc::new(Inner { treat, runtime, calls: Mutex::default() });
        let shared = inner.clone();
        let server = Server::start(move |received| {
            let inner = shared.clone();
            async move { inner.answer(&received).await }
        })
        .await;
        Cloud { server, inner }
    }

    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Whom it sends on to.
    pub fn runtime(&self) -> &Caller {
        &self.inner.runtime
    }

    /// What it sent on with this JSON-RPC id.
    pub fn calls(&self, rpc_id: &str) -> Vec<Call> {
        let calls = self.inner.calls.lock().expect("no panic");
        calls.iter().filter(|call| call.rpc_id == rpc_id).cloned().collect()
    }
}

impl Inner {
    async fn answer(&self, received: &Received) -> Vec<u8> {
        let body: Value = serde_json::from_slice(&received.body).expect("a body in JSON");
        let streams = received.target().ends_with("/stream");
        if !self.runtime.is_told() {
            return reply(&body, streams);
        }
        let treatment = (self.treat)(&body);
        let times = if treatment.fault == Fault::Twice { 2 } else { 1 };
        let mut answer = None;
        for _ in 0..times {
            let request = runtime_request(&body, streams, &treatment);
            let response = self.runtime.call(&request).await;
            let rpc_id = body["id"].as_str().unwrap_or_default().to_owned();
            self.calls.lock().expect("no panic").push(Call::of(rpc_id, &response));
            answer.get_or_insert(response);
        }
        let answer = answer.expect("an answer");
        let kind = answer.header("content-type").unwrap_or_default();
        whole("200 OK", kind, &answer.text())
    }
}

/// What the cloud sends on: `/bridge` keeps `params` as they are, `/stream` only text and room.
fn runtime_request(body: &Value, streams: bool, treatment: &Treatment) -> Request {
    let came = &body["params"];
    let (mut sent, mut params) = (body.clone(), came.clone());
    if streams {
        params = json!({ "text": came["text"] });
    }
    for member in ["processing", "roomId"] {
        params.as_object_mut().expect("an object").remove(member);
    }
    if let Some(room) = treatment.room(came["roomId"].as_str()) {
        params["roomId"] = Value::from(room);
    }
    let keeps = !streams || treatment.server == fault::Server::New;
    let kept = Treatment {
        server: if keeps { fault::Server::New } else { fault::Server::Old },
        ..treatment.clone()
    };
    if let Some(processing) = kept.processing(came.get("processing")) {
        params["processing"] = processing;
    }
    sent["params"] = params;
    Request::post(if streams { "/bridge/stream" } else { "/bridge" }, sent.to_string())
}

/// What the runtime's entrypoint answers in echo mode.
fn reply(body: &Value, streams: bool) -> Vec<u8> {
    let (id, text) = (&body["id"], &body["params"]["text"]);
    let text = format!("[echo] {}", text.as_str().unwrap_or_default());
    if !streams {
        let result = json!({ "text": text, "metadata": { "timestamp": 1 } });
        let answer = json!({ "jsonrpc": "2.0", "id": id, "result": result });
        return whole("200 OK", "application/json", &answer.to_string());
    }
    let end = json!({ "rpcId": id, "timestamp": 1 });
    let chunk = format!("event: chunk\ndata: {}\n\n", json!({ "text": text }));
    let connected = format!("event: connected\ndata: {end}\n\n");
    events([connected.as_str(), &chunk, &format!("event: done\ndata: {end}\n\n")])
}

/// The runtime: it answers by itself.
pub async fn runtime() -> Server {
    Server::start(|received| async move {
        let body: Value = serde_json::from_slice(&received.body).expect("a body in JSON");
        reply(&body, received.target().ends_with("/stream"))
    })
    .await
}
