//! How much of a request's body was read, and when last; whether its answer is on its way.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

/// Counted where the body is read, looked at where its answer is waited for.
#[derive(Debug)]
pub struct Read {
    since: Instant,
    bytes: AtomicU64,
    last: AtomicU64,
    answered: AtomicBool,
}

impl Read {
    /// Nothing read yet, at this moment.
    pub fn new(since: Instant) -> Read {
        Read {
            since,
            bytes: AtomicU64::new(0),
            last: AtomicU64::new(0),
            answered: AtomicBool::new(false),
        }
    }

    /// So many bytes more.
    pub fn count(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Relaxed);
        let last = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.last.store(last, Relaxed);
    }

    /// How many bytes were read.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// The head of the answer is there.
    pub fn answer(&self) {
        self.answered.store(true, Relaxed);
    }

    /// The answer is over, or there will be none.
    pub fn end(&self) {
        self.answered.store(false, Relaxed);
    }

    /// Whether the answer is on its way.
    pub fn is_answered(&self) -> bool {
        self.answered.load(Relaxed)
    }

    /// When the last of the bytes came.
    pub fn last(&self) -> Instant {
        self.since + Duration::from_micros(self.last.load(Relaxed))
    }
}
