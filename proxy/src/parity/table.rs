//! The records of one leg, shared by all threads: in shards by text, each with a lock that is held
//! for as long as a few look-ups take, and an index by ids in shards of its own. No two locks are
//! held at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use modegate_filters::contract::Mode;
use modegate_filters::parity::Means;

use super::hashed::Hashed;
use super::left::Left;
use super::shard::{Claim, Gone, Key, Kind, New, Number, Origins, Shard};

/// Enough that threads hardly ever meet.
const SHARDS: usize = 64;
/// So many records that are too old are dropped by each new one, so that none waits for a sweep.
const EXPIRED_AT_ONCE: usize = 4;
/// So many by a look or a sweep before it lets others in.
const SWEPT_AT_ONCE: usize = 256;

/// What a record takes beside its pieces, in bytes, for what the allocator keeps of collections that
/// grew and loses between pieces: measured on a full table (docs/parity.md, "Bounds").
const LOSS: usize = 256;

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    shard: usize,
    number: Number,
}

/// A record that was put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inserted {
    /// Where it is.
    pub place: Place,
    /// Whether its key was let through before, within the window.
    pub repeats: bool,
}

/// What an id stands for.
#[derive(Clone, Copy, Debug)]
struct Indexed {
    /// The last record with it.
    place: Place,
    /// It is not the only one: a client may give all its messages one id, and a trace has many calls
    /// in it. The id tells none of them from the others then.
    is_shared: bool,
}

/// What a table lost before its time.
#[derive(Debug, Default)]
pub struct Dropped {
    /// For the number of records.
    pub records: AtomicU64,
    /// For their bytes.
    pub bytes: AtomicU64,
}

/// The records of one leg.
#[derive(Debug)]
pub struct Table {
    shards: Box<[Mutex<Shard>]>,
    ids: Box<[Mutex<HashMap<u64, Indexed, Hashed>>]>,
    since: Instant,
    most: (usize, usize),
    records: AtomicUsize,
    bytes: AtomicUsize,
    /// When last something was dropped before its time, in milliseconds; 0 for never.
    shed_at: AtomicU64,
    /// What was dropped.
    pub dropped: Dropped,
    /// Records that nobody claimed.
    pub unclaimed: AtomicU64,
}

/// A request that is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// By its key.
    pub key: Key,
    /// The means that the key is.
    pub by_key: Means,
    /// By its request id and its trace, where the client sent them.
    pub ids: [Option<u64>; 2],
    /// The mode that arrived.
    pub mode: Mode,
    /// Where such requests come from.
    pub origins: Origins,
}

impl Table {
    /// An empty table for so many records and bytes.
    pub fn new(records: usize, bytes: usize) -> Table {
        Table {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            ids: (0..SHARDS).map(|_| Mutex::default()).collect(),
            since: Instant::now(),
            most: (records, bytes),
            records: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            shed_at: AtomicU64::new(0),
            dropped: Dropped::default(),
            unclaimed: AtomicU64::new(0),
        }
    }

    /// How many records there are, and how many bytes they take.
    pub fn size(&self) -> (usize, usize) {
        (self.records.load(Relaxed), self.bytes.load(Relaxed))
    }

    /// Puts a record in. Where there are too many in all the oldest of its shard are dropped, or of
    /// the next that has any: a flood of one text is in one shard, and must not shut out the others.
    pub fn insert(
        &self,
        now: Instant,
        window: Duration,
        key: Key,
        kind: Kind,
        ids: [u64; 2],
        left: Left,
    ) -> Option<Inserted> {
        let bytes = Self::COST + left.bytes();
        let at = self.millis(now);
        let shard_at = shard_of(key.text);
        let mut new = Some(New { at, key, kind, ids, left, bytes });
        let (repeats, gone, mut place) = {
            let mut shard = self.shard(shard_at)?;
            let repeats = shard.last(key).is_some_and(|last| last + millis(window) >= at);
            let gone = self.make_room(&mut shard, bytes, at, window);
            (repeats, gone, self.push(shard_at, &mut shard, bytes, &mut new))
        };
        gone.iter().flatten().for_each(|gone| self.forget(shard_at, gone));
        for other in (shard_at + 1..shard_at + SHARDS).map(|other| other % SHARDS) {
            if place.is_some() {
                break;
            }
            let gone = self.make_room(&mut *self.shard(other)?, bytes, at, window);
            gone.iter().flatten().for_each(|gone| self.forget(other, gone));
            place = self.push(shard_at, &mut *self.shard(shard_at)?, bytes, &mut new);
        }
        if let (None, Some(bound)) = (place, self.over(bytes)) {
            self.shed(bound, at);
        }
        let place = place?;
        for id in ids {
            if let Some(mut index) = self.index(id) {
                let is_shared = index.contains_key(&id);
                index.insert(id, Indexed { place, is_shared });
            }
        }
        // A full table may have dropped it before it was indexed.
        if self.shed_lately(now, window) && self.shard(shard_at)?.is_claimed(place.number).is_none()
        {
            let (number, unclaimed) = (place.number, false);
            self.forget(shard_at, &Gone { ids, number, bytes: 0, unclaimed });
            return None;
        }
        Some(Inserted { place, repeats })
    }

