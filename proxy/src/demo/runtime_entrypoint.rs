//! The cloud runtime's entrypoint in echo mode (wire facts 2c, revision O): exact targets, no
//! schema, the room ignored, and a process that ends at a body that is no JSON, or `null`, and at an
//! `id` that it cannot repeat.

use std::sync::Arc;

use http::{Method, Response, StatusCode};

use super::clock::{iso, now_ms};
use super::http1::{Arrival, NoAnswer, Program, Reading};
use super::js_text::JsText;
use super::json::Json;
use super::recorder::Recorder;
use super::reply::{Outgoing, chunked, events, json_chunked};

/// The real one has no limit; this is above what modegate lets through.
const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// About what `JSON.stringify` writes on Node's stack of values in one another; `JSON.parse` reads any.
const DEEPEST: usize = 4000;

/// The entrypoint.
#[derive(Debug)]
pub struct RuntimeEntrypoint {
    recorder: Arc<Recorder>,
    started_ms: u64,
}

impl RuntimeEntrypoint {
    /// An entrypoint that starts now.
    pub fn new(recorder: Arc<Recorder>) -> RuntimeEntrypoint {
        RuntimeEntrypoint { recorder, started_ms: now_ms() }
    }

    fn health(&self) -> String {
        format!(
            r#"{{"status":"healthy","uptime":{},"startedAt":"{}","memoryUsage":0,"runtimeReady":true}}"#,
            self.uptime(),
            iso(self.started_ms),
        )
    }

    fn uptime(&self) -> f64 {
        // Milliseconds since a start of our own: far below what a double holds.
        now_ms().saturating_sub(self.started_ms) as f64 / 1000.0
    }

    fn bridge(&self, rpc: Json<'_>) -> String {
        let id = id_member(rpc);
        match method(rpc).as_str() {
            "message.send" => format!(
                r#"{{"jsonrpc":"2.0",{id}"result":{{"text":{},"metadata":{{"timestamp":{}}}}}}}"#,
                echo(rpc),
                now_ms(),
            ),
            "status.get" => format!(
                r#"{{"jsonrpc":"2.0",{id}"result":{{"status":"running","uptime":{},"memoriesCount":0,"startedAt":"{}"}}}}"#,
                self.uptime(),
                iso(self.started_ms),
            ),
            "heartbeat" => format!(
                r#"{{"jsonrpc":"2.0","method":"heartbeat.ack","params":{{"timestamp":{}}}}}"#,
                now_ms(),
            ),
            other => format!(
                r#"{{"jsonrpc":"2.0",{id}"error":{{"code":-32601,"message":{}}}}}"#,
                JsText::from(format!("Method not found: {other}").as_str()).quoted(),
            ),
        }
    }
}

impl Program for RuntimeEntrypoint {
    fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    async fn answer(&self, request: Arrival<'_>) -> Result<Response<Outgoing>, NoAnswer> {
        // `req.url`, not its path: a query string is another target.
        let target = request.head.uri.to_string();
        match (&request.head.method, target.as_str()) {
            (&Method::GET, "/health") => Ok(json_chunked(StatusCode::OK, self.health())),
            (&Method::POST, "/bridge") => {
                let body = read(request).await?;
                Ok(json_chunked(StatusCode::OK, self.bridge(parse(&body)?)))
            }
            (&Method::POST, "/bridge/stream") => {
                let body = read(request).await?;
                Ok(stream(parse(&body)?))
            }
            _ => Ok(json_chunked(StatusCode::NOT_FOUND, r#"{"error":"Not Found"}"#.to_owned())),
        }
    }
}

async fn read(request: Arrival<'_>) -> Result<String, NoAnswer> {
    match request.read(BODY_LIMIT).await? {
        Reading::Body(body) => Ok(String::from_utf8_lossy(&body).into_owned()),
        Reading::TooLarge => Err(NoAnswer::Abandoned),
    }
}

/// `JSON.parse(body)`, the first look at a member, and the `id` in the answer, in a handler that
/// catches nothing.
fn parse(body: &str) -> Result<Json<'_>, NoAnswer> {
    let is_written = |rpc: &Json<'_>| rpc.member("id").is_none_or(|id| depth(id) <= DEEPEST);
    Json::parse(body).filter(|rpc| !rpc.is_null()).filter(is_written).ok_or(NoAnswer::Died)
}

/// How many containers a value opens one right in another.
fn depth(value: Json<'_>) -> usize {
    value.compact().bytes().take_while(|byte| matches!(byte, b'[' | b'{')).count()
}

fn stream(rpc: Json<'_>) -> Response<Outgoing> {
    if method(rpc) != "message.send" {
        let refusal = r#"{"error":"Only message.send is streamable"}"#;
        return json_chunked(StatusCode::BAD_REQUEST, refusal.to_owned());
    }
    let rpc_id = rpc.member("id").map(|id| format!(r#""rpcId":{},"#, id.compact()));
    let mark = format!(r#"{{{}"timestamp":{}}}"#, rpc_id.unwrap_or_default(), now_ms());
    events(chunked([
        format!("event: connected\ndata: {mark}\n\n"),
        format!("event: chunk\ndata: {{\"text\":{}}}\n\n", echo(rpc)),
        format!("event: done\ndata: {mark}\n\n"),
    ]))
}

/// The id's member with its comma; nothing where the request has none.
fn id_member(rpc: Json<'_>) -> String {
    rpc.member("id").map(|id| format!(r#""id":{},"#, id.compact())).unwrap_or_default()
}

/// The method as a template string would show it.
fn method(rpc: Json<'_>) -> String {
    let Some(method) = rpc.member("method") else { return "undefined".to_owned() };
    method.string().map_or_else(|| method.compact(), |name| name.to_lossy())
}

/// The reply's text, as JSON.
fn echo(rpc: Json<'_>) -> String {
    let text = rpc.member("params").and_then(|params| params.member("text"));
    let mut reply = JsText::from("[echo] ");
    if let Some(text) = text.filter(|text| !text.is_null()) {
        reply.push(&text.string().unwrap_or_else(|| shown(text)));
    }
    reply.quoted()
}

/// What a template string makes of a value that is no string.
fn shown(value: Json<'_>) -> JsText {
    if value.is_object() {
        return JsText::from("[object Object]");
    }
    JsText::from(value.compact().as_str())
}
