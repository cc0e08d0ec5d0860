//! A layer that answers some requests at once and passes the others on as they are.

use std::convert::Infallible;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

use tower::{Layer, Service};

use super::exchange::Exchange;
use super::stack::{Answer, Serve};

/// Looks at a request: breaks off with an answer, or lets it go on.
pub type Look = fn(Box<Exchange>) -> ControlFlow<Box<Answer>, Box<Exchange>>;

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

impl<S: Serve> Service<Box<Exchange>> for Gate<S> {
    type Response = Answer;
    type Error = Infallible;
    type Future = Gated<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, exchange: Box<Exchange>) -> Self::Future {
        match (self.look)(exchange) {
            ControlFlow::Break(answer) => Gated::Answered(Some(answer)),
            ControlFlow::Continue(exchange) => Gated::Through(self.inner.call(exchange)),
        }
    }
}

/// What comes of a request at a gate. Gates lie one in another, and each moves this: it is small.
#[derive(Debug)]
pub enum Gated<F> {
    /// It is answered there.
    Answered(Option<Box<Answer>>),
    /// It has gone through.
    Through(F),
}

impl<F: Future<Output = Result<Answer, Infallible>> + Unpin> Future for Gated<F> {
    type Output = Result<Answer, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            // Like any future it is not polled again after its answer.
            Gated::Answered(answer) => match answer.take() {
                Some(answer) => Poll::Ready(Ok(*answer)),
                None => Poll::Pending,
            },
            Gated::Through(future) => Pin::new(future).poll(cx),
        }
    }
}
