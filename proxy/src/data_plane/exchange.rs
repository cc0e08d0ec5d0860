//! A request on its way through the stack, with all that belongs to it.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Request, request};
use http_body::Body;
use hyper::body::Incoming;
use modegate_filters::head;
use modegate_filters::inspect::Verdict;
use modegate_filters::rejection::Rejection;
use modegate_filters::route::{Carries, Route, route};
use modegate_filters::tags::{Identity, Trace};
use modegate_filters::target::origin_form;

use super::Here;
use super::record::Record;
use super::serving::Serving;
use super::upload::Outgoing;
use crate::flags::Snapshot;
use crate::moment::now;

/// A request between the client and the upstream. Its headers carry no tags any more.
#[derive(Debug)]
pub struct Exchange {
    /// Where it is served.
    pub plane: Here,
    /// The flags and settings that it sees.
    pub snapshot: Arc<Snapshot>,
    /// What is wrong with the head as it came.
    pub judged: Result<(), Rejection>,
    /// The request's head, its target in origin form.
    pub head: request::Parts,
    /// The request's body, as it came or as it leaves.
    pub body: Payload,
    /// The request's account.
    pub record: Box<Record>,
    /// How many requests are in flight on the leg, with it.
    pub level: u64,
    /// Its trace.
    pub trace: Trace,
    /// What of its identity the client sent.
    pub sent: Sent,
    /// The id of its span here, as the upstream is told it; never 0.
    pub span: u64,
    /// Its route, where it is one that is inspected.
    pub route: Option<Route>,
    /// What the contract said, where it was asked.
    pub verdict: Option<Verdict>,
}

/// What of a request's identity came from the client.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Its id.
    pub request_id: bool,
    /// Its trace.
    pub trace: bool,
}

/// A request's body: unread, or what leaves in its place.
#[derive(Debug)]
pub enum Payload {
    /// As it comes from the client.
    Unread(Incoming),
    /// Read, inspected, and perhaps edited.
    Held(Outgoing),
}

impl Exchange {
    /// Takes a request in: reads the flags once, judges its head, takes its identity, removes every
    /// tag.
    pub fn begin(plane: &Here, serving: Serving, request: Request<Incoming>) -> Box<Exchange> {
        let (mut head, body) = request.into_parts();
        let snapshot = plane.store.snapshot();
        let fields = snapshot.settings.limits.header_fields;
        let judged = head::judge(head.version, &head.method, &head.uri, &head.headers, fields);
        let identity = Identity::take(&mut head.headers);
        let sent =
            Sent { request_id: identity.request_id.is_some(), trace: identity.trace.is_some() };
        let request_id = identity.request_id.unwrap_or_else(new_request_id);
        let trace = plane.traces.enter(identity.trace);
        let span = fastrand::u64(1..);
        head.uri = origin_form(head.uri);
        let carries = match body.is_end_stream() {
            true => Carries::Nothing,
            false => Carries::Body,
        };
        let route = route(plane.leg, &head.method, carries, head.uri.path());
        let (mut record, level) =
            Record::begin(plane, &snapshot, &head.method, &request_id, (trace, span), serving);
        if let Some(route) = &route {
            record.routed(route);
        }
        Box::new(Exchange {
            plane: plane.clone(),
            snapshot,
            judged,
            head,
            body: Payload::Unread(body),
            record,
            level,
            trace,
            sent,
            span,
            route,
            verdict: None,
        })
    }

    /// The request's headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }
}

/// A version 7 UUID: ids sort by time, and need no system call for randomness.
fn new_request_id() -> HeaderValue {
    let bits = fastrand::u128(..).to_le_bytes();
    let random = bits.first_chunk().copied().unwrap_or_default();
    let id = uuid::Builder::from_unix_timestamp_millis(now(), &random).into_uuid();
    let mut text = uuid::Uuid::encode_buffer();
    let text = id.hyphenated().encode_lower(&mut text);
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("-"))
}
