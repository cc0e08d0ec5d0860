//! Records in the order in which they came, found again by key. Nothing here locks or looks at a
//! clock.
//!
//! Records of one key form a group: a list through the records, and where its oldest pending one
//! is. Groups of one text are known by number only, and the last one by its key.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use modegate_filters::bucket::Cohort;
use modegate_filters::contract::Mode;

use super::expired::Expired;
use super::hashed::Hashed;
use super::left::Left;

/// What a record is found by: digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Of the text, or of the JSON-RPC id.
    pub text: u64,
    /// Of the room; 0 where the text alone is the key.
    pub room: u64,
}

/// What makes two records of one key alike: it does not matter then which of them is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The mode that left.
    pub mode: Mode,
    /// The cohort.
    pub cohort: Option<Cohort>,
    /// The room's digest.
    pub room: u64,
    /// The value's digest: what is put back must be the message's own.
    pub value: u64,
}

/// Where the requests come from that look for their records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origins {
    /// All were let through here before.
    Here,
    /// Some were let through elsewhere: that a text is the same says nothing of them.
    Anywhere,
}

/// Where a record is in its shard: they are numbered as they come.
pub type Number = u64;

/// How far a list is searched.
const SEARCH: usize = 64;

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum State {
    Pending,
    /// By a request of another room, or of none: its own may still come.
    ClaimedByText,
    Claimed,
    /// The answer said that it goes nowhere.
    Withdrawn,
}

/// A record.
#[derive(Debug)]
pub struct Slot {
    at: u64,
    key: Key,
    kind: Kind,
    ids: [u64; 2],
    state: State,
    /// Its own request is over: whatever its server was to send for it was sent.
    is_over: bool,
    next: Option<Number>,
    bytes: usize,
    left: Option<Left>,
}

#[derive(Debug)]
struct Group {
    /// The list's ends.
    first: Number,
    last: Number,
    /// The oldest record that may be pending.
    oldest: Number,
    pending: usize,
    by_text: usize,
    claimed: usize,
    /// What the records are that are pending or claimed by text; several kinds are mixed until all
    /// are gone.
    kind: Kind,
    mixed: bool,
}

impl Group {
    /// How many are in a state; nobody asks for those that are withdrawn.
    fn count(&mut self, state: State) -> Option<&mut usize> {
        match state {
            State::Pending => Some(&mut self.pending),
            State::ClaimedByText => Some(&mut self.by_text),
            State::Claimed => Some(&mut self.claimed),
            State::Withdrawn => None,
        }
    }

    fn leave(&mut self, state: State) {
        if let Some(count) = self.count(state) {
            *count -= 1;
        }
    }

    fn enter(&mut self, state: State) {
        if let Some(count) = self.count(state) {
            *count += 1;
        }
    }
}

/// Groups of one text with something pending. With one left, its room is the exclusive or of all.
#[derive(Debug, Default)]
struct Rooms {
    groups: usize,
    rooms: u64,
}

/// What a look for a request's record gave.
#[derive(Debug)]
pub enum Claim {
    /// The record.
    Found(Arc<Left>),
    /// The only record of this text, which is of another room; whether its own request is still
    /// being answered.
    Elsewhere {
        /// The record.
        left: Arc<Left>,
        /// Its request is in flight.
        in_flight: bool,
    },
    /// All records of it were claimed before.
    Taken,
    /// Several records that are not alike could be it.
    Ambiguous,
    /// None.
    Nothing,
}

/// A record to be added.
#[derive(Debug)]
pub struct New {
    /// Its moment, in milliseconds.
    pub at: u64,
    /// What it is found by.
    pub key: Key,
    /// What it is like.
    pub kind: Kind,
    /// What it is found by beside its key.
    pub ids: [u64; 2],
    /// What was let through.
    pub left: Left,
    /// What it takes.
    pub bytes: usize,
}

/// What went with a record that left the shard.
#[derive(Debug, Clone, Copy)]
pub struct Gone {
    /// What it was found by beside its key.
    pub ids: [u64; 2],
    /// Its number.
    pub number: Number,
    /// What it took, without what is kept of it.
    pub bytes: usize,
    /// Whether nobody claimed it.
    pub unclaimed: bool,
}

/// A shard of a table.
#[derive(Debug, Default)]
pub struct Shard {
    slots: VecDeque<Slot>,
    /// The number of the first slot.
    first: Number,
    groups: HashMap<Key, Group, Hashed>,
    texts: HashMap<u64, Rooms, Hashed>,
    /// Texts whose own request may come too late.
    expired: Expired,
}

