//! The origins against what the real programs did: captured requests are replayed, and answers
//! and onward requests compared with the captured ones.

mod captures;
mod defects;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};

use self::captures::Captured;
use super::call::{Answer, Base};
use super::origins::{Hop, Origins};
use super::recorder::Recorded;

/// Longer than any of this takes; reached only where something hangs.
const LONG: Duration = Duration::from_secs(30);
/// The conversation of the captures, and its room.
const CONVERSATION: &str = "92df569d-c294-49f4-9d7b-ac722fb09c35";
const ROOM: &str = "4c0bfadd-cf7e-06a4-b331-7621617a2f84";

macro_rules! capture {
    ($name:literal) => {
        captures::read(include_bytes!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/captures/",
            $name,
            ".txt"
        )))
    };
}

/// The three programs, each straight behind the one before it.
async fn chain() -> Origins {
    let mut origins = Origins::bind().await.unwrap();
    let (cloud, runtime) = (origins.cloud, origins.runtime);
    origins.serve(&format!("http://{cloud}"), &format!("http://{runtime}/"));
    origins
}

async fn exchange(base: &Base, request: Request<Bytes>) -> Answer {
    let response = base.send(request, LONG).await.unwrap();
    Answer::read(response, LONG).await.unwrap()
}

async fn post(base: &Base, target: &str, body: &str) -> Answer {
    let response = base.fetch(Method::POST, target, &[], Bytes::from(body.to_owned()), LONG).await;
    Answer::read(response.unwrap(), LONG).await.unwrap()
}

async fn new_conversation(api: &Base) -> (String, String) {
    let created = post(api, "/api/conversations", "{}").await;
    let created: serde_json::Value = serde_json::from_slice(&created.body).unwrap();
    let member = |name: &str| created["conversation"][name].as_str().unwrap().to_owned();
    (member("id"), member("roomId"))
}

/// Every header but those that differ from run to run.
fn lasting(headers: &HeaderMap) -> Vec<(String, String)> {
    let passing = ["date", "host"];
    let mut lasting: Vec<_> = headers
        .iter()
        .filter(|(name, _)| !passing.contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    lasting.sort();
    lasting
}

/// A body with what differs from run to run blotted out: digits of times, the values of ids that
/// were drawn, and the sandbox's address.
fn blotted(body: &[u8]) -> String {
    let mut text = String::from_utf8(body.to_vec()).unwrap();
    for start in [
        "\"timestamp\":",
        "\"createdAt\":\"",
        "\"updatedAt\":\"",
        "\"id\":\"",
        "\"bridgeUrl\":\"http://127.0.0.1:",
    ] {
        let mut done = String::new();
        while let Some((before, after)) = text.split_once(start) {
            done = done + before + start + "#";
            let end = after.find(['"', ',', '}']).unwrap();
            text = after[end..].to_owned();
        }
        text = done + &text;
    }
    text
}

fn assert_answers_as(name: &str, answer: &Answer, captured: &Captured) {
    assert_eq!(answer.status.as_u16(), captured.status(), "{name}");
    assert_eq!(lasting(&answer.headers), lasting(&captured.headers), "{name}");
    assert_eq!(blotted(&answer.body), blotted(&captured.body), "{name}");
}

fn assert_sent_as(recorded: &Recorded, captured: &Captured) {
    let line = format!("{} {} HTTP/1.1", recorded.method, recorded.target);
    assert_eq!(line, captured.first_line);
    assert_eq!(lasting(&recorded.headers), lasting(&captured.headers), "{line}");
    assert_eq!(blotted(&recorded.body), blotted(&captured.body), "{line}");
}

#[tokio::test]
async fn the_runtime_answers_as_captured() {
    let origins = chain().await;
    let runtime = Base::new(&origins.runtime.to_string());
    let (requests, responses) = (capture!("runtime.requests"), capture!("runtime.responses"));
    assert_eq!((requests.len(), responses.len()), (5, 5));
    for (request, response) in requests.iter().zip(&responses) {
        let answer = exchange(&runtime, request.request()).await;
        assert_answers_as(&request.first_line, &answer, response);
    }
}

#[tokio::test]
async fn the_cloud_answers_and_forwards_as_captured() {
    let origins = chain().await;
    let cloud = Base::new(&origins.cloud.to_string());
    let (requests, responses) = (capture!("bridge.requests"), capture!("bridge.responses"));
    assert_eq!((requests.len(), responses.len()), (7, 7));
    for (request, response) in requests.iter().zip(&responses) {
        let answer = exchange(&cloud, request.request()).await;
        assert_answers_as(&request.first_line, &answer, response);
    }
    let onward = origins.recorded(Hop::Runtime);
    let captured = capture!("runtime.requests");
    assert_eq!(onward.len(), captured.len());
    for (recorded, captured) in onward.iter().zip(&captured) {
        assert_sent_as(recorded, captured);
        // Here the ids are the caller's, not drawn anew.
        assert_eq!(recorded.body, captured.body);
    }
}

#[tokio::test]
async fn the_api_answers_and_forwards_as_captured() {
    let origins = chain().await;
    let api = Base::new(&origins.api.to_string());
    let (conversation, room) = new_conversation(&api).await;
    let as_captured = |body: &[u8]| {
        let text = String::from_utf8(body.to_vec()).unwrap();
        Bytes::from(text.replace(&conversation, CONVERSATION).replace(&room, ROOM))
    };
    let (requests, responses) = (capture!("frontend.requests"), capture!("frontend.responses"));
    assert_eq!((requests.len(), responses.len()), (10, 10));
    for (captured, response) in requests.iter().zip(&responses) {
        let mut request = captured.clone();
        request.first_line = captured.first_line.replace(CONVERSATION, &conversation);
        let mut answer = exchange(&api, request.request()).await;
        answer.body = as_captured(&answer.body);
        let mut response = response.clone();
        if captured.first_line == "POST /api/conversations HTTP/1.1" {
            // A new one: its id and room are its own.
            let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
            let drawn = body["conversation"]["roomId"].as_str().unwrap().to_owned();
            let text = String::from_utf8(response.body.to_vec()).unwrap();
            response.body = Bytes::from(text.replace(ROOM, &drawn));
        }
        assert_answers_as(&captured.first_line, &answer, &response);
    }

    let mut onward = origins.recorded(Hop::Cloud);
    for recorded in &mut onward {
        recorded.body = as_captured(&recorded.body);
    }
    let captured = capture!("bridge.requests");
    assert_eq!(onward.len(), captured.len());
    for captured in &captured {
        let same = |recorded: &&Recorded| {
            let line = format!("{} {} HTTP/1.1", recorded.method, recorded.target);
            line == captured.first_line && blotted(&recorded.body) == blotted(&captured.body)
        };
        let recorded = onward.iter().find(same);
        let recorded = recorded.unwrap_or_else(|| panic!("not sent: {captured:?}\n{onward:#?}"));
        assert_sent_as(recorded, captured);
    }
}
