//! Sheds requests over `limits.in_flight`, before anything of them is read, and those that expect
//! what is not there.

use std::ops::ControlFlow;

use http::header::{EXPECT, HeaderValue};
use modegate_filters::rejection::Rejection;

use super::exchange::Exchange;
use super::refuse::refuse;
use super::stack::Answer;

/// Lets a request on unless it is one too many, or expects what is not there.
pub fn admit(mut exchange: Box<Exchange>) -> ControlFlow<Box<Answer>, Box<Exchange>> {
    let continues = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    let most = exchange.snapshot.settings.limits.in_flight.min(exchange.plane.most_in_flight);
    let rejection = if exchange.level > most as u64 {
        Rejection::InFlight
    } else if !exchange.head.headers.get_all(EXPECT).iter().all(continues) {
        Rejection::Expectation
    } else {
        // hyper sends 100 Continue when the body is first asked for; the upstream need not.
        exchange.head.headers.remove(EXPECT);
        return ControlFlow::Continue(exchange);
    };
    ControlFlow::Break(Box::new(refuse(exchange.record, rejection, None)))
}
