//! Turns a refusal into an answer: the one place that does.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use modegate_filters::mismatch::{Mismatch, Shape};
use modegate_filters::rejection::Rejection;
use modegate_filters::tags;

use super::record::Record;
use super::reply::Reply;
use super::stack::Answer;

/// The answer to a refused request, in the shape of its dialect. `id` is the JSON-RPC id as text.
pub fn refuse(record: Box<Record>, rejection: Rejection, id: Option<&str>) -> Answer {
    let snapshot = record.snapshot().clone();
    let contract = snapshot.settings.policy.contract();
    let body = rejection.body(record.dialect(), contract, record.leg(), id);
    answer(record, rejection, body)
}

/// The answer to a request that is not what the leg before let through, or whose answer
/// acknowledges another mode, as the upstream itself would say that something went wrong.
pub fn refuse_mismatch(
    record: Box<Record>,
    mismatch: &Mismatch<'_>,
    shape: Shape,
    id: Option<&str>,
) -> Answer {
    let mut answer = answer(record, Rejection::Parity, mismatch.body(shape, id));
    if shape == Shape::Events {
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    answer
}

fn answer(mut record: Box<Record>, rejection: Rejection, body: Bytes) -> Answer {
    record.refused(rejection);
    let request_id = record.request_id().clone();
    let mut answer = Response::new(Reply::whole(body, record));
    *answer.status_mut() = rejection.status();
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(tags::REQUEST_ID, request_id);
    if rejection.status() == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if leaves_body_unread(rejection) {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

/// Whether the request's body may not have been read to its end: the connection is closed then,
/// so that its rest is never taken for a request.
fn leaves_body_unread(rejection: Rejection) -> bool {
    matches!(
        rejection,
        Rejection::TooLarge
            | Rejection::Encoding
            | Rejection::Expectation
            | Rejection::Method
            | Rejection::BodyTimeout
            | Rejection::BodyCut
            | Rejection::BadChunks
            | Rejection::BadHead
            | Rejection::HeadTooLarge
            | Rejection::BodyMemory
            | Rejection::InFlight
            | Rejection::Connections
            | Rejection::ConnectionsPerAddress
    )
}