    /// Puts it in its shard, where there is room for it.
    fn push(
        &self,
        at: usize,
        shard: &mut Shard,
        cost: usize,
        new: &mut Option<New>,
    ) -> Option<Place> {
        if self.over(cost).is_some() {
            return None;
        }
        let number = shard.push(new.take()?);
        self.records.fetch_add(1, Relaxed);
        self.bytes.fetch_add(cost, Relaxed);
        Some(Place { shard: at, number })
    }

    /// Drops what is too old, and while there is too much in all the oldest.
    fn make_room(
        &self,
        shard: &mut Shard,
        cost: usize,
        at: u64,
        window: Duration,
    ) -> [Option<Gone>; EXPIRED_AT_ONCE] {
        let before = self.forget_expired(shard, at, window);
        std::array::from_fn(|_| {
            let gone = shard.expire(before).or_else(|| {
                let bound = self.over(cost)?;
                let gone = shard.drop_first()?;
                self.shed(bound, at);
                Some(Gone { unclaimed: false, ..gone })
            })?;
            self.records.fetch_sub(1, Relaxed);
            self.bytes.fetch_sub(gone.bytes, Relaxed);
            Some(gone)
        })
    }

    /// Forgets what expired long ago; whatever came before the moment that it gives expires now.
    fn forget_expired(&self, shard: &mut Shard, at: u64, window: Duration) -> u64 {
        let window = millis(window);
        self.bytes.fetch_sub(shard.forget_expired(at, window), Relaxed);
        at.saturating_sub(window)
    }

    fn shed(&self, bound: &AtomicU64, at: u64) {
        bound.fetch_add(1, Relaxed);
        self.shed_at.store(at.max(1), Relaxed);
    }

    /// What a record takes beside what it holds.
    const COST: usize = Shard::COST + 4 * (size_of::<(u64, Indexed)>() + 1) + LOSS;

    /// The bound that a record of so many bytes would break.
    fn over(&self, cost: usize) -> Option<&AtomicU64> {
        let (records, bytes) = self.size();
        if records >= self.most.0 {
            return Some(&self.dropped.records);
        }
        (bytes + cost > self.most.1).then_some(&self.dropped.bytes)
    }

    /// Finds the record of a request and claims it: by its request id where that arrived, by its
    /// trace where it is of the same text, by the key, by its trace whatever it says. A trace may
    /// have more than one message in it, and more than one call.
    pub fn claim(&self, now: Instant, window: Duration, wanted: &Wanted) -> (Means, Claim) {
        let [request_id, trace] = wanted.ids;
        // Another text in another room is another call, which happens to carry the same id.
        let Key { text, room } = wanted.key;
        let alike = |key: &Key, kind: &Kind| {
            text == 0 || room == 0 || key.text == text || kind.room == room
        };
        let (by_id, known) = self.claim_id(now, window, request_id, alike);
        if let Some(left) = by_id {
            return (Means::RequestId, Claim::Found(left));
        }
        if let (Some(left), _) = self.claim_id(now, window, trace, |key, _| key.text == text) {
            return (Means::Traceparent, Claim::Found(left));
        }
        let shard_at = shard_of(wanted.key.text);
        self.drop_expired(shard_at, now, window, SWEPT_AT_ONCE);
        let claim = self
            .shard(shard_at)
            .map(|mut shard| shard.claim(wanted.key, wanted.mode, wanted.origins));
        match claim {
            Some(claim @ Claim::Found(_)) => (wanted.by_key, claim),
            // Its own record may have been one of those that were dropped.
            Some(claim @ Claim::Elsewhere { .. }) if !self.shed_lately(now, window) => {
                (Means::Text, claim)
            }
            Some(Claim::Taken) if !self.shed_lately(now, window) => (wanted.by_key, Claim::Taken),
            Some(Claim::Elsewhere { .. } | Claim::Taken | Claim::Ambiguous) => {
                (Means::Ambiguous, Claim::Ambiguous)
            }
            Some(Claim::Nothing) | None if known => (Means::RequestId, Claim::Taken),
            Some(Claim::Nothing) | None => match self.claim_id(now, window, trace, alike) {
                (Some(left), _) => (Means::Traceparent, Claim::Found(left)),
                (None, _) => (Means::Nothing, Claim::Nothing),
            },
        }
    }

