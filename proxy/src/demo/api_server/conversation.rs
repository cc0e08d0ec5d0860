//! The REST chat answers: JSON, and the event streams of style A and of its predecessor.

use http::header::ACCEPT;
use http::{Response, StatusCode};

use super::AGENT_NAME;
use super::bridge_client::BridgeClient;
use super::input::{Message, Trouble, read_message};
use crate::demo::call::header;
use crate::demo::http1::Arrival;
use crate::demo::js_text::JsText;
use crate::demo::reply::{Events, Outgoing, json, live_events};

/// Answers with the whole reply.
pub async fn send(
    bridge: &BridgeClient,
    request: Arrival<'_>,
    room: String,
) -> Result<Response<Outgoing>, Trouble> {
    let message = read_message(request, room).await?;
    whole(bridge, &message).await
}

/// Answers with an event stream of style A, whose head goes out before the cloud is asked.
pub async fn stream(
    bridge: &BridgeClient,
    request: Arrival<'_>,
    room: String,
) -> Result<Response<Outgoing>, Trouble> {
    let message = read_message(request, room).await?;
    let (events, response) = live_events();
    tokio::spawn(style_a(bridge.clone(), message, events));
    Ok(response)
}

/// The single-room route: JSON, or where the client accepts it, the older event stream.
pub async fn chat(
    bridge: &BridgeClient,
    request: Arrival<'_>,
) -> Result<Response<Outgoing>, Trouble> {
    let accept = header(&request.head.headers, ACCEPT.as_str()).unwrap_or_default();
    let streamed = accept.contains("text/event-stream");
    let message = read_message(request, "web-chat".to_owned()).await?;
    if !streamed {
        return whole(bridge, &message).await;
    }
    let (events, response) = live_events();
    tokio::spawn(style_a_legacy(bridge.clone(), message, events));
    Ok(response)
}

async fn whole(bridge: &BridgeClient, message: &Message) -> Result<Response<Outgoing>, Trouble> {
    let text = bridge.send(message).await.map_err(Trouble::failed)?.quoted();
    let reply = format!(r#"{{"text":{text},"agentName":"{AGENT_NAME}"}}"#);
    Ok(json(StatusCode::OK, reply))
}

async fn style_a(bridge: BridgeClient, message: Message, events: Events) {
    let mut full = JsText::default();
    let told = async {
        let mut reply = bridge.stream(&message).await?;
        while let Some(text) = reply.next().await {
            let text = text?;
            full.push(&text);
            events.data(&format!(r#"{{"type":"token","text":{}}}"#, text.quoted())).await;
        }
        Ok::<_, String>(())
    };
    let last = match told.await {
        Ok(()) => {
            let full = full.quoted();
            format!(r#"{{"type":"done","fullText":{full},"agentName":"{AGENT_NAME}"}}"#)
        }
        Err(message) => {
            let message = JsText::from(message.as_str()).quoted();
            format!(r#"{{"type":"error","message":{message}}}"#)
        }
    };
    events.data(&last).await;
}

async fn style_a_legacy(bridge: BridgeClient, message: Message, events: Events) {
    let Ok(mut reply) = bridge.stream(&message).await else { return };
    while let Some(Ok(text)) = reply.next().await {
        events.data(&format!(r#"{{"text":{}}}"#, text.quoted())).await;
    }
    events.event("done", "{}").await;
}
