//! Refuses the calls that the runtime leg does not serve, before anything of them is read.

use std::ops::ControlFlow;

use http::header::{CONNECTION, HeaderValue};
use http_body::Body;
use modegate_filters::allow::serves;
use modegate_filters::rejection::Rejection;

use super::exchange::{Exchange, Payload};
use super::refuse::refuse;
use super::stack::Answer;

/// Lets a request on that its leg serves.
pub fn admit(exchange: Box<Exchange>) -> ControlFlow<Box<Answer>, Box<Exchange>> {
    let Exchange { plane, head, .. } = &*exchange;
    if serves(plane.leg, &plane.allow, &head.method, head.uri.path()) {
        return ControlFlow::Continue(exchange);
    }
    let bodiless = matches!(&exchange.body, Payload::Unread(body) if body.is_end_stream());
    let mut answer = refuse(exchange.record, Rejection::NotAllowed, None);
    if !bodiless {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    ControlFlow::Break(Box::new(answer))
}