impl Shard {
    /// How many bytes a record takes in a shard beside what it holds: its slot and its entries, with
    /// room for the growth of the collections, which double.
    pub const COST: usize = 2 * size_of::<Slot>()
        + 2 * (size_of::<(Key, Group)>() + 1)
        + 2 * (size_of::<(u64, Rooms)>() + 1);

    /// When the newest record of a key was let through, where one of them went somewhere.
    pub fn last(&self, key: Key) -> Option<u64> {
        let group = self.groups.get(&key)?;
        let went = group.pending + group.by_text + group.claimed > 0;
        self.slot(group.last).filter(|_| went).map(|slot| slot.at)
    }

    /// Adds a record.
    pub fn push(&mut self, new: New) -> Number {
        let New { at, key, kind, ids, left, bytes } = new;
        let number = self.first + self.slots.len() as u64;
        let slot = Slot {
            at,
            key,
            kind,
            ids,
            state: State::Pending,
            is_over: false,
            next: None,
            bytes,
            left: Some(left),
        };
        self.slots.push_back(slot);
        let group = self.groups.entry(key).or_insert(Group {
            first: number,
            last: number,
            oldest: number,
            pending: 0,
            by_text: 0,
            claimed: 0,
            kind,
            mixed: false,
        });
        let before = std::mem::replace(&mut group.last, number);
        if group.pending == 0 && group.by_text == 0 {
            (group.kind, group.mixed) = (kind, false);
        } else if group.kind != kind {
            group.mixed = true;
        }
        if group.pending == 0 {
            group.oldest = number;
            let rooms = self.texts.entry(key.text).or_default();
            rooms.groups += 1;
            rooms.rooms ^= key.room;
        }
        group.enter(State::Pending);
        if before != number
            && let Some(slot) = self.slot_mut(before)
        {
            slot.next = Some(number);
        }
        number
    }

    /// Claims the oldest record of a key; of records that are not alike one that has this mode, for
    /// the sake of what is left.
    pub fn claim(&mut self, key: Key, mode: Mode, origins: Origins) -> Claim {
        if let Some(group) = self.groups.get(&key) {
            let Group { first, oldest, pending, by_text, claimed, mixed, .. } = *group;
            if pending > 0 {
                let number = match mixed {
                    true => self.alike(oldest, mode).unwrap_or(oldest),
                    false => oldest,
                };
                return match self.take(number, State::Claimed) {
                    Some(left) if !mixed => Claim::Found(left),
                    Some(_) => Claim::Ambiguous,
                    None => Claim::Nothing,
                };
            }
            if by_text > 0 {
                let number = self.by_text(first);
                let left = number.and_then(|number| self.take(number, State::Claimed));
                return left.filter(|_| !mixed).map_or(Claim::Ambiguous, Claim::Found);
            }
            // A second request of this room, or the first of another one? Nothing of this room is
            // pending: what is pending of the text is of others. So it may be with what expired.
            if claimed > 0 {
                let others = self.texts.contains_key(&key.text) || self.expired.has(key.text);
                return if others { Claim::Ambiguous } else { Claim::Taken };
            }
        }
        self.claim_elsewhere(key, origins)
    }

    fn claim_elsewhere(&mut self, key: Key, origins: Origins) -> Claim {
        let is_sure = |other: &Key| origins == Origins::Here && !self.expired.has_elsewhere(*other);
        let Some(other) = self.elsewhere(key).filter(is_sure) else {
            let others = self.texts.contains_key(&key.text);
            return if others { Claim::Ambiguous } else { Claim::Nothing };
        };
        let oldest = self.groups.get(&other).filter(|group| !group.mixed).map(|group| group.oldest);
        let in_flight =
            oldest.and_then(|oldest| self.slot(oldest)).is_some_and(|slot| !slot.is_over);
        match oldest.and_then(|oldest| self.take(oldest, State::ClaimedByText)) {
            Some(left) => Claim::Elsewhere { left, in_flight },
            None => Claim::Ambiguous,
        }
    }

    /// The one other group of the same text that has something pending.
    fn elsewhere(&self, key: Key) -> Option<Key> {
        let rooms = self.texts.get(&key.text).filter(|rooms| rooms.groups == 1)?;
        Some(Key { room: rooms.rooms, ..key }).filter(|other| *other != key)
    }

    /// Claims a record by its number; `None` where it is gone, was claimed, or is not to be it.
    pub fn claim_number(
        &mut self,
        number: Number,
        may_be: impl FnOnce(&Key, &Kind) -> bool,
    ) -> Option<Arc<Left>> {
        let slot = self.slot(number)?;
        let is_open = matches!(slot.state, State::Pending | State::ClaimedByText);
        (is_open && may_be(&slot.key, &slot.kind)).then(|| self.take(number, State::Claimed))?
    }

