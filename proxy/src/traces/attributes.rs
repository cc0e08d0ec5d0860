//! A span as OpenTelemetry writes it: its names are those of the semantic conventions for HTTP
//! servers and for feature flags, and `modegate.*` for what they have no name for.

use std::time::SystemTime;

use http::Method;
use modegate_filters::bucket::Why;
use opentelemetry::trace::{
    Event, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents};

use super::span::{Decision, Span};
use crate::digest::hex;
use crate::flags::Snapshot;
use crate::metrics::Outcome;

/// The feature that the cohorts are of.
const FLAG_KEY: &str = "fast-mode";
const PROVIDER: &str = "modegate";

/// The span for the exporter.
pub fn data(span: &Span, scope: &InstrumentationScope) -> SpanData {
    let started = span.ended.checked_sub(span.lasted).unwrap_or(span.ended);
    let flag = span.decision.as_ref().and_then(|decision| flag(decision, &span.snapshot));
    let mut attributes = attributes(span);
    attributes.extend(flag.iter().flatten().cloned());
    let trace = std::str::from_utf8(&span.trace.id).ok().and_then(|id| TraceId::from_hex(id).ok());
    SpanData {
        span_context: SpanContext::new(
            trace.unwrap_or(TraceId::INVALID),
            SpanId::from(span.id),
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        ),
        parent_span_id: span.trace.parent.map_or(SpanId::INVALID, SpanId::from),
        parent_span_is_remote: span.trace.parent.is_some(),
        span_kind: SpanKind::Server,
        name: span.route.unwrap_or(method(&span.method).0).into(),
        start_time: started,
        end_time: span.ended,
        attributes,
        dropped_attributes_count: 0,
        events: evaluation(flag, started),
        links: Default::default(),
        status: error(span).map_or(Status::Unset, Status::error),
        instrumentation_scope: scope.clone(),
    }
}

fn attributes(span: &Span) -> Vec<KeyValue> {
    let modes = &span.snapshot.settings.policy.contract().modes;
    let request_id = span.request_id.to_str().unwrap_or_default().to_owned();
    let mut attributes = vec![
        KeyValue::new("modegate.leg", span.leg.word()),
        KeyValue::new("modegate.outcome", span.outcome.word()),
        KeyValue::new("modegate.request_id", request_id),
        KeyValue::new("http.request.method", method(&span.method).1),
    ];
    let mut add = |key: &'static str, value: Option<opentelemetry::Value>| {
        attributes.extend(value.map(|value| KeyValue::new(key, value)));
    };
    add("http.route", span.route.map(Into::into));
    add("http.response.status_code", span.status.map(|status| i64::from(status.as_u16()).into()));
    add("error.type", error(span).map(Into::into));
    add("modegate.reason", span.rejection.map(|rejection| rejection.reason().into()));
    add("modegate.verdict", span.verdict.map(|verdict| verdict.word().into()));
    add("modegate.acknowledged", span.acknowledged.map(|said| said.word().into()));
    if let Some(decision) = &span.decision {
        add("modegate.action", Some(decision.action.word().into()));
        add("modegate.mode", Some(modes.name(decision.effective).to_owned().into()));
        add("modegate.requested", Some(decision.requested.word(modes).to_owned().into()));
        add("modegate.profile", decision.profile.as_ref().map(|p| p.name.clone().into()));
        add("modegate.cohort", decision.cohort.map(|cohort| cohort.word().into()));
        add("modegate.room", decision.room.map(|room| hex(room).into()));
    }
    attributes
}

/// How the cohort was found; nothing where the request came to none.
fn flag(decision: &Decision, snapshot: &Snapshot) -> Option<[KeyValue; 5]> {
    let cohort = decision.cohort?;
    let flags = snapshot.flags;
    let reason = match decision.why {
        _ if flags.kill || !flags.contract || !flags.runtime => "disabled",
        Why::Denied | Why::Allowed => "targeting_match",
        Why::Rank => "split",
        Why::NoKey => "default",
    };
    Some([
        KeyValue::new("feature_flag.key", FLAG_KEY),
        KeyValue::new("feature_flag.provider.name", PROVIDER),
        KeyValue::new("feature_flag.result.variant", cohort.word()),
        KeyValue::new("feature_flag.result.reason", reason),
        KeyValue::new("feature_flag.version", snapshot.generation.to_string()),
    ])
}

fn evaluation(flag: Option<[KeyValue; 5]>, at: SystemTime) -> SpanEvents {
    let mut events = SpanEvents::default();
    events
        .events
        .extend(flag.map(|flag| Event::new("feature_flag.evaluation", at, Vec::from(flag), 0)));
    events
}

/// The fault of a span that is an error. An answer of 4xx is the client's, and so is its going.
fn error(span: &Span) -> Option<&'static str> {
    match span.outcome {
        Outcome::Ok | Outcome::ClientError | Outcome::Gone => None,
        Outcome::ServerError | Outcome::Cut => Some(span.outcome.word()),
        Outcome::Unavailable | Outcome::Refused => {
            let ours = span.rejection.filter(|rejection| rejection.status().is_server_error());
            ours.map(|rejection| rejection.reason())
        }
    }
}

/// A method as a span's name and as its attribute: a client may write any word.
fn method(method: &Method) -> (&'static str, &'static str) {
    let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    let found = known.into_iter().find(|known| *known == method.as_str());
    found.map_or(("HTTP", "_OTHER"), |known| (known, known))
}
