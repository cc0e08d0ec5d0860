//! The least pace of a body that streams through: one byte a minute would never be idle, and hold
//! a request, its two connections and a descriptor each for as long as its sender likes.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// How long a body has been waited for, and how long it may be.
#[derive(Debug)]
pub struct Pace {
    /// Bytes a second; `None` for no limit.
    rate: Option<usize>,
    grace: Duration,
    /// Only the time in which its sender had the turn: an upstream that does not take what is
    /// there makes no body slow.
    waited: Duration,
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    /// A body that must keep a rate, in bytes a second, once `grace` is over.
    pub fn new(rate: Option<usize>, grace: Duration) -> Pace {
        Pace { rate, grace, waited: Duration::ZERO, since: None, timer: None }
    }

    /// Something came: it is not waited for any more.
    pub fn rest(&mut self) {
        if let Some(since) = self.since.take() {
            self.waited += since.elapsed();
        }
    }

    /// Called while nothing comes; whether it has taken too long for the bytes that came.
    pub fn poll_over(&mut self, cx: &mut Context<'_>, bytes: u64) -> bool {
        let Some(rate) = self.rate else { return false };
        let now = Instant::now();
        let since = *self.since.get_or_insert(now);
        let allowed = patience(rate, self.grace, bytes);
        loop {
            let waited = self.waited + (now - since);
            let Some(left) = allowed.checked_sub(waited).filter(|left| !left.is_zero()) else {
                return true;
            };
            let timer =
                self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(now + left)));
            // A timer of earlier bytes ends too soon, never too late: more bytes, more patience.
            if timer.as_mut().poll(cx).is_pending() {
                return false;
            }
            self.timer = None;
        }
    }
}

/// How long so many bytes may take in all.
fn patience(rate: usize, grace: Duration, bytes: u64) -> Duration {
    let rate = (rate as u64).max(1);
    let seconds = Duration::from_secs(bytes / rate);
    let rest = Duration::from_nanos((bytes % rate) * 1_000_000_000 / rate);
    grace.max(seconds.saturating_add(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_bytes_may_take() {
        let millis = Duration::from_millis;
        let cases = [
            // Within the grace period nothing is asked of a body.
            (1024, 30_000, 0, 30_000),
            (1024, 30_000, 30 * 1024, 30_000),
            // After it, the rate.
            (1024, 30_000, 31 * 1024, 31_000),
            (1024, 30_000, 60 * 1024 + 512, 60_500),
            (1000, 0, 0, 0),
            (1000, 0, 1, 1),
            (1, 0, 3600, 3_600_000),
            (1 << 30, 1, 1 << 30, 1000),
        ];
        for (rate, grace, bytes, expected) in cases {
            let found = patience(rate, millis(grace), bytes);
            assert_eq!(found, millis(expected), "{bytes} bytes at {rate}");
        }
        assert!(patience(1, Duration::ZERO, u64::MAX) > Duration::from_secs(1 << 60));
        assert!(patience(1 << 30, Duration::ZERO, u64::MAX) > Duration::from_secs(1 << 30));
    }
}
