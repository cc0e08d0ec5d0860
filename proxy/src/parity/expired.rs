//! Texts of records whose time ended before their own request came: it may still come, and is not
//! taken for another's then. Nothing here looks at a clock.

use std::collections::HashMap;

use super::hashed::Hashed;
use super::shard::Key;

/// The room of each text, or [`SEVERAL`].
type Rooms = HashMap<u64, u64, Hashed>;

/// More than one room; where there is none, nothing is kept.
const SEVERAL: u64 = 0;

/// Texts that expired, each for one more window at least and for two at most, where it is turned
/// often enough.
#[derive(Debug, Default)]
pub struct Expired {
    newer: Rooms,
    older: Rooms,
    /// When the newer ones last became the older ones, in milliseconds.
    turned: u64,
}

impl Expired {
    /// What a text takes, in bytes: two digests, in a map that doubles when it is seven eighths full.
    pub const COST: usize = 40;

    /// Keeps what a record was found by; how many more bytes that takes.
    pub fn keep(&mut self, key: Key) -> usize {
        let texts = self.newer.len();
        let room = self.newer.entry(key.text).or_insert(key.room);
        if *room != key.room {
            *room = SEVERAL;
        }
        (self.newer.len() - texts) * Self::COST
    }

    /// Whether a record of this text expired lately.
    pub fn has(&self, text: u64) -> bool {
        [&self.newer, &self.older].iter().any(|rooms| rooms.contains_key(&text))
    }

    /// Whether a record of this text expired lately in another room.
    pub fn has_elsewhere(&self, key: Key) -> bool {
        let elsewhere = |rooms: &&Rooms| rooms.get(&key.text).is_some_and(|room| *room != key.room);
        [&self.newer, &self.older].iter().any(elsewhere)
    }

    /// Forgets what expired longer than a window ago; how many bytes that gives back. It is asked for
    /// before each [`Expired::keep`].
    pub fn turn(&mut self, now: u64, window: u64) -> usize {
        let since = now.saturating_sub(self.turned);
        if since < window {
            return 0;
        }
        self.turned = now;
        let newer = std::mem::take(&mut self.newer);
        let mut gone = std::mem::replace(&mut self.older, newer).len();
        if since >= window.saturating_mul(2) {
            gone += std::mem::take(&mut self.older).len();
        }
        gone * Self::COST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: u64, room: u64) -> Key {
        Key { text, room }
    }

    #[test]
    fn rooms_are_told_apart_until_there_are_several() {
        let mut expired = Expired::default();
        let known = |expired: &Expired| {
            (expired.has(7), [1, 2].map(|room| expired.has_elsewhere(key(7, room))))
        };
        assert_eq!(known(&expired), (false, [false, false]));
        expired.keep(key(7, 1));
        expired.keep(key(8, 2));
        assert_eq!(known(&expired), (true, [false, true]));
        assert_eq!(expired.turn(10, 10), 0);
        assert_eq!(known(&expired), (true, [false, true]));
        expired.keep(key(7, 2));
        assert_eq!(known(&expired), (true, [true, true]));
        assert_eq!(expired.turn(20, 10), 2 * Expired::COST);
        assert_eq!(known(&expired), (true, [true, false]));
        expired.keep(key(7, 2));
        expired.keep(key(7, 1));
        assert_eq!(expired.turn(30, 10), Expired::COST);
        assert_eq!(known(&expired), (true, [true, true]));
        assert_eq!(expired.turn(50, 10), Expired::COST);
        assert_eq!(known(&expired), (false, [false, false]));
    }

    #[test]
    fn a_text_is_known_for_one_window_at_least_and_for_two_at_most() {
        for kept_at in 0..10 {
            for step in 1..=10 {
                let mut expired = Expired::default();
                let mut bytes = expired.turn(kept_at, 10) + expired.keep(key(7, 1));
                assert_eq!((bytes, expired.keep(key(7, 1))), (Expired::COST, 0));
                for now in (kept_at + step..60).step_by(step as usize) {
                    bytes -= expired.turn(now, 10);
                    let age = now - kept_at;
                    assert!(expired.has(7) || age > 10, "kept at {kept_at}, gone after {age}");
                    assert!(!expired.has(7) || age < 20 + step, "kept at {kept_at} for {age}");
                    assert_eq!(bytes > 0, expired.has(7));
                }
                assert_eq!(bytes, 0);
            }
        }
    }
}
