//! Sheds requests over `limits.in_flight`, before anything of them is read.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use futures_util::future::Either;
use modegate_filters::rejection::Rejection;
use tower::{Layer, Service};

use super::exchange::Exchange;
use super::refuse::refuse;
use super::stack::{Answer, Serve};

/// Puts [`Limits`] around a service.
#[derive(Clone, Copy, Debug)]
pub struct LimitsLayer;

impl<S> Layer<S> for LimitsLayer {
    type Service = Limits<S>;

    fn layer(&self, inner: S) -> Limits<S> {
        Limits(inner)
    }
}

/// Refuses what is over the limit.
#[derive(Clone, Copy, Debug)]
pub struct Limits<S>(S);

impl<S: Serve> Service<Exchange> for Limits<S> {
    type Response = Answer;
    type Error = Infallible;
    type Future = Either<Ready<Result<Answer, Infallible>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, exchange: Exchange) -> Self::Future {
        if exchange.level > exchange.snapshot.settings.limits.in_flight as u64 {
            let answer = refuse(exchange.record, Rejection::InFlight, None);
            return Either::Left(ready(Ok(answer)));
        }
        Either::Right(self.0.call(exchange))
    }
}