    /// Claims the only record of an id; also whether somebody else claimed it.
    fn claim_id(
        &self,
        now: Instant,
        window: Duration,
        id: Option<u64>,
        may_be: impl FnOnce(&Key, &Kind) -> bool,
    ) -> (Option<Arc<Left>>, bool) {
        let only = |id| {
            let indexed = self.index(id)?.get(&id).copied()?;
            (!indexed.is_shared).then_some(indexed.place)
        };
        let Some(place) = id.and_then(only) else { return (None, false) };
        self.drop_expired(place.shard, now, window, SWEPT_AT_ONCE);
        let Some(mut shard) = self.shard(place.shard) else { return (None, false) };
        let left = shard.claim_number(place.number, may_be);
        let taken = left.is_none() && shard.is_claimed(place.number) == Some(true);
        (left, taken)
    }

    /// A record's own request is over, and may go nowhere: then it counts as unclaimed. Says whether
    /// somebody claimed it; `None` where it is gone.
    pub fn settle(&self, place: Place, goes_nowhere: bool) -> Option<bool> {
        let mut shard = self.shard(place.shard)?;
        shard.end(place.number);
        if goes_nowhere && shard.withdraw(place.number) {
            self.unclaimed.fetch_add(1, Relaxed);
        }
        shard.is_claimed(place.number)
    }

    /// Drops every record that is too old, a few at a time.
    pub fn sweep(&self, now: Instant, window: Duration) {
        for shard in 0..SHARDS {
            while self.drop_expired(shard, now, window, SWEPT_AT_ONCE) == SWEPT_AT_ONCE {}
        }
    }

    fn drop_expired(&self, at: usize, now: Instant, window: Duration, most: usize) -> usize {
        let mut gone = Vec::new();
        if let Some(mut shard) = self.shard(at) {
            let before = self.forget_expired(&mut shard, self.millis(now), window);
            while gone.len() < most
                && let Some(one) = shard.expire(before)
            {
                gone.push(one);
            }
        }
        for one in &gone {
            self.records.fetch_sub(1, Relaxed);
            self.bytes.fetch_sub(one.bytes, Relaxed);
            self.forget(at, one);
        }
        gone.len()
    }

    /// Takes what a record was found by out of the index, where it is not another's by now.
    fn forget(&self, shard: usize, gone: &Gone) {
        self.unclaimed.fetch_add(u64::from(gone.unclaimed), Relaxed);
        let place = Place { shard, number: gone.number };
        for id in gone.ids {
            if let Some(mut index) = self.index(id)
                && index.get(&id).is_some_and(|indexed| indexed.place == place)
            {
                index.remove(&id);
            }
        }
    }

    fn shed_lately(&self, now: Instant, window: Duration) -> bool {
        let shed_at = self.shed_at.load(Relaxed);
        shed_at > 0 && shed_at + millis(window) >= self.millis(now)
    }

    fn millis(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.since))
    }

    fn shard(&self, at: usize) -> Option<MutexGuard<'_, Shard>> {
        self.shards.get(at).map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn index(&self, id: u64) -> Option<MutexGuard<'_, HashMap<u64, Indexed, Hashed>>> {
        let index = self.ids.get(shard_of(id))?;
        Some(index.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// By bits that the maps in a shard do not go by: they take the lowest and the highest.
fn shard_of(digest: u64) -> usize {
    (digest >> 50) as usize % SHARDS
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
