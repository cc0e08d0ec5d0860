//! The `/v1` routes: OpenAI's and Anthropic's chat calls, reduced to one prompt in a room that
//! all their callers share (wire facts, "/v1 body facts"; event stream styles B and C).

use http::header::ACCEPT;
use http::{Response, StatusCode};

use super::AGENT_NAME;
use super::bridge_client::BridgeClient;
use super::input::{Depth, Message, Trouble, read_object};
use crate::demo::call::header;
use crate::demo::clock::now_ms;
use crate::demo::http1::Arrival;
use crate::demo::identity::random_uuid;
use crate::demo::js_text::JsText;
use crate::demo::json::Json;
use crate::demo::reply::{Events, Outgoing, json, live_events};

/// What a `/v1` call asks for.
struct Call {
    message: Message,
    model: String,
    streamed: bool,
}

/// Which of the two APIs a call speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Api {
    OpenAi,
    Anthropic,
}

/// `POST /v1/chat/completions`.
pub async fn openai(
    bridge: &BridgeClient,
    request: Arrival<'_>,
) -> Result<Response<Outgoing>, Trouble> {
    let call = read_call(request, Api::OpenAi).await?;
    let chunk = OpenAiChunk { id: random_uuid(), created: now_ms() / 1000, model: call.model };
    if call.streamed {
        let (events, response) = live_events();
        tokio::spawn(style_b(bridge.clone(), call.message, chunk, events));
        return Ok(response);
    }
    let text = bridge.send(&call.message).await.map_err(server_error)?.quoted();
    let OpenAiChunk { id, created, model } = chunk;
    let completion = format!(
        r#"{{"id":"chatcmpl-{id}","object":"chat.completion","created":{created},"model":{model},"choices":[{{"index":0,"message":{{"role":"assistant","content":{text}}},"finish_reason":"stop"}}]}}"#
    );
    Ok(json(StatusCode::OK, completion))
}

