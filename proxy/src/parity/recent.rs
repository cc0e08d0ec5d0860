//! The last mismatches, for people to look at.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::SystemTime;

use modegate_filters::contract::{Mode, Requested};
use modegate_filters::parity::{Means, Verdict};
use modegate_filters::route::Leg;

/// So many are kept.
const KEPT: usize = 100;

/// A mismatch: digests and words, no room and no text.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// When it was seen.
    pub at: SystemTime,
    /// On which leg.
    pub leg: Leg,
    /// What it is.
    pub verdict: Verdict,
    /// What the request was found by.
    pub means: Means,
    /// The mode that the leg before let through, and what arrived.
    pub mode: (Mode, Option<Requested>),
    /// The digests of the rooms.
    pub room: (Option<u64>, Option<u64>),
    /// The generations of the flags on the leg before and on this one.
    pub generation: (u64, u64),
    /// The ids of the request on the leg before and on this one.
    pub request_id: (String, String),
}

/// The last of them, the newest first.
#[derive(Debug, Default)]
pub struct Recent(Mutex<VecDeque<Mismatch>>);

impl Recent {
    /// Keeps one. Requests do not wait for one another: where another one is being kept at this
    /// moment, this one is only counted.
    pub fn keep(&self, mismatch: impl FnOnce() -> Mismatch) {
        let Ok(mut kept) = self.0.try_lock() else { return };
        kept.truncate(KEPT - 1);
        kept.push_front(mismatch());
    }

    /// All that are kept.
    pub fn list(&self) -> Vec<Mismatch> {
        self.0.lock().map(|kept| kept.iter().cloned().collect()).unwrap_or_default()
    }
}
