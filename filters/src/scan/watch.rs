//! Writes down what the machine reads in the objects that may hold a wanted member: the root and its wanted containers.
//! It knows nothing of the grammar; the machine calls it at keys, values and commas of those objects only.

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

/// Where we are in one watched object.
#[derive(Debug)]
struct Level<'w> {
    names: &'w Names,
    hit: Hit,
    key: usize,
    kind: Kind,
    value: usize,
    /// The last comma of this object.
    comma: usize,
    /// Whether all members before the current one were contract members.
    leading: bool,
}

impl<'w> Level<'w> {
    fn of(names: &'w Names) -> Self {
        Self {
            names,
            hit: Hit::default(),
            key: 0,
            kind: Kind::Null,
            value: 0,
            comma: 0,
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
                match container.and_then(|index| self.wanted.containers.get(index)) {
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
        self.open = self.open.min(depth);
        self.open == depth
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

    /// A key ended; `rest` is what of it stands in this chunk, `key` the offset of its opening quote.
    #[inline]
    pub(super) fn key(&mut self, key: usize, rest: &[u8]) {
        if self.held.is_empty() {
            self.recognise(key, rest);
        } else {
            self.hold(rest);
            let held = std::mem::take(&mut self.held);
            self.recognise(key, &held);
        }
    }

    #[inline]
    fn recognise(&mut self, key: usize, raw: &[u8]) {
        let Some(level) = self.current() else {
            return;
        };
        level.key = key;
        level.hit = level.names.find(raw);
        let container = level.hit.container;
        if let Some(container) = container {
            self.forget(container);
        }
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

    /// A comma between two members.
    #[inline]
    pub(super) fn comma(&mut self, at: usize) {
        let Some(level) = self.levels.get_mut(self.open.wrapping_sub(1)) else {
            return;
        };
        level.comma = at;
        if level.leading {
            level.leading = level.hit.slot == Some(Slot::Contract);
            if level.leading
                && let Some(member) = self.found.contract.last_mut()
            {
                member.comma = Some(at);
            }
        }
    }

    fn record(&mut self, slot: Slot, end: usize) {
        let Some(level) = self.levels.get(self.open.wrapping_sub(1)) else {
            return;
        };
        let (kind, span) = (level.kind, level.value..end);
        if slot == Slot::Contract {
            let member = Member {
                key: level.key,
                value: span.clone(),
                comma: (!level.leading).then_some(level.comma),
            };
            self.found.contract.push(member);
        }
        if let Some(place) = self.found.values.get_mut(slot as usize) {
            *place = Some(Value { kind, span });
        }
    }

    /// Another duplicate of a container begins: what the earlier one held no longer counts.
    fn forget(&mut self, container: usize) {
        let Some(names) = self.wanted.containers.get(container) else {
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
