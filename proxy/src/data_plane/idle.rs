//! A limit on the time between two chunks of a body.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// A wait that ends after a time without [`Idle::rest`]; without a limit it never does.
#[derive(Debug)]
pub struct Idle {
    limit: Option<Duration>,
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Idle {
    /// A wait with a limit.
    pub fn new(limit: Option<Duration>) -> Idle {
        Idle { limit, since: None, timer: None }
    }

    /// Something came: the next wait begins anew.
    pub fn rest(&mut self) {
        self.since = None;
    }

    /// Called while nothing comes; whether that has been so for the limit.
    pub fn poll_over(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(limit) = self.limit else { return false };
        if self.since.is_none() {
            let now = Instant::now();
            self.since = Some(now);
            match &mut self.timer {
                Some(timer) => timer.as_mut().reset(now + limit),
                None => self.timer = Some(Box::pin(tokio::time::sleep_until(now + limit))),
            }
        }
        self.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready())
    }
}