    /// Its own request is over.
    pub fn end(&mut self, number: Number) {
        if let Some(slot) = self.slot_mut(number) {
            slot.is_over = true;
        }
    }

    /// Nothing will come of a record that is still pending.
    pub fn withdraw(&mut self, number: Number) -> bool {
        let pending = self.slot(number).is_some_and(|slot| slot.state == State::Pending);
        if pending {
            self.take(number, State::Withdrawn);
        }
        pending
    }

    /// Whether somebody claimed it; `None` where it is gone.
    pub fn is_claimed(&self, number: Number) -> Option<bool> {
        let state = self.slot(number)?.state;
        Some(matches!(state, State::Claimed | State::ClaimedByText))
    }

    /// Drops the first record where it is older than `before`. Its text is kept where its own
    /// request may still come, of another room than others of that text.
    pub fn expire(&mut self, before: u64) -> Option<Gone> {
        let &Slot { key, state, .. } = self.slots.front().filter(|slot| slot.at < before)?;
        let gone = self.drop_first()?;
        let may_come = matches!(state, State::Pending | State::ClaimedByText) && key.room != 0;
        let kept = if may_come { self.expired.keep(key) } else { 0 };
        Some(Gone { bytes: gone.bytes.saturating_sub(kept), ..gone })
    }

    /// Forgets what expired longer than a window ago: so many bytes. It comes before `expire`.
    pub fn forget_expired(&mut self, now: u64, window: u64) -> usize {
        self.expired.turn(now, window)
    }

    /// Drops the first record.
    pub fn drop_first(&mut self) -> Option<Gone> {
        let (number, pending) = (self.first, self.slots.front()?.state == State::Pending);
        if pending {
            self.take(number, State::Withdrawn);
        }
        let slot = self.slots.pop_front()?;
        self.first += 1;
        if let Some(group) = self.groups.get_mut(&slot.key) {
            group.leave(slot.state);
            match slot.next {
                Some(next) => group.first = next,
                None => {
                    self.groups.remove(&slot.key);
                }
            }
        }
        Some(Gone { ids: slot.ids, number, bytes: slot.bytes, unclaimed: pending })
    }

    /// Moves a record on to a state, and gives what it holds.
    fn take(&mut self, number: Number, state: State) -> Option<Arc<Left>> {
        let slot = self.slot_mut(number)?;
        let key = slot.key;
        let before = std::mem::replace(&mut slot.state, state);
        let left = match state {
            State::ClaimedByText => slot.left.clone(),
            State::Withdrawn => {
                slot.left = None;
                None
            }
            _ => slot.left.take(),
        };
        let left = left.map(Arc::new);
        let group = self.groups.get_mut(&key)?;
        group.leave(before);
        group.enter(state);
        if before == State::Pending {
            let (oldest, pending) = (group.oldest, group.pending);
            if pending == 0 {
                self.nothing_pending(key);
            } else if oldest == number {
                let next = self.next_pending(number);
                if let Some((group, next)) = self.groups.get_mut(&key).zip(next) {
                    group.oldest = next;
                }
            }
        }
        left
    }

    fn nothing_pending(&mut self, key: Key) {
        if let Some(rooms) = self.texts.get_mut(&key.text) {
            rooms.groups -= 1;
            rooms.rooms ^= key.room;
            if rooms.groups == 0 {
                self.texts.remove(&key.text);
            }
        }
    }

    fn next_pending(&self, from: Number) -> Option<Number> {
        let mut number = from;
        loop {
            number = self.slot(number)?.next?;
            if self.slot(number)?.state == State::Pending {
                return Some(number);
            }
        }
    }

    /// A pending record of this mode.
    fn alike(&self, oldest: Number, mode: Mode) -> Option<Number> {
        self.list(oldest)
            .find(|(_, slot)| slot.state == State::Pending && slot.kind.mode == mode)
            .map(|(number, _)| number)
    }

    /// A record that was claimed by its text.
    fn by_text(&self, first: Number) -> Option<Number> {
        self.list(first)
            .find(|(_, slot)| slot.state == State::ClaimedByText)
            .map(|(number, _)| number)
    }

    /// The next records of a key, some of them.
    fn list(&self, from: Number) -> impl Iterator<Item = (Number, &Slot)> {
        let mut next = Some(from);
        let step = move || {
            let number = next?;
            let slot = self.slot(number)?;
            next = slot.next;
            Some((number, slot))
        };
        std::iter::from_fn(step).take(SEARCH)
    }

    fn slot(&self, number: Number) -> Option<&Slot> {
        self.slots.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    fn slot_mut(&mut self, number: Number) -> Option<&mut Slot> {
        self.slots.get_mut(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }
}

#[cfg(test)]
mod tests;
