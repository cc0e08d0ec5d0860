//! What a connection's stream and the requests on it know of one another.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::task::Context;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

/// Counts the requests of one connection.
#[derive(Clone, Debug)]
pub struct Serving(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// What the connection holds of what all share, given back with the last that knows of it.
    _held: Option<Box<dyn Debug + Send + Sync>>,
    begun: AtomicU32,
    ended: AtomicU32,
    requests: AtomicU32,
    abandoned: AtomicU32,
    tunnel: AtomicBool,
    first: Notify,
    too_many_abandoned: Notify,
    /// Who waits for the end of what is served.
    waiter: AtomicWaker,
}

/// So many requests may be given up on a connection before it is looked at.
const ABANDONED: u32 = 200;

impl Serving {
    /// A connection that holds this until it is gone, the tunnel that it may become included.
    pub fn holding(held: impl Debug + Send + Sync + 'static) -> Serving {
        Serving(Arc::new(State { _held: Some(Box::new(held)), ..State::default() }))
    }

    fn begin(&self) {
        if self.0.begun.fetch_add(1, Relaxed) == 0 {
            self.0.first.notify_one();
        }
    }

    /// A request's head is there; it goes on until this is dropped.
    pub fn request(&self) -> Busy {
        self.0.requests.fetch_add(1, Relaxed);
        self.busy()
    }

    /// A request's body begins; it goes on until this is dropped.
    pub fn busy(&self) -> Busy {
        self.begin();
        Busy(self.clone())
    }

    fn end(&self) {
        self.0.ended.fetch_add(1, Relaxed);
        self.0.waiter.wake();
    }

    /// Wakes the task of `cx` when something that is served ends.
    pub fn wake_at_end(&self, cx: &Context<'_>) {
        self.0.waiter.register(cx.waker());
    }

    /// A request was given up by the client before its answer had begun.
    pub fn abandon(&self) {
        let abandoned = self.0.abandoned.fetch_add(1, Relaxed) + 1;
        if abandoned >= ABANDONED && abandoned > self.0.requests.load(Relaxed) / 2 {
            self.0.too_many_abandoned.notify_one();
        }
    }

    /// Returns when most of many requests were given up: each costs the upstream, and the client
    /// nothing.
    pub async fn too_many_abandoned(&self) {
        self.0.too_many_abandoned.notified().await;
    }

    /// Returns when no request was served for this long.
    pub async fn idle_for(&self, limit: Duration) {
        let mut before = self.idle_since();
        loop {
            tokio::time::sleep(limit).await;
            let now = self.idle_since();
            if now.is_some() && now == before {
                return;
            }
            before = now;
        }
    }

    /// From now on the connection is a tunnel.
    pub fn becomes_tunnel(&self) {
        self.0.tunnel.store(true, Relaxed);
    }

    /// Whether the connection is a tunnel.
    pub fn is_tunnel(&self) -> bool {
        self.0.tunnel.load(Relaxed)
    }

    /// How many requests are over; `None` while one is being served.
    pub fn idle_since(&self) -> Option<u32> {
        let ended = self.0.ended.load(Relaxed);
        (self.0.begun.load(Relaxed) == ended).then_some(ended)
    }

    /// Returns once a request has begun.
    pub async fn first(&self) {
        if self.0.begun.load(Relaxed) == 0 {
            self.0.first.notified().await;
        }
    }
}

/// Something on a connection that is not over yet.
#[derive(Debug)]
pub struct Busy(Serving);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.end();
    }
}