/// `POST /v1/messages`.
pub async fn anthropic(
    bridge: &BridgeClient,
    request: Arrival<'_>,
) -> Result<Response<Outgoing>, Trouble> {
    let call = read_call(request, Api::Anthropic).await?;
    let (id, model) = (random_uuid().replace('-', ""), call.model);
    if call.streamed {
        let (events, response) = live_events();
        let start = anthropic_message(&id, &model, "[]", "null");
        tokio::spawn(style_c(bridge.clone(), call.message, start, events));
        return Ok(response);
    }
    let text = bridge.send(&call.message).await.map_err(server_error)?.quoted();
    let content = format!(r#"[{{"type":"text","text":{text}}}]"#);
    Ok(json(StatusCode::OK, anthropic_message(&id, &model, &content, r#""end_turn""#)))
}

fn anthropic_message(id: &str, model: &str, content: &str, stop: &str) -> String {
    format!(
        r#"{{"id":"msg_{id}","type":"message","role":"assistant","model":{model},"content":{content},"stop_reason":{stop},"stop_sequence":null,"usage":{{"input_tokens":0,"output_tokens":0}}}}"#
    )
}

async fn read_call(request: Arrival<'_>, api: Api) -> Result<Call, Trouble> {
    let accept = header(&request.head.headers, ACCEPT.as_str()).unwrap_or_default();
    let accepts_events = accept.contains("text/event-stream");
    let body = read_object(request).await?;
    let member = |name| Json::parse(&body).and_then(|body| body.member(name));
    let Some(text) = prompt(member("messages"), member("system"), api) else {
        let message = "messages must be an array containing at least one user message";
        let kind = "invalid_request_error";
        return Err(Trouble::Compat(StatusCode::BAD_REQUEST, kind, message.to_owned()));
    };
    let room = match api {
        Api::OpenAi => "openai-compat",
        Api::Anthropic => "anthropic-compat",
    };
    let model = member("model").and_then(Json::string).filter(|model| !model.is_empty());
    Ok(Call {
        message: Message { text, room: room.to_owned(), depth: Depth::Power },
        model: model.unwrap_or_else(|| JsText::from(AGENT_NAME)).quoted(),
        streamed: accepts_events || member("stream").is_some_and(Json::is_true),
    })
}

/// What the system and developer say, a blank line, and the last thing that the user said;
/// `None` where no user said anything.
fn prompt(messages: Option<Json<'_>>, system: Option<Json<'_>>, api: Api) -> Option<JsText> {
    let messages = messages.filter(|messages| messages.is_array())?.items();
    let mut parts = Vec::new();
    if api == Api::Anthropic {
        parts.extend(system.map(content));
    }
    let mut user = None;
    for message in messages {
        let Some(text) = message.member("content").map(content) else { continue };
        let role = message.member("role").and_then(Json::string).unwrap_or_default().to_lossy();
        match role.as_str() {
            "system" | "developer" => parts.push(text),
            "user" if !text.is_empty() => user = Some(text),
            _ => {}
        }
    }
    parts.push(user?);
    parts.retain(|part| !part.is_empty());
    let mut prompt = JsText::default();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            prompt.push(&JsText::from("\n\n"));
        }
        prompt.push(part);
    }
    Some(prompt)
}

/// A message's content: a string, `{text}`, or parts of type `text`.
fn content(value: Json<'_>) -> JsText {
    if let Some(text) = value.string().or_else(|| value.member("text")?.string()) {
        return text.trimmed();
    }
    let mut joined = JsText::default();
    for part in value.items() {
        let kind = part.member("type").and_then(Json::string);
        if kind == Some(JsText::from("text")) {
            joined.push(&part.member("text").and_then(Json::string).unwrap_or_default());
        }
    }
    joined.trimmed()
}

struct OpenAiChunk {
    id: String,
    created: u64,
    model: String,
}

impl OpenAiChunk {
    fn frame(&self, delta: &str, finish: &str) -> String {
        let OpenAiChunk { id, created, model } = self;
        format!(
            r#"{{"id":"chatcmpl-{id}","object":"chat.completion.chunk","created":{created},"model":{model},"choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}"#
        )
    }
}

async fn style_b(bridge: BridgeClient, message: Message, chunk: OpenAiChunk, events: Events) {
    events.data(&chunk.frame(r#"{"role":"assistant"}"#, "null")).await;
    let told = async {
        let mut reply = bridge.stream(&message).await?;
        while let Some(text) = reply.next().await {
            let delta = format!(r#"{{"content":{}}}"#, text?.quoted());
            events.data(&chunk.frame(&delta, "null")).await;
        }
        Ok::<_, String>(())
    };
    let last = match told.await {
        Ok(()) => chunk.frame("{}", r#""stop""#),
        Err(message) => {
            let message = JsText::from(message.as_str()).quoted();
            format!(r#"{{"error":{{"message":{message},"type":"server_error"}}}}"#)
        }
    };
    events.data(&last).await;
    events.data("[DONE]").await;
}

async fn style_c(bridge: BridgeClient, message: Message, start: String, events: Events) {
    let event = async |name: &str, rest: &str| {
        events.event(name, &format!(r#"{{"type":"{name}"{rest}}}"#)).await;
    };
    event("message_start", &format!(r#","message":{start}"#)).await;
    let block = r#","index":0,"content_block":{"type":"text","text":""}"#;
    event("content_block_start", block).await;
    let told = async {
        let mut reply = bridge.stream(&message).await?;
        while let Some(text) = reply.next().await {
            let delta = format!(r#"{{"type":"text_delta","text":{}}}"#, text?.quoted());
            event("content_block_delta", &format!(r#","index":0,"delta":{delta}"#)).await;
        }
        Ok::<_, String>(())
    };
    if let Err(message) = told.await {
        let message = JsText::from(message.as_str()).quoted();
        let fault = format!(r#","error":{{"type":"server_error","message":{message}}}"#);
        return event("error", &fault).await;
    }
    event("content_block_stop", r#","index":0"#).await;
    let delta = r#"{"stop_reason":"end_turn","stop_sequence":null}"#;
    let end = format!(r#","delta":{delta},"usage":{{"output_tokens":0}}"#);
    event("message_delta", &end).await;
    event("message_stop", "").await;
}

fn server_error(message: String) -> Trouble {
    Trouble::Compat(StatusCode::INTERNAL_SERVER_ERROR, "server_error", message)
}
