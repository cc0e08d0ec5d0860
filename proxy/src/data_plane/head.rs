//! Refuses what a request's head alone rules out, before anything else is asked of it.

use std::ops::ControlFlow;

use super::exchange::Exchange;
use super::refuse::refuse;
use super::stack::Answer;

/// Lets a request on whose head is good.
pub fn check(exchange: Box<Exchange>) -> ControlFlow<Box<Answer>, Box<Exchange>> {
    match exchange.judged {
        Ok(()) => ControlFlow::Continue(exchange),
        Err(rejection) => ControlFlow::Break(Box::new(refuse(exchange.record, rejection, None))),
    }
}
