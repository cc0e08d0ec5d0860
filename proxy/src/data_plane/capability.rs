//! `GET /.well-known/processing` on the frontend leg: what a client may show and ask for.

use std::ops::ControlFlow;

use bytes::Bytes;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Response};
use modegate_filters::route::Leg;
use modegate_filters::tags;
use serde_json::json;

use super::exchange::Exchange;
use super::reply::Reply;
use super::stack::Answer;
use crate::flags::Snapshot;

/// The document's path.
pub const PATH: &str = "/.well-known/processing";

/// Answers for the document and lets everything else go on.
pub fn show(exchange: Box<Exchange>) -> ControlFlow<Box<Answer>, Box<Exchange>> {
    let read = matches!(exchange.head.method, Method::GET | Method::HEAD);
    if exchange.plane.leg == Leg::Frontend && read && exchange.head.uri.path() == PATH {
        return ControlFlow::Break(Box::new(answer(exchange)));
    }
    ControlFlow::Continue(exchange)
}

fn answer(exchange: Box<Exchange>) -> Answer {
    let mut record = exchange.record;
    let document = Bytes::from(document(&exchange.snapshot));
    let mut answer = Response::new(());
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // It says nothing private, and the clients' pages are of other origins.
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(tags::REQUEST_ID, record.request_id().clone());
    record.answered(answer.status());
    answer.map(|()| Reply::whole(document, record))
}

/// `{"contract","ui","modes","profiles"}`: whether the contract holds, whether the toggle may be
/// shown, and what the contract knows.
fn document(snapshot: &Snapshot) -> String {
    let flags = snapshot.flags;
    let contract = snapshot.settings.policy.contract();
    let on = flags.contract && !flags.kill;
    let modes: Vec<&str> = contract.modes.iter().map(|(_, name)| name).collect();
    let profiles: Vec<&String> = contract.profiles.keys().collect();
    json!({ "contract": on, "ui": on && flags.ui, "modes": modes, "profiles": profiles })
        .to_string()
}
