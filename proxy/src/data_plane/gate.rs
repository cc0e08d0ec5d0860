//! A layer that answers some requests at once and passes the others on as they are.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::ops::ControlFlow;
use std::task::{Context, Poll};

use futures_util::future::Either;
use tower::{Layer, Service};

use super::exchange::Exchange;
use super::stack::{Answer, Serve};

/// Looks at a request: breaks off with an answer, or lets it go on.
pub type Look = fn(Exchange) -> ControlFlow<Answer, Exchange>;

/// Puts a look before a service.
#[derive(Clone, Copy, Debug)]
pub struct GateLayer(pub Look);

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Gate<S> {
        Gate { look: self.0, inner }
    }
}

/// A service behind a look.
#[derive(Clone, Copy, Debug)]
pub struct Gate<S> {
    look: Look,
    inner: S,
}

impl<S: Serve> Service<Exchange> for Gate<S> {
    type Response = Answer;
    type Error = Infallible;
    type Future = Either<Ready<Result<Answer, Infallible>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, exchange: Exchange) -> Self::Future {
        match (self.look)(exchange) {
            ControlFlow::Break(answer) => Either::Left(ready(Ok(answer))),
            ControlFlow::Continue(exchange) => Either::Right(self.inner.call(exchange)),
        }
    }
}
