//! What a connection's stream and the requests on it know of one another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use tokio::sync::Notify;

/// Counts the requests of one connection.
#[derive(Clone, Debug, Default)]
pub struct Serving(Arc<State>);

#[derive(Debug, Default)]
struct State {
    begun: AtomicU32,
    ended: AtomicU32,
    tunnel: AtomicBool,
    first: Notify,
}

impl Serving {
    fn begin(&self) {
        if self.0.begun.fetch_add(1, Relaxed) == 0 {
            self.0.first.notify_one();
        }
    }

    /// A request's head is there, or its body begins; it goes on until this is dropped.
    pub fn busy(&self) -> Busy {
        self.begin();
        Busy(self.clone())
    }

    fn end(&self) {
        self.0.ended.fetch_add(1, Relaxed);
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
