//! Writes down what the machine reads in the objects that may hold a wanted member: the root and its wanted containers.
//! It knows nothing of the grammar; the machine calls it at the keys and values of those objects only.

use std::num::NonZeroUsize;

use super::found::{Found, Kind, Member, Value};
use super::wanted::{Hit, Names, Slot, Wanted};

/// The recorder of one scan.
#[derive(Debug)]
pub(super) struct Watch<'w> {
    wanted: &'w Wanted,
    pub(super) found: Found,
    /// The watched objects that are open: none, the root, or the root and a container in it.
    levels: [Level<'w>; 2],
    open: usize,
    /// A key's bytes from earlier chunks, as far as they are needed to recognise it.
    held: Vec<u8>,
}

/// The offset of a comma, never 0: as short as an offset.
pub(super) type Comma = Option<NonZeroUsize>;

/// Where a member begins.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Key {
    /// The offset of its opening quote.
    pub(super) at: usize,
    /// The offset of the comma before it.
    pub(super) comma: Comma,
}

/// Where we are in one watched object.
#[derive(Debug)]
struct Level<'w> {
    names: &'w Names,
    hit: Hit,
    key: Key,
    kind: Kind,
    value: usize,
    /// Whether all members before the current one were contract members.
    leading: bool,
}

impl<'w> Level<'w> {
    fn of(names: &'w Names) -> Self {
        Self {
            names,
            hit: Hit::default(),
            key: Key::default(),
            kind: Kind::Null,
            value: 0,
            leading: true,
        }
    }
}

impl<'w> Watch<'w> {
    pub(super) fn new(wanted: &'w Wanted) -> Self {
        Self {
            wanted,
            found: Found::nothing(),
            levels: [Level::of(&wanted.root), Level::of(&wanted.root)],
            open: 0,
            held: Vec::new(),
        }
    }

    /// An object opened and is now the innermost container at `depth`; `watched` says whether the one around it was.
    /// Answers whether this one is.
    #[inline]
    pub(super) fn enter(&mut self, depth: usize, watched: bool) -> bool {
        let names = match depth {
            1 => &self.wanted.root,
            2 if watched => {
                let container = self.levels[0].hit.container;
                match container.and_then(|index| self.wanted.containers.get(usize::from(index))) {
                    Some(names) => names,
                    None => return false,
                }
            }
            _ => return false,
        };
        self.levels[depth - 1] = Level::of(names);
        self.open = depth;
        true
    }

    /// A container closed; the innermost one open is now at `depth`. Answers whether that one is watched.
    #[inline]
    pub(super) fn leave(&mut self, depth: usize) -> bool {
        if depth > self.levels.len() {
            return false;
        }
        if self.open > depth {
            self.open = depth;
        }
        self.open == depth
    }

    /// What of the containers around a place at `depth` nothing is to be noted of: the depth of the lowest of them, and
    /// whether it is watched, so that its keys must be asked [`Self::is_wanted`].
    pub(super) fn unnoted(&self, depth: usize) -> Option<(usize, bool)> {
        let Some(level) = self.levels.get(self.open.wrapping_sub(1)) else {
            return Some((1, false));
        };
        // The next key would change nothing but what is so already.
        if !level.leading && level.hit == Hit::default() {
            return Some((self.open, true));
        }
        (depth > self.open).then_some((self.open + 1, false))
    }

    /// Whether the key that begins after the quote before `text` is a wanted member's, or may be.
    #[inline(always)]
    pub(super) fn is_wanted(&self, text: &[u8]) -> bool {
        let Some(level) = self.levels.get(self.open.wrapping_sub(1)) else {
            return false;
        };
        level.names.may_begin(text) && level.names.find_whole(text) != Some(Hit::default())
    }

    /// A part of a key ran to the end of its chunk.
    pub(super) fn hold(&mut self, part: &[u8]) {
        let Some(level) = self.current() else {
            return;
        };
        // One byte more than can match, so that a key cut off here never does.
        let enough = level.names.longest_spelling() + 1;
        let room = enough.saturating_sub(self.held.len());
        self.held.extend(part.iter().take(room));
    }

    /// A key ended; what of it stands in this chunk are the first `length` bytes of `text`. Answers whether its value is
    /// to be noted.
    #[inline]
    pub(super) fn key(&mut self, key: Key, text: &[u8], length: usize) -> bool {
        let Some(level) = self.levels.get(self.open.wrapping_sub(1)) else {
            return false;
        };
        let names = level.names;
        if self.held.is_empty() {
            return self.recognised(key, names.find(text, length));
        }
        self.hold(text.get(..length).unwrap_or(&[]));
        let hit = names.find_raw(&std::mem::take(&mut self.held));
        self.recognised(key, hit)
    }

    #[inline]
    fn recognised(&mut self, key: Key, hit: Hit) -> bool {
        let Some(level) = self.levels.get_mut(self.open.wrapping_sub(1)) else {
            return false;
        };
        if level.leading && key.comma.is_some() {
            level.leading = level.hit.slot == Some(Slot::Contract);
            if level.leading
                && let Some(member) = self.found.contract.last_mut()
            {
                member.comma = key.comma;
            }
        }
        level.hit = hit;
        if hit == Hit::default() {
            return false;
        }
        level.key = key;
        if let Some(container) = hit.container {
            self.forget(container);
        }
        hit.slot.is_some()
    }

    /// A value begins.
    #[inline]
    pub(super) fn value(&mut self, kind: Kind, at: usize) {
        if let Some(level) = self.current() {
            level.kind = kind;
            level.value = at;
        }
    }

    /// A value ended before `end`.
    #[inline]
    pub(super) fn value_end(&mut self, end: usize) {
        if let Some(slot) = self.current().and_then(|level| level.hit.slot) {
            self.record(slot, end);
        }
    }

    fn record(&mut self, slot: Slot, end: usize) {
        let Some(level) = self.levels.get(self.open.wrapping_sub(1)) else {
            return;
        };
        let (kind, span) = (level.kind, level.value..end);
        if slot == Slot::Contract {
            let member = Member {
                key: level.key.at,
                value: span.clone(),
                comma: level.key.comma.filter(|_| !level.leading),
            };
            self.found.contract.push(member);
        }
        if let Some(place) = self.found.values.get_mut(slot as usize) {
            *place = Some(Value { kind, span });
        }
    }

    /// Another duplicate of a container begins: what the earlier one held no longer counts.
    fn forget(&mut self, container: u16) {
        let Some(names) = self.wanted.containers.get(usize::from(container)) else {
            return;
        };
        for slot in names.slots() {
            if let Some(place) = self.found.values.get_mut(slot as usize) {
                *place = None;
            }
        }
    }

    #[inline]
    fn current(&mut self) -> Option<&mut Level<'w>> {
        self.levels.get_mut(self.open.wrapping_sub(1))
    }
}
